"""Files of an output as content: pictures and sounds, short texts as embedded resources, and links
to all others.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

from mcp_types import (
    AudioContent,
    BlobResourceContents,
    CallToolResult,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

from jackfield.invocation import Result
from jackfield_service.subjects.mcp.call_context import CallContext
from jackfield_service.subjects.mcp.tool_results import Content

if TYPE_CHECKING:
    from jackfield.invocation.stored_file import StoredFile

LARGEST = 1024 * 1024
"""Maximum size of a file that is sent in an answer, in bytes."""
URI = "jackfield://files/"
"""Prefix of the URI of a file, before its ID."""
Contents = TextResourceContents | BlobResourceContents
_TEXTUAL = ("json", "xml", "yaml", "csv", "javascript", "x-ndjson")
_MOST = 10
"""Maximum number of files that are sent as content with one answer."""
_LONGEST = 32_000
"""Maximum bytes of all texts embedded in one answer: enough for a model to read without filling its
context window.
"""
_LEVELS = 8
_KINDS: Mapping[str, type[ImageContent | AudioContent]] = {
    "image": ImageContent,
    "audio": AudioContent,
}


def may_have_media(found: CallToolResult) -> bool:
    """Return whether an answer's text mentions a file: this costs less than a search through each
    output.
    """
    item = found.content[min(1, len(found.content) - 1)]  # the JSON, behind the words
    return isinstance(item, TextContent) and '"file":"file_' in item.text


def media_of(call: CallContext, result: Result, *, links: bool) -> list[Content]:
    """Return the files of an output as content; expired files, and files of others, are left out.
    ``links`` tells whether the client's protocol version has links to resources.
    """
    files, found = call.runtime.files, list[Content]()
    # an output that was too large is not sent by its file
    left = _LONGEST if result.meta.truncated is None else 0
    for identifier in islice(_files(result.output, _LEVELS), _MOST):
        file = files.find(call.runtime.workspace, identifier)
        # an output is a provider's: it may name any file
        if file is None or file.caller != call.caller.name:
            continue
        is_short = _is_textual(file.content_type) and file.size <= left
        left -= file.size if is_short else 0
        found.append(_content(call, file, is_short=is_short))
    return [item for item in found if links or not isinstance(item, ResourceLink)]


def contents_of(call: CallContext, file: StoredFile) -> Contents:
    """Read a file, of at most ``LARGEST`` bytes.

    :raises JackfieldError: if it is damaged, or its store is unavailable.
    """
    with call.runtime.files.open(file) as reader:
        content = reader.read(LARGEST)
    if _is_textual(file.content_type):
        try:
            return TextResourceContents(
                uri=f"{URI}{file.id}", mime_type=file.content_type, text=content.decode()
            )
        except UnicodeDecodeError:
            pass
    return BlobResourceContents(
        uri=f"{URI}{file.id}", mime_type=file.content_type, blob=b64encode(content).decode()
    )


def _content(call: CallContext, file: StoredFile, *, is_short: bool) -> Content:
    if is_short:
        return EmbeddedResource(resource=contents_of(call, file))
    kind = _KINDS.get(file.content_type.partition("/")[0])
    if kind is None or file.size > LARGEST:
        return ResourceLink(
            name=file.name or file.id,
            uri=f"{URI}{file.id}",
            mime_type=file.content_type,
            size=file.size,
        )
    with call.runtime.files.open(file) as reader:
        return kind(data=b64encode(reader.read(LARGEST)).decode(), mime_type=file.content_type)


def _is_textual(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind.rpartition("/")[2].rpartition("+")[2] in _TEXTUAL


def _files(value: Any, levels: int) -> Iterator[str]:
    if isinstance(value, Mapping):
        identifier = value.get("file")
        if (
            isinstance(identifier, str)
            and isinstance(value.get("contentType"), str)
            and isinstance(value.get("size"), int)
        ):
            yield identifier
            return
        value = value.values()
    elif not isinstance(value, list | tuple):
        return
    for inner in value if levels else ():
        yield from _files(inner, levels - 1)
