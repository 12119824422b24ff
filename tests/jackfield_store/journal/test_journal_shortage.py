"""What a shortage of memory while an outcome is recorded, a clock that differs, a fork or a
connector's bug must not do: send twice.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from clocks import FakeClock
from fake_aws import FakeAws
from forking import alone, fork
from jackfield.call import settle
from jackfield.invocation import Invocation, Meta, Result
from jackfield.invocation.claimed import Claimed
from jackfield.invocation.entry import Draft, Entry
from jackfield.kernel.errors import InvalidOutput, Unavailable
from jackfield_store.database import Database, StatementInvalid, Transaction, open_database
from jackfield_store.journal import Journal, Queue
from jackfield_store.journal.instance import Instance
from jackfield_store.queue import LocalEngine, local
from jackfield_store.queue.upkeep import QueueUpkeep
from jackfield_store.recording.drafting import draft_of
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.runtime_pool import RuntimePool
from nursery import connection, mail
from smtp_rig import rig


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """The first two attempts to record an outcome that was begun fail for want of memory; the
    Results that it happened to.
    """
    happened: list[Result] = []
    whole = Journal.finishing

    def finishing(
        self: Journal,
        draft: Draft | Entry,
        result: Result,
        log: Sequence[Any],
        *rest: Any,
        **more: Any,
    ) -> Any:
        if len(happened) < 2:
            happened.append(result)
            raise MemoryError
        return whole(self, draft, result, log, *rest, **more)

    monkeypatch.setattr(Journal, "finishing", finishing)
    return happened


def test_f1_a_queued_write_that_cannot_be_recorded_is_sent_once(
    aws: FakeAws, database_url: str, short: list[Result], tmp_path: Path
) -> None:
    """A queued mail whose outcome cannot be recorded at once is not given back: it is sent once,
    and its entry says succeeded later.
    """
    (tmp_path / "connections.json").write_text(
        json.dumps({"connections": connection(aws.url)}), encoding="utf-8"
    )
    environment = {
        **os.environ,
        "JACKFIELD_HOME": str(tmp_path),
        "JACKFIELD_DATABASE_URL": _upgraded(database_url),
        "JACKFIELD_CONNECTIONS": str(tmp_path / "connections.json"),
    }
    runtimes = RuntimePool(environment)
    jackfield = runtimes.find("default")
    journal = jackfield.journal
    assert journal is not None
    identifier = jackfield.enqueue(mail("order-1"))
    assert isinstance(identifier, str)

    async def work() -> str:
        workers = LocalEngine(runtimes, 1, lambda _result: None, lambda: False)
        workers.start()
        for _ in range(400):
            if not (await asyncio.to_thread(journal.find, identifier)).is_open:
                break
            await asyncio.to_thread(journal.record_owed)
            await asyncio.sleep(0.05)
        await workers.stop(5.0)
        return (await asyncio.to_thread(journal.find, identifier)).status

    assert asyncio.run(work()) == "succeeded"
    runtimes.storage.close()
    assert short
    assert len(aws.messages) == 1


def test_f3_an_answered_write_that_cannot_be_recorded_is_answered(
    aws: FakeAws, database_url: str, short: list[Result]
) -> None:
    """A caller gets the true Result though it cannot be recorded; the entry and the key follow."""
    with Jackfield(
        connections=[connection(aws.url)], database_url=_upgraded(database_url)
    ) as jackfield:
        result = jackfield.invoke(mail("order-1"))
        assert result.status == "succeeded"
        journal = jackfield.journal
        assert journal is not None
        for _ in range(3):
            journal.record_owed()
        assert journal.find(result.meta.invocation_id).status == "succeeded"
        assert jackfield.invoke(mail("order-1")).meta.replayed
    assert short
    assert len(aws.messages) == 1


@pytest.mark.parametrize("place", ["check_output", "_masked_output"])
def test_f1_a_shortage_behind_the_answer_is_a_doubt(
    aws: FakeAws, database_url: str, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A write that was answered and whose output cannot be worked on is in doubt, keeps its key,
    and is not sent again.
    """

    def short(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(settle, place, short)
    with Jackfield(
        connections=[connection(aws.url)], database_url=_upgraded(database_url)
    ) as jackfield:
        assert jackfield.invoke(mail("order-1")).status == "in_doubt"
        again = jackfield.invoke(mail("order-1"))
        assert (again.status, again.meta.replayed) == ("in_doubt", True)
    assert len(aws.messages) == 1


def test_f4_a_clock_that_differs_delays_nothing(aws: FakeAws, database_url: str) -> None:
    """What was queued by a server whose clock is ahead can be claimed at once."""
    ahead = FakeClock()
    ahead.advance(10_800)
    with Jackfield(
        connections=[connection(aws.url)], database_url=_upgraded(database_url), clock=ahead
    ) as server:
        identifier = server.enqueue(mail("order-1"))
        assert [claimed.id for claimed in Queue(server.storage.database).claim(1)] == [identifier]


def test_f2_a_forked_child_shares_no_connection(aws: FakeAws) -> None:
    """Parent and child of a fork send over connections of their own, each gets its own answer, and
    nothing is sent twice.
    """
    found = alone(_sent_by_both, aws.url)
    assert len(set(found)) == 3
    assert set(found) == {message.message_id for message in aws.messages}


def _sent_by_both(aws_url: str) -> list[str]:
    plain = {name: value for name, value in mail("order-1").items() if name != "idempotencyKey"}
    with Jackfield(connections=[connection(aws_url)], database_url="none") as jackfield:
        first = jackfield.invoke(plain).unwrap()["MessageId"]
        child = fork(
            lambda: [
                len(jackfield.open_connections._stored),
                jackfield.invoke(plain).unwrap()["MessageId"],
            ]
        )
        own = jackfield.invoke(plain).unwrap()["MessageId"]
        kept, others = child.answer()
        assert (kept, len(jackfield.open_connections._stored)) == (0, 1)
    return [first, own, others]


def test_renewing_goes_on_where_memory_is_short(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renewal without memory is one renewal less: it does not end the thread, without which all
    leases would expire.
    """
    with open_database(_upgraded(database_url)) as database:
        instance, whole = Instance.of(database), Database.record
        shortages: list[BaseException] = [
            MemoryError(),
            RuntimeError("can't start new thread"),
            OSError(errno.EMFILE, "too many"),
        ]

        def record(self: Database, unit: Any, *, ahead: bool = False) -> Any:
            if shortages:
                raise shortages.pop()
            return whole(self, unit, ahead=ahead)

        monkeypatch.setattr(Database, "record", record)
        for _ in range(3):
            instance.renew()
            assert instance.steady_since is None
        instance.renew()
        assert instance.steady_since is not None


def test_no_owed_outcome_is_lost_to_an_error(database_url: str) -> None:
    """An outcome that cannot be recorded is kept, whatever the error, and keeps neither the others
    nor its finder from going on.
    """
    with open_database(_upgraded(database_url)) as database:
        instance, recorded, faults = (
            Instance.of(database),
            list[str](),
            [ValueError("odd"), StatementInvalid("odd"), MemoryError()],
        )

        def first(_transaction: Transaction) -> None:
            if faults:
                raise faults.pop()
            recorded.append("first")

        instance.owe(first)
        instance.owe(lambda _transaction: recorded.append("second"))
        for _ in range(4):
            instance.record_owed()
        assert recorded == ["second", "first"]
        assert not instance.owes


def test_an_outcome_that_cannot_even_be_kept_at_once_leaves_no_run_open(
    aws: FakeAws, database_url: str, short: list[Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where memory is too short to remember that an outcome is owed, that is tried again: the entry
    does not stay open.
    """
    fails, whole = [MemoryError(), MemoryError()], Journal.owe

    def owe(self: Journal, unit: Any) -> None:
        if fails:
            raise fails.pop()
        whole(self, unit)

    monkeypatch.setattr(Journal, "owe", owe)
    with Jackfield(
        connections=[connection(aws.url)], database_url=_upgraded(database_url)
    ) as jackfield:
        assert jackfield.invoke(mail("order-1")).status == "succeeded"
        journal = jackfield.journal
        assert journal is not None
        for _ in range(3):
            journal.record_owed()
        held = journal.held("order-1")
        assert held is not None
        assert held.status == "succeeded"
    assert short
    assert not fails


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        (False, "could not be started and returns to the queue"),
        (True, "was started, but its worker could not continue"),
    ],
)
def test_a_worker_says_what_was_begun(
    aws: FakeAws,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    begun: bool,
    said: str,
) -> None:
    """A worker without memory gives back what was not begun, says so, and says so of nothing else;
    no run is left open.
    """
    url = f"sqlite:///{tmp_path / 'a.db'}"
    environment = {"JACKFIELD_HOME": str(tmp_path)}
    runtimes = RuntimePool(environment, url=url)
    journal = runtimes.find("default").journal
    assert journal is not None
    with Jackfield(
        connections=[connection(aws.url)], database_url=url, environment=environment
    ) as caller:
        identifier = caller.enqueue(mail("order-1"))
    assert isinstance(identifier, str)
    (claimed,) = Queue(runtimes.storage.database).claim(1)

    async def arun(_self: Jackfield, claimed: Claimed) -> Result:
        if begun:
            draft = draft_of(
                Invocation.from_json(mail("order-1")), Meta(claimed.id), "", None, time.time()
            )
            draft.effect, draft.delivery = "write", claimed.delivery
            assert journal.database.record(journal.beginning(draft)) == 1
        raise MemoryError

    monkeypatch.setattr(Jackfield, "arun", arun)
    monkeypatch.setattr(local, "EVERY", 0.0)
    asyncio.run(
        LocalEngine(runtimes, 1)._run(
            claimed, QueueUpkeep(runtimes, Queue(runtimes.storage.database))
        )
    )
    entry = journal.find(identifier)
    assert (entry.status, entry.owner is None) == (
        ("in_doubt", False) if begun else ("queued", True)
    )
    assert [
        said in record.getMessage() for record in caplog.records if record.name == "jackfield.queue"
    ] == [True]
    runtimes.close()


def test_a_key_stays_held_where_the_output_of_a_write_is_invalid(
    aws: FakeAws, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that was carried out and whose output is invalid is in doubt, and its key replays
    that instead of sending again.
    """
    broken = InvalidOutput("the output does not fit its schema")
    monkeypatch.setattr(settle, "check_output", mock.Mock(side_effect=broken))
    with Jackfield(
        connections=[connection(aws.url)], database_url=_upgraded(database_url)
    ) as jackfield:
        first, again = jackfield.invoke(mail("order-1")), jackfield.invoke(mail("order-1"))
    assert [
        (found.status, found.error and found.error.code, found.meta.replayed)
        for found in (first, again)
    ] == [
        ("in_doubt", "in_doubt", False),
        ("in_doubt", "in_doubt", True),
    ]
    assert len(aws.messages) == 1


@pytest.mark.parametrize(
    "place",
    ["jackfield_aws_ses.smtp.client.enveloped", "jackfield_aws_ses.smtp.session.Session.sign_in"],
)
def test_a_shortage_before_the_final_dot_is_not_a_doubt(place: str) -> None:
    """A message for which no memory was left while its connection was made was not sent, and is
    sent by the next invocation.
    """
    with rig() as stand:
        with mock.patch(place, side_effect=MemoryError):
            result = stand.send({"timeoutSeconds": 1})
        assert (result.status, result.error.code if result.error else None) == (
            "failed",
            "unavailable",
        )
        assert stand.send().status == "succeeded"
        assert len(stand.server.received) == 1


_SIGNING = "botocore.auth.SigV4Auth.add_auth"
_DIRECT, _RESOLVING = (
    "jackfield_aws.direct.signing.Signer.sign",
    "jackfield.wire.guard.Guard.resolve",
)


@pytest.mark.parametrize(
    ("place", "error"),
    [
        (_DIRECT, MemoryError()),
        (_DIRECT, OSError(errno.EMFILE, "Too many open files")),
        (_RESOLVING, MemoryError()),
        (_RESOLVING, OSError(errno.EMFILE, "Too many open files")),
        (_SIGNING, MemoryError()),
        (_SIGNING, OSError(errno.EMFILE, "Too many open files")),
        ("jackfield.wire.addresses._resolved", MemoryError()),
    ],
)
def test_a_shortage_before_the_first_byte_is_not_a_doubt(
    aws: FakeAws, place: str, error: Exception, monkeypatch: pytest.MonkeyPatch, clock: FakeClock
) -> None:
    """A write that found no memory or descriptor before it was sent has failed, can be sent
    again, and holds no key.
    """
    monkeypatch.setenv("JACKFIELD_AWS_DIRECT", str(int(place in (_DIRECT, _RESOLVING))))
    plain = {**mail("order-1"), "timeoutSeconds": 30}
    del plain["idempotencyKey"]
    with Jackfield(
        connections=[connection(aws.url)], database_url="none", clock=clock
    ) as jackfield:
        with mock.patch(place, side_effect=error):
            result = jackfield.invoke(plain)
        assert (result.status, result.error.code if result.error else None) == (
            "failed",
            "unavailable",
        )
        assert aws.messages == []
        assert jackfield.invoke(plain).status == "succeeded"


def _upgraded(url: str) -> str:
    open_database(url, migrate=True).close()
    return url


def test_n8_a_fault_that_every_look_meets_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """N8: workers on a database that is not up to date look on, and say so once a minute, not with
    every look.
    """
    monkeypatch.setattr("jackfield_store.queue.local._POLL", 0.001)
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
            raise Unavailable(
                "the database is not up to date" if looks % 5 else "the database cannot be reached"
            )

    class Runtimes:
        """As much of the runtimes as the first look needs."""

        storage, clock = Storage(), FakeClock()

    async def work() -> None:
        workers = LocalEngine(Runtimes(), 1)  # type: ignore[arg-type]  # as above
        workers.start()
        await asyncio.to_thread(enough.wait, 20.0)
        await workers.stop(1.0)

    asyncio.run(work())
    told = [record.getMessage() for record in caplog.records if record.name == "jackfield.queue"]
    assert told == [
        f"the queue cannot be read: the database {fault}"
        for fault in ("is not up to date", "cannot be reached")
    ]
