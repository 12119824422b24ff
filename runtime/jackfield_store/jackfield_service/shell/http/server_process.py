"""Run the HTTP server: uvicorn with one process, or with several on one database, within the
process's limits of files and memory.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import logging
import multiprocessing
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from jackfield.connector.room import ANSWERS
from jackfield.kernel.clock import SystemClock, monotonic
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import keep_to_one_core
from jackfield.kernel.notices import Notices
from jackfield.kernel.signals import HANGUPS, ForcedEnd, begin_with_signals
from jackfield_service.shell.browsers.origins import check_origins
from jackfield_service.shell.http.certificates import Certificates, check_certificate
from jackfield_service.shell.http.protocol import Bounded
from jackfield_service.shell.http.upkeep import Upkeep
from jackfield_service.shell.operations.operation import Mount
from jackfield_service.shell.process.listeners import (
    adopt,
    forget,
    host_of,
    listen,
    origin,
    port_of,
)
from jackfield_service.shell.process.master import end_after
from jackfield_service.shell.process.settings import ServerSettings
from jackfield_service.shell.process.stopping import GracefulServer, Stopping
from jackfield_store.queue import leave
from jackfield_store.resources.memory import memory_limit, room_within, save_memory

_ONLY_TLS = ("strict-transport-security", "max-age=31536000")
"""Header field of a server with a certificate of its own (RFC 6797); behind a proxy, the proxy
decides on it.
"""
_SWITCH = 0.002
"""Thread switch interval in seconds. With Python's own 5 ms, one CPU-bound action would delay each
of the dozen switches of a small request.
"""

_STACK = 2 * 1024**2
"""Stack size of a thread in bytes. The system's 8 MiB per thread would use up a limited address
space for good, since threads stay.
"""

_YOUNG = 10_000
"""Number of new live objects that starts a garbage collection; 64 small calls in progress have
fewer. With Python's own 700, collections take a tenth of such calls' CPU time, since objects that
survive a collection during a call count as old.
"""


class ServerConfig(uvicorn.Config):
    """uvicorn's configuration plus the settings that its connections read. Worker processes receive
    it pickled.
    """

    def __init__(self, settings: ServerSettings, stopping: Stopping, app: Any, **rest: Any) -> None:
        self.settings = settings
        self._stopping = stopping
        self.deadline: ForcedEnd | None = None
        """Forced end of this process, once its application is built; the other processes have their
        own.
        """
        self._certificates: Certificates | None = None
        self._upkeep: Upkeep | None = None
        super().__init__(app, **rest)

    def load(self) -> None:
        """Obey signals, build this process's application, and let the server reload changed files
        once a second.
        """
        self.deadline = _obey_signals(self.settings.stop_within)
        super().load()
        server = getattr(getattr(self.loaded_app, "state", None), "server", None)
        if server is not None:
            self._upkeep = Upkeep(server, self._certificates)
            self.callback_notify, self.timeout_notify = self._upkeep.tick, 0

    def tls(self, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
        """Return the TLS context of the listener, which serves the newest certificate."""
        self._certificates = Certificates(self.settings.certificate or "", self.settings.key, make)
        return self._certificates.context

    @property  # type: ignore[override]
    def timeout_graceful_shutdown(self) -> float:
        """Seconds that running requests have left. uvicorn reads this when it begins to stop and
        gives no other signal, so the countdown starts here.
        """
        self._stopping.begin()
        if self._upkeep is not None:
            self._upkeep.end()
        return self._stopping.left

    @timeout_graceful_shutdown.setter
    def timeout_graceful_shutdown(self, _seconds: float | None) -> None:
        """Ignore uvicorn's default; the settings define the timeout."""


def _nothing() -> None:
    """Do nothing; the default of ``prepare``."""


def make_app(
    settings: ServerSettings,
    stopping: Stopping,
    prepare: Callable[[], None] = _nothing,
    mounts: tuple[Mount, ...] = (),
) -> Starlette:
    """Build this process's application from its environment. ``prepare`` configures logging."""
    from jackfield.tracing import configured, remarked
    from jackfield_service.shell.http.app import build_app
    from jackfield_service.shell.process.server_context import ServerContext

    prepare()
    core = keep_to_one_core(os.environ)
    adopt_server_log()
    parent = multiprocessing.parent_process()
    if parent is not None:
        # multiprocessing holds a pipe whose other end closes with the parent
        end_after(parent.join, settings.stop_within)
    sys.setswitchinterval(_SWITCH)
    threading.stack_size(_STACK)
    save_memory()
    # what callers send and what providers answer gets as much each
    ANSWERS.size = settings.max_bodies
    plugins = (*configured(os.environ), *remarked(os.environ))
    server = ServerContext(
        settings, os.environ, plugins=plugins, stopping=stopping, imported=_keep_for_good
    )
    app = build_app(server, mounts)
    app.state.core = core
    return app


def _obey_signals(stop_within: float) -> ForcedEnd:
    """Start the deadline of this process at each stop signal, in addition to uvicorn's handling;
    survive the other signals. Return the deadline.
    """
    deadline, asked = ForcedEnd(stop_within), signal.getsignal(signal.SIGTERM)
    if callable(asked):  # otherwise nothing of uvicorn's is running yet
        begin_with_signals(deadline, asked)
        HANGUPS.listen()
    return deadline


def _tls(found: Any, make: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    context: ssl.SSLContext = found.tls(make)  # of a ServerConfig
    return context


def _keep_for_good() -> None:
    """Exempt imported objects of this process from garbage collections, during which no request is
    answered, and collect less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)


def check_settings(settings: ServerSettings) -> None:
    """Check that the settings are usable and that it is safe to listen.

    :raises InvalidInvocation: if a setting is invalid, or tokens and secrets would cross a network
        unencrypted.
    """
    check_origins(settings.origins)
    if (
        settings.public_url
        and settings.root_path
        and urlsplit(settings.public_url).path != settings.root_path
    ):
        text = (
            f"the path of the public URL '{settings.public_url}' is not --root-path "
            f"'{settings.root_path}'"
        )
        raise InvalidInvocation(text, hint="Name the address that browsers use, with that path.")
    _check_tls(settings)
    if not settings.local and not settings.behind_proxy and settings.certificate is None:
        raise InvalidInvocation(
            f"'{settings.host}' can be reached from other machines, so tokens would cross the "
            "network unencrypted",
            hint=(
                "Give --certificate and --key, put a TLS proxy in front and set "
                "--behind-proxy, or listen on 127.0.0.1."
            ),
        )


def _check_tls(settings: ServerSettings) -> None:
    if settings.certificate is None:
        if settings.key is not None:
            raise InvalidInvocation("--key needs --certificate", hint="Give both, or neither.")
        return
    check_certificate(settings.certificate, settings.key)


def config(
    settings: ServerSettings, prepare: Callable[[], None] = _nothing, mounts: tuple[Mount, ...] = ()
) -> ServerConfig:
    """Build uvicorn's configuration: limits on headers, idle connections and stopping."""
    stopping = Stopping(settings.stop_within, SystemClock())
    return ServerConfig(
        settings,
        stopping,
        functools.partial(make_app, settings, stopping, prepare, mounts),
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http=Bounded,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # the Forwarded middleware reads them
        backlog=2048,
        timeout_keep_alive=20,
        timeout_worker_healthcheck=_HANGS,
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
        ssl_context_factory=_tls if settings.certificate else None,
        headers=[_ONLY_TLS] if settings.certificate else [],
    )


def run(
    settings: ServerSettings,
    prepare: Callable[[], None] = _nothing,
    announce: Callable[[str], None] = lambda _origin: None,
    mounts: tuple[Mount, ...] = (),
) -> int:
    """Serve until stopped, and return the exit code. ``announce`` receives the server's URL.
    ``mounts`` reach each worker process pickled.

    :raises InvalidInvocation: if it is not safe to listen there, or the port is in use.
    """
    check_settings(settings)
    bodies, body = fitted_bodies(settings.max_bodies, settings.max_body, settings.workers)
    settings = replace(
        settings,
        max_connections=fitted_connections(settings.max_connections),
        max_bodies=bodies,
        max_body=body,
    )
    with contextlib.ExitStack() as stack:
        found = (
            adopt(settings.descriptors)
            if settings.descriptors
            else listen(settings.host, settings.port)
        )
        listeners = [stack.enter_context(one) for one in found]
        if not settings.descriptors:
            stack.callback(forget, settings.host)
        scheme = "https" if settings.certificate else "http"
        announce(
            origin(
                host_of(listeners[0]) if settings.descriptors else settings.host,
                port_of(listeners[0]),
                scheme,
            )
        )
        if settings.workers > 1:
            from jackfield_service.shell.process.metrics_folder import shared

            with shared():
                _Workers(config(settings, prepare, mounts), listeners, settings.stop_within).run()
            return 0
        serving = config(settings, prepare, mounts)
        server = GracefulServer(serving)
        try:
            server.run(listeners)
        finally:
            if serving.deadline is not None:
                serving.deadline.cancel()
    return leave(0 if server.started else 1)


_HANGS = 60.0
"""Seconds without an answer after which a server process hangs, and is replaced."""
_ANSWER = 0.2
"""Seconds that the parent waits for each answer, since it must also act on signals."""


class _Workers(Multiprocess):
    """Parent of several server processes: it ends in time, and passes SIGHUP on to the serving
    processes.
    """

    def __init__(self, config: ServerConfig, sockets: list[socket.socket], within: float) -> None:
        super().__init__(config, sockets)
        self._deadline, self._notices = ForcedEnd(within), Notices()
        self._heard: dict[Process, float] = {}
        begin_with_signals(self._deadline, self._end)
        HANGUPS.listen()

    def run(self) -> None:
        """Serve until stopped."""
        try:
            super().run()
        finally:
            self._deadline.cancel()

    def handle_signals(self) -> None:
        """Act on signals, and notify systemd once all processes serve."""
        super().handle_signals()
        if self.should_exit.is_set():
            self._notices.stopping()
        elif HANGUPS.take():
            self._reload()
        elif self._notices.wanted and all(
            process.is_ready(timeout=1) for process in self.processes
        ):
            self._notices.alive()

    def keep_subprocess_alive(self) -> None:
        """Replace processes that have ended, or been silent for ``_HANGS`` seconds. uvicorn itself
        would kill after five seconds, although a process may be silent when it starts on a busy
        machine or runs one long task.
        """
        now, heard = monotonic(), self._heard
        self._heard = {
            one: now if one.ping(_ANSWER) else heard.get(one, now)
            for one in self.processes
            if one.process.is_alive()
        }
        if any(now - self._heard.get(one, -_HANGS) >= _HANGS for one in self.processes):
            super().keep_subprocess_alive()

    def _end(self, number: int, _frame: object) -> None:
        """Stop the serving processes at once, even while this process waits."""
        self.signal_queue.append(number)
        self._tell(signal.SIGTERM)

    def _reload(self) -> None:
        """Let each serving process read its files again. A starting process reads them by itself,
        and does not listen yet.
        """
        self._notices.reloading()
        self._tell(
            signal.SIGHUP, [process for process in self.processes if process.is_ready(timeout=1)]
        )

    def _tell(self, number: int, processes: Sequence[Process] | None = None) -> None:
        for process in list(self.processes if processes is None else processes):
            if process.pid is not None and process.process.is_alive():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process.pid, number)


_LOG = logging.getLogger("jackfield.http")


class _Regular(logging.Filter):
    """Log filter that replaces uvicorn's error about an expired stop deadline by an informational
    event.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record stays an error."""
        if not record.msg.startswith("Cancel %s running task(s)"):
            return True
        _LOG.info(
            "the shutdown timeout expired: %s requests were abandoned; the journal has their "
            "outcome",
            *(record.args or (0,)),
        )
        return False


def adopt_server_log() -> None:
    """Route uvicorn's errors to jackfield's log."""
    uvicorns = logging.getLogger("uvicorn")
    uvicorns.parent, uvicorns.propagate = logging.getLogger("jackfield.http"), True
    uvicorns.setLevel(logging.ERROR)
    errors = logging.getLogger("uvicorn.error")
    if not any(isinstance(found, _Regular) for found in errors.filters):
        errors.addFilter(_Regular())


_OWN = 64
"""Number of file descriptors reserved for the database, the log, the listener and libraries."""
_EACH = 2
"""Number of file descriptors per connection: for the client's socket and for a socket to the
provider.
"""
_LEAST = 16
_LEAST_FILES = 64
"""Minimum number of open files: a server with 64 serves 24 callers at once, and with 24 cannot open
its database.
"""


def fitted_connections(wanted: int) -> int:
    """Raise the open-file limit (RLIMIT_NOFILE) as far as needed and allowed; return the number of
    connections that fit into it.

    :raises InvalidInvocation: if the limit is too low to serve any client.
    """
    if sys.platform == "win32":
        return wanted
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted * _EACH + _OWN
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return wanted
    if soft < _LEAST_FILES:
        raise InvalidInvocation(
            f"a server may have {soft} files open, and needs {_LEAST_FILES}",
            hint="Raise its limit (ulimit -n, LimitNOFILE).",
        )
    found = max(_LEAST, (soft - _OWN) // _EACH)
    _LOG.warning(
        "a process takes %d connections at most: it may have %d files open (ulimit -n, "
        "LimitNOFILE)",
        found,
        soft,
    )
    return found


def fitted_bodies(wanted: int, largest: int, processes: int) -> tuple[int, int]:
    """Return the byte limits for all bodies together and for one body that fit the memory of each
    of ``processes`` processes.
    """
    limit = memory_limit(processes)
    room = room_within(limit, wanted)
    if room < largest:
        _LOG.warning(
            "a request takes a body of %d bytes at most: a process may have %d bytes of memory",
            room,
            limit,
        )
    return room, min(largest, room)
