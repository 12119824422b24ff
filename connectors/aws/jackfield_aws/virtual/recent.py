"""Bounded cache, apart from what is made for it: lists use it without importing that."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar, cast

from jackfield.kernel.fork import ProcessLocal

T = TypeVar("T")


class Recent(ProcessLocal):
    """Bounded cache of what is made from models: the last ones used stay."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._made: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """Return the object under ``key``, made on first use."""
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
