"""Files of outputs as resources of the protocol: ``jackfield://files/ID``, readable by the caller
whose call has returned the file.

No file is listed: a file is found by the result that names it. Textual content is text, all else
base64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    ResourceTemplate,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from jackfield.kernel.errors import JackfieldError
from jackfield_service.subjects.mcp.call_context import CallContext
from jackfield_service.subjects.mcp.media import LARGEST, URI, Contents, contents_of

_NOT_FOUND = -32002
"""Error code for an unknown resource in versions before 2026-07-28."""
_ABOUT = "The file of an output of a call of yours, by its ID."
_TEMPLATE = ResourceTemplate(
    name="file", title="File of an output", uri_template=f"{URI}{{id}}", description=_ABOUT
)


class ResourceMethods:
    """The protocol's methods about resources, for one server. ``find`` returns the caller's context
    from the SDK's request context.
    """

    def __init__(self, find: Callable[[Any], CallContext]) -> None:
        self._find = find

    async def list(
        self, _context: Any, _params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        """Return an empty list: the result of a call names its files."""
        return ListResourcesResult(resources=[])

    async def templates(
        self, _context: Any, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """List the template of the URIs."""
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
            code = (
                INVALID_PARAMS
                if context.protocol_version in MODERN_PROTOCOL_VERSIONS
                else _NOT_FOUND
            )
            raise MCPError(
                code,
                "Resource not found: it does not exist, has expired, or is not yours",
                {"uri": params.uri},
            )
        return ReadResourceResult(contents=[found])


def _read(call: CallContext, uri: str) -> Contents | None:
    files = call.runtime.files
    if not uri.startswith(URI) or not files.enabled:
        return None
    file = files.find(call.runtime.workspace, uri.removeprefix(URI))
    # as for read_result: an ID is no right to the output of another caller
    if file is None or file.caller != call.caller.name:
        return None
    if file.size > LARGEST:
        text = (
            f"The file has {file.size:,} bytes, and a resource at most {LARGEST:,}: read it "
            "over HTTP, or an output by read_result"
        )
        raise MCPError(INVALID_PARAMS, text, {"uri": uri})
    return contents_of(call, file)
