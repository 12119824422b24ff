"""Connectors whose actions are bound to tools of an MCP server: the entry point ``mcp`` of the group ``jackfield.bindings``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from jackfield.connector import Action, Connector, DeclarationError, Pagination, current_call
from jackfield.connector.described import DescribedConnector
from jackfield.kernel.pointers import find as at_path
from jackfield.manifest.manifest import RateLimit
from jackfield.manifest.pagination import OPEN_END
from jackfield_http.bindings.connector import BoundInputs
from jackfield_mcp.client import McpClient, Tool
from jackfield_mcp.connection_kinds import KINDS, connection_type
from jackfield_mcp.naming import READ
from jackfield_mcp.results import ToolOutput, output_of, resource_of

_FROZEN = (
    "Compare the tool with the one that was accepted: 'generate mcp' over the connector's folder lists what has changed. "
    "Install the new version once somebody has read it."
)

Json = Mapping[str, Any]


def bound(manifest: Json, row: Callable[[str], Json] | None = None) -> Connector:
    """Return the connector that a manifest of an MCP server describes. ``row`` finds the JSON of an action, if the manifest only lists it.

    :raises DeclarationError: if it has a connection type that this package does not know.
    """
    return McpConnector(manifest, row)


class McpConnector(DescribedConnector):
    """Connector of one MCP server. Actions are made when they are first called."""

    def __init__(self, manifest: Json, row: Callable[[str], Json] | None = None, *, hint: str = _FROZEN, abroad: bool = False) -> None:
        unknown = next((kind["key"] for kind in manifest["connectionTypes"] if kind["key"] not in KINDS), None)
        if unknown is not None:
            raise DeclarationError(f"connector.json has the connection type '{unknown[:80]}', which jackfield-mcp does not know")
        find = row or {item["key"]: item for item in manifest["actions"]}.__getitem__
        types = [connection_type(kind, manifest, abroad=abroad) for kind in manifest["connectionTypes"]]
        super().__init__(manifest, types, lambda key: _action(find(key), hint))


def _action(row: Json, hint: str) -> Action:
    limit, paging = row.get("rateLimit"), row.get("pagination")
    function = ResourceCall() if "method" in row["mcp"] else ToolCall(row, hint)
    return Action(
        key=row["key"],
        title=row["title"],
        description=row["description"],
        effect=row.get("effect", "write"),
        function=function,
        inputs=BoundInputs,
        output=ToolOutput,
        takes_client=True,
        is_async=False,
        permissions={},
        pagination=None if paging is None else Pagination.from_json(paging, row["key"]),
        idempotent_by=row.get("idempotentBy"),
        rate_limit=None if limit is None else RateLimit.from_json(limit, row["key"]),
        request=function.request,
        returns_files=True,
    )


class ToolCall:
    """Function of an action: one call of one tool, as it was accepted."""

    def __init__(self, row: Json, hint: str) -> None:
        about = row["mcp"]
        self._tool = Tool(about["tool"], about["digest"], about.get("parts", {}), about.get("headers", {}), hint)
        self._is_safe = row.get("effect", "write") == "read"
        self._is_unclear = about.get("toolError") == "inDoubt"
        self._keyed_by: str | None = about.get("idempotencyKey") if row.get("idempotentBy") else None
        paging = row.get("pagination", {})
        self._items: str | None = paging.get("items")
        self._every: str | None = paging.get("allInput")

    def __call__(self, inputs: BoundInputs, client: McpClient) -> ToolOutput:
        """Call the tool and return what it returned."""
        given, call = self._arguments(inputs), current_call()
        if self._keyed_by is not None and call is not None and self._keyed_by not in given:
            given = {**given, self._keyed_by: call.idempotency_key}
        found = client.call(self._tool, given, partial(output_of, is_unclear=self._is_unclear), safe=self._is_safe)
        if self._items is not None and call is not None and not isinstance(at_path(found.body, self._items), list):
            call.unfinished(OPEN_END)
        return found

    def request(self, inputs: BoundInputs) -> Mapping[str, Any]:
        """Describe the message of a call, for a dry run."""
        return _shown("tools/call", {"name": self._tool.name, "arguments": self._arguments(inputs)})

    def _arguments(self, inputs: BoundInputs) -> dict[str, Any]:
        """Return what the tool takes: whether to fetch all pages is not its business."""
        given = inputs.given
        return {name: value for name, value in given.items() if name != self._every} if self._every in given else given


class ResourceCall:
    """Function of the action that reads a resource."""

    def __call__(self, inputs: BoundInputs, client: McpClient) -> ToolOutput:
        """Read the resource and return its contents."""
        return client.read(inputs.given["uri"], resource_of)

    def request(self, inputs: BoundInputs) -> Mapping[str, Any]:
        """Describe the message of a call, for a dry run."""
        return _shown(READ, {"uri": inputs.given["uri"]})


def _shown(method: str, params: Json) -> Json:
    return {"method": "POST", "path": "/", "body": {"method": method, "params": params}}
