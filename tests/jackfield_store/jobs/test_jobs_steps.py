"""A job is started once, polled across deadlines and processes, and ends as the provider says."""

from __future__ import annotations

from itertools import pairwise
from threading import Event, Thread
from typing import Any

import pytest
from tests.jackfield_store.jobs.job_stage import JobStage

from jackfield import InvocationFailed, Result
from jackfield.callers.actor import Actor
from jackfield_service.subjects.tenants.tenants import Tenants
from jackfield_store.access import Workspaces
from jackfield_store.files import FileLimits, Files
from jackfield_store.journal import Journal

DONE = {"weight": 7}


def test_a_job_that_ends_within_its_call_is_answered_with_its_output(stage: JobStage) -> None:
    """The caller's own thread polls, and gets the Result as of any other action: one attempt,
    however many polls.
    """
    stage.provider.answers({"fraction": 0.2}, {"fraction": 0.4}, DONE)
    result = stage.invoke()
    assert (result.status, result.output, result.meta.attempts) == ("succeeded", DONE, 1)
    assert [len(stage.provider.reached(what)) for what in ("start", "poll")] == [1, 3]
    entry = stage.entry(result.meta.invocation_id)
    assert (entry.status, entry.attempts, entry.progress) == ("succeeded", 1, None)


def test_a_call_whose_time_is_over_says_how_far_the_job_is_and_others_go_on(
    stage: JobStage,
) -> None:
    """The call ends at ``timeoutSeconds``; the job does not: another process polls it, and finds
    the end.
    """
    result = stage.invoke(timeoutSeconds=5)
    identifier = result.meta.invocation_id
    progress = {"fraction": 0.5, "text": "melting"}
    assert result.to_json() == {
        "invocationId": identifier,
        "status": "running",
        "progress": progress,
    }
    assert result.exit_code == 0
    with pytest.raises(InvocationFailed, match="still runs"):
        result.unwrap()
    assert stage.entry(identifier).to_json()["progress"] == progress
    stage.begin()
    stage.provider.answers(DONE)
    assert stage.poll(60) == 1
    assert stage.entry(identifier).status == "succeeded"
    assert len(stage.provider.reached("start")) == 1


def test_a_result_is_awaited_with_wait_without_any_server(stage: JobStage) -> None:
    """``wait`` polls itself while nobody else does."""
    result = stage.invoke(timeoutSeconds=2)
    assert result.wait(3).status == "running"
    stage.provider.answers({"fraction": 0.9}, DONE)
    seen: list[Any] = []
    assert stage.runtime.wait(result.meta.invocation_id, follow=seen.append).output == DONE
    assert seen
    assert result.wait().output == DONE
    assert len(stage.provider.reached("start")) == 1


def test_a_queued_job_holds_no_worker(stage: JobStage) -> None:
    """A worker starts it and is free; each poll is work of its own. The end is an event, as of all
    that was queued.
    """
    identifier = stage.queue()
    assert [result.status for result in stage.work()] == ["running"]
    assert (stage.entry(identifier).status, stage.entry(identifier).owner) == ("running", None)
    assert stage.poll() == 0
    stage.provider.answers({}, DONE)
    assert [stage.poll(60), stage.poll(60), stage.poll(60)] == [1, 1, 0]
    entry = stage.entry(identifier)
    assert (entry.status, entry.attempts, len(stage.provider.reached("start"))) == (
        "succeeded",
        1,
        1,
    )
    finished = [event for event in stage.runtime.events() if event.type == "invocation.finished"]
    assert [(event.subject, event.data["status"]) for event in finished] == [
        (identifier, "succeeded")
    ]


def test_a_job_follows_its_connection_to_a_new_name(stage: JobStage) -> None:
    """Its polls go on over the connection that it was started over, whatever has the old name by
    now.
    """
    connections = stage.runtime.connections
    connections.add("door", "furnace/key", {"secret": "first-0815"})
    identifier = stage.queue("forge", connection="door")
    assert [result.status for result in stage.work()] == ["running"]
    connections.rename("door", "gate")
    connections.add("door", "furnace/key", {"secret": "other-4711"})
    stage.provider.answers({}, DONE)
    assert [stage.poll(60), stage.poll(60)] == [1, 1]
    assert stage.entry(identifier).status == "succeeded"
    assert (stage.provider.reached("keys"), len(stage.provider.reached("start"))) == (
        ["first-0815"] * 2,
        1,
    )


def test_a_start_that_finds_nothing_to_wait_for_returns_the_output(stage: JobStage) -> None:
    """It is the Result of the call, queued or not, and nothing is polled."""
    result = stage.invoke(inputs={"metal": "gold"})
    identifier = stage.queue(inputs={"metal": "gold"})
    assert [one.output for one in (result, *stage.work())] == [{"weight": 1}] * 2
    assert (stage.entry(identifier).status, stage.poll(60), stage.provider.reached("poll")) == (
        "succeeded",
        0,
        [],
    )


def test_progress_never_falls(stage: JobStage) -> None:
    """What callers are shown goes up only, from 0 to 1, whatever a provider says; texts are
    short.
    """
    identifier = stage.queue()
    stage.work()
    stage.provider.answers(
        *({"fraction": fraction, "text": "x" * 900} for fraction in (0.1, 0.5, 0.3, -4, 0.6, 9)),
        {"fraction": 0.2},
    )
    seen = [0.0]
    for _ in range(7):
        assert stage.poll(60) == 1
        progress = stage.entry(identifier).progress
        assert progress is not None
        seen.append(progress["fraction"])
        assert len(progress["text"]) <= 200
    assert seen == [0.0, 0.1, 0.5, 0.5, 0.5, 0.6, 1.0, 1.0]
    assert all(before <= after for before, after in pairwise(seen))


def test_the_provider_is_polled_as_often_as_the_job_is_old_or_as_its_author_says(
    stage: JobStage,
) -> None:
    """Without a word of the author a tenth of the job's age passes between two polls, from 1 s to
    60 s.
    """
    stage.queue()
    stage.work()
    assert [stage.poll(1.01), stage.poll(0.9), stage.poll(0.2)] == [1, 0, 1]
    assert [stage.poll(600), stage.poll(55), stage.poll(6)] == [1, 0, 1]
    stage.provider.answers({"retry_after": 300})
    assert [stage.poll(61), stage.poll(299), stage.poll(2)] == [1, 0, 1]


def test_a_poll_that_fails_ends_nothing(stage: JobStage) -> None:
    """The provider works on: outages, and bugs of a connector that a deploy mends, are polled
    over.
    """
    identifier = stage.queue()
    stage.work()
    stage.provider.answers({"unavailable": "down"}, {"no such": "progress"}, DONE)
    assert [stage.poll(60) for _ in range(3)] == [1, 1, 1]
    assert stage.entry(identifier).status == "succeeded"


def test_a_job_that_the_provider_ends_as_failed_has_failed(stage: JobStage) -> None:
    """Only ``JobFailed`` says so."""
    stage.provider.answers({"fraction": 0.1}, {"failed": "the furnace is cold"})
    result = stage.invoke()
    assert result.error is not None
    assert (result.status, result.error.code, result.error.message) == (
        "failed",
        "rejected",
        "the furnace is cold",
    )
    assert result.meta.attempts == 1


def test_an_output_that_breaks_its_schema_is_in_doubt(stage: JobStage) -> None:
    """The job has taken effect, so that it is no plain failure."""
    stage.provider.answers({"weight": -1})
    result = stage.invoke()
    assert result.error is not None
    assert (result.status, result.error.code) == ("in_doubt", "in_doubt")


@pytest.mark.parametrize(
    ("action", "status", "code"), [("melt", "in_doubt", "in_doubt"), ("look", "failed", "timeout")]
)
def test_a_job_whose_time_is_over_is_judged_by_its_effect(
    stage: JobStage, action: str, status: str, code: str
) -> None:
    """Nobody knows what became of a ``write``; its ``jobTimeoutSeconds`` counts from its start."""
    identifier = stage.queue(action, jobTimeoutSeconds=100)
    stage.work()
    assert stage.poll(99) == 1
    assert stage.entry(identifier).status == "running"
    assert stage.poll(2) == 1
    entry = stage.entry(identifier)
    assert (entry.status, entry.error_code) == (status, code)


@pytest.mark.above_sql
def test_a_job_is_cancelled_at_its_provider_within_5_seconds(stage: JobStage) -> None:
    """Whoever polls next tells the provider, once; the job ends when the provider says so."""
    result = stage.invoke(timeoutSeconds=300)
    identifier = result.meta.invocation_id
    assert stage.runtime.cancel(identifier) is True
    assert stage.entry(identifier).status == "running"
    stage.begin()
    stage.provider.answers({"fraction": 0.6}, {"failed": "aborted"})
    assert stage.poll(0.5) == 1
    assert stage.provider.reached("cancel") == ["melt-1"]
    assert stage.poll(5) == 1
    entry = stage.entry(identifier)
    assert (entry.status, entry.error_code, stage.provider.reached("cancel")) == (
        "failed",
        "cancelled",
        ["melt-1"],
    )
    assert stage.runtime.cancel(identifier) is False


def test_a_job_without_cancel_cannot_be_cancelled(stage: JobStage) -> None:
    """It says so, and goes on."""
    identifier = stage.invoke("look", timeoutSeconds=2).meta.invocation_id
    assert stage.runtime.cancel(identifier) is False
    assert stage.entry(identifier).cancel_requested_at is None


def test_a_request_to_cancel_that_comes_as_the_job_starts_is_kept(stage: JobStage) -> None:
    """The start is not interrupted; the first poll tells the provider. A job that cannot be
    cancelled fails as itself.
    """
    found = {}
    stage.while_starting(stage.runtime.cancel)
    for action in ("melt", "look"):
        identifier = stage.queue(action)
        stage.work()
        stage.provider.answers({"failed": "aborted"})
        assert stage.poll(5) == 1
        found[action] = stage.entry(identifier).error_code
    assert (found, stage.provider.reached("cancel")) == (
        {"melt": "cancelled", "look": "rejected"},
        ["melt-1"],
    )


def test_a_request_to_cancel_that_a_worker_overtakes_is_kept(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is queued as the request comes, and begun before its row is ended: the first poll
    tells the provider.
    """
    identifier, starts, goes_on, end_queued = stage.queue(), Event(), Event(), Journal.end_queued
    worker = Thread(target=stage.work)

    def starting(_identifier: str) -> None:
        starts.set()
        goes_on.wait(60)

    stage.while_starting(starting)

    def overtaken(journal: Journal, identifier: str, result: Result) -> bool:
        worker.start()
        assert starts.wait(60)
        return end_queued(journal, identifier, result)

    monkeypatch.setattr(Journal, "end_queued", overtaken)
    assert stage.runtime.cancel(identifier) is True
    goes_on.set()
    worker.join()
    stage.provider.answers({"failed": "aborted"})
    assert stage.poll(5) == 1
    assert (stage.entry(identifier).error_code, stage.provider.reached("cancel")) == (
        "cancelled",
        ["melt-1"],
    )


def test_the_same_key_starts_no_second_job(stage: JobStage) -> None:
    """While it runs, the key is in use; once it has ended, the key replays its Result."""
    first = stage.invoke(idempotencyKey="k", timeoutSeconds=3)
    again = stage.invoke(idempotencyKey="k", timeoutSeconds=3)
    assert again.error is not None
    assert (first.status, again.error.code) == ("running", "idempotency_conflict")
    stage.provider.answers(DONE)
    first.wait()
    replayed = stage.invoke(idempotencyKey="k")
    assert (replayed.output, replayed.meta.replayed, len(stage.provider.reached("start"))) == (
        DONE,
        True,
        1,
    )


def test_only_jobs_have_a_time_of_their_own(stage: JobStage) -> None:
    """``jobTimeoutSeconds`` of another action is a mistake."""
    result = stage.invoke("weigh", jobTimeoutSeconds=5)
    assert result.error is not None
    assert [detail.path for detail in result.error.details] == ["/jobTimeoutSeconds"]
    assert stage.invoke(jobTimeoutSeconds=0).error is not None


def test_a_job_of_a_suspended_workspace_waits(
    stage: JobStage, caplog: pytest.LogCaptureFixture
) -> None:
    """It is not polled and nothing has failed; once the workspace is resumed, the polls go on."""
    identifier = stage.invoke(timeoutSeconds=2).meta.invocation_id
    polls = len(stage.provider.reached("poll"))
    storage = stage.pools[-1].storage
    workspaces = Workspaces(storage.database, storage.vault, stage.clock)
    workspaces.set("default", {"suspended": True})
    stage.provider.answers(DONE)
    assert [stage.poll(60) for _ in range(3)] == [1, 1, 1]
    assert (
        len(stage.provider.reached("poll")),
        stage.entry(identifier).status,
        caplog.messages,
    ) == (polls, "running", [])
    workspaces.set("default", {"suspended": False})
    assert (stage.poll(60), stage.entry(identifier).status) == (1, "succeeded")


def test_a_tenant_is_purged_although_a_job_waits(stage: JobStage) -> None:
    """A job of days does not keep a deleted tenant: it is deleted, too, and the provider is not
    asked any more.
    """
    pool = stage.pools[-1]
    tenants = Tenants(
        pool.storage,
        Files(pool.storage, FileLimits(), stage.clock),
        stage.clock,
        "*",
        Actor("cli", "ada"),
    )
    tenants.put("acme", {})
    pool.find("acme").invoke(
        {"connector": "furnace", "action": "melt", "inputs": {}, "timeoutSeconds": 2}
    )
    polls = len(stage.provider.reached("poll"))
    assert tenants.suspend("acme")["kept"]["running"] == 0
    assert tenants.purge("acme")["deleted"]["invocations"] == 1
    assert (stage.poll(3600), len(stage.provider.reached("poll"))) == (0, polls)
