"""Children of this process: started at the first call, warm between calls, and restarted after
their death with a growing delay.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from queue import Empty, SimpleQueue

from jackfield.kernel.clock import patience
from jackfield.kernel.errors import Sent, Unavailable
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.fork import ProcessLocal
from jackfield_isolation.hello import Hello
from jackfield_isolation.lines import Lines
from jackfield_isolation.process import Broken, ChildProcess, Ended
from jackfield_isolation.program import Program
from jackfield_isolation.sandbox.kernel import return_large_blocks
from jackfield_isolation.sandbox.limits import LAYERS
from jackfield_isolation.sandbox.thread_limit import too_many_threads
from jackfield_isolation.sessions import Sessions

_LOG = logging.getLogger("jackfield.isolation")
_START_SECONDS = 30.0
_FIRST_DELAY, _LONGEST_DELAY = 0.1, 30.0
"""First and longest delay in seconds before the restart of a child that ended without an answer;
each such end doubles the delay.
"""
_TICK = 1.0
_IDLE_SECONDS = 600.0
"""Seconds after which a child without calls is ended."""
_IDLE_CPU = 0.5
"""Share of a processor that a child without calls may use for ``_BUSY_TICKS`` ticks."""
_BUSY_TICKS = 5
_CPU_SECONDS = 1800.0
"""CPU time in seconds after which a child is replaced; the kernel ends the child at twice that
time.
"""


class Supervisor(ProcessLocal):
    """Supervisor of the child of one connector version, for all workspaces or for one.

    ``note_end`` is called for each child that has ended by itself, ``make_room`` for each child
    that has started.
    """

    def __init__(
        self,
        program: Program,
        sessions: Sessions,
        threads: WatchThread,
        note_end: Callable[[str], object],
        make_room: Callable[[Supervisor], object],
    ) -> None:
        self.program = program
        self._note_end = note_end
        self._make_room = make_room
        self.sessions = sessions
        self.dropped = sessions.dropped()
        """Connections that the child may forget."""
        self._threads = threads
        threads.each_second(self.tick)
        self._described: Hello | None = None
        self._has_warned = False
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._lines = Lines(self.program.name, self.sessions.clean)
        self._current: ChildProcess | None = None
        self._starting: Future[ChildProcess] | None = None
        self._all: set[ChildProcess] = set()
        self._broken: Broken | None = None
        self._end = "has ended"
        self._failures = 0
        self._not_before = 0.0
        self.used_at = time.monotonic()
        """Time of the last call (monotonic)."""
        self._is_closing = self._is_left = False
        self._cpu, self._busy = 0.0, 0
        self._lock = threading.Lock()

    def _leave_to_parent(self) -> None:
        """Release the children in a forked process, since they belong to its parent."""
        for child in self._all:
            child.leave()
        self._begin_anew()

    def child(self) -> ChildProcess:
        """Return a warm child; the first caller starts it, and other callers wait.

        :raises Unavailable: if the child cannot be started, or not yet; nothing was sent.
        """
        current = self._current
        if current is not None and current.is_alive and not current.is_retired:
            self.used_at = time.monotonic()
            return current
        try:
            return self.started()
        except Ended as end:
            raise self._unavailable(str(end), None) from None

    def started(self) -> ChildProcess:
        """Start a child, or wait for one that is being started.

        :raises Broken: if the connector cannot run.
        :raises Ended: if the child ends before it is ready.
        :raises Unavailable: if the child must not be started yet, or is not ready in time.
        """
        with self._lock:
            current, starting = self._current, self._starting
            if starting is None:
                if current is not None and current.is_alive and not current.is_retired:
                    return current
                seconds = self._not_before - time.monotonic()
                if seconds > 0:
                    raise self._broken or self._unavailable(
                        f"{self._end} and is started again in {seconds:.1f} s", seconds
                    )
                starting = self._starting = Future()
                self._threads.ask(partial(self._start, starting))
        try:
            return starting.result(patience(_START_SECONDS))
        except TimeoutError:
            raise self._unavailable("has not started yet", None) from None

    def _unavailable(self, what: str, seconds: float | None) -> Unavailable:
        return Unavailable(
            f"the process of the connector '{self.program.key}' {what}",
            hint="Try again later. If it happens again, report it to the connector's author.",
            retry_after=seconds,
            sent=Sent.NOTHING,
        )

    def _start(self, starting: Future[ChildProcess]) -> None:
        """Start a child in the watch thread, since the kernel ends a child together with the thread
        that started it.
        """
        child = attempt(ChildProcess, self.program, self._lines, self._died)
        if isinstance(child, Raised):
            self._fail(
                starting,
                Ended(f"could not be started ({type(child.error).__name__}: {child.error})"),
            )
            return
        self._all.add(child)
        child.greet()
        threading.Thread(
            target=self._greeted, args=(child, starting), name="jackfield-hello", daemon=True
        ).start()

    def _greeted(self, child: ChildProcess, starting: Future[ChildProcess]) -> None:
        found = attempt(self._accepted, child)
        if isinstance(found, Raised):
            child.kill("was not accepted")
            self._fail(
                starting,
                found.error
                if isinstance(found.error, Ended)
                else Broken(f"sent garbage ({type(found.error).__name__})"),
            )
            return
        with self._lock:
            self._current, self._starting = child, None
            self._cpu, self._busy = 0.0, 0
            self.used_at = time.monotonic()
        starting.set_result(child)
        self._make_room(self)
        if self._is_left:
            child.retire()

    def _accepted(self, child: ChildProcess) -> None:
        hello = child.await_hello(_START_SECONDS, partial(self._consent, child))
        if self._described is not None and self._described.description != hello.description:
            raise Broken("describes the connector in another way than before")
        self._described = hello

    def _consent(self, child: ChildProcess, layers: Mapping[str, bool | str]) -> None:
        """Allow the child to import the connector, and log missing layers once.

        :raises Broken: if the policy is strict and a layer does not hold.
        """
        missing = [name for name in LAYERS if layers.get(name) is not True]
        if missing and not self._has_warned:
            self._has_warned = True
            reasons = "; ".join(f"{name} ({layers.get(name, 'not known')})" for name in missing)
            _LOG.warning(
                "the connector %s runs without these layers of isolation: %s",
                self.program.name,
                reasons,
            )
        if self.program.policy.strict and missing:
            child.kill("lacks layers")
            raise Broken(
                f"would not be isolated by {', '.join(map(str, missing))} on this machine, which "
                "JACKFIELD_ISOLATION=strict demands"
            )

    def _fail(self, starting: Future[ChildProcess], error: Exception) -> None:
        with self._lock:
            self._starting = None
            self._broken = error if isinstance(error, Broken) else None
            self._end = str(error)
            self._delay()
        starting.set_exception(error)

    def _delay(self) -> None:
        self._failures += 1
        self._not_before = time.monotonic() + min(
            _LONGEST_DELAY, _FIRST_DELAY * 2.0 ** min(self._failures - 1, 20)
        )

    def _died(self, child: ChildProcess) -> None:
        self._all.discard(child)
        with self._lock:
            if self._current is not child:
                return
            self._current, self._end = None, child.end
            if child.is_retired or self._is_closing:
                return
            if child.answered:
                self._failures = 0
            self._delay()
        self._note_end(self.program.key)
        _LOG.warning("the process of %s %s", self.program.name, child.end)

    def tick(self) -> None:
        """End a child that has too many threads or was idle for long, and replace a child that uses
        the processor without a call.
        """
        child = self._current
        if child is None or not child.is_alive:
            return
        if excess := too_many_threads(child.pid):
            child.kill(excess)
            return
        if not child.is_idle:
            self._busy = 0
            return
        cpu = child.cpu_seconds()
        self._busy = self._busy + 1 if cpu - self._cpu > _IDLE_CPU * _TICK else 0
        self._cpu = cpu
        if (
            self._busy >= _BUSY_TICKS
            or cpu > _CPU_SECONDS
            or time.monotonic() - self.used_at > _IDLE_SECONDS
        ):
            child.retire()

    @property
    def is_described(self) -> bool:
        """Return whether a child has started and described the connector."""
        return self._described is not None

    @property
    def described(self) -> Hello:
        """Return a child's description of the connector.

        :raises Ended: if no child has started yet.
        """
        if self._described is None:
            raise Ended("has not started yet")
        return self._described

    @property
    def is_idle(self) -> bool:
        """Return whether a child exists and no call waits for it."""
        child = self._current
        return child is not None and child.is_idle and self._starting is None

    @property
    def is_resting(self) -> bool:
        """Return whether the supervisor has no child and starts none."""
        return not self._all and self._starting is None

    def rest(self) -> None:
        """End the child if no call waits for it; the next call starts another."""
        child = self._current
        if child is not None and child.is_idle:
            child.retire()

    def retire(self) -> None:
        """Let the child end after its calls, and start no other."""
        self._is_left = True
        self._threads.leave_out(self.tick)
        for child in list(self._all):
            child.retire()

    @property
    def processes(self) -> list[int]:
        """Return the IDs of the running processes."""
        return [child.pid for child in self._all]

    def close(self) -> None:
        """End the children."""
        self._is_closing = True
        for child in list(self._all):
            child.kill("was stopped")
        for child in list(self._all):
            child.wait(2.0)


class WatchThread(ProcessLocal):
    """Thread that starts the children of this process, and monitors them once a second while there
    are any.
    """

    def __init__(self) -> None:
        self._ticks: list[Callable[[], object]] = []
        self._begin_anew()

    def _begin_anew(self) -> None:
        self._thread: threading.Thread | None = None
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._lock = threading.Lock()

    def ask(self, step: Callable[[], object]) -> None:
        """Run ``step`` in the thread, which is started on first use."""
        with self._lock:
            if self._thread is None:
                return_large_blocks()
                self._thread = threading.Thread(
                    target=self._run, name="jackfield-isolation", daemon=True
                )
                self._thread.start()
        self._work.put(step)

    def each_second(self, step: Callable[[], object]) -> None:
        """Run ``step`` in the thread each second."""
        self._ticks.append(step)

    def leave_out(self, step: Callable[[], object]) -> None:
        """Stop running ``step`` each second."""
        self._ticks = [known for known in self._ticks if known != step]

    def _run(self) -> None:
        due = time.monotonic() + _TICK
        while True:
            try:
                step = self._work.get(timeout=max(0.0, due - time.monotonic()))
            except Empty:
                for tick in list(self._ticks):
                    tick()
                due = time.monotonic() + _TICK
                continue
            if step is None:
                return
            step()

    def close(self) -> None:
        """End the thread."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._work.put(None)
            thread.join(2.0)
