"""One clock judges keys, purges, ``notBefore``, ``notAfter`` and deaths: the database's. A clock
that is off spoils nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

import pytest

from fake_aws import FakeAws
from jackfield.kernel.clock import SystemClock, iso
from jackfield_store.database import Database, open_database
from jackfield_store.journal import Journal, Queue
from jackfield_store.journal.instance import LEASE, Instance
from jackfield_store.journal.recovery import Recovery
from jackfield_store.runtime import Jackfield
from nursery import connection, mail

HOUR, DAY = 3600.0, 86_400.0
WRONG = [25 * HOUR, 40 * DAY, -HOUR, -40 * DAY]


class Off(SystemClock):
    """Clock of a host that is off by some seconds, which the test may change. All hosts stand still
    at the same time otherwise.
    """

    began = time.monotonic(), time.time()

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def monotonic(self) -> float:
        """Return the time at which the test began."""
        return self.began[0]

    def time(self) -> float:
        """Return the time at which the test began, as this host believes."""
        return self.began[1] + self.seconds


class Process:
    """One of several processes on a database, with a clock of its own."""

    def __init__(self, aws: FakeAws, url: str, off: float) -> None:
        self.clock = Off(off)
        self.jackfield = Jackfield(
            connections=[connection(aws.url)], database_url=url, clock=self.clock
        )
        assert self.jackfield.journal is not None
        self.journal: Journal = self.jackfield.journal
        self.database: Database = self.jackfield.storage.database
        self.queue = Queue(self.database, self.clock)
        self.recovery = Recovery(self.database, self.jackfield.storage.vault, self.clock)
        Instance.of(self.database)._stop.set()  # it looks when the test says so

    def send(self, key: str) -> tuple[str, bool]:
        """Send one mail under a key; the status of its Result, and whether it was replayed."""
        result = self.jackfield.invoke(mail(key))
        return result.status, result.meta.replayed

    def enqueue(self, **members: Any) -> str:
        """Queue an invocation; its id."""
        found = self.jackfield.enqueue({**mail(str(members)), **members})
        assert isinstance(found, str)
        return found

    def status(self, identifier: str) -> str:
        """Status of an entry."""
        return self.journal.find(identifier).status


Start = Callable[[float], Process]


@pytest.fixture
def start(aws: FakeAws, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Start processes on one database, whose first one has a right clock."""
    open_database(database_url, migrate=True).close()
    monkeypatch.setattr(Off, "began", (time.monotonic(), time.time()))
    with ExitStack() as stack:

        def started(off: float) -> Process:
            process = Process(aws, database_url, off)
            stack.callback(process.jackfield.close)
            return process

        yield started


def soon(seconds: float) -> str:
    """A time from now, as an invocation has it."""
    text = iso(time.time() + seconds)
    assert text is not None
    return text


@pytest.mark.parametrize("off", WRONG)
def test_r5_a_key_is_not_freed_by_a_process_whose_clock_is_off(
    start: Start, aws: FakeAws, off: float
) -> None:
    """A keyed write that succeeded a moment ago is replayed by each process, however its clock is
    set, and sent once, whoever wrote it: one that is behind would free it for the others at once.
    """
    processes = {"right": start(0), "wrong": start(off)}
    for writer, reader in (("right", "wrong"), ("wrong", "right")):
        assert processes[writer].send(f"of-{writer}") == ("succeeded", False)
        assert processes[reader].send(f"of-{writer}") == ("succeeded", True)
        assert processes[reader].journal.purge() == 0
        assert processes["right"].send(f"of-{writer}") == ("succeeded", True)
    assert len(aws.messages) == 2


def test_r5_a_key_is_freed_after_its_day_when_the_clocks_agree(start: Start, aws: FakeAws) -> None:
    """What is a day old is sent again, and what is past its retention is deleted; a wrong clock
    does neither.
    """
    right, wrong = start(0), start(DAY)
    assert right.send("order-1") == ("succeeded", False)
    with right.database.write() as transaction:
        transaction.change(
            "UPDATE invocations SET settled_at = settled_at - :old, created_at = created_at - :old",
            {"old": 25 * HOUR},
        )
    assert wrong.send("order-1") == ("succeeded", True)
    assert right.send("order-1") == ("succeeded", False)
    with right.database.write() as transaction:
        transaction.change(
            "UPDATE invocations SET settled_at = settled_at - :old, created_at = created_at - :old",
            {"old": 40 * DAY},
        )
    assert wrong.journal.purge() == 0
    assert right.journal.purge() == 2
    assert len(aws.messages) == 2


def test_v5_a_key_is_kept_although_every_process_of_the_machine_has_the_same_wrong_time(
    start: Start, aws: FakeAws, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of one machine read one clock: that two of them agree on tomorrow does not make a
    day pass.
    """
    right = start(0)
    assert right.send("order-1") == ("succeeded", False)
    names = count()
    monkeypatch.setattr(
        "jackfield_store.database.shared_clock.socket.gethostname", lambda: f"process{next(names)}"
    )
    for _ in range(3):
        wrong = start(25 * HOUR)
        assert wrong.send("order-1") == ("succeeded", True)
        assert wrong.journal.purge() == 0
    assert len(aws.messages) == 1


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_r4_not_before_and_not_after_follow_the_database(start: Start, off: float) -> None:
    """A worker an hour ahead begins nothing early and ends nothing that is not late; one an hour
    behind begins what is due.
    """
    right, wrong = start(0), start(off)
    assert right.queue.claim(9) == []
    due = wrong.enqueue(notBefore=soon(-600))
    later = right.enqueue(notBefore=soon(600))
    open_ = right.enqueue(notAfter=soon(600))
    wrong.recovery.look()
    assert [wrong.queue.claim_one("default", later), wrong.status(open_)] == [None, "queued"]
    claimed = {item.id: item for item in wrong.queue.claim(9)}
    assert set(claimed) == {due, open_}
    for item in claimed.values():
        wrong.queue.give_back(item)
    assert {item.id for item in right.queue.claim(9)} == {due, open_}
    assert right.status(later) == "queued"


@pytest.mark.parametrize("off", [HOUR, -HOUR])
def test_r4_what_is_late_is_ended_by_who_has_the_right_time(start: Start, off: float) -> None:
    """An invocation past its ``notAfter`` is begun by no process, and ended by one whose clock
    agrees with the database's.
    """
    right, wrong = start(0), start(off)
    assert right.queue.claim(9) == []
    late = right.enqueue(notAfter=soon(-600))
    assert (wrong.queue.claim(9), wrong.queue.claim_one("default", late)) == ([], None)
    assert (wrong.recovery.look(), wrong.status(late)) == (0, "queued")
    assert (right.recovery.look(), right.status(late)) == (1, "failed")


def test_r4_what_became_late_while_the_machine_was_off_is_not_begun(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """After a boot SQLite's time stands where it stood until processes agree: nothing is begun too
    late meanwhile, and nothing ended.
    """
    before = start(0)
    late, next_ = before.enqueue(notAfter=soon(-HOUR)), before.enqueue(notAfter=soon(HOUR))
    with before.database.write() as transaction:
        transaction.change(
            "UPDATE clock SET boot = 'the one before', seconds = seconds - :off", {"off": 8 * HOUR}
        )
    booted = start(0)
    assert booted.queue.claim_one("default", late) is None
    assert [item.id for item in booted.queue.claim(9)] == [next_]
    assert caplog.records == []  # it is the morning, not a wrong clock
    assert booted.journal.time.warning is None


def test_r6_a_death_that_only_age_proves_needs_two_looks(start: Start) -> None:
    """After a jump of the database's clock a living process looks dead at one look: it is not, and
    its next renewal says so.
    """
    holder, other = start(0), start(0)
    Instance.of(holder.database).renew()
    owner = holder.journal.owner
    _renewed_ago(other, owner, HOUR)
    assert not other.recovery.has_lost(owner)
    _renewed_ago(other, owner, 0, doubted=LEASE + 1)
    Instance.of(holder.database).renew()
    _renewed_ago(other, owner, HOUR)
    assert not other.recovery.has_lost(owner)
    # at once: it is the second look, but no lease has passed
    assert not start(0).recovery.has_lost(owner)
    _renewed_ago(other, owner, 0, doubted=LEASE + 1)
    assert start(0).recovery.has_lost(owner)


@pytest.mark.parametrize("off", WRONG)
def test_r6_a_process_whose_clock_is_off_declares_no_death(start: Start, off: float) -> None:
    """Age by a clock that differs proves nothing; watching for the duration of a lease does."""
    holder, wrong = start(0), start(off)
    Instance.of(holder.database).renew()
    owner = holder.journal.owner
    _renewed_ago(holder, owner, 50 * DAY, doubted=49 * DAY)
    assert not wrong.recovery.has_lost(owner)
    assert holder.queue.claim(1) == []


def _renewed_ago(
    process: Process, owner: str, seconds: float, doubted: float | None = None
) -> None:
    """Put the renewal of another host's lease into the past, and when it was first doubted."""
    with process.database.write() as transaction:
        transaction.change(
            "UPDATE instances SET place = 'elsewhere', seen_at = seen_at - :seconds, doubted_at "
            "= doubted_at - :doubted WHERE id = :id",
            {"seconds": seconds, "doubted": doubted or 0.0, "id": owner},
        )


def test_r5_a_process_whose_clock_is_off_says_so_once(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says by how much and what does not happen, once; and again when the clock is
    right.
    """
    right, wrong = start(0), start(25 * HOUR)
    assert right.send("order-1") == ("succeeded", False)
    with caplog.at_level(logging.WARNING, "jackfield.database"):
        for _ in range(3):
            wrong.recovery.look()
        (record,) = caplog.records
        assert record.message.startswith(
            "the clock of this process is 25 hours ahead of the database's ("
        )
        assert wrong.journal.time.warning is not None
        wrong.clock.seconds = 0
        wrong.recovery.look()
        assert len(caplog.records) == 2
    assert [process.journal.time.warning for process in (right, wrong)] == [None, None]
