"""Threads of one connector, started when an event loop first needs them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.threads import Threads

P = ParamSpec("P")
T = TypeVar("T")


class LazyThreads(ProcessLocal, Executor):
    """Executor that starts its threads when first used. Hanging calls of one connector occupy no
    threads of another.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._threads: Threads | None = None
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run ``fn`` in one of the threads."""
        with self._lock:
            if self._threads is None:
                self._threads = Threads(self._most, self._name)
            threads = self._threads
        return threads.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads."""
        with self._lock:
            threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown(wait, cancel_futures=cancel_futures)
