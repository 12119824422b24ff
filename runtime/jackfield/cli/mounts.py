"""Composition of one server from its surfaces, which know neither the HTTP API nor each other.

Each surface is imported in the process that serves it: a parent of worker processes imports none and sends them these functions pickled.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import Route

    from jackfield.surfaces.dapr import Components
    from jackfield.surfaces.shared.operation import Mount, Operation
    from jackfield.surfaces.shared.server_context import ServerContext

__all__ = ["mounts"]


def mounts(components: Components | None = None) -> tuple[Mount, ...]:
    """Return the mounts in routing order: MCP, Dapr's bindings if there are components, the console."""
    return (_mcp, _console) if components is None else (_mcp, functools.partial(_dapr, components), _console)


def _mcp(server: ServerContext) -> Sequence[Operation | Route]:
    from jackfield.surfaces.mcp.http_route import mcp_operations

    return mcp_operations(server)


def _dapr(components: Components, server: ServerContext) -> Sequence[Operation | Route]:
    from jackfield.surfaces.dapr.mounted import dapr_routes

    return dapr_routes(components, server)


def _console(server: ServerContext) -> Sequence[Operation | Route]:
    from jackfield.surfaces.console import routes

    return routes(server)
