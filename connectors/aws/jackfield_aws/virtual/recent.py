"""Bounded cache, in a module of its own so that lists use it without importing the code that makes
its values.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar, cast

from jackfield.kernel.fork import ProcessLocal

T = TypeVar("T")


class Recent(ProcessLocal):
    """Bounded cache of values made from models. It evicts the least recently used."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._made: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """Return the value under ``key``, made on first use."""
        with self._lock:
            found = self._made.get(key)
            if found is not None:
                self._made.move_to_end(key)
                return cast("T", found)
        made = make()
        with self._lock:
            kept: T = self._made.setdefault(key, made)
            if len(self._made) > self._limit:
                self._made.popitem(last=False)
        return kept
