"""Connectors whose actions are bound to tools of an MCP server: the entry point ``mcp`` of the
group ``jackfield.bindings``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jackfield.connector import Action, Connector, DeclarationError, current_call
from jackfield.connector.actions import JobSteps
from jackfield.connector.described import DescribedConnector
from jackfield.connector.jobs import Started, steps_with
from jackfield.kernel.dataclass import replace
from jackfield.kernel.pointers import find as at_path
from jackfield.manifest.pagination import OPEN_END
from jackfield_http.bindings.connector import BoundInputs, action_of
from jackfield_mcp import tasks
from jackfield_mcp.client import McpClient, Tool
from jackfield_mcp.connection_kinds import KINDS, connection_type
from jackfield_mcp.naming import READ
from jackfield_mcp.results import ToolOutput, listed_of, output_of, resource_of

_FROZEN = (
    "Compare the tool with the one that was accepted: 'generate mcp' over the connector's folder "
    "lists what has changed. "
    "Install the new version once somebody has read it."
)

Json = Mapping[str, Any]


def bound(manifest: Json, row: Callable[[str], Json] | None = None) -> Connector:
    """Return the connector that an MCP server's manifest describes. ``row`` loads the JSON of an
    action that the manifest only names.

    :raises DeclarationError: if the manifest has a connection type that this package does not know.
    """
    return McpConnector(manifest, row)


class McpConnector(DescribedConnector):
    """Connector of one MCP server. Actions are made when they are first called."""

    def __init__(
        self,
        manifest: Json,
        row: Callable[[str], Json] | None = None,
        *,
        hint: str = _FROZEN,
        abroad: bool = False,
    ) -> None:
        unknown = next(
            (kind["key"] for kind in manifest["connectionTypes"] if kind["key"] not in KINDS), None
        )
        if unknown is not None:
            raise DeclarationError(
                f"connector.json has the connection type '{unknown[:80]}', which jackfield-mcp "
                "does not know"
            )
        find = row or {item["key"]: item for item in manifest["actions"]}.__getitem__
        types = [
            connection_type(kind, manifest, abroad=abroad) for kind in manifest["connectionTypes"]
        ]
        super().__init__(manifest, types, lambda key: _action(find(key), hint))


def _action(row: Json, hint: str) -> Action:
    function = ResourceCall(row) if "method" in row["mcp"] else ToolCall(row, hint)
    action = action_of(row, function, ToolOutput, returns_files=True)
    return (
        replace(action, job=JobSteps(*steps_with(action, tasks.poll, tasks.cancel)))
        if row.get("kind") == "job"
        else action
    )


class ToolCall:
    """Function of an action: one call of one tool, in the form that was accepted."""

    def __init__(self, row: Json, hint: str) -> None:
        about = row["mcp"]
        self._tool = Tool(
            about["tool"], about["digest"], about.get("parts", {}), about.get("headers", {}), hint
        )
        self._is_safe = row.get("effect", "write") == "read"
        self._is_unclear = about.get("toolError") == "inDoubt"
        self._keyed_by: str | None = (
            about.get("idempotencyKey") if row.get("idempotentBy") else None
        )
        # an error of a task ends its job: nothing is left in doubt
        self._takes_tasks = row.get("kind") == "job" and not self._is_unclear
        paging = row.get("pagination", {})
        self._items: str | None = paging.get("items")
        self._every: str | None = paging.get("allInput")

    def __call__(self, inputs: BoundInputs, client: McpClient) -> ToolOutput | Started:
        """Call the tool and return its result, or the handle of the server's task."""
        given, call = self._arguments(inputs), current_call()
        if self._keyed_by is not None and call is not None and self._keyed_by not in given:
            given = {**given, self._keyed_by: call.idempotency_key}
        into: Callable[[Mapping[str, Any]], ToolOutput | Started] = partial(
            output_of, is_unclear=self._is_unclear
        )
        if self._takes_tasks:
            into = partial(tasks.started_or_output, now=client.context.clock.time())
        found = client.call(
            self._tool, given, into, safe=self._is_safe, takes_tasks=self._takes_tasks
        )
        if (
            self._items is not None
            and isinstance(found, ToolOutput)
            and call is not None
            and not isinstance(at_path(found.body, self._items), list)
        ):
            call.unfinished(OPEN_END)
        return found

    def request(self, inputs: BoundInputs) -> Mapping[str, Any]:
        """Return the message of a call, for a dry run."""
        return _shown("tools/call", {"name": self._tool.name, "arguments": self._arguments(inputs)})

    def _arguments(self, inputs: BoundInputs) -> dict[str, Any]:
        """Return the arguments of the tool, without the input that fetches all pages."""
        given = inputs.given
        return (
            {name: value for name, value in given.items() if name != self._every}
            if self._every in given
            else given
        )


class ResourceCall:
    """Function of an action that reads a resource, or lists them."""

    def __init__(self, row: Json) -> None:
        self._method = row["mcp"]["method"]
        self._every: str | None = row.get("pagination", {}).get("allInput")

    def __call__(self, inputs: BoundInputs, client: McpClient) -> ToolOutput:
        """Send the request and return the resource's contents, or a page of the list."""
        return client.read(
            self._method, self._params(inputs), resource_of if self._method == READ else listed_of
        )

    def request(self, inputs: BoundInputs) -> Mapping[str, Any]:
        """Return the message of a call, for a dry run."""
        return _shown(self._method, self._params(inputs))

    def _params(self, inputs: BoundInputs) -> dict[str, Any]:
        return {name: value for name, value in inputs.given.items() if name != self._every}


def _shown(method: str, params: Json) -> Json:
    return {"method": "POST", "path": "/", "body": {"method": method, "params": params}}
