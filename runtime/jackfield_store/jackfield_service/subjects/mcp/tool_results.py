"""Responses to tool calls: the Result as structured content, with a short text for clients that
show text only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from mcp_types import (
    AudioContent,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
)

from jackfield.invocation import Result
from jackfield.kernel.exact import exact_json, read_float
from jackfield.kernel.hidden import visible
from jackfield.kernel.hints import restored, worded

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield.kernel.errors import JackfieldError

Content = ImageContent | AudioContent | EmbeddedResource | ResourceLink
"""Content other than text: a file of an output."""
DEFAULT_BYTES = 40_000
"""Default size of one answer in bytes of JSON: enough for a model to read without filling its
context window.
"""
_LONGEST = 32_000
"""Maximum number of characters of JSON text sent in addition to structured content: enough for a
model to read without filling its context window.
"""
_TOLD = 20
"""Maximum number of faults listed in the text."""
_LATER = (
    "Later, read_result with that ID as invocation has what became of it; its end is an event, too."
)


def answered(result: Result, *, structured: bool) -> CallToolResult:
    """Build the response for a Result. ``structured`` tells whether the client's protocol version
    has structured content; without it, the whole Result is sent as text.
    """
    body, whole = _encoded(result.to_json("mcp"))
    texts = [_in_words(result), *_beside(whole)] if structured else [whole]
    return _answer(body, texts, structured=structured, is_error=result.error is not None)


def recorded(entry: Entry) -> Result:
    """Return the Result of an invocation in the journal; before its end, only with its status."""
    found = Result.from_json(
        entry.result or {"status": entry.status, "meta": {"invocationId": entry.id}}
    )
    if found.error is not None:
        found.error.hint = restored(found.error.hint)
    return found


def described(body: Mapping[str, Any], text: str, *, structured: bool) -> CallToolResult:
    """Build the response of a discovery tool, with a text for people."""
    found, whole = _encoded(dict(body))
    return _answer(found, [_plain(text) if structured else whole], structured=structured)


def failed(error: JackfieldError, *, structured: bool) -> CallToolResult:
    """Build the response for a call that failed before it became an invocation."""
    body, whole = _encoded({"error": error.to_json("mcp")})
    return _answer(
        body,
        [_plain(_failure(error)) if structured else whole],
        structured=structured,
        is_error=True,
    )


def to_members(found: CallToolResult) -> dict[str, Any]:
    """Return a response in its form for sending, without members that the versions of the protocol
    add.
    """
    structured = (
        {} if found.structured_content is None else {"structuredContent": found.structured_content}
    )
    content = [
        {"type": "text", "text": item.text} if item.type == "text" else _file(item)
        for item in found.content
    ]
    return {"content": content, **structured, "isError": bool(found.is_error)}


def _file(item: Content) -> dict[str, Any]:
    members: dict[str, Any] = item.model_dump(mode="json", by_alias=True, exclude_none=True)
    return members


def _answer(
    body: dict[str, Any], texts: list[str], *, structured: bool, is_error: bool = False
) -> CallToolResult:
    # ours need no validation
    content: list[Any] = [TextContent.model_construct(type="text", text=text) for text in texts]
    return CallToolResult.model_construct(
        content=content, structured_content=body if structured else None, is_error=is_error
    )


def _beside(whole: str) -> list[str]:
    """Return the structured content as JSON text, for clients that show a model only text."""
    if len(whole) <= _LONGEST:
        return [whole]
    note = (
        f"The JSON above is cut after {_LONGEST:,} of {len(whole):,} characters. The "
        "structured content is complete."
    )
    return [whole[:_LONGEST], note]


def _in_words(result: Result) -> str:
    name = (
        f"{result.meta.connector}.{result.meta.action}"
        if result.meta.connector and result.meta.action
        else "The invocation"
    )
    if result.error is not None:
        state = "is in doubt" if result.status == "in_doubt" else f"failed ({result.error.code})"
        return _plain(f"{name} {state}: {_failure(result.error)}")
    if result.status == "running":
        return f"{name} still runs, as invocation {result.meta.invocation_id}. {_LATER}"
    if result.status == "waiting":
        until = (result.meta.approval or {}).get("expiresAt")
        return (
            f"{name} was not done yet: a person has to approve it first, until {until}. Tell the "
            "person so, and do not call it again: "
            f"the same arguments get the same approval, {result.meta.invocation_id}. {_LATER}"
        )
    if result.meta.dry_run:
        return f"{name}: the dry run succeeded. Nothing was done."
    large = result.meta.truncated
    if large is not None:
        return (
            f"{name} succeeded. Its output has {large['bytes']:,} bytes: the tool "
            f"read_result reads the file {large['file']}."
        )
    again = (
        " This is the recorded Result of an earlier call with the same key."
        if result.meta.replayed
        else ""
    )
    return f"{name} succeeded.{again}"


def _failure(error: JackfieldError) -> str:
    """Describe the error: its cause, its place, and the remedy."""
    lines = [
        error.message,
        *(f"{detail.path or '/'}: {detail.message}" for detail in error.details[:_TOLD]),
    ]
    if len(error.details) > _TOLD:
        lines.append(f"and {len(error.details) - _TOLD} more")
    return visible("\n".join([*lines, *([str(worded(error.hint, "mcp"))] if error.hint else [])]))


def _plain(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def _encoded(value: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a JSON value and its text, with lone surrogates replaced. In the text, which a person
    may read before a decision, hidden characters are escapes.
    """
    try:
        return value, visible(orjson.dumps(value).decode())
    except TypeError:  # a lone surrogate, or an integer of more than 64 bits
        text = _plain(exact_json(value, _ENCODER))
        return json.loads(text, parse_float=read_float), visible(text)
