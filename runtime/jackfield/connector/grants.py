"""Approval by a person at a provider, so that a connection may act for them (OAuth 2.0), from a
connection type's view.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.secrecy import SecretHolder


@dataclass(frozen=True, slots=True, repr=False)
class Grant(SecretHolder):
    """Approval of a person, as the provider issued it: a refresh token, or a token that cannot be
    refreshed.

    ``value`` must be JSON, because processes share it through the database. ``secrets`` are the
    strings in ``value`` that must never be displayed. The store sets ``id``, which stays the same
    while the grant's tokens are rotated, so it can be part of a lease's key. It also sets
    ``begun_at``: the time at which a refresh with these tokens started, while its outcome is not
    recorded.
    """

    value: Mapping[str, Any]
    scopes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    id: str = ""
    begun_at: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the grant's record, which is sealed and stored after its connection is removed."""
        return {
            "value": dict(self.value),
            "scopes": list(self.scopes),
            "secrets": list(self.secrets),
            "id": self.id,
        }

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Grant:
        """Read an object that ``to_json`` has returned."""
        return cls(kept["value"], tuple(kept["scopes"]), tuple(kept["secrets"]), kept["id"])


@dataclass(frozen=True, slots=True, repr=False)
class Authorization:
    """Address at which a person approves. ``kept`` is JSON that the connection type gets back with
    the provider's answer.
    """

    url: str
    kept: Mapping[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class DeviceAuthorization:
    """Code that a person enters at ``url`` on any device (RFC 8628). ``complete_url`` contains the
    code.

    ``expires_in`` and ``interval``, the pause between two requests to the provider, are in seconds.
    """

    url: str
    user_code: str
    expires_in: float
    interval: float
    kept: Mapping[str, Any]
    complete_url: str | None = None


class Grants(Protocol):
    """Store of the grant of one connection."""

    def find(self) -> Grant:
        """Return the grant as currently stored.

        :raises InvalidConnection: if no person has approved yet, or the approval has ended.
        """

    def begin(self, used: Grant) -> None:
        """Record that the tokens of ``used`` are about to be sent for a refresh. ``replace`` or
        ``end`` records the outcome.
        """

    def replace(self, used: Grant, rotated: Grant) -> None:
        """Store the tokens that replace the tokens of ``used``, before they are used; pass ``used``
        itself if its tokens are still valid.

        Nothing changes if another process has replaced them, or a person has approved again.
        """

    def end(self, used: Grant, reason: str) -> None:
        """Record that the provider no longer accepts ``used``: a person must approve again.
        ``reason`` must contain no secret.
        """

    def want(self, scopes: Sequence[str]) -> None:
        """Record scopes that the provider requested beyond the approved ones, for the next
        approval. Tokens stay unchanged.
        """

    def wanted(self) -> tuple[str, ...]:
        """Return the scopes of the approval and later requested scopes; an empty tuple without an
        approval.
        """


class ClientRegistrations(Protocol):
    """Clients of one workspace at authorization servers that servers name, for one redirect URI. A
    client is registered once for all connections to a server, and never shared between servers.
    """

    # a provider may skip the approval for a client that was approved once

    @property
    def document(self) -> str:
        """URL of the client's metadata document, which is the client's ID at providers that read
        such documents; empty if providers cannot reach it.
        """

    def find(self, issuer: str, server: str) -> dict[str, Any] | None:
        """Return the client for the connections to ``server`` at a provider; None if none is
        registered, or its registration ends soon.
        """

    def keep(self, issuer: str, server: str, client: Mapping[str, Any]) -> dict[str, Any]:
        """Store a newly registered client, and return the client to use: maybe one of another
        process.
        """

    def drop(self, issuer: str, server: str, identifier: str) -> None:
        """Delete a client that the provider no longer accepts."""
