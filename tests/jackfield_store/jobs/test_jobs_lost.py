"""A job is started once, whichever process dies at whichever step, and its outcome is true."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.jobs.job_stage import JobStage, job_stage

from forking import alone
from jackfield import Jackfield
from jackfield.call.on_loop import OnLoop
from jackfield.kernel.errors import Unavailable
from jackfield_store.journal.instance import Instance
from jackfield_store.journal.jobs import DueJobs
from jackfield_store.journal.recovery import Recovery

DONE = {"weight": 7}


@contextmanager
def _one(folder: str) -> Iterator[JobStage]:
    with job_stage(Path(folder), f"sqlite:///{folder}/jackfield.db") as opened:
        yield opened


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[JobStage]:
    """Processes on SQLite alone, where the database makes no difference."""
    with _one(str(tmp_path)) as opened:
        yield opened


def _ten_minutes(folder: str) -> dict[str, Any]:
    with _one(folder) as stage:
        identifier = stage.invoke(timeoutSeconds=30).meta.invocation_id
        seen = []
        for minute in range(1, 6):
            stage.provider.answers({"fraction": minute / 10})
            stage.provider.kills("poll")
            stage.move(60)
            stage.dies("poll")
            stage.begin()
            stage.runtime.wait(identifier, 30 if minute % 2 else 1)
            seen.append((stage.entry(identifier).progress or {})["fraction"])
        stage.provider.answers(DONE)
        result = stage.runtime.wait(identifier)
        return {
            "result": result.to_json(),
            "seen": seen,
            "starts": len(stage.provider.reached("start")),
        }


def test_a_ten_minute_job_outlives_five_kills_and_three_deadlines(tmp_path: Path) -> None:
    """The provider is started once, progress never falls, and what is recorded at the end is what
    the provider said.
    """
    found = alone(_ten_minutes, str(tmp_path))
    result = found["result"]
    assert (result["status"], result["output"], result["meta"]["attempts"]) == (
        "succeeded",
        DONE,
        1,
    )
    assert found["seen"] == sorted(found["seen"])
    assert found["starts"] == 1


def _killed_in_its_start(folder: str, action: str) -> dict[str, Any]:
    with _one(folder) as stage:
        queued = stage.queue(action)
        stage.provider.kills("start")
        stage.dies("work")
        stage.move(10)
        again = [result.status for result in stage.work()]
        return {
            "status": stage.entry(queued).status,
            "again": again,
            "starts": stage.provider.reached("start"),
        }


def test_a_kill_before_the_handle_is_stored_leaves_a_write_in_doubt(tmp_path: Path) -> None:
    """Nobody knows the handle, so nothing starts the job again."""
    found = alone(_killed_in_its_start, str(tmp_path), "melt")
    assert (found["status"], found["again"], len(found["starts"])) == ("in_doubt", [], 1)


def test_a_kill_before_the_handle_is_stored_starts_again_under_one_key(tmp_path: Path) -> None:
    """A start that is idempotent by its key is delivered again, and the provider recognises it."""
    found = alone(_killed_in_its_start, str(tmp_path), "meltOnce")
    assert (found["status"], found["again"]) == ("running", ["running"])
    assert len(found["starts"]) == 2
    assert len(set(found["starts"])) == 1


def _killed_as_it_cancels(folder: str) -> dict[str, Any]:
    with _one(folder) as stage:
        identifier = stage.invoke(timeoutSeconds=2).meta.invocation_id
        assert stage.runtime.cancel(identifier)
        stage.provider.kills("cancel")
        stage.dies("poll")
        stage.provider.answers({"failed": "aborted"})
        polls = stage.poll()
        return {
            "polls": polls,
            "cancels": len(stage.provider.reached("cancel")),
            "code": stage.entry(identifier).error_code,
        }


def test_a_kill_while_the_provider_is_told_to_cancel_loses_no_request(tmp_path: Path) -> None:
    """The next process tells it again: it may not have heard."""
    assert alone(_killed_as_it_cancels, str(tmp_path)) == {
        "polls": 1,
        "cancels": 2,
        "code": "cancelled",
    }


def test_two_processes_poll_a_job_once_at_a_time(stage: JobStage) -> None:
    """Whichever claims it polls it; the other one finds nothing to do."""
    for _ in range(20):
        stage.queue()
    stage.work()
    stage.begin()
    stage.move(60)
    due = [DueJobs(pool.storage.database, stage.clock) for pool in stage.pools]
    found: list[str] = []
    together = [
        threading.Thread(target=lambda one=one: found.extend(job.id for job in one.claim(100)))
        for one in due
    ]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    assert len(found) == len(set(found)) == 20


def test_jobs_that_wait_hold_no_thread(sqlite: JobStage) -> None:
    """A job that waits is a row: sixty have no thread each."""
    queued = {"connector": "furnace", "action": "melt", "inputs": {}}
    sqlite.runtime.enqueue(queued)
    sqlite.work()
    before = threading.active_count()
    sqlite.runtime.enqueue_many([queued] * 60)
    sqlite.work()
    assert len(sqlite.provider.reached("start")) == 61
    # of those before, other tests' may end; the database starts one when it first needs it
    assert threading.active_count() < before + 10


def test_a_handle_that_cannot_be_stored_is_in_the_error_of_the_doubt(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider works on, so that a person needs the handle to find it."""

    def gone(*_arguments: object) -> None:
        raise Unavailable("the database is gone")

    monkeypatch.setattr("jackfield_store.journal.jobs.JobUnits.storing", gone)
    result = stage.invoke()
    assert result.error is not None
    assert result.status == "in_doubt"
    assert "melt-1" in str(result.error)


def test_a_job_that_only_its_polls_carry_on_is_cancelled_where_nobody_polls_it(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its handle cannot be stored, or its time is over: the provider is told once, so that nothing
    of it stays.
    """

    def gone(*_arguments: object) -> None:
        raise Unavailable("the database is gone")

    with monkeypatch.context() as patched:
        patched.setattr("jackfield_store.journal.jobs.JobUnits.storing", gone)
        result = stage.invoke("carry")
    assert result.error is not None
    assert (result.status, stage.provider.reached("cancel")) == ("failed", ["melt-1"])
    assert "it was cancelled" in result.error.message
    identifier = stage.queue("carry", jobTimeoutSeconds=100)
    stage.work()
    stage.poll(60)
    assert stage.provider.reached("cancel") == ["melt-1"]
    stage.poll(60)
    assert stage.provider.reached("cancel") == ["melt-1", "melt-2"]
    assert (stage.entry(identifier).status, stage.entry(identifier).error_code) == (
        "failed",
        "timeout",
    )


def test_a_job_over_no_database_is_waited_for_until_the_deadline(sqlite: JobStage) -> None:
    """Nothing can be stored, so the call itself polls; at its deadline a ``write`` is in doubt,
    with its handle.
    """
    with Jackfield(database_url="none", clock=sqlite.clock) as jackfield:
        call = {"connector": "furnace", "action": "melt", "inputs": {}, "timeoutSeconds": 30}
        sqlite.provider.answers({"fraction": 0.5}, DONE)
        assert jackfield.invoke(call).output == DONE
        sqlite.provider.answers({"fraction": 0.5})
        lost = jackfield.invoke(call)
        assert lost.error is not None
        assert lost.status == "in_doubt"
        assert "melt-2" in str(lost.error)
        read = jackfield.invoke({**call, "action": "look"})
        assert read.error is not None
        assert read.error.code == "timeout"


def test_a_started_job_has_not_failed(sqlite: JobStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the database cannot be read, a caller that waits for a job is told at its deadline that
    it runs, and never that it failed: it was started, and ends as it does.
    """

    def silent(_journal: Any, _identifier: str) -> Any:
        raise Unavailable("the database does not answer")

    with monkeypatch.context() as patched:
        patched.setattr(type(sqlite.journal), "find", silent)
        result = sqlite.invoke(timeoutSeconds=5)
    assert (result.status, len(sqlite.provider.reached("start"))) == ("running", 1)
    sqlite.provider.answers(DONE)
    sqlite.poll(60.0)
    assert sqlite.entry(result.meta.invocation_id).status == "succeeded"


def test_a_claim_of_which_nobody_has_heard_is_given_back(stage: JobStage) -> None:
    """A process whose commit claimed a job, and was never acknowledged, does not poll it: it gives
    the job back, once it has seen that twice, and keeps what it polls.
    """
    lost, polled = stage.queue(), stage.queue()
    stage.work()
    stage.move(60)
    due = DueJobs(stage.pools[-1].storage.database, stage.clock)
    assert {job.id for job in due.claim(100)} == {lost, polled}
    stage.journal.tasks[polled] = 0
    recovery = Recovery(
        stage.pools[-1].storage.database, stage.pools[-1].storage.vault, stage.clock
    )
    assert [recovery.look(), recovery.look(), recovery.look()] == [0, 1, 0]
    assert [stage.entry(identifier).owner is None for identifier in (lost, polled)] == [True, False]
    stage.provider.answers(DONE)
    assert stage.poll() == 1
    assert stage.entry(lost).status == "succeeded"


def test_what_a_poll_found_is_recorded_when_the_database_is_back(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then the job is this process's task, which recovery leaves alone; then it ends, and the
    provider is not asked again.
    """
    identifier = stage.queue()
    stage.work()
    stage.provider.answers(DONE)
    database = stage.pools[-1].storage.database
    recovery = Recovery(database, stage.pools[-1].storage.vault, stage.clock)
    owed: list[Any] = []
    with monkeypatch.context() as patched:
        patched.setattr(OnLoop, "record", _away)
        patched.setattr(Instance, "owe", lambda _instance, unit: owed.append(unit))
        assert stage.poll(60) == 1
    assert [recovery.look(), recovery.look()] == [0, 0]
    assert stage.entry(identifier).status == "running"
    for unit in owed:
        database.record(unit)
    assert stage.entry(identifier).status == "succeeded"
    assert len(stage.provider.reached("poll")) == 1


async def _away(*_arguments: object) -> None:
    raise Unavailable("the database does not answer")
