"""Every vector comes to what it expects through the library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from corpus import Vector, vectors
from surfaces import complaints, played

_SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.mark.parametrize("vector", vectors(), ids=str)
def test_library_comes_to_what_the_vector_expects(vector: Vector) -> None:
    """Result, calls and what AWS received are as the vector says; Result and invocation fit their published schemas."""
    play = played("library", vector)
    found = [*complaints(vector, play), *_faults("result", play.result)]
    if isinstance(vector.given, Mapping) and vector.expect.get("error", {}).get("code") != "invalid_invocation":
        found += _faults("invocation", vector.given)
    assert not found, "\n".join([vector.says, *found])


@cache
def _validator(name: str) -> Any:
    schema = json.loads((_SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def _faults(name: str, value: object) -> list[str]:
    return [f"{name}.schema.json: {error.json_path}: {error.message[:200]}" for error in _validator(name).iter_errors(value)]
