"""Numbers of a document are never sizes: each keyword with numbers beyond all bounds, in each
place, costs a bounded number of values.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import jsonschema_rs
import pytest

from jackfield_openapi import instances
from jackfield_openapi.instances import LARGEST, Instances, TooLarge
from openapi_rig import document, generate, operation

NUMBERS: tuple[Any, ...] = (10**9, 10**400, -1, 1e308, -(10**400), 1e-308, 0, 0.5)
TYPES = {
    "string": ("minLength", "maxLength"),
    "array": ("minItems", "maxItems", "minContains", "maxContains"),
    "object": ("minProperties", "maxProperties"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}
CASES = [(kind, name) for kind, names in TYPES.items() for name in names]
PATTERN = "^(?:[a-z]{1,99999}){1,99999}$"


def _nested(schema: Any) -> Iterator[Any]:
    """A schema in the places that have schemas."""
    yield schema
    yield {"type": "object", "required": ["a"], "properties": {"a": schema}}
    yield {"type": "object", "minProperties": 2, "additionalProperties": schema}
    yield {"type": "array", "minItems": 2, "items": schema}
    yield {"type": "array", "minItems": 1, "prefixItems": [schema]}
    yield {"$ref": "#/$defs/one"}
    yield from ({name: [schema]} for name in ("allOf", "anyOf", "oneOf"))


class Counted(Instances):
    """Maker that counts what it is asked for."""

    asked = 0

    def value(self, schema: Any, depth: int = 0) -> Any:
        """Count."""
        self.asked += 1
        return super().value(schema, depth)


@pytest.mark.parametrize("varied", [True, False])
@pytest.mark.parametrize(("kind", "name"), CASES)
def test_work_is_bounded(kind: str, name: str, varied: bool) -> None:
    """A value is small, or there is none; what is made for it is counted, and no number raises
    anything else.
    """
    for number in NUMBERS:
        schema: Any = {"type": kind, name: number}
        shapes = [
            *_nested(schema),
            *_nested({**schema, "pattern": PATTERN} if kind == "string" else {name: number}),
        ]
        for shape in shapes:
            made = Counted({"one": schema}, Random(1) if varied else None)
            with suppress(TooLarge):
                assert len(json.dumps(made.value(shape))) <= 4 * LARGEST
            assert made.asked <= instances._MOST + 1


def test_two_numbers_multiply() -> None:
    """Lists of lists, and what is copied into each item, count together."""
    text = "x" * 10_000
    for inner in (
        {"const": text},
        {"enum": [text]},
        {"examples": [text]},
        {"type": "string", "minLength": 10_000},
    ):
        for least in (2, 10**9):
            items = {"type": "array", "minItems": 1000, "items": inner}
            made = Counted({})
            with pytest.raises(TooLarge):
                made.value({"type": "array", "minItems": least, "items": items})
            assert made.asked < 100
    named = Counted({})
    with pytest.raises(TooLarge):
        named.value(
            {
                "type": "array",
                "minItems": 1000,
                "items": {"type": "object", "required": [text], "properties": {text: {}}},
            }
        )
    assert named.asked < 100


@pytest.mark.parametrize(
    "schema",
    [
        {"minimum": 0, "exclusiveMinimum": -5},
        {"exclusiveMinimum": 0},
        {"maximum": 0},
        {"exclusiveMaximum": 0},
        {"multipleOf": 0.1, "minimum": 0.25},
        {"minimum": 10**30, "multipleOf": 7},
        {"minimum": 1.5, "maximum": 1.75, "multipleOf": 0.25},
        {"maximum": -(10**30)},
    ],
)
def test_numbers_within_bounds(schema: Any) -> None:
    """Bounds that a value can keep are kept, exactly."""
    whole = {"type": "number", **schema}
    judge = jsonschema_rs.Draft202012Validator(whole)
    for random in (None, Random(1), Random(2)):
        assert judge.is_valid(Instances({}, random).value(whole)), (
            whole,
            Instances({}, random).value(whole),
        )


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_documents_of_such_numbers(tmp_path: Path, kind: str, name: str) -> None:
    """The connector is generated, with no example where none is short: parameters, bodies and
    answers alike.
    """
    paths = {}
    for place, number in enumerate(NUMBERS):
        schema = {
            "type": kind,
            name: number,
            **({"items": {"type": "string"}} if kind == "array" else {}),
        }
        content = {
            "content": {
                "application/json": {
                    "schema": {"type": "object", "required": ["a"], "properties": {"a": schema}}
                }
            }
        }
        row = {"name": "q", "in": "query", "required": True, "schema": schema}
        answers = {"200": {"description": "", **content}}
        paths[f"/p{place}"] = {
            "post": operation(
                operationId=f"send{place}", parameters=[row], requestBody=content, responses=answers
            )
        }
    manifest = generate(tmp_path, document(paths))
    report = json.loads(next((tmp_path / "made").rglob("*.report.json")).read_bytes())
    left_out = [row for row in report["notes"] if row["kind"] == "left_out"]
    assert len(manifest["actions"]) + len(left_out) == len(NUMBERS)
    assert all(len(json.dumps(row["examples"])) < 4 * LARGEST for row in manifest["actions"])
