"""``POST /v1/invocations`` from the parser to the runtime, and ``/mcp`` to its endpoint, past ASGI
and Starlette's application, which cost as much as a small call.

A request is plain if its head has no member of ``_SPECIAL`` and its body is small and of known
length. ``Direct.begin`` declines a request that may be refused (an unknown token, an exhausted
limit, a body that is no invocation), and one that a stream may answer. Nothing has been done by
then, and Starlette answers the request instead. So each refusal has one place, and a caller cannot
tell the two ways apart.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from jackfield.callers import may
from jackfield.invocation import Result, patience_of
from jackfield.invocation.file_references import names_files
from jackfield.invocation.wire import parse_json
from jackfield.kernel.clock import note_arrival, within
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.failures import Raised, attempt
from jackfield_service.shell.http.error_responses import error_response
from jackfield_service.shell.http.event_stream import takes_events
from jackfield_service.shell.http.exchange import Exchange
from jackfield_service.shell.http.middleware import (
    COMPRESS_FROM,
    SAFE,
    accepts_gzip,
    compressed,
    note_response,
    stopped,
)
from jackfield_service.shell.http.results import completed, outcome
from jackfield_service.shell.identity.identity import token_of
from jackfield_service.shell.operations.challenges import challenged
from jackfield_service.shell.operations.operation import READING, SURFACE
from jackfield_service.shell.process.server_context import PACED, ServerContext
from jackfield_service.shell.requests.body import ALWAYS_FITS, LARGE, BodyShare, crowded
from jackfield_service.shell.requests.problem import Problem, problem

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from jackfield_service.shell.http.protocol import Bounded
    from jackfield_service.shell.identity.identity import Identity
    from jackfield_service.shell.operations.operation import Operation
    from jackfield_store.runtime import Jackfield

    Start = Callable[[Identity, int | None], None]
    """Starts a request for its caller, as of a reading of the epoch if there is one."""

PATH = "/v1/invocations"
_SPECIAL = frozenset(
    (b"prefer", b"origin", b"expect", b"transfer-encoding", b"upgrade", b"x-forwarded-prefix")
)
"""Headers that Starlette or the middleware processes."""
_GENTLY = 0.1
"""Seconds after an accepted connection in which each iteration of the loop starts only one
invocation.
"""
_KINDS = (None, b"application/json")
_SAFE = b"".join(b"%b: %b\r\n" % header for header in SAFE)
_JSON = b"content-type: application/json\r\n"
_GZIP = b"content-encoding: gzip\r\n"
_OURS = {b"content-length", b"x-request-id", *(name for name, _ in SAFE)}
_REFUSALS = (JackfieldError, Problem, MemoryError, RuntimeError)


class Direct:
    """Server of plain requests in one process, for the given operations, by path."""

    def __init__(self, server: ServerContext, operations: Iterable[Operation]) -> None:
        self._server = server
        settings = server.settings
        self._longest = min(settings.max_body, ALWAYS_FITS)
        self._turns: deque[Callable[[], None]] = deque()
        self._gently_until = 0.0
        self._vary = ("X-Forwarded-Prefix",) if settings.behind_proxy else ()
        # addresses in answers get the prefix in the middleware, and a proxy's addresses are put in
        # their place there
        off = bool(settings.root_path)
        self._plain = {
            item.path.encode(): item
            for item in operations
            if not off and (item.path == PATH or not settings.behind_proxy)
        }

    def taken(self, protocol: Bounded) -> Exchange | None:
        """Return the exchange of a request whose head is complete; None if it is not plain, or has
        to wait for an earlier answer.
        """
        operation = self._plain.get(protocol.url)
        if (
            operation is None
            or protocol.parser.get_method() != b"POST"
            or protocol.parser.get_http_version() != "1.1"
        ):
            return None
        earlier: Any = protocol.cycle  # None before the first request
        if (earlier is not None and not earlier.response_complete) or protocol.flow.write_paused:
            return None
        given = dict(protocol.headers)
        if operation.path == PATH and takes_events(given.get(b"accept", b"").decode("latin-1")):
            return None
        length = given.get(b"content-length", b"")
        if (
            len(given) != len(protocol.headers)
            or not given.keys().isdisjoint(_SPECIAL)
            or given.get(b"content-type") not in _KINDS
        ):
            return None
        if not length.isdigit() or int(length) > self._longest:
            return None
        keep_alive, started = protocol.parser.should_keep_alive(), self._server.clock.monotonic()
        return Exchange(
            protocol, operation, given, keep_alive=keep_alive, started=started, stop=self._stopped
        )

    def begin(self, exchange: Exchange) -> bool:
        """Begin a request whose body is complete; return False, with nothing done, if Starlette has
        to answer it.
        """
        server, text = (
            self._server,
            token_of(exchange.given.get(b"authorization", b"").decode("latin-1")),
        )
        identities = server.identities_for(over_mcp=exchange.operation.over_mcp)
        known = identities.cached(text)
        identity = known if known is not None else identities.last(text)
        if identity is None or identity.suspended or server.requests.is_full:
            return False
        if not may(identity.scope, exchange.operation.scope or "read"):
            return False
        runtime = server.runtimes.known(identity.workspace)
        if runtime is None or not runtime.is_open:
            return False
        try:
            start = (
                self._invocation(exchange, runtime)
                if exchange.operation.path == PATH
                else self._served(exchange)
            )
            if start is None:
                return False
            server.pace(identity, exchange.scope)
            server.requests.begin()
            is_taken = False
            try:
                server.requests.take(identity.workspace, exchange.protocol)
                is_taken = True
            finally:
                if not is_taken:
                    server.requests.end()
        except _REFUSALS:
            return False
        exchange.scope["jackfield.workspace"], exchange.scope[SURFACE] = (
            identity.workspace,
            identity.surface,
        )
        exchange.protocol.tasks.add(exchange)  # type: ignore[arg-type]  # uvicorn waits for it, and may cancel it
        self._in_turn(
            partial(self._run, exchange, start, known)
            if known is not None
            else partial(self._confirm, exchange, start, text)
        )
        return True

    def _in_turn(self, start: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        if self._turns or loop.time() < self._gently_until:
            if not self._turns:
                loop.call_soon(self._turn)
            self._turns.append(start)
        else:
            start()

    def accepted(self, now: float) -> None:
        """Process a connection accepted at ``now`` (the loop's time).

        The loop accepts one connection in each iteration. If all arrived invocations ran in one
        iteration, as refused ones do, the last of many simultaneous callers would wait for as many
        iterations as there are callers.
        """
        self._gently_until = now + _GENTLY

    def lost(self, protocol: Bounded) -> None:
        """Note that a connection is closed."""
        self._server.requests.disconnected(protocol)

    def _turn(self) -> None:
        """Start the invocation that has waited longest, and leave the other invocations to later
        iterations of the loop. Start all if no connection was accepted lately.
        """
        loop = asyncio.get_running_loop()
        at_once = 1 if loop.time() < self._gently_until else len(self._turns)
        for start in [self._turns.popleft() for _ in range(at_once)]:
            start()
        if self._turns:
            loop.call_soon(self._turn)

    def _invocation(self, exchange: Exchange, runtime: Jackfield) -> Start | None:
        """Return the function that begins the invocation in a body; None if the body is not plain.

        :raises JackfieldError: if the body is no invocation.
        """
        given, metrics, arrived = (
            exchange.given,
            self._server.metrics,
            self._server.clock.monotonic(),
        )
        body = parse_json(exchange.body)
        if (
            not isinstance(body, dict)
            or names_files(body.get("inputs"))
            or crowded(body, len(exchange.body))
        ):
            return None
        key, trace, identifier = (
            _text(given, b"idempotency-key"),
            _text(given, b"traceparent"),
            _text(given, b"x-request-id"),
        )
        invocation = completed(body, key, trace, identifier)
        exchange.patience = patience_of(invocation)

        def start(identity: Identity, reading: int | None) -> None:
            exchange.body = b""
            left, caller = exchange.cancelled, identity.caller
            running = runtime.begin(
                invocation,
                cancelled=left,
                caller=caller,
                named=exchange.name,
                reading=reading,
                arrived=arrived,
            )
            metrics.running.inc()
            running.add_done_callback(ended)

        def ended(running: asyncio.Task[Result]) -> None:
            metrics.running.dec()
            self._ended(exchange, self._give, running)

        return start

    def _served(self, exchange: Exchange) -> Start | None:
        """Return the function that calls a request's endpoint; None if the endpoint has to wait for
        the search index, or may stream.
        """
        server, marker = self._server, exchange.operation.streamed_by
        if not server.is_indexed or (marker and marker in exchange.body):
            return None
        request = exchange.request()

        def start(identity: Identity, reading: int | None) -> None:
            request.scope["jackfield.computed"], request.scope[READING] = server.computed, reading
            serving = exchange.serving = exchange.protocol.loop.create_task(
                _answer(exchange.operation, request, server, identity)
            )
            serving.add_done_callback(partial(self._ended, exchange, self._respond))

        return start

    def _confirm(self, exchange: Exchange, start: Start, text: str) -> None:
        """Check the caller's token in the query that all requests of this tick share; then call
        ``start``.
        """
        asking = exchange.protocol.loop.create_task(self._confirmed_in_time(exchange, text))
        asking.add_done_callback(partial(self._confirmed, exchange, start))

    async def _confirmed_in_time(
        self, exchange: Exchange, text: str
    ) -> tuple[Identity, int | None]:
        identities, partly = (
            self._server.identities_for(over_mcp=exchange.operation.over_mcp),
            exchange.operation.describes == "partly",
        )
        remembered = await identities.remembered(text) if partly else None
        if remembered is not None:
            return remembered.identity, None if remembered.is_present else remembered.reading
        with within(exchange.patience):
            identity, reading = await identities.confirmed(text)
        return identity, None if partly else reading

    def _confirmed(
        self, exchange: Exchange, start: Start, asked: asyncio.Task[tuple[Identity, int | None]]
    ) -> None:
        def begin(identity: Identity, reading: int | None) -> None:
            identity.require(exchange.operation.scope or "read")
            start(identity, reading)

        found = attempt(asked.result)
        if exchange.response_started:  # by `_stopped`
            self._leave(exchange)
        elif isinstance(found, Raised):
            self._leave(exchange)
            self._fail(exchange, found.error)
        else:
            self._run(exchange, begin, *found)

    def _run(
        self, exchange: Exchange, start: Start, identity: Identity, reading: int | None = None
    ) -> None:
        failed = attempt(start, identity, reading)
        if isinstance(failed, Raised):
            self._leave(exchange)
            self._fail(exchange, failed.error)

    def _ended(
        self, exchange: Exchange, give: Callable[[Exchange, Any], None], task: asyncio.Task[Any]
    ) -> None:
        self._leave(exchange)
        exchange.message_event.set()
        error = None if task.cancelled() else task.exception()
        if task.cancelled():
            self._stopped(exchange)
        elif not exchange.response_started:  # by `_stopped`
            given = (
                Raised(error)
                if isinstance(error, Exception)
                else attempt(give, exchange, task.result())
            )
            if isinstance(given, Raised):
                self._fail(exchange, given.error)

    def _leave(self, exchange: Exchange) -> None:
        self._server.requests.end()
        self._server.requests.give(exchange.scope["jackfield.workspace"])
        exchange.protocol.tasks.discard(exchange)

    def _fail(self, exchange: Exchange, error: Exception) -> None:
        if isinstance(error, Problem):
            given = exchange.given.get(b"authorization", b"").decode("latin-1")
            error = challenged(self._server, exchange.operation, error, token_of(given))
        if not exchange.response_started:
            self._respond(
                exchange,
                error_response(
                    self._server,
                    error,
                    exchange.identifier.decode(),
                    exchange.scope.get(SURFACE, "http"),
                ),
            )

    def _stopped(self, exchange: Exchange) -> None:
        """Answer a request that still runs at the stop deadline; the journal has its invocation's
        outcome.
        """
        exchange.message_event.set()
        if exchange.serving is not None:
            exchange.serving.cancel()
        if not exchange.response_started:
            self._respond(exchange, problem(stopped(exchange.invocation_id)))

    def _give(self, exchange: Exchange, result: Result) -> None:
        self._server.metrics.note(result)
        status, headers, body = outcome(result, exchange.scope[SURFACE])
        exchange.name(result.meta.invocation_id)
        if result.error is not None:
            exchange.scope["jackfield.error_code"] = result.error.code
        lines = (
            b"".join(
                b"%b: %b\r\n" % (name.lower().encode(), value.encode())
                for name, value in headers.items()
            )
            if headers
            else b""
        )
        self._write(exchange, status, _JSON + lines, body)

    def _respond(self, exchange: Exchange, response: Response) -> None:
        lines = (
            b"%b: %b\r\n" % header for header in response.raw_headers if header[0] not in _OURS
        )
        self._write(exchange, response.status_code, b"".join(lines), bytes(response.body))

    def _write(self, exchange: Exchange, status: int, lines: bytes, body: bytes) -> None:
        """Send an answer, compressed by the middleware's rules."""
        exchange.response_started = True
        if len(body) < COMPRESS_FROM:
            self._send(exchange, status, lines, body, self._vary)
            return
        give = partial(self._send, exchange, status, vary=("Accept-Encoding", *self._vary))
        if not accepts_gzip(exchange.given.get(b"accept-encoding", b"")):
            give(lines, body)
        elif len(body) < LARGE:
            give(_GZIP + lines, compressed(body))
        else:
            packing = exchange.protocol.loop.run_in_executor(None, compressed, body)
            exchange.protocol.tasks.add(packing)  # type: ignore[arg-type]  # uvicorn waits for it
            packing.add_done_callback(exchange.protocol.tasks.discard)
            packing.add_done_callback(lambda packed: give(_GZIP + lines, packed.result()))

    def _send(
        self, exchange: Exchange, status: int, lines: bytes, body: bytes, vary: Iterable[str]
    ) -> None:
        varied = ", ".join(vary)
        head = b"%b%bcontent-length: %d\r\n%bx-request-id: %b\r\n%b%b%b\r\n" % (
            STATUS_LINE[status],
            b"".join(
                [
                    b"%b: %b\r\n" % header
                    for header in exchange.protocol.server_state.default_headers
                ]
            ),
            len(body),
            lines + b"".join([b"%b: %b\r\n" % field for field in exchange.scope.get(PACED, ())]),
            exchange.identifier,
            _SAFE,
            b"vary: %b\r\n" % varied.encode() if varied else b"",
            b"" if exchange.keep_alive else b"connection: close\r\n",
        )
        note_response(
            self._server,
            "POST",
            exchange.operation.path,
            status,
            exchange.identifier,
            exchange.started,
            exchange.scope,
        )
        exchange.protocol.send_whole(exchange, head + body)


async def _answer(
    operation: Operation, request: Request, server: ServerContext, identity: Identity
) -> Response:
    note_arrival(server.clock.monotonic())
    share = request.scope["jackfield.room"] = BodyShare(server.room)
    try:
        return await operation.endpoint(request, server, identity)
    finally:
        share.release()


def _text(given: dict[bytes, bytes], name: bytes) -> str | None:
    value = given.get(name)
    return None if value is None else value.decode("latin-1")
