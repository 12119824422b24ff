"""What a call answers: the Result, and words that are short."""

from __future__ import annotations

import json
from typing import Any

import pytest

from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.kernel.errors import Detail, InDoubt, InvalidInput
from jackfield_service.subjects.mcp.tool_results import answered, described, failed


def meta(**more: Any) -> Meta:
    """What is known of a run."""
    return Meta(new_invocation_id(), connector="echo", action="say", **more)


def words(found: Any) -> str:
    """The text of an answer."""
    return str(found.content[0].text)


@pytest.mark.parametrize("structured", [True, False])
def test_what_utf_8_cannot_hold_is_replaced(structured: bool) -> None:
    """A lone surrogate of a provider's does not break the answer, nor does any other letter
    change.
    """
    found = answered(Result("succeeded", meta(), output={"odd": "a\ud800é"}), structured=structured)
    assert "a?é" in found.content[-1].text  # type: ignore[union-attr]
    assert found.model_dump_json()
    named = answered(Result("succeeded", meta(), output={"name": "zoë"}), structured=structured)
    assert "zoë" in named.content[-1].text  # type: ignore[union-attr]
    error = InvalidInput("odd \udfff", details=[Detail("/\ud800", "is odd")])
    assert ("odd \\udfff" if structured else "odd ?") in words(failed(error, structured=structured))
    assert described({"items": ["\ud800"]}, "\ud800", structured=structured).model_dump_json()


def test_m32_the_json_stands_beside_structured_content() -> None:
    """A text block has the whole Result as JSON, for clients that show text only; of a long one the
    beginning, and a note.
    """
    found = answered(Result("succeeded", meta(), output={"text": "x" * 5000}), structured=True)
    assert words(found) == "echo.say succeeded."
    assert json.loads(found.content[1].text) == found.structured_content  # type: ignore[union-attr]
    long = answered(Result("succeeded", meta(), output={"text": "x" * 90_000}), structured=True)
    _, cut, note = (block.text for block in long.content)  # type: ignore[union-attr]
    assert (len(cut), cut[:10]) == (32_000, '{"status":')
    assert note.startswith("The JSON above is cut after 32,000 of 90,")
    assert long.structured_content["output"] == {"text": "x" * 90_000}
    old = answered(Result("succeeded", meta(), output={"text": "x"}), structured=False)
    assert len(old.content) == 1


def test_a_doubt_is_in_doubt() -> None:
    """The words say what happened and what to do; what is not known yet is not named."""
    error = InDoubt("the answer was cut", hint="Look at the provider.")
    found = answered(Result("in_doubt", meta(), error=error), structured=True)
    assert (found.is_error, words(found)) == (
        True,
        "echo.say is in doubt: the answer was cut\nLook at the provider.",
    )
    unknown = answered(
        Result("failed", Meta(new_invocation_id()), error=InvalidInput("no")), structured=True
    )
    assert words(unknown) == "The invocation failed (invalid_input): no"
