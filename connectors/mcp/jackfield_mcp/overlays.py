"""Overlays: an operator's settings of a tool, which override the server's: effect, key, pagination
and the meaning of an error.

A package's overlay is its file ``overlay.yaml``; a live server's is stored in each tool's action
(``mcp.overlay``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from jackfield.connector import InvalidInput
from jackfield.kernel.pointers import alternatives
from jackfield.manifest.manifest import EFFECTS
from jackfield.manifest.pagination import Pagination
from jackfield.manifest.reading import ManifestError

LIVE_MEMBERS = frozenset({"effect", "idempotencyKey", "keyKept", "toolError", "pagination"})
"""Members about the effect and result of a call: they can be set and removed without a request to
the server.
"""
OVERLAID = LIVE_MEMBERS | {
    "title",
    "description",
    "keywords",
    "group",
    "rateLimit",
    "skip",
    "inputs",
    "examples",
}
"""Members that the overlay of a package sets for an action."""
_PAGES = frozenset(
    {
        "tokenInput",
        "tokenOutput",
        "items",
        "more",
        "sizeInput",
        "maxSize",
        "furtherItems",
        "pageMembers",
    }
)
_ALL = ("fetchAll", "fetchAllPages")
_WORDS = frozenset({"title", "description"})
_EXAMPLE: Mapping[str, type] = {"title": str, "inputs": Mapping, "output": Mapping}
_DEFAULTS: Mapping[bool, str] = {True: "idempotent", False: "write"}

Json = Mapping[str, Any]


def check_overlay(key: str, said: Json, known: frozenset[str] = OVERLAID) -> None:
    """Check an overlay's settings of one action.

    :raises InvalidInput: if a setting is unknown, or has an invalid value.
    """
    unknown = sorted(said.keys() - known)
    if unknown:
        raise _refused(
            key,
            f"'{str(unknown[0])[:80]}', which is unknown",
            f"Known are {', '.join(sorted(known))}.",
        )
    if said.get("effect", "write") not in EFFECTS:
        raise _refused(key, "an effect that does not exist", f"Effects: {', '.join(EFFECTS)}.")
    if said.get("toolError", "inDoubt") != "inDoubt":
        raise _refused(key, "a 'toolError' that does not exist", "Write inDoubt, or leave it out.")
    named = said.get("idempotencyKey", "key")
    if not isinstance(named, str) or not named:
        raise _refused(
            key,
            "an 'idempotencyKey' that is no name",
            "Name the input that takes the invocation's key.",
        )
    kept = said.get("keyKept", 1)
    if isinstance(kept, bool) or not isinstance(kept, int | float) or not 0 < kept < math.inf:
        raise _refused(
            key,
            "a 'keyKept' that is no time",
            "Write the seconds for which the server remembers a key.",
        )
    if "pagination" in said:
        _check_pages(key, said["pagination"])
    about = said.get("inputs", {})
    if not (
        isinstance(about, Mapping)
        and all(isinstance(one, Mapping) and one.keys() <= _WORDS for one in about.values())
    ):
        raise _refused(
            key,
            "'inputs' that say more than words",
            "Write objects by input, with title and description.",
        )
    if not all(isinstance(text, str) for one in about.values() for text in one.values()):
        raise _refused(
            key, "'inputs' with words that are no texts", "Write title and description as texts."
        )
    _check_examples(key, said.get("examples", []))


def _check_examples(key: str, rows: object) -> None:
    hint = "Write a list of objects with title, inputs and output, as a Result has it."
    if not isinstance(rows, list) or not all(
        isinstance(row, Mapping) and row.keys() == _EXAMPLE.keys() for row in rows
    ):
        raise _refused(key, "'examples' without title, inputs and output", hint)
    if not all(isinstance(row[name], kind) for row in rows for name, kind in _EXAMPLE.items()):
        raise _refused(
            key, "'examples' whose title is no text, or whose inputs or output are no object", hint
        )


def described(key: str, inputs: Json, said: Mapping[str, Json]) -> dict[str, Any]:
    """Return the schema of a tool's inputs with an overlay's titles and descriptions.

    :raises InvalidInput: if the overlay names an input that the tool does not have.
    """
    for name in said:
        _require_input(key, inputs, str(name))
    properties = dict(inputs.get("properties", {}))
    for name, words in said.items():
        own = properties[name]
        properties[name] = {**(own if isinstance(own, Mapping) else {"allOf": [own]}), **words}
    return {**inputs, "properties": properties} if said else dict(inputs)


def apply_overlay(row: dict[str, Any], said: Json, *, trusts: bool) -> dict[str, Any]:
    """Return the row of an action with the overlay's settings. With ``trusts``, the server's
    annotations count where the overlay is silent.

    :raises InvalidInput: if the overlay names an input that the tool does not have.
    """
    about, inputs = dict(row["mcp"]), row["inputs"]
    made = {
        **row,
        "effect": said.get("effect") or _effect(about.get("annotations", {}) if trusts else {}),
        "mcp": about,
    }
    about |= {name: said[name] for name in ("toolError", "idempotencyKey") if name in said}
    if "idempotencyKey" in said:
        _require_input(row["key"], inputs, said["idempotencyKey"])
        made |= {"idempotentBy": "key"} if made["effect"] == "idempotent" else {}
        made |= {"keyKept": said["keyKept"]} if "idempotentBy" in made and "keyKept" in said else {}
    if "pagination" in said:
        if made["effect"] == "write":
            raise _refused(
                row["key"], "a 'pagination' of a write", "Only reads page: set the effect, too."
            )
        made |= _paged(row["key"], inputs, said["pagination"])
    return made


def apply_fitting(row: dict[str, Any], said: Json, *, trusts: bool) -> dict[str, Any]:
    """Return the row of a live server's action with the overlay's settings that still fit the tool.

    A call is not safe to repeat if the input for its idempotency key is gone.
    """
    kept, known = dict(said), row["inputs"].get("properties", {})
    if "idempotencyKey" in kept and kept["idempotencyKey"] not in known:
        del kept["idempotencyKey"]
        kept |= {"effect": "write"} if kept.get("effect") == "idempotent" else {}
    try:
        made = apply_overlay(row, kept, trusts=trusts)
    except InvalidInput:
        made = apply_overlay(
            row,
            {name: value for name, value in kept.items() if name != "pagination"},
            trusts=trusts,
        )
    return {**made, "mcp": {**made["mcp"], "overlay": dict(said)}} if said else made


def without_overlay(row: Json) -> dict[str, Any]:
    """Return the row of an action without its overlay's settings."""
    own = {"idempotencyKey", "toolError", "overlay"}
    made = {
        name: value
        for name, value in row.items()
        if name not in ("pagination", "idempotentBy", "keyKept")
    }
    made["mcp"] = {name: value for name, value in row["mcp"].items() if name not in own}
    every = row.get("pagination", {}).get("allInput")
    if every is not None:
        properties = {
            name: schema for name, schema in row["inputs"]["properties"].items() if name != every
        }
        made["inputs"] = {**row["inputs"], "properties": properties}
    return made


def _effect(hints: Json) -> str:
    return "read" if hints.get("readOnlyHint") else _DEFAULTS[bool(hints.get("idempotentHint"))]


def _check_pages(key: str, said: object) -> None:
    if not isinstance(said, Mapping) or said.keys() - _PAGES:
        raise _refused(
            key, "a 'pagination' with unknown members", f"Known are {', '.join(sorted(_PAGES))}."
        )
    try:
        pages = Pagination.from_json(said, key)
    except ManifestError as error:
        raise InvalidInput(
            f"the overlay of {error}", hint="Name tokenInput, tokenOutput and items."
        ) from None
    outside = [
        path
        for path in (pages.token_output, *pages.merged, pages.more or "")
        if path and not _is_structured(path)
    ]
    if outside:
        hint = "Pages are found in the structured content only: structuredContent.items."
        raise _refused(key, f"pages at '{outside[0][:80]}'", hint)


def _is_structured(path: str) -> bool:
    return all(steps and steps[0] == "structuredContent" for steps in alternatives(path))


def _paged(key: str, inputs: Json, said: Json) -> dict[str, Any]:
    """Return the members of an action with paged results, including an input that requests all
    pages.
    """
    for name in (said["tokenInput"], said.get("sizeInput")):
        if name is not None:
            _require_input(key, inputs, name)
    properties = inputs.get("properties", {})
    every = next((name for name in _ALL if name not in properties), None)
    if every is None:
        return {"pagination": dict(said)}
    schema = {
        "type": "boolean",
        "title": "Fetch all",
        "description": "Fetch every page, not only one.",
    }
    return {
        "pagination": {**said, "allInput": every},
        "inputs": {**inputs, "properties": {**properties, every: schema}},
    }


def _require_input(key: str, inputs: Json, name: str) -> None:
    if name not in inputs.get("properties", {}):
        raise _refused(
            key, f"the input '{name[:80]}', which the tool does not have", "Name one of its inputs."
        )


def _refused(key: str, what: str, hint: str) -> InvalidInput:
    return InvalidInput(f"the overlay of '{key[:100]}' has {what}", hint=hint)
