"""Files of outputs as resources of the protocol: ``jackfield://files/ID``, which the caller reads whose call has returned the file.

None is listed: a file is found by the result that names it. What is textual is text, all else base64.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    BlobResourceContents,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    ResourceTemplate,
    TextResourceContents,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from jackfield.kernel.errors import JackfieldError
from jackfield_mcp_server.call_context import CallContext

if TYPE_CHECKING:
    from jackfield.invocation.stored_file import StoredFile

LARGEST = 1024 * 1024
"""Bytes of a file that is sent in an answer."""
_PREFIX = "jackfield://files/"
_NOT_FOUND = -32002
"""Code of versions before 2026-07-28."""
_ABOUT = "The file of an output of a call of yours, by its ID."
_TEMPLATE = ResourceTemplate(name="file", title="File of an output", uri_template=f"{_PREFIX}{{id}}", description=_ABOUT)
_TEXTUAL = ("json", "xml", "yaml", "csv", "javascript", "x-ndjson")
Contents = TextResourceContents | BlobResourceContents


def uri_of(identifier: str) -> str:
    """Return the URI of a file."""
    return f"{_PREFIX}{identifier}"


def is_textual(content_type: str) -> bool:
    """Return whether a media type is one of text."""
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith("text/") or kind.rpartition("/")[2].rpartition("+")[2] in _TEXTUAL


def contents_of(call: CallContext, file: StoredFile) -> Contents:
    """Read a file, of at most ``LARGEST`` bytes.

    :raises JackfieldError: if it is damaged, or its store is away.
    """
    with call.runtime.files.open(file) as reader:
        content = reader.read(LARGEST)
    if is_textual(file.content_type):
        try:
            return TextResourceContents(uri=uri_of(file.id), mime_type=file.content_type, text=content.decode())
        except UnicodeDecodeError:
            pass
    return BlobResourceContents(uri=uri_of(file.id), mime_type=file.content_type, blob=b64encode(content).decode())


class ResourceMethods:
    """The protocol's methods about resources, for one server. ``find`` returns the caller's context from the SDK's request context."""

    def __init__(self, find: Callable[[Any], CallContext]) -> None:
        self._find = find

    async def list(self, _context: Any, _params: PaginatedRequestParams | None) -> ListResourcesResult:
        """List nothing: a file is named by the result of its call."""
        return ListResourcesResult(resources=[])

    async def templates(self, _context: Any, _params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        """List the form of the URIs."""
        return ListResourceTemplatesResult(resource_templates=[_TEMPLATE])

    async def read(self, context: Any, params: ReadResourceRequestParams) -> ReadResourceResult:
        """Return the content of a file.

        :raises MCPError: if the caller has no such file, or it is too large.
        """
        call = self._find(context)
        try:
            found: Contents | None = await call.briefly(partial(_read, call, params.uri))
        except JackfieldError as error:
            raise MCPError(INTERNAL_ERROR, error.message) from None
        if found is None:
            code = INVALID_PARAMS if context.protocol_version in MODERN_PROTOCOL_VERSIONS else _NOT_FOUND
            raise MCPError(code, "Resource not found: it does not exist, has expired, or is not yours", {"uri": params.uri})
        return ReadResourceResult(contents=[found])


def _read(call: CallContext, uri: str) -> Contents | None:
    files = call.runtime.files
    if not uri.startswith(_PREFIX) or not files.enabled:
        return None
    file = files.find(call.runtime.workspace, uri.removeprefix(_PREFIX))
    if file is None or file.caller != call.caller.name:  # as for read_result: an ID is no right to the output of another caller
        return None
    if file.size > LARGEST:
        text = f"The file has {file.size:,} bytes, and a resource at most {LARGEST:,}: read it over HTTP, or an output by read_result"
        raise MCPError(INVALID_PARAMS, text, {"uri": uri})
    return contents_of(call, file)
