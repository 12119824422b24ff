"""A queue that is held sends nothing by itself, on both databases, until it is released; then
everything happens once.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.subjects.events.callback_stage import Place, place, receiver
from tests.jackfield_service.subjects.schedules.schedule_stage import schedule_stage
from tests.jackfield_store.jobs.job_stage import job_stage

from jackfield.cli.main import main
from jackfield.kernel.clock import iso
from jackfield_store.database import Database, open_database
from jackfield_store.database.backup import backup, restore
from jackfield_store.database.hold import Hold, end_hold, find_hold, set_hold
from jackfield_store.journal import Queue
from jackfield_store.journal.jobs import DueJobs
from jackfield_store.management.conditions import hold_warning
from jackfield_store.runtime import Jackfield
from postgres import Server, use_programs
from receiver import Receiver

__all__ = ["place", "receiver"]
_HOLD = Hold(1_800_000_000.0, "cli:ada", "restored")


def hold(database: Database) -> None:
    """Hold the queue."""
    with database.write() as transaction:
        assert set_hold(transaction, _HOLD)


def release(database: Database) -> None:
    """Let it go."""
    with database.write() as transaction:
        assert end_hold(transaction)


def test_invocations_and_jobs_wait(tmp_path: Path, database_url: str) -> None:
    """Nobody claims an invocation or polls a job while the queue is held; direct calls go on;
    afterwards each happens once.
    """
    with job_stage(tmp_path, database_url) as stage:
        database = stage.pools[-1].storage.database
        job = stage.invoke(timeoutSeconds=5).meta.invocation_id
        queued = [stage.queue() for _ in range(3)]
        hold(database)
        assert Queue(database, stage.clock).claim(100) == []
        assert [
            Queue(database, stage.clock).claim_one("default", identifier) for identifier in queued
        ] == [None] * 3
        assert stage.poll(60.0) == 0
        assert DueJobs(database, stage.clock).claim_one("default", job) is None
        assert stage.invoke("weigh").status == "succeeded"
        started = len(stage.provider.reached("start"))
        release(database)
        assert stage.poll(0.0) == 1
        assert len(stage.work()) == 3
        assert len(stage.provider.reached("start")) == started + 3
        assert stage.work() == []


def test_slots_of_schedules_wait(tmp_path: Path, database_url: str) -> None:
    """No schedule queues anything while the queue is held; then the slots that were missed are
    treated as such.
    """
    with schedule_stage(tmp_path, database_url) as stage:
        stage.add(every=60, missed="all")
        hold(stage.pools[0].storage.database)
        stage.move(150.0)
        stage.look(0)
        stage.look(1)
        assert stage.queued() == []
        release(stage.pools[0].storage.database)
        stage.look(0)
        stage.look(1)
        assert len(stage.queued()) >= 1


def test_deliveries_wait(place: Place, receiver: Receiver) -> None:
    """Nothing is delivered while the queue is held; then each event is, once."""
    place.add(receiver.url)
    place.happens(count=3)
    hold(place.database)
    for _ in range(3):
        place.dispatcher._reload_at = 0.0
        place.dispatcher.turn()
    assert receiver.got == []
    release(place.database)
    place.dispatch()
    assert len({str(request) for request in receiver.got}) == len(receiver.got) == 3


def test_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`queue hold` works before any server runs, says who held it and why, and `queue stats`,
    probes and the audit log do, too.
    """
    url = f"sqlite:///{tmp_path}/copied.db"
    open_database(url).close()
    monkeypatch.setenv("JACKFIELD_DATABASE_URL", url)

    def command(*words: str) -> Any:
        assert main([*words, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    assert command("queue", "hold", "--reason", "failover")["changed"] is True
    assert command("queue", "hold")["changed"] is False
    with open_database(url) as database:
        assert "failover" in (hold_warning(database) or "")
    main(["queue", "stats"])
    assert "is held since" in capsys.readouterr().err
    assert command("queue", "release") == {"released": True}
    assert command("queue", "release") == {"released": False}
    assert [entry["event"] for entry in command("audit", "list")] == [
        "queue.released",
        "queue.held",
    ]


def test_what_ran_already_is_cancelled_by_time(
    tmp_path: Path,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`invocations cancel --before` ends what was due before a time, and nothing else."""
    with job_stage(tmp_path, database_url) as stage:
        now = stage.clock.time()
        early = [stage.queue(notBefore=iso(now + 60.0 + number)) for number in range(3)]
        late = [stage.queue(notBefore=iso(now + 600.0)) for _ in range(2)]
        assert [*stage.journal.waiting("furnace", now + 100.0)] == early
        assert [*stage.journal.waiting("other", None)] == []
        assert [*stage.journal.waiting(None, None)] == [*early, *late]
        assert [stage.journal.cancel_queued(identifier) for identifier in early] == [True] * 3
        stage.move(700.0)
        assert {result.meta.invocation_id for result in stage.work()} == set(late)
        assert {stage.entry(identifier).error_code for identifier in early} == {"cancelled"}


def test_a_restored_backup_is_held(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`db restore --hold-queue` holds the queue in the transaction that restores; a backup that is
    none restores nothing.
    """
    use_programs(monkeypatch)
    url, target = postgres_server.create(postgres_server.template()), postgres_server.create()
    with Jackfield(database_url=url) as jackfield:
        jackfield.open()
        backup(jackfield.storage.database, tmp_path / "backup")
    with open_database(target, migrate=None) as database:
        restore(database, tmp_path / "backup", lambda _database: [], _HOLD)
        assert find_hold(database) == _HOLD
        assert database.pending() == []
