"""Shapes of the HTTP API's responses about calls in doubt, and of the settings about doubts and
twins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield_service.shell.http.shape_parts import MOMENT, STRING, Json, closed_with, object_of
from jackfield_store.database.setting_rows import SETTLE_RULES, TWIN_RULES
from jackfield_store.journal.doubts import LOOK_RESULTS
from jackfield_store.journal.entry import LONGEST_NOTE

_LOOKS: Json = {
    "type": "array",
    "description": "Looks for evidence of what became of a call in doubt, the newest last.",
    "items": object_of(
        ("number", "at", "source", "result"),
        number={"type": "integer", "minimum": 1},
        at=MOMENT,
        source=STRING,
        result={"enum": [*LOOK_RESULTS]},
        text=STRING,
        link={**STRING, "description": "Where people see at the provider what was found."},
        sent={
            "type": "object",
            "description": "Of something similar: what was sent of it, by JSON Pointers.",
            "additionalProperties": STRING,
        },
    ),
}
LOOKED: Any = {
    "looks": _LOOKS,
    "nextLookAt": {
        **MOMENT,
        "description": "When the provider is asked next what became of a call in doubt.",
    },
    "waitsFor": {
        **STRING,
        "description": (
            "Of a program's function that nobody looks up at present: by what its doubt may "
            "be settled."
        ),
    },
}
"""Schemas of an entry's members about a doubt (``journal.doubts.with_looks``)."""
RESOLUTION: Json = closed_with(
    ("as",),
    {
        "as": {"enum": ["succeeded", "failed"]},
        "note": {"type": "string", "maxLength": LONGEST_NOTE, "description": "How you know it."},
        "because": {
            "type": "integer",
            "minimum": 1,
            "description": "The number of the look that shows it.",
        },
        "output": {
            "type": "object",
            "description": (
                "The output of a success, by the action's schema; it is replayed from then on."
            ),
        },
    },
)
CHOICES: Mapping[str, Json] = {
    "twins": {
        "enum": [*TWIN_RULES, None],
        "description": (
            "Whether a write without a key joins an equal one that is open; null: as the server."
        ),
    },
    "settle": {
        "enum": [*SETTLE_RULES, None],
        "description": (
            "What becomes of evidence about a call in doubt; null: as the server. The "
            "stricter of the two holds."
        ),
    },
    "settleAbsent": {
        "type": "boolean",
        "description": "A provider that has no trace of a call settles its doubt, too.",
    },
}
SHAPES: dict[str, Json] = {"Resolution": RESOLUTION}
