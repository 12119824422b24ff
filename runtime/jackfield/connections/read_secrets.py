"""Secrets that were read from elsewhere, kept for a short time in this process and nowhere else."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

from jackfield.clock import Clock
from jackfield.fork import at_fork

__all__ = ["KEPT", "LIFE", "ReadSecrets"]

KEPT = 1000
"""The most secrets that are kept; the ones not asked for the longest time go first."""
LIFE = 300.0
"""Seconds after which a secret is read again."""
YOUNG = 10.0
"""Seconds in which a secret is not read again whatever happens: a wrong key must not make us hammer its keeper."""


@dataclass(slots=True, repr=False)
class _Place:
    """Where one secret is kept. ``lock`` is held while it is read, so that those who wait for it do not read it as well."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    value: str | None = None
    read_at: float = 0.0

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")


class ReadSecrets:
    """A cache of secrets by reference. For all threads."""

    def __init__(self, clock: Clock, limit: int = KEPT) -> None:
        self._clock = clock
        self._limit = limit
        self._begin_anew()
        at_fork(self, child=ReadSecrets._begin_anew)

    def _begin_anew(self) -> None:
        """Forget all secrets: in a forked child another thread's reading of one never ends."""
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._places)

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled")

    def find(self, kind: str, target: object, read: Callable[[], str]) -> str:
        """The secret that ``target`` of ``kind`` means; ``read`` reads it where it is not kept, and its errors are kept by nobody."""
        place = self._place(_key(kind, target))
        with place.lock:
            if place.value is None or self._clock.monotonic() - place.read_at >= LIFE:
                place.value, read_at = None, self._clock.monotonic()
                place.value, place.read_at = read(), read_at
            return place.value

    def forget(self, kind: str, target: object) -> None:
        """Have the secret read again when it is next asked for, unless it was read just now."""
        with self._lock:
            key = _key(kind, target)
            place = self._places.get(key)
            if place is not None and self._clock.monotonic() - place.read_at >= YOUNG:
                del self._places[key]

    def _place(self, key: str) -> _Place:
        with self._lock:
            place = self._places.get(key)
            if place is None:
                place = self._places[key] = _Place()
                if len(self._places) > self._limit:
                    self._places.popitem(last=False)
            else:
                self._places.move_to_end(key)
            return place


def _key(kind: str, target: object) -> str:
    return json.dumps([kind, target], sort_keys=True, default=str)
