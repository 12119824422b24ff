"""Events that carry the marker of an attempt settle its doubt: before it, after it, and after its
process has died.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.doubts.doubt_stage import DoubtStage, doubt_stage

from forking import alone
from jackfield_store.access import Workspaces
from jackfield_store.journal.marks import NewMark, connection_facts, digest_of, keep, sealed_mark


def test_an_event_settles_the_doubt_that_it_has_overtaken(stage: DoubtStage) -> None:
    """The event comes while the call runs, the doubt after it: the first look finds it, with the
    reference as output.
    """
    stage.script("cut")
    lost = stage.invoke("mailTicket", idempotencyKey="k")
    (ticket,) = stage.noted("tickets")
    with stage.journal.database.read() as transaction:
        assert len(transaction.execute("SELECT id FROM doubt_markers", {})) == 1
    stage.told(ticket)
    stage.look(3.0)
    entry = stage.entry(lost.meta.invocation_id).to_json()
    assert (entry["status"], entry["output"], entry["resolvedBy"]) == (
        "succeeded",
        {"id": "t-1"},
        "evidence",
    )
    assert entry["meta"]["resolution"]["evidence"]["kind"] == "event"
    assert stage.invoke("mailTicket", idempotencyKey="k").output == {"id": "t-1"}
    assert len(stage.noted("requests")) == 1


def test_an_event_makes_its_doubt_due_at_once(stage: DoubtStage) -> None:
    """Long after the last look, an event comes: the doubt is looked at without waiting. A call that
    succeeded has no row of a doubt.
    """
    stage.script("done", "cut")
    assert stage.invoke("mailTicket").status == "succeeded"
    with stage.journal.database.read() as transaction:
        assert transaction.execute("SELECT id FROM doubts", {}) == []
    lost = stage.invoke("mailTicket")
    for _ in range(4):
        stage.look(40_000.0)
    entry = stage.entry(lost.meta.invocation_id).to_json()
    assert (entry["status"], {one["result"] for one in entry["looks"]}) == ("in_doubt", {"nothing"})
    assert stage.look(0.0) == 0
    stage.told(stage.noted("tickets")[1])
    assert stage.look(0.0) == 1
    assert stage.entry(lost.meta.invocation_id).status == "succeeded"


def test_an_event_keeps_the_place_of_a_doubt_that_is_overdue(stage: DoubtStage) -> None:
    """After an outage thousands of doubts wait: one of which an event comes is not looked at after
    all others.
    """
    stage.script("cut")
    lost = stage.invoke("mailTicket")
    stage.move(600.0)
    stage.told(stage.noted("tickets")[0])
    with stage.database.read() as transaction:
        (row,) = transaction.execute("SELECT look_at FROM doubts", {})
    assert row.look_at < stage.clock.time() - 500.0
    stage.look()
    assert stage.entry(lost.meta.invocation_id).status == "succeeded"


def test_two_things_with_one_marker_are_ambiguous(stage: DoubtStage) -> None:
    """A copied marker comes with another ID: nobody can tell which is ours, so a person decides."""
    stage.script("cut")
    lost = stage.invoke("mailTicket")
    (ticket,) = stage.noted("tickets")
    stage.told(ticket)
    stage.told({**ticket, "id": "t-copied"})
    stage.look(3.0)
    entry = stage.entry(lost.meta.invocation_id).to_json()
    assert (entry["status"], entry["looks"][-1]["result"]) == ("in_doubt", "ambiguous")


@pytest.mark.parametrize(
    "about",
    [
        {"connection": {"name": "other", "id": "4711", "version": 1, "type": "bureau/desk"}},
        {"connection": {"name": "desk", "id": "4711", "version": 1, "type": "bureau/desk"}},
        {"connection": {}},
        {"trigger": "rumours"},
    ],
)
def test_an_event_of_another_account_proves_nothing(
    stage: DoubtStage, about: dict[str, Any]
) -> None:
    """Over another connection of the same kind, whose account nobody knows, or of another trigger:
    the doubt stays.
    """
    stage.script("cut")
    lost = stage.invoke("mailTicket")
    stage.told(stage.noted("tickets")[0], **about)
    stage.look(3.0)
    entry = stage.entry(lost.meta.invocation_id).to_json()
    assert (entry["status"], entry["looks"][-1]["result"]) == (
        "in_doubt",
        "similar" if "trigger" not in about else "nothing",
    )


def _dying(folder: str, url: str) -> dict[str, Any]:
    with doubt_stage(Path(folder), url) as stage:
        stage.script("dies")
        stage.dies(action="mailTicket", idempotencyKey="k")
        left = stage.journal.held("k")
        assert left is not None
        stage.told(stage.noted("tickets")[0])
        stage.look(7.0)
        stage.script("dies")
        stage.dies(action="plainTicket", idempotencyKey="p")
        plain = stage.journal.held("p")
        stage.look(7.0)
        with stage.journal.database.read() as transaction:
            rows = [row.id for row in transaction.execute("SELECT id FROM doubts", {})]
        return {
            "left": left.status,
            "entry": stage.entry(left.id).to_json(),
            "rows": rows,
            "ids": [left.id, plain and plain.id],
        }


def test_a_process_that_dies_leaves_what_events_need(tmp_path: Path, database_url: str) -> None:
    """Nothing was kept at the begin: the first look after recovery finds out the markers, and the
    event settles. A write without evidence keeps no row.
    """
    found = alone(_dying, str(tmp_path), database_url)
    assert (found["left"], found["entry"]["status"], found["entry"]["output"]) == (
        "in_doubt",
        "succeeded",
        {"id": "t-1"},
    )
    assert found["rows"] == found["ids"][:1]


def test_made_up_markers_settle_nothing(tmp_path: Path) -> None:
    """Ten thousand and more events with markers that nobody has sent are kept within a limit, and
    change nothing. The own one settles.
    """
    with doubt_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}") as stage:
        stage.script("cut")
        lost = stage.invoke("mailTicket")
        journal, moment = stage.journal, stage.clock.time()
        over = {"name": "desk", **connection_facts(journal.database, "default", "desk")}
        about = {
            "trigger": "notices",
            "type": "filed",
            "reference": "x",
            "account": None,
            "connection": over,
        }
        marks = [
            sealed_mark(
                journal.vault,
                "default",
                digest_of("bureau", f"made-up-{number}"),
                f"r-{number}",
                moment + number / 1e4,
                about,
            )
            for number in range(10_050)
        ]

        def unit(transaction: Any) -> None:
            for mark in marks:
                keep(transaction, "default", [mark], moment)

        journal.database.record(unit)
        stage.look(3.0)
        assert stage.entry(lost.meta.invocation_id).status == "in_doubt"
        with journal.database.read() as transaction:
            assert (
                transaction.execute("SELECT COUNT(*) AS kept FROM marked_events", {})[0].kept
                <= 10_001
            )
        stage.told(stage.noted("tickets")[0])
        stage.look(3.0)
        assert stage.entry(lost.meta.invocation_id).status == "succeeded"


@pytest.mark.parametrize("of_one_marker", [True, False])
def test_what_another_source_tells_keeps_no_event_away(tmp_path: Path, of_one_marker: bool) -> None:
    """Over another subscription come more events than any of them may keep, of made-up markers or
    of the doubt's: the own one, which came before them and before the doubt, settles it.
    """
    with doubt_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}") as stage:
        stage.script("cut")
        lost = stage.invoke("mailTicket")
        (ticket,) = stage.noted("tickets")
        journal, moment = stage.journal, stage.clock.time()
        over = {
            "name": "other",
            "id": "4711",
            "version": 1,
            "type": "bureau/desk",
            "account": "another",
        }
        own = digest_of("bureau", ticket["external_id"].removeprefix("jf1-"))

        def mark(number: int) -> NewMark:
            about = {
                "trigger": "notices",
                "type": "filed",
                "reference": f"r-{number}",
                "account": None,
                "connection": over,
            }
            digest = own if of_one_marker else digest_of("bureau", f"made-up-{number}")
            return sealed_mark(
                journal.vault,
                "default",
                digest,
                f"r-{number}",
                moment + number / 1e4,
                about,
                "s-2",
                "s-2 of another",
            )

        before, after = (
            [mark(number) for number in range(100)],
            [mark(number) for number in range(100, 10_150)],
        )
        journal.database.record(lambda transaction: keep(transaction, "default", before, moment))
        stage.told(ticket)
        journal.database.record(lambda transaction: keep(transaction, "default", after, moment))
        with journal.database.read() as transaction:
            assert transaction.execute("SELECT COUNT(*) AS kept FROM marked_events", {})[
                0
            ].kept <= (5 if of_one_marker else 10_002)
        stage.look(3.0)
        assert stage.entry(lost.meta.invocation_id).status == "succeeded"


def test_an_event_over_a_connection_of_another_account_proves_nothing(stage: DoubtStage) -> None:
    """It says that it is of the call's account, which whoever signs it can say. Without a
    connection, nobody else says whose it is.
    """
    _know_account(stage, "desk", "D1")
    stage.script("cut", "cut")
    found = list[str]()
    for over in (
        {"name": "other", "id": "4711", "version": 1, "type": "bureau/desk", "account": "D2"},
        {"name": None},
    ):
        lost = stage.invoke("mailTicket")
        stage.told(stage.noted("tickets")[-1], account="D1", connection=over)
        stage.look(3.0)
        found.append(stage.entry(lost.meta.invocation_id).status)
    assert found == ["in_doubt", "succeeded"]


def test_an_event_over_a_connection_whose_account_nobody_knows_proves_nothing(
    stage: DoubtStage,
) -> None:
    """Not even one that says that it is of the call's account."""
    _know_account(stage, "desk", "D1")
    stage.script("cut")
    lost = stage.invoke("mailTicket")
    over = {"name": "other", "id": "4711", "version": 1, "type": "bureau/desk", "account": None}
    stage.told(stage.noted("tickets")[-1], account="D1", connection=over)
    stage.look(3.0)
    assert stage.entry(lost.meta.invocation_id).status == "in_doubt"


@pytest.mark.parametrize(("account", "status"), [("D1", "succeeded"), ("D2", "in_doubt")])
def test_a_connection_that_was_changed_keeps_the_evidence_of_its_account(
    stage: DoubtStage, account: str, status: str
) -> None:
    """A look knew the account before: with new credentials of it, its events still settle the
    doubt; those of another one do not.
    """
    _know_account(stage, "desk", "D1")
    stage.script("cut")
    lost = stage.invoke("mailTicket")
    stage.look(3.0)
    stage.runtime.connections.replace("desk", {"token": "another-secret-of-the-desk"})
    _know_account(stage, "desk", account)
    stage.told(stage.noted("tickets")[-1])
    stage.look(3.0)
    assert stage.entry(lost.meta.invocation_id).status == status


@pytest.mark.parametrize("action", ["mailTicket", "createTicket"])
def test_a_connection_that_is_renamed_keeps_its_evidence(stage: DoubtStage, action: str) -> None:
    """Events over it and reads find it by its ID. Another connection that takes its name has none
    of it.
    """
    stage.script("cut")
    lost = stage.invoke(action)
    (ticket,) = stage.noted("tickets")
    stage.runtime.connections.rename("desk", "table")
    stage.runtime.connections.add("desk", "bureau/desk", {"token": "a-secret-of-another"})
    if action == "mailTicket":
        stage.told(ticket)
        stage.look(3.0)
        assert stage.entry(lost.meta.invocation_id).status == "in_doubt"
        over = {"name": "table", **connection_facts(stage.journal.database, "default", "table")}
        stage.told({**ticket, "id": "t-2"}, connection=over)
    stage.look(7.0)
    entry = stage.entry(lost.meta.invocation_id).to_json()
    assert (entry["status"], entry["output"]["id"]) == (
        "succeeded",
        "t-2" if action == "mailTicket" else "t-1",
    )


def _know_account(stage: DoubtStage, name: str, account: str) -> None:
    """Let a test of a connection have found its account."""
    values = {"account": account, "name": name}
    stage.journal.database.record(
        lambda transaction: transaction.change(
            "UPDATE connections SET account_id = :account WHERE name = :name", values
        )
    )


def test_another_workspace_over_the_same_account_settles_nothing(stage: DoubtStage) -> None:
    """Two workspaces file tickets with one provider's account: what one of them has filed settles
    its own doubt, and never the other's, by events and by reads.
    """
    Workspaces(stage.database, stage.pool.storage.vault, stage.clock).create("acme")
    other = stage.pool.find("acme")
    other.connections.add("desk", "bureau/desk", {"token": "a-secret-of-the-desk"})
    found: list[tuple[str, str]] = []
    for action in ("createTicket", "mailTicket"):
        call: dict[str, Any] = {
            "connector": "bureau",
            "action": action,
            "connection": "desk",
            "inputs": {},
        }
        stage.script("cut", "lost")
        found += [
            ("default", stage.invoke(action).meta.invocation_id),
            ("acme", other.invoke(call).meta.invocation_id),
        ]
    stage.told(stage.noted("tickets")[-1])
    stage.look(7.0)
    stage.look(40.0)
    ends = [
        stage.pool.find(workspace).journal.find(identifier).status  # type: ignore[union-attr]
        for workspace, identifier in found
    ]
    assert ends == ["succeeded", "in_doubt"] * 2
