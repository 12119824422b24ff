"""Refusals that say that a request had been carried out before: after a lost answer they are a
success, with a warning.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer, Provider
from jackfield_market.testing.fake_service import place_of_words
from shelved import manifest_of, put, running, services

Json = dict[str, Any]


def _rows() -> Iterator[Any]:
    """Yield each row with each action that it names."""
    for key, service in services().items():
        for row in service.document["x-jackfield"].get("errors", {}).get("doneBefore", ()):
            yield from (
                pytest.param(key, action, row, id=f"{key}-{action}") for action in row["actions"]
            )


def _refusal(errors: Mapping[str, Any], row: Mapping[str, Any], code: str, message: str) -> Answer:
    """Return the refusal that a row names, in the provider's form and with a message."""
    body: Json = {}
    status = row.get("status", int(code) if code.isdigit() and len(code) == 3 else 404)
    put(body, place_of_words(errors, "code"), code)
    put(body, place_of_words(errors, "message"), message)
    if "code" not in errors and code:  # Google's
        body["error"] = {"code": status, "errors": [{"reason": code}], "message": message}
    return Answer(body, status)


@pytest.mark.parametrize(("key", "action", "row"), [*_rows()])
def test_a_repetition_that_is_refused_as_done_is_a_success(
    tmp_path: Path, key: str, action: str, row: Json
) -> None:
    """The first answer is lost and the second says that it was done: a success with a warning. As
    the only answer it is a refusal, and as the second, too, where something else is missing, such
    as the parent.
    """
    manifest = manifest_of(key)
    code, message = (row.get("codes") or [""])[0], f"Bad Request: {row.get('message', 'gone')}"
    refusal, *others = (
        _refusal(manifest["http"]["errors"], row, code, text)
        for text in (message, *row.get("unless", ()))
    )
    about = next(one for one in manifest["actions"] if one["key"] == action)
    call = {
        "connector": key,
        "action": action,
        "connection": "main",
        "inputs": about["examples"][0]["invocation"]["inputs"],
    }
    cases: list[tuple[list[Any], str]] = [(["close", refusal], "succeeded"), ([refusal], "failed")]
    cases += [(["close", other], "failed") for other in others]
    for number, (answers, status) in enumerate(cases):
        with (
            Provider(answers) as provider,
            running(tmp_path / str(number), key, provider.url) as jackfield,
        ):
            result = jackfield.invoke(call)
        assert result.status == status, json.dumps(result.to_json())
        assert ["or nothing was there" in one["message"] for one in result.meta.warnings] == (
            [True] if status == "succeeded" else []
        )
