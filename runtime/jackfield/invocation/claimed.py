"""Invocations that a process has claimed: queued invocations, and jobs between two polls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.invocation.keyed import KeyFacts
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import UnknownConnection


@dataclass(frozen=True, slots=True, repr=False)
class Claimed:
    """Invocation that this process has claimed. ``sealed`` is the original invocation, encrypted;
    ``delivery`` counts its claims.
    """

    workspace: str
    id: str
    sealed: bytes
    delivery: int
    approval: Mapping[str, Any] | None = None
    """Request that the approver saw (``recording.approvals``); None if it needed no approval when
    it was queued.
    """
    fingerprint: str | None = None
    """Fingerprint of the request as received: the stored request may name files instead of large
    contents.
    """
    connection_id: str | None = None
    """ID of the stored connection that the invocation was queued over, or that the job was started
    over.
    """
    is_again: bool = False
    """True if the invocation was claimed before, or an earlier call with its request and its key
    may have taken effect.
    """

    sent_at: float | None = None
    """Time of the earliest run whose end is unknown, in seconds since 1970; None if there was
    none.
    """
    key_facts: KeyFacts | None = None
    """Facts about its key from an earlier run, if the provider recognises the request by it."""

    def of(self, stored: Mapping[str, Any]) -> Claimed:
        """Return the claim with facts of the decrypted invocation."""
        return replace(
            self,
            fingerprint=stored.get("fingerprint"),
            approval=stored.get("approval"),
            connection_id=stored.get("connectionId"),
        )

    def require_own(self, name: str | None, identifier: str | None) -> None:
        """Require that a connection is the one of the invocation. An approved connection is
        compared elsewhere, with all that the approver saw.

        :raises UnknownConnection: if it is another: one with the name of a deleted connection may
            belong to another account.
        """
        if self.connection_id in (None, identifier) or self.approval is not None:
            return
        raise UnknownConnection(
            f"the connection that this call was queued over is gone; '{name}' is another one",
            hint="Call again, with the connection to use.",
        )


@dataclass(frozen=True, slots=True, repr=False)
class ClaimedJob(Claimed):
    """Job that this process polls. ``sealed`` has the job's start data; ``cancel_at`` is the time
    of a request to cancel it that has not reached the provider.
    """

    cancel_at: float | None = None
