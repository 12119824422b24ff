"""Route ``/mcp``: the Model Context Protocol over streamable HTTP. It has no sessions, so that any
process of a server can answer any request.

Tokens, scopes, rate limits, body limits and request IDs work as on every other route. The SDK is an
extra that takes a second to import; a thread imports it at the first request.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from jackfield.call.how import Follow
from jackfield.callers import Caller, may
from jackfield.invocation import Result, check_values
from jackfield.kernel.errors import LimitReached, NotAllowed, Unavailable
from jackfield_service.shell.browsers.origins import check_origin
from jackfield_service.shell.identity.identity import Identity, bearer
from jackfield_service.shell.operations.challenges import METADATA, resource_metadata
from jackfield_service.shell.operations.file_weight import weight_of
from jackfield_service.shell.operations.operation import READING, Operation
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_service.shell.requests.body import LARGE, computed, crowded, read_body, take_room
from jackfield_service.shell.requests.correlation import traced
from jackfield_service.shell.requests.disconnect import cancelling
from jackfield_service.shell.requests.json_response import answer
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.shell.requests.streamed import Streamed
from jackfield_service.subjects.connect.operations import connecting
from jackfield_service.subjects.mcp.call_context import DESCRIBING, CallContext
from jackfield_service.subjects.mcp.tool_names import LOOKING
from jackfield_store.runtime import Jackfield

if TYPE_CHECKING:
    from jackfield.connector.context import AskCaller
    from jackfield_service.subjects.mcp.connect_requests import ConnectRequests
    from jackfield_service.subjects.mcp.stateless_http import StatelessExchange, StatelessResponse
    from jackfield_service.subjects.mcp.tool_call import Send

_SILENCE = 15.0
"""Seconds without a message after which a comment is sent: proxies end requests that are silent."""
_COMMENT = b": waiting\n\n"
_STREAM = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Header fields that make proxies forward events at once."""
_EVENTS, _DOCUMENTS = "text/event-stream", frozenset({"application/json", "application/*", "*/*"})
_CANCEL = "tasks/cancel"
_CANCELLED, _TOKEN = b"notifications/cancelled", b'"progressToken"'
_LINKS = "-url"
_SESSION_ID = "Mcp-Session-Id"
_SESSION = re.compile(rf"[0-9a-f]{{32}}(?:{_LINKS})?\Z")
_SMALL = 64 * 1024
"""Size in bytes up to which a message is searched for a handshake or a cancellation."""

_DESCRIPTIONS = ("initialize", "notifications/initialized", "ping", "server/discover", "tools/list")
"""Methods that need no database."""

Key = tuple[str, str, str, str | int]


def mcp_operations(server: ServerContext) -> list[Operation]:
    """List the operation, guarded like the operations of the route table. It is not in OpenAPI,
    which cannot describe its messages.
    """
    serve, summary, answers = (
        Door(server).serve,
        "The Model Context Protocol.",
        {200: "Message", 202: ""},
    )
    about = "Where clients of MCP get a token (RFC 9728)."
    return [
        *(  # many clients write the address with a slash at its end
            Operation(
                "POST",
                path,
                serve,
                "read",
                "mcp",
                summary,
                answers,
                body="Message",
                describes="partly",
                over_mcp=True,
                streamed_by=_TOKEN,
            )
            for path in ("/mcp", "/mcp/")
        ),
        *(
            Operation("GET", path, _metadata, None, "resourceMetadata", about, {200: "Message"})
            for path in (METADATA, f"{METADATA}/mcp")
        ),
    ]


async def _metadata(_request: Request, server: ServerContext, _identity: Identity) -> Response:
    found = resource_metadata(server)
    if found is None:
        raise Problem(
            404, "this server has no identity provider for clients of MCP, or no public URL"
        )
    return answer(found)


class Door:
    """Endpoint of MCP requests. It tracks the running requests of this process, so that an older
    client can cancel one by another request.
    """

    def __init__(self, server: ServerContext) -> None:
        self._server = server
        self._loading: asyncio.Future[StatelessExchange] | None = None
        self._running: dict[Key, threading.Event] = {}

    async def serve(
        self,
        request: Request,
        server: ServerContext,
        identity: Identity,
        body: bytes | None = None,
        *,
        is_silent: bool = False,
    ) -> Response:
        """Serve ``POST /mcp``; ``is_silent`` while the database does not answer."""
        if body is None and (reading := request.scope.get(READING)) is not None:
            return await self._as_of(reading, request, server, identity)
        check_origin(request, server.settings, server.public_url)
        _check_session(request)
        exchange = await self._loaded()
        runtime = await server.opened(identity.workspace)
        body = await read_body(request, server.settings.max_body) if body is None else body
        await computed(request, partial(check_values, body)) if len(
            body
        ) >= LARGE else check_values(body)
        if identity.kind == "user" and not may(identity.scope, "invoke") and _runs(body):
            # its provider may give a token with more: the client asks the person
            identity.require("invoke")
        message = _peeked(body)
        if message.get("method") == _CANCELLED.decode() and "id" not in message:
            self._cancel(request, identity, message)
            return Response(status_code=202)
        call = _Call(
            self, server, runtime, identity, request, large=len(body) >= LARGE, is_silent=is_silent
        )
        if _TOKEN in body and call.takes_progress():
            return await _with_progress(
                request, call, lambda send: call.answered(exchange, body, send)
            )
        with cancelling(request, call.cancelled):
            found = await call.answered(exchange, body)
        response = call.response(found)
        if message.get("method") == "initialize" and "result" in json.loads(found.body):
            response.headers[_SESSION_ID] = (
                f"{secrets.token_hex(16)}{_LINKS if _shows_links(message) else ''}"
            )
        return response

    async def _as_of(
        self, reading: int, request: Request, server: ServerContext, identity: Identity
    ) -> Response:
        """Serve a caller whose identity is from a reading of the epoch: at once if the message
        needs no database, else once the database has confirmed the token.
        """
        body = await read_body(request, server.settings.max_body)
        if _describes(body):
            with server.storage.held(reading):
                return await self.serve(request, server, identity, body, is_silent=True)
        identity, _ = await server.mcp_identities.confirmed(bearer(request))
        identity.require("read")
        return await self.serve(request, server, identity, body)

    async def _loaded(self) -> StatelessExchange:
        """Return the exchange; import the SDK once.

        :raises Problem: 501 if it is not installed.
        """
        if self._loading is None:
            self._loading = asyncio.ensure_future(self._server.slowly(self._import))
        try:
            return await asyncio.shield(self._loading)
        except ImportError as error:
            raise Problem(
                501,
                f"MCP needs the extra 'mcp': the package '{error.name}' is not installed: pip "
                "install 'jackfield[mcp]'",
            ) from None

    def _import(self) -> StatelessExchange:
        found = _load()(has_tasks=self._server.storage.enabled)
        self._server.imported()
        return found

    def _cancel(self, request: Request, identity: Identity, message: Mapping[str, Any]) -> None:
        params = message.get("params")
        key = _key(request, identity, params.get("requestId") if isinstance(params, dict) else None)
        event = self._running.get(key) if key is not None else None
        if event is not None:
            event.set()

    @contextmanager
    def running(self, key: Key | None, cancelled: threading.Event) -> Iterator[None]:
        """Register an invocation under its request's id while it runs."""
        if key is None:
            yield
            return
        self._running[key] = cancelled
        try:
            yield
        finally:
            if self._running.get(key) is cancelled:
                del self._running[key]


class _Call:
    def __init__(
        self,
        door: Door,
        server: ServerContext,
        runtime: Jackfield,
        identity: Identity,
        request: Request,
        *,
        large: bool,
        is_silent: bool,
    ) -> None:
        self.cancelled = threading.Event()
        self.refusal: LimitReached | None = None
        """Set if a limit of the workspace refused the tool's call: the response is 429 then."""
        self._door = door
        self._server = server
        self._runtime = runtime
        self._identity = identity
        self._caller = identity.caller_as("mcp")
        self._request = request
        self._large = large
        self._is_silent = is_silent
        """True while the database does not answer: descriptions are then read in threads in which
        no call waits for it.
        """
        self._files = 0
        """Total size in bytes of the files that the inputs refer to."""

    def takes_progress(self) -> bool:
        """Return whether the client accepts a stream of events. The progress of a large request is
        not reported.
        """
        return not self._large and _EVENTS in self._accepted

    @property
    def _accepted(self) -> set[str]:
        """The media types that the client accepts, from all lines of its header."""
        lines = self._request.headers.getlist("accept")
        return {one.partition(";")[0].strip().lower() for line in lines for one in line.split(",")}

    async def answered(
        self, exchange: StatelessExchange, body: bytes, send: Send | None = None
    ) -> StatelessResponse:
        """Let the SDK answer the request. A large request is processed entirely in a thread, so as
        not to block the event loop.
        """
        server = self._server

        def origin() -> str:
            return server.seen(self._request)

        waits = (
            nullcontext
            if self._large
            else partial(
                server.requests.waiting, self._identity.holder, self._identity.id, reads=False
            )
        )
        look = server.slowly if self._is_silent else server.briefly
        call = CallContext(
            self._runtime,
            self._caller,
            server.search,
            self._run,
            look,
            self._current,
            self._left,
            server.settings.mcp_tools,
            waits,
            origin,
            self._is_silent,
            self._queue if server.storage.enabled else None,
            connects=partial(self._connects, exchange),
        )
        headers = self._request.scope["headers"]
        if self._large:
            return await asyncio.shield(
                server.slowly(lambda: asyncio.run(exchange.answer(call, headers, body)))
            )
        return await exchange.answer(call, headers, body, send)

    def response(self, found: StatelessResponse) -> Response:
        """Build the HTTP response. A call that a limit of the workspace has refused gets status
        429, as on every other route; its tool result tells the model the same. A client that
        accepts streams alone gets a stream of one event.
        """
        if self.refusal is not None:
            return Response(
                found.body, self.refusal.http_status, {**dict(found.headers), "Retry-After": "1"}
            )
        if (
            found.status == 200
            and _EVENTS in (accepted := self._accepted)
            and accepted.isdisjoint(_DOCUMENTS)
        ):
            return Response(
                _event(found.body), 200, {**dict(found.headers), **_STREAM, "content-type": _EVENTS}
            )
        return Response(found.body, found.status, dict(found.headers))

    def _current(self) -> Caller:
        """Return the caller, looked up again.

        :raises NotAllowed: if the token has ended, or the workspace is suspended.
        """
        try:
            identity = self._server.mcp_identities.of(bearer(self._request))
            identity.require("read")
        except Problem as problem:
            raise NotAllowed(problem.detail) from None
        return identity.caller_as("mcp")

    async def _left(self) -> bool:
        return self.cancelled.is_set() or self._server.stopping

    def _connects(self, exchange: StatelessExchange) -> ConnectRequests | None:
        """Return the ``ConnectRequests`` for the calling person; None unless the console knows that
        person from the same provider.
        """
        server, identity, people, jwt = (
            self._server,
            self._identity,
            self._server.people,
            self._server.settings.jwt,
        )
        if (
            identity.kind != "user"
            or people is None
            or jwt is None
            or jwt.issuer != people.provider.issuer
            or not server.public_url
        ):
            return None
        sessions = partial(connecting, server, identity.workspace)
        return exchange.connect_requests(
            self._runtime,
            self._caller,
            f"{jwt.issuer}|{identity.id}",
            server.public_url,
            identity.actor,
            sessions,
        )

    async def _queue(self, invocation: Mapping[str, Any]) -> Result | str:
        """Queue an invocation for the workers.

        :raises JackfieldError: if it is refused.
        """
        server, runtime = self._server, self._runtime
        given = traced(invocation, self._request.headers.get("traceparent"))
        try:
            found = await server.slowly(partial(runtime.enqueue, given, caller=self._caller))
        except LimitReached as error:
            self.refusal = error
            raise
        self._name(found.meta.invocation_id if isinstance(found, Result) else found)
        server.wake()
        return found

    async def _run(
        self,
        invocation: Mapping[str, Any],
        identifier: str | int | None,
        follow: Follow | None,
        ask_caller: AskCaller | None,
    ) -> Result:
        server, identity = self._server, self._identity
        given = traced(invocation, self._request.headers.get("traceparent"))
        has_many = not self._large and crowded(given)  # a thread of its own handles a large request
        self._weigh(await weight_of(given, server, identity, large=has_many))
        server.metrics.running.inc()
        try:
            with self._door.running(_key(self._request, identity, identifier), self.cancelled):
                result = await self._invoked(given, follow, ask_caller, has_many=has_many)
        finally:
            server.metrics.running.dec()
        server.metrics.note(result)
        self.refusal = result.error if isinstance(result.error, LimitReached) else None
        self._request.scope["jackfield.invocation_id"] = result.meta.invocation_id
        return result

    async def _invoked(
        self,
        given: Mapping[str, Any],
        follow: Follow | None,
        ask_caller: AskCaller | None,
        *,
        has_many: bool,
    ) -> Result:
        how: dict[str, Any] = {
            "cancelled": self.cancelled,
            "caller": self._caller,
            "named": self._name,
            "follow": follow,
            "wait": True,
            "ask_caller": ask_caller,
        }
        if self._large:  # the thread and its event loop belong to this request
            return self._runtime.invoke(given, **how, on_time=True)
        if has_many or self._files >= LARGE:
            return await asyncio.shield(
                self._server.slowly(lambda: self._runtime.invoke(given, **how, on_time=True))
            )
        return await asyncio.shield(self._runtime.begin(given, **how))

    def _name(self, identifier: str) -> None:
        """Record the invocation's ID while it runs, for the response of a server that stops."""
        self._request.scope["jackfield.invocation_id"] = identifier

    def _weigh(self, size: int) -> None:
        """Reserve quota for the files that inputs refer to, as for bodies.

        :raises Unavailable: if the quota is exhausted.
        """
        self._files += size
        try:
            take_room(self._request, size, size)
        except Problem as full:
            raise Unavailable(full.detail, hint="Try again in a moment.", retry_after=1.0) from None


def _load() -> type[StatelessExchange]:
    from jackfield_service.subjects.mcp.stateless_http import StatelessExchange

    return StatelessExchange


def _peeked(body: bytes) -> Mapping[str, Any]:
    """Parse the message if it is small and may be a handshake or a cancellation of an older client;
    else return an empty object.
    """
    if len(body) > _SMALL or not (_CANCELLED in body or b'"initialize"' in body):
        return {}
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _describes(body: bytes) -> bool:
    """Return whether a message is a notification, or requests only descriptions: a handshake, a
    list of tools, a search, a guide.
    """
    if len(body) > _SMALL:
        return False
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(found, dict):
        return False
    method, params = found.get("method"), found.get("params")
    if method != "tools/call" or not isinstance(params, dict):
        return method in _DESCRIPTIONS
    given = params.get("arguments")
    return params.get("name") in DESCRIBING and not (
        isinstance(given, dict) and "connection" in given
    )


def _runs(body: bytes) -> bool:
    """Return whether a message calls a tool that runs an action, or cancels a call."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if isinstance(found, dict) and found.get("method") == _CANCEL:
        return True
    params = (
        found.get("params")
        if isinstance(found, dict) and found.get("method") == "tools/call"
        else None
    )
    return isinstance(params, dict) and params.get("name") not in LOOKING


def _shows_links(message: Mapping[str, Any]) -> bool:
    """Return whether a client declares at its handshake that it shows people links."""
    found: Any = message
    for name in ("params", "capabilities", "elicitation", "url"):
        found = found.get(name) if isinstance(found, Mapping) else None
    return isinstance(found, Mapping)


def _check_session(request: Request) -> None:
    """Refuse a request of two sessions, whose cancellation would find the wrong call. A session
    that a proxy has repeated counts once.

    :raises Problem: 400 for two sessions.
    """
    if len(_sessions(request)) > 1:
        raise Problem(
            400,
            f"the header field '{_SESSION_ID}' names more than one session: send the one of your "
            "handshake alone",
        )


def _sessions(request: Request) -> list[str]:
    return [
        *dict.fromkeys(
            one.strip()
            for value in request.headers.getlist(_SESSION_ID)
            for one in value.split(",")
        )
    ]


def _key(request: Request, identity: Identity, identifier: object) -> Key | None:
    """Return the key of a running request: its caller, the session assigned at the client's
    handshake, and its ID there. None without a session: current clients cancel by disconnecting.
    """
    session = "".join(_sessions(request))
    if (
        not _SESSION.match(session)
        or not isinstance(identifier, str | int)
        or isinstance(identifier, bool)
    ):
        return None
    return identity.workspace, identity.id, session, identifier


async def _with_progress(
    request: Request, call: _Call, begin: Callable[[Send], Awaitable[StatelessResponse]]
) -> Response:
    """Return the answer of ``begin``. If a message precedes the answer, or 15 seconds pass without
    one, return an event stream that ends with the answer. The call is cancelled when the client
    disconnects.
    """
    messages: asyncio.Queue[bytes | None] = asyncio.Queue()
    with ExitStack() as watching:
        watching.enter_context(cancelling(request, call.cancelled))
        answering = asyncio.ensure_future(begin(messages.put_nowait))
        answering.add_done_callback(lambda _ended: messages.put_nowait(None))
        try:
            first = await asyncio.wait_for(messages.get(), _SILENCE)
        except TimeoutError:
            first = _COMMENT
        if first is not None:
            return Streamed(
                _events(first, messages, answering, watching.pop_all()), 200, _STREAM, _EVENTS
            )
    return call.response(await answering)


async def _events(
    first: bytes,
    messages: asyncio.Queue[bytes | None],
    answering: asyncio.Future[StatelessResponse],
    watching: ExitStack,
) -> AsyncGenerator[bytes]:
    message: bytes | None = first
    with watching:
        while message is not None:
            yield message if message is _COMMENT else _event(message)
            try:
                message = await asyncio.wait_for(messages.get(), _SILENCE)
            except TimeoutError:
                message = _COMMENT
        yield _event((await answering).body)


def _event(message: bytes) -> bytes:
    return b"event: message\ndata: %s\n\n" % message
