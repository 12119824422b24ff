"""``docs/reference/http-operations.md``: each operation of the HTTP API, from the table that the server serves."""

from __future__ import annotations

from collections.abc import Iterator

from generated.markdown import NOTICE
from jackfield.surfaces.http.table import OPERATIONS
from jackfield.surfaces.shared.operation import Operation

_TEXT = """# HTTP operations

Every operation of `jackfield serve`, with the scope that its token needs. [HTTP API](http.md) describes what they have in common:
authentication, keys, lists, limits and errors. `GET /openapi.json` describes the operations with their schemas. For `/mcp` and
`/v1.0` (Dapr), see [MCP](mcp.md) and [Compatibility](../compatibility.md#dapr)."""

_TITLES = {"server": "Server"}


def page() -> str:
    """The page, grouped by the first word of the path."""
    groups: dict[str, list[Operation]] = {}
    for operation in OPERATIONS:
        groups.setdefault(operation.tag, []).append(operation)
    parts = [NOTICE, _TEXT]
    for tag, operations in groups.items():
        parts.append(f"## {_TITLES.get(tag, tag.capitalize())}")
        parts += [part for operation in operations for part in _operation(operation)]
    return "\n\n".join(parts) + "\n"


def _operation(operation: Operation) -> Iterator[str]:
    yield f"### {operation.method} {operation.path}"
    yield operation.summary
    rows = [("Scope", f"`{operation.scope}`" if operation.scope else "none: no token is needed"), ("Body", _code(operation.body))]
    rows += [
        ("Query", ", ".join(f"`{name}`" for name in operation.query)),
        ("Headers", ", ".join(f"`{name}`" for name in operation.headers)),
    ]
    rows.append(("Responses", ", ".join(f"{status} {_code(schema)}".strip() for status, schema in operation.answers.items())))
    rows.append(("Failed Result", ", ".join(str(status) for status in operation.results)))
    rows.append(("Problem document", ", ".join(str(status) for status in operation.problems)))
    yield "\n".join(f"- {name}: {value}" for name, value in rows if value)


def _code(name: str | None) -> str:
    return f"`{name}`" if name else ""
