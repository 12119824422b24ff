"""Threads that all begin at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 120.0


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """What ``work`` gives in so many threads, each of which is told its number; what it raises in
    one of them is raised here.

    Nobody waits for ever: a thread that hangs is a ``TimeoutError``, and dies with the process.
    """
    start = threading.Barrier(count)
    found: list[Future[T]] = [Future() for _ in range(count)]

    def run(number: int) -> None:
        try:
            start.wait(PATIENCE)
            found[number].set_result(work(number))
        except BaseException as error:  # noqa: BLE001 (raised again by who waits)
            found[number].set_exception(error)

    for number in range(count):
        threading.Thread(target=run, args=(number,), daemon=True).start()
    return [future.result(PATIENCE) for future in found]
