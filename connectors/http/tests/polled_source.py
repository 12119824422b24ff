"""A made-up list at a provider, for polls: times that are equal, pages that are unsorted, items
that change or appear late.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from jackfield.connector import Pagination, Since
from jackfield_http.bindings.connector import BoundInputs
from jackfield_http.bindings.options import Listing
from jackfield_http.bindings.polls import BoundPoll

LOOKBACK = 60.0
"""Seconds by which an item may appear late."""
EVERY = 300.0
_SIZE = 100
_POLL = {
    "action": "list",
    "items": "/items",
    "key": ["/id", "/at"],
    "at": "/at",
    "since": {"input": "since", "form": "unix"},
    "lookbackSeconds": LOOKBACK + 1,
}


class PolledSource:
    """Items that come over a day: 30 % share a time, 5 % change while a list is read, some appear
    up to ``LOOKBACK`` late.
    """

    def __init__(self, seed: int, items: int, *, is_ascending: bool = False) -> None:
        self._is_ascending = is_ascending
        """True if pages have the order of times, in which a change moves an item to the end."""
        self._choose = random.Random(seed)
        self.now = 1_000_000.0
        self.begin = self.now
        self.items: dict[str, float] = {}
        """Time of the present version of each item."""
        self._late: list[tuple[float, str, float]] = []
        self._left = items
        self._rate = items / 86_400.0
        self._changes = items // 20
        self.all: set[tuple[str, float]] = set()
        """ID and time of every version."""

    def pass_time(self, seconds: float) -> None:
        """Let items come."""
        until = self.now + seconds
        for number in range(min(self._left, max(1, round(self._rate * seconds)))):
            at = self.now + self._choose.random() * seconds
            at = float(int(at)) if self._choose.random() < 0.3 else at
            identifier = f"i-{self._left - number}"
            late = self._choose.random() * LOOKBACK if self._choose.random() < 0.05 else 0.0
            self._late.append((at + late, identifier, at))
        self._left -= min(self._left, max(1, round(self._rate * seconds)))
        self.now = until
        for shown, identifier, at in self._late:
            if shown <= self.now:
                self._show(identifier, at)
        self._late = [row for row in self._late if row[0] > self.now]

    @property
    def ended(self) -> bool:
        """True once everything has come."""
        return not self._left and not self._late

    def _show(self, identifier: str, at: float) -> None:
        self.items[identifier] = at
        self.all.add((identifier, at))

    def fetch(self, _client: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return a page, in the order in which IDs came or of times. Meanwhile, time goes on, and
        an item changes.
        """
        begin = int(inputs.get("offset", 0))
        self.pass_time(self._choose.random())
        rows = [*self.items.items()]
        if self._is_ascending:  # pages are of the items that are asked for, which are fewer
            rows = sorted(
                (row for row in rows if row[1] >= inputs["since"]), key=lambda row: row[1]
            )
        found = [
            {"id": name, "at": at}
            for name, at in rows[begin : begin + _SIZE]
            if at >= inputs["since"]
        ]
        if self.items and self._changes and not self.ended and self._choose.random() < 0.5:
            self._changes -= 1
            self._show(self._choose.choice([*self.items]), self.now)
        return (
            {"items": found, "offset": begin + _SIZE}
            if begin + _SIZE < len(rows)
            else {"items": found}
        )


def missed(
    seed: int, items: int, *, every: float = EVERY, is_ascending: bool = False
) -> tuple[int, int]:
    """Poll a source until nothing comes any more; return how many versions of items there were, and
    of how many items the last one was never told: of an item that changes twice between two polls,
    no poll sees the first change.
    """
    source = PolledSource(seed, items, is_ascending=is_ascending)
    poll = BoundPoll(
        {**_POLL, "ascending": True} if is_ascending else _POLL,
        lambda _key: Listing(source.fetch, Pagination("offset", "offset", "items")),
    )
    told: set[tuple[str, float]] = set()
    mark: Mapping[str, Any] = {}
    rounds = 0
    while not source.ended or rounds < 2:
        rounds = rounds + 1 if source.ended else 0
        source.pass_time(every)
        more = True
        while more:
            page = poll.poll(
                BoundInputs.model_validate({}), None, Since(source.begin, mark, source.now)
            )
            told |= {(event.data["id"], event.data["at"]) for event in page.events}  # type: ignore[index]  # items are objects
            mark, more = page.next, page.more
    return len(source.all), sum((name, at) not in told for name, at in source.items.items())
