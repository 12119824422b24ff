"""The journal's list for a token with rules: nothing of hidden entries, neither in pages nor in
cursors nor through filters.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from http_stand import SETTINGS, Client, say, standing
from jackfield.callers import Rules
from jackfield_store.journal import pages as journal_pages
from jackfield_store.journal.listing import fits

LABELS = {"correlationId": "c-1", "labels": {"team": "red", "odd%": "50% [x]"}}


@dataclass(frozen=True)
class Scene:
    """``shown`` and ``hidden`` are ids, newest first."""

    admin: Client
    clerk: Client
    shown: list[str]
    hidden: list[str]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """A journal in which every second entry is hidden from the clerk, and one entry in three has
    labels.
    """
    with standing(tmp_path_factory.mktemp("journal"), SETTINGS) as stand:
        admin, clerk = stand.client(), stand.client("read", rules=Rules(("connection:hall",)))
        for name in ("hall", "zanzibar"):
            values = {"token": "t-4711"}
            assert (
                admin.post(
                    "/v1/connections", {"name": name, "type": "echo/token", "values": values}
                ).status
                == 201
            )
        ids: dict[str, list[str]] = {"hall": [], "zanzibar": []}
        for number in range(12):
            name = ("hall", "zanzibar")[number % 2]
            fault = {"fault": {"kind": "rejected"}} if number in (4, 5) else {}
            body: dict[str, Any] = {
                **say("say", name, text="x", **fault),
                "idempotencyKey": f"key-{number}",
            }
            context = {"context": LABELS} if number % 3 == 0 else {}
            ids[name].insert(
                0, admin.post("/v1/invocations", {**body, **context}).json["meta"]["invocationId"]
            )
        yield Scene(admin, clerk, ids["hall"], ids["zanzibar"])


def pages(client: Client, query: str) -> tuple[list[str], list[str]]:
    """The ids of all pages, and their cursors."""
    found, cursors, further = list[str](), list[str](), ""
    while True:
        answer = client.get(f"/v1/invocations?{query}{further}")
        assert answer.status == 200, answer.body
        page = answer.json
        found += [item["invocationId"] for item in page["items"]]
        if page["nextCursor"] is None:
            return found, cursors
        cursors.append(page["nextCursor"])
        further = f"&cursor={quote(page['nextCursor'])}"


def cut_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a page end after few entries, as it does in a long journal."""
    for limit in ("LOOKED_AT", "SCANNED"):
        monkeypatch.setattr(journal_pages, limit, 3)


def test_h5_cursors_name_no_entry(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cursors are encrypted and of one length, so that they tell nothing of the hidden entry at
    which a page ended (second review).
    """
    cut_pages(monkeypatch)
    found, cursors = pages(scene.clerk, "limit=1")
    assert found == scene.shown
    assert len({len(cursor) for cursor in cursors}) == 1
    for cursor in cursors:
        opened = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        assert not any(id_.encode() in opened or id_ in cursor for id_ in scene.hidden)
    for wrong in ("0~x", "x", "%C3%A4", f"1e12~{scene.hidden[0]}", cursors[0][:-6] + "AAAAAA"):
        assert scene.clerk.get(f"/v1/invocations?cursor={wrong}").status == 400, wrong


def test_h5_filters_tell_nothing_of_hidden_entries(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages are cut alike whether a filter fits hidden entries or nothing at all: the rules are
    asked first (second review).
    """
    cut_pages(monkeypatch)
    looked = list[int]()

    def counted(row: Any, filters: Mapping[str, Any]) -> bool:
        looked.append(1)
        return fits(row, filters)

    monkeypatch.setattr(journal_pages, "fits", counted)
    for name, hidden, nothing in (
        ("q", scene.hidden[0], "nothing-of-that"),
        ("connection", "zanzibar", "nowhere"),
        ("idempotencyKey", "key-11", "no-such-key"),
    ):
        seen = set[tuple[int, int]]()
        for value in (hidden, nothing):
            looked.clear()
            found, cursors = pages(scene.clerk, f"{name}={value}")
            assert found == []
            seen.add((len(cursors), len(looked)))
        assert len(seen) == 1, name


def test_h5_filters_fit_as_they_do_for_the_operator(scene: Scene) -> None:
    """A token with rules gets of each filter what the operator gets, without the hidden entries
    (second review).
    """
    queries = (
        "",
        "q=HALL",
        "q=key-1",
        "q=TEAM",
        f"q={scene.shown[2][:30]}",
        "status=failed",
        "status=succeeded",
        "status=cancelled",
        "status=cancelled&errorCode=rejected",
        "errorCode=rejected",
        "connector=echo",
        "action=say&connection=hall",
        "correlationId=c-1",
        "correlationId=c",
        "label=team",
        "label=team%3Dred",
        "label=team%3Dre",
        "label=odd%25%3D50%25%20%5Bx%5D",
        "idempotencyKey=key-4",
        "since=1h",
        "until=2001-01-01T00:00:00Z",
    )
    for query in queries:
        every, _ = pages(scene.admin, query)
        found, _ = pages(scene.clerk, "&".join(filter(None, (query, "limit=2"))))
        assert found == [identifier for identifier in every if identifier in scene.shown], query
