"""Errors of those who wait for a commit: it has not begun in time, it is still under way, or nobody knows whether it was done."""

from __future__ import annotations

from jackfield.errors import Unavailable

SLOW = ("the database did not respond in time", "Find out what keeps it busy; 'jackfield db check' reports its state.")
"""What has happened, and what to do next."""


class CommitUnknown(Unavailable):
    """Connection lost during a commit, which may or may not have been done."""


def late() -> Unavailable:
    """Return the error for a unit whose deadline passed while it waited to be written."""
    sentence, hint = SLOW
    return Unavailable(f"{sentence}: what came before still waits for a lock, or for the disk; nothing was done", hint=hint)


def under_way() -> CommitUnknown:
    """Return the error for a unit whose deadline passed while its commit was under way."""
    sentence, hint = SLOW
    return CommitUnknown(f"{sentence}: the commit is still under way, and may take effect", hint=hint)
