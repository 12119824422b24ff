"""What a consumer of the feed knows: the events that it has read by cursor, and has not been told
to forget.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class EventView:
    """Events by id, each with its number and its subject, as one consumer has them."""

    events: dict[str, tuple[int, str]] = field(default_factory=dict)
    cursor: str = ""
    """Cursor from which it goes on; empty at the beginning."""
    gone: int = 0
    """How often its cursor was refused."""

    def take(self, events: Iterable[tuple[str, int, str]], cursor: str) -> None:
        """Take a page of events: ids, numbers and subjects."""
        self.events.update(
            (identifier, (number, subject)) for identifier, number, subject in events
        )
        self.cursor = cursor

    def forget(self, oldest: str) -> None:
        """Forget the events after ``oldest``, from where a refusal says to go on."""
        self.gone += 1
        self.cursor = oldest
        self.events = {
            identifier: place
            for identifier, place in self.events.items()
            if place[0] <= _number(oldest)
        }

    def lost(self, there: EventView) -> set[str]:
        """Return the subjects of events that it takes to be there, and that are not: it was told of
        none of them.
        """
        return {
            subject
            for identifier, (_, subject) in self.events.items()
            if identifier not in there.events
        }

    def missed(self, there: EventView) -> set[str]:
        """Return the subjects of events before its cursor that it has not read."""
        found = there.events.items()
        return {
            place[1]
            for identifier, place in found
            if identifier not in self.events and place[0] <= _number(self.cursor or "0")
        }


def _number(cursor: str) -> int:
    return int(cursor.partition("-")[0])
