"""``schemas/state.schema.json``: what files of ``jackfield apply`` state, made of the declarations
that HTTP is made of.
"""

from __future__ import annotations

from typing import Any

from generated.words import Json, closed, document
from jackfield_service.shell.http.shapes import shapes
from jackfield_service.shell.http.table import OPERATIONS
from jackfield_service.shell.resource.kinds import kinds

_THERE, _HERE = "#/components/schemas/", "#/$defs/"
_VARIABLE = closed({"$var": {"type": "string"}}, ["$var"], "The value of a variable.")


def schema() -> Json:
    """The schema of a file."""
    known, used = shapes(OPERATIONS), dict[str, Any]()

    def here(value: Any) -> Any:
        if isinstance(value, list):
            return [here(one) for one in value]
        if not isinstance(value, dict):
            return value
        name = str(value.get("$ref", "")).removeprefix(_THERE)
        if f"{_THERE}{name}" == value.get("$ref"):
            if name not in used:
                used[name] = {}
                used[name] = here(known[name])
            return {"$ref": _HERE + name}
        return {key: here(one) for key, one in value.items()}

    def thing(found: Json) -> Json:
        members = {
            name: {"anyOf": [here(one), {"$ref": f"{_HERE}Variable"}, {"type": "null"}]}
            for name, one in found["properties"].items()
        }
        return closed(members)

    def things(found: Json) -> Json:
        one = {
            "anyOf": [
                thing(found),
                {"type": "null", "description": "It is taken away from the files before."},
            ]
        }
        return {"type": ["object", "null"], "additionalProperties": one}

    members = {
        "settings": thing(known["WorkspaceSettings"]),
        **{name: things(kind.schema) for name, kind in kinds().items()},
    }
    label = {
        "type": "string",
        "minLength": 1,
        "maxLength": 100,
        "description": "Marks what the files make; 'apply' by default.",
    }
    whole = closed(
        {
            "$schema": {"type": "string"},
            "label": label,
            "variables": {"type": "object"},
            "workspaces": {"type": "object", "additionalProperties": closed(members)},
        },
    )
    notes = {"description": "States nothing; a place for anchors."}
    about = (
        "What workspaces have, for 'jackfield plan' and 'jackfield apply'. Files are laid "
        "over one another; null takes away."
    )
    return document(
        "state",
        "State of workspaces",
        about,
        {
            **whole,
            "patternProperties": {"^x-": notes},
            "$defs": {"Variable": _VARIABLE, **dict(sorted(used.items()))},
        },
    )
