"""Polls: nothing is skipped or told twice, checkpoint and events are one commit, and a subscription
says how it fares.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage

from jackfield.callers import Caller, Rules
from jackfield.kernel.errors import JackfieldError
from jackfield_service.subjects.triggers.due import DueSubscriptions
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.database.due_rows import OvertakenError

Note = Callable[..., None]


@pytest.fixture
def note(stage: TriggerStage) -> Note:
    """Let the other side keep a note."""
    from jackfield_echo.watching import NOTES

    def keep(identifier: str, text: str = "hello", at: float | None = None) -> None:
        NOTES.append({"id": identifier, "at": stage.now() if at is None else at, "text": text})
        NOTES.sort(key=lambda one: float(str(one["at"])))

    return keep


def _ids(stage: TriggerStage) -> list[str]:
    return [event.data["payload"]["id"] for event in stage.events("echo.notes")]


def test_a_poll_tells_what_is_new_from_now_on(stage: TriggerStage, note: Note) -> None:
    """Nothing that was there before is an event; each later note is one, with its subscription,
    connection and time.
    """
    note("old", at=stage.now() - 3600)
    made = stage.add("notes")
    assert (made["status"], made["kind"], made["every"]) == ("pending", "poll", 60)
    stage.look()
    note("n-1")
    stage.move(70)
    stage.look()
    assert _ids(stage) == ["n-1"]
    event = stage.events("echo.notes")[0]
    assert (event.type, event.subject, event.data["connection"], event.data["payload"]) == (
        "echo.notes",
        "one",
        "hall",
        {"id": "n-1", "text": "hello"},
    )
    shown = stage.all().show("one")
    assert (shown["status"], "lastEventAt" in shown, shown["checkpoint"]) == (
        "active",
        True,
        {"at": event.at},
    )


def test_a_provider_that_knows_whole_seconds_loses_nothing_of_the_first_one(
    stage: TriggerStage, note: Note
) -> None:
    """A note that is kept in the second in which the subscription was added has the time of its
    beginning.
    """
    stage.move(0.3 + 1 - stage.now() % 1)
    stage.add("notes")
    stage.move(0.5)
    note("n-1", at=float(int(stage.now())))
    stage.look()
    stage.move(70)
    note("n-2", at=float(int(stage.now())))
    stage.look()
    assert _ids(stage) == ["n-1", "n-2"]


def test_a_backfill_begins_where_it_is_told_to(stage: TriggerStage, note: Note) -> None:
    """``from`` makes what happened since then events."""
    for number, ago in enumerate((7200, 3000, 10)):
        note(f"n-{number}", at=stage.now() - ago)
    stage.add("notes", **{"from": "1h"})
    stage.look()
    assert _ids(stage) == ["n-1", "n-2"]


def test_notes_of_one_second_in_small_pages_are_all_told_once(
    stage: TriggerStage, note: Note
) -> None:
    """The same times across pages, and what comes later with a time that was read already."""
    begin = stage.now()
    choose = random.Random(7)
    for number in range(60):
        note(f"n-{number}", at=begin + choose.randrange(6))
    stage.add("notes", inputs={"pageSize": 30})
    stage.move(10)
    stage.look()
    note("late", at=begin + 5)
    stage.move(70)
    stage.look(1)
    assert sorted(_ids(stage)) == sorted([*(f"n-{number}" for number in range(60)), "late"])


def test_a_page_of_an_overtaken_process_stores_nothing(stage: TriggerStage, note: Note) -> None:
    """Whoever lost the claim, or whose subscription was paused meanwhile, commits neither events
    nor a checkpoint.
    """
    stage.add("notes")
    stage.look()
    stage.move(70)
    pool = stage.pools[0]
    due = DueSubscriptions(pool.storage.database, stage.clock)
    (claimed,) = due.claim(8)
    stage.all().disable("one")
    with pytest.raises(OvertakenError):
        due.page(claimed, pool.storage.vault, (), {"at": 1.0})
    stage.move(1)
    stage.look(1)
    assert (stage.all().show("one")["status"], "at" in stage.all().show("one")["checkpoint"]) == (
        "paused",
        True,
    )
    note("n-1")
    stage.move(3600)
    stage.look()
    assert _ids(stage) == []
    stage.all().enable("one")
    stage.look()
    assert _ids(stage) == ["n-1"]  # it goes on where it was


def test_a_claim_that_runs_out_is_taken_by_another_process(stage: TriggerStage, note: Note) -> None:
    """A process that died in the middle of a poll leaves nothing behind but its claim, which
    ends.
    """
    stage.add("notes")
    stage.look()
    note("n-1")
    stage.move(70)
    DueSubscriptions(stage.pools[0].storage.database, stage.clock).claim(8)
    stage.look(1)
    assert _ids(stage) == []
    stage.move(61)
    stage.look(1)
    assert _ids(stage) == ["n-1"]


def test_a_provider_that_fails_is_tried_again_and_told_of(stage: TriggerStage, note: Note) -> None:
    """The third failure in a row is an event, the next success another one; nothing is lost
    meanwhile.
    """
    stage.add("notes", inputs={"fault": {"kind": "refusedConnection", "tries": 4, "name": "poll"}})
    seen = []
    for _ in range(5):
        stage.look()
        seen.append(stage.all().show("one")["status"])
        note(f"n-{len(seen)}")
        stage.move(100)
    stage.look()
    assert seen == ["pending", "pending", "failing", "failing", "active"]
    told = stage.events("subscription.*")
    assert [event.type for event in told] == ["subscription.failing", "subscription.recovered"]
    assert "refused the connection" in told[0].data["reason"]
    assert sorted(_ids(stage)) == [f"n-{number}" for number in range(1, 6)]


def test_the_checkpoint_survives_all_but_a_reset(stage: TriggerStage, note: Note) -> None:
    """A reset reads everything again; what was told is not told twice."""
    stage.add("notes")
    stage.look()
    note("n-1")
    stage.move(70)
    stage.look()
    stage.all().reset("one", "1d")
    stage.look()
    assert _ids(stage) == ["n-1"]
    assert stage.all().show("one")["checkpoint"] != {}


def test_a_revoked_token_ends_its_subscriptions(stage: TriggerStage, note: Note) -> None:
    """Each poll is checked with the present rights of who added it; the reason is shown."""
    storage = stage.pools[0].storage
    tokens = Tokens(storage.database, storage.vault, "default", stage.clock)
    made = tokens.create("manage", "watcher").token
    caller = Caller("token:watcher", "manage", Rules(), remote=True, token=made.id)
    stage.all(caller).add({"name": "one", "trigger": "echo/notes", "connection": "hall"})
    stage.look()
    tokens.revoke(made.id)
    note("n-1")
    for _ in range(3):
        stage.move(100)
        stage.look()
    assert _ids(stage) == []
    assert (stage.all().show("one")["status"], "revoked" in stage.all().show("one")["reason"]) == (
        "failing",
        True,
    )


def test_a_suspended_workspace_polls_nothing_and_nothing_has_failed(
    stage: TriggerStage, note: Note
) -> None:
    """However long it is suspended, the subscription is not failing, and the poll after that is
    soon and finds what was missed.
    """
    storage = stage.pools[0].storage
    workspaces = Workspaces(storage.database, storage.vault, stage.clock)
    stage.add("notes")
    stage.look()
    workspaces.set("default", {"suspended": True})
    note("n-1")
    for _ in range(20):
        stage.move(60)
        stage.look()
    assert (_ids(stage), stage.all().show("one")["status"]) == ([], "active")
    workspaces.set("default", {"suspended": False})
    for _ in range(5):
        stage.move(60)
        stage.look()
    assert (_ids(stage), stage.events("subscription.*")) == (["n-1"], [])


_REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"trigger": "echo/nothing"}, "no trigger"),
    ({"trigger": "nobody/notes"}, "nobody"),
    ({"connection": None}, "/connection"),
    ({"connection": "attic"}, "attic"),
    ({"every": 1}, "/every"),
    ({"name": "a b"}, "/name"),
    ({"colour": 1}, "/colour"),
    ({"inputs": {"word": 1}}, "/inputs/word"),
    ({"inputs": {"word": " "}}, "/inputs/word"),
    ({"inputs": {"colour": 1}}, "/inputs/colour"),
    ({"from": 1}, "/from"),
)


def test_what_is_no_subscription_is_refused(stage: TriggerStage) -> None:
    """The fault is named, and nothing is stored."""
    for members, place in _REFUSED:
        document = {"name": "one", "trigger": "echo/notes", "connection": "hall", **members}
        with pytest.raises(JackfieldError) as refused:
            stage.all().add({name: value for name, value in document.items() if value is not None})
        said = refused.value
        assert place in f"{said.message} {[detail.path for detail in said.details]} {said.hint}", (
            members
        )
    assert stage.all().page(None, 10) == ([], None)


@pytest.mark.parametrize("trigger", ["notes", "board"])
def test_a_large_page_keeps_nobody_waiting(
    stage: TriggerStage, note: Note, monkeypatch: pytest.MonkeyPatch, trigger: str
) -> None:
    """Each commit has at most 200 events of a page, the last one the checkpoint; a process that
    stops in between tells each event once, as do those after it.
    """
    from jackfield_echo import watching

    monkeypatch.setattr(watching, "_PAGE", 1000)
    stage.add(trigger, inputs={"pageSize": 1000} if trigger == "notes" else {})
    stage.look()
    stage.move(70)
    for number in range(450):
        note(f"n-{number}")
        watching.BOARD[f"n-{number}"] = "hello"
    sizes, page = list[int](), DueSubscriptions.page

    def stored(due: DueSubscriptions, found: Any, vault: Any, events: Any, *more: Any) -> None:
        sizes.append(len(events))
        if len(sizes) == 2:
            raise JackfieldError("the process stops")
        page(due, found, vault, events, *more)

    monkeypatch.setattr(DueSubscriptions, "page", stored)
    stage.look()
    assert (sizes, len(stage.events())) == ([200, 200], 200)
    stage.move(3600)
    stage.look()
    told = [event.data["payload"]["id"] for event in stage.events()]
    assert sorted(told) == sorted(f"n-{number}" for number in range(450))
    assert max(sizes) == 200
