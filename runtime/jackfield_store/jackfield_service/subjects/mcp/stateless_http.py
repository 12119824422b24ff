"""Streamable HTTP, one request at a time: the SDK receives a body that has been read and returns a
response to send. No request leaves a session, stream or task behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from jackfield.callers import Caller
from jackfield.callers.actor import Actor
from jackfield_service.subjects.connect.connecting import Connecting
from jackfield_service.subjects.mcp.call_context import CallContext
from jackfield_service.subjects.mcp.connect_requests import ConnectRequests, OpenLinks
from jackfield_service.subjects.mcp.envelope import MessageRefused, plain_body, repetition_in
from jackfield_service.subjects.mcp.instructions import instructions
from jackfield_service.subjects.mcp.sdk_server import build_server
from jackfield_service.subjects.mcp.tool_call import Send, tool_answer, tool_call
from jackfield_store.runtime import Jackfield

_CALL = "jackfield.call"
_JSON = (b"content-type", b"application/json")
"""Content type passed to the SDK; the API has already checked the body's type."""
_ACCEPT = b"accept"
_ANYTHING, _STREAM = b"*/*", b"text/event-stream"
_BAD, _INVALID_PARAMS = 400, -32602
_NO_MESSAGE = (
    b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"the body is no message of '
    b"JSON-RPC 2.0: one object with 'jsonrpc', "
    b"'method' and, in a request, 'id'\"}}"
)
"""Response that replaces the SDK's to unreadable input, which would quote the input and perhaps a
secret.
"""
_VERSION = b"mcp-protocol-version"
_PASSED = b"mcp-"
"""Prefix of the headers passed to the SDK beside ``Accept``; the token is not among them."""


@dataclass(frozen=True, slots=True)
class StatelessResponse:
    """HTTP response of a stateless exchange."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class StatelessExchange:
    """Exchange that answers requests through the SDK, which is imported with this module."""

    def __init__(self, *, has_tasks: bool) -> None:
        self._has_tasks = has_tasks
        self._links = OpenLinks()
        self._server = build_server(_call_of, has_tasks=has_tasks)

    def connect_requests(
        self,
        runtime: Jackfield,
        caller: Caller,
        person: str,
        base: str,
        actor: Actor,
        sessions: Callable[[], Connecting],
    ) -> ConnectRequests:
        """Return the ``ConnectRequests`` for a person who has signed in."""
        return ConnectRequests(runtime, caller, person, "oidc", base, actor, sessions, self._links)

    async def answer(
        self,
        call: CallContext,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        tell: Send | None = None,
    ) -> StatelessResponse:
        """Answer one POST with JSON; ``tell`` gets the messages before the answer. It may run in
        any event loop, since loops share no state here.
        """
        refusal = repetition_in(body)
        if refusal is not None:
            return StatelessResponse(_BAD, {"content-type": "application/json"}, refusal)
        asked = tool_call(_passed(headers), body)
        if asked is not None:
            status, answer = await tool_answer(self._server, call, asked, tell)
            return StatelessResponse(status, {"content-type": "application/json"}, answer)
        given = dict(_passed(headers)).get(_VERSION)
        try:
            body = plain_body(body, None if given is None else given.decode("latin-1"))
        except MessageRefused as refused:
            return StatelessResponse(_BAD, {"content-type": "application/json"}, refused.answer)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/mcp",
            "raw_path": b"/mcp",
            "root_path": "",
            "query_string": b"",
            "headers": _passed(headers),
            _CALL: call,
        }
        sent: list[dict[str, Any]] = []
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if unread:
                return unread.pop()
            # disconnects are handled by the caller of this method
            await asyncio.get_running_loop().create_future()
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        server = self._server
        if b'"initialize"' in body:  # each caller sees what the rules allow
            server = build_server(
                _call_of, await call.briefly(lambda: instructions(call)), has_tasks=self._has_tasks
            )
        manager = StreamableHTTPSessionManager(
            server, json_response=True, stateless=True, max_request_body_size=len(body) + 1
        )
        async with manager.run():
            await manager.handle_request(scope, receive, send)
        return _answer(sent)


def _call_of(context: Any) -> CallContext:
    found: CallContext = context.request.scope[_CALL]
    return found


def _passed(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Select the headers for the SDK, without blanks around the values. A client without
    ``Accept``, or with an empty one, accepts anything (RFC 9110); one that accepts streams gets the
    answer in a stream. A revision that a proxy has repeated counts once, and an empty one is none.
    """
    found = [
        (name, value.strip(b" \t"))
        for name, value in headers
        if name.startswith(_PASSED) and name != _VERSION
    ]
    accepted = b", ".join(
        filter(None, (value.strip(b" \t") for name, value in headers if name == _ACCEPT))
    )
    versions = dict.fromkeys(
        one.strip() for name, value in headers if name == _VERSION for one in value.split(b",")
    )
    found += [(_VERSION, b", ".join(versions))] if any(versions) else []
    is_stream = _STREAM in accepted.lower()
    return [_JSON, (_ACCEPT, _ANYTHING if is_stream or not accepted else accepted), *found]


def _answer(sent: list[dict[str, Any]]) -> StatelessResponse:
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(
        message.get("body", b"") for message in sent if message["type"] == "http.response.body"
    )
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]
    }
    if start["status"] == _BAD and b'"id":null' in body and b'"code":%d' % _INVALID_PARAMS in body:
        body = _NO_MESSAGE
    return StatelessResponse(
        start["status"],
        {name: value for name, value in headers.items() if name != "content-length"},
        body,
    )
