"""Marks of events, and cursors made of them: the events that a reader has read, and whether this
database has them.

A number alone does not prove that. A database may return to an earlier state, by a restored backup,
a promoted standby or a disk's snapshot. Another event may then get the number of an event that was
read and lost. So each event has a mark, a digest of its ID and of the mark before it, and so of all
events up to it. A cursor is the number of the last event read, and its mark. If the event with that
number has that mark, the database has all read events. A second number and mark, of an earlier
event, let a reader whose last event is missing continue from there, and not from the oldest event.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from hashlib import sha256

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import InvalidInvocation

MARK = "COALESCE({0}.mark, 'id:' || {0}.id)"
"""SQL expression for the mark of an event, by the name of its table; for an event numbered before
marks existed, its ID.
"""
_BACK = 1024
"""Minimum distance in numbers between the earlier event of a cursor and its last one; it is less
than twice this.
"""
EARLIER = f"""(
    SELECT earlier.sequence || '-' || {MARK.format("earlier")} FROM events earlier
    WHERE earlier.workspace = events.workspace AND earlier.sequence > 0
        AND earlier.sequence <= events.sequence / {_BACK} * {_BACK} - {_BACK}
    ORDER BY earlier.sequence DESC LIMIT 1
)"""
"""SQL expression for the number and the mark of the earlier event of a cursor, selected with the
row of its last one; NULL if it has no earlier event.
"""
PATTERN = r"[0-9]{1,18}(-[0-9a-f]{12}(\.[0-9]{1,18}-[0-9a-f]{12})?)?"
"""Regular expression of a cursor."""
_CURSOR = re.compile(PATTERN)
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Mark:
    """Event that was read: its number, and its mark, which is None if the reader gave a number
    alone.
    """

    number: int
    digest: str | None = None

    def is_of(self, stored: str | None) -> bool:
        """Return whether the stored mark of the event with this number matches; False if there is
        no such event.
        """
        return stored is not None and (self.digest is None or self.digest == digest_of(stored))

    def __str__(self) -> str:
        return str(self.number) if self.digest is None else f"{self.number}-{self.digest}"


def digest_of(stored: str) -> str:
    """Return the digest in a mark that ``MARK`` selects."""
    return _digest(stored) if ":" in stored else stored


def next_mark(before: str, identifier: str) -> str:
    """Return the mark of an event, computed from the mark of the event before it."""
    return _digest(f"{before} {identifier}")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:_DIGITS]


def cursor_of(number: int, stored: str, earlier: str | None) -> str:
    """Return the cursor after an event, from its row's columns ``MARK`` and ``EARLIER``."""
    before = "" if earlier is None else "." + str(_parse_mark(earlier))
    return f"{Mark(number, digest_of(stored))}{before}"


def _parse_mark(text: str) -> Mark:
    number, _, stored = text.partition("-")
    return Mark(int(number), digest_of(stored))


def read_cursor(cursor: str | int) -> tuple[Mark, ...]:
    """Return the events of a cursor, the last one first.

    :raises InvalidInvocation: if it is not a cursor.
    """
    text = str(cursor)
    if not text.isascii() or _CURSOR.fullmatch(text) is None:
        raise InvalidInvocation(
            f"'{text[:80]}' is not a cursor",
            hint="Give the 'nextCursor' of a page, or the 'cursor' of an event.",
        )
    return tuple(
        Mark(int(number), digest or None)
        for number, _, digest in (part.partition("-") for part in text.split("."))
    )


def first_here(marks: tuple[Mark, ...], is_here: Callable[[Mark], bool]) -> Mark | None:
    """Return the last read event that this database has; None if it has no event of ``marks``."""
    return next((mark for mark in marks if is_here(mark)), None)
