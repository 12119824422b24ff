"""Index of a manifest with hundreds of actions: everything but schemas and bindings, with the place of each action and definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import Any

MANIFEST = "connector.json"
INDEX = "connector.index.json"
_KEPT = frozenset(
    {"title", "description", "effect", "group", "deprecated", "outputPolicy", "pagination", "permissions", "rateLimit", "needsConnection"}
    | {"idempotentBy", "repeatOk", "handsOutCredentials", "allowedWith", "keywords"}
)
"""Members of an action that the index repeats."""
_SUMMARY = 200


def index_of(manifest: Mapping[str, Any], content: bytes, places: Mapping[str, Mapping[str, tuple[int, int]]]) -> dict[str, Any]:
    """Return the index of a manifest that is written as ``content``; ``places`` has offset and length of ``actions`` and ``$defs`` by
    name."""
    rows = [light_row(item, places["actions"][item["key"]]) for item in manifest["actions"]]
    head = {name: value for name, value in manifest.items() if name not in ("actions", "$defs")}
    return {"size": len(content), "manifest": {**head, "actions": rows}, "definitions": dict(places["$defs"])}


def light_row(action: Mapping[str, Any], place: Sequence[int]) -> dict[str, Any]:
    """Return what the index has of an action, with its place in the manifest."""
    kept = {name: value for name, value in action.items() if name in _KEPT}
    kept["description"] = action["description"].partition("\n")[0][:_SUMMARY]
    return {"key": action["key"], **kept, "at": list(place)}
