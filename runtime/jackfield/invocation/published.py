"""The published JSON Schemas of invocations and Results, which the command line prints and servers
serve.
"""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any, Literal


def published_schema(name: Literal["invocation", "result"]) -> dict[str, Any]:
    """Read the schema; each call returns a new object."""
    text = (
        files("jackfield.invocation")
        .joinpath("schemas", f"{name}.schema.json")
        .read_text(encoding="utf-8")
    )
    found: dict[str, Any] = json.loads(text)
    return found
