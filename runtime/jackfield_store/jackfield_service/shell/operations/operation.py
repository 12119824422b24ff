"""One operation of the HTTP server, and the interface through which surfaces contribute
operations.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from starlette.responses import Response

from jackfield.callers import Scope

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from jackfield_service.shell.identity.identity import Identity
    from jackfield_service.shell.process.server_context import ServerContext

Endpoint = Callable[["Request", "ServerContext", "Identity"], Awaitable[Response]]
Mount = Callable[["ServerContext"], "Sequence[Operation | Route]"]
"""Factory of a surface's routes in one process. ``http/app._endpoint`` checks token and scope of an
operation; a plain route checks its own token.
"""
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
READING = "jackfield.reading"
SURFACE = "jackfield.surface"
"""Key of a request's scope for the caller's surface, by which hints are worded."""


ON_BEHALF = "Jackfield-On-Behalf-Of"
"""Header with the person for whom a platform acts, for the audit log."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``scope`` is the scope a token needs, None for no authentication.
    ``answers`` maps success statuses to the name of a schema, a media type or an empty string.
    ``results`` are statuses that carry a Result, ``problems`` statuses that carry a problem
    document. An operation that ``describes`` returns data that every process has loaded, and works
    while the database does not answer. With ``partly``, this holds for some requests: their caller
    may come from an earlier reading of the epoch, which the endpoint finds under ``READING`` in the
    request's scope. Callers ``over_mcp`` have tokens for MCP alone, and errors name the provider of
    such tokens. A body that contains ``streamed_by`` may be answered by a stream.
    """

    method: Method
    path: str
    endpoint: Endpoint
    scope: Scope | None
    name: str
    summary: str
    answers: Mapping[int, str]
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    headers: tuple[str, ...] = ()
    body: str | None = None
    results: tuple[int, ...] = ()
    problems: tuple[int, ...] = ()
    describes: bool | Literal["partly"] = False
    over_mcp: bool = False
    streamed_by: bytes = b""

    @property
    def tag(self) -> str:
        """Group in the documentation: the first word of the path."""
        return (
            self.path.split("/")[2].partition(":")[0] if self.path.startswith("/v1/") else "server"
        )
