"""Pictures and sounds of an output as the protocol's own content, which models see and hear; the output has their files, too."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from mcp_types import AudioContent, CallToolResult, ImageContent, TextContent

from jackfield.invocation import Result
from jackfield_mcp_server.call_context import CallContext
from jackfield_mcp_server.tool_results import Media

_LARGEST = 1024 * 1024
"""Bytes of a file that is sent as content."""
_MOST = 10
"""Files that are sent as content with one answer."""
_LEVELS = 8
_KINDS: Mapping[str, type[Media]] = {"image": ImageContent, "audio": AudioContent}


def may_have_media(found: CallToolResult) -> bool:
    """Return whether an answer's text names a file of a kind that is content: that costs less than to look through each output."""
    text = found.content[-1].text if isinstance(found.content[-1], TextContent) else ""
    return '"contentType":"image/' in text or '"contentType":"audio/' in text


def media_of(call: CallContext, result: Result) -> list[Media]:
    """Read the pictures and sounds of an output; those that have expired meanwhile, or are the files of others, are left out."""
    files, found = call.runtime.files, list[Media]()
    for about in islice(_files(result.output, _LEVELS), _MOST):
        file = files.find(call.runtime.workspace, about["file"], call.caller.owner)
        if file is None or file.size > _LARGEST:
            continue
        with files.open(file) as reader:
            data = b64encode(reader.read(_LARGEST)).decode()
        found.append(_KINDS[about["contentType"].partition("/")[0]](data=data, mime_type=about["contentType"]))
    return found


def _files(value: Any, levels: int) -> Iterator[Mapping[str, Any]]:
    """Yield the references to files of a kind that is content."""
    if isinstance(value, Mapping):
        kind, size = value.get("contentType"), value.get("size")
        if isinstance(value.get("file"), str) and isinstance(kind, str) and isinstance(size, int):
            if kind.partition("/")[0] in _KINDS and size <= _LARGEST:
                yield value
            return
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for inner in value if levels else ():
        yield from _files(inner, levels - 1)
