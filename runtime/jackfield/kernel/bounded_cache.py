"""Bounded LRU cache."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.secrecy import SecretHolder

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(ProcessLocal, SecretHolder, Generic[K, V]):
    """Thread-safe LRU cache of at most ``limit`` values."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"<BoundedCache {len(self)} of {self._limit}>"

    def get(self, key: K) -> V | None:
        """Return the value under ``key``; None if it is not cached."""
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
            return found

    def put(self, key: K, value: V) -> None:
        """Cache ``value`` under ``key``."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            if len(self._values) > self._limit:
                self._values.popitem(last=False)

    def remove(self, key: K) -> None:
        """Remove the value under ``key``, if it is cached."""
        with self._lock:
            self._values.pop(key, None)

    def clear(self) -> None:
        """Remove all values."""
        with self._lock:
            self._values.clear()
