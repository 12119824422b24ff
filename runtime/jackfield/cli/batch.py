"""Concurrent invocations with Results in input order, in bounded memory; and a single invocation,
with its progress on stderr.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from jackfield.kernel.errors import Internal

J = TypeVar("J")
R = TypeVar("R")

_AHEAD = 4
"""Results buffered per concurrent job while an earlier job is pending, so that one slow line does
not stall the others.
"""


class Batch(Generic[J, R]):
    """Runner of ``jobs`` with at most ``concurrency`` at a time; reads a job only when it can
    start.

    ``run`` gets the job and an event that is set when its Result is no longer awaited. Jobs are
    read and run in threads of this class: the main thread stays free for signals, and reading stdin
    may block. The threads are daemons, so a second Ctrl-C does not wait for them.
    """

    def __init__(
        self, run: Callable[[J, threading.Event], R], jobs: Iterator[J], concurrency: int
    ) -> None:
        self._run = run
        self._jobs = jobs
        self._concurrency = concurrency
        self._room = threading.Semaphore(concurrency * _AHEAD)
        self._taking = threading.Lock()
        # a signal may call stop() while this thread holds it
        self._changed = threading.Condition(threading.RLock())
        self._cancelled = threading.Event()
        self._done: dict[int, R] = {}
        self._begun = 0
        self._ended = False
        self._dead = False

    @property
    def complete(self) -> bool:
        """True once every job has been read."""
        return self._ended

    def stop(self) -> None:
        """Read no more jobs, and cancel the running jobs; their Results are still returned."""
        self._cancelled.set()
        self._room.release(self._concurrency)
        with self._changed:
            self._changed.notify_all()

    def results(self) -> Iterator[R]:
        """Yield the Results in order, each as soon as it and all before it are complete.

        :raises Internal: if a job ends its thread without a Result (``sys.exit``).
        """
        for number in range(self._concurrency):
            threading.Thread(target=self._work, name=f"jackfield-{number}", daemon=True).start()
        given = 0
        while True:
            with self._changed:
                while given not in self._done:
                    if self._dead:
                        raise _no_result()
                    if given == self._begun and (self._ended or self._cancelled.is_set()):
                        return
                    self._changed.wait()
                result = self._done.pop(given)
            given += 1
            self._room.release()
            yield result

    def _work(self) -> None:
        while True:
            self._room.acquire()
            with self._taking:
                taken = self._take()
            if taken is None:
                self._room.release()
                return
            number, job = taken
            done: dict[int, R] = {}
            try:
                done[number] = self._run(job, self._cancelled)
            finally:
                with self._changed:
                    self._done |= done
                    self._dead = self._dead or not done
                    self._changed.notify_all()

    def _take(self) -> tuple[int, J] | None:
        job: J | None = None
        if not (self._ended or self._cancelled.is_set()):
            job = next(self._jobs, None)
        with self._changed:
            if job is None and not self._cancelled.is_set():
                self._ended = True
                self._changed.notify_all()
            if job is None or self._cancelled.is_set():
                return None
            self._begun += 1
            return self._begun - 1, job


def run_one(run: Callable[[threading.Event], R], cancelled: threading.Event) -> R:
    """Call ``run`` in another thread, so that this thread is free for signals, and return its
    result.

    :raises Internal: if it ends its thread without a result (``sys.exit``).
    """
    found: list[R] = []
    done = threading.Event()

    def work() -> None:
        try:
            found.append(run(cancelled))
        finally:
            done.set()

    threading.Thread(target=work, name="jackfield-0", daemon=True).start()
    done.wait()
    if not found:
        raise _no_result()
    return found[0]


class ProgressWriter:
    """Writer of a job's progress: one line for each change that a wait reports."""

    def __init__(self) -> None:
        self._last = ""

    def __call__(self, progress: Mapping[str, Any]) -> None:
        """Write the progress if it has changed."""
        line = f"{progress['fraction']:.0%} {progress['text']}".rstrip()
        if line != self._last:
            self._last = line
            sys.stderr.write(f"jackfield: {line}\n")


def _no_result() -> Internal:
    return Internal(
        "the connector exited without a Result",
        hint="Report it to the connector's author. Whether the action took effect is unknown.",
    )
