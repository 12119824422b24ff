"""A doubt that evidence may still settle says so to whoever repeats the call, and is waited for
where the caller wants that.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.doubts.doubt_stage import DoubtStage, doubt_stage

import jackfield_service.subjects  # noqa: F401 (which adds the words of its surfaces)
from jackfield import Result
from jackfield.kernel.hints import worded
from jackfield_store.journal.doubts import Doubts

Stages = Callable[[str | None], DoubtStage]
CALL: dict[str, Any] = {
    "connector": "bureau",
    "action": "createTicket",
    "connection": "desk",
    "inputs": {},
    "idempotencyKey": "k",
}


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Stages]:
    """Processes on SQLite under a setting, where the database makes no difference."""
    with ExitStack() as opened:
        yield lambda settle: opened.enter_context(
            doubt_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", settle)
        )


def test_a_replayed_doubt_says_when_the_next_look_is_due(sqlite: Stages) -> None:
    """It is replayed at once, with the time of the next look and the number of those made; after
    the last one, without.
    """
    stage = sqlite("on")
    stage.script("lost")
    first = stage.invoke(idempotencyKey="k")
    before = stage.clock.waited
    again = stage.invoke(idempotencyKey="k")
    assert (again.status, again.meta.replayed, stage.clock.waited) == ("in_doubt", True, before)
    assert first.meta.settling == again.meta.settling
    assert again.meta.settling is not None
    assert again.meta.settling["looks"] == 0
    assert (
        stage.entry(first.meta.invocation_id).to_json()["nextLookAt"] == again.meta.settling["next"]
    )
    assert Result.from_json(again.to_json()).meta.settling == again.meta.settling
    assert again.error is not None
    assert "is being asked" in (worded(again.error.hint, "http") or "")
    assert "function" not in str(again.error.hint)
    stage.look(7.0)
    later = stage.invoke(idempotencyKey="k").meta.settling
    assert later is not None
    assert (later["looks"], later["next"] > again.meta.settling["next"]) == (1, True)
    for _ in range(10):
        stage.look(7_200.0)
    ended = stage.invoke(idempotencyKey="k")
    assert (
        ended.meta.settling,
        "nextLookAt" in stage.entry(first.meta.invocation_id).to_json(),
    ) == (None, False)
    assert ended.error is not None
    assert "resolve" in (worded(ended.error.hint, "http") or "")
    assert "settling" not in (stage.entry(first.meta.invocation_id).result or {})["meta"]


def _hint(result: Result, surface: str) -> str:
    assert result.error is not None
    return (worded(result.error.hint, surface) or "").lower()


@pytest.mark.parametrize("surface", ["library", "cli", "http", "mcp", "console"])
def test_a_doubt_whose_looks_are_for_a_person_says_so(sqlite: Stages, surface: str) -> None:
    """Where evidence settles nothing by itself, the Result says that the provider is asked, and
    that a person resolves; so does a repeat, until no look is left.
    """
    stage = sqlite("show")
    stage.script("lost")
    first, again = stage.invoke(idempotencyKey="k"), stage.invoke(idempotencyKey="k")
    for doubt in (first, again):
        words = _hint(doubt, surface)
        assert (doubt.status, doubt.meta.settling) == ("in_doubt", None)
        assert "provider is being asked" in words or "ask the provider" in words
        assert re.search(r"resolve|record", words)
        assert "check with the provider" not in words
    for _ in range(10):
        stage.look(7_200.0)
    ended = stage.invoke(idempotencyKey="k")
    assert "check with the provider" in _hint(ended, surface)


@pytest.mark.parametrize("action", ["createTicket", "bothTicket"])
def test_the_number_of_looks_is_that_of_the_looks_that_are_shown(
    sqlite: Stages, action: str
) -> None:
    """Each source that is asked counts, also where one round asks several: in what waits, and in
    what has been settled.
    """
    stage = sqlite("on")
    stage.script("cut")
    stage.hidden(hidden=True)
    lost = stage.invoke(action, idempotencyKey="k")
    stage.look(7.0)
    held = stage.invoke(action, idempotencyKey="k")
    assert held.meta.settling is not None
    assert held.meta.settling["looks"] == len(stage.entry(lost.meta.invocation_id).looks)
    stage.hidden(hidden=False)
    stage.look(40.0)
    found = stage.invoke(action, idempotencyKey="k")
    assert found.meta.resolution is not None
    assert (
        found.meta.resolution["evidence"]["looks"]
        == stage.entry(lost.meta.invocation_id).looks[-1]["number"]
    )


@pytest.mark.parametrize("how", ["sync", "async", "result", "queue", "batch", "by id"])
def test_a_caller_waits_for_the_end_of_a_held_doubt(stage: DoubtStage, how: str) -> None:
    """The provider's list lags at first. The caller gets the success that a later look finds, and
    nothing is sent.
    """
    stage.script("cut")
    stage.hidden(hidden=True)
    lost = stage.invoke(idempotencyKey="k")
    assert lost.status == "in_doubt"
    stage.look(7.0)
    stage.hidden(hidden=False)
    runtime = stage.runtime
    match how:
        case "sync":
            found = runtime.invoke({**CALL, "timeoutSeconds": 300}, wait=True)
        case "async":
            found = asyncio.run(runtime.ainvoke({**CALL, "timeoutSeconds": 300}, wait=60.0))
        case "result":
            found = runtime.invoke(CALL).wait(60.0)
        case "queue":
            queued = runtime.enqueue(CALL)
            assert isinstance(queued, Result)
            found = queued.wait(60.0)
        case "batch":
            (listed,) = runtime.enqueue_many([CALL])
            assert isinstance(listed, Result)
            found = listed.wait()
        case _:
            found = runtime.wait(lost.meta.invocation_id, 60.0, settles=True)
    assert (found.status, found.output and found.output["id"]) == ("succeeded", "t-1")
    assert (found.meta.resolution or {})["by"] == "evidence"
    assert (len(stage.noted("requests")), len(stage.noted("looks"))) == (1, 2)
    assert stage.look(100_000.0) == 0


def test_a_caller_waits_no_longer_than_he_wants(sqlite: Stages) -> None:
    """By his own number of seconds, and by the call's deadline; the doubt is as it was, and goes on
    being looked for.
    """
    stage = sqlite("on")
    stage.script("lost")
    stage.invoke(idempotencyKey="k")
    for wait, seconds, most in ((3.0, 60.0, 3.0), (True, 20.0, 20.0)):
        began = stage.clock.monotonic()
        found = stage.runtime.invoke({**CALL, "timeoutSeconds": seconds}, wait=wait)
        assert (found.status, found.meta.settling is not None) == ("in_doubt", True)
        assert most * 0.9 <= stage.clock.monotonic() - began <= most + 1.1
    assert (len(stage.noted("requests")), len(stage.noted("looks"))) == (1, 1)


@pytest.mark.parametrize(
    ("setting", "action"),
    [("show", "createTicket"), ("off", "createTicket"), ("on", "plainTicket")],
)
def test_nobody_waits_for_what_does_not_settle(sqlite: Stages, setting: str, action: str) -> None:
    """Where evidence is only shown, or there is none, a person has to resolve: the doubt is
    replayed at once, and says nothing of it.
    """
    stage = sqlite(setting)
    stage.script("cut")
    first, before = stage.invoke(action, idempotencyKey="k"), stage.clock.waited
    found = stage.runtime.invoke({**CALL, "action": action}, wait=True)
    assert (first.meta.settling, found.status, found.meta.settling, found.meta.replayed) == (
        None,
        "in_doubt",
        None,
        True,
    )
    assert found.wait() is found
    assert stage.clock.waited == before
    assert ("nextLookAt" in stage.entry(first.meta.invocation_id).to_json()) is (setting == "show")


def test_a_person_ends_the_wait(sqlite: Stages) -> None:
    """Who resolves the doubt meanwhile decides what the caller gets."""
    stage = sqlite("on")
    stage.script("lost")
    lost = stage.invoke(idempotencyKey="k")
    assert lost.meta.settling is not None
    stage.journal.resolve(lost.meta.invocation_id, "succeeded", "cli:ada")
    assert lost.wait(60.0).status == "succeeded"
    assert stage.noted("looks") == []


def test_an_event_ends_the_wait(sqlite: Stages) -> None:
    """After the last look only an event may settle: no time is told then, and the event is seen
    within a second.
    """
    stage = sqlite("on")
    stage.script("cut")
    stage.invoke("mailTicket", idempotencyKey="k")
    stage.look(3.0)
    stage.look(70.0)
    held = stage.invoke("mailTicket", idempotencyKey="k")
    assert held.meta.settling == {"looks": 2}
    assert stage.runtime.invoke({**CALL, "action": "mailTicket"}, wait=5.0).status == "in_doubt"
    stage.told(stage.noted("tickets")[0])
    found = stage.runtime.invoke({**CALL, "action": "mailTicket"}, wait=5.0)
    assert (found.status, found.output) == ("succeeded", {"id": "t-1"})
    stage.script("cut")
    stage.invoke("mailTicket", idempotencyKey="late")
    for _ in range(3):
        stage.look(100_000.0)
    assert stage.invoke("mailTicket", idempotencyKey="late").meta.settling is None


def test_one_of_many_who_wait_looks(stage: DoubtStage) -> None:
    """Ten callers wait for one doubt: one of them makes the look that is due, and all get what it
    finds.
    """
    stage.script("cut")
    stage.invoke(idempotencyKey="k")
    stage.move(7.0)
    stage.clock.is_real = True  # else the others' deadlines are over while the first one looks
    with ThreadPoolExecutor(10) as pool:
        found = list(
            pool.map(
                lambda _: stage.runtime.invoke({**CALL, "timeoutSeconds": 900}, wait=True),
                range(10),
            )
        )
    assert {one.status for one in found} == {"succeeded"}
    assert (len(stage.noted("looks")), len(stage.noted("requests"))) == (1, 1)


def test_a_look_that_is_being_made_is_made_once(sqlite: Stages) -> None:
    """A doubt that one process has claimed for its look is claimed by no other."""
    stage = sqlite("on")
    stage.script("cut")
    identifier = stage.invoke().meta.invocation_id
    doubts = Doubts(stage.journal.database, stage.journal.vault, "default", stage.clock)
    doubt = doubts.find(identifier)
    assert doubt is not None
    assert doubts.claim(doubt) is None  # not due
    stage.move(7.0)
    claimed = doubts.claim(doubt)
    assert claimed is not None
    assert claimed.claim == doubt.claim + 1
    assert doubts.claim(doubt) is None
