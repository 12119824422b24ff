"""Invocations that a process has claimed: those that were queued, and jobs between two polls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass, replace


@dataclass(frozen=True, slots=True, repr=False)
class Claimed:
    """Invocation that this process has claimed. ``sealed`` is the original invocation, encrypted; ``delivery`` counts its claims."""

    workspace: str
    id: str
    sealed: bytes
    delivery: int
    approval: Mapping[str, Any] | None = None
    """What a person was shown who has approved it (``recording.approvals``); None if it needed no approval when it was queued."""
    fingerprint: str | None = None
    """Fingerprint of the request as it was received: what is stored may name files instead of large contents."""

    def of(self, stored: Mapping[str, Any]) -> Claimed:
        """Return the claim of the invocation that was sealed, decrypted."""
        return replace(self, fingerprint=stored.get("fingerprint"), approval=stored.get("approval"))


@dataclass(frozen=True, slots=True, repr=False)
class ClaimedJob(Claimed):
    """Job that this process polls. ``sealed`` has what it was started with; ``cancel_at`` is when somebody asked to cancel it, if nobody
    has told the provider."""

    cancel_at: float | None = None
