"""``tools/call`` without the SDK's transport, whose streams and tasks for each message cost more
than a small call.

Messages, versions and errors are the SDK's: its own functions validate the requests and shape the
answers. The SDK processes every invalid message, and every other method, completely.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pydantic_core
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import ERROR_CODE_HTTP_STATUS, InboundModernRoute, classify_inbound_request
from mcp_types import (
    DEFAULT_NEGOTIATED_VERSION,
    SERVER_INFO_META_KEY,
    CallToolRequestParams,
    CallToolResult,
)
from mcp_types.methods import validate_client_request
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from jackfield.kernel.exact import read_float
from jackfield_service.shell.requests.json_response import dumps
from jackfield_service.subjects.mcp.progress import Report
from jackfield_service.subjects.mcp.task_methods import TaskMethods, tool_params
from jackfield_service.subjects.mcp.tool_results import to_members
from jackfield_service.subjects.mcp.tool_run import run_tool

if TYPE_CHECKING:
    from jackfield_service.subjects.mcp.call_context import CallContext

Send = Callable[[bytes], None]
"""Function that sends a message to the client before the answer."""
LINKS = b"-url"
"""End of the session IDs of clients that show people links. No session is stored, and the ID comes
with each of their requests.
"""
_METHOD = "tools/call"
_MEMBERS = {"jsonrpc", "id", "method", "params"}
_RARE = ("task", "inputResponses", "requestState")
_JSON = {b"application/json", b"application/*", b"*/*"}


class Serving(Protocol):
    """Part of the SDK's server that answers calls of tools."""

    tasks: TaskMethods

    @property
    def server_info_stamp(self) -> Mapping[str, Any]:
        """Name and version of the server, for each answer."""
        ...


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A valid message. It has the members of the SDK's request context that a handler reads."""

    request_id: int | str
    protocol_version: str
    params: Mapping[str, Any]
    takes_links: bool = False
    """True if the client has declared at its handshake that it shows people links."""

    @property
    def is_modern(self) -> bool:
        """True of a protocol version without a handshake."""
        return self.protocol_version in MODERN_PROTOCOL_VERSIONS

    @property
    def meta(self) -> Mapping[str, Any]:
        """Metadata that the client has sent."""
        found: Mapping[str, Any] = self.params.get("_meta") or {}
        return found


def tool_call(headers: list[tuple[bytes, bytes]], body: bytes) -> ToolCall | None:
    """Read a call of a tool; None if the SDK has to answer the message."""
    given = dict(headers)
    version = given.get(b"mcp-protocol-version", DEFAULT_NEGOTIATED_VERSION.encode()).decode(
        "latin-1"
    )
    is_modern = version in MODERN_PROTOCOL_VERSIONS
    accepted = {
        kind.partition(b";")[0].strip().lower() for kind in given.get(b"accept", b"*/*").split(b",")
    }
    if (
        len(given) != len(headers)
        or accepted.isdisjoint(_JSON)
        or not (is_modern or version in HANDSHAKE_PROTOCOL_VERSIONS)
    ):
        return None
    try:
        message = json.loads(body, parse_float=read_float) if is_modern else _parse_message(body)
        if not _is_plain(message):
            return None
        named = {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
        if is_modern and not isinstance(
            classify_inbound_request(message, headers=named), InboundModernRoute
        ):
            return None
        validate_client_request(_METHOD, version, message["params"])
    except (ValueError, KeyError, RecursionError):  # pydantic's is a ValueError
        return None
    return ToolCall(
        message["id"], version, message["params"], given.get(b"mcp-session-id", b"").endswith(LINKS)
    )


def _parse_message(body: bytes) -> Any:
    """Parse a message by the SDK's rules for older versions of the protocol, but with all digits of
    its numbers.
    """
    message = pydantic_core.from_json(body)
    return json.loads(body, parse_float=read_float) if _has_float(message) else message


def _has_float(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_float, value.values() if isinstance(value, dict) else value))
    return isinstance(value, float)


def _is_plain(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.keys() == _MEMBERS
        and message["jsonrpc"] == "2.0"
        and message["method"] == _METHOD
        and type(message["id"]) in (int, str)
        and isinstance(message["params"], dict)
    )


async def tool_answer(
    server: Serving, call: CallContext, asked: ToolCall, send: Send | None
) -> tuple[int, bytes]:
    """Run the tool. Return the HTTP status and the message of the answer; ``send`` gets progress
    messages, if the client requests them.
    """
    params = asked.params
    envelope = {"jsonrpc": "2.0", "id": asked.request_id}
    report = (
        None
        if send is None or "progressToken" not in asked.meta
        else _reporter(send, asked.meta["progressToken"])
    )
    try:
        found = await run_tool(call, asked, _read(params), report, server.tasks)
    except MCPError as error:
        status = ERROR_CODE_HTTP_STATUS.get(error.error.code, 200) if asked.is_modern else 200
        return status, dumps(
            {
                **envelope,
                "error": error.error.model_dump(mode="json", by_alias=True, exclude_none=True),
            }
        )
    result = to_members(found) if isinstance(found, CallToolResult) else found
    if asked.is_modern:
        result = {
            "resultType": "complete",
            **result,
            "_meta": {SERVER_INFO_META_KEY: server.server_info_stamp},
        }
    return 200, dumps({**envelope, "result": result})


def _read(params: Mapping[str, Any]) -> CallToolRequestParams:
    """Read parameters that the SDK has validated."""
    given: dict[str, Any] = {"name": params["name"], "arguments": params.get("arguments")}
    more = {name: params[name] for name in _RARE if params.get(name) is not None}
    return CallToolRequestParams(**given) if not more else tool_params({**given, **more})


def _reporter(send: Send, token: str | int) -> Report:
    async def report(done: float, total: float | None, text: str) -> None:
        params = {
            "progressToken": token,
            "progress": done,
            **({} if total is None else {"total": total}),
            "message": text,
        }
        send(dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}))

    return report
