"""Who calls over MCP, and what of the runtime they meet."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield.access.workspace_access import Caller
    from jackfield.catalog import Catalog
    from jackfield.catalog.index import ActionIndex
    from jackfield.invocation import Result
    from jackfield.runtime import Jackfield
    from jackfield.surfaces.shared.settings import McpTools

__all__ = ["Briefly", "CallContext", "Run"]

Briefly = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Runs a step that waits for the database in a thread."""
Run = Callable[[Mapping[str, Any], str | int | None], Awaitable["Result"]]
"""Runs an invocation; the second argument is the id of the request that asked for it, by which it may be cancelled. Who is cancelled while
it waits has left: what was not sent is then not sent (contract §4)."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """One caller at the runtime of one workspace. ``origin`` is where the HTTP API is; None where there is none."""

    runtime: Jackfield
    caller: Caller
    index: ActionIndex
    run: Run
    briefly: Briefly
    tools: McpTools = "discovery"
    origin: str | None = None

    @property
    def catalog(self) -> Catalog:
        """The connectors and actions that the caller sees; asks the database for the rules."""
        return self.runtime.catalog_of(self.caller)
