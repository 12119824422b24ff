"""JSON-RPC on stdin and stdout, line by line: within the size limit, with an answer to what is no message, and to the last request."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, BinaryIO

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST, PARSE_ERROR, ErrorData, JSONRPCError, JSONRPCNotification, JSONRPCRequest, jsonrpc_message_adapter

from jackfield.invocation.wire import MAX_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Wire", "wired"]

_PIECE = 64 * 1024
_CANCELLED = "notifications/cancelled"
_ID = rb'"id":\s*(-?\d{1,18}|"[^"\\]{0,200}")'
_FIRST = re.compile(rb'\s*\{\s*"jsonrpc":\s*"2\.0",\s*' + _ID)
_LAST = re.compile(_ID + rb'\s*(?:,\s*"jsonrpc":\s*"2\.0"\s*)?\}\s*\Z')
"""Where clients write the id of a request whose line is too long to be read."""


class Wire:
    """The streams between one client and the protocol's server."""

    def __init__(self, source: BinaryIO, write: Any, grace: float) -> None:
        self._source = source
        self._write = write
        self._grace = grace
        self._open: set[str | int] = set()
        self.sent = asyncio.Event()
        """Everything that the server said has been passed on."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._inbox, self.read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        self.write, self._outbox = anyio.create_memory_object_stream[SessionMessage](0)

    async def receive(self) -> None:
        """Pass on what stdin brings. At its end, wait for up to ``grace`` seconds until every request is answered."""
        async with self._inbox:
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):  # the server has ended
                while (line := await asyncio.to_thread(self._line)) is not None:
                    if line.strip():
                        await self._received(line)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._idle.wait(), self._grace)

    async def send(self) -> None:
        """Pass on what the server says, and note what it has answered."""
        async with self._outbox:
            async for message in self._outbox:
                await self._write.send(message)
                self._answered(getattr(message.message, "id", None))
        self.sent.set()

    async def _received(self, line: bytes) -> None:
        if len(line) > MAX_BYTES:
            await self._refuse(INVALID_REQUEST, f"the message is larger than {MAX_BYTES:,} bytes", _id_of(line))
            return
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:  # pydantic's own; its text quotes what was sent
            await self._refuse_line(line)
            return
        if isinstance(message, JSONRPCRequest):
            self._open.add(message.id)
            self._idle.clear()
        await self._inbox.send(SessionMessage(message))
        if isinstance(message, JSONRPCNotification) and message.method == _CANCELLED:
            self._answered((message.params or {}).get("requestId"))

    async def _refuse_line(self, line: bytes) -> None:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            await self._refuse(PARSE_ERROR, "the line is not JSON")
            return
        identifier = found.get("id") if isinstance(found, dict) else None
        known = identifier if isinstance(identifier, str | int) and not isinstance(identifier, bool) else None
        text = "the line is no message of JSON-RPC 2.0: one object with 'jsonrpc', 'method' and, in a request, 'id'"
        if isinstance(found, dict) and found.get("jsonrpc") == "2.0" and isinstance(found.get("method"), str):
            text = "the message cannot be read: it is nested too deep, or its members have other types than JSON-RPC 2.0 gives them"
        await self._refuse(INVALID_REQUEST, text, known)

    async def _refuse(self, code: int, text: str, identifier: str | int | None = None) -> None:
        error = ErrorData(code=code, message=text)
        await self._write.send(SessionMessage(JSONRPCError(jsonrpc="2.0", id=identifier, error=error)))

    def _answered(self, identifier: object) -> None:
        if isinstance(identifier, str | int):
            self._open.discard(identifier)
        if not self._open:
            self._idle.set()

    def _line(self) -> bytes | None:
        """The next line; None at the end. Of one that is too long, its first and last piece, with more bytes than the limit between."""
        line = self._source.readline(MAX_BYTES + 2)
        if not line:
            return None
        if len(line) <= MAX_BYTES or line.endswith(b"\n"):
            return line.rstrip(b"\r\n")
        tail = line[-_PIECE:]
        while piece := self._source.readline(_PIECE):
            tail = (tail + piece)[-_PIECE:]
            if piece.endswith(b"\n"):
                break
        return line + tail.rstrip(b"\r\n")


@contextlib.asynccontextmanager
async def wired(grace: float) -> AsyncIterator[Wire]:
    """Serve on this process's stdin and stdout; meanwhile actions and their children read an empty stdin, and print to stderr."""
    with _stdin() as source, open(os.devnull, encoding="utf-8") as empty:  # noqa: ASYNC230 (the SDK's part is stdout)
        async with stdio_server(stdin=anyio.wrap_file(empty)) as (unused, write):
            await unused.aclose()
            wire = Wire(source, write, grace)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wire.receive)
                tasks.start_soon(wire.send)
                yield wire
                await wire.write.aclose()
                await wire.sent.wait()
                await write.aclose()  # the SDK's writer waits for that
                wire.read.close()
                tasks.cancel_scope.cancel()


@contextlib.contextmanager
def _stdin() -> Iterator[BinaryIO]:
    """The bytes of stdin, from a descriptor of our own while descriptor 0 is empty."""
    source = sys.stdin.buffer
    if not _is_first(source):
        yield source
        return
    private, empty = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    try:
        # not closed: a thread may still wait for its next line
        yield os.fdopen(private, "rb", closefd=False)
    finally:
        os.dup2(private, 0)


def _is_first(source: BinaryIO) -> bool:
    try:
        return source.fileno() == 0
    except (OSError, ValueError):
        return False


def _id_of(line: bytes) -> str | int | None:
    """The id of a request that is too large to be read, where it stands first or last; None where it does not."""
    found = _FIRST.match(line[:_PIECE]) or _LAST.search(line[-_PIECE:])
    if found is None:
        return None
    identifier: str | int = json.loads(found[1])
    return identifier
