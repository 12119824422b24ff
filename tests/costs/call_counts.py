"""Counter of the function calls of one invocation, run as a process of its own, so that nothing
that ran before changes a number.

``python call_counts.py FOLDER`` prints JSON: the calls of each function, by scene. ``cost_tables``
runs it.

A call is a call of a Python function of jackfield's packages, in any thread; a generator or
coroutine that continues counts again, as for cProfile. Comprehensions are left out, because Python
3.12 and later make no call of them, and so are connectors of tests, clients, servers and third
parties, whose releases would move the numbers. While calls are counted, time passes only when it is
read, and timers
do not go off: deferred writes join the next commit, as in a busy process.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import json
import socket
import socketserver
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

from raw_server import read_request
from uncollected import uncollected

Functions = dict[str, int]
"""Calls by function, as ``module:qualified name``."""
Scene = Callable[[Path], Functions]
"""Counter of one invocation, with an empty folder."""
_PARTS = ("aws", "aws_ses", "http", "service", "store")
_PACKAGES = frozenset({"jackfield", *(f"jackfield_{name}" for name in _PARTS)})
_INLINE = frozenset({"<listcomp>", "<dictcomp>", "<setcomp>"})
_UPKEEP = frozenset({"jackfield-lease"})
"""Threads that work for no single invocation, at times of their own."""
_WARM, _COUNTED, _ROUNDS = 5, 5, 40
_TICK = 1e-5
_PATIENCE = 120.0
_SETTLED = 0.02
"""Seconds for which a server finishes what its answer did not wait for. If they are too few, a
round is repeated.
"""

_calls: list[str] = []
_real = time.clock_gettime
_monotonic: Callable[[], float] | None = None


def _clock(number: int) -> float:
    return (
        _monotonic() if _monotonic is not None and number == time.CLOCK_MONOTONIC else _real(number)
    )


# before jackfield is imported, which keeps a reference that nobody can replace
time.clock_gettime = _clock


def _note(frame: FrameType, event: str, _argument: object) -> None:
    if event == "call":
        module, code = frame.f_globals.get("__name__", ""), frame.f_code
        if (
            module.partition(".")[0] in _PACKAGES
            and code.co_name not in _INLINE
            and threading.current_thread().name not in _UPKEEP
        ):
            _calls.append(f"{module}:{code.co_qualname}")  # atomic, unlike adding to a counter


def counted(call: Callable[[], object], settle: Callable[[], object] = lambda: None) -> Functions:
    """Count the functions called by one ``call``; ``settle`` waits for what it leaves to other
    threads.

    A round of several calls counts if each function was called equally often by each: what a thread
    did too late for its round shows.
    """
    for _ in range(_WARM):
        call()
    with contextlib.ExitStack() as stack:
        reads = itertools.count()
        for name in ("time", "monotonic"):
            stack.enter_context(
                mock.patch.object(time, name, _ticking(getattr(time, name)(), reads))
            )
        stack.enter_context(mock.patch.object(sys.modules[__name__], "_monotonic", time.monotonic))
        gc.collect()
        stack.enter_context(uncollected())  # destructors are calls too
        sys.setprofile(_note)
        stack.callback(sys.setprofile, None)
        for _ in range(_ROUNDS):
            call()
            settle()
            _calls.clear()
            for _ in range(_COUNTED):
                call()
            settle()
            found = Counter(_calls)
            if not any(count % _COUNTED for count in found.values()):
                return {function: count // _COUNTED for function, count in found.items()}
    raise AssertionError({function: count for function, count in found.items() if count % _COUNTED})


def _ticking(start: float, reads: Iterator[int]) -> Callable[[], float]:
    return lambda: start + next(reads) * _TICK


# The scenes

_HALL = {"type": "echo/token", "values": {"token": "s3cret-token"}}
_NO_OP = {"connector": "noop", "action": "do", "inputs": {}}
SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}
_MAIL = {
    "to": ["ada@example.com"],
    "sender": "noreply@example.com",
    "subject": "Hello",
    "text": "Hello Ada",
}
_GET = {
    "connector": "http",
    "action": "request",
    "connection": "site",
    "inputs": {"url": "/v1/things/1"},
}
SEND: dict[str, Any] = {
    "connector": "aws-ses",
    "action": "sendEmail",
    "connection": "acme",
    "inputs": _MAIL,
}
_KEYS = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "region": "eu-west-1",
}
_BODY = b'{"MessageId":"m-1","SendQuota":{"Max24HourSend":-1,"MaxSendRate":1000000,"SentLast24Hours":0}}'
"""A body that SES may answer: to a mail, and to the question for limits, which are none."""
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (
    len(_BODY),
    _BODY,
)


class _Site(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Answer each request of a connection in one piece."""
        while read_request(self.request):
            self.request.sendall(_ANSWER)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextlib.contextmanager
def provider() -> Iterator[dict[str, Any]]:
    """Run a server that answers all requests alike; yield the connections of all scenes, to the
    echo, to SES and to a site.
    """
    with _Server(("127.0.0.1", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        yield {
            "hall": _HALL,
            "acme": {"type": "aws-ses/apiKeySecret", "values": {**_KEYS, "endpoint": url}},
            "site": {"type": "http/bearer", "values": {"server": url, "token": "t-4711"}},
        }
        server.shutdown()


@contextlib.contextmanager
def _runtime(journal: Path | None) -> Iterator[Any]:
    """Open a runtime with a journal in SQLite in a folder, or without one."""
    from jackfield_store.runtime import Jackfield

    url = "none" if journal is None else f"sqlite:///{journal / 'journal.db'}"
    with provider() as known, Jackfield(connections=[known], database_url=url) as jackfield:
        yield jackfield


def _invoked(invocation: dict[str, Any], *, journal: bool) -> Scene:
    def scene(folder: Path) -> Functions:
        with _runtime(folder if journal else None) as jackfield:
            return counted(lambda: jackfield.invoke(invocation).unwrap())

    return scene


def _inline(_folder: Path) -> Functions:
    from jackfield_store.runtime import Jackfield

    with provider() as known, Jackfield(connections=(), database_url="none") as jackfield:
        return counted(lambda: jackfield.invoke({**_GET, "connection": known["site"]}).unwrap())


def _submitted(folder: Path) -> Functions:
    with _runtime(folder) as jackfield:
        return counted(lambda: jackfield.enqueue(SAY))


def _taken(folder: Path) -> Functions:
    from jackfield_store.journal import Queue

    with _runtime(folder) as jackfield:
        queue = Queue(jackfield.storage.database, jackfield.clock)
        jackfield.enqueue_many([SAY] * (_WARM + _ROUNDS * (_COUNTED + 1)))
        return counted(lambda: jackfield.run(*queue.claim(1)).unwrap())


def _served(path: str, body: dict[str, Any], *headers: str) -> Scene:
    """Return a scene of requests over a kept connection, each sent at once: the server counts what
    arrives in two parts as two.
    """

    def scene(folder: Path) -> Functions:
        from http_stand import standing

        with standing(folder) as stand:
            client, text = stand.client(), json.dumps(body)
            assert client.post("/v1/connections", {"name": "hall", **_HALL}).status == 201
            about = (
                f"Authorization: Bearer {client.token}",
                "Content-Type: application/json",
                f"Content-Length: {len(text)}",
                *headers,
            )
            request = "\r\n".join(
                (f"POST {path} HTTP/1.1", "Host: localhost", *about, "", text)
            ).encode()
            with (
                socket.create_connection(("127.0.0.1", stand.port), _PATIENCE) as connection,
                connection.makefile("rb") as answers,
            ):

                def call() -> None:
                    connection.sendall(request)
                    lengths = [
                        line
                        for line in iter(answers.readline, b"\r\n")
                        if line.lower().startswith(b"content-length:")
                    ]
                    answer = answers.read(int(lengths[0].partition(b":")[2]))
                    assert b'"succeeded"' in answer, answer

                return counted(call, lambda: threading.Event().wait(_SETTLED))

    return scene


_VERSION = "2026-07-28"
_META = {
    "io.modelcontextprotocol/protocolVersion": _VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
_TOOL = {"name": "execute_action", "arguments": SAY, "_meta": _META}
_MCP = _served(
    "/mcp",
    {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": _TOOL},
    *(f"MCP-Protocol-Version: {_VERSION}", "MCP-Method: tools/call", "MCP-Name: execute_action"),
)
SCENES: dict[str, tuple[str, Scene]] = {
    "no-op": (
        "A no-op through the library, without a connection or a journal.",
        _invoked(_NO_OP, journal=False),
    ),
    "connection": (
        "The echo's `say` through the library, with a connection, without a journal.",
        _invoked(SAY, journal=False),
    ),
    "journal": (
        "The echo's `say` through the library, with a journal in SQLite.",
        _invoked(SAY, journal=True),
    ),
    "sendEmail": (
        "A mail by `aws-ses` through the library, with an access key and a journal in SQLite.",
        _invoked(SEND, journal=True),
    ),
    "http.request": (
        "A GET by `http` through the library, with a bearer token, without a journal.",
        _invoked(_GET, journal=False),
    ),
    "http.request, inline": (
        "The same GET over a connection whose values the call brings.",
        _inline,
    ),
    "queue, submitted": ("The echo's `say`, queued through the library in SQLite.", _submitted),
    "queue, run": ("The echo's `say`, claimed from the queue and run, as a worker does.", _taken),
    "HTTP": (
        "The echo's `say` over `POST /v1/invocations`, with a journal in SQLite.",
        _served("/v1/invocations", SAY),
    ),
    "MCP": (
        "The echo's `say` by the tool `execute_action` over `/mcp`, with a journal in SQLite.",
        _MCP,
    ),
}
"""Scenes by name: a sentence, and what counts it."""


async def _idle(_upkeep: object) -> None:
    """Do nothing each second: on a slow machine no round would be without what a server does for no
    call.
    """


def main(folder: Path) -> None:
    """Count all scenes and print them."""
    import jackfield_service.subjects.mcp.sdk_server  # noqa: F401 (here, where imports are not slowed down by the counter)
    from jackfield_service.shell.http.upkeep import Upkeep
    from jackfield_service.shell.requests import disconnect
    from jackfield_store.database import batches
    from jackfield_store.queue import local
    from jackfield_store.runtime import due_loop, poller

    found = {}
    threading.setprofile(_note)  # for threads to come; this one counts in `counted` only
    with contextlib.ExitStack() as stack:
        timers = (
            (batches, "_MOMENT"),
            (local, "_POLL"),
            (disconnect, "_PATIENCE"),
            (due_loop, "POLL"),
            (poller, "_LOOK"),
        )
        for module, timer in timers:
            stack.enter_context(mock.patch.object(module, timer, 3600.0))
        stack.enter_context(mock.patch.object(Upkeep, "tick", _idle))
        for number, (name, (_, scene)) in enumerate(SCENES.items()):
            own = folder / str(number)
            own.mkdir()
            found[name] = scene(own)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
