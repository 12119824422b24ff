"""Differences between a manifest and the code that it describes: rules read the manifest, retries and doubt read the code."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["difference"]

_PROSE = frozenset({"title", "description", "examples", "setup", "icon", "categories", "documentationUrl", "license", "version"})
"""Members that decide nothing: a difference in one is worth a note, and refuses no call."""
_MAPS = frozenset(
    {
        "connectionTypes",
        "actions",
        "optionSources",
        "properties",
        "patternProperties",
        "$defs",
        "dependentSchemas",
        "permissions",
        "aliases",
    }
)
"""Members whose own members are names, not keywords."""
_ABSENT = object()


def difference(manifest: Mapping[str, Any], code: Mapping[str, Any], *, prose: bool = False) -> str | None:
    """Name the first difference between a manifest and what the code describes, None where there is none.

    ``prose`` compares titles, descriptions, examples and the version too. An output without a schema is not compared: it is not judged.
    """
    described = json.loads(json.dumps(code))
    for place, published, actual in _differences(_keyed(manifest), _keyed(described), "", names=False, prose=prose):
        return f"differs from its manifest in {place}: connector.json says {_short(published)}, the code {_short(actual)}"
    return None


def _keyed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with its lists by key, so that a difference names the action and not a number; effects are spelled out."""
    found = dict(manifest)
    for name in ("connectionTypes", "actions", "optionSources"):
        found[name] = {item.get("key"): item for item in manifest.get(name, ())}
    found["actions"] = {key: {"effect": "write", **item} for key, item in found["actions"].items()}
    return {name: value for name, value in found.items() if value not in ({}, [], None)}


def _differences(published: Any, actual: Any, place: str, *, names: bool, prose: bool) -> Iterator[tuple[str, Any, Any]]:
    if not (isinstance(published, Mapping) and isinstance(actual, Mapping)):
        if published != actual or isinstance(published, bool) != isinstance(actual, bool):
            yield place, published, actual
        return
    for name in {**published, **actual}:
        if not names and not prose and name in _PROSE:
            continue
        if name == "output" and name not in published:
            continue
        here = f"{place} {name}" if place else str(name)
        of_names = name in _MAPS and not names
        yield from _differences(published.get(name, _ABSENT), actual.get(name, _ABSENT), here, names=of_names, prose=prose)


def _short(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
