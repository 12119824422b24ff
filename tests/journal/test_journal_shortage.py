"""What a shortage of memory while an outcome is recorded, a clock that differs, a fork or a connector's bug must not do: send twice."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from fake_aws import FakeAws
from forking import alone, fork
from jackfield import Jackfield
from jackfield.database import open_database
from jackfield.errors import Unavailable
from jackfield.invocation import Result
from jackfield.journal import Journal, Queue
from jackfield.pipe import pipeline
from jackfield.queue import Panels, QueueWorkers
from nursery import connection, mail


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """The fake AWS."""
    with FakeAws() as fake:
        yield fake


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """The first two attempts to record an outcome that was begun fail for want of memory; the Results that it happened to."""
    happened: list[Result] = []
    whole = Journal.settling

    def settling(self: Journal, identifier: str, result: Result, log: Sequence[Any], *rest: Any, **more: Any) -> Any:
        if len(happened) < 2:
            happened.append(result)
            raise MemoryError
        return whole(self, identifier, result, log, *rest, **more)

    monkeypatch.setattr(Journal, "settling", settling)
    return happened


def test_f1_a_queued_write_that_cannot_be_recorded_is_sent_once(
    aws: FakeAws, database_url: str, short: list[Result], tmp_path: Path
) -> None:
    """A queued mail whose outcome cannot be recorded at once is not given back: it is sent once, and its entry says succeeded later."""
    (tmp_path / "connections.json").write_text(json.dumps({"connections": connection(aws.url)}), encoding="utf-8")
    environment = {
        **os.environ,
        "JACKFIELD_HOME": str(tmp_path),
        "JACKFIELD_DATABASE_URL": _upgraded(database_url),
        "JACKFIELD_CONNECTIONS": str(tmp_path / "connections.json"),
    }
    panels = Panels(environment)
    jackfield = panels.find("default")
    journal = jackfield.journal
    assert journal is not None
    identifier = jackfield.enqueue(mail("order-1"))
    assert isinstance(identifier, str)

    async def work() -> str:
        workers = QueueWorkers(panels, 1, lambda _result: None, lambda: False)
        workers.start()
        for _ in range(400):
            if not (await asyncio.to_thread(journal.find, identifier)).is_open:
                break
            await asyncio.to_thread(journal.settle_owed)
            await asyncio.sleep(0.05)
        await workers.stop(5.0)
        return (await asyncio.to_thread(journal.find, identifier)).status

    assert asyncio.run(work()) == "succeeded"
    panels.storage.close()
    assert short
    assert len(aws.messages) == 1


def test_f3_an_answered_write_that_cannot_be_recorded_is_answered(aws: FakeAws, database_url: str, short: list[Result]) -> None:
    """A caller gets the true Result though it cannot be recorded; the entry and the key follow."""
    with Jackfield(connections=[connection(aws.url)], database_url=_upgraded(database_url)) as jackfield:
        result = jackfield.invoke(mail("order-1"))
        assert result.status == "succeeded"
        journal = jackfield.journal
        assert journal is not None
        for _ in range(3):
            journal.settle_owed()
        assert journal.find(result.meta.invocation_id).status == "succeeded"
        assert jackfield.invoke(mail("order-1")).meta.replayed
    assert short
    assert len(aws.messages) == 1


@pytest.mark.parametrize("place", ["check_output", "masked_output"])
def test_f1_a_shortage_behind_the_answer_is_a_doubt(aws: FakeAws, database_url: str, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A write that was answered and whose output cannot be worked on is in doubt, keeps its key, and is not sent again."""

    def short(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(pipeline, place, short)
    with Jackfield(connections=[connection(aws.url)], database_url=_upgraded(database_url)) as jackfield:
        assert jackfield.invoke(mail("order-1")).status == "in_doubt"
        again = jackfield.invoke(mail("order-1"))
        assert (again.status, again.meta.replayed) == ("in_doubt", True)
    assert len(aws.messages) == 1


def test_f4_a_clock_that_differs_delays_nothing(aws: FakeAws, database_url: str) -> None:
    """What was queued by a server whose clock is ahead can be claimed at once."""
    ahead = FakeClock()
    ahead.advance(10_800)
    with Jackfield(connections=[connection(aws.url)], database_url=_upgraded(database_url), clock=ahead) as server:
        identifier = server.enqueue(mail("order-1"))
        assert [claimed.id for claimed in Queue(server.storage.database).claim(1)] == [identifier]


def test_f2_a_forked_child_shares_no_connection(aws: FakeAws) -> None:
    """Parent and child of a fork send over connections of their own, each gets its own answer, and nothing is sent twice."""
    found = alone(_sent_by_both, aws.url)
    assert len(set(found)) == 3
    assert set(found) == {message.message_id for message in aws.messages}


def _sent_by_both(aws_url: str) -> list[str]:
    plain = {name: value for name, value in mail("order-1").items() if name != "idempotencyKey"}
    with Jackfield(connections=[connection(aws_url)], database_url="none") as jackfield:
        first = jackfield.invoke(plain).unwrap()["MessageId"]
        child = fork(lambda: [len(jackfield.open_connections._stored), jackfield.invoke(plain).unwrap()["MessageId"]])
        own = jackfield.invoke(plain).unwrap()["MessageId"]
        kept, others = child.answer()
        assert (kept, len(jackfield.open_connections._stored)) == (0, 1)
    return [first, own, others]


def _upgraded(url: str) -> str:
    open_database(url, migrate=True).close()
    return url


def test_n8_a_fault_that_every_look_meets_is_logged_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """N8: workers on a database that is not up to date look on, and say so once a minute, not with every look."""
    monkeypatch.setattr("jackfield.queue.workers._POLL", 0.001)
    looks, enough = 0, threading.Event()

    class Storage:
        """A database whose tables are missing."""

        enabled = True

        @property
        def database(self) -> None:
            """Refuse, as the real one."""
            nonlocal looks
            looks += 1
            if looks == 20:
                enough.set()
            raise Unavailable("the database is not up to date" if looks % 5 else "the database cannot be reached")

    class Runtimes:
        """As much of the runtimes as the first look needs."""

        storage, clock = Storage(), FakeClock()

    async def work() -> None:
        workers = QueueWorkers(Runtimes(), 1)  # type: ignore[arg-type]  # as above
        workers.start()
        await asyncio.to_thread(enough.wait, 20.0)
        await workers.stop(1.0)

    asyncio.run(work())
    told = [record.getMessage() for record in caplog.records if record.name == "jackfield.queue"]
    assert told == [f"the queue cannot be read: the database {fault}" for fault in ("is not up to date", "cannot be reached")]
