"""Each slot of a schedule runs once, or has a stored reason: two servers, both days of each year
when clocks change, downtime, crashes.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.jackfield_service.subjects.schedules.schedule_stage import (
    TICK,
    ScheduleStage,
    schedule_stage,
)

from jackfield.callers import Caller, Rules
from jackfield.kernel.clock import iso
from jackfield.kernel.errors import InvalidInput, InvalidInvocation, JackfieldError, NotAllowed
from jackfield.pacing.turn import PostponedError
from jackfield_service.subjects.schedules import DueSchedules, OvertakenError, ScheduleConflict
from jackfield_service.subjects.schedules.slot_runs import SlotRuns
from jackfield_service.subjects.schedules.warnings import silence_warning
from jackfield_store.access import Tokens
from jackfield_store.access.workspaces import Workspaces
from jackfield_store.journal import Queue

DAY = 86_400.0


def test_each_slot_is_one_invocation_with_a_key_and_the_slots_time(stage: ScheduleStage) -> None:
    """Two servers look at the same moment: each slot is queued once, with a key made from schedule
    and slot.
    """
    made = stage.add(every="10s")
    for _ in range(5):
        stage.move(10)
        together = [threading.Thread(target=stage.look, args=(server,)) for server in range(2)]
        for thread in together:
            thread.start()
        for thread in together:
            thread.join()
        stage.work()
    entries, slots = stage.queued(), stage.slots()
    assert [slot["outcome"] for slot in slots] == ["queued"] * 5
    assert [slot["invocationId"] for slot in slots] == [entry.id for entry in entries]
    assert [entry.idempotency_key for entry in entries] == [
        f"schedule:{made['id']}:{slot['slot']}" for slot in slots
    ]
    assert [entry.result["output"]["at"] + "" for entry in entries if entry.result] == [
        slot["slot"].replace(".000", "") for slot in slots
    ]
    assert {entry.context["labels"]["schedule"] for entry in entries if entry.context} == {"one"}


def test_no_caller_takes_the_key_of_a_slot_beforehand(stage: ScheduleStage) -> None:
    """Calls that a caller made under the keys of the next slots keep none from running."""
    made = stage.add(every="10s")
    first = datetime.fromisoformat(made["nextAt"]).timestamp()
    for number in range(3):
        taken = stage.runtime.invoke(
            {
                **TICK,
                "inputs": {"at": "mine"},
                "idempotencyKey": f"schedule:{made['id']}:{iso(first + 10 * number)}",
            }
        )
        assert taken.status == "succeeded"
    for _ in range(3):
        stage.move(10)
        stage.look()
        stage.work()
    assert [slot["outcome"] for slot in stage.slots()] == ["queued"] * 3
    assert [entry.status for entry in stage.queued()] == ["succeeded"] * 6
    assert len({entry.idempotency_key for entry in stage.queued()}) == 3


def test_slots_beyond_a_quota_wait_for_the_next_span(stage: ScheduleStage) -> None:
    """They are queued once each, and neither fail nor are lost: one more runs each day."""
    stage.pools[0].find("default").access.workspaces.set(
        "default", {"quotas": [{"count": 1, "per": "day", "of": {"effect": "write"}}]}
    )
    stage.move(DAY - stage.clock.time() % DAY + 3600)
    stage.add(every="10s", overlap="allow")
    for _ in range(3):
        stage.move(10)
        stage.look()
        _work(stage)
    stage.schedules().pause("one")
    assert sorted(entry.status for entry in stage.queued()) == ["queued", "queued", "succeeded"]
    for done in (2, 3):
        stage.move(DAY)
        _work(stage)
        assert [entry.status for entry in stage.queued()].count("succeeded") == done


def _work(stage: ScheduleStage) -> None:
    """Do what is due as a worker does, which puts off what may run later."""
    queue = Queue(stage.database, stage.clock)
    for claimed in queue.claim(10):
        try:
            stage.runtime.run(claimed)
        except PostponedError as later:
            assert queue.postpone(claimed, later.at)


def test_many_schedules_that_are_due_at_once_run_once_each(stage: ScheduleStage) -> None:
    """Two servers work on 40 schedules that are due at one moment, several at once in each: each
    runs once.
    """
    for number in range(40):
        stage.add(f"s{number}", cron="*/5 * * * *", overlap="allow")
    stage.move(301)
    together = [threading.Thread(target=stage.look, args=(server,)) for server in range(2)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    keys = [entry.idempotency_key for entry in stage.queued()]
    assert len(keys) == len(set(keys)) >= 40
    assert {outcome for number in range(40) for outcome in stage.outcomes(f"s{number}")} <= {
        "queued",
        "missed",
    }


def test_schedules_are_claimed_in_turn_by_workspace(stage: ScheduleStage) -> None:
    """However many schedules of one workspace are overdue, a claim has one of another workspace."""
    Workspaces(stage.database, stage.pools[0].storage.vault, stage.clock).create("b-2")
    for number in range(8):
        stage.add(f"s{number}", every="1h")
    stage.move(5.0)
    other = stage.schedules(workspace="b-2")
    other.add({"name": "other", "invocation": TICK, "every": "1h"})
    stage.move(4000)
    due = DueSchedules(stage.pools[0].storage.database, stage.clock)
    claimed = due.claim(4)
    assert [one.workspace for one in claimed].count("b-2") == 1
    assert len(claimed) == 4


ZONES = {
    "Europe/Berlin": ("2027-03-28", "03:00", "2027-10-31", "02:30"),
    "America/New_York": ("2027-03-14", "03:00", "2027-11-07", "02:30"),
    "Australia/Lord_Howe": ("2027-10-03", "02:30", "2027-04-04", "02:30"),
}
"""Days on which clocks go forward and back, and when '30 2 * * *' runs on them: at the end of the
hour that is skipped, or once.
"""


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("forward", [True, False])
def test_a_nightly_slot_runs_once_on_days_when_clocks_change(
    zone: str, forward: bool, tmp_path: Path
) -> None:
    """A fixed time in the skipped hour runs at its end; one in the repeated hour runs once; 'every
    half an hour' follows real time.
    """
    spring, at_spring, autumn, at_autumn = ZONES[zone]
    day, expected = (spring, at_spring) if forward else (autumn, at_autumn)
    with schedule_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}") as stage:
        stage.move_to(f"{day}T00:00:01", zone)
        stage.add("nightly", cron="30 2 * * *", timezone=zone)
        stage.add("often", cron="*/30 * * * *", timezone=zone, overlap="allow")
        for turn in range(14):
            stage.move(1800)
            stage.look(turn % 2)
        nightly = [_local(slot, zone) for slot in stage.slots("nightly")]
        assert [at.isoformat(timespec="minutes")[:16] for at in nightly] == [f"{day}T{expected}"]
        often = [_local(slot, zone) for slot in stage.slots("often")]
        assert [second - first for first, second in pairwise(often)] == [timedelta(minutes=30)] * (
            len(often) - 1
        )
        assert set(stage.outcomes("often")) == {"queued"}
        assert len(often) == 14


def _local(slot: dict[str, Any], zone: str) -> datetime:
    """The local time of a slot, with its offset, so that differences are real ones."""
    found = datetime.fromisoformat(slot["slot"]).astimezone(ZoneInfo(zone))
    return datetime.fromisoformat(found.isoformat())


@pytest.mark.parametrize(
    ("policy", "outcomes"),
    [
        ({"missed": "skip", "cron": "*/5 * * * *"}, {"missed": 863, "queued": 1}),
        ({"missed": "skip", "cron": "2 3 * * *"}, {"missed": 3}),
        ({"missed": "latest", "cron": "2 3 * * *"}, {"missed": 2, "queued": 1}),
        ({"missed": "latest", "cron": "*/5 * * * *"}, {"missed": 863, "queued": 1}),
        ({"missed": "all", "overlap": "allow", "cron": "0 * * * *"}, {"queued": 72}),
        ({"missed": "all", "cron": "0 */12 * * *"}, {"queued": 1, "waiting": 5}),
        ({"missed": "all", "overlap": "skip", "cron": "0 */12 * * *"}, {"queued": 1, "skipped": 5}),
    ],
)
def test_three_days_without_a_scheduler(
    policy: dict[str, str], outcomes: dict[str, int], stage: ScheduleStage
) -> None:
    """Slots of three days are run as the policy says; each of the others has its reason."""
    stage.move_to("2027-06-01T00:00:01", "UTC")
    stage.add(**policy)
    stage.move(3 * DAY)
    stage.look()
    assert Counter(stage.outcomes()) == outcomes
    assert all(slot.get("reason") for slot in stage.slots() if slot["outcome"] != "queued")
    assert len(stage.queued()) == outcomes.get("queued", 0)
    told = [event.data for event in stage.runtime.events(types=["schedule.missed"])]
    assert sum(data["slots"] for data in told) == outcomes.get("missed", 0)
    assert {data["schedule"] for data in told} <= {"one"}
    stage.look(1)
    assert Counter(stage.outcomes()) == outcomes


def test_more_missed_slots_than_the_limit_are_recorded_together(stage: ScheduleStage) -> None:
    """Of 3 days of seconds, 'all' runs the newest 1,000 after each other; the others are rows of
    several slots.
    """
    stage.move_to("2027-06-01T00:00:00", "UTC")
    stage.add(every="1s", missed="skip")
    stage.move(3 * DAY)
    stage.look()
    assert Counter(stage.outcomes()) == {"missed": 3 * 86_400 - 1, "queued": 1}
    assert sum(slot.get("slots", 1) > 1 for slot in stage.slots()) < 20


def test_overlapping_slots_are_skipped_queued_or_allowed(stage: ScheduleStage) -> None:
    """While the first invocation has not ended, the next slot is skipped, waits for it, or runs
    beside it.
    """
    for overlap in ("skip", "queue", "allow"):
        stage.add(overlap, every="10s", overlap=overlap)
    for _ in range(3):
        stage.move(10)
        stage.look()
    assert [stage.outcomes(name) for name in ("skip", "queue", "allow")] == [
        ["queued", "skipped", "skipped"],
        ["queued", "waiting", "waiting"],
        ["queued"] * 3,
    ]
    stage.work()
    stage.move(2)
    stage.look()
    assert stage.outcomes("queue") == ["queued", "queued", "waiting"]
    stage.work()
    stage.move(2)
    stage.look(1)
    assert stage.outcomes("queue") == ["queued"] * 3
    results = {entry.id: entry for entry in stage.queued()}
    times = [results[slot["invocationId"]] for slot in stage.slots("queue")]
    assert [entry.created_at for entry in times] == sorted(entry.created_at for entry in times)


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_clock_that_is_set_runs_no_slot_twice(step: float, stage: ScheduleStage) -> None:
    """The clocks of both servers are set by an hour, and put back a while later: each slot has one
    outcome, and none is left out.
    """
    stage.add(every="5m", overlap="allow")
    for turn in range(40):
        if turn in (10, 25):
            stage.clock.set_by += step if turn == 10 else -step
        stage.move(60)
        stage.look(turn % 2)
        stage.work()
    slots = [datetime.fromisoformat(slot["slot"]) for slot in stage.slots()]
    assert [second - first for first, second in pairwise(slots)] == [timedelta(minutes=5)] * (
        len(slots) - 1
    )
    keys = [entry.idempotency_key for entry in stage.queued()]
    assert len(keys) == len(set(keys)) == stage.outcomes().count("queued")


@pytest.mark.parametrize("first", ["waits", "succeeds", "fails"])
def test_a_slot_that_a_clock_shows_again_is_not_run_again(first: str, stage: ScheduleStage) -> None:
    """The clock is set back by an hour and the schedule is changed, so that its next slot is one
    that has run: it is passed over.
    """
    stage.add(
        every="10m",
        overlap="allow",
        invocation={**TICK, "inputs": {"at": "fail" if first == "fails" else ""}},
    )
    for _ in range(3):
        stage.move(600)
        stage.look()
    if first != "waits":
        stage.work()
    before = stage.slots()
    stage.clock.set_by -= 3600
    stage.move(120)  # the processes agree on the new time
    stage.look()
    stage.schedules().change("one", {"missed": "all"})
    for _ in range(8):
        stage.move(600)
        stage.look(1)
    after = stage.slots()
    assert [slot for slot in after if slot in before] == before
    assert len(after) > len(before)
    assert len({slot["slot"] for slot in after}) == len(after)
    keys = [entry.idempotency_key for entry in stage.queued()]
    assert len(keys) == len(set(keys)) == stage.outcomes().count("queued")


def test_a_time_without_an_offset_is_in_the_time_zone(stage: ScheduleStage) -> None:
    """So is the anchor of an interval."""
    made = stage.add(at="2041-07-01T08:00", timezone="Europe/Berlin")
    assert made["nextAt"] == "2041-07-01T06:00:00.000Z"
    other = stage.add("two", every="24h", anchor="2041-07-01T08:00:00", timezone="Europe/Berlin")
    assert other["nextAt"] == "2041-07-01T06:00:00.000Z"


def test_a_scheduler_that_dies_with_a_claim_is_followed_by_another(stage: ScheduleStage) -> None:
    """Between claim and insert nothing is lost: another server runs the slot when the claim has run
    out.
    """
    stage.add(every="1h")
    stage.move(3600)
    due = DueSchedules(stage.pools[0].storage.database, stage.clock)
    (claimed,) = due.claim(10)  # and the process dies
    stage.look(1)
    assert stage.queued() == []
    stage.move(16)
    stage.look(1)
    assert stage.outcomes() == ["queued"]
    with pytest.raises(OvertakenError):  # it was only stopped, and goes on
        SlotRuns(stage.runtime, claimed, due).work()
    assert len(stage.queued()) == 1


def test_a_scheduler_that_dies_after_the_insert_runs_nothing_again(
    stage: ScheduleStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The invocation, the slot and the next slot are one commit."""
    stage.add(every="1h", missed="all", overlap="allow")
    stage.move(3 * 3600)
    with monkeypatch.context() as patched:
        enqueue = stage.runtime.enqueue

        def dying(*given: Any, **named: Any) -> Any:
            enqueue(*given, **named)
            raise KeyboardInterrupt

        patched.setattr(stage.runtime, "enqueue", dying)
        with pytest.raises(KeyboardInterrupt):
            stage.look()
    assert stage.outcomes() == ["queued"]
    stage.move(16)
    stage.look(1)
    assert stage.outcomes() == ["queued"] * 3
    assert len(stage.queued()) == 3


def test_a_revoked_token_stops_its_schedules_and_says_so(stage: ScheduleStage) -> None:
    """A schedule runs with the rights of the token that made it; without the token it is stopped
    until somebody else takes it over.
    """
    tokens = Tokens(
        stage.runtime.storage.database, stage.runtime.storage.vault, "default", stage.clock
    )
    made = tokens.create("manage", "platform", Rules()).token
    caller = Caller(made.id, "manage", Rules(), remote=True, token=made.id)
    stage.schedules(caller).add({"name": "one", "invocation": TICK, "every": "1h"})
    assert stage.schedules().show("one")["runsAs"] == {"caller": made.id, "token": made.id}
    stage.move(3600)
    stage.look()
    tokens.revoke(made.id)
    stage.move(3600)
    stage.look(1)
    shown = stage.schedules().show("one")
    assert shown["status"] == "stopped"
    assert made.id in shown["reason"]
    assert "revoked" in shown["reason"]
    assert stage.outcomes() == ["queued", "refused"]
    assert [event.data["reason"] for event in stage.runtime.events(types=["schedule.stopped"])] == [
        shown["reason"]
    ]
    stage.work()
    stage.move(3600)
    stage.look()
    assert stage.outcomes() == ["queued", "refused"]
    assert stage.schedules().resume("one")["runsAs"]["token"] is None
    stage.move(3600)
    stage.look()
    assert stage.outcomes() == ["queued", "refused", "queued"]


def test_a_refused_slot_has_its_reason_and_the_next_one_runs(stage: ScheduleStage) -> None:
    """What the rules forbid by now is not run; once they allow it again, the next slot is."""
    stage.add(every="1h")
    workspaces = stage.runtime.access.workspaces
    workspaces.set("default", {"rules": {"block": ["clockwork/*"]}})
    stage.move(3600)
    stage.look()
    assert stage.outcomes() == ["refused"]
    assert "not_allowed" in stage.slots()[0]["reason"]
    workspaces.set("default", {"rules": {"block": []}})
    stage.move(3600)
    stage.look()
    assert stage.outcomes() == ["refused", "queued"]


@pytest.mark.parametrize(
    "change",
    [
        "missed = 'all'",
        "timing = 'x'",
        """timing = '{"cron": "x", "timezone": "y"}'""",
        "version = 7",
    ],
)
def test_a_row_that_somebody_changed_in_the_database_runs_nothing(
    change: str, stage: ScheduleStage
) -> None:
    """What a schedule runs, with whose rights and when, is bound by its seal. Others run, and the
    list shows why it does not: one whose times cannot be used is paused.
    """
    status, reason = (
        ("paused", "cannot be used") if "timing" in change else ("stopped", "cannot be read")
    )
    for name in ("one", "two"):
        stage.add(name, every="1h")
    with stage.runtime.storage.database.write() as transaction:
        transaction.change(f"UPDATE schedules SET {change} WHERE name = 'one'")
    stage.move(3600)
    stage.look()
    assert stage.outcomes("two") == ["queued"]
    assert len(stage.queued()) == 1
    listed = {item["name"]: item for item in stage.schedules().page(None, 10)[0]}
    assert (listed["one"]["status"], listed["two"]["status"]) == (status, "active")
    assert reason in listed["one"]["reason"]
    with pytest.raises(JackfieldError):
        stage.schedules().run("one")
    stage.schedules().remove("one")


def test_a_schedule_for_one_time_ends(stage: ScheduleStage) -> None:
    """It runs once, and is shown as ended; nothing follows."""
    stage.add(at="2h")
    stage.move(2 * 3600 + 1)
    stage.look()
    assert stage.outcomes() == ["queued"]
    assert (stage.schedules().show("one")["status"], stage.schedules().show("one")["nextAt"]) == (
        "ended",
        None,
    )
    assert stage.schedules().next("one", 3) == []
    with pytest.raises(ScheduleConflict, match="no slot follows"):
        stage.schedules().resume("one")


def test_slots_of_a_paused_schedule_are_recorded_when_it_is_resumed(stage: ScheduleStage) -> None:
    """While it is paused nothing runs; afterwards the slots that passed have their reason."""
    stage.add(every="1h")
    stage.schedules().pause("one")
    stage.move(5 * 3600)
    stage.look()
    assert stage.slots() == []
    stage.schedules().resume("one")
    (slot,) = stage.slots()
    assert (slot["slots"], slot["outcome"], slot["reason"]) == (
        5,
        "skipped",
        "the schedule was paused",
    )
    stage.move(3600)
    stage.look()
    assert stage.outcomes() == ["skipped"] * 5 + ["queued"]


def test_a_run_by_hand_leaves_the_times_as_they_are(stage: ScheduleStage) -> None:
    """It is an invocation of its own, beside the slots."""
    before = stage.add(every="1h")
    assert isinstance(stage.schedules().run("one"), str)
    assert isinstance(stage.schedules().run("one"), str)
    assert stage.schedules().show("one")["nextAt"] == before["nextAt"]
    assert [slot["reason"] for slot in stage.slots()] == ["run by hand"] * 2
    stage.work()
    stage.move(3600)
    stage.look()
    assert stage.outcomes() == ["queued"] * 3


_NO_SCHEDULES: list[Any] = [
    ({}, "/cron"),
    ({"cron": "* * * * *", "every": "1h"}, "/cron"),
    ({"cron": "* * * * * *"}, "/cron"),
    ({"cron": "61 * * * *"}, "/cron"),
    ({"cron": "0 0 30 2 *"}, "/cron"),
    ({"cron": "0 0 * * *", "timezone": "Mars/Olympus"}, "/timezone"),
    ({"every": "0s"}, "/every"),
    ({"every": "soon"}, "/every"),
    ({"every": True}, "/every"),
    ({"at": "2001-01-01"}, "/at"),
    ({"at": "1h", "anchor": "1h"}, "/anchor"),
    ({"every": "1h", "missed": "some"}, "/missed"),
    ({"every": "1h", "overlap": "some"}, "/overlap"),
    ({"every": "1h", "x": 1}, "/x"),
    ({"every": "1h", "name": "a b"}, "/name"),
    ({"every": "1h", "invocation": []}, "/invocation"),
    ({"every": "1h", "invocation": {**TICK, "idempotencyKey": "k"}}, "/invocation/idempotencyKey"),
]


def test_what_is_no_schedule_is_refused(stage: ScheduleStage, subtests: pytest.Subtests) -> None:
    """The error names the member at fault; nothing is stored."""
    for members, path in _NO_SCHEDULES:
        with subtests.test(members=members, path=path):
            with pytest.raises(InvalidInvocation) as raised:
                stage.add(**members)
            assert [detail.path for detail in raised.value.details] == [path]
            assert stage.schedules().page(None, 10) == ([], None)


def test_an_invocation_that_would_be_refused_is_no_schedule(stage: ScheduleStage) -> None:
    """Inputs are checked as of the next slot, and formats of slots before that."""
    for inputs, path in (
        ({"number": {"$slot": "rfc3339"}}, "/number"),
        ({"at": {"$slot": "%Q"}}, "/at/$slot"),
    ):
        with pytest.raises(InvalidInput) as raised:
            stage.add(every="1h", invocation={**TICK, "inputs": inputs})
        assert [detail.path for detail in raised.value.details] == [path]
    stage.add(
        every="1h",
        invocation={**TICK, "inputs": {"number": {"$slot": "unix"}, "at": {"$slot": "%Y-%m-%d"}}},
    )
    with pytest.raises(NotAllowed):
        stage.schedules(Caller("reader", "read", Rules(), remote=True)).add(
            {"name": "two", "invocation": TICK, "every": "1h"}
        )


def test_a_token_sees_the_schedules_whose_calls_its_rules_allow(stage: ScheduleStage) -> None:
    """All others appear not to exist; secrets among the inputs are shown to nobody."""
    stage.add(every="1h", invocation={**TICK, "inputs": {"secret": "s3cret"}})
    assert stage.schedules().show("one")["invocation"]["inputs"]["secret"] == "***"
    other = stage.schedules(Caller("shop", "manage", Rules(("echo/*",)), remote=True))
    assert other.page(None, 10) == ([], None)
    for step in (other.show, other.pause, other.remove, other.run):
        with pytest.raises(InvalidInvocation, match="no schedule"):
            step("one")
    assert [item["name"] for item in stage.schedules().page(None, 10)[0]] == ["one"]


def test_looking_for_the_next_slot_reads_an_index(stage: ScheduleStage) -> None:
    """However many schedules there are, a look is one search in an index."""
    database = stage.runtime.storage.database
    if database.dialect.name != "sqlite":  # which reads a table as small as this one as a whole
        with database.read() as transaction:
            assert transaction.execute(
                "SELECT indexname FROM pg_indexes WHERE indexname = 'schedules_wake'"
            )
        return
    with database.read() as transaction:
        plan = transaction.execute(
            "EXPLAIN QUERY PLAN SELECT wake_at FROM schedules WHERE wake_at IS NOT NULL ORDER BY "
            "wake_at LIMIT 1"
        )
    assert "USING COVERING INDEX schedules_wake" in plan[0].detail


def test_a_schedule_that_is_silent_says_so(stage: ScheduleStage) -> None:
    """The clock is set back by a day: a schedule whose slots have been used says until when it is
    silent, and why, and so do probes.
    """
    stage.add(every=3600)
    database = stage.pools[0].storage.database
    stage.move(3 * 3600.0)
    stage.look(0)
    assert "silentUntil" not in stage.schedules().show("one")
    assert silence_warning(database, stage.clock) is None
    stage.move(-27 * 3600.0)
    shown = stage.schedules().show("one")
    assert shown["silentUntil"] == shown["nextAt"]
    assert "the clock went back" in shown["silentReason"]
    assert f"1 schedule is silent until {shown['nextAt']}" in (
        silence_warning(database, stage.clock) or ""
    )
