"""Points of a call at which features take part, and the parts that act at each point."""

from __future__ import annotations

from collections.abc import Sequence

POINTS = (
    "admit",
    "check",
    "before_begin",
    "attempt",
    "begin",
    "follow",
    "output",
    "end",
    "answer",
    "leave",
)
"""Names of the points in the order in which a call reaches them; ``gate.Passing`` describes
each.
"""


class Points:
    """Places of the parts that act at each point: parts whose class overrides the method of
    ``base``.
    """

    __slots__ = POINTS
    admit: Sequence[int]
    check: Sequence[int]
    before_begin: Sequence[int]
    attempt: Sequence[int]
    begin: Sequence[int]
    follow: Sequence[int]
    output: Sequence[int]
    end: Sequence[int]
    answer: Sequence[int]
    leave: Sequence[int]

    def __init__(self, parts: Sequence[type] = (), base: type = object) -> None:
        for name in POINTS:
            acting = (
                place
                for place, kind in enumerate(parts)
                if getattr(kind, name) is not getattr(base, name)
            )
            setattr(self, name, tuple(acting))


NO_POINTS = Points()
"""Points of a call whose gates are not chosen yet."""
