"""Responses that are sent piece by piece: at once, in order, and closed whoever ends them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from jackfield_service.shell.requests.streamed import Streamed

_FRESH = """
import asyncio, sys
from jackfield_service.shell.requests.streamed import Streamed
async def pieces():
    yield b"one"
async def receive():
    await asyncio.Event().wait()
async def send(message):
    sent.append(message)
sent = []
asyncio.run(Streamed(pieces(), 200, {}, "text/plain")({}, receive, send))
assert sent[1]["body"] == b"one", sent
print(sorted(name for name in sys.modules if name.startswith("anyio._backends")))
"""


class _Client:
    """Client of one response, which takes what is sent, and leaves when nothing more comes, unless
    it ``stays``.
    """

    def __init__(self, *, stays: bool = False) -> None:
        self.sent: list[dict[str, Any]] = []
        self.waits = asyncio.Event()
        self.stays = stays
        self.closed = 0

    async def receive(self) -> dict[str, str]:
        """Wait until the client leaves."""
        await (asyncio.Event() if self.stays else self.waits).wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Take a message."""
        self.sent.append(message)

    async def get(self, pieces: AsyncGenerator[bytes]) -> None:
        """Ask for the response."""
        await Streamed(pieces, 200, {"X-A": "b"}, "text/plain")({}, self.receive, self.send)

    async def noting(self, *pieces: bytes | Exception | None) -> AsyncGenerator[bytes]:
        """Yield bytes, raise exceptions, and at None let nothing more come."""
        try:
            for piece in pieces:
                if isinstance(piece, Exception):
                    raise piece
                if piece is None:
                    self.waits.set()
                    await asyncio.Event().wait()
                else:
                    yield piece
        finally:
            self.closed += 1


def test_what_is_sent_is_whole() -> None:
    """Status and header fields, each piece, and an end; the generator is closed."""

    async def run() -> _Client:
        client = _Client()
        await client.get(client.noting(b"one", b"two"))
        return client

    client = asyncio.run(run())
    assert (client.sent[0]["status"], dict(client.sent[0]["headers"])[b"x-a"]) == (200, b"b")
    assert [(one["body"], one["more_body"]) for one in client.sent[1:]] == [
        (b"one", True),
        (b"two", True),
        (b"", False),
    ]
    assert client.closed == 1


def test_a_client_who_leaves_ends_it() -> None:
    """The generator waits for a piece that never comes: it is closed when the client leaves, and
    the response has no end.
    """

    async def run() -> _Client:
        client = _Client()
        await client.get(client.noting(b"one", None))
        return client

    client = asyncio.run(run())
    assert ([one.get("body") for one in client.sent], client.closed) == ([None, b"one"], 1)


def test_a_fault_is_raised_and_leaves_no_end() -> None:
    """A client sees a body that is cut off, and the server its exception."""
    made: list[_Client] = []

    async def run() -> None:
        made.append(_Client())
        await made[0].get(made[0].noting(b"one", ValueError("gone")))

    with pytest.raises(ValueError, match="gone"):
        asyncio.run(run())
    assert ([one.get("body") for one in made[0].sent], made[0].closed) == ([None, b"one"], 1)


def test_a_cancelled_request_closes_the_generator() -> None:
    """A server that stops cancels its tasks: nothing goes on beside them."""

    async def run() -> tuple[int, int]:
        client = _Client(stays=True)
        asking = asyncio.ensure_future(client.get(client.noting(b"one", None)))
        await client.waits.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return client.closed, len(asyncio.all_tasks()) - 1

    assert asyncio.run(run()) == (1, 0)


def test_the_first_one_loads_no_further_event_loop() -> None:
    """The first event of a fresh process is not held up by an import: Starlette's response loads
    anyio's loop, a tenth of a second.
    """
    found = subprocess.run(
        [sys.executable, "-c", _FRESH], capture_output=True, text=True, check=True, timeout=120
    )
    assert found.stdout == "[]\n"
