"""Errors of waits for a commit: it has not started in time, is still in progress, or its outcome is
unknown.
"""

from __future__ import annotations

from jackfield.kernel.errors import Unavailable
from jackfield.kernel.hints import NextStep

SLOW = ("the database did not respond in time", NextStep("database_busy"))
"""Message of a slow database, and the next step."""


class CommitUnknown(Unavailable):
    """Error for a connection that was lost during a commit, whose outcome is unknown.
    ``invocation_id`` is the ID of the invocation that the commit may have queued.
    """

    invocation_id: str | None = None

    def of_queued(self, identifier: str, *, keyed: bool) -> CommitUnknown:
        """Return the error for the caller of an invocation that may be queued. The caller can look
        the invocation up by its ID. Repeating without this is safe only under an idempotency key,
        which finds the queued invocation.
        """
        text = f"{self.message}; the invocation {identifier} may be queued"
        found = CommitUnknown(text, hint=NextStep("may_be_queued", id=identifier), repeatable=False)
        found.invocation_id, found.retryable = identifier, keyed
        return found


def late() -> Unavailable:
    """Return the error for a unit whose deadline passed while it waited to be written."""
    sentence, hint = SLOW
    return Unavailable(
        f"{sentence}: what came before still waits for a lock, or for the disk; nothing was done",
        hint=hint,
    )


def under_way() -> CommitUnknown:
    """Return the error for a unit whose deadline passed while its commit was in progress."""
    sentence, hint = SLOW
    return CommitUnknown(
        f"{sentence}: the commit is still under way, and may take effect", hint=hint
    )
