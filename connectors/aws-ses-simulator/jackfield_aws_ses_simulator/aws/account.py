"""The owner's setup of an account: identities, roles, users, limits."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property

from jackfield_aws_ses_simulator.aws.refusals import Refusal, invalid

NUMBER = "123456789012"
"""Account number in generated ARNs."""
_SIMULATOR = "simulator.amazonses.com"
_LARGEST_PAGE = 1000


@dataclass(frozen=True, slots=True)
class Identity:
    """A verified domain or address; ``region`` None means that it is verified in every region."""

    name: str
    region: str | None = None

    @property
    def is_domain(self) -> bool:
        """True for a domain, False for an address."""
        return "@" not in self.name


@dataclass(frozen=True, slots=True)
class Role:
    """Role of the account. ``allow`` None means every action, ``trust`` None every principal,
    ``external_id`` None that no External ID is required.

    ``external_id_like`` is a pattern of External IDs, compared as ``StringLike``: the first
    matching ID with which the role is assumed is trusted, too. A role with a pattern also exists
    under each name that extends its own by a hyphen, since the simulator cannot create roles.
    """

    external_id: str | None = None
    allow: frozenset[str] | None = None
    trust: frozenset[str] | None = None
    max_session_duration: int = 3600
    external_id_like: str | None = None

    def accepts(self, external_id: str | None) -> bool:
        """Return whether the role's condition accepts an External ID, or None."""
        if self.external_id is None or external_id == self.external_id:
            return True
        return (
            external_id is not None
            and self.external_id_like is not None
            and fnmatchcase(external_id, self.external_id_like)
        )


@dataclass(frozen=True, slots=True)
class User:
    """Long-lived access key or, with a session token, a temporary one. ``arn`` None is derived from
    the key.
    """

    secret: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    arn: str | None = None
    allow: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Quota:
    """Sending quota: recipients in 24 hours (-1 = unlimited), sends per second, and recipients
    already counted.
    """

    max24_hour_send: float = 50000.0
    max_send_rate: float = 14.0
    sent_last24_hours: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Account:
    """Account as its owner set it up. None for identities, configuration sets, roles or users
    disables their checks.

    ``rates`` are calls per second by operation; ``verification_seconds`` pass until a new identity,
    or its MAIL FROM domain, is verified. ``session_calls`` ends a session after that number of SES
    calls. ``strict_raw`` requires ``ses:SendRawEmail`` for raw content over API version 2, where
    either send permission suffices otherwise.
    """

    identities: tuple[Identity, ...] | None = None
    configuration_sets: frozenset[str] | None = None
    roles: Mapping[str, Role] | None = None
    users: Mapping[str, User] | None = None
    sandbox: bool = False
    paused: bool = False
    enforcement_status: str = "HEALTHY"
    quota: Quota = Quota()
    rates: Mapping[str, float] = field(default_factory=dict)
    verification_seconds: float = 10.0
    strict_raw: bool = False
    verify_signatures: bool = False
    session_calls: int | None = None

    @cached_property
    def _owned(self) -> frozenset[tuple[str, str | None]]:
        return frozenset(
            (folded(identity.name), identity.region) for identity in self.identities or ()
        )

    def owns(self, name: str, region: str) -> bool:
        """Return whether the account owns an identity, given its folded name. Without a list of
        identities it owns every name.
        """
        return self.identities is None or any(
            (name, where) in self._owned for where in (None, region)
        )

    def role(self, arn: str) -> Role | None:
        """Return a role by its ARN, None if it does not exist; a default role if the account lists
        no roles.
        """
        if self.roles is None:
            return Role()
        like = (
            role
            for known, role in self.roles.items()
            if role.external_id_like is not None and arn.startswith(f"{known}-")
        )
        return self.roles.get(arn) or next(like, None)

    def identities_in(self, region: str) -> tuple[Identity, ...]:
        """Return the identities of a region; empty if the account does not check identities."""
        return tuple(
            identity for identity in self.identities or () if identity.region in (None, region)
        )


def folded(name: str) -> str:
    """Return an identity's name with its domain in lower case."""
    local, at, domain = name.rpartition("@")
    return local + at + domain.lower()


def covering(address: str) -> tuple[str, ...]:
    """Return the names of identities that cover an address: itself, its domain, parent domains;
    empty for the mailbox simulator.
    """
    name = folded(address)
    labels = name.rpartition("@")[2].split(".")
    domains = tuple(".".join(labels[start:]) for start in range(len(labels)))
    return () if domains[0] == _SIMULATOR else (name, *domains)


@dataclass(frozen=True, slots=True)
class Page:
    """Page of a list of names; ``token`` is None on the last."""

    names: tuple[str, ...]
    token: str | None


def page(names: Iterable[str], scope: str, token: str | None, size: str) -> Page:
    """Return one page, sorted by name. ``scope`` ties a token to its list.

    :raises Refusal: for a size out of bounds, or a token of another list.
    """
    wanted = int(size) if size.isascii() and size.isdigit() else 0
    if not 1 <= wanted <= _LARGEST_PAGE:
        raise invalid(f"The page size must be between 1 and {_LARGEST_PAGE}.")
    ordered = sorted(names)
    start = 0 if token is None else _offset(token, scope)
    following = start + wanted
    more = (
        base64.urlsafe_b64encode(f"{scope}|{following}".encode()).decode()
        if following < len(ordered)
        else None
    )
    return Page(tuple(ordered[start:following]), more)


def _offset(token: str, scope: str) -> int:
    try:
        made_for, _, offset = base64.urlsafe_b64decode(token.encode()).decode().rpartition("|")
        if made_for == scope:
            return int(offset)
    except ValueError:
        pass
    raise Refusal(
        "InvalidNextToken",
        "The specified NextToken is invalid.",
        v2_code="InvalidNextTokenException",
    )
