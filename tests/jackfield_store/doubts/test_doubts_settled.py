"""A doubt is settled by what the provider has, never by sending again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_store.doubts.doubt_stage import DoubtStage, doubt_stage

from forking import alone
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield_store.journal import Queue
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from policy_stub import ALLOW, policy_service

Stages = Callable[[str | None], DoubtStage]


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Callable[[str | None], DoubtStage]]:
    """Processes on SQLite under a setting, where the database makes no difference."""
    with ExitStack() as opened:
        yield lambda settle: opened.enter_context(
            doubt_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", settle)
        )


def test_a_write_that_took_effect_is_found_and_its_key_replays_it(stage: DoubtStage) -> None:
    """An answer is lost; the list lags, then has the ticket: ``succeeded`` with its output, one
    request, the same key replays it.
    """
    stage.script("cut")
    stage.hidden(hidden=True)
    lost = stage.invoke(idempotencyKey="k")
    assert (lost.status, stage.invoke(idempotencyKey="k").meta.replayed) == ("in_doubt", True)
    identifier = lost.meta.invocation_id
    assert stage.look(7.0) == 1
    assert stage.entry(identifier).status == "in_doubt"
    stage.hidden(hidden=False)
    assert stage.look(30.0) == 1
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], entry["resolvedBy"], entry["output"]["id"]) == (
        "succeeded",
        "evidence",
        "t-1",
    )
    evidence = entry["meta"]["resolution"]["evidence"]
    assert (evidence["verdict"], evidence["source"], evidence["looks"]) == (
        "took",
        "bureau/listTickets",
        2,
    )
    assert [one["result"] for one in entry["looks"]] == ["nothing", "matched"]
    again = stage.invoke(idempotencyKey="k")
    assert (again.status, again.meta.replayed, again.output) == ("succeeded", True, entry["output"])
    assert len(stage.noted("requests")) == 1
    assert stage.look(100_000.0) == 0
    assert stage.settled == ['{by="evidence",verdict="took"} 1.0']


def test_a_policy_judges_what_looks_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look is a read: it is asked about. No text of the provider is kept: no policy is asked
    about it. A refusal settles nothing.
    """
    with policy_service() as policy:
        for name, value in policy.environment.items():
            monkeypatch.setenv(name, value)
        with doubt_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}") as stage:
            stage.script("cut")
            identifier = stage.invoke().meta.invocation_id
            policy.decide = lambda question: {"allow": question["action"] != "listTickets"}
            stage.look(7.0)
            assert (
                stage.entry(identifier).status,
                stage.entry(identifier).to_json()["looks"][-1]["text"],
            ) == ("in_doubt", "not_allowed")
            policy.decide = lambda _question: ALLOW
            policy.asked.clear()
            stage.look_now(identifier)
            entry = stage.entry(identifier).to_json()
            assert (entry["status"], "output" in entry, "text" in entry["looks"][-1]) == (
                "succeeded",
                False,
                False,
            )
            assert [(one["hook"], one["action"]) for one in policy.asked] == [
                ("call", "listTickets")
            ]


def _dying(folder: str, url: str) -> dict[str, Any]:
    with doubt_stage(Path(folder), url) as stage:
        stage.script("dies")
        stage.dies(idempotencyKey="k")
        left = stage.journal.held("k")
        assert left is not None
        stage.look(7.0)
        return {
            "left": left.status,
            "entry": stage.entry(left.id).to_json(),
            "again": stage.invoke(idempotencyKey="k").to_json(),
            "tickets": stage.noted("tickets"),
            "requests": len(stage.noted("requests")),
        }


def test_a_process_that_dies_after_its_request_leaves_what_looks_need(
    tmp_path: Path, database_url: str
) -> None:
    """The process that has sent dies: recovery puts the call in doubt, and a look finds by the
    marker what it had done. One request.
    """
    found = alone(_dying, str(tmp_path), database_url)
    assert (found["left"], found["requests"]) == ("in_doubt", 1)
    assert found["entry"]["meta"]["resolution"]["evidence"]["verdict"] == "took"
    assert found["again"]["output"] == found["tickets"][0]


def test_a_throttled_attempt_before_does_not_count(stage: DoubtStage) -> None:
    """Each attempt has a marker of its own: that of the throttled one is not looked for, that of
    the one in doubt is.
    """
    stage.script("throttled", "throttled", "cut")
    lost = stage.invoke()
    assert (lost.status, lost.meta.attempts) == ("in_doubt", 3)
    stage.look(7.0)
    assert stage.entry(lost.meta.invocation_id).status == "succeeded"


def test_what_never_took_effect_stays_in_doubt(stage: DoubtStage) -> None:
    """A list without the ticket proves nothing, however often it is read: four looks, then nobody
    looks by himself any more.
    """
    stage.script("lost")
    identifier = stage.invoke().meta.invocation_id
    for _ in range(50):
        stage.look(7_200.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], [one["result"] for one in entry["looks"]]) == (
        "in_doubt",
        ["nothing"] * 4,
    )


def test_two_things_with_one_marker_settle_nothing(stage: DoubtStage) -> None:
    """What carries a copied marker cannot be told from the original: it is shown, and a person
    decides.
    """
    stage.script("twice")
    identifier = stage.invoke().meta.invocation_id
    stage.look(7.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], entry["looks"][-1]["result"]) == ("in_doubt", "ambiguous")
    assert stage.look(100_000.0) == 0


def test_one_of_several_requests_settles_nothing(stage: DoubtStage) -> None:
    """The first has succeeded, the second is lost: the ticket that is there is the first's, and a
    person decides.
    """
    stage.script("done", "lost")
    identifier = stage.invoke("pairTicket", idempotencyKey="k").meta.invocation_id
    for seconds in (7.0, 40.0, 400.0, 4_000.0):
        stage.look(seconds)
    entry = stage.entry(identifier)
    assert (entry.status, entry.resolved_by, entry.looks[0]["result"]) == (
        "in_doubt",
        None,
        "matched",
    )
    assert len(stage.noted("requests")) == 2
    assert stage.settled == []


def test_a_list_without_an_end_is_read_so_far(sqlite: Stages) -> None:
    """A provider that pages for ever keeps nobody: a look reads ten pages of it, and what lies
    beyond is not found.
    """
    stage = sqlite("on")
    for _ in range(55):
        stage.invoke()
    stage.script("cut")
    identifier = stage.invoke(inputs={"subject": "the last one"}).meta.invocation_id
    stage.look(7.0)
    assert (stage.entry(identifier).to_json()["looks"][0]["result"], len(stage.noted("looks"))) == (
        "nothing",
        10,
    )


def test_a_similar_thing_proves_nothing_and_is_shown(stage: DoubtStage) -> None:
    """Somebody else's ticket has the same subject: it is shown beside what was sent, with its page
    at the provider, and the doubt stays.
    """
    stage.script("done", "lost")
    stage.invoke(inputs={"subject": "The lamp is broken", "externalId": "mine/1"})
    identifier = stage.invoke(inputs={"subject": "The lamp is broken"}).meta.invocation_id
    stage.look(7.0)
    entry = stage.entry(identifier).to_json()
    (look,) = entry["looks"]
    assert (entry["status"], look["number"], look["result"], look["sent"]) == (
        "in_doubt",
        1,
        "similar",
        {"/subject": "The lamp is broken"},
    )
    assert (look["link"], "mine/1" in look["text"]) == ("https://bureau.example/tickets/t-1", True)
    for _ in range(30):
        stage.look(7_200.0)
    assert [one["number"] for one in stage.entry(identifier).to_json()["looks"]] == [1, 2, 3, 4]
    stage.script("cut")
    other = stage.invoke(inputs={"subject": "The lamp is broken"}).meta.invocation_id
    stage.look(7.0)
    (look,) = stage.entry(other).to_json()["looks"]
    assert (look["result"], look["link"], "sent" in look) == (
        "matched",
        "https://bureau.example/tickets/t-2",
        False,
    )


def test_an_absent_thing_settles_only_where_that_is_allowed(stage: DoubtStage) -> None:
    """A read by an ID of its own says "not found": a failure once ten minutes have passed, two
    looks agree, and the workspace wants that. The key is free then; the caller decides whether to
    send again.
    """
    stage.script("lost", "lost", "done")
    first = stage.invoke("putTicket", idempotencyKey="a").meta.invocation_id
    stage.look(4_000.0)
    stage.look(4_000.0)
    stage.look(4_000.0)
    stage.look(4_000.0)
    assert stage.entry(first).status == "in_doubt"
    workspaces = stage.runtime.access.workspaces
    workspaces.set("default", {"settleAbsent": True})
    second = stage.invoke("putTicket", idempotencyKey="b").meta.invocation_id
    stage.look(7.0)
    stage.look(30.0)
    stage.look(300.0)
    assert stage.entry(second).status == "in_doubt"  # the deadline and ten minutes have not passed
    stage.look(4_000.0)
    assert stage.entry(second).status == "in_doubt"  # one look after that; the next must agree
    stage.move(61.0)
    assert stage.look_now(second) == "absent"
    entry = stage.entry(second).to_json()
    assert (entry["status"], entry["error"]["code"], entry["error"]["retryable"]) == (
        "failed",
        "unavailable",
        True,
    )
    assert len(stage.noted("requests")) == 2
    assert stage.invoke("putTicket", idempotencyKey="b").status == "succeeded"
    assert len(stage.noted("requests")) == 3


@pytest.mark.parametrize(
    ("setting", "workspace"), [("show", None), (None, None), ("on", "show"), ("show", "on")]
)
def test_the_stricter_setting_shows_and_settles_nothing(
    sqlite: Stages, setting: str | None, workspace: str | None
) -> None:
    """With ``show``, the default, what was found is in the entry, and the doubt stays one; a person
    resolves it.
    """
    stage = sqlite(setting)
    stage.runtime.access.workspaces.set("default", {"settle": workspace})
    stage.script("cut")
    identifier = stage.invoke(idempotencyKey="k").meta.invocation_id
    stage.look(7.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], entry["looks"][0]["result"]) == ("in_doubt", "matched")
    assert "t-1" in entry["looks"][0]["text"]
    assert (stage.look(100_000.0), stage.settled) == (0, [])
    assert (
        stage.journal.resolve(identifier, "succeeded", "cli:ada").to_json()["resolvedBy"]
        == "cli:ada"
    )


@pytest.mark.parametrize(("setting", "workspace"), [("off", None), ("on", "off")])
def test_off_sends_no_marker_and_looks_for_nothing(
    sqlite: Stages, setting: str, workspace: str | None
) -> None:
    """With ``off`` nothing differs from a connector without evidence: no marker, no row, no
    look.
    """
    stage = sqlite(setting)
    stage.runtime.access.workspaces.set("default", {"settle": workspace})
    stage.script("cut")
    identifier = stage.invoke().meta.invocation_id
    assert stage.noted("tickets")[0]["external_id"] is None
    assert stage.look(100_000.0) == 0
    assert "looks" not in stage.entry(identifier).to_json()


def test_a_person_wins_over_evidence_and_evidence_over_nobody(stage: DoubtStage) -> None:
    """What a person has resolved, no look changes: a look that finds otherwise is noted once, and
    told. What evidence has settled, a person may decide otherwise, and the key moves with it.
    """
    stage.script("cut", "cut")
    first = stage.invoke(idempotencyKey="a").meta.invocation_id
    stage.journal.resolve(first, "failed", "cli:ada")
    assert stage.look(100_000.0) == 1
    assert stage.entry(first).status == "failed"
    assert (stage.look_now(first), stage.look_now(first)) == (None, None)
    entry = stage.entry(first).to_json()
    assert (entry["status"], entry["resolvedBy"]) == ("failed", "cli:ada")
    assert entry["meta"]["resolution"]["contradictedBy"]["verdict"] == "took"
    second = stage.invoke(idempotencyKey="b").meta.invocation_id
    stage.look(7.0)
    assert stage.entry(second).resolved_by == "evidence"
    overruled = stage.journal.resolve(second, "failed", "cli:ada")
    assert (overruled.status, overruled.resolved_by, overruled.key_held) == (
        "failed",
        "cli:ada",
        False,
    )
    with pytest.raises(InvalidInvocation, match="not in doubt"):
        stage.journal.resolve(second, "succeeded", "cli:bob")
    events = [row.type for row in _outbox(stage)]
    assert events.count("invocation.contradicted") == 1


def _outbox(stage: DoubtStage) -> list[Any]:
    with stage.journal.database.read() as transaction:
        return list(transaction.execute("SELECT type FROM outbox", {}))


def test_nobody_resolves_in_the_name_of_evidence(sqlite: Stages) -> None:
    """``evidence`` is the name of looks alone, however it is written."""
    stage = sqlite("on")
    stage.script("cut")
    identifier = stage.invoke().meta.invocation_id
    for name in ("evidence", " Evidence", "evidence:aws.cloudtrail"):
        with pytest.raises(InvalidInvocation, match="resolves nothing"):
            stage.journal.resolve(identifier, "succeeded", name)
    assert stage.entry(identifier).status == "in_doubt"


def test_a_marker_in_the_inputs_is_refused_and_a_callers_own_value_wins(sqlite: Stages) -> None:
    """Nobody puts another call's marker into his own: it is refused before anything is sent.
    Another value of the caller's stays, and there is nothing to look for then.
    """
    stage = sqlite("on")
    stage.script("cut", "cut")
    stage.invoke()
    marker = stage.noted("tickets")[0]["external_id"]
    stolen = stage.invoke(inputs={"externalId": f"x {marker}"})
    assert (stolen.status, stolen.error and stolen.error.details[0].path) == (
        "failed",
        "/externalId",
    )
    own = stage.invoke(inputs={"externalId": "mine"})
    assert (own.status, stage.noted("tickets")[1]["external_id"]) == ("in_doubt", "mine")
    assert len(stage.noted("requests")) == 2
    stage.look(7.0)
    stage.look(100_000.0)
    assert "looks" not in stage.entry(own.meta.invocation_id).to_json()


def test_a_changed_connection_proves_nothing(sqlite: Stages) -> None:
    """Another account may lie behind a connection that was changed: nothing is looked up there, and
    the entry says so.
    """
    stage = sqlite("on")
    stage.script("cut")
    identifier = stage.invoke().meta.invocation_id
    stage.runtime.connections.replace("desk", {"token": "another-secret-of-a-desk"}, test=False)
    stage.look(7.0)
    entry = stage.entry(identifier).to_json()
    assert (entry["status"], entry["looks"][0]["result"]) == ("in_doubt", "failed")
    assert "was changed" in entry["looks"][0]["text"]
    assert stage.noted("looks") == []
    assert stage.look(100_000.0) == 0


def test_another_workspaces_marker_is_another(tmp_path: Path) -> None:
    """Markers are keyed by workspace: the same call in another one has another, and all attempts of
    all calls differ.
    """
    with doubt_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}") as stage:
        for _ in range(30):
            assert stage.invoke().status == "succeeded"
        markers = [one["external_id"] for one in stage.noted("tickets")]
    assert len(set(markers)) == 30
    assert all(len(marker) == 30 and marker.startswith("jf1-") for marker in markers)


def test_a_success_leaves_nothing_behind(stage: DoubtStage) -> None:
    """The facts of a call that ends without a doubt are deleted by the transaction that ends it."""
    stage.script("done", "rejected")
    assert [stage.invoke().status for _ in range(2)] == ["succeeded", "failed"]
    stage.journal.database.settle(5.0)
    with stage.journal.database.read() as transaction:
        assert transaction.execute("SELECT COUNT(*) AS rows FROM doubts", {})[0].rows == 0


def _rows(stage: DoubtStage) -> int:
    stage.journal.record_owed()
    stage.database.settle(5.0)
    with stage.database.read() as transaction:
        return int(transaction.execute("SELECT COUNT(*) AS rows FROM doubts", {})[0].rows)


@contextmanager
def _unacknowledged(stage: DoubtStage) -> Iterator[None]:
    """Let the next commit that somebody waits for take effect, and nobody say so."""
    database, record, left = (
        type(stage.database),
        type(stage.database).record,
        [CommitUnknown("the database went away")],
    )

    def once(self: Any, unit: Any, *given: Any, **more: Any) -> Any:
        done = record(self, unit, *given, **more)
        if left:
            raise left.pop()
        return done

    with mock.patch.object(database, "record", once):
        yield


def test_a_begin_that_nobody_has_acknowledged_leaves_nothing_behind(stage: DoubtStage) -> None:
    """Nothing was sent, so there is nothing to look for: neither of a call that fails for it, nor
    of one that goes back to the queue.
    """
    assert stage.invoke().status == "succeeded"
    with _unacknowledged(stage):
        failed = stage.invoke()
    assert (failed.status, failed.error and failed.error.code, _rows(stage)) == (
        "failed",
        "unavailable",
        0,
    )
    stage.runtime.enqueue(
        {"connector": "bureau", "action": "createTicket", "connection": "desk", "inputs": {}}
    )
    (claimed,) = Queue(stage.database, stage.clock).claim(1)
    with _unacknowledged(stage):
        stage.runtime.run(claimed)
    assert (stage.entry(claimed.id).status, _rows(stage)) == ("queued", 0)
    assert [result.status for result in stage.work()] == ["succeeded"]
    assert (len(stage.noted("requests")), _rows(stage)) == (2, 0)


def test_a_call_that_goes_back_twice_takes_nothing_from_its_next_begin(stage: DoubtStage) -> None:
    """Nobody has acknowledged that either: its process writes it once more, when another one has
    begun the call.
    """
    stage.runtime.enqueue(
        {"connector": "bureau", "action": "createTicket", "connection": "desk", "inputs": {}}
    )
    (claimed,) = Queue(stage.database, stage.clock).claim(1)
    database, first, found = type(stage.database), stage.journal, list[int]()

    def defer(self: Any, unit: Any, *_given: Any, **_more: Any) -> None:
        self.record(unit)
        raise Unavailable("the database went away")

    with _unacknowledged(stage), mock.patch.object(database, "defer", defer):
        stage.runtime.run(claimed)
    assert first.owes
    stage.begin()
    stage.script("late")
    stage.meanwhile(first.record_owed, lambda: found.append(_rows(stage)))
    assert ([result.status for result in stage.work()], first.owes, found, _rows(stage)) == (
        ["succeeded"],
        False,
        [1],
        0,
    )


def test_many_processes_settle_once(stage: DoubtStage) -> None:
    """Two processes look at the same doubts: each is settled once, and no look is recorded
    twice.
    """
    stage.script(*["cut"] * 20)
    identifiers = [stage.invoke().meta.invocation_id for _ in range(20)]
    stage.begin()
    stage.move(7.0)
    loops = [EvidenceLoop(pool) for pool in stage.pools]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(6):
            list(pool.map(lambda loop: loop.look(), loops * 2))
    entries = [stage.entry(identifier).to_json() for identifier in identifiers]
    assert {entry["status"] for entry in entries} == {"succeeded"}
    assert {len(entry["looks"]) for entry in entries} == {1}
    assert len(stage.noted("requests")) == 20


@pytest.mark.parametrize("waits", [True, False], ids=["async", "sync"])
def test_a_call_may_wait_for_its_evidence(sqlite: Stages, *, waits: bool) -> None:
    """With ``onDoubt: settle`` the call looks by itself, until its deadline; nothing is sent again,
    and its key replays the outcome.
    """
    stage = sqlite("on")
    stage.script("cut")
    given = {
        "connector": "bureau",
        "action": "createTicket",
        "connection": "desk",
        "inputs": {},
        "onDoubt": "settle",
        "idempotencyKey": "k",
    }
    result = asyncio.run(stage.runtime.ainvoke(given)) if waits else stage.runtime.invoke(given)
    assert (
        result.status,
        result.output and result.output["id"],
        result.meta.resolution and result.meta.resolution["by"],
    ) == (
        "succeeded",
        "t-1",
        "evidence",
    )
    assert (len(stage.noted("requests")), stage.noted("looks")) == (1, ["list"])
    again = stage.invoke(idempotencyKey="k")
    assert (again.status, again.meta.replayed) == ("succeeded", True)


@pytest.mark.parametrize(
    ("setting", "step", "seconds", "looks"),
    [
        ("on", "lost", 60.0, 2),
        ("show", "cut", 60.0, 1),
        ("off", "cut", 60.0, 0),
        ("on", "cut", 3.0, 0),
        ("on", "lost", 7.0, 1),
    ],
)
def test_a_call_waits_no_longer_than_it_may(
    sqlite: Stages, setting: str, step: str, seconds: float, looks: int
) -> None:
    """What is not found by the deadline, or may only be shown, stays in doubt; without evidence to
    come, nobody waits.
    """
    stage = sqlite(setting)
    stage.script(step, "cut")
    began = stage.clock.time()
    result = stage.invoke(onDoubt="settle", timeoutSeconds=seconds)
    assert (result.status, len(stage.noted("looks")), len(stage.noted("requests"))) == (
        "in_doubt",
        looks,
        1,
    )
    assert stage.clock.time() - began < seconds
    before = stage.clock.waited
    assert (stage.invoke("plainTicket", onDoubt="settle").status, stage.clock.waited) == (
        "in_doubt",
        before,
    )
