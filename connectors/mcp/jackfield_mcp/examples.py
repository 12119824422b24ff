"""Examples of a package's actions: from its overlay, else short values that fit the tools'
schemas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jackfield.manifest.parts import example
from jackfield_openapi.examples import MOST_ACTIONS, minimal

_CONTENT = "content"

Json = Mapping[str, Any]


def with_examples(manifest: Json, overlay: Mapping[str, Json]) -> dict[str, Any]:
    """Return a manifest whose actions have examples. Above 300 actions, only the overlay's examples
    are used.
    """
    makes = len(manifest["actions"]) <= MOST_ACTIONS
    actions = [
        _shown(action, manifest, overlay.get(action["key"], {}), makes=makes)
        for action in manifest["actions"]
    ]
    return {**manifest, "actions": actions}


def _shown(action: Json, manifest: Json, said: Json, *, makes: bool) -> dict[str, Any]:
    rows = list(said.get("examples", ()))
    if not rows and makes and (found := _made(action, manifest["$defs"])) is not None:
        rows = [{"title": action["title"], "inputs": found[0], "output": found[1]}]
    named = manifest["key"], manifest["version"], action["key"]
    return {
        **action,
        "examples": [
            example(*named, row["title"][:80], row["inputs"], row["output"], took=120.5)
            for row in rows
        ],
    }


def _made(action: Json, definitions: Json) -> tuple[Json, Json] | None:
    """Return short inputs and a tool's result; None if no short values fit.

    The result's content repeats the structured content as text, as the protocol requires.
    """
    found = minimal(dict(action), {}, dict(definitions))
    if found is None or _CONTENT not in action["output"]["properties"]:
        return found
    text = json.dumps(found[1]["structuredContent"]) if "structuredContent" in found[1] else "…"
    return minimal(dict(action), {_CONTENT: [{"type": "text", "text": text}]}, dict(definitions))
