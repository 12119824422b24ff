"""Requests of generated connectors, judged by another library; ``make mocks`` has thousands judged
by mock servers.
"""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from jackfield.schema import compile_schema
from jackfield_http.bindings.requests import request_of
from jackfield_openapi.conversion import Choices, converted
from jackfield_openapi.instances import Instances
from openapi_judge import Judge, Sent

_ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "documents.jsonl").read_text(encoding="utf-8").splitlines()
]
_ACTIONS, _EACH = 6, 5


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(row, id=row["path"], marks=() if number % 3 == 1 else pytest.mark.campaign)
        for number, row in enumerate(_ROWS)
    ],
)
def test_what_the_check_accepts_is_well_formed(row: dict[str, Any]) -> None:
    """Random inputs that the check accepts become requests with which a validator of the document
    itself finds no fault.
    """
    document = row["document"]
    made = converted(json.loads(json.dumps(document)), Choices(key="sample"))
    names = {key: name for name, key in made.locked.items()}
    judge, chance = Judge(document), Random(4711)
    drawn = Instances(made.manifest.get("$defs", {}), chance)
    faults = []
    for action in made.manifest["actions"][:_ACTIONS]:
        check = compile_schema({**action["inputs"], "$defs": made.manifest.get("$defs", {})})
        method, path = names[action["key"]].split(" ", 1)
        accepted = (
            found
            for found in (check.check(drawn.value(action["inputs"])) for _ in range(_EACH))
            if not found.details
        )
        for inputs in accepted:
            sent = request_of(action["http"], inputs.value)
            headers = {name.lower(): value for name, value in sent.headers.items()}
            headers["content-type"] = sent.options.get("content_type") or (
                "multipart/form-data" if "multipart" in sent.options else ""
            )
            body = b"" if "multipart" in sent.options else sent.options.get("content")
            judged = judge.faults(
                path, method.lower(), Sent(sent.method, sent.path, sent.query, headers, body)
            )
            faults += [
                f"{names[action['key']]} with {json.dumps(inputs.value)[:200]}: {fault}"
                for fault in judged
            ]
    assert faults == []


def test_the_judge_finds_faults() -> None:
    """A missing parameter, a wrong type, a wrong path and an undeclared body are faults to it."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    operation = {
        "parameters": [
            {"name": "q", "in": "query", "required": True, "schema": {"type": "integer"}}
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
    }
    judge = Judge({"openapi": "3.0.0", "paths": {"/a/{id}": {"post": operation, "get": {}}}})
    kind = {"content-type": "application/json"}
    assert judge.faults("/a/{id}", "post", Sent("POST", "/a/1", "q=1", kind, b'{"n":1}')) == []
    assert (
        len(judge.faults("/a/{id}", "post", Sent("POST", "/a/1", "q=x", kind, b'{"n":"x"}'))) == 2
    )
    assert judge.faults("/a/{id}", "post", Sent("POST", "/a/1", "", {}, None)) == [
        "'q' in query is required",
        "a body is required",
    ]
    assert len(judge.faults("/a/{id}", "post", Sent("POST", "/a/1/2", "", {}))) == 1
    assert len(judge.faults("/a/{id}", "get", Sent("GET", "/a/1", "", {}, b"x"))) == 1
