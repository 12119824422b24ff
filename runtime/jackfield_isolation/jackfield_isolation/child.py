"""Program of a child process: it imports one connector and answers questions about it, several at
once, until its parent is gone.

The child runs in the environment of a third-party package, and inherits only one socket from its
parent. Its rights are reduced before the connector's code is imported.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from queue import SimpleQueue
from typing import Any

from jackfield.catalog.loading import connector_at
from jackfield.kernel.failures import Raised, attempt, attempt_foreign
from jackfield.kernel.libraries import silence_libraries
from jackfield_isolation.sandbox.limits import reduce_rights
from jackfield_isolation.wire import Frame, Wire

_STACK = 4 * 1024 * 1024
"""Stack size of a thread, in bytes of address space; most children have few threads."""
_LARGEST_LINE = 2000
_LINES, _WINDOW = 100, 10.0
"""Maximum number of lines that the child sends to the parent's log, and the period in seconds."""


def run(descriptor: int) -> None:
    """Serve the parent at the other end of ``descriptor``, and exit the process."""
    wire = Wire(socket.socket(fileno=descriptor), in_child=True)
    frames = ({**frame, "descriptor": brought} for frame, brought in wire.frames())
    configuration = next(frames)
    layers = reduce_rights(configuration)
    wire.send({"id": 0, "layers": layers})
    if next(frames, None) is None:  # the parent does not consent, or is gone
        os._exit(0)
    sys.path += configuration["paths"]
    threading.stack_size(_STACK)
    silence_libraries()
    logging.getLogger().addHandler(_ToParent(wire))
    started = attempt_foreign(_started, configuration, wire)
    if isinstance(started, Raised):
        broken = f"cannot import it: {type(started.error).__name__}: {started.error}"
        wire.send({"id": 0, "broken": broken[:_LARGEST_LINE]})
        os._exit(1)
    serve, hello = started
    wire.send({"id": 0, **hello})
    _Workers(configuration["threads"], serve).take(frames)
    os._exit(0)  # the parent is gone; threads of the connector do not keep this process alive


def _started(configuration: Frame, wire: Wire) -> tuple[Any, dict[str, Any]]:
    """Import the connector; return the function that serves questions, and the connector's
    description.
    """
    from jackfield_isolation.answers import Answers, hello
    from jackfield_isolation.child_sockets import connect_by_parent

    connect_by_parent()
    connector = connector_at(configuration["module"], configuration["attribute"])
    return Answers(connector, wire).serve, hello(connector)


class _Workers:
    """Pool of threads that answer, started when needed. A frame about an open question goes to the
    thread that answers the question.
    """

    def __init__(self, most: int, serve: Any) -> None:
        self._most = most
        self._serve = serve
        self._work: SimpleQueue[tuple[Frame, SimpleQueue[Frame]]] = SimpleQueue()
        self._boxes: dict[int, SimpleQueue[Frame]] = {}
        self._idle = 0
        self._threads = 0
        self._lock = threading.Lock()

    def take(self, frames: Iterator[Frame]) -> None:
        """Distribute the parent's frames to threads, until the parent is gone."""
        for frame in frames:
            box = self._boxes.get(frame["id"])
            if box is not None:
                box.put(frame)
                continue
            if "ask" not in frame:  # about a question that has ended
                if frame["descriptor"] is not None:
                    os.close(frame["descriptor"])
                continue
            box = self._boxes[frame["id"]] = SimpleQueue()
            self._work.put((frame, box))
            with self._lock:
                needed = self._idle < self._work.qsize() and self._threads < self._most
                self._threads += needed
            if needed and isinstance(
                attempt(threading.Thread(target=self._run, daemon=True).start), Raised
            ):
                with self._lock:  # no memory for a thread: those that there are do the work
                    self._threads -= 1

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            frame, box = self._work.get()
            with self._lock:
                self._idle -= 1
            self._serve(frame, box)
            self._boxes.pop(frame["id"], None)


class _ToParent(logging.Handler):
    """Log handler that sends warnings to the parent, which masks and logs them. It sends only as
    many as the parent logs.
    """

    def __init__(self, wire: Wire) -> None:
        super().__init__(logging.WARNING)
        self._wire = wire
        self._since, self._sent = 0.0, 0

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record, unless too many were sent."""
        now = time.monotonic()
        if now - self._since > _WINDOW:
            self._since, self._sent = now, 0
        self._sent += 1
        if self._sent > _LINES:
            return
        attempt(
            lambda: self._wire.send(
                {"log": f"{record.name}: {record.getMessage()}"[:_LARGEST_LINE]}
            )
        )
