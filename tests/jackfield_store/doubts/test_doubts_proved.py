"""Doubts settle by proof only: by what a thing says, against a person who was faster, and by the
version that made the call.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from tests.jackfield_store.doubts.doubt_stage import DoubtStage, doubt_stage

from forking import alone
from jackfield_store.recording import looks


@pytest.mark.parametrize(
    ("subject", "state", "status", "result"),
    [
        ("charge", "paid", "succeeded", "matched"),
        ("charge", "declined", "failed", "refused"),
        ("charge", "expired", "failed", "refused"),
        ("charge", "open", "in_doubt", "pending"),
        ("charge", None, "in_doubt", "pending"),
        ("invoice", "open", "succeeded", "matched"),
        ("invoice", "declined", "in_doubt", "pending"),
        ("note", None, "succeeded", "matched"),
        ("other", "paid", "in_doubt", "pending"),
    ],
)
def test_what_a_thing_must_say_depends_on_the_call(
    stage: DoubtStage, subject: str, state: str | None, status: str, result: str
) -> None:
    """The first row whose inputs fit says which values are success and failure; where none is for
    the call, nothing is a verdict.
    """
    stage.script("cut")
    identifier = stage.invoke(
        "payTicket", {"subject": subject}, idempotencyKey="k"
    ).meta.invocation_id
    stage.becomes(
        state=state, error={"code": "card_declined", "message": "No funds, says the bank."}
    )
    stage.look(7.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], entry["looks"][-1]["result"]) == (status, result), entry["looks"]
    if status == "failed":
        assert entry["error"]["provider"] == {
            "code": "card_declined",
            "message": "No funds, says the bank.",
        }
        assert stage.settled == ['{by="evidence",verdict="refused"} 1.0']
        assert not stage.entry(identifier).key_held
    else:
        assert stage.invoke("payTicket", {"subject": subject}, idempotencyKey="k").meta.replayed
    if result == "pending":
        assert (
            f"/state is {state or 'empty'}" in entry["looks"][-1]["text"]
            or "nothing is declared" in entry["looks"][-1]["text"]
        )
        stage.becomes(state="paid")
        stage.look(30.0)
        assert stage.entry(identifier).status == ("in_doubt" if subject == "other" else "succeeded")
    assert len(stage.noted("requests")) == 1


@pytest.mark.parametrize(
    ("first", "second", "status", "result"),
    [
        ("declined", "declined", "failed", "refused"),
        ("declined", "paid", "succeeded", "matched"),
        ("declined", None, "in_doubt", "pending"),
        ("declined", "open", "in_doubt", "pending"),
        ("paid", "paid", "in_doubt", "ambiguous"),
    ],
)
def test_a_failure_is_one_of_every_attempt(
    stage: DoubtStage, first: str, second: str | None, status: str, result: str
) -> None:
    """Two attempts are in doubt: both things must have failed. One that has failed says nothing of
    an attempt that nobody finds.
    """
    stage.script("cut", "lost" if second is None else "cut", "rejected")
    identifier = stage.invoke(
        "payTicket", {"subject": "charge"}, onDoubt="retry"
    ).meta.invocation_id
    tickets = stage.noted("tickets")
    assert len(stage.noted("requests")) == 2
    states = [first] if second is None else [first, second]
    lines = [
        json.dumps({**ticket, "state": state}) + "\n"
        for ticket, state in zip(tickets, states, strict=True)
    ]
    (stage.folder / "tickets").write_text("".join(lines))
    stage.look(7.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], entry["looks"][-1]["result"]) == (status, result), entry["looks"]


def _dying(folder: str, url: str) -> dict[str, Any]:
    with doubt_stage(Path(folder), url) as stage:
        stage.script("dies")
        stage.dies(action="payTicket", inputs={"subject": "charge"}, idempotencyKey="k")
        left = stage.journal.held("k")
        assert left is not None
        stage.becomes(state="declined")
        stage.look(7.0)
        return stage.entry(left.id).to_json()


def test_a_thing_of_a_lost_process_that_has_failed_settles_nothing(
    tmp_path: Path, database_url: str
) -> None:
    """Nobody knows how many attempts it had made: another may have succeeded."""
    entry = alone(_dying, str(tmp_path), database_url)
    assert (entry["status"], entry["looks"][-1]["result"]) == ("in_doubt", "pending")


@pytest.mark.parametrize(
    ("action", "status"), [("keepTicket", "succeeded"), ("echoTicket", "in_doubt")]
)
def test_a_read_that_repeats_the_key_is_no_match(
    stage: DoubtStage, action: str, status: str
) -> None:
    """A look that asks by the idempotency key asks once for a key that nobody has: what is found
    for that, too, proves nothing.
    """
    stage.script("cut", "lost")
    for number in range(2):
        identifier = stage.invoke(action, {"subject": str(number)}).meta.invocation_id
        stage.look(7.0)
        entry = stage.entry(identifier).to_json()
        expected = status if number == 0 else "in_doubt"
        assert entry["status"] == expected, entry["looks"]
    assert len(stage.noted("looks")) == 3


@pytest.mark.parametrize("first", ["yesterday", "elsewhere", "resolved"])
def test_a_key_that_was_used_before_proves_nothing(stage: DoubtStage, first: str) -> None:
    """A call has the key of an earlier one, of a day before, of another program, or which a person
    has freed. Its request is lost; the thing of the earlier one has the key, too, and is shown for
    a person to compare.
    """
    stage.script(
        *([] if first == "elsewhere" else ["cut" if first == "resolved" else "done"]), "lost"
    )
    if first == "elsewhere":
        stage.file("t-9", "broken", "order-1")
    else:
        earlier = stage.invoke("keepTicket", idempotencyKey="order-1").meta.invocation_id
        stage.move(90_000.0 if first == "yesterday" else 1.0)
        if first == "resolved":
            stage.journal.resolve(earlier, "failed", "cli:ada")
    lost = stage.invoke("keepTicket", idempotencyKey="order-1")
    assert (lost.status, lost.meta.replayed) == ("in_doubt", False)
    stage.look(7.0)
    entry = stage.entry(lost.meta.invocation_id).to_json()
    assert (entry["status"], entry["looks"][-1]["result"]) == ("in_doubt", "similar"), entry[
        "looks"
    ]
    assert "used for an earlier one" in entry["looks"][-1]["text"]
    assert '"external_id": "order-1"' in entry["looks"][-1]["text"]


def _resolves(stage: DoubtStage, outcome: Any) -> Callable[[], None]:
    def step() -> None:
        stage.meanwhile()
        (entry,) = stage.journal.entries()[0]
        stage.journal.resolve(entry.id, outcome, "cli:ada")

    return step


@pytest.mark.parametrize("settle", ["on", "show"])
@pytest.mark.parametrize("by", ["person", "server"])
def test_what_a_look_finds_while_a_person_decides_is_noted(
    stage: DoubtStage, caplog: pytest.LogCaptureFixture, settle: str, by: str
) -> None:
    """A person resolves as failed while the look reads, and it finds the thing: the decision stays,
    and the evidence against it is noted in the transaction that noticed it, with event, metric and
    line of the log.
    """
    stage.runtime.access.workspaces.set("default", {"settle": settle})
    stage.script("cut")
    identifier = stage.invoke(idempotencyKey="k").meta.invocation_id
    stage.meanwhile(_resolves(stage, "failed"))
    with caplog.at_level(logging.ERROR, "jackfield.doubts"):
        if by == "server":
            stage.look(7.0)
        else:
            assert stage.look_now(identifier) is None
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], entry["resolvedBy"], entry["looks"][-1]["result"]) == (
        "failed",
        "cli:ada",
        "matched",
    )
    assert entry["meta"]["resolution"]["contradictedBy"]["verdict"] == "took"
    assert entry["meta"]["resolution"]["by"] == "cli:ada"
    assert [record.name for record in caplog.records].count("jackfield.doubts") == 1
    assert _told(stage) == 1
    if by == "server":
        assert "jackfield_doubts_contradicted_total 1.0" in stage.metrics.text().decode()
    assert (stage.look_now(identifier), _told(stage)) == (None, 1)


def test_a_decision_that_a_look_confirms_is_not_contradicted(stage: DoubtStage) -> None:
    """A person resolves as succeeded while the look finds the thing: nothing is noted against
    it.
    """
    stage.script("cut")
    identifier = stage.invoke().meta.invocation_id
    stage.meanwhile(_resolves(stage, "succeeded"))
    stage.look(7.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], entry["resolvedBy"], _told(stage)) == ("succeeded", "cli:ada", 0)
    assert "contradictedBy" not in entry["meta"]["resolution"]


def test_an_event_that_confirms_what_is_overruled_is_noted(
    stage: DoubtStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person overrules what evidence has settled while a further event is judged: it contradicts
    what the person says.
    """
    stage.script("cut")
    identifier = stage.invoke("mailTicket").meta.invocation_id
    (ticket,) = stage.noted("tickets")
    stage.told(ticket)
    stage.look(3.0)
    assert stage.entry(identifier).resolved_by == "evidence"

    decided = looks.decided

    def slow(*given: Any, **more: Any) -> Any:
        stage.journal.resolve(identifier, "failed", "cli:ada")
        return decided(*given, **more)

    monkeypatch.setattr(looks, "decided", slow)
    assert stage.look_now(identifier) is None
    entry = stage.entry(identifier).to_json()
    assert (
        entry["status"],
        entry["meta"]["resolution"]["contradictedBy"]["verdict"],
        _told(stage),
    ) == ("failed", "took", 1)


def test_a_late_answer_that_is_faster_is_contradicted(stage: DoubtStage) -> None:
    """The process was taken for lost, and answers while a look reads: its refusal counts, and the
    thing that is there all the same is noted.
    """
    reads, answered, looking = Event(), Event(), list[Thread]()

    def step() -> None:
        # in the call, before its answer: another process takes it for lost, and looks
        if not looking:
            (entry,) = stage.journal.entries(status="running")[0]
            assert stage.journal.recovery.recover("default", entry)
            looking.append(Thread(target=stage.look_now, args=(entry.id,)))
            looking[0].start()
            assert reads.wait(30.0)
        else:
            reads.set()
            assert answered.wait(30.0)

    stage.script("late-rejected")
    stage.meanwhile(step)
    result = stage.invoke()
    assert looking, result.error
    answered.set()
    looking[0].join(30.0)
    entry = stage.entry(result.meta.invocation_id).to_json()
    assert (entry["status"], entry["meta"]["resolution"]["by"]) == ("failed", "answer"), entry
    assert (entry["meta"]["resolution"]["contradictedBy"]["verdict"], _told(stage)) == ("took", 1)


def _told(stage: DoubtStage) -> int:
    with stage.journal.database.read() as transaction:
        rows = transaction.execute("SELECT type FROM outbox", {})
    return [row.type for row in rows].count("invocation.contradicted")


@pytest.mark.parametrize("has", ["1.1.0", None])
def test_a_look_is_made_by_the_version_that_made_the_call(
    stage: DoubtStage, has: str | None
) -> None:
    """A process with another version, or without the connector, says so once, reads nothing, and
    leaves the doubt due for one that has it; a person who looks there is told the same.
    """
    stage.script("cut")
    identifier = stage.invoke(idempotencyKey="k").meta.invocation_id
    manifest = stage.folder.parent / "plugged" / "jackfield_bureau" / "connector.json"
    metadata = next((stage.folder.parent / "plugged").glob("*.dist-info")) / "entry_points.txt"
    known, points = json.loads(manifest.read_text()), metadata.read_text()
    if has is None:
        metadata.write_text("")
    else:
        manifest.write_text(json.dumps({**known, "version": has}))
    stage.begin()
    for _ in range(3):
        stage.look(70.0)
    assert stage.look_now(identifier) is None
    manifest.write_text(json.dumps(known))
    metadata.write_text(points)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], len(entry["looks"]), stage.noted("looks")) == ("in_doubt", 1, [])
    assert (entry["looks"][0]["result"], entry["looks"][0]["text"].partition(":")[0]) == (
        "failed",
        "another version",
    )
    assert entry["nextLookAt"] is not None
    stage.back()
    stage.look(70.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], entry["looks"][-1]["result"]) == ("succeeded", "matched"), entry[
        "looks"
    ]


def test_a_version_that_nobody_has_any_more_is_not_waited_for_without_end(
    stage: DoubtStage,
) -> None:
    """A day after the doubt nobody looks by himself; it is asked for less and less often until
    then.
    """
    stage.script("cut")
    stage.invoke()
    manifest = stage.folder.parent / "plugged" / "jackfield_bureau" / "connector.json"
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "version": "1.1.0"}))
    stage.begin()
    rounds = sum(stage.look(600.0) for _ in range(31 * 6))
    assert 10 < rounds < 40
    assert stage.look(1_000_000.0) == 0
