"""JSON Schemas of the API's requests and responses, by name: of the subjects, of their lists, and
of the server itself.
"""

from __future__ import annotations

from collections.abc import Iterable

from jackfield_service.shell.http.shape_parts import ANY, STRING, Json, list_of, object_of
from jackfield_service.shell.operations.operation import Operation
from jackfield_service.shell.resource.judged import described

_LIST = "List"
_OWN: dict[str, Json] = {
    "Healthy": object_of(
        ("status",),
        status={"const": "ok"},
        warnings={"type": "array", "items": STRING},
        kinds={"type": "array", "items": STRING},
    ),
    "Problem": object_of(
        ("type", "title", "status", "code", "detail"),
        closed=False,
        type={
            "type": "string",
            "format": "uri-reference",
            "description": "Where the code is explained.",
        },
        title=STRING,
        status={"type": "integer"},
        detail=STRING,
        hint=STRING,
        kind=STRING,
        code={
            "type": "string",
            "description": "Stable. One of the codes that /docs lists, or of an error of a Result.",
        },
        details={"type": "array", "items": ANY},
    ),
}


def shapes(operations: Iterable[Operation]) -> dict[str, Json]:
    """Return all schemas as OpenAPI components. If no subject describes the list that an operation
    returns, its schema is a page of the items.

    :raises ValueError: if two subjects describe one name.
    """
    found: dict[str, Json] = {}
    for own in (*described(), _OWN):
        if twice := found.keys() & own.keys():
            raise ValueError(f"described twice: {', '.join(sorted(twice))}")
        found |= own
    lists = {
        answer
        for operation in operations
        for answer in operation.answers.values()
        if answer.endswith(_LIST)
    }
    return found | {
        name: list_of(f"#/components/schemas/{name.removesuffix(_LIST)}")
        for name in sorted(lists - found.keys())
    }
