"""MCP over stdin and stdout, for the operator's own client. It runs until stdin closes."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import io
import json
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Any, BinaryIO

import anyio
from mcp.server.stdio import stdio_server
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)

from jackfield.call.how import Follow
from jackfield.callers import Caller
from jackfield.catalog.index import ActionIndex
from jackfield.cli.session import caller
from jackfield.connector.context import AskCaller
from jackfield.invocation import Result, new_invocation_id
from jackfield.invocation.wire import MAX_BYTES
from jackfield.kernel.dataclass import replace
from jackfield_service.shell.process.settings import McpTools
from jackfield_service.subjects.connect.connecting import open_sessions
from jackfield_service.subjects.mcp.call_context import CallContext
from jackfield_service.subjects.mcp.connect_requests import ConnectRequests, OpenLinks
from jackfield_service.subjects.mcp.envelope import (
    REQUESTS,
    fault_of,
    has_halves,
    known_id,
    repeated_in,
    without_nulls,
)
from jackfield_service.subjects.mcp.instructions import instructions
from jackfield_service.subjects.mcp.queued_here import run_to_end
from jackfield_service.subjects.mcp.sdk_server import build_server
from jackfield_store.commands.stored import actor
from jackfield_store.database.setting_rows import PUBLIC_URL
from jackfield_store.runtime import Jackfield

_PIECE = 64 * 1024
_UNFIT = "it is nested too deeply, or its members have the wrong types"
_HALVES = "a text in it has half of a character (a surrogate without its pair)"
_CANCELLED = "notifications/cancelled"
_ID = rb'"id":\s*(-?\d{1,18}|"[^"\\]{0,200}")'
_FIRST = re.compile(rb'\s*\{\s*"jsonrpc":\s*"2\.0",\s*' + _ID)
_LAST = re.compile(_ID + rb'\s*(?:,\s*"jsonrpc":\s*"2\.0"\s*)?\}\s*\Z')
"""Regular expression of the end of a line where clients put a request's ID, for lines that are too
long to parse.
"""


class Wire:
    """Streams between one client and the protocol's server. ``stopping`` ends the input as the end
    of stdin does.
    """

    def __init__(self, source: BinaryIO, write: Any, grace: float, stopping: asyncio.Event) -> None:
        self._source = source
        self._write = write
        self._grace = grace
        self._stopping = stopping
        self._open: set[str | int] = set()
        self.sent = asyncio.Event()
        """Set once all output of the server has been forwarded."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._inbox, self.read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        self.write, self._outbox = anyio.create_memory_object_stream[SessionMessage](0)

    async def receive(self) -> None:
        """Forward messages from stdin. At its end, wait up to ``grace`` seconds until every request
        is answered.
        """
        async with self._inbox:
            # the server has ended
            with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
                while (line := await self._next_line()) is not None:
                    if line.strip():
                        await self._received(line.removeprefix(codecs.BOM_UTF8))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._idle.wait(), self._grace)

    async def send(self) -> None:
        """Forward the server's messages and note which requests they answer."""
        async with self._outbox:
            async for message in self._outbox:
                await self._write.send(message)
                self._close_call(getattr(message.message, "id", None))
        self.sent.set()

    async def _received(self, line: bytes) -> None:
        if len(line) > MAX_BYTES:
            await self._refuse(
                INVALID_REQUEST, f"the message is larger than {MAX_BYTES:,} bytes", _id_of(line)
            )
            return
        repeated = repeated_in(line)
        if repeated is not None:
            name, identifier = repeated
            await self._refuse(
                INVALID_REQUEST,
                f"the line is not a JSON-RPC 2.0 message: the member '{name}' occurs twice",
                identifier,
            )
            return
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError:  # pydantic's error; its text quotes the input
            await self._refuse_line(line)
            return
        is_doubtful = isinstance(message, JSONRPCNotification) and (
            b'"id"' in line or message.method in REQUESTS
        )
        if is_doubtful and fault_of(json.loads(line)) is not None:
            await self._refuse_line(line)  # a request whose ID is none, or left out
            return
        if isinstance(message, JSONRPCRequest):
            message.params = None if message.params is None else without_nulls(message.params)
            self._open.add(message.id)
            self._idle.clear()
        await self._inbox.send(SessionMessage(message))
        if isinstance(message, JSONRPCNotification) and message.method == _CANCELLED:
            self._close_call((message.params or {}).get("requestId"))

    async def _refuse_line(self, line: bytes) -> None:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            await self._refuse(PARSE_ERROR, "the line is not JSON")
            return
        fault = fault_of(found) or (_HALVES if has_halves(found) else _UNFIT)
        await self._refuse(
            INVALID_REQUEST, f"the line is not a JSON-RPC 2.0 message: {fault}", known_id(found)
        )

    async def _refuse(self, code: int, text: str, identifier: str | int | None = None) -> None:
        error = ErrorData(code=code, message=text)
        await self._write.send(
            SessionMessage(JSONRPCError(jsonrpc="2.0", id=identifier, error=error))
        )

    def _close_call(self, identifier: object) -> None:
        if isinstance(identifier, str | int):
            self._open.discard(identifier)
        if not self._open:
            self._idle.set()

    async def _next_line(self) -> bytes | None:
        """Return the next line; None at the end, or once the process is to stop."""
        line, stop = (
            asyncio.ensure_future(asyncio.to_thread(self._line)),
            asyncio.ensure_future(self._stopping.wait()),
        )
        try:
            await asyncio.wait({line, stop}, return_when=asyncio.FIRST_COMPLETED)
            return line.result() if line.done() and not stop.done() else None
        finally:
            stop.cancel()
            line.cancel()

    def _line(self) -> bytes | None:
        """Return the next line; None at the end. For a line over the limit, return its first and
        last piece, together longer than the limit.
        """
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
async def wired(grace: float, stopping: asyncio.Event) -> AsyncIterator[Wire]:
    """Serve on this process's stdin and stdout; meanwhile actions and their child processes read an
    empty stdin and print to stderr.
    """
    with _stdin() as source, open(os.devnull, encoding="utf-8") as empty:  # noqa: ASYNC230 (the SDK uses stdout only)
        async with stdio_server(stdin=anyio.wrap_file(empty)) as (unused, write):
            await unused.aclose()
            wire = Wire(source, write, grace, stopping)
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
    if sys.stdin is None:  # closed by whoever started the process
        yield io.BytesIO()
        return
    source = sys.stdin.buffer
    if not _is_first(source):
        yield source
        return
    private, empty = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)
    try:
        # not closed: a thread may still be waiting for its next line
        yield os.fdopen(private, "rb", closefd=False)
    finally:
        os.dup2(private, 0)


def _is_first(source: BinaryIO) -> bool:
    try:
        return source.fileno() == 0
    except (OSError, ValueError):
        return False


def _id_of(line: bytes) -> str | int | None:
    """Return the ID of a request that is too large to parse, if it is its first or last member;
    else None.
    """
    found = _FIRST.match(line[:_PIECE]) or _LAST.search(line[-_PIECE:])
    if found is None:
        return None
    try:
        identifier: str | int = json.loads(found[1])
    except ValueError:
        return None
    return identifier


_LOG = logging.getLogger("jackfield.mcp")


def serve_stdio(runtime: Jackfield, tools: McpTools, grace: float) -> None:
    """Serve until stdin ends, or a signal to end arrives. Running requests are then answered, and
    sent ones finish, within ``grace`` seconds.
    """
    index = ActionIndex(runtime.catalog)
    threading.Thread(target=index.build, name="jackfield-index", daemon=True).start()
    calls = _Calls(runtime)
    client = calls.client
    queue, connects = (
        calls.queue if runtime.storage.enabled else None,
        partial(_connects, runtime, client, OpenLinks()),
    )
    call = CallContext(
        runtime,
        client,
        index,
        calls.run,
        asyncio.to_thread,
        lambda: client,
        calls.is_leaving,
        tools,
        queue=queue,
        go_on=calls.go_on,
        connects=connects,
    )
    asyncio.run(_serve(call, calls, grace))


def _connects(runtime: Jackfield, client: Caller, links: OpenLinks) -> ConnectRequests | None:
    """Return the ``ConnectRequests`` for this program's starter, on the pages of a server with the
    same database; None if its address is unknown.
    """
    base = runtime.storage.shared.value(PUBLIC_URL) if runtime.storage.enabled else ""
    sessions = partial(open_sessions, runtime, runtime.clock)
    return (
        ConnectRequests(runtime, client, "", "link", base, actor(), sessions, links)
        if base
        else None
    )


class _Calls:
    """Running invocations: a client may cancel its own, a signal cancels all."""

    def __init__(self, runtime: Jackfield) -> None:
        self._runtime = runtime
        self._running: set[threading.Event] = set()
        self._leaving = False
        self._queued: dict[str, asyncio.Task[None]] = {}
        self.client = replace(caller(), audience="mcp", session=new_invocation_id())
        """The client: a program that an account on this machine has started. Its session ends with
        this process.
        """

    async def run(
        self,
        invocation: Mapping[str, Any],
        _request: str | int | None,
        follow: Follow | None,
        ask_caller: AskCaller | None,
    ) -> Result:
        """Run one invocation."""
        cancelled = threading.Event()
        self._running.add(cancelled)
        how: dict[str, Any] = {
            "wait": True,
            "cancelled": cancelled,
            "caller": self.client,
            "follow": follow,
            "ask_caller": ask_caller,
        }
        try:
            return await self._runtime.ainvoke(invocation, **how)
        finally:
            self._running.discard(cancelled)

    async def queue(self, invocation: Mapping[str, Any]) -> Result | str:
        """Queue one invocation, which ``go_on`` runs.

        :raises JackfieldError: if it is refused.
        """
        return await asyncio.to_thread(
            lambda: self._runtime.enqueue(invocation, caller=self.client)
        )

    def go_on(self, identifier: str) -> None:
        """Run a queued invocation in the background, unless a server with the same database does,
        and poll its job.
        """
        if identifier not in self._queued and not self._leaving:
            task = self._queued[identifier] = asyncio.ensure_future(
                run_to_end(self._runtime, identifier)
            )
            task.add_done_callback(lambda _ended: self._queued.pop(identifier, None))

    async def is_leaving(self) -> bool:
        """Return whether the process is shutting down; waiting requests are then answered at
        once.
        """
        return self._leaving

    def leave(self) -> None:
        """Cancel everything that has not been sent yet."""
        self._leaving = True
        for cancelled in self._running:
            cancelled.set()


async def _serve(call: CallContext, calls: _Calls, grace: float) -> None:
    server = build_server(
        lambda _context: call, instructions(call), has_tasks=call.queue is not None
    )
    stopping = asyncio.Event()

    async def talk() -> None:
        async with wired(grace, stopping) as wire:
            await server.run(wire.read, wire.write, server.create_initialization_options())

    talking = asyncio.ensure_future(talk())
    leaving: list[asyncio.Future[None]] = []

    def leave() -> None:
        calls.leave()
        _LOG.info("stopping: requests already sent have %g seconds to finish", grace)
        stopping.set()
        if not leaving:
            leaving.append(asyncio.ensure_future(_left(call.runtime, talking, grace)))

    with contextlib.suppress(NotImplementedError):  # Windows event loops have no signal handlers
        for number in (signal.SIGTERM, signal.SIGINT, *_hang_up()):
            asyncio.get_running_loop().add_signal_handler(number, leave)
    try:
        with contextlib.suppress(asyncio.CancelledError):  # by a signal, and stdin has ended since
            await talking
    except* (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        # the client reads stdout no more, so it has gone
        leave()
    if leaving:
        await leaving[0]
    if await call.runtime.drained(grace):
        await _exit(call.runtime)


def _hang_up() -> tuple[signal.Signals, ...]:
    """Return the signal of a terminal that closes, which its foreground processes get at once;
    empty where it is to be ignored (``nohup``) or does not exist.
    """
    number: signal.Signals | None = getattr(signal, "SIGHUP", None)
    return () if number is None or signal.getsignal(number) is signal.SIG_IGN else (number,)


async def _left(runtime: Jackfield, talking: asyncio.Future[None], grace: float) -> None:
    """End the service although stdin is open and a thread waits for its next line. Running requests
    are answered within the grace.
    """
    ends = asyncio.get_running_loop().time() + grace
    await asyncio.wait({talking}, timeout=grace)
    talking.cancel()
    await runtime.drained(max(0.0, ends - asyncio.get_running_loop().time()))
    await _exit(runtime)


async def _exit(runtime: Jackfield) -> None:
    """Exit the process at once: threads waiting for stdin, or for an action that does not end,
    would keep it alive.
    """
    await asyncio.to_thread(runtime.storage.close)
    os._exit(0)
