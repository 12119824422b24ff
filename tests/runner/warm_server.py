"""Process that imports what most commands need, and forks for each command that a launcher of
``warm`` sends.

Run as ``python -P warm_server.py ADDRESS``, where ADDRESS is an abstract Unix socket. A launcher's
connection carries its standard streams, arguments, environment and folder; the answer is the id of
the fork, then its exit code. A connection that sends a length of zero belongs to a test process;
soon after the last of these is closed, the process ends.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import io
import marshal
import os
import runpy
import selectors
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
import types
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from unittest import mock

_MODULES = (
    "pytest",
    "_pytest.assertion.rewrite",
    "_pytest.junitxml",
    "_pytest.terminal",
    "_pytest.tmpdir",
    "_pytest.capture",
    "pluggy",
    "rich",
    "jackfield.cli.main",
    "jackfield_market.commands.check",
    "jackfield_market.commands.new",
    "jackfield_market.testing.grading",
    "jackfield_market.testing.conformance",
    "jackfield_market.testing.harness",
    "jackfield_market.testing.plugin",
    "jackfield_isolation",
    "jackfield.call.invoke",
    "jackfield.runtime",
    "jackfield_http",
    "jackfield_aws",
    "jsonschema",
    "jsonschema_rs",
    "pydantic",
    "pydantic.deprecated.decorator",
    "yaml",
    "cryptography",
    "concurrent.futures.thread",
    "http.server",
    "asyncio",
    "importlib.metadata",
    "hatchling.build",
    "hatchling.builders.wheel",
    "ssl",
    "_pytest.faulthandler",
    "_pytest.helpconfig",
    "_pytest.skipping",
    "_pytest.threadexception",
    "_pytest.tracemalloc",
    "_pytest.unittest",
    "_pytest.unraisableexception",
    "_pytest.warnings",
    "_pytest.pastebin",
    "_pytest.setuponly",
    "_pytest.setupplan",
    "xdist.plugin",
    "xdist.workermanage",
    "execnet.gateway",
    "pytest_timeout",
    "pytest_cov.plugin",
    "multiprocessing.spawn",
    "jackfield_service.shell.http.app",
    "jackfield_service.subjects.mcp.sdk_server",
    "jackfield_service.shell.commands.serve",
    "uvicorn",
    "jackfield.schema.compiling",
    "jackfield_store.database.sqlite",
    "jackfield.cli.connectors",
    "jackfield.cli.offers",
    "jackfield.cli.session",
    "jackfield.cli.local_files",
    "jackfield.testing",
    "jackfield.connections.yaml_documents",
    "jackfield_aws.virtual.index",
    "jackfield_aws.virtual.manifests",
    "jackfield_aws.virtual.operations",
    "jackfield_aws.virtual.usual",
    "jackfield_http.bindings.connector",
    "jackfield_http.oauth2",
    "jackfield_http.sign_in",
    "jackfield_openapi.command",
    "jackfield_openapi.conversion",
    "platformdirs.pytest_plugin",
    "pdb",
    "readline",
    "xdist.looponfail",
    "packaging.requirements",
    "encodings.idna",
    "pwd",
    "jackfield_dapr.sidecar",
    "grpc",
)
_PLUGINS = "-p no:schemathesis -p no:hypothesispytest -p no:anyio"
"""Options of pytest: plugins of this repository that take seconds to import, and that no author's
project here uses.
"""
_LINGER = 0.2
_START_UP = ("sitecustomize.py", "usercustomize.py")


@dataclass
class Request:
    """What a launcher was started with; ``words`` are the arguments of Python."""

    words: list[str]
    name: str
    environment: dict[str, str]
    folder: str
    streams: list[int]


class Server:
    """The parent of all forks."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._tests = 0
        self._forks: dict[int, tuple[int, socket.socket]] = {}
        """Forks by the file descriptor of the process: process id, connection."""

    def serve(self) -> Request | None:
        """Fork for each request. Return the request in a fork, and None at the end."""
        empty_since = time.monotonic()
        while True:
            for key, _ in self._selector.select(_LINGER):
                if key.fileobj is self._listener:
                    request = self._accept()
                    if request is not None:
                        return request
                elif isinstance(key.fileobj, int):
                    self._ended(key.fileobj)
                elif key.data is None and isinstance(key.fileobj, socket.socket):
                    self._selector.unregister(key.fileobj)
                    key.fileobj.close()
                    self._tests -= 1
                else:  # its launcher is gone
                    self._selector.unregister(key.fileobj)
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(key.data, signal.SIGKILL)
            if self._tests or self._forks:
                empty_since = time.monotonic()
            elif time.monotonic() - empty_since > _LINGER:
                return None

    def _accept(self) -> Request | None:
        link, _ = self._listener.accept()
        length, streams, _, _ = socket.recv_fds(link, 8, 3)
        size = int.from_bytes(length, "big")
        if not size:
            self._tests += 1
            link.sendall(b"1")
            self._selector.register(link, selectors.EVENT_READ, None)
            return None
        with link.makefile("rb") as given:
            words, name, environment, folder = marshal.loads(given.read(size))
            request = Request(words, name, environment, folder, streams)
        child = os.fork()
        if child == 0:
            self._leave()
            link.detach()  # closed below, with all that the parent has open
            return request
        for stream in streams:
            os.close(stream)
        watched = os.pidfd_open(child)
        self._forks[watched] = (child, link)
        self._selector.register(watched, selectors.EVENT_READ)
        self._selector.register(link, selectors.EVENT_READ, child)
        with contextlib.suppress(OSError):
            link.sendall(child.to_bytes(8, "big"))
        return None

    def _leave(self) -> None:
        """Close what a fork has of its parent. Whatever the garbage collector closed later might
        have the number of a new file by then.
        """
        for key in [*self._selector.get_map().values()]:
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _ended(self, watched: int) -> None:
        child, link = self._forks.pop(watched)
        _, status = os.waitpid(child, 0)
        self._selector.unregister(watched)
        os.close(watched)
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(link)
        with contextlib.suppress(OSError):
            link.sendall(os.waitstatus_to_exitcode(status).to_bytes(8, "big", signed=True))
        link.close()


def _become(request: Request) -> NoReturn:
    """Be the process that the launcher stands for."""
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
    os.closerange(3, 4096)
    os.setsid()
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update({"PYTEST_ADDOPTS": _PLUGINS} | request.environment)
    if "footprint_notes" in sys.modules:  # while a map is made, of the test that asks
        sys.modules["footprint_notes"].join()
    paths = [path for path in request.environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    known = _options(request)
    if known is None or any(
        os.path.exists(os.path.join(path, name)) for path in paths for name in _START_UP
    ):
        os.execv(sys.executable, [sys.executable, *request.words])
    first, safe_path = known
    sys.executable = os.path.join(os.path.dirname(request.name), "python")
    sys.path[:0] = paths
    sys.dont_write_bytecode = (
        "PYTHONDONTWRITEBYTECODE" in request.environment or "-B" in request.words[:first]
    )
    _streams(bool(request.environment.get("PYTHONUNBUFFERED")))
    importlib.invalidate_caches()
    try:
        _run(request.words[first:], safe_path=safe_path)
    finally:
        _end(sys.exc_info()[1])


def _options(request: Request) -> tuple[int, bool] | None:
    """Return the place of the first word after Python's options, and whether the folder stays off
    the path; None for other options.
    """
    first = 0
    while first < len(request.words) and request.words[first] in ("-B", "-P"):
        first += 1
    if not request.words[first:] or (
        request.words[first].startswith("-") and request.words[first] not in ("-m", "-c")
    ):
        return None
    return first, "-P" in request.words[:first] or bool(request.environment.get("PYTHONSAFEPATH"))


def _streams(unbuffered: bool) -> None:
    def written(number: int, errors: str) -> io.TextIOWrapper:
        raw = io.FileIO(number, "wb", closefd=False)
        return io.TextIOWrapper(
            io.BufferedWriter(raw),
            "utf-8",
            errors,
            line_buffering=raw.isatty(),
            write_through=unbuffered,
        )

    sys.stdin = sys.__stdin__ = io.TextIOWrapper(  # type: ignore[misc]
        io.BufferedReader(io.FileIO(0, closefd=False)), "utf-8"
    )
    sys.stdout = sys.__stdout__ = written(1, "strict")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = written(2, "backslashreplace")  # type: ignore[misc]
    sys.stderr.reconfigure(line_buffering=True)


def _end(error: BaseException | None) -> NoReturn:
    """End as Python does after its program, which may have raised something."""
    status = 0 if error is None else 1
    if isinstance(error, SystemExit):
        status = _status(error.code)
    elif isinstance(error, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    elif error is not None:
        traceback.print_exception(error)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
    os._exit(status)


def _run(words: list[str], *, safe_path: bool) -> None:
    """Run a module, a text or a file as Python does."""
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    main.__dict__["__builtins__"] = __builtins__
    kind, *rest = words
    if kind == "-m":
        module, *rest = rest
        if not hasattr(sys.modules.get(module), "__path__"):
            sys.modules.pop(module, None)
        sys.argv = ["-m", *rest]
        if not safe_path:
            sys.path.insert(0, os.getcwd())
        runpy._run_module_as_main(module)  # type: ignore[attr-defined]
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        if not safe_path:
            sys.path.insert(0, "")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)
    else:
        sys.argv = words
        if not safe_path:
            sys.path.insert(0, os.path.dirname(os.path.realpath(kind)))
        main.__dict__["__file__"] = kind
        with open(kind, "rb") as file:
            exec(compile(file.read(), kind, "exec"), main.__dict__)


def _status(code: object) -> int:
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _main(address: str, patched: contextlib.ExitStack) -> Request | None:
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(f"\0{address}")
        except OSError:
            return None  # there is one
        listener.listen(256)
        for module in _MODULES:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        from _pytest.assertion.rewrite import AssertionRewritingHook

        mock.patch.object(AssertionRewritingHook, "_warn_already_imported").start()
        _copy_databases(patched)
        gc.collect()
        gc.freeze()
        return Server(listener).serve()


def _copy_databases(patched: contextlib.ExitStack) -> None:
    """Let the new databases of forks be copies of one, as those of tests are."""
    sys.path.insert(0, os.path.dirname(__file__))
    from ready_database import databases_copied

    del sys.path[0]
    with tempfile.TemporaryDirectory() as folder:
        patched.enter_context(databases_copied(Path(folder)))


if __name__ == "__main__":
    atexit._clear()
    with contextlib.ExitStack() as patches:
        found = _main(sys.argv[1], patches)
        if found is not None:
            _become(found)
