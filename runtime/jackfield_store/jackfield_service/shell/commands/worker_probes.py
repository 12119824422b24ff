"""Probes and metrics of ``jackfield worker``, served by its master: ``/healthz``, ``/readyz`` and
``/metrics``.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import within
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.failures import ClientsLeave
from jackfield_service.shell.identity.identity import Identities, token_of
from jackfield_service.shell.process.master import Master
from jackfield_service.shell.process.metrics import Metrics
from jackfield_service.shell.process.readiness import Readiness
from jackfield_service.shell.requests.problem import Problem
from jackfield_store.management.conditions import Condition, FoundCondition, answer_of, of_packages
from jackfield_store.queue import broker_warning

if TYPE_CHECKING:
    from jackfield_store.runtime.runtime_pool import RuntimePool

_PATIENCE = 2.0
"""Seconds to wait for the database, and for a client."""
_MOMENT = 0.3
"""Seconds that a probe waits for the look-up of its token."""


def serve(listeners: Sequence[socket.socket], master: Master, runtimes: RuntimePool) -> None:
    """Serve probes, in threads that end with this process."""
    answers = partial(_Probe, WorkerProbes(master, runtimes, Metrics(runtimes.catalog)))
    for listener in listeners:
        server = _Server(listener.getsockname(), answers, bind_and_activate=False)
        server.socket.close()
        server.socket = listener
        threading.Thread(target=server.serve_forever, name="jackfield-probes", daemon=True).start()


class _Server(ClientsLeave, ThreadingHTTPServer):
    daemon_threads = True


class WorkerProbes:
    """Probes of a worker, each answered by a status, a media type and a body."""

    def __init__(self, master: Master, runtimes: RuntimePool, metrics: Metrics) -> None:
        self._master = master
        self._runtimes = runtimes
        self._metrics = metrics
        self._readiness = Readiness(
            runtimes.storage,
            runtimes.clock,
            lambda: broker_warning(runtimes.environment),
            needs_broker=True,
        )
        self._identities = Identities(runtimes.storage, runtimes.clock, None)

    def answer(self, path: str, authorization: str = "") -> tuple[int, str, bytes]:
        """Answer a request for ``path``. ``authorization`` is the header field: the operator's
        token gets the full text.
        """
        if path == "/healthz":
            return _json(200, {"status": "ok"})
        if path == "/readyz":
            found = self._condition()
            full = self._is_operator(token_of(authorization))
            if found.fault is not None:
                return _problem(503, found.fault.shown(full=full), **found.fault.members(full=full))
            return _json(
                200,
                answer_of([*found.warnings, *of_packages(self._runtimes.warnings())], full=full),
            )
        if path == "/metrics":
            return 200, "text/plain; version=0.0.4; charset=utf-8", self._text()
        return _problem(404, "no such resource: there are /healthz, /readyz and /metrics")

    def _condition(self) -> Condition:
        """Return the condition of the worker: it is stopping, a process is starting, or a part that
        each call needs is missing.
        """
        ready, number = self._master.ready
        if self._master.stopping:
            return Condition(FoundCondition("stopping", "the worker is stopping"))
        if ready < number:
            return Condition(FoundCondition("starting", f"{ready} of {number} processes are ready"))
        return self._readiness.look()

    def _is_operator(self, text: str) -> bool:
        if not text:
            return False
        try:
            with within(_MOMENT):
                found = self._identities.find(text)
        except (JackfieldError, Problem):
            found = self._identities.outlasting(text)
        return found is not None and found.is_operator

    def _text(self) -> bytes:
        try:
            with within(_PATIENCE):
                self._metrics.note_queue(self._runtimes.storage.database, self._runtimes.clock)
        except JackfieldError:  # the counters are needed most while the database is away
            pass
        return self._metrics.text()


class _Probe(BaseHTTPRequestHandler):
    """HTTP handler of one client's connection."""

    timeout = _PATIENCE
    server_version, sys_version = "jackfield", ""

    def __init__(self, figures: WorkerProbes, *rest: Any) -> None:
        self._figures = figures
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answer a request."""
        status, kind, body = self._figures.answer(
            self.path.partition("?")[0], self.headers.get("Authorization", "")
        )
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing: probes come every few seconds."""


def _json(status: int, body: dict[str, Any]) -> tuple[int, str, bytes]:
    return status, "application/json", json.dumps(body).encode()


def _problem(status: int, detail: str, **more: str) -> tuple[int, str, bytes]:
    title, code = (
        ("Not Found", "not_found") if status == 404 else ("Service Unavailable", "unavailable")
    )
    body = {
        "type": "about:blank",
        "title": title,
        "status": status,
        "code": code,
        "detail": detail,
        **more,
    }
    return status, "application/problem+json", json.dumps(body).encode()
