"""The engine that runs queued invocations through Celery: the journal decides which ones run, the
broker only delivers them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

from jackfield.invocation import Result
from jackfield.invocation.claimed import Claimed
from jackfield.kernel.errors import JackfieldError, brief
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.rate_limiter import Lines
from jackfield.pacing.turn import PostponedError
from jackfield_celery.broker import new_app, warning
from jackfield_celery.dispatcher import Dispatcher
from jackfield_celery.outbox import Message
from jackfield_celery.publisher import CeleryPublisher
from jackfield_celery.urls import check
from jackfield_celery.worker import BusyError, Worker
from jackfield_store.database.blocked import LOOP_FAULTS
from jackfield_store.journal import Queue
from jackfield_store.journal.instance import Instance
from jackfield_store.queue.upkeep import EVERY, SHORTAGES, QueueUpkeep
from jackfield_store.runtime.runtime_pool import RuntimePool

_LOG = logging.getLogger("jackfield.queue")
_PAUSE = 0.25
"""Seconds between tries to reach the database."""
_DISCONNECT_WITHIN = 5.0


class CeleryEngine(ProcessLocal):
    """Engine of one process: a dispatcher, and a Celery worker if ``slots`` is not 0. Of all
    processes' dispatchers, one works at a time.
    """

    check = staticmethod(check)
    warning = staticmethod(warning)

    def __init__(
        self,
        runtimes: RuntimePool,
        url: str,
        slots: int,
        ended: Callable[[Result], None],
        stopping: Callable[[], bool],
    ) -> None:
        self._runtimes = runtimes
        self._slots = slots
        self._ended = ended
        self._stopping = stopping
        app = new_app(url)
        self._lines = Lines(_LOG)
        self._dispatcher = Dispatcher(runtimes, CeleryPublisher(app, url), self._lines)
        name = f"jackfield-{os.getpid()}-{os.urandom(3).hex()}@{socket.gethostname()}"
        self._worker = Worker(app, name, slots, self._deliver, self._lines) if slots else None
        self._stopped = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self._lock = threading.Lock()
        self._deliveries: set[Message] = set()
        self._running: dict[Message, Claimed] = {}
        self._queue: Queue | None = None
        self._upkeep: QueueUpkeep | None = None

    def start(self) -> None:
        """Start the dispatcher and the worker."""
        self._dispatcher.start()
        if self._worker is not None:
            threading.Thread(target=self._watch, name="jackfield-upkeep", daemon=True).start()
            self._worker.start()

    def submit(self) -> None:
        """Release queued invocations, if this process leads; otherwise the leading process finds
        them within milliseconds.
        """
        self._dispatcher.wake()

    def cancel(self, workspace: str, identifier: str) -> bool:
        """Cancel a queued or running invocation, wherever it is; return False if it is too late."""
        return self._runtimes.find(workspace).cancel(identifier)

    def depth(self) -> dict[str, int]:
        """Return the number of queued invocations by workspace."""
        return Queue(self._runtimes.storage.database).depth()

    async def stop(self, within: float) -> None:
        """Begin nothing new, and wait up to ``within`` seconds for running invocations. The journal
        recovers unfinished ones by their effects.
        """
        self._stopped.set()
        if self._worker is not None:
            self._worker.pause()
        await asyncio.to_thread(self._dispatcher.stop)
        await asyncio.to_thread(self._idle.wait, within)
        await asyncio.to_thread(self._abandon)
        if self._worker is not None:
            await asyncio.to_thread(self._worker.stop, _DISCONNECT_WITHIN)

    def _abandon(self) -> None:
        """Cancel the running invocations as far as they are unsent, and record in the journal that
        this process leaves them.
        """
        for claimed in list(self._running.values()):
            self._runtimes.cancel(claimed.workspace, claimed.id)
            with suppress(JackfieldError):
                self._runtimes.leave(claimed)

    def _watch(self) -> None:
        """Register this process's slots, then check for requests to cancel and for claims without a
        task in this process.
        """
        while not self._stopped.wait(EVERY if self._upkeep is not None else 0.0):
            try:
                if self._upkeep is None:
                    Instance.of(self._runtimes.storage.database).slots = self._slots
                    self._runtimes.watch()
                    self._upkeep = QueueUpkeep(self._runtimes, self._open_queue())
                self._upkeep.check(list(self._running.values()))
            except LOOP_FAULTS as error:  # what nobody has foreseen, too, must not end the thread
                self._log_failure(error)
                self._stopped.wait(_PAUSE)

    def _open_queue(self) -> Queue:
        if self._queue is None:
            self._queue = Queue(self._runtimes.storage.database, self._runtimes.clock)
        return self._queue

    def _deliver(self, message: Message) -> None:
        """Claim and run the invocation that a message names. Do nothing if the invocation has
        ended, runs, or was claimed already.
        """
        with self._lock:
            if message in self._deliveries:  # a duplicate
                return
            self._deliveries.add(message)
            self._idle.clear()
        try:
            claimed = self._claimed(message)
            if claimed is not None:
                self._running[message] = claimed
                self._run(claimed)
        finally:
            with self._lock:
                self._running.pop(message, None)
                self._deliveries.discard(message)
                if not self._deliveries:
                    self._idle.set()

    def _claimed(self, message: Message) -> Claimed | None:
        """Claim an invocation, as soon as the database is available. Return None if the invocation
        has ended, runs, or was claimed already.

        :raises BusyError: if this process is stopping.
        """
        while not (self._stopped.is_set() or self._stopping()):
            try:
                return self._open_queue().claim_one(*message)
            except (JackfieldError, RuntimeError, MemoryError) as error:
                self._log_failure(error)
            self._stopped.wait(_PAUSE)
        raise BusyError

    def _run(self, claimed: Claimed) -> None:
        try:
            self._ended(self._runtimes.find(claimed.workspace).run(claimed))
        except (PostponedError, *LOOP_FAULTS) as error:  # each of them ends the claim
            if isinstance(error, SHORTAGES):
                self._stopped.wait(EVERY)
            try:
                QueueUpkeep(self._runtimes, self._open_queue()).settle(claimed, error)
            except (JackfieldError, RuntimeError, MemoryError) as second:
                self._log_failure(second)

    def _log_failure(self, error: Exception) -> None:
        self._lines.error("the queue cannot be read: %s", brief(error))
