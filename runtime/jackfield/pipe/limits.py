"""Limits of the workspace that a call is counted in: where it begins. A direct call beyond one is refused, a queued one waits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jackfield.errors import JackfieldError, LimitReached
from jackfield.pacing.turn import PostponedError

if TYPE_CHECKING:
    from jackfield.pipe.evidence import Means
    from jackfield.pipe.run import Run

_SOON, _LATER = 1.0, 30.0
"""Seconds after which a queued call is looked at again: calls end soon, and files later."""


def begin_within(run: Run, means: Means) -> None:
    """Count a call among those that run in its workspace. One that does not begin leaves no entry in the journal.

    :raises LimitReached: if as many run as the workspace's limit allows.
    :raises PostponedError: instead, for a queued call.
    """
    most = run.limits.get("concurrent")
    if most is None:
        return
    run.is_counted = means.files.storage.limits.begins(means.workspace, most)
    if not run.is_counted:
        raise _refusal(run, means, LimitReached("concurrent", most), _SOON)


async def require_storage(run: Run, means: Means) -> None:
    """Check that the workspace may store what an action returns. What a call has returned is stored, however much it is.

    :raises LimitReached: if its files have reached its limit.
    :raises PostponedError: instead, for a queued call.
    """
    most = run.limits.get("storageBytes")
    if most is not None and await run.waiter.call(partial(means.files.is_full, means.workspace)):
        raise _refusal(run, means, LimitReached("storageBytes", most), _LATER)


def _refusal(run: Run, means: Means, error: LimitReached, seconds: float) -> JackfieldError | PostponedError:
    """Return what ends a call that does not begin: it was counted nowhere, so nothing is recorded of it."""
    run.record = None
    return error if run.claimed is None else PostponedError(means.files.time.now() + seconds)
