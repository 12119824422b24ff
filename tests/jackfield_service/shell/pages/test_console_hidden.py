"""Characters that are hidden, or that reorder others, are seen on every surface where somebody
decides; what is read of JSON is equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed_asking, token

from jackfield.cli.main import main
from jackfield.cli.tables import cell
from jackfield.kernel.hidden import escape_of

TEXTS = {
    "override": "bob\u202egnp.moc",
    "isolate": "bob\u2066gnp\u2069",
    "zero width": "pay\u200bpal",
    "soft hyphen": "pay\u00adpal",
    "filler": "a\u3164b",
    "tag": "x\U000e0041",
    "line separator": "a\u2028b",
}
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A console where a write waits; the command line has the same database."""
    with placed_asking(tmp_path) as found:
        monkeypatch.setenv("JACKFIELD_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("JACKFIELD_DATABASE_URL", f"sqlite:///{tmp_path / 'console.db'}")
        yield found


def over_http(place: Place, address: str) -> str:
    """The body of an answer of the HTTP API."""
    answer = Client(place.app).send(
        "GET", address, b"", {"authorization": f"Bearer {token(place, 'approve')}"}
    )
    assert answer.status == 200, answer.text
    return answer.text


def commanded(capsys: Capture, *words: str) -> str:
    """What a command prints."""
    capsys.readouterr()
    assert main(words) == 0
    return capsys.readouterr().out


def page(place: Place, address: str) -> str:
    """A page of the console, as an approver sees it."""
    return place.signed_in(token(place, "approve")).get(address).text


PAGES: dict[str, Callable[[Place, str], str]] = {
    "call": lambda place, identifier: page(place, f"/invocations/{identifier}"),
    "list": lambda place, identifier: page(place, f"/approvals?decide={identifier}"),
}
DOCUMENTS: dict[str, Callable[[Place, str, Capture], str]] = {
    "command line": lambda _, identifier, capsys: commanded(
        capsys, "approvals", "show", identifier
    ),
    "HTTP": lambda place, identifier, _: over_http(place, f"/v1/approvals/{identifier}"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_hidden_is_seen_wherever_somebody_decides(
    place: Place, capsys: Capture, name: str
) -> None:
    """No surface has the character itself, each has its escape or marks it, and JSON is read as it
    was; a cell of a table replaces it.
    """
    text = TEXTS[name]
    odd = next(one for one in text if not one.isprintable() or one == "\u3164")
    call: dict[str, Any] = {
        "connector": "echo",
        "action": "post",
        "connection": "hall",
        "inputs": {"text": text},
    }
    identifier = place.host.runtime("default").invoke(call).meta.invocation_id
    for surface, read in PAGES.items():
        found = read(place, identifier)
        assert (
            odd in found,
            escape_of(odd) in found,
            "not seen or that reorder others" in found,
        ) == (False, True, True), surface
    for surface, show in DOCUMENTS.items():
        found = show(place, identifier, capsys)
        assert (odd in found, escape_of(odd) in found) == (False, True), surface
        document: dict[str, Any] = json.loads(found)
        assert document["inputs"]["text"] == text, surface
    assert odd not in cell(text)


def test_mixed_alphabets_are_named_where_somebody_decides(place: Place, capsys: Capture) -> None:
    """A word of Latin and Cyrillic letters is named on the page of the call and on the list; JSON
    has its Cyrillic letters as escapes.
    """
    call: dict[str, Any] = {
        "connector": "echo",
        "action": "post",
        "connection": "hall",
        "inputs": {"text": "for p\u0430ypal"},
    }
    identifier = place.host.runtime("default").invoke(call).meta.invocation_id
    for surface, read in PAGES.items():
        assert "<strong>p\u0430ypal</strong>" in read(place, identifier), surface
    for surface, show in DOCUMENTS.items():
        found = show(place, identifier, capsys)
        assert ("\u0430" in found, r"p\u0430ypal" in found) == (False, True), surface
