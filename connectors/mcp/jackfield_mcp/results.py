"""Outputs from a tool's results: its structured content and its content, in which media and long
texts are files.
"""

from __future__ import annotations

import binascii
import json
import re
from base64 import b64decode
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from pydantic import ConfigDict, PrivateAttr

from jackfield.connector import (
    Output,
    OutputFile,
    Provider,
    Rejected,
    Sent,
    Unavailable,
    current_call,
)
from jackfield_http.downloads import Download
from jackfield_mcp.messages import present
from jackfield_mcp.outcomes import asks_person, garbled
from jackfield_mcp.texts import plain

LONGEST_TEXT = 64 * 1024
"""Maximum size of a text in the output, in bytes; a longer text becomes a file."""
_MOST_PARTS = 10_000
_OCTETS = "application/octet-stream"
_DATA_URL = re.compile(r"\A\s*data:[^,]{0,200};base64,", re.IGNORECASE)
_OF_URLS = str.maketrans("-_", "+/")
_WORDS = 1_000
_OWN_NAMES = {"is_error": "isError", "structured_content": "structuredContent"}
_OLD_NAME = "toolResult"
"""Member with a tool's whole result in the first revision, of 2024."""
_CONTENT = frozenset({"content", "structuredContent"})
_ABOUT = frozenset({"_meta", "resultType", "isError", "error"})
"""Members of a result that are no content."""
_FAILED = frozenset({"error", "failed", "failure"})
"""Values of a member ``status`` beside a result's content which say that the call has failed."""
_LEAST_FAILURE = 400
_FALSE = frozenset({"", "false", "no", "0", "none", "null"})
_TRUE = frozenset({"true", "yes", "1"})

Json = Mapping[str, Any]


class ToolOutput(Output):
    """Output of a tool: ``content``, and ``structuredContent`` if the tool returns it."""

    model_config = ConfigDict(extra="allow")
    files: tuple[OutputFile, ...] = ()
    _body: dict[str, Any] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, body: dict[str, Any], files: list[OutputFile]) -> ToolOutput:
        """Return an output with this content; ``files`` are the files in it."""
        made = cls(files=tuple(files))
        made._body = body
        return made

    @property
    def body(self) -> dict[str, Any]:
        """Content with its files as received from the server."""
        return self._body

    def model_dump(self, **_options: Any) -> dict[str, Any]:
        """Return the content, with files as they were stored."""
        return self._body if not self.files else _stored(self._body)


def _stored(value: Any) -> Any:
    if isinstance(value, OutputFile):
        return value.stored
    if isinstance(value, dict):
        return {name: _stored(one) for name, one in value.items()}
    return [_stored(one) for one in value] if isinstance(value, list) else value


def output_of(result: Json, *, is_unclear: bool = False) -> ToolOutput:
    """Return the output of a result. With ``is_unclear``, a tool's error does not prove that
    nothing was done.

    :raises Rejected: if the tool reports an error.
    :raises Forbidden: if the server asks a person for something first.
    :raises Unavailable: if the result is not a tool's, or reports an error whose effect is unknown.
    """
    kind = result.get("resultType", "complete")
    if kind == "input_required":
        raise asks_person(result)
    if kind != "complete":
        raise garbled(f"has the unknown type '{plain(kind, 80)}'")
    named = _named(result)
    result = _completed(named)
    content, structured = _content(result), result.get("structuredContent")
    if _is_error(flag := result.get("isError")):
        said = [flag] if isinstance(flag, str) and flag.lower() not in _TRUE else []
        raise _failed(
            [*content, *({"type": "text", "text": one} for one in said)],
            structured,
            is_unclear=is_unclear,
        )
    # no member of a result: what it says of the call is anybody's guess
    if error := result.get("error"):
        raise _failed([], error, is_unclear=True)
    if told := _failure_beside(named):
        raise _failed(
            [*content, {"type": "text", "text": json.dumps(told, ensure_ascii=False)}],
            None,
            is_unclear=True,
        )
    if (inner := next(_errors_within(content, structured), None)) is not None:
        raise _failed(_content(inner), inner.get("structuredContent"), is_unclear=True)
    files = list[OutputFile]()
    parts = [_part(part, files) for part in content if not _repeats(part, structured)]
    body = (
        {"content": parts}
        if "structuredContent" not in result
        else {"structuredContent": structured, "content": parts}
    )
    return ToolOutput.of(body, files)


def _named(result: Json) -> Json:
    """Return a result with the protocol's names of members: servers in Python may write the names
    of their models.
    """
    given = {
        name: result[own]
        for own, name in _OWN_NAMES.items()
        if own in result and name not in result
    }
    return {**result, **given} if given else result


def _completed(result: Json) -> Json:
    """Return a result that has neither ``content`` nor ``structuredContent`` with its other members
    as structured content.

    :raises Garbled: if the result is a task that no request allowed.
    """
    others = {name: value for name, value in result.items() if name not in _ABOUT}
    if not others or not result.keys().isdisjoint(_CONTENT):
        return result
    task = others.get("task")
    if isinstance(task, Mapping) and "taskId" in task:
        raise garbled("is a task of 2025-11-25, which nobody has asked for: the tool may still run")
    if others.keys() != {_OLD_NAME}:
        _warn(
            "the server's result has no content: its members are kept as structured content",
            "/structuredContent",
        )
    return {**result, "structuredContent": others.get(_OLD_NAME, others)}


def _is_error(flag: object) -> bool:
    """Return whether a value of ``isError`` means an error; some servers write a string, or the
    error itself.
    """
    return flag.strip().lower() not in _FALSE if isinstance(flag, str) else bool(flag)


def _failure_beside(result: Json) -> Json:
    """Return the members beside the content that say that the call has failed, although the
    protocol has none of them; empty without one.

    Without content, the members are the tool's data.
    """
    if result.keys().isdisjoint(_CONTENT):
        return {}
    others = {name: value for name, value in result.items() if name not in _CONTENT | _ABOUT}
    return others if any(_says_failure(name, value) for name, value in others.items()) else {}


def _says_failure(name: str, value: Any) -> bool:
    if name in ("success", "ok"):
        return value is False
    if name == "status":
        return isinstance(value, str) and value.strip().lower() in _FAILED
    if name == "statusCode":
        return isinstance(value, int) and value >= _LEAST_FAILURE
    return name in ("errors", "failed") and bool(value)


def _errors_within(content: list[Json], structured: Any) -> Iterator[Json]:
    """Yield the results within a result that report an error: servers that forward a call may wrap
    the other server's result once more.
    """
    inner = (
        structured["result"]
        if isinstance(structured, Mapping) and structured.keys() == {"result"}
        else structured
    )
    text = content[0].get("text") if len(content) == 1 else None
    whole = [inner]
    if isinstance(text, str) and text.lstrip()[:1] == "{" and '"isError"' in text:
        with suppress(ValueError, RecursionError):
            whole.append(json.loads(text))
    yield from (
        one
        for one in whole
        if isinstance(one, Mapping)
        and isinstance(one.get("content"), list)
        and _is_error(one.get("isError"))
    )
    yield from (
        one if "content" in one else {"content": [one]}
        for one in content
        if _is_error(one.get("isError"))
    )


def resource_of(result: Json) -> ToolOutput:
    """Return the output of a resource: its ``contents``.

    :raises Forbidden: if the server asks a person for something first.
    :raises Unavailable: if the result has no readable contents.
    """
    if result.get("resultType", "complete") == "input_required":
        raise asks_person(result)
    files, contents = list[OutputFile](), result.get("contents")
    if isinstance(contents, Mapping) and not _has_holes(contents):
        result = {"contents": [contents]}
    return ToolOutput.of(
        {"contents": [_resource(part, files) for part in rows_of(result, "contents")]}, files
    )


def listed_of(result: Json) -> ToolOutput:
    """Return the output of a list of resources, without the members ``_meta``.

    :raises Unavailable: if the result has no readable list.
    """
    following = result.get("nextCursor")
    found: dict[str, Any] = {
        "resources": [_without(row, "_meta") for row in rows_of(result, "resources")]
    }
    is_cursor = isinstance(following, str | int) and not isinstance(following, bool)
    return ToolOutput.of({**found, "nextCursor": following} if is_cursor else found, [])


def rows_of(result: Json, name: str) -> list[Json]:
    """Return the objects in a result's list, without null members and null items; empty if the list
    is omitted.

    :raises Garbled: if the member is no list of objects, or too long.
    """
    rows = result.get(name, [])
    if isinstance(rows, Mapping) and _has_holes(rows):
        rows = [*rows.values()]
    if isinstance(rows, list) and len(rows) > _MOST_PARTS:
        raise garbled(f"has more than {_MOST_PARTS:,} {name}")
    if not isinstance(rows, list) or not all(
        row is None or isinstance(row, Mapping) for row in rows
    ):
        raise garbled(f"has no {name} that can be read")
    return [present(row) for row in rows if row is not None]


def _has_holes(rows: Json) -> bool:
    """Return whether all names of an object are numbers, as PHP writes a list with missing
    indexes.
    """
    return bool(rows) and all(name.isdecimal() for name in rows)


def _content(result: Json) -> list[Json]:
    """Return the parts of a tool's content. A single part or string is accepted in place of the
    list, and a string as a part.

    A warning reports both: the server has answered, so the call must not fail.
    """
    found: Any = result.get("content")
    if isinstance(found, str) or (isinstance(found, Mapping) and not _has_holes(found)):
        _warn("the server's content is no list: it is kept as its one part", "/content")
        found = [found]
    elif not isinstance(found, list) or not any(isinstance(row, str) for row in found):
        return rows_of(result, "content")
    else:
        _warn("the server's content has bare texts: they are kept as its parts", "/content")
    return rows_of(
        {
            "content": [
                {"type": "text", "text": row} if isinstance(row, str) else row for row in found
            ]
        },
        "content",
    )


def _warn(text: str, place: str) -> None:
    call = current_call()
    if call is not None:
        call.warn(text, place)


def _failed(content: list[Json], structured: Any, *, is_unclear: bool) -> Rejected | Unavailable:
    """Return the error that a tool reports: in the words of its texts, else of its resources, else
    of its structured content.
    """
    resources = [
        resource for part in content if isinstance(resource := part.get("resource"), Mapping)
    ]
    told = (
        [part.get("text") for part in content if part.get("type") == "text"],
        [row.get("text") for row in resources],
    )
    spoken = [" ".join(str(text) for text in texts if text) for texts in told]
    spoken.append("" if structured is None else json.dumps(structured, ensure_ascii=False))
    words = next((found for text in spoken if (found := plain(text, _WORDS))), "")
    said = Provider("isError", words or None)
    text = f"the tool reports an error: {words}" if words else "the tool reports an error"
    if is_unclear:
        return Unavailable(
            text,
            hint="Look at the server what the tool has done.",
            provider=said,
            sent=Sent.UNKNOWN,
        )
    return Rejected(text, provider=said, sent=Sent.REFUSED)


def _repeats(part: Json, structured: Any) -> bool:
    """Return whether a part is JSON that repeats the structured content."""
    text = part.get("text")
    if (
        structured is None
        or part.get("type") != "text"
        or not isinstance(text, str)
        or text[:1] not in "{["
    ):
        return False
    try:
        found: bool = json.loads(text) == structured
    except (ValueError, RecursionError):
        return False
    return found


def _part(part: Json, files: list[OutputFile]) -> dict[str, Any]:
    """Return a part of the content; its media, blob or long text becomes a file. Links are not
    followed.
    """
    found = {name: value for name, value in part.items() if name != "_meta"}
    kind, media = found.get("type"), found.get("mimeType")
    if kind in ("image", "audio") and isinstance(found.get("data"), str):
        return {**_without(found, "data"), "file": _file(found["data"], media, files)}
    if kind == "text" and isinstance(found.get("text"), str):
        return _text(found, "text/plain; charset=utf-8", files)
    resource = found.get("resource")
    if kind == "resource" and isinstance(resource, Mapping):
        return {**found, "resource": _resource(resource, files)}
    return found


def _resource(resource: Json, files: list[OutputFile]) -> dict[str, Any]:
    """Return a resource without ``_meta``; its blob or long text becomes a file."""
    inner = _without(present(resource), "_meta")
    if isinstance(inner.get("blob"), str):
        return {
            **_without(inner, "blob"),
            "file": _file(inner["blob"], inner.get("mimeType"), files),
        }
    return (
        _text(inner, inner.get("mimeType"), files) if isinstance(inner.get("text"), str) else inner
    )


def _text(found: dict[str, Any], media: object, files: list[OutputFile]) -> dict[str, Any]:
    text = found["text"]
    if (
        len(text) <= LONGEST_TEXT // 4
        or len(content := text.encode("utf-8", "replace")) <= LONGEST_TEXT
    ):
        return found
    return {**_without(found, "text"), "file": _kept(content, media, files)}


def _file(data: str, media: object, files: list[OutputFile]) -> OutputFile:
    """Decode a file from base64, including line breaks, URL-safe characters, missing padding and
    data URLs.

    Any other string is stored unchanged, with a warning: the server has answered, so the call must
    not fail.
    """
    try:
        return _kept(b64decode(data, validate=True), media, files)
    except (binascii.Error, ValueError):
        bare = "".join(_DATA_URL.sub("", data, count=1).split()).translate(_OF_URLS).rstrip("=")
    try:
        return _kept(b64decode(bare + "=" * (-len(bare) % 4), validate=True), media, files)
    except (binascii.Error, ValueError):
        _warn("a file of the server is not base64: it is kept as it came, as text", "/content")
        return _kept(data.encode("utf-8", "replace"), "text/plain; charset=utf-8", files)


def _kept(content: bytes, media: object, files: list[OutputFile]) -> OutputFile:
    named = plain(media, 200)
    made = Download(content, named if "/" in named else _OCTETS)
    files.append(made)
    return made


def _without(found: Json, name: str) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key != name}
