"""Statistics: the sums that the database keeps are those of a full count, whatever happens to the
entries, and to the processes.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from clocks import FakeClock, time_passes
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import Transaction, open_database
from jackfield_store.journal import Journal, Queue
from jackfield_store.journal.counts import LIMITS, estimated, open_now, parts
from jackfield_store.journal.upkeep import JournalUpkeep
from jackfield_store.runtime import Jackfield

DAY = 86_400.0
_COUNT = """
SELECT connector, action, status, COUNT(*) AS invocations, SUM(attempts) AS attempts, AVG(settled_at - created_at) AS mean,
    MAX(settled_at - created_at) AS longest
FROM invocations WHERE workspace = :workspace GROUP BY connector, action, status ORDER BY connector, action, status
"""


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test sets."""
    return FakeClock()


@pytest.fixture
def jackfield(database_url: str, clock: FakeClock) -> Iterator[Jackfield]:
    """A runtime on a database of each kind."""
    open_database(database_url, migrate=True).close()
    with Jackfield(connections=[], database_url=database_url, clock=clock) as opened:
        yield opened


def journal_of(jackfield: Jackfield) -> Journal:
    """The journal of the default workspace."""
    assert jackfield.journal is not None
    return jackfield.journal


def draft(clock: FakeClock, chance: random.Random) -> Draft:
    """An invocation of one of a few actions."""
    now = clock.time()
    return Draft(
        new_invocation_id(),
        chance.choice(("echo", "smtp")),
        "1.0.0",
        chance.choice(("say", "put")),
        "write",
        chance.choice((None, "hall")),
        "token-1",
        now,
        now + 60,
    )


def ended(identifier: str, chance: random.Random) -> Result:
    """A result of any status."""
    meta = Meta(identifier, connector="echo", action="say", attempts=chance.randrange(3))
    if chance.random() < 0.6:
        return Result("succeeded", meta, output={})
    return Result(chance.choice(("failed", "in_doubt")), meta, error=Unavailable("away"))


class Life:
    """Random changes of a journal: begins, ends, refusals, queueing, recovery, corrections,
    resolutions.
    """

    def __init__(self, jackfield: Jackfield, clock: FakeClock, seed: int) -> None:
        self.journal, self.database, self.clock = (
            journal_of(jackfield),
            jackfield.storage.database,
            clock,
        )
        self.chance = random.Random(seed)
        self.running: list[Draft] = []
        self.queued: list[Draft] = []
        self.doubts: list[str] = []

    def live(self, steps: int) -> None:
        """Make so many changes; the clock goes on by seconds or hours."""
        for _ in range(steps):
            time_passes(self.chance.choice((0.05, 3.0, 70.0, 4000.0)), self.clock, self.database)
            self.chance.choice(
                (
                    self.start,
                    self.start,
                    self.finish,
                    self.finish,
                    self.refuse,
                    self.enqueue,
                    self.begin,
                    self.cancel,
                    self.lose,
                    self.resolve,
                    self.enqueue_many,
                )
            )()

    def start(self) -> None:
        """Begin an invocation."""
        self.running.append(draft(self.clock, self.chance))
        self.database.record(self.journal.starting(self.running[-1]))

    def finish(self) -> None:
        """End one."""
        if self.running:
            one = self.running.pop(self.chance.randrange(len(self.running)))
            result = ended(one.id, self.chance)
            self.database.record(self.journal.finishing(one, result, []))
            self.doubts += [one.id] * (result.status == "in_doubt")

    def refuse(self) -> None:
        """Record one that ends before it begins, twice."""
        one = draft(self.clock, self.chance)
        unit = self.journal.recording(one, ended(one.id, self.chance), [])
        self.database.record(unit)
        self.database.record(unit)

    def enqueue(self) -> None:
        """Queue one."""
        self.queued.append(draft(self.clock, self.chance))
        self.queued[-1].inputs = b"sealed"
        self.database.record(self.journal.queueing(self.queued[-1]))

    def enqueue_many(self) -> None:
        """Queue a few with one statement, one of them twice."""
        drafts = [draft(self.clock, self.chance) for _ in range(4)]
        for one in drafts:
            one.inputs = b"sealed"
        assert len(self.journal.queue_many([*drafts, drafts[0]])) == 4
        self.queued += drafts

    def begin(self) -> None:
        """Begin one from the queue; give it back, or end it."""
        for claimed in Queue(self.database, self.clock).claim(1):
            (one,) = (each for each in self.queued if each.id == claimed.id)
            self.queued.remove(one)
            one.delivery = claimed.delivery
            self.database.record(self.journal.beginning(one))
            if self.chance.random() < 0.5:
                self.database.record(self.journal.giving_back(claimed))
                self.queued.append(one)
            else:
                self.database.record(
                    self.journal.finishing(
                        one, ended(one.id, self.chance), [], delivery=one.delivery
                    )
                )

    def cancel(self) -> None:
        """End one that is queued."""
        if self.queued:
            one = self.queued.pop(0)
            self.journal.end_queued(
                one.id, Result("failed", Meta(one.id), error=Unavailable("away"))
            )

    def lose(self) -> None:
        """Recover an entry as lost; its own process may correct it later."""
        if self.running:
            one = self.running.pop()
            self.journal.recovery.recover("default", self.journal.find(one.id))
            if self.chance.random() < 0.7:
                self.database.record(self.journal.finishing(one, ended(one.id, self.chance), []))

    def resolve(self) -> None:
        """Resolve a doubt."""
        if self.doubts:
            self.journal.resolve(
                self.doubts.pop(), self.chance.choice(("succeeded", "failed")), "ada"
            )


def counted(journal: Journal) -> list[tuple[Any, ...]]:
    """Count every entry."""
    with journal.database.read() as transaction:
        rows = transaction.execute(_COUNT, {"workspace": "default"})
    return [
        (
            row.connector,
            row.action,
            row.status,
            row.invocations,
            row.attempts,
            pytest.approx(row.mean) if row.mean is not None else None,
        )
        for row in rows
    ]


def known(journal: Journal) -> list[tuple[Any, ...]]:
    """The statistics."""
    return [tuple(row.values())[:6] for row in journal.stats()]


@pytest.mark.parametrize("seed", [1, 2])
def test_sums_are_those_of_a_full_count(jackfield: Jackfield, clock: FakeClock, seed: int) -> None:
    """After any changes, before and after sums are merged into hours and days, and when the entries
    are purged.
    """
    journal, database = journal_of(jackfield), jackfield.storage.database
    life = Life(jackfield, clock, seed)
    for _ in range(3):
        life.live(50)
        expected = counted(journal)
        assert known(journal) == expected
        assert sum(
            part.invocations for part in parts(database, "default", 0.0, 3600) if part.bucket < 0
        ) == sum(row[3] for row in expected)
        now = Counter({row[2]: 0 for row in expected})
        for row in expected:
            now[row[2]] += row[3]
        assert open_now(database, "default") == {
            **{status: now[status] for status in ("queued", "running", "in_doubt")},
            "dead": 0,
        }
        assert sum(Queue(database).depth().values()) == now["queued"]
        upkeep = JournalUpkeep(database, clock)
        time_passes(DAY, clock, database)
        while upkeep.merge("default"):
            assert known(journal) == expected
        assert known(journal) == expected
    time_passes(40 * DAY, clock, database)
    assert journal.purge() > 0
    while JournalUpkeep(database, clock).merge("default"):
        pass
    assert known(journal) == expected
    with database.read() as transaction:
        assert {
            row.width for row in transaction.execute("SELECT DISTINCT width FROM invocation_counts")
        } == {0, 86_400}
        assert (
            transaction.execute(
                "SELECT COUNT(*) AS shards FROM invocation_counts WHERE shard <> 0"
            )[0].shards
            == 0
        )


_WRITER = """
import sys, time
from jackfield import Jackfield
from jackfield.invocation import Meta, Result, new_invocation_id
from jackfield.invocation.entry import Draft
from jackfield_store.journal.upkeep import JournalUpkeep

with Jackfield(connections=[], database_url=sys.argv[1]) as jackfield:
    journal, number = jackfield.journal, 0
    while True:
        now, number = time.time(), number + 1
        draft = Draft(new_invocation_id(), f"c{number % 5}", "1.0.0", "say", "write", None, None, now - number % 4 * 4000, now + 60)
        journal.database.record(journal.starting(draft))
        journal.database.record(journal.finishing(draft, Result("succeeded", Meta(draft.id), output={}), []))
        if number % 10 == 0:
            JournalUpkeep(journal.database, jackfield.clock).merge("default")
        print(number, flush=True)
"""


@pytest.mark.usefixtures("warm_python")
def test_no_kill_separates_an_entry_from_its_count(database_url: str, clock: FakeClock) -> None:
    """Processes that write and merge at the same time are killed in the middle; the sums are still
    those of a full count.
    """
    open_database(database_url, migrate=True).close()
    with Jackfield(connections=[], database_url=database_url) as opened:  # makes the master key
        journal_of(opened).fingerprint({})
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, database_url],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ,
        )
        for _ in range(3)
    ]
    for place, writer in enumerate(writers):
        assert writer.stdout is not None
        for _ in range(25 + 10 * place):
            assert writer.stdout.readline()
        os.kill(writer.pid, signal.SIGKILL)
    for writer in writers:
        writer.communicate()
    with Jackfield(connections=[], database_url=database_url, clock=clock) as jackfield:
        journal = journal_of(jackfield)
        assert known(journal) == counted(journal)
        assert sum(row[3] for row in known(journal)) >= 100


def test_writers_and_upkeep_do_not_deadlock(postgres_url: str) -> None:
    """On PostgreSQL, connections that change the same new kinds in any order, and others that
    merge, wait for nothing but row locks.
    """
    with open_database(postgres_url, migrate=True) as database:
        clock, faults = FakeClock(), list[BaseException]()

        def work(unit: Callable[[Transaction, random.Random], object], seed: int) -> None:
            chance = random.Random(seed)
            try:
                for _ in range(30):
                    with database.write() as transaction:
                        unit(transaction, chance)
            except BaseException as fault:  # noqa: BLE001 (reported below)
                faults.append(fault)

        def insert(transaction: Transaction, chance: random.Random) -> None:
            for _ in range(10):
                transaction.change(
                    "INSERT INTO invocations (workspace, id, status, connector, action, "
                    "created_at) "
                    "VALUES ('default', :id, 'queued', :c, 'a', :at)",
                    {
                        "id": new_invocation_id(),
                        "c": f"c{chance.randrange(9)}",
                        "at": clock.time() - chance.randrange(9) * 4000,
                    },
                )

        def merge(transaction: Transaction, _chance: random.Random) -> None:
            due = {
                "workspace": "default",
                "width": 60,
                "before": int(clock.time()) - 7200,
                "shard": 0,
                "limit": 50,
            }
            JournalUpkeep(database, clock)._merged(transaction, due, 3600)

        threads = [
            threading.Thread(target=work, args=(unit, seed))
            for seed, unit in enumerate([insert] * 5 + [merge] * 2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert faults == []
        assert Queue(database).depth() == {"default": 1500}


def test_entries_that_one_statement_inserts_are_counted_at_once(postgres_url: str) -> None:
    """On PostgreSQL, each row of sums changes once for each statement: a version for each entry
    would slow down the next ones.
    """
    with open_database(postgres_url, migrate=True) as database, database.write() as transaction:
        transaction.change(
            "INSERT INTO invocations (workspace, id, status, connector, action, created_at) "
            "SELECT 'default', 'i' || n, 'queued', 'c', 'a', 7e8 FROM generate_series(1, 1000) n"
        )
        (changed,) = transaction.execute(
            "SELECT n_tup_ins + n_tup_upd AS changes FROM pg_stat_xact_user_tables WHERE relname "
            "= 'invocation_counts'"
        )
        (counted,) = transaction.execute(
            "SELECT SUM(invocations) AS found FROM invocation_counts WHERE width = 60"
        )
    assert (changed.changes, counted.found) == (2, 1000)


def test_limits_of_the_histograms_are_those_of_the_database(database_url: str) -> None:
    """The runtime reads buckets as the triggers write them."""
    with open_database(database_url) as database, database.read() as transaction:
        rows = transaction.execute(
            "SELECT bucket, upper_limit FROM duration_limits ORDER BY bucket"
        )
    assert [(row.bucket, row.upper_limit) for row in rows] == list(enumerate(LIMITS))


def test_percentiles_are_estimated() -> None:
    """An estimate lies in the bucket of the true percentile; an empty histogram has none."""
    chance = random.Random(3)
    values = sorted(chance.lognormvariate(-1, 1) for _ in range(2000))
    counts = Counter(bisect_right(LIMITS, value) for value in values)
    for share in (50, 95, 99):
        true, found = values[len(values) * share // 100 - 1], estimated(counts, share)
        assert found is not None
        assert found == pytest.approx(true, rel=0.1)
    assert estimated({}, 50) is None
    assert estimated({len(LIMITS): 3}, 50) == LIMITS[-1]
