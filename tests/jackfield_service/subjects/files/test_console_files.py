"""The page of stored files, pages that lead on where something is missing, and ways back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token

from jackfield.callers import Rules


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console."""
    with placed(tmp_path) as found:
        yield found


def _keep(place: Place, client: Client, name: str, content: bytes) -> str:
    headers = {
        "content-type": "text/csv",
        "content-disposition": f'attachment; filename="{name}"',
        "x-csrf-token": client.get("/").csrf,
    }
    stored = client.send("POST", "/uploads", content, headers)
    assert stored.status == 201, stored.text
    return stored.text.partition('"file":"')[2].partition('"')[0]


def test_m10_stored_files_have_a_page(place: Place) -> None:
    """M10: files are listed with size, age and expiry, downloaded and deleted; a token with rules
    sees its own.
    """
    client = place.signed_in()
    assert "No stored files." in client.get("/files").words
    identifier = _keep(place, client, "names.csv", b"x" * 5000)
    shown = client.get("/files")
    assert (
        "4.9 KiB" in shown.words,
        "text/csv" in shown.words,
        "in 24 h" in shown.words or "in 23 h" in shown.words,
    ) == (True, True, True)
    assert client.get(f"/files/{identifier}").text == "x" * 5000
    reader = place.signed_in(token(place, "read"))
    assert (identifier in reader.get("/files").text, "/removal" in reader.get("/files").text) == (
        True,
        False,
    )
    other = place.signed_in(token(place, "manage", rules=Rules(allow=("echo/*",))))
    assert identifier not in other.get("/files").text
    assert (
        other.change("/files", f"/files/{identifier}/removal").headers["location"]
        == "/files?done=gone"
    )
    answer = client.change("/files", f"/files/{identifier}/removal")
    assert "File deleted." in client.get(answer.headers["location"]).words
    again = client.change("/files", f"/files/{identifier}/removal")
    assert "had been deleted" in client.get(again.headers["location"]).words


def test_m10_a_marketplace_without_a_catalogue_says_what_to_do(place: Place) -> None:
    """M10: "/marketplace" was a red page without a next step where the operator has named no
    catalogue.
    """
    client = place.signed_in()
    assert 'href="/marketplace"' in client.get("/connectors").text
    shown = client.get("/marketplace")
    assert (
        shown.status,
        "jackfield serve --install-from" in shown.words,
        'href="/connectors"' in shown.text,
    ) == (200, True, True)
    assert place.signed_in(token(place, "read")).get("/marketplace").status == 403


@pytest.mark.parametrize(
    ("path", "back"),
    [("/connections/nobody", "/connections"), ("/connectors/x/actions/y", "/connectors")],
)
def test_a_page_that_refuses_leads_back(place: Place, path: str, back: str) -> None:
    """A page of an error has a way back: to the list of what was looked for."""
    shown = place.signed_in().get(path)
    assert (shown.status, f'href="{back}" class="button"' in shown.text) == (404, True)


def test_a_refused_form_leads_back_to_its_page(place: Place) -> None:
    """What a form cannot do ends on a page with a way back to the form."""
    client = place.signed_in()
    refused = client.change("/connections", "/connections/nobody/name", new="somebody")
    assert (refused.status, 'href="/connections/nobody" class="button"' in refused.text) == (
        404,
        True,
    )
