"""Operations that a document declares as reads although they are sent by a method that changes
things: both commands say how many.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield.cli.main import main
from openapi_rig import document, generate, operation

_READ = {"x-jackfield": {"effect": "read"}}
_SEEN = "rules about effect:change do not see"


def _paths(*methods: str, **more: Any) -> dict[str, Any]:
    """A path for each method, whose operation has these members."""
    return {
        f"/{method}/{place}": {method: operation(operationId=f"{method}It{place}", **more)}
        for place, method in enumerate(methods)
    }


def _checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, dict[str, Any]]:
    """What ``jackfield check`` says beside the report, and the report."""
    capsys.readouterr()
    assert main(["check", str(folder / "made"), "--rule", "paging-names-exist", "--json"]) == 0
    said = capsys.readouterr()
    return said.err, json.loads(said.out)


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (
            ["post"],
            "1 operation that uses POST, PUT, PATCH or DELETE is declared as a read: postIt0; ",
        ),
        (
            ["post", "put", "patch", "delete"],
            "4 operations that use POST, PUT, PATCH or DELETE are declared as reads: postIt0, ",
        ),
        (
            ["delete"] * 7,
            "7 operations that use POST, PUT, PATCH or DELETE are declared as reads: deleteIt0, ",
        ),
    ],
)
def test_a_read_that_its_method_contradicts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], methods: list[str], words: str
) -> None:
    """The warning counts and names them; it is no fault, and the document is taken."""
    generate(
        tmp_path,
        document({**_paths(*methods, **_READ), "/list": {"get": operation(operationId="listIt")}}),
    )
    generated = capsys.readouterr().err
    said, report = _checked(tmp_path, capsys)
    for text in (generated, said, report["warnings"][0]):
        assert words in text
        assert _SEEN in text
        assert "listIt" not in text
    assert ("and 2 more" in generated) == (len(methods) == 7)


@pytest.mark.parametrize(
    "paths",
    [
        _paths("post", "put", "patch", "delete"),
        _paths("get", **_READ),
        _paths("post", **{"x-jackfield": {"effect": "idempotent"}}),
        _paths(
            "post",
            **{
                "x-jackfield": {
                    "graphql": {"query": "query It { it { id } }", "result": "/data/it"}
                }
            },
        ),
    ],
)
def test_what_nobody_has_to_be_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], paths: dict[str, Any]
) -> None:
    """What a rule for changes sees, and what reads by its method or by its own GraphQL document."""
    generate(tmp_path, document(paths))
    generated = capsys.readouterr().err
    said, report = _checked(tmp_path, capsys)
    assert _SEEN not in generated + said
    assert "warnings" not in report
