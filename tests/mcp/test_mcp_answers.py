"""What a call answers: the Result, and words that are short."""

from __future__ import annotations

from typing import Any

import pytest

from jackfield.errors import Detail, InDoubt, InvalidInput
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.surfaces.mcp.answers import answered, described, failed


def meta(**more: Any) -> Meta:
    """What is known of a run."""
    return Meta(new_invocation_id(), connector="echo", action="say", **more)


def words(found: Any) -> str:
    """The text of an answer."""
    return str(found.content[0].text)


@pytest.mark.parametrize("structured", [True, False])
def test_what_utf_8_cannot_hold_is_replaced(structured: bool) -> None:
    """A lone surrogate of a provider's does not break the answer, nor does any other letter change."""
    found = answered(Result("succeeded", meta(), output={"odd": "a\ud800é"}), structured=structured)
    assert "a?é" in words(found)
    assert found.model_dump_json()
    assert "zoë" in words(answered(Result("succeeded", meta(), output={"name": "zoë"}), structured=structured))
    error = InvalidInput("odd \udfff", details=[Detail("/\ud800", "is odd")])
    assert "odd ?" in words(failed(error, structured=structured))
    assert described({"items": ["\ud800"]}, "\ud800", structured=structured).model_dump_json()


def test_large_outputs_are_not_told_twice() -> None:
    """The words name the structured content where the output is long."""
    found = answered(Result("succeeded", meta(), output={"text": "x" * 5000}), structured=True)
    assert words(found) == "echo.say succeeded. The output is in the structured content."
    assert found.structured_content["output"] == {"text": "x" * 5000}


def test_a_doubt_is_in_doubt() -> None:
    """The words say what happened and what to do; what is not known yet is not named."""
    error = InDoubt("the answer was cut", hint="Look at the provider.")
    found = answered(Result("in_doubt", meta(), error=error), structured=True)
    assert (found.is_error, words(found)) == (True, "echo.say is in doubt: the answer was cut\nLook at the provider.")
    unknown = answered(Result("failed", Meta(new_invocation_id()), error=InvalidInput("no")), structured=True)
    assert words(unknown) == "The invocation failed (invalid_input): no"
