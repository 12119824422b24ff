"""Rows of errors that a file has of its own: each is what a refusal of the provider comes to, also
where a shared table has the status.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield.testing import Answer, Provider
from jackfield_market.testing.fake_service import place_of_words
from shelved import manifest_of, put, running, services

Json = dict[str, Any]

_LATER = {"Retry-After": "60"}
"""Longer than the call may take: what could be repeated ends at once."""


def _own_errors(key: str) -> Json:
    given = services()[key].about.get("errors") or {}
    return given if isinstance(given, dict) else {"like": given}


def _own_rows() -> Iterator[Any]:
    for key in services():
        errors = _own_errors(key)
        rows = errors.get("rows", ())
        for number, row in enumerate(one for one in rows if one.get("status", 400) >= 400):
            yield pytest.param(key, errors, row, id=f"{key}-{number}-{row['error']}")


_ROWS = [*_own_rows()]
assert len(_ROWS) > 40


def _refusal(errors: Json, row: Json) -> Answer:
    """Return the refusal that a row is about, in the provider's form."""
    body: Json = {}
    headers = _LATER if row["error"] in ("rate_limited", "unavailable") else {}
    code = (row.get("codes") or [""])[0]
    for member, value in (("code", code), ("message", row.get("message", ""))):
        if value:
            put(
                body, place_of_words(errors, member), value if member == "code" else f"{value}it is"
            )
    if "when" in row:
        value = row["when"].get("equals", row["when"].get("contains", True))
        value = value[0] if isinstance(value, list) else value
        if "header" in row["when"]:
            headers = {row["when"]["header"]: str(value), **headers}
        else:
            put(body, row["when"]["member"], value)
    status = row.get("status", int(code) if code.isdigit() and 400 <= int(code) < 600 else 400)
    return Answer(body, status, headers)


@pytest.mark.parametrize(("key", "errors", "row"), _ROWS)
def test_each_row_of_a_file_counts(tmp_path: Path, key: str, errors: Json, row: Json) -> None:
    """A read that is refused so ends with the error of the row, and with its hint, if it has
    one.
    """
    about = next(
        one for one in manifest_of(key)["actions"] if one["effect"] == "read" and one["examples"]
    )
    asked = about["examples"][0]["invocation"]["inputs"]
    with (
        Provider(lambda _number, _request: _refusal(errors, row)) as provider,
        running(tmp_path, key, provider.url) as jackfield,
    ):
        result = jackfield.invoke(
            {
                "connector": key,
                "action": about["key"],
                "connection": "main",
                "inputs": asked,
                "timeoutSeconds": 20,
            }
        )
    error = result.to_json()["error"]
    assert error["code"] == row["error"], error
    assert error["hint"] == row.get("hint", error["hint"])


_OWN = {
    "excel": "the end of a long operation, which comes with the status 200",
    "google-cloud-storage": "holds and retention of objects",
    "youtube": "limits of playlists",
}
"""Services of a family with codes of their own, with what these are about."""
_TABLES = {"google": "google", "microsoft": "graph"}
"""Tables of errors by family of sign-ins."""


def test_a_family_has_one_table_of_codes() -> None:
    """What one service of a provider knows, its neighbours know, but for codes of what they do not
    have.
    """
    families = {
        key: {one.get("family") for one in service.about["signIns"].values()} & _TABLES.keys()
        for key, service in services().items()
    }
    members = {key: _own_errors(key) for key, found in families.items() if found}
    assert len(members) > 15
    assert {key: errors.get("like") for key, errors in members.items()} == {
        key: _TABLES[family] for key, found in families.items() for family in found
    }
    with_codes = {
        key for key, one in members.items() if any("codes" in row for row in one.get("rows", ()))
    }
    assert with_codes == {*_OWN}


_QUOTED = re.compile(r"'\{([^{}/]+)\}'")
"""Regular expression of a placeholder within quotation marks."""


def test_values_within_quotation_marks_are_quoted() -> None:
    """A placeholder within quotation marks of a path names the grammar, so that an apostrophe in a
    value does not end it.
    """
    asked = {
        (key, action["key"]): [
            row.get("quote")
            for row in action["http"]["parameters"]
            if row.get("name", row["input"]) in _QUOTED.findall(action["http"]["path"])
        ]
        for key in services()
        for action in manifest_of(key)["actions"]
        if "path" in action.get("http", {}) and _QUOTED.search(action["http"]["path"])
    }
    assert len(asked) == 5
    assert {tuple(found) for found in asked.values()} == {("odata",)}
