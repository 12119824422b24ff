"""The page of a connector with hundreds of actions: pages, groups and a search."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, placed

from plugboard import declare


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    """Somebody who is signed in, and two connectors with actions in two groups: one has 450, the
    other 30.
    """
    _put(tmp_path / "site", "large", Alpha=300, Beta=150)
    _put(tmp_path / "site", "medium", Alpha=20, Beta=10)
    with placed(tmp_path) as place:
        yield place.signed_in()


def _put(site: Path, key: str, **groups: int) -> None:
    rows = [
        {
            "key": f"get{group}{number}",
            "title": f"Get {group} {number}",
            "description": "Gets it.",
            "effect": "read",
            "group": group,
        }
        for group, count in groups.items()
        for number in range(count)
    ]
    declare(site, f"jackfield-{key}", "jackfield.connectors", {key: f"jackfield_{key}:http"})
    (site / f"jackfield_{key}").mkdir()
    raw = {
        "manifestVersion": 1,
        "key": key,
        "title": key.title(),
        "version": "1",
        "description": "Many.",
        "actions": rows,
    }
    (site / f"jackfield_{key}" / "connector.json").write_text(json.dumps(raw), encoding="utf-8")


def test_hundreds_of_actions_are_shown_by_page_group_and_search(client: Client) -> None:
    """A page has 200 actions and a link to the next ones; a group or a search shows what belongs to
    it, and both can be combined.
    """
    whole = client.get("/connectors/large")
    assert "450 of 450 actions" in whole.words
    assert (
        whole.text.count("actions/get"),
        "Alpha (300)" in whole.words,
        "Beta (150)" in whole.words,
    ) == (200, True, True)
    assert 'href="/connectors/large/actions/getAlpha0"' in whole.text
    last = client.get("/connectors/large?start=400")
    assert (last.text.count("actions/get"), "More actions" in last.words) == (50, False)
    assert "150 of 450 actions" in client.get("/connectors/large?group=Beta").words
    found = client.get("/connectors/large?q=beta+149")
    assert ("1 of 450 actions" in found.words, "getBeta149" in found.text) == (True, True)
    assert "0 of 450 actions" in client.get("/connectors/large?q=beta+149&group=Alpha").words


@pytest.mark.parametrize(
    "query", ["start=x", "start=-1", f"start={'9' * 30}", "group=%3Cb%3E", "q=%22%3E"]
)
def test_nonsense_in_the_address_is_harmless(client: Client, query: str) -> None:
    """What is no number counts as the first page, and nothing of the address becomes markup."""
    shown = client.get(f"/connectors/large?{query}")
    assert shown.status == 200
    assert "<b>" not in shown.text


def test_a_list_of_one_page_is_filtered_by_group(client: Client) -> None:
    """A connector whose actions fit on a page offers its groups, and no search."""
    whole = client.get("/connectors/medium")
    assert (
        whole.text.count("actions/get"),
        "Alpha (20)" in whole.words,
        "Search actions" in whole.words,
    ) == (30, True, False)
    some = client.get("/connectors/medium?group=Beta")
    assert (some.text.count("actions/get"), "10 of 30 actions" in some.words) == (10, True)
