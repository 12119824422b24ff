"""A provider's job that takes longer than any deadline: a queued invocation that has its handle
waits for it without a worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from http_rig import TOKEN, Acme
from inmemory import installed
from jackfield.connector import Connector, Field, Inputs, Output, Progress
from jackfield.invocation.entry import Entry
from jackfield.testing import Answer, Provider, Request
from jackfield_http import HttpClient, Job
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield

JOB = Job("/state", done=("done",), failed=("failed",), percent="/percent")
MINUTE = 60.0


class Wanted(Inputs):
    """Report to make."""

    job: str | None = Field(None, description="The job to wait for, if one was started before.")


class Report(Output):
    """The report."""

    job: str
    rows: int


class Handle(Output):
    """By which the provider knows the job."""

    job: str


def make_connector() -> Connector:
    """A connector that starts a job, or is given one, and waits for it."""
    connector = Connector("acme", title="Acme", version="1.0.0", connections=[Acme])

    @connector.action("report", effect="write")
    def report(wanted: Wanted, api: HttpClient) -> Report:
        """Make a report."""
        job = wanted.job or api.post("/jobs").json("/id")
        return Report(job=job, rows=JOB.wait(api, "/jobs/{id}", {"id": job}).json("/rows"))

    @connector.action("reportInSteps", kind="job", effect="write")
    class InSteps:
        """Make a report as a job."""

        def start(self, _wanted: Wanted, api: HttpClient) -> Handle:
            return Handle(job=api.post("/jobs").json("/id"))

        def poll(self, handle: Handle, api: HttpClient) -> Progress | Report:
            found = JOB.poll(api, "/jobs/{id}", {"id": handle.job})
            return (
                found
                if isinstance(found, Progress)
                else Report(job=handle.job, rows=found.json("/rows"))
            )

    return connector


class Office:
    """A provider whose job is busy until it is ``done``; it wants to be asked each ten minutes."""

    def __init__(self) -> None:
        self.done = False
        self.started = 0

    def __call__(self, _number: int, request: Request) -> Answer:
        """Start a job, or tell its state."""
        if request.method == "POST":
            self.started += 1
            return Answer({"id": "j-4711", "state": "new"}, 202)
        state = {"state": "done", "rows": 7} if self.done else {"state": "busy", "percent": 40}
        return Answer(state, headers={} if self.done else {"Retry-After": str(int(10 * MINUTE))})


@pytest.fixture
def office() -> Office:
    """The provider's script."""
    return Office()


@pytest.fixture
def runtime(tmp_path: Path, office: Office, clock: FakeClock) -> Iterator[Jackfield]:
    """A runtime with a journal and a connection to it."""
    with Provider(office) as server, installed(tmp_path, make_connector()) as catalog:
        connections = [
            {
                "connections": {
                    "main": {
                        "type": "acme/acmeToken",
                        "values": {"server": server.url, "token": TOKEN},
                    }
                }
            }
        ]
        home = {"JACKFIELD_HOME": str(tmp_path)}
        url = f"sqlite:///{tmp_path}/j.db"
        with Jackfield(
            connections=connections,
            catalog=catalog,
            database_url=url,
            clock=clock,
            environment=home,
        ) as found:
            yield found


def queued(runtime: Jackfield, **inputs: Any) -> str:
    """Queue an invocation; its id."""
    return str(
        runtime.enqueue(
            {"connector": "acme", "action": "report", "connection": "main", "inputs": inputs}
        )
    )


def work(runtime: Jackfield) -> int:
    """Let a worker take what is due; how many it has run."""
    found = Queue(runtime.storage.database, runtime.clock).claim(5)
    for claimed in found:
        asyncio.run(runtime.arun(claimed))
    return len(found)


def entry_of(runtime: Jackfield, identifier: str) -> Entry:
    """The journal's entry."""
    assert runtime.journal is not None
    return runtime.journal.find(identifier)


def test_a_job_is_started_once_and_waited_for_by_its_handle(
    runtime: Jackfield, office: Office, clock: FakeClock
) -> None:
    """The invocation that started the job is in doubt and names it; another one waits in the queue
    for hours, and starts none.
    """
    first = queued(runtime)
    assert work(runtime) == 1
    entry = entry_of(runtime, first)
    assert entry.status == "in_doubt"
    assert "j-4711" in str(entry.result)
    second = queued(runtime, job="j-4711")
    for _ in range(3):
        assert work(runtime) == 1
        entry = entry_of(runtime, second)
        assert entry.status == "queued"
        assert entry.available_at == pytest.approx(clock.time() + 10 * MINUTE, abs=MINUTE)
        assert work(runtime) == 0
        clock.advance(11 * MINUTE)
    office.done = True
    assert work(runtime) == 1
    entry = entry_of(runtime, second)
    assert entry.result is not None
    assert (entry.status, entry.result["output"], office.started) == (
        "succeeded",
        {"job": "j-4711", "rows": 7},
        1,
    )


def test_a_job_that_never_ends(runtime: Jackfield, clock: FakeClock) -> None:
    """After a day, the job's own limit, the invocation is a timeout, and not queued again."""
    identifier = queued(runtime, job="j-4711")
    clock.advance(23.9 * 60 * MINUTE)
    assert work(runtime) == 1
    entry = entry_of(runtime, identifier)
    assert (entry.status, entry.error_code) == ("failed", "timeout")


def test_a_job_in_steps_is_polled_when_the_provider_wants_it(
    runtime: Jackfield, office: Office, clock: FakeClock
) -> None:
    """Its state is the progress; ``Retry-After`` says when the next poll is due; it is started
    once.
    """
    started = runtime.invoke(
        {
            "connector": "acme",
            "action": "reportInSteps",
            "connection": "main",
            "inputs": {},
            "timeoutSeconds": 5,
        }
    )
    assert (started.status, started.progress) == ("running", {"fraction": 0.4, "text": "busy"})
    office.done = True
    assert started.wait(9 * MINUTE).status == "running"
    clock.advance(MINUTE)
    assert started.wait().output == {"job": "j-4711", "rows": 7}
    assert office.started == 1
