"""Probes and metrics of ``jackfield worker``, served by a process of its own: ``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from jackfield.clock import within
from jackfield.errors import JackfieldError
from jackfield.journal.went_back import return_warning
from jackfield.kernel.signals import HANGUPS
from jackfield.queue import broker_warning
from jackfield.queue.prefork import Board, State
from jackfield.resources.renewal import renew
from jackfield.surfaces.shared.metrics import Metrics
from jackfield.surfaces.shared.readiness import answer_of, blocked_warning, clock_warning, hold_warning, key_state

if TYPE_CHECKING:
    from jackfield.queue import RuntimePool

_PATIENCE = 2.0
"""Seconds to wait for the database, and for a client."""


def serve(listeners: Sequence[socket.socket], board: Board, runtimes: RuntimePool) -> int:
    """Serve probes until this process ends."""
    answers = partial(_Probe, Figures(board, runtimes, Metrics(runtimes.catalog)))
    HANGUPS.listen()
    threading.Thread(target=_follow, args=(runtimes,), name="jackfield-renewal", daemon=True).start()
    for listener in listeners[1:]:
        threading.Thread(target=_serve, args=(listener, answers), name="jackfield-probes", daemon=True).start()
    _serve(listeners[0], answers)
    return 0


def _serve(listener: socket.socket, answers: Callable[..., _Probe]) -> None:
    server = _Server(listener.getsockname(), answers, bind_and_activate=False)
    server.socket.close()
    server.socket = listener
    server.serve_forever()


def _follow(runtimes: RuntimePool) -> None:
    """Renew what SIGHUP asks for, in this process."""
    while True:
        time.sleep(1.0)
        if HANGUPS.taken():
            renew(runtimes.storage)


class _Server(ThreadingHTTPServer):
    daemon_threads = True


class Figures:
    """Answers to probes: a status, a media type and a body."""

    def __init__(self, board: Board, runtimes: RuntimePool, metrics: Metrics) -> None:
        self._board = board
        self._runtimes = runtimes
        self._metrics = metrics
        self._warning: str | None = None
        self._blocked: str | None = None
        self._returned: str | None = None
        self._held: str | None = None
        self._keys: str | None = None
        self._broker: str | None = None

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Answer a request for ``path``."""
        if path == "/healthz":
            return _json(200, {"status": "ok"})
        if path == "/readyz":
            fault = self._fault()
            more = [*filter(None, [self._keys, self._blocked, self._returned, self._held, self._broker]), *self._runtimes.warnings()]
            return _problem(503, fault) if fault is not None else _json(200, answer_of(self._warning, more))
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", self._text()
        return _problem(404, "no such resource: there are /healthz, /readyz and /metrics")

    def _fault(self) -> str | None:
        """Return why the worker is not ready: it stops, a process is starting, or the database is unavailable."""
        states = self._board.states()
        if State.STOPPING in states:
            return "the worker is stopping"
        ready = states.count(State.READY)
        if ready < len(states):
            return f"{ready} of {len(states)} processes are ready"
        try:
            with within(_PATIENCE):
                database = self._runtimes.storage.database
                pending = database.pending()
                self._warning = None if pending else clock_warning(database, self._runtimes.clock)
                self._blocked = None if pending else blocked_warning(database, self._runtimes.clock)
                self._returned = None if pending else return_warning(database)
                self._held = None if pending else hold_warning(database)
                fault, self._keys = (None, None) if pending else key_state(self._runtimes.storage)
                self._broker = broker_warning(self._runtimes.environment)
        except JackfieldError as error:
            return error.message
        return f"{len(pending)} migrations are pending: run 'jackfield db upgrade'" if pending else fault

    def _text(self) -> bytes:
        try:
            with within(_PATIENCE):
                self._metrics.note_queue(self._runtimes.storage.database, self._runtimes.clock)
        except JackfieldError:  # the counters are needed most while the database is away
            pass
        return self._metrics.text()


class _Probe(BaseHTTPRequestHandler):
    """Connection of one client."""

    timeout = _PATIENCE
    server_version, sys_version = "jackfield", ""

    def __init__(self, figures: Figures, *rest: Any) -> None:
        self._figures = figures
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answer a request."""
        status, kind, body = self._figures.answer(self.path.partition("?")[0])
        self.send_response(status)
        for name, value in (("Content-Type", kind), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing: probes come every few seconds."""


def _json(status: int, body: dict[str, Any]) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(body).encode()


def _problem(status: int, detail: str) -> tuple[int, str, bytes]:
    title = "Not Found" if status == 404 else "Service Unavailable"
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return status, "application/problem+json", json.dumps(body).encode()
