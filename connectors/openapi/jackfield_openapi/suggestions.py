"""Suggestions of evidence for the report: parts of a document by which a lost call may be found.

A name proves nothing: a person compares each suggestion with the provider's pages before adding it
to an overlay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.connector import pointer
from jackfield_openapi.report import Report

Json = dict[str, Any]
_OWN = re.compile(
    r"(?i)(external|custom|client|merchant|your|own)_?\w*?(id|identifier|reference|ref|key|number)|reference(_?(id|number|code|key))?|correlation_?id"
)
"""Regular expression of members that a caller fills in with its own ID."""
_MAP = re.compile(r"(?i)metadata|meta_data|custom_?(fields|data|attributes)")
"""Regular expression of members that accept any members."""
_DEEPEST = 4
_NAMED = "jackfield"
"""Member of a map that would hold the marker."""


def suggest_evidence(
    actions: Sequence[Json], definitions: Json, places: Mapping[str, str], report: Report
) -> None:
    """Record possible evidence of writes that declare none. ``places`` are pointers into the
    document, by action.
    """
    reads = [row for row in actions if row["effect"] == "read"]
    by_path: dict[str, list[Json]] = {}
    for row in reads:
        by_path.setdefault(row["http"]["path"], []).append(row)
        by_path.setdefault(_parent(row["http"]["path"]), []).append(row)
    for row in actions:
        if row["effect"] == "write" and "evidence" not in row and "noEvidence" not in row:
            text = next(_suggestions(row, by_path.get(row["http"]["path"], ()), definitions), None)
            if text is None and "idempotencyHeader" in row["http"]:
                text = (
                    "if the provider knows repeats by it, the header of the idempotency key: "
                    "{effect: idempotent, idempotentBy: key}"
                )
            if text is not None:
                report.suggested(
                    "evidence",
                    places.get(row["key"], ""),
                    f"'{row['key']}' may be found again by {text}",
                )


def _parent(path: str) -> str:
    """Return the path of the collection whose item ``path`` addresses; empty for other paths."""
    head, _, last = path.rpartition("/")
    return head if last.startswith("{") else ""


def _suggestions(row: Json, reads: Sequence[Json], definitions: Json) -> Iterator[str]:
    """Yield suggestions for a write, each with the overlay's members."""
    names = row["http"].get("body", {}).get("members", {})
    for given, sent in names.items():
        is_map = _MAP.fullmatch(str(sent)) is not None
        is_id = sent == "id"
        if not (is_map or is_id or _OWN.fullmatch(str(sent))):
            continue
        at = pointer(given, _NAMED) if is_map else pointer(given)
        for read in reads:
            place = _item(read, row) if is_id else None
            match = pointer(str(sent), _NAMED) if is_map else pointer(str(sent))
            if is_id:
                if place is not None and _members(read["output"], definitions) & {str(sent)}:
                    look = {
                        "key": "object",
                        "action": read["key"],
                        "inputs": {place: {"$marker": {}}},
                    }
                    yield _text(
                        sent,
                        {"at": at},
                        look,
                        match,
                        _same(read["output"], row["output"], definitions),
                    )
                continue
            found = _list_with(read["output"], str(sent), definitions)
            if found is not None:
                each, thing = found
                look = {"key": "list", "action": read["key"], "each": each}
                yield _text(sent, {"at": at}, look, match, _same(thing, row["output"], definitions))


def _item(read: Json, row: Json) -> str | None:
    """Return the path input of a read that returns one item of the collection a write adds to; None
    for other reads.
    """
    path = read["http"]["path"]
    if _parent(path) != row["http"]["path"]:
        return None
    name = path.rpartition("/")[2].strip("{}")
    rows = [
        one
        for one in read["http"].get("parameters", ())
        if one["in"] == "path" and one.get("name", one["input"]) == name
    ]
    return str(rows[0]["input"]) if rows else None


def _same(thing: Any, output: Any, definitions: Json) -> Json:
    """Return the look's member ``output`` if what a read returns has the members of the write's
    output; else an empty object.
    """
    members = _properties(output, definitions)
    return {"output": ""} if members and members == _properties(thing, definitions) else {}


def _text(name: object, marker: Json, look: Json, match: str, output: Json) -> str:
    evidence = {**look, "match": [{"at": match, "is": {"$marker": {}}}], **output}
    shown = json.dumps({"marker": marker, "evidence": [evidence]}, ensure_ascii=False)
    return f"'{str(name)[:80]}', which '{look['action']}' returns: {shown}"


def _resolved(schema: Any, definitions: Json) -> Iterator[Json]:
    """Yield a schema and the schemas that it is composed of, at most 50."""
    waiting, seen = [schema], 0
    while waiting and seen < 50:
        one, seen = waiting.pop(), seen + 1
        if not isinstance(one, dict):
            continue
        yield one
        waiting += [part for word in ("allOf", "anyOf", "oneOf") for part in one.get(word, ())]
        reference = str(one.get("$ref", ""))
        if reference.startswith("#/$defs/"):
            waiting.append(definitions.get(reference.removeprefix("#/$defs/")))


def _properties(schema: Any, definitions: Json) -> Json:
    return {
        name: one
        for part in _resolved(schema, definitions)
        for name, one in (part.get("properties") or {}).items()
    }


def _members(schema: Any, definitions: Json) -> set[str]:
    return {*_properties(schema, definitions)}


def _list_with(
    schema: Any, name: str, definitions: Json, at: str = "", depth: int = 0
) -> tuple[str, Any] | None:
    """Return the pointer to the first list in an output whose items have a member ``name``, and the
    items' schema; None without one.
    """
    for part in _resolved(schema, definitions):
        if "items" in part and name in _members(part["items"], definitions):
            return at, part["items"]
    if depth < _DEEPEST:
        for key, one in _properties(schema, definitions).items():
            found = _list_with(one, name, definitions, at + pointer(key), depth + 1)
            if found is not None:
                return found
    return None
