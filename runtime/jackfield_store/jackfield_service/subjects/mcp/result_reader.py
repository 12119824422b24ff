"""The tool ``read_result``: an output that was too large for an answer, or the Result of an
invocation that ended after its answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mcp_types import Tool

from jackfield.call.part_of_output import encoded
from jackfield.invocation import decode
from jackfield.invocation.request import MAX_OUTPUT_BYTES
from jackfield.invocation.selection import LONGEST, SelectionError, selection
from jackfield.kernel.errors import Detail, InvalidInput, InvalidInvocation, NotFound
from jackfield_service.subjects.mcp.action_tools import Json, annotated, closed, refused_arguments
from jackfield_service.subjects.mcp.call_context import CallContext
from jackfield_service.subjects.mcp.tool_results import DEFAULT_BYTES, recorded

_LARGEST = 64 * 1024 * 1024
"""Maximum size in bytes of an output that a selection is applied to, since it is entirely in
memory.
"""
_SHOWN = 80
_ID = {"type": "string", "minLength": 1, "maxLength": 200}

READ_RESULT = Tool(
    name="read_result",
    title="Read a result",
    description="Read an output that execute_action has put into a file, since it had more than "
    "maxBytes, or the Result of an invocation "
    "of yours that has waited for a person or has run on: a part of its JSON text, or what a "
    "JMESPath expression selects of it. "
    "Go on from nextOffset. Give file or invocation.",
    input_schema=closed(
        file={**_ID, "description": "The member file of the output's truncated."},
        invocation={
            **_ID,
            "description": (
                "The invocationId of a call of yours. The text is its Result: status, output "
                "or error, meta."
            ),
        },
        select={
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST,
            "description": (
                "JMESPath: only what it selects: items[?status == 'open'].id of an output, "
                "output.items[0] of a Result."
            ),
        },
        offset={
            "type": "integer",
            "minimum": 0,
            "default": 0,
            "description": "The nextOffset of the previous part.",
        },
        maxBytes={
            "type": "integer",
            "minimum": 4,
            "maximum": MAX_OUTPUT_BYTES,
            "default": DEFAULT_BYTES,
        },
    ),
    output_schema=closed(
        bytes={"type": "integer", "description": "Bytes of the whole text."},
        offset={"type": "integer"},
        text={"type": "string", "description": "JSON text, from offset on."},
        nextOffset={
            "type": ["integer", "null"],
            "description": "Where the next part begins; null at the end.",
        },
        error={"type": "object"},
    ),
    annotations=annotated("read", open_world=False),
)


@dataclass(frozen=True, slots=True)
class _Part:
    total: int
    offset: int
    content: bytes
    """Requested bytes, and the byte after them, if there is one."""
    most: int

    @property
    def body(self) -> Json:
        """Content of the answer. A part never ends within a character of UTF-8."""
        end = min(self.most, len(self.content))
        while 0 < end < len(self.content) and self.content[end] & 0xC0 == 0x80:
            end -= 1
        after = self.offset + end
        text = self.content[:end].decode("utf-8", "replace")
        return {
            "bytes": self.total,
            "offset": self.offset,
            "text": text,
            "nextOffset": after if after < self.total else None,
        }


async def read_result(call: CallContext, given: Mapping[str, Any]) -> tuple[Json, str]:
    """Return a part of an output, and a text about it.

    :raises NotFound: if the caller has no such file or invocation, or it has expired.
    :raises InvalidInput: if the file has no output, the expression cannot be applied to it, or not
        exactly one of file and invocation is named.
    """
    part = await call.briefly(lambda: _part(call, given))
    body = part.body
    return body, body["text"]


def _part(call: CallContext, given: Mapping[str, Any]) -> _Part:
    if ("file" in given) == ("invocation" in given):
        raise _refusal("/file", "is needed, or 'invocation', and not both")
    offset, most = int(given["offset"]), int(given["maxBytes"])
    if "invocation" in given:
        whole = encoded(_result(call, given["invocation"]))
        return _within(
            _selected(given["select"], whole) if "select" in given else whole, offset, most
        )
    files = call.runtime.files
    file = files.find(call.runtime.workspace, given["file"])
    # an ID is known to models and logs: it is no right to the output of another caller
    if file is None or file.caller != call.caller.name:
        raise NotFound(
            f"no file has the ID '{given['file'][:_SHOWN]}', or it has expired",
            hint="Run the action again.",
        )
    if file.content_type != "application/json":
        raise _refusal("/file", "has no output: it is a file of another kind")
    with files.open(file) as reader:
        if "select" not in given:
            reader.seek(min(offset, file.size))
            return _Part(file.size, min(offset, file.size), reader.read(most + 1), most)
        if file.size > _LARGEST:
            raise _refusal(
                "/select", f"is for outputs of at most {_LARGEST:,} bytes: read it by 'offset'"
            )
        return _within(_selected(given["select"], reader.read()), offset, most)


def _within(text: bytes, offset: int, most: int) -> _Part:
    return _Part(len(text), min(offset, len(text)), text[offset : offset + most + 1], most)


def _result(call: CallContext, identifier: str) -> Json:
    """Return the recorded Result of an invocation of this caller.

    :raises NotFound: if the caller has no such invocation.
    """
    try:
        entry = call.runtime.journal_of(call.caller).find(identifier)
    except InvalidInvocation:
        entry = None
    if entry is None or entry.caller != call.caller.name:
        raise NotFound(
            f"no invocation of yours has the ID '{identifier[:_SHOWN]}'",
            hint="Give the invocationId of a call that you made.",
        )
    return recorded(entry).to_json("mcp")


def _selected(expression: str, content: bytes) -> bytes:
    try:
        found = selection(expression, decode(content))
    except SelectionError as error:
        raise _refusal("/select", f"'select' {error}") from None
    return encoded(found)


def _refusal(path: str, message: str) -> InvalidInput:
    return refused_arguments((Detail(path, message),), 1)
