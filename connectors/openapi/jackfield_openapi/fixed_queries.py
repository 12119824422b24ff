"""GraphQL operations whose document is in the overlay: ``graphql`` of ``x-jackfield`` with
``query``, ``variables`` and ``result``.

Each member of the operation's body is a variable and an input; the schema of its response describes
the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jackfield.connector import InvalidInput, pointer
from jackfield.wire.graphql import effect_of
from jackfield_openapi.contents import RequestBody
from jackfield_openapi.operations import Operation

_MEMBERS = frozenset({"query", "variables", "result", "cursor", "errors"})
_PAGES = {
    "kind": "token",
    "response": "/pageInfo/endCursor",
    "more": "/pageInfo/hasNextPage",
    "items": "/nodes",
}
"""Pagination of a GraphQL connection by the Cursor Connections Specification of Relay."""

Json = dict[str, Any]


def fixed_query(operation: Operation) -> Json | None:
    """Return an operation's declaration of its GraphQL document; None without one."""
    given = operation.extension.get("graphql")
    return given if isinstance(given, dict) else None


def with_query(operation: Operation) -> Operation:
    """Return an operation with the effect, the pagination and the connection test of its GraphQL
    document.

    :raises InvalidInput: if the declaration is not valid.
    """
    given = fixed_query(operation)
    if given is None:
        return operation
    own, fault = dict(operation.extension), _fault(operation, given)
    if fault is not None:
        text = f"'graphql' of {operation.name} is not valid: {fault}"
        raise InvalidInput(text, hint="Correct it; docs/tutorial/openapi.md lists its members.")
    own.setdefault("effect", effect_of(given["query"]))
    if "cursor" in given:
        own.setdefault("pagination", {**_PAGES, "input": given["cursor"]})
    if own.get("probe") is True:
        own["probe"] = {"body": {"query": given["query"]}, "failed": {"member": "/errors"}}
    if "requestBody" not in operation.raw:
        return replace(operation, extension=own)
    raw = {**operation.raw, "requestBody": {**operation.raw["requestBody"], "required": True}}
    return replace(operation, raw=raw, extension={**own, "flatten": True})


def _fault(operation: Operation, given: Json) -> str | None:
    query = given.get("query")
    if unknown := given.keys() - _MEMBERS:
        return f"it has no member '{min(unknown)}'"
    if operation.method != "post":
        return "it is sent by POST"
    if not isinstance(query, str) or not query.strip():
        return "it needs 'query', the document"
    effect, own = operation.extension.get("effect"), effect_of(query)
    if effect is not None and (own == "read") != (effect == "read"):
        return f"a {'query' if own == 'read' else 'mutation'} cannot have the effect '{effect}'"
    return _place_fault(given)


def _place_fault(given: Json) -> str | None:
    variables = given.get("variables", "")
    places = [*variables.values()] if isinstance(variables, dict) else [variables]
    if "result" not in given:
        return "it needs 'result', where the output is"
    if not all(
        isinstance(given.get(name, "/"), str) and given.get(name, "/").startswith("/")
        for name in ("result", "errors")
    ):
        return "'result' and 'errors' are JSON Pointers, such as /data/viewer"
    if not all(isinstance(place, str) and (not place or place.startswith("/")) for place in places):
        return "'variables' is the place of all inputs, such as /input, or has the place of each"
    return None


def body_without_variables(operation: Operation) -> RequestBody | None:
    """Return an empty body for an operation with a GraphQL document but no request body; None if it
    has no GraphQL document.
    """
    if fixed_query(operation) is None:
        return None
    row = {"input": "body", "encode": "json", "contentType": "application/json"}
    return RequestBody(
        {"type": "object", "properties": {}}, row, required=True, description="", is_flat=True
    )


def place_variables(operation: Operation, body: RequestBody) -> None:
    """Bind the inputs of a flat body to the variables of the operation's GraphQL document, if it
    has one.

    :raises InvalidInput: if the body is not flat, or lacks a member that ``variables`` names.
    """
    given = fixed_query(operation)
    if given is None:
        return
    if not body.is_flat:
        raise InvalidInput(
            f"'graphql' of {operation.name} is not valid: its body names the variables, as "
            "members of one object"
        )
    variables = given.get("variables", "")
    members: Mapping[str, str] = body.row["members"]
    if isinstance(variables, dict):
        if unknown := variables.keys() - members.values():
            raise InvalidInput(
                f"'graphql' of {operation.name} is not valid: its body has no member "
                f"'{min(unknown)}' for 'variables'"
            )
        placed = {key: variables.get(name, pointer(name)) for key, name in members.items()}
    else:
        taken = given.get("cursor")
        placed = {
            key: pointer(name) if name == taken else variables + pointer(name)
            for key, name in members.items()
        }
    body.row["members"] = {key: f"/variables{place}" for key, place in placed.items()}
    body.row.update(defaults={"query": given["query"]}, required=True)
