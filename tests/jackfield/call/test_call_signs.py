"""Signs that authors in Python name: a change whose output lacks its sign has not succeeded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import DeclarationError
from scripted import Script, runtime, scripted

pytestmark = pytest.mark.above_sql

_VALUES = {"/Text": ["made", "changed"]}


@pytest.mark.parametrize(
    ("sign", "text", "succeeds"),
    [
        ("/Text", "made", True),
        ("/Text", " ", False),
        ("/id", "made", False),
        (_VALUES, "changed", True),
        (_VALUES, "Request blocked", False),
        ({"/Text": "made", "/id": 1}, "made", False),
        (None, "Request blocked", True),
    ],
)
def test_an_output_without_its_sign_is_in_doubt(
    tmp_path: Path, sign: Any, text: str, *, succeeds: bool
) -> None:
    """Something else may have answered in the provider's place: the write is not sent again."""
    script = Script(text)
    with runtime(tmp_path, scripted(script, sign=sign)) as panel:
        result = panel.ask()
    assert (result.status, script.tries) == ("succeeded" if succeeds else "in_doubt", 1)
    assert succeeds or (result.error is not None and "does not show" in result.error.message)


def test_an_idempotent_change_without_its_sign_is_repeated(tmp_path: Path) -> None:
    """The next answer shows the success."""
    script = Script("Request blocked", "made")
    with runtime(tmp_path, scripted(script, effect="idempotent", sign=_VALUES)) as panel:
        assert panel.ask().unwrap() == {"Text": "made"}
    assert script.tries == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"effect": "read", "sign": "/Text"}, "ends with its call"),
        ({"sign": "text"}, "JSON Pointer"),
        ({"sign": {}}, "JSON Pointer"),
        ({"sign": "none"}, "JSON Pointer"),
    ],
)
def test_declarations_of_signs_are_judged(options: Any, told: str) -> None:
    """A read needs none, and a sign has a place."""
    with pytest.raises(DeclarationError, match=told):
        scripted(Script(), **options)
