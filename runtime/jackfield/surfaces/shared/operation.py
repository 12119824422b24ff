"""One operation of the HTTP server, and how a surface gives the server what it serves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from starlette.responses import Response

from jackfield.access import Scope

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import Route

    from jackfield.surfaces.shared.identity import Identity
    from jackfield.surfaces.shared.server_context import ServerContext

__all__ = ["Endpoint", "Mount", "Operation"]

Endpoint = Callable[["Request", "ServerContext", "Identity"], Awaitable[Response]]
Mount = Callable[["ServerContext"], "Sequence[Operation | Route]"]
"""Makes what a surface serves in one process. The application guards an operation by its token and scope; a route guards itself."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. ``scope`` is what a token needs, None where none is asked for; ``answers`` are the good answers, each with
    the name of its schema (or media type, or nothing); ``results`` are statuses that come with a Result, ``problems`` with a problem."""

    method: Literal["GET", "POST", "PUT", "DELETE"]
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

    @property
    def tag(self) -> str:
        """The group that it is shown in: the first word of its path."""
        return self.path.split("/")[2].partition(":")[0] if self.path.startswith("/v1/") else "server"
