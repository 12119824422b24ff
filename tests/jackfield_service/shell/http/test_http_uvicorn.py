"""The private parts of uvicorn that our protocol builds on (decision 0015): a new uvicorn that
changes one fails here first.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState
from uvicorn.supervisors import Multiprocess

from jackfield_service.shell.http import server_process
from jackfield_service.shell.http.exchange import Exchange
from jackfield_service.shell.http.protocol import Bounded

OWN = {"close_politely", "send_whole"}
OF_THE_PROTOCOL = {
    "connections",
    "cycle",
    "flow",
    "headers",
    "loop",
    "parser",
    "scope",
    "server_state",
    "tasks",
    "transport",
    "url",
}
OF_THE_CYCLE = {
    "disconnected",
    "keep_alive",
    "message_event",
    "response_complete",
    "response_started",
    "transport",
}
OF_THE_FLOW = {"read_paused", "resume_reading"}
OF_THE_TRANSPORT = {"close", "is_closing", "write"}
"""What an answer may ask of its transport: our stand-in has no more."""


class Line(asyncio.Transport):
    """A transport that goes nowhere."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.written = b""

    def write(self, data: Any) -> None:
        """Keep what is written."""
        self.written += bytes(data)

    def is_closing(self) -> bool:
        """It never closes."""
        return False

    def close(self) -> None:
        """Do nothing."""

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


def parameters(function: Callable[..., Any]) -> list[str]:
    """The names of a function's parameters."""
    return list(inspect.signature(function).parameters)


def test_each_callback_of_ours_is_one_of_uvicorns() -> None:
    """What we override is there and takes the same parameters."""
    ours = {
        name: found
        for name, found in vars(Bounded).items()
        if inspect.isfunction(found) and not name.startswith("_")
    }
    assert {name: parameters(found) for name, found in ours.items() if name not in OWN} == {
        name: parameters(getattr(HttpToolsProtocol, name)) for name in ours if name not in OWN
    }


def test_an_answer_asks_no_more_of_its_transport_than_ours_has() -> None:
    """The transport of an answer is our stand-in, which has three methods."""
    assert (
        set(re.findall(r"self\.transport\.(\w+)", inspect.getsource(RequestResponseCycle)))
        <= OF_THE_TRANSPORT
    )


def test_a_server_asks_no_more_of_its_tasks_than_an_exchange_has() -> None:
    """A plain request stands among the server's tasks, which are cancelled when the time to stop is
    over.
    """
    asked = set(re.findall(r"\bt\.(\w+)\(", inspect.getsource(uvicorn.Server.shutdown)))
    assert asked == {"cancel"}
    assert parameters(Exchange.cancel)[1:] == ["msg"]


def test_a_request_leaves_the_state_that_we_read() -> None:
    """After the head of a request all that our limits look at is there, and the answer goes through
    our stand-in.
    """

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def serve() -> tuple[Bounded, Line]:
        config = uvicorn.Config(app, http=Bounded, log_config=None, lifespan="off")
        config.load()
        state = ServerState()
        protocol, line = Bounded(config=config, server_state=state, app_state={}), Line()
        protocol.connection_made(line)
        protocol.data_received(b"GET /healthz?a=b HTTP/1.1\r\nHost: x\r\n\r\n")
        await asyncio.gather(*state.tasks)
        assert all(hasattr(protocol.cycle, name) for name in OF_THE_CYCLE)
        assert type(protocol.cycle.transport).__name__ == "_Closing"
        protocol.connection_lost(None)
        return protocol, line

    protocol, line = asyncio.run(serve())
    assert set(vars(protocol)) >= OF_THE_PROTOCOL
    assert all(hasattr(protocol.flow, name) for name in OF_THE_FLOW)
    assert protocol.url == b"/healthz?a=b"
    assert line.written.startswith(b"HTTP/1.1 204 ")


class _Child:
    """A server process as its parent sees it."""

    def __init__(self, *, answers: bool, alive: bool = True) -> None:
        self.answers, self.process = answers, SimpleNamespace(is_alive=lambda: alive)

    def ping(self, _timeout: float) -> bool:
        return self.answers


@pytest.mark.parametrize(
    ("answers", "alive", "seconds", "replaced"),
    [
        (True, True, 600.0, False),
        (False, True, 59.0, False),
        (False, True, 61.0, True),
        (False, False, 0.0, True),
        (True, False, 0.0, True),
    ],
)
def test_a_process_that_starts_slowly_is_not_killed(
    monkeypatch: pytest.MonkeyPatch, answers: bool, alive: bool, seconds: float, replaced: bool
) -> None:
    """A process that does not answer, as one that still imports on a busy machine, is replaced
    after a minute; an ended one at once.
    """
    clock, looked = [100.0], list[float]()
    monkeypatch.setattr(server_process, "monotonic", lambda: clock[0])
    monkeypatch.setattr(
        Multiprocess, "keep_subprocess_alive", lambda _parent: looked.append(clock[0])
    )
    parent = server_process._Workers.__new__(server_process._Workers)
    child: Any = _Child(answers=answers, alive=alive)
    parent.processes, parent._heard = [child], {}
    for passed in (0.0, seconds):
        clock[0] = 100.0 + passed
        parent.keep_subprocess_alive()
    assert bool(looked) is replaced
