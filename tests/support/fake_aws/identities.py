"""The account's identities: who may send, and lists with tokens that work."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .errors import AwsError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .options import Identity, Settings

MAX_PAGE = 1000


@dataclass(frozen=True)
class Page:
    """One page of a list; `token` None where it is the last."""

    identities: tuple[Identity, ...]
    token: str | None


def in_region(identities: Iterable[Identity] | None, region: str) -> tuple[Identity, ...]:
    """Return the identities of a region; none at all where identities are not checked."""
    return tuple(identity for identity in identities or () if identity.region in (None, region))


def is_verified(settings: Settings, address: str, region: str) -> bool:
    """Whether the address, its domain or a parent domain is verified, or is the mailbox simulator's."""
    local, _, domain = address.rpartition("@")
    labels = domain.lower().split(".")
    parents = [".".join(labels[start:]) for start in range(len(labels))]
    if parents[0] == "simulator.amazonses.com":
        return True
    verified = settings.verified
    return any((name, where) in verified for name in (f"{local}@{parents[0]}", *parents) for where in (None, region))


def page(identities: Iterable[Identity], scope: str, token: str | None, size: int) -> Page:
    """One page of the identities, by name. `scope` ties tokens to one kind of list; AwsError for a token of another or of none."""
    if not 1 <= size <= MAX_PAGE:
        raise invalid(f"The page size must be between 1 and {MAX_PAGE}.")
    ordered = sorted(identities, key=lambda identity: identity.name)
    start = _offset(token, scope) if token else 0
    shown = tuple(ordered[start : start + size])
    following = start + size
    more = following < len(ordered)
    return Page(shown, base64.urlsafe_b64encode(f"{scope}|{following}".encode()).decode() if more else None)


def _offset(token: str, scope: str) -> int:
    try:
        made_for, _, offset = base64.urlsafe_b64decode(token.encode()).decode().rpartition("|")
        if made_for == scope:
            return int(offset)
    except (binascii.Error, ValueError):
        pass
    raise AwsError("InvalidNextToken", "The specified token is not valid.", 400, "InvalidNextTokenException")


def page_size(given: object, default: int) -> int:
    """Return the page size that a caller names, as a number; AwsError where it is none."""
    if given is None:
        return default
    try:
        return int(str(given))
    except ValueError:
        raise invalid("The page size must be a number.") from None


def by_kind(kind: str | None, domain: str, address: str) -> Callable[[Identity], bool]:
    """Return a filter for a type of identity; `domain` and `address` are the service's own words. AwsError for another word."""
    if not kind:
        return lambda identity: True
    if kind not in (domain, address):
        raise invalid(f"Value '{kind}' is not a type of identity; one of {address}, {domain}.")
    return lambda identity: identity.is_domain == (kind == domain)
