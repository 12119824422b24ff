"""Comparison of a connector's manifest with the description by its code, so that a stale or false
manifest is refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from jackfield.manifest.manifest import Manifest

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

_PROSE = frozenset(
    {
        "title",
        "description",
        "examples",
        "setup",
        "icon",
        "categories",
        "documentationUrl",
        "license",
        "version",
    }
)
"""Members without effect on calls. A difference in them is reported, but refuses no call."""
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


class Mismatch(Exception):
    """Exception for a difference between a connector's code and its manifest."""


def mismatch(
    found: object, manifest: Manifest, actions: set[str], *, prose: bool = False
) -> str | None:
    """Return how the code differs from its manifest, among ``actions`` and in everything that is
    not an action; None if they agree. Either the code changed without ``connector.json``, or the
    manifest is false.
    """
    promised = {"action": manifest.actions, "connection type": manifest.connection_types}
    held = {
        "action": getattr(found, "actions", None),
        "connection type": getattr(found, "connections", None),
    }
    for noun, keys in promised.items():
        known = held[noun]
        if not isinstance(known, Mapping):
            return f"is not a Connector but {type(found).__name__}"
        lacking = [key for key in keys if key not in known]
        if lacking:
            return f"has no {noun} '{lacking[0]}', which its manifest describes"
    if getattr(found, "raw", None) is manifest.raw:  # bound to the manifest itself
        return None
    describe = getattr(found, "describe", None)
    if not callable(describe):
        return None
    if not getattr(found, "on_demand", ()):
        return difference(manifest.whole(), describe(), prose=prose)
    return _mismatch_of_some(found, manifest.whole(), describe(actions), actions, prose=prose)


def _mismatch_of_some(
    found: object,
    whole: Mapping[str, Any],
    described: Mapping[str, Any],
    actions: set[str],
    *,
    prose: bool,
) -> str | None:
    """Compare the given actions, the triggers whose modules are installed, and everything else but
    actions and triggers. Return the first difference, or None.
    """
    known = {
        "actions": actions,
        "triggers": {item["key"] for item in described.get("triggers", ())},
    }
    lacking = [
        item["key"]
        for item in whole.get("triggers", ())
        if item["key"] not in getattr(found, "triggers", ())
    ]
    if lacking:
        return f"has no trigger '{lacking[0]}', which its manifest describes"
    some = {
        name: [item for item in whole.get(name, ()) if item.get("key") in keys]
        for name, keys in known.items()
    }
    return difference({**whole, **some}, described, prose=prose)


def difference(
    manifest: Mapping[str, Any], code: Mapping[str, Any], *, prose: bool = False
) -> str | None:
    """Return the first difference between a manifest and the description by the code; None if they
    agree.

    ``prose`` compares titles, descriptions, examples and the version too. An output without a
    schema is not compared, because it is not validated.
    """
    described = json.loads(json.dumps(code))
    for place, published, actual in _differences(
        _keyed(manifest), _keyed(described), "", names=False, prose=prose
    ):
        return (
            f"differs from its manifest in {place}: connector.json says {_short(published)}, "
            f"the code {_short(actual)}"
        )
    return None


def _keyed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest with lists converted to mappings by key, so that a difference names the
    action instead of its index; effects are explicit.
    """
    found = dict(manifest)
    for name in ("connectionTypes", "actions", "optionSources", "triggers"):
        found[name] = {item.get("key"): item for item in manifest.get(name, ())}
    found["actions"] = {key: {"effect": "write", **item} for key, item in found["actions"].items()}
    return {name: value for name, value in found.items() if value not in ({}, [], None)}


def _differences(
    published: Any, actual: Any, place: str, *, names: bool, prose: bool
) -> Iterator[tuple[str, Any, Any]]:
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
        yield from _differences(
            published.get(name, _ABSENT),
            actual.get(name, _ABSENT),
            here,
            names=of_names,
            prose=prose,
        )


def _short(value: object) -> str:
    if value is _ABSENT:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:79]}…"
