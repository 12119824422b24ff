"""Policy for due slots: slots that are still on time, and slots that were missed because no
scheduler ran.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from jackfield.kernel.dataclass import dataclass
from jackfield_service.subjects.schedules.timing import Timing

Missed = Literal["skip", "latest", "all"]
Overlap = Literal["skip", "queue", "allow"]
MISSED: tuple[Missed, ...] = ("skip", "latest", "all")
OVERLAP: tuple[Overlap, ...] = ("skip", "queue", "allow")

GRACE = 60.0
"""Seconds after its time for which the newest slot counts as on time."""
KEPT = 1000
"""Maximum number of missed slots that are run (``all``) or recorded one by one; earlier slots are
recorded together.
"""
_WALKED = 20_000
"""Maximum number of slots examined in one transaction."""


@dataclass(frozen=True, slots=True)
class Passed:
    """Past slots: the newest ``slots``, the number of earlier ones, and the next slot or None.

    ``cut`` is true if the search stopped at its limit; ``slots`` must then be searched again.
    """

    slots: tuple[float, ...]
    earlier: int
    first: float
    last_earlier: float
    following: float | None
    cut: bool = False


def passed(timing: Timing, first: float, now: float) -> Passed:
    """Find the slots from the slot ``first`` up to ``now``."""
    found: deque[float] = deque(maxlen=KEPT)
    count, last_earlier, slot = 0, first, first
    walk = timing.slots(first)
    following: float | None = first
    while following is not None and following <= now:
        if count == _WALKED:
            return Passed(
                tuple(found), count - len(found), first, last_earlier, following, cut=True
            )
        if len(found) == KEPT:
            last_earlier = found[0]
        slot = following
        found.append(slot)
        count += 1
        following = next(walk, None)
    return Passed(tuple(found), count - len(found), first, last_earlier, following)


def counted(timing: Timing, first: float, now: float) -> tuple[float, int]:
    """Return the last of the slots from the slot ``first`` up to ``now``, and their number."""
    if timing.every is not None:
        count = int((now - first) // timing.every)
        return first + count * timing.every, count + 1
    last, number = first, 1
    for slot in timing.slots(first):
        if slot > now:
            break
        last, number = slot, number + 1
    return last, number


def chosen(slots: tuple[float, ...], missed: Missed, late: float) -> tuple[float, ...]:
    """Return the slots to run: with ``missed`` ``all`` every due slot, otherwise at most the
    newest. With ``skip``, the newest runs only if its time is at most ``GRACE`` seconds before the
    time ``late``.
    """
    if missed == "all" or not slots:
        return slots
    newest = slots[-1:]
    return newest if missed == "latest" or late - newest[0] <= GRACE else ()
