"""The console's audit log: what was done by whom, for visitors who may manage the whole
workspace.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, placed, token

from clocks import FakeClock
from jackfield.callers.actor import Actor
from jackfield_store.access import Audit, Tokens, Workspaces
from jackfield_store.access.audit import difference


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a clock that stands still."""
    with placed(tmp_path, FakeClock()) as found:
        yield found


def test_sign_ins_are_shown(place: Place) -> None:
    """Whoever signs in by the one-time link finds their own sign-in in the audit log, and can
    filter for it.
    """
    client = place.client()
    client.get(place.link())
    shown = client.get("/audit")
    assert shown.status == 200
    assert "session.started" in shown.words
    assert "one-time link" in shown.words
    assert "session.started" not in client.get("/audit?event=token.created").words
    assert "Audit log" in client.get("/").words


def test_who_what_target_and_reason_stand_apart(place: Place) -> None:
    """Each in a column of its own, the target as a link to its page, the details by name."""
    storage, clock = place.host.storage, place.host.clock
    ada = Actor("user", "https://login.example.com#0f3c", "Ada Lovelace")
    log = Audit(storage.database, lambda: storage.vault, "default", clock, ada)
    log.record(
        "approval.declined",
        "invocation:0199",
        {"connector": "aws-ses", "why": "people outside of the company"},
    )
    page = place.signed_in().get("/audit?event=approval.declined")
    row = page.text.partition("<tbody")[2].partition("</tr>")[0]
    cells = re.findall(r'data-label="(\w+)"[^>]*>(.*?)</t[dh]>', row, re.DOTALL)
    shown = {name: " ".join(re.sub("<[^>]*>", " ", cell).split()) for name, cell in cells}
    assert {name: shown[name] for name in ("Who", "What", "Target", "Reason", "Details")} == {
        "Who": "Ada Lovelace user:https://login.example.com#0f3c",
        "What": "approval.declined",
        "Target": "invocation:0199",
        "Reason": "people outside of the company",
        "Details": "connector aws-ses",
    }
    assert 'href="/invocations/0199"' in row


def test_changes_are_shown_with_what_was_before(place: Place) -> None:
    """Of one value or of several by name; what was not set, and what is now, is said."""
    storage, clock = place.host.storage, place.host.clock
    log = Audit(storage.database, lambda: storage.vault, "default", clock)
    log.record(
        "setting.changed", "setting:publicUrl", {"before": None, "after": "https://a.example"}
    )
    changed = difference({"cron": "0 9 * * *"}, {"cron": "30 8 * * *", "at": 1})
    log.record("schedule.changed", "schedule:nightly", {"connector": "echo", **changed})
    words = place.signed_in().get("/audit").words
    assert "not set → https://a.example" in words
    assert "connector echo at not set → 1 cron 0 9 * * * → 30 8 * * *" in words


def test_the_first_change_of_a_workspace_tells_what_was_changed(place: Place) -> None:
    """And no settings that are as they were by default; the workspace ``default`` has no row before
    its first change.
    """
    storage, clock = place.host.storage, place.host.clock
    Workspaces(storage.database, storage.vault, clock).set("default", {"keepInputs": True})
    words = place.signed_in().get("/audit?event=workspace.changed").words
    assert ("keepInputs false → true" in words, words.count("→")) == (True, 1)


@pytest.mark.parametrize(
    "query",
    [
        "object=billing",
        "object=BILL",
        "event=created",
        "actor=The+web+shop",
        "event=connection.*",
        "actor=token:{id}",
    ],
)
def test_entries_are_found_by_a_part_of_what_is_shown(place: Place, query: str) -> None:
    """By a name, a part of it in any case, or the whole key; by who has acted, as the column names
    him.
    """
    storage, clock = place.host.storage, place.host.clock
    made = (
        Tokens(storage.database, storage.vault, "default", clock)
        .create("manage", "The web shop")
        .token
    )
    log = Audit(
        storage.database,
        lambda: storage.vault,
        "default",
        clock,
        Actor("token", made.id, "The web shop"),
    )
    log.record("connection.created", "connection:billing")
    client = place.signed_in()
    assert "connection:billing" in client.get(f"/audit?{query.format(id=made.id)}").words
    assert "connection:billing" not in client.get("/audit?object=nothing").words
    assert "connection:billing" not in client.get("/audit?actor=elsewhere").words


@pytest.mark.parametrize(
    "text", ["one-time+link", "ONE-TIME", "lovelace", "Ada+Lovelace", "J%C3%BCrgen", "link:console"]
)
def test_who_has_acted_is_found_as_the_column_names_him(place: Place, text: str) -> None:
    """By a name, which no key has, or a part of it: the holder of a one-time link, a person; a
    detail with that text is nobody's name.
    """
    storage, clock = place.host.storage, place.host.clock
    client = place.signed_in()
    names = {"people": "Ada Lovelace", "others": "Jürgen Habermas"}
    for identifier, name in names.items():
        log = Audit(
            storage.database,
            lambda: storage.vault,
            "default",
            clock,
            Actor("user", f"https://id.example#{identifier}", name),
        )
        log.record("connection.tested", f"connection:{identifier}")
    told = Audit(storage.database, lambda: storage.vault, "default", clock, Actor("cli", "bob"))
    told.record(
        "connection.tested",
        "connection:told",
        {"name": "one-time link Lovelace Jürgen", "at": {"name": "Ada Lovelace"}},
    )
    words = client.get(f"/audit?actor={text}").words
    assert any(
        one in words for one in ("session.started", "connection:people", "connection:others")
    ), words
    assert "connection:told" not in words


def test_entries_of_some_days_are_found_and_saved(place: Place) -> None:
    """Both days are included, as the reader's time zone has them; what the filters find is saved as
    CSV and JSON Lines.
    """
    storage, clock = place.host.storage, place.host.clock
    assert isinstance(clock, FakeClock)
    client = place.signed_in()
    log = Audit(
        storage.database,
        lambda: storage.vault,
        "default",
        clock,
        Actor("user", "https://id.example#ada", "=Ada"),
    )
    days = []
    for name in ("first", "second", "third"):
        log.record("connection.tested", f"connection:{name}")
        days.append(datetime.fromtimestamp(clock.time(), UTC).date().isoformat())
        clock.advance(86_400)
    client = place.signed_in()

    def found(query: str) -> set[str]:
        words = client.get(f"/audit?object=connection:*&{query}").words
        return {name for name in ("first", "second", "third") if f"connection:{name}" in words}

    assert found("") == {"first", "second", "third"}
    assert found(f"from={days[1]}") == {"second", "third"}
    assert found(f"until={days[1]}") == {"first", "second"}
    assert found(f"from={days[1]}&until={days[1]}&timezone=UTC") == {"second"}
    assert found("from=2001-01-01&until=2001-01-02") == set()
    assert client.get("/audit?from=nonsense").status == 400
    page = client.get(f"/audit?object=connection:*&from={days[1]}")
    assert f"/audit/export?object=connection%3A%2A&amp;from={days[1]}&amp;kind=csv" in page.text
    saved = client.get(f"/audit/export?object=connection:*&from={days[1]}&kind=csv")
    assert saved.headers["content-disposition"] == 'attachment; filename="audit.csv"'
    rows = list(csv.DictReader(io.StringIO(saved.text)))
    assert [(row["object"], row["name"], row["event"]) for row in rows] == [
        ("connection:third", "'=Ada", "connection.tested"),
        ("connection:second", "'=Ada", "connection.tested"),
    ]
    lines = [
        json.loads(line)
        for line in client.get("/audit/export?object=connection:*&kind=jsonl").text.splitlines()
    ]
    assert [line["object"] for line in lines] == [
        "connection:third",
        "connection:second",
        "connection:first",
    ]
    assert client.get("/audit/export?kind=xlsx").status == 400
    asking = {"authorization": f"Bearer {token(place, 'manage')}"}
    items = json.loads(
        client.send("GET", f"/v1/audit?object=connection:*&until={days[0]}", headers=asking).text
    )["items"]
    assert [item["object"] for item in items] == ["connection:first"]
    assert client.send("GET", "/v1/audit?since=nonsense", headers=asking).status == 400
