"""The epoch of a database: a number that increases with each change of data that decides calls,
such as connections, tokens and settings.

Data read after a reading are valid as long as readings are equal: no call needs SQL to find its
connection, its caller or the settings. Triggers increase the number in the change's own
transaction, whichever program changes the data. ``epoch_file`` has the readings of SQLite,
``shared_looks`` of PostgreSQL, docs/decisions/0042 the reasons.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable
from contextlib import AbstractContextManager
from typing import Any, Generic, Protocol, TypeVar, cast

from jackfield.kernel.secrecy import SecretHolder

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

NUMBER = "SELECT number FROM epoch WHERE name = 'shared'"
RAISE = "UPDATE epoch SET number = number + 1 WHERE name = 'shared'"
_others = itertools.count(-1, -1)


def unlike() -> int:
    """Return a reading that is equal to no other, for a state that must not be cached."""
    return next(_others)


def is_certain(reading: int) -> bool:
    """Return whether a reading is not ``unlike`` all others."""
    return reading >= 0


class Epoch(Protocol):
    """Source of readings. While two readings are equal, nothing has changed in between."""

    answers_locally: bool
    """True if a reading takes less than a microsecond, so that it may be taken in an event loop."""

    def read(self) -> int:
        """Return the present reading. It never raises: if the epoch cannot be read, each reading is
        ``unlike`` all others.
        """

    async def aread(self) -> int:
        """Return the present reading without blocking the event loop."""

    def held(
        self, reading: int | None = None, /, *, later: bool = False
    ) -> AbstractContextManager[object]:
        """Make ``read`` return one reading within the block, by default the present one, so that a
        call runs on one state. With ``later``, the block's first use reads the epoch.
        """

    async def fix(self) -> None:
        """Read the epoch for the block that ``held`` began, if the block has no reading yet,
        without blocking the event loop.
        """

    def recent(self, seconds: float) -> int | None:
        """Return a reading of the database server that is at most ``seconds`` old; None without
        such a reading, or without a server.
        """

    def close(self) -> None:
        """Release the epoch's resources."""


class EpochCache(SecretHolder, Generic[K, V]):
    """Cache of values read from a database, by key, until its epoch moves. ``epoch`` returns the
    present reading. The cache holds at most ``limit`` values or, with ``weigh``, values of that
    total weight.
    """

    def __init__(
        self, epoch: Callable[[], int], limit: int, weigh: Callable[[V], int] = lambda _value: 1
    ) -> None:
        self._epoch = epoch
        self._limit = limit
        self._weigh = weigh
        self._held: tuple[int, dict[K, V]] = (unlike(), {})
        self._weight = 0

    def find(self, key: K, read: Callable[[], V]) -> V:
        """Return the value under ``key``; call ``read`` if the value is unknown or may have
        changed.
        """
        values = self.present()
        found = values.get(key, _MISSING)
        if found is _MISSING:
            found = read()
            self.keep(values, key, found)
        return cast("V", found)

    def last(self, key: K) -> V | None:
        """Return the value under ``key`` as of the last reading, which may be outdated; None if it
        was unknown then.
        """
        return self._held[1].get(key)

    def under(self, reading: int, key: K) -> V | None:
        """Return the value under ``key`` if ``reading`` is the last one and the value was known
        then; else None.
        """
        held, values = self._held
        return values.get(key) if held == reading else None

    def present(self) -> dict[K, V]:
        """Return the values that are valid now. Call it before reading a value that ``keep`` adds:
        that value may then be newer than the reading, but never older.
        """
        present = self._epoch()
        reading, values = self._held
        if reading != present:
            values = {}
            if is_certain(present):  # else the reading before may be the next one, too
                self._held, self._weight = (present, values), 0
        return values

    def keep(self, values: dict[K, V], key: K, value: V) -> None:
        """Add a value to the values that ``present`` returned."""
        if values is not self._held[1]:  # of another reading, or none
            return
        weight = self._weigh(value)
        if self._weight + weight > self._limit:
            values.clear()
            self._weight = 0
        if weight <= self._limit:
            values[key] = value
            self._weight += weight


_MISSING: Any = object()
