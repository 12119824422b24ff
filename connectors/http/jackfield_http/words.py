"""JSON Schemas of the words by which a manifest or an overlay describes a provider, and the reading
of such words.

Each module that reads words declares them beside the class that holds them: name, shape and
meaning. The schema of manifests, the check of overlays, the schema for editors and the reference
are made of these declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]

TEXT: Json = {"type": "string", "minLength": 1}
TEXTS: Json = {"type": "array", "items": TEXT}
POINTER: Json = {"type": "string", "pattern": "^/"}
PLACE: Json = {"type": "string", "pattern": "^(/|$)"}
"""JSON Pointer that may be empty, for the whole answer."""
TABLE: Json = {"type": "object", "additionalProperties": TEXT}
PLACES: Json = {"type": "object", "additionalProperties": POINTER}
KEY: Json = {"type": "string", "pattern": "^[a-z][A-Za-z0-9]*$"}
"""Name of an action, an input or a value of a connection."""
WEB: Json = {"type": "string", "minLength": 1, "pattern": "^https?://"}
FLAG: Json = {"const": True}
STATUS: Json = {"type": "integer", "minimum": 100, "maximum": 599}
REFUSAL: Json = {"type": "integer", "minimum": 300, "maximum": 599}
"""Status of a refusal."""
_CAPITAL = re.compile("[A-Z]")


def word(shape: Json, meaning: str, **more: Any) -> Json:
    """Return the schema of a word: its shape and its meaning."""
    return {**shape, **more, "description": meaning}


def some(items: Json, **more: Any) -> Json:
    """Return the schema of a list with at least one item."""
    return {"type": "array", "items": items, "minItems": 1, **more}


def one_or_more(*rules: Json, **more: Any) -> Json:
    """Return the schema of a value of one of these shapes, or of a list of such values."""
    each = rules[0] if len(rules) == 1 else {"anyOf": [*rules]}
    return {"anyOf": [*rules, some(each)], **more}


def closed(
    properties: Mapping[str, Any],
    required: Iterable[str] = (),
    description: str | None = None,
    **more: Any,
) -> Json:
    """Return the schema of an object with these members and no others."""
    about = {"description": description} if description else {}
    needs = list(required)
    needed = {"required": needs} if needs else {}
    return {
        "type": "object",
        **about,
        **needed,
        "properties": dict(properties),
        "additionalProperties": False,
        **more,
    }


def needs_one(*names: str) -> Json:
    """Return the condition of a schema that an object has at least one of these members."""
    return {"anyOf": [{"required": [name]} for name in names]}


def argument(name: str) -> str:
    """Return the name of a class's argument for a word: in snake_case."""
    return _CAPITAL.sub(lambda capital: f"_{capital[0].lower()}", name)


def read(words: Iterable[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of ``words`` that a declaration has as arguments of a class; lists become
    tuples.
    """
    found = {argument(name): given[name] for name in words if name in given}
    return {
        name: tuple(value) if isinstance(value, list) else value for name, value in found.items()
    }
