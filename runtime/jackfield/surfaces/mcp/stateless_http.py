"""Streamable HTTP, one request at a time: the SDK gets a body that has been read, and gives an answer to send. No request leaves a session,
a stream or a task behind."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from jackfield.surfaces.mcp.instructions import instructions
from jackfield.surfaces.mcp.server import build_server

if TYPE_CHECKING:
    from jackfield.surfaces.mcp.call_context import CallContext

__all__ = ["Answer", "Exchange"]

_VISIT = "jackfield.visit"
_JSON = (b"content-type", b"application/json")
"""The API has looked at the body's type before."""
_ANYTHING = (b"accept", b"*/*")
_BAD, _INVALID_PARAMS = 400, -32602
_NO_MESSAGE = (
    b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"the body is no message of JSON-RPC 2.0: one object with \'jsonrpc\', '
    b"'method' and, in a request, 'id'\"}}"
)
"""Where the SDK would quote what it cannot read, which may hold a secret."""
_PASSED = (b"accept", b"mcp-")
"""Beginnings of the headers that the SDK sees: not the token."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Exchange:
    """Answers requests by the SDK, which is imported with this module."""

    def __init__(self) -> None:
        self._server = build_server(_visit)

    async def answer(self, visit: CallContext, headers: list[tuple[bytes, bytes]], body: bytes) -> Answer:
        """The answer to one POST: JSON, never a stream. May run in any event loop, since it shares nothing with another one."""
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/mcp",
            "raw_path": b"/mcp", "root_path": "", "query_string": b"", "headers": _passed(headers), _VISIT: visit,
        }  # fmt: skip
        sent: list[dict[str, Any]] = []
        unread = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> dict[str, Any]:
            if unread:
                return unread.pop()
            await asyncio.get_running_loop().create_future()  # the caller's leaving is looked after elsewhere
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        server = self._server
        if b'"initialize"' in body:  # each caller sees what the rules let them see
            server = build_server(_visit, await visit.briefly(lambda: instructions(visit)))
        manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True, max_request_body_size=len(body) + 1)
        async with manager.run():
            await manager.handle_request(scope, receive, send)
        return _answer(sent)


def _visit(context: Any) -> CallContext:
    found: CallContext = context.request.scope[_VISIT]
    return found


def _passed(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What the SDK looks at. Who does not say what they accept takes anything (RFC 9110)."""
    found = [(name, value) for name, value in headers if name.startswith(_PASSED)]
    return [_JSON, *found] if any(name == b"accept" for name, _ in found) else [_JSON, _ANYTHING, *found]


def _answer(sent: list[dict[str, Any]]) -> Answer:
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in start["headers"]}
    if start["status"] == _BAD and b'"id":null' in body and b'"code":%d' % _INVALID_PARAMS in body:
        body = _NO_MESSAGE
    return Answer(start["status"], {name: value for name, value in headers.items() if name != "content-length"}, body)
