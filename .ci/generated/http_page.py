"""``docs/reference/http-operations.md``, ``-events`` and ``-manage``: each operation of the HTTP
API, from the server's table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from generated.markdown import NOTICE
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.operations.operation import Operation

_TEXT = """# HTTP operations

Operations of `jackfield serve` that callers use, with the scope that the token needs; [HTTP operations, events and
schedules](http-operations-events.md) has those on events, callbacks, schedules and approvals, [HTTP operations,
managing](http-operations-manage.md) those on connections, installations, tokens, workspaces and the audit log, [servers of
others](http-operations-servers.md) those on MCP servers and OAuth clients. [HTTP API](http.md)
describes what all have in common: authentication, keys, lists, limits and errors. `GET /openapi.json` describes the operations with
their schemas. For `/mcp` and `/v1.0` (Dapr), see [MCP](mcp.md) and [Compatibility](../compatibility.md#dapr)."""

_EVENTS_TEXT = """# HTTP operations: events and schedules

Operations of `jackfield serve` on [events](events.md), on the callbacks that get them, and on
[schedules](../tutorial/schedules.md), with the scope that the token needs. [HTTP operations](http-operations.md) links all others,
and [HTTP API](http.md) describes what they have in common."""

_MANAGING_TEXT = """# HTTP operations: managing

Operations of `jackfield serve` that manage a workspace, or those of a [platform](../tutorial/tenants.md), with the scope that the
token needs. [HTTP operations](http-operations.md) links all others, and [HTTP API](http.md) describes what they have in common."""

_SERVERS_TEXT = """# HTTP operations: servers of others

Operations of `jackfield serve` on [MCP servers](../tutorial/mcp-servers.md) that are connectors, and on [OAuth
clients](../tutorial/oauth2.md), with the scope that the token needs. [HTTP operations](http-operations.md) links all others, and
[HTTP API](http.md) describes what they have in common."""

_TITLES = {"server": "Server"}
_EVENTS = frozenset({"approvals", "events", "callbacks", "deliveries", "schedules", "platform"})
"""Groups of operations on what happens without a caller who waits."""
_MANAGING = frozenset(
    {"installations", "connections", "authorizations", "audit", "state", "tokens", "workspaces"}
)
"""Groups of operations that manage a workspace."""
_SERVERS = frozenset({"oauth-clients", "mcp-servers"})
"""Groups of operations on servers of others."""


def page() -> str:
    """The page of what callers use."""
    return _page(
        _TEXT,
        (
            operation
            for operation in OPERATIONS
            if operation.tag not in _EVENTS | _MANAGING | _SERVERS
        ),
    )


def events_page() -> str:
    """The page of events, callbacks and schedules."""
    return _page(_EVENTS_TEXT, (operation for operation in OPERATIONS if operation.tag in _EVENTS))


def managing_page() -> str:
    """The page of what manages a workspace."""
    return _page(
        _MANAGING_TEXT, (operation for operation in OPERATIONS if operation.tag in _MANAGING)
    )


def servers_page() -> str:
    """The page of MCP servers and OAuth clients."""
    return _page(
        _SERVERS_TEXT, (operation for operation in OPERATIONS if operation.tag in _SERVERS)
    )


def _page(text: str, shown: Iterable[Operation]) -> str:
    """Operations grouped by the first word of the path."""
    groups: dict[str, list[Operation]] = {}
    for operation in shown:
        groups.setdefault(operation.tag, []).append(operation)
    parts = [NOTICE, text]
    for tag, operations in groups.items():
        parts.append(f"## {_TITLES.get(tag, tag.capitalize())}")
        parts += [part for operation in operations for part in _operation(operation)]
    return "\n\n".join(parts) + "\n"


def _operation(operation: Operation) -> Iterator[str]:
    yield f"### {operation.method} {operation.path}"
    yield operation.summary
    rows = [
        ("Scope", f"`{operation.scope}`" if operation.scope else "none: no token is needed"),
        ("Body", _code(operation.body)),
    ]
    rows += [
        ("Query", ", ".join(f"`{name}`" for name in operation.query)),
        ("Headers", ", ".join(f"`{name}`" for name in operation.headers)),
    ]
    rows.append(
        (
            "Responses",
            ", ".join(
                f"{status} {_code(schema)}".strip() for status, schema in operation.answers.items()
            ),
        )
    )
    rows.append(("Failed Result", ", ".join(str(status) for status in operation.results)))
    rows.append(("Problem document", ", ".join(str(status) for status in operation.problems)))
    yield "\n".join(f"- {name}: {value}" for name, value in rows if value)


def _code(name: str | None) -> str:
    return f"`{name}`" if name else ""
