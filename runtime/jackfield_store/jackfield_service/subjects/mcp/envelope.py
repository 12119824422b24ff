"""Faults of messages, in words that name the member and the reason. No value is quoted, since it
may be a secret.

The SDK misreads values that its types accept, and only reports that something is not valid.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PROTOCOL_VERSION_META_KEY,
    UNSUPPORTED_PROTOCOL_VERSION,
)
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from jackfield.invocation.wire import repeated_members
from jackfield.kernel.pointers import pointer

_KNOWN = (*HANDSHAKE_PROTOCOL_VERSIONS, *MODERN_PROTOCOL_VERSIONS)
_INVALID = "Invalid request parameters"
_NOTIFICATIONS = "notifications/"
REQUESTS = frozenset(
    {
        "initialize",
        "ping",
        "server/discover",
        "tools/list",
        "tools/call",
        "resources/list",
        "resources/read",
        "resources/templates/list",
        "tasks/get",
        "tasks/result",
        "tasks/list",
        "tasks/cancel",
        "tasks/update",
    }
)
"""Methods of requests: a client that sends one without an ID would wait for an answer that nobody
sends.
"""
_CALL = "tools/call"
_KINDS = {
    type(None): "null",
    bool: "true or false",
    list: "a list",
    dict: "an object",
    float: "a fraction",
    int: "a number",
    str: "a text",
}
_EXPECTED = {
    "missing": "is missing",
    "string_type": "must be a text",
    "dict_type": "must be an object",
    "list_type": "must be a list",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "mapping_type": "must be an object",
}
_LONGEST = 40
_BRANCHES = ("str", "int")


def fault_of(message: object) -> str | None:
    """Return the reason why a received value is not a message of JSON-RPC 2.0; None for a valid
    message.
    """
    if not isinstance(message, Mapping):
        return f"it is {_KINDS[type(message)]}, and must be one object"
    method, params = message.get("method"), message.get("params")
    if message.get("jsonrpc") != "2.0":
        return "the member 'jsonrpc' must be '2.0'"
    if "method" not in message and not {"result", "error"}.isdisjoint(message):
        return None  # an answer of the client
    if "id" not in message and method in REQUESTS:
        return "the member 'id' is missing, by which its answer is known"
    identifier = message.get("id", "")
    found = [
        None if isinstance(method, str) else ("method", "a text", method),
        None if params is None or isinstance(params, dict) else ("params", "an object", params),
        None if _is_id(identifier, method) else ("id", "a text or a whole number", identifier),
    ]
    return next(
        (
            f"the member '{row[0]}' must be {row[1]}, not {_KINDS[type(row[2])]}"
            for row in found
            if row is not None
        ),
        None,
    )


def _is_id(identifier: object, method: object) -> bool:
    """Return whether an ID is valid, since its sender waits for the answer. Null is valid for
    notifications, as typed clients send it.
    """
    return type(identifier) in (str, int) or (
        identifier is None and str(method).startswith(_NOTIFICATIONS)
    )


def repeated_in(body: bytes) -> tuple[str, str | int | None] | None:
    """Return a member that a message has twice in one object, which two readers would read
    differently, and the ID for the answer.

    Return None if there is no such member, and for a body that is not JSON.
    """
    names: list[str] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            names.extend(repeated_members(pairs))
        return members

    try:
        found = json.loads(body, object_pairs_hook=note)
    except (ValueError, RecursionError):
        return None
    if not names:
        return None
    return names[-1][:_LONGEST] if names[
        -1
    ].isprintable() else "…", None if "id" in names else known_id(found)


def known_id(message: object) -> str | int | None:
    """Return the ID for the answer to an invalid message; None if it has no valid ID."""
    identifier = message.get("id") if isinstance(message, Mapping) else None
    if isinstance(identifier, float) and identifier.is_integer():
        return int(identifier)
    return identifier if type(identifier) in (str, int) and not has_halves(identifier) else None


def has_halves(message: object) -> bool:
    """Return whether a text in a message has a surrogate without its pair, which UTF-8 cannot
    encode.
    """
    try:
        json.dumps(message, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def repetition_in(body: bytes) -> bytes | None:
    """Return the error for a body with a member that occurs twice in one object; None for any
    other.
    """
    found = repeated_in(body)
    return (
        None
        if found is None
        else _error(found[1], INVALID_REQUEST, f"the member '{found[0]}' occurs twice")
    )


class MessageRefused(Exception):
    """Refusal of a body; ``answer`` is the error as JSON."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer


def plain_body(body: bytes, version: str | None) -> bytes:
    """Return a body for the SDK, without null parameters. Calls of tools, whose arguments may have
    null, are left as they are.

    The SDK itself refuses bodies that are not JSON.

    :raises MessageRefused: if the body, with the revision of its header field, must not reach the
        SDK.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return body
    fault = fault_of(message)
    if fault is not None:
        raise MessageRefused(_error(known_id(message), INVALID_REQUEST, fault))
    if version is not None and version not in _KNOWN and not _names_version(message):
        shown = version[:_LONGEST] if version.isprintable() else "…"
        text = (
            f"the header field MCP-Protocol-Version has '{shown}', which is no revision that "
            "is known here"
        )
        data = {"supported": [*_KNOWN], "requested": shown}
        raise MessageRefused(_error(known_id(message), UNSUPPORTED_PROTOCOL_VERSION, text, data))
    params = message.get("params")
    if b"null" not in body or not isinstance(params, dict) or message.get("method") == _CALL:
        return body
    return json.dumps({**message, "params": without_nulls(params)}).encode("utf-8", "surrogatepass")


def without_nulls(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a message without null values, also without those of ``_meta``:
    typed clients write null for members that they leave out.
    """
    kept = {name: value for name, value in params.items() if value is not None}
    meta = kept.get("_meta")
    return (
        {**kept, "_meta": {name: value for name, value in meta.items() if value is not None}}
        if isinstance(meta, Mapping)
        else kept
    )


def _names_version(message: Mapping[str, Any]) -> bool:
    """Return whether the message itself names its revision, which the SDK then compares with the
    header field.
    """
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, Mapping) else None
    return isinstance(meta, Mapping) and PROTOCOL_VERSION_META_KEY in meta


def _error(identifier: str | int | None, code: int, text: str, data: Any = None) -> bytes:
    error = {"code": code, "message": text} | ({} if data is None else {"data": data})
    return json.dumps({"jsonrpc": "2.0", "id": identifier, "error": error}).encode()


def named(error: ValidationError) -> MCPError:
    """Return the error for invalid parameters, with the name of the first invalid parameter, and
    the reason.
    """
    rows = error.errors(include_url=False, include_context=False, include_input=False)
    row = rows[0] if rows else {"loc": (), "type": "", "msg": ""}
    steps = [step for step in row["loc"] if step != "params"]
    reason = _EXPECTED.get(str(row["type"])) or "is not valid"
    if steps and steps[-1] in _BRANCHES:  # of several types, whose names pydantic adds to the place
        steps, reason = steps[:-1], "must be a text or a whole number"
    return parameter_fault(*steps, reason=reason)


def parameter_fault(*steps: str | int, reason: str) -> MCPError:
    """Return the error for an invalid parameter at ``steps``."""
    return MCPError(INVALID_PARAMS, f"{_INVALID}: params{pointer(*steps)} {reason}")


async def telling(ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
    """Answer a request, and name the faults of its parameters in the error, as a middleware of the
    SDK.
    """
    try:
        return await call_next(ctx)
    except ValidationError as error:
        raise named(error) from None
    except MCPError as error:
        if error.error.message == _INVALID and not error.error.data:
            raise MCPError(
                INVALID_PARAMS, f"{_INVALID}: the session has not begun: send 'initialize' first"
            ) from None
        raise
