"""What the fake checks and how it behaves: the keyword arguments of FakeAws, read into one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypedDict

from .faults import Fault, parse_script
from .naming import members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

STATUSES = {
    "SUCCESS": "Success",
    "PENDING": "Pending",
    "FAILED": "Failed",
    "TEMPORARY_FAILURE": "TemporaryFailure",
    "NOT_STARTED": "NotStarted",
}
"""Verification statuses of SESv2 and the same in SES v1."""


@dataclass(frozen=True)
class Identity:
    """An identity of the account; `region` None means that it exists in every region."""

    name: str
    status: str = "SUCCESS"
    region: str | None = None

    @property
    def is_domain(self) -> bool:
        """Whether this is a domain and not an address."""
        return "@" not in self.name


@dataclass(frozen=True)
class Role:
    """A role that may be assumed. `allow` None means everything, `trust` None means everybody."""

    external_id: str | None = None
    allow: frozenset[str] | None = None
    trust: frozenset[str] | None = None
    max_session_duration: int = 3600


@dataclass(frozen=True)
class User:
    """A long-lived (or, with a session token, temporary) key. `arn` None is made up from the key."""

    secret: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    arn: str | None = None
    allow: frozenset[str] | None = None


@dataclass(frozen=True)
class Quota:
    """What GetSendQuota and GetAccount answer; recipients in 24 hours (-1 = unlimited) and sends a second."""

    max24_hour_send: float = 50000.0
    max_send_rate: float = 14.0
    sent_last24_hours: float = 0.0


class Options(TypedDict, total=False):
    """The keyword arguments of FakeAws; the package's docstring says what each means."""

    identities: Iterable[str | Identity | Mapping[str, str]] | None
    configuration_sets: Iterable[str] | None
    roles: Mapping[str, Role | Mapping[str, Any]] | None
    users: Mapping[str, User | Mapping[str, Any]] | None
    script: Iterable[Fault | Mapping[str, Any]]
    latency: float
    connect_latency: float
    sandbox: bool
    paused: bool
    quota: Quota | Mapping[str, float]
    account: Mapping[str, Any]
    account_id: str
    rates: Mapping[str, float]
    max_recipients: int | None
    size_limit_v1: int | None
    size_limit_v2: int | None
    check_addresses: bool
    check_raw: bool
    authorise: bool
    strict_raw: bool
    quoted_denials: bool
    verify_signatures: bool
    max_skew: float | None
    session_lifetime: float | None
    session_calls: int | None
    message_bytes: bool
    blind: bool
    page_size: int


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The options, read. Sizes are bytes, times seconds."""

    identities: tuple[Identity, ...] | None = None
    configuration_sets: frozenset[str] | None = None
    roles: Mapping[str, Role] | None = None
    users: Mapping[str, User] | None = None
    script: tuple[Fault, ...] = ()
    latency: float = 0.0
    connect_latency: float = 0.0
    sandbox: bool = False
    paused: bool = False
    quota: Quota = Quota()
    account: Mapping[str, Any] = field(default_factory=dict)
    account_id: str = "123456789012"
    rates: Mapping[str, float] = field(default_factory=dict)
    max_recipients: int | None = 50
    size_limit_v1: int | None = 10_485_760
    size_limit_v2: int | None = 41_943_040
    check_addresses: bool = True
    check_raw: bool = True
    authorise: bool = True
    strict_raw: bool = False
    quoted_denials: bool = False
    verify_signatures: bool = False
    max_skew: float | None = None
    session_lifetime: float | None = None
    session_calls: int | None = None
    message_bytes: bool = True
    blind: bool = False
    page_size: int = 100

    @cached_property
    def verified(self) -> frozenset[tuple[str, str | None]]:
        """Names (domains in lower case) and regions of the identities that may send."""
        return frozenset((_lower(identity.name), identity.region) for identity in self.identities or () if identity.status == "SUCCESS")


def _lower(name: str) -> str:
    local, at, domain = name.rpartition("@")
    return local + at + domain.lower()


def _identities(value: Iterable[str | Identity | Mapping[str, str]] | None) -> tuple[Identity, ...] | None:
    return None if value is None else tuple(_identity(item) for item in value)


def _identity(item: str | Identity | Mapping[str, str]) -> Identity:
    if isinstance(item, Identity):
        return item
    made = Identity(item) if isinstance(item, str) else Identity(**members(item, ("name", "status", "region"), "an identity"))
    if made.status not in STATUSES:
        raise ValueError(f"unknown status {made.status!r} of identity {made.name!r}")
    return made


def _names(value: Iterable[str] | None) -> frozenset[str] | None:
    if isinstance(value, str):
        raise TypeError("a list of names, not one name")
    return None if value is None else frozenset(value)


def _role(item: Role | Mapping[str, Any]) -> Role:
    if isinstance(item, Role):
        return item
    named = members(item, (known.name for known in fields(Role)), "a role")
    return Role(**{**named, "allow": _names(named.get("allow")), "trust": _names(named.get("trust"))})


def _user(item: User | Mapping[str, Any]) -> User:
    if isinstance(item, User):
        return item
    named = members(item, (known.name for known in fields(User)), "a user")
    return User(**{**named, "allow": _names(named.get("allow"))})


def _quota(item: Quota | Mapping[str, float]) -> Quota:
    return item if isinstance(item, Quota) else Quota(**members(item, (known.name for known in fields(Quota)), "a quota"))


def _roles(value: Mapping[str, Role | Mapping[str, Any]] | None) -> dict[str, Role] | None:
    return None if value is None else {arn: _role(item) for arn, item in value.items()}


def _users(value: Mapping[str, User | Mapping[str, Any]] | None) -> dict[str, User] | None:
    return None if value is None else {key: _user(item) for key, item in value.items()}


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "identities": _identities,
    "configuration_sets": _names,
    "roles": _roles,
    "users": _users,
    "script": parse_script,
    "quota": _quota,
}


def parse(options: Mapping[str, Any], start: Settings | None = None) -> Settings:
    """Read options, names in either case, over `start`; ValueError for a member that does not exist."""
    named = members(options, (known.name for known in fields(Settings)), "the endpoint")
    read = {name: _READERS[name](value) if name in _READERS else value for name, value in named.items()}
    return replace(start or Settings(), **read)
