"""Group commit: what is recorded at the same time shares a commit, and nobody pays for another's
failure.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from tests.jackfield_store.database.workspace_rows import adding, names, session_kind

from jackfield.kernel.errors import Unavailable
from jackfield_store.database import (
    CommitUnknown,
    Database,
    StatementInvalid,
    Transaction,
    UniqueViolation,
    open_database,
)
from jackfield_store.database.batches import Batches, Unit
from jackfield_store.database.transaction import DatabaseSession
from jackfield_store.journal.instance import Instance

WAIT = 30.0


class Commits:
    """Counts the commits of a database."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        kind = session_kind(database)
        original = kind.commit

        def commit(session: DatabaseSession) -> None:
            self.count += 1
            original(session)

        monkeypatch.setattr(kind, "commit", commit)


class Held:
    """Keeps the leader of a batch busy, so that what is recorded meanwhile queues up."""

    def __init__(self, database: Database) -> None:
        self._go = threading.Event()
        self._inside = threading.Event()
        self._database = database
        self._threads: list[threading.Thread] = []
        self.outcomes: dict[str, Any] = {}
        self.record("leader", self._unit)
        assert self._inside.wait(WAIT)

    def _unit(self, transaction: Transaction) -> str:
        self._inside.set()
        assert self._go.wait(WAIT)
        return adding("leader")(transaction)

    def record(self, name: str, unit: Callable[[Transaction], Any]) -> None:
        """Record ``unit`` in a thread of its own, and return once it waits."""
        waiting = self._database._process.batches._waiting
        before = len(waiting)

        def work() -> None:
            try:
                self.outcomes[name] = self._database.record(unit)
            except BaseException as fault:  # noqa: BLE001 (whatever it is, the test tells)
                self.outcomes[name] = fault

        thread = threading.Thread(target=work)
        self._threads.append(thread)
        thread.start()
        while name != "leader" and len(waiting) == before and thread.is_alive():
            thread.join(0.001)

    def release(self) -> dict[str, Any]:
        """Let the leader go on, and give all outcomes."""
        self._go.set()
        for thread in self._threads:
            thread.join(WAIT)
            assert not thread.is_alive()
        return self.outcomes


def test_a_reader_waits_for_what_was_put_off_and_is_being_committed(database: Database) -> None:
    """What this process has put off is seen by its own readers, also while somebody else's commit
    has taken it along.
    """
    database.defer(adding("put off"), lambda _value, _error: None)
    held = Held(database)
    seen: list[str] = []
    waiting = database._process.batches._waiting
    reader = threading.Thread(target=lambda: seen.extend(names(database)))
    reader.start()
    while not waiting and reader.is_alive():
        reader.join(0.001)
    held.release()
    reader.join(WAIT)
    assert "put off" in seen


def test_what_is_put_off_is_bounded_by_who_waits(database: Database) -> None:
    """More than four batches of it: who puts more off is told to wait for a commit, and after a few
    of them need not any more.
    """
    held = Held(database)
    count = 0
    while not database.is_behind:
        database.defer(adding(f"n{count:05}"), lambda _value, _error: None)
        count += 1
    assert count == 4 * database.dialect.batch + 1
    held.release()
    assert len(names(database)) == count + 1
    assert not database.is_behind


def test_what_was_put_off_can_be_replaced(database: Database) -> None:
    """Until a commit takes it: then it stays, and so does what came before and after it."""
    told: list[object] = []

    def tell(value: object, _error: object) -> None:
        told.append(value)

    held = Held(database)
    put_off = [database.defer(adding(name), tell) for name in ("a", "b", "c")]
    assert database.replace(put_off[1], adding("B"), tell)
    held.release()
    assert {"a", "b", "B", "c"} & set(names(database)) == {"a", "B", "c"}
    assert not any(database.replace(one, adding("late"), tell) for one in put_off)
    assert told == ["a", "B", "c"]


def test_record_returns_when_it_is_committed(database: Database, database_url: str) -> None:
    """What record gives is what the unit gave, and another connection sees the row at once."""
    assert database.record(adding("a")) == "a"
    with open_database(database_url, migrate=None) as other:
        assert names(other) == ["a"]


def test_what_queues_up_shares_one_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twenty units that wait while another commits are committed together, each with its own
    value.
    """
    held = Held(database)
    for number in range(20):
        held.record(f"n{number:02}", adding(f"n{number:02}"))
    commits = Commits(database, monkeypatch)
    outcomes = held.release()
    assert commits.count == 2  # the leader's own, and one for all others
    assert outcomes == {name: name for name in names(database)}
    assert len(outcomes) == 21


def test_a_lease_is_renewed_ahead_of_what_is_queued(database: Database) -> None:
    """Under load more is put off and submitted than several commits can take: the renewal of the
    process's lease waits for none of it.
    """
    held, instance = Held(database), Instance.of(database)
    leases: list[int] = []

    def unit(transaction: Transaction) -> None:
        leases.append(len(transaction.execute("SELECT id FROM instances")))

    for _ in range(3 * database.dialect.batch):
        database.defer(unit, lambda _value, _error: None)
        database.submit(unit, lambda _value, _error: None)
    waiting, renewing = database._process.batches._waiting, threading.Thread(target=instance.renew)
    renewing.start()
    while not waiting and renewing.is_alive():
        renewing.join(0.001)
    held.release()
    renewing.join(WAIT)
    database._process.batches.flush()
    assert instance.steady_since is not None
    assert set(leases) == {1}


def test_a_commit_that_cannot_begin_fails_those_that_were_there_before_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that wait share the look at a database that is gone; what comes during it tries itself:
    the database may be back.
    """
    batches = database._process.batches
    begin, gone, told = (
        batches._transaction,
        Unavailable("the database cannot be reached"),
        dict[str, object](),
    )
    held, looking, go = Held(database), threading.Event(), threading.Event()

    def refused() -> Any:
        monkeypatch.setattr(batches, "_transaction", begin)
        looking.set()
        assert go.wait(WAIT)
        raise gone

    def noted(name: str) -> Callable[[Any, Exception | None], None]:
        return lambda value, error: told.update({name: error or value})

    held.record("first", adding("first"))
    held.record("second", adding("second"))
    database.defer(adding("put off before"), noted("put off before"))
    monkeypatch.setattr(batches, "_transaction", refused)
    held._go.set()
    assert looking.wait(WAIT)
    held.record("later", adding("later"))
    database.defer(adding("put off later"), noted("put off later"))
    go.set()
    outcomes = held.release()
    assert {
        name for name, outcome in {**outcomes, **told}.items() if str(outcome) == str(gone)
    } == {"first", "second", "put off before"}
    assert sorted(names(database)) == ["later", "leader", "put off later"]


def test_a_failing_unit_fails_its_caller_only(database: Database) -> None:
    """In one batch a violation, an exception and a swallowed failure each undo their own unit, and
    the others are committed.
    """

    def twice(transaction: Transaction) -> None:
        adding("half")(transaction)
        adding("good1")(transaction)

    def wrong(transaction: Transaction) -> None:
        adding("wrong")(transaction)
        raise LookupError("mine")

    def swallowing(transaction: Transaction) -> None:
        adding("swallowed")(transaction)
        with pytest.raises(StatementInvalid):
            transaction.execute("SELECT nothing FROM nowhere")

    held = Held(database)
    units = {
        "good1": adding("good1"),
        "twice": twice,
        "wrong": wrong,
        "swallowing": swallowing,
        "good2": adding("good2"),
    }
    for name, unit in units.items():
        held.record(name, unit)
    outcomes = held.release()
    assert names(database) == ["good1", "good2", "leader"]
    assert (outcomes["good1"], outcomes["good2"]) == ("good1", "good2")
    assert isinstance(outcomes["twice"], UniqueViolation)
    assert isinstance(outcomes["wrong"], LookupError)
    assert isinstance(outcomes["swallowing"], StatementInvalid)


def test_a_unit_that_fails_alone_leaves_nothing(database: Database) -> None:
    """A unit that raises is undone though no other was there, and the next one works."""

    def unit(transaction: Transaction) -> None:
        adding("a")(transaction)
        raise LookupError

    with pytest.raises(LookupError):
        database.record(unit)
    assert database.record(adding("b")) == "b"
    assert names(database) == ["b"]


def test_a_unit_may_use_write_and_read(database: Database) -> None:
    """Stores that open transactions themselves work inside a unit: they are part of it."""

    def unit(transaction: Transaction) -> list[str]:
        with database.write() as inner:
            assert inner is transaction
            adding("a")(inner)
        return names(database)

    held = Held(database)
    held.record("unit", unit)
    held.record("other", adding("other"))
    assert held.release()["unit"] == ["a", "leader"]


def test_ctrl_c_in_the_leader_is_told_to_the_others(database: Database) -> None:
    """When the thread that leads is interrupted before the commit the others learn that nothing was
    done, and the next ones work.
    """

    def killing(transaction: Transaction) -> None:
        adding("killing")(transaction)
        raise KeyboardInterrupt

    held = Held(database)
    for name, unit in {"leading": adding("leading"), "killing": killing, "b": adding("b")}.items():
        held.record(name, unit)
    outcomes = held.release()
    assert isinstance(outcomes["leading"], KeyboardInterrupt)
    assert [type(outcomes[name]) for name in ("killing", "b")] == [Unavailable, Unavailable]
    assert "interrupted" in str(outcomes["b"])
    assert database.record(adding("c")) == "c"
    assert names(database) == ["c", "leader"]


def test_ctrl_c_in_the_commit_is_told_as_doubt(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the thread that leads is interrupted in the commit the others learn that nobody knows
    whether it was done.
    """
    kind = session_kind(database)
    original = kind.commit

    def interrupted(session: DatabaseSession) -> None:
        original(session)
        raise KeyboardInterrupt

    held = Held(database)
    for name in ("leading", "b"):
        held.record(name, adding(name))
    monkeypatch.setattr(kind, "commit", interrupted)
    held.release()
    monkeypatch.undo()
    assert isinstance(held.outcomes["leader"], KeyboardInterrupt)
    assert isinstance(held.outcomes["leading"], KeyboardInterrupt)
    assert isinstance(held.outcomes["b"], CommitUnknown)
    assert names(database) == ["b", "leader", "leading"]


@pytest.mark.parametrize("error", [RecursionError, MemoryError, KeyboardInterrupt, TimeoutError])
@pytest.mark.parametrize("role", ["alone", "waited for"])
def test_a_leader_that_has_no_means_to_give_up_holds_up_nobody(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: type[BaseException], role: str
) -> None:
    """When the thread that leads is stopped, and again while it gives up, as without stack or
    memory, others take over, and learn that nothing was done.
    """
    leave = Batches._abandon
    stops = [error() for _ in range(3)]

    def killing(transaction: Transaction) -> None:
        adding("killing")(transaction)
        raise SystemExit

    def stopped(batches: Batches, item: Unit, batch: list[Unit]) -> None:
        if stops:
            raise stops.pop()
        leave(batches, item, batch)

    monkeypatch.setattr(Batches, "_abandon", stopped)
    if role == "alone":
        with pytest.raises((SystemExit, error)):
            database.record(killing)
    else:
        held = Held(database)
        for name, unit in {"a": killing, "b": adding("b"), "c": killing}.items():
            held.record(name, unit)
        outcomes = held.release()
        assert isinstance(outcomes["a"], (SystemExit, error))
        assert all(isinstance(outcomes[name], (Unavailable, error)) for name in ("b", "c"))
    for _ in range(3):
        with suppress(error):  # the thread that takes over may have no means either
            database.record(adding("next"))
            break
    told = threading.Event()
    database.submit(adding("submitted"), lambda _value, _error: told.set())
    assert told.wait(WAIT)
    assert {"next", "submitted"} <= {*names(database)}
    assert not {"killing", "b"} & {*names(database)}


def test_record_inside_a_transaction_is_refused(database: Database) -> None:
    """Nothing could be on the disk when it returns: that is a fault of ours, and no deadlock."""
    with database.write() as transaction:
        with pytest.raises(StatementInvalid, match="inside a transaction"):
            database.record(adding("a"))
        adding("b")(transaction)
    with pytest.raises(StatementInvalid, match="inside a transaction"):
        database.record(lambda transaction: database.record(adding("c")))
    assert names(database) == ["b"]


def test_64_threads_share_commits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 64 threads that record while another one commits at least ten share a commit, and every
    record is there.
    """
    commits = Commits(database, monkeypatch)
    for turn in range(10):
        held = Held(database)
        for thread in range(64):
            held.record(f"{thread}-{turn}", adding(f"{thread}-{turn}"))
        held.release()
    assert len(set(names(database)) - {"leader"}) == 640
    assert commits.count * 10 <= 640


class Told:
    """Keeps what ``submit`` tells."""

    def __init__(self, expected: int) -> None:
        self.outcomes: list[tuple[Any, Exception | None, str]] = []
        self._left = threading.Semaphore(0)
        self._expected = expected

    def __call__(self, value: object, error: Exception | None) -> None:
        """Keep one outcome."""
        self.outcomes.append((value, error, threading.current_thread().name))
        self._left.release()

    def wait(self) -> list[tuple[Any, Exception | None, str]]:
        """All outcomes, once they are there."""
        for _ in range(self._expected):
            assert self._left.acquire(timeout=WAIT)
        return self.outcomes


def test_submit_tells_from_the_writer_thread(database: Database) -> None:
    """A submitted unit's value or error is told after its commit, from the writer thread, and
    submit itself does not wait.
    """
    seen: list[list[str]] = []
    told = Told(2)

    def looking(value: object, error: Exception | None) -> None:
        seen.append(names(database))
        told(value, error)

    database.submit(adding("a"), looking)
    database.submit(adding("a"), told)
    (first, second) = told.wait()
    assert first == ("a", None, "jackfield-writer")
    assert isinstance(second[1], UniqueViolation)
    assert seen[0] == ["a"]


def test_submitted_units_share_commits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand submitted units need few commits and are done in their order."""
    commits = Commits(database, monkeypatch)
    told = Told(1000)
    for number in range(1000):
        database.submit(adding(f"{number:04}"), told)
    outcomes = told.wait()
    assert (
        [value for value, _, _ in outcomes]
        == names(database)
        == [f"{number:04}" for number in range(1000)]
    )
    assert commits.count <= 100


def test_submitted_and_recorded_units_mix(database: Database) -> None:
    """Threads and an event loop write side by side, and each is answered."""
    told = Told(200)

    def work(thread: int) -> None:
        for turn in range(25):
            database.record(adding(f"r{thread}-{turn}"))
            database.submit(adding(f"s{thread}-{turn}"), told)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(60)
        assert not one.is_alive()
    assert all(error is None for _, error, _ in told.wait())
    assert len(names(database)) == 400


def test_a_callback_that_fails_harms_nobody(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    """What a callback raises is logged, and the next one is told."""

    def bad(value: object, error: Exception | None) -> None:
        raise RuntimeError

    told = Told(1)
    with caplog.at_level(logging.ERROR, "jackfield.database"):
        database.submit(adding("a"), bad)
        database.submit(adding("b"), told)
        assert told.wait()[0][0] == "b"
    assert "callback of a commit raised" in caplog.text


def test_close_commits_what_was_submitted(database_url: str) -> None:
    """Closing waits for what was submitted before, and refuses what comes after."""
    database = open_database(database_url)
    told = Told(300)
    for number in range(300):
        database.submit(adding(f"{number:03}"), told)
    database.close()
    assert len(told.outcomes) == 300
    for late in (
        lambda: database.record(adding("x")),
        lambda: database.submit(adding("x"), told),
        lambda: names(database),
    ):
        with pytest.raises(Unavailable, match="closed"):
            late()
    database.close()
    with open_database(database_url) as again:
        assert len(names(again)) == 300


def test_close_lets_waiting_threads_finish(database: Database) -> None:
    """Units that wait when the database is closed are committed or refused, and none is left
    waiting.
    """
    held = Held(database)
    held.record("a", adding("a"))
    told = Told(1)
    database.submit(adding("s"), told)
    closing = threading.Thread(target=database.close)
    closing.start()
    outcomes = held.release()
    closing.join(WAIT)
    assert not closing.is_alive()
    assert outcomes == {"leader": "leader", "a": "a"}
    assert told.wait()[0][:2] == ("s", None)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_thread_that_ends_is_replaced(database: Database) -> None:
    """A unit that ends the writer thread is told as interrupted, and what is submitted afterwards
    is done by a new one.
    """

    def ending(transaction: Transaction) -> None:
        adding("ending")(transaction)
        raise GeneratorExit

    told = Told(1)
    database.submit(ending, told)
    assert "interrupted" in str(told.wait()[0][1])
    writer = database._process.batches._writer
    assert writer is not None
    writer.join(WAIT)
    told = Told(1)
    database.submit(adding("a"), told)
    assert told.wait()[0][:2] == ("a", None)
    assert names(database) == ["a"]
