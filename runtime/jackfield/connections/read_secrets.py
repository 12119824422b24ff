"""Secrets read from external stores, cached for a short time in this process only."""

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
"""Maximum number of cached secrets; the least recently used ones are evicted first."""
LIFE = 300.0
"""Seconds after which a secret is read again."""
YOUNG = 10.0
"""Minimum seconds between two reads of a secret, so that a wrong key does not flood its store with requests."""


@dataclass(slots=True, repr=False)
class _Place:
    """Cache entry of one secret. ``lock`` is held during a read, so that concurrent callers do not read it too."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    value: str | None = None
    read_at: float = 0.0

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets cannot be pickled")


class ReadSecrets:
    """Cache of secrets by reference. Thread-safe."""

    def __init__(self, clock: Clock, limit: int = KEPT) -> None:
        self._clock = clock
        self._limit = limit
        self._begin_anew()
        at_fork(self, child=ReadSecrets._begin_anew)

    def _begin_anew(self) -> None:
        """Forget all secrets: in a forked child, a read by another thread would never end."""
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._places)

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets cannot be pickled")

    def find(self, kind: str, target: object, read: Callable[[], str]) -> str:
        """Return the secret that ``target`` of ``kind`` names, from the cache or from ``read``. Errors are not cached."""
        place = self._place(_key(kind, target))
        with place.lock:
            if place.value is None or self._clock.monotonic() - place.read_at >= LIFE:
                place.value, read_at = None, self._clock.monotonic()
                place.value, place.read_at = read(), read_at
            return place.value

    def forget(self, kind: str, target: object) -> None:
        """Drop the secret from the cache unless it was read just now."""
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
