"""Context of an MCP call: the caller, and the runtime as the caller sees it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jackfield.call.how import Follow
from jackfield.callers import Caller
from jackfield.catalog import Catalog
from jackfield.catalog.index import ActionIndex
from jackfield.invocation import Result
from jackfield_service.shell.process.settings import McpTools
from jackfield_store.runtime import Jackfield

if TYPE_CHECKING:
    from jackfield.connector.context import AskCaller
    from jackfield_service.subjects.mcp.connect_requests import ConnectRequests

Briefly = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Function that runs a step that waits for the database, in a thread."""
Run = Callable[
    [Mapping[str, Any], str | int | None, Follow | None, "AskCaller | None"], Awaitable["Result"]
]
"""Function that runs an invocation. It gets the ID of the request, by which the client may cancel
it, a receiver of a job's progress, and a receiver of the provider's questions for a person. If the
awaiting task is cancelled, because the client has disconnected, unsent requests are not sent
(docs/concepts.md).
"""
Queue = Callable[[Mapping[str, Any]], Awaitable["Result | str"]]
"""Function that queues an invocation, and returns its ID, or the Result that its key replays."""
DESCRIBING = ("search_actions", "get_action_guide")
"""Tools that work while the database does not answer, without stored data."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """Caller of a tool, and the runtime of its workspace. ``current`` returns the caller with its
    current rights, and raises if they have ended; ``left`` returns whether the client has
    disconnected. With ``is_silent``, the database does not answer, the caller's identity is from
    the last minute, and no connections are looked up. Without a database, ``queue`` is None and
    there are no tasks; ``go_on`` runs a queued invocation if no other part of the process does.
    ``connects`` returns the ``ConnectRequests`` for the person behind the client; None if there is
    nobody to ask.
    """

    runtime: Jackfield
    caller: Caller
    index: ActionIndex
    run: Run
    briefly: Briefly
    current: Callable[[], Caller]
    left: Callable[[], Awaitable[bool]]
    tools: McpTools = "discovery"
    waits: Callable[[], AbstractContextManager[object]] = nullcontext
    origin: Callable[[], str] | None = None
    is_silent: bool = False
    queue: Queue | None = None
    go_on: Callable[[str], None] = lambda _identifier: None
    connects: Callable[[], ConnectRequests | None] = lambda: None

    @property
    def catalog(self) -> Catalog:
        """Connectors and actions visible to the caller over MCP; reads the rules from the
        database.
        """
        return self.runtime.catalog_of(self.caller)
