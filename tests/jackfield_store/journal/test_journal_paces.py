"""The pace of an account in the transactions of calls: on SQLite it rides with their begin and end,
on PostgreSQL it has its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from clocks import StillClock
from jackfield.connector import Budget, Inputs, Limits, Output, Progress, current_call
from jackfield.kernel.errors import Unavailable
from jackfield.pacing.line import LEASE
from jackfield.pacing.state import PaceState
from jackfield_store.database import Database
from jackfield_store.database.transaction import Mode
from jackfield_store.journal import seen_keys
from jackfield_store.journal.seen_keys import SeenKeys
from jackfield_store.recording.record import Record
from jackfield_store.shared_paces import DatabaseRow
from scripted import Panel, Script, runtime, scripted

ALONE = 2 * LEASE
"""Seconds between two calls from which on nobody leases places."""


class _Load(Inputs):
    """What to melt."""

    text: str = "iron"


class _Melt(Output):
    """A job."""

    id: str


class _Ingot(Output):
    """What a job returns."""

    weight: int


class _Melting:
    """Melt metal."""

    def start(self, inputs: _Load, client: Any) -> _Melt:
        """Start."""
        call = current_call()
        assert call is not None
        call.begin()
        return _Melt(id="melt-1")

    def poll(self, handle: _Melt, client: Any) -> Progress | _Ingot:
        """Look."""
        return _Ingot(weight=1)


@contextmanager
def paced(
    folder: Path, url: str, *, per_second: float = 1000.0, script: Script | None = None
) -> Iterator[Panel]:
    """A runtime over a database whose calls count against one account, with its limits read and its
    first calls made.
    """
    limits = Budget(
        "sending", lambda _inputs, _client: "account", lambda _client: Limits(per_second=per_second)
    )
    connector = scripted(Script("done") if script is None else script, budget=limits)
    connector.action("melt", kind="job", effect="write", budget=limits)(_Melting)
    with runtime(
        folder / "home",
        connector,
        database_url=url,
        clock=StillClock(),
        environment={"JACKFIELD_HOME": str(folder)},
    ) as board:
        for number in range(10):  # the limits are read, and the last lease is given back
            board.ask(timeoutSeconds=600)
            board.clock.advance(1.0 if number > 4 else 0.0)
        board.jackfield.storage.database.settle(30.0)
        yield board


@contextmanager
def transactions(database: Database) -> Iterator[list[str]]:
    """What is written meanwhile: ``durable`` transactions, as of a begin, and those that a pace has
    for itself. An end goes with the next commit, and so do leases that another thread renews: on a
    busy machine another thread may make that commit, a durable one, too.
    """
    found: list[str] = []
    begin, change = type(database.dialect).begin, DatabaseRow.change

    def noted(dialect: Any, mode: Mode, held: list[Any]) -> Any:
        if mode is Mode.WRITE:
            found.append("durable")
        return begin(dialect, mode, held)

    def changed(row: DatabaseRow, step: Any) -> Any:
        found.append("pace")
        return change(row, step)

    with (
        mock.patch.object(type(database.dialect), "begin", noted),
        mock.patch.object(DatabaseRow, "change", changed),
    ):
        yield found


def state_of(board: Panel) -> PaceState:
    """The state of the account's pace."""
    with board.jackfield.storage.database.read() as transaction:
        (row,) = transaction.execute("SELECT state FROM paces")
    return PaceState.from_json(row.state)


def test_a_send_that_is_alone_makes_two_transactions_on_sqlite(tmp_path: Path) -> None:
    """Its begin, in which it takes its place, and its end."""
    with (
        paced(tmp_path, f"sqlite:///{tmp_path / 'j.db'}") as board,
        transactions(board.jackfield.storage.database) as found,
    ):
        counted = state_of(board).quota.since
        for _ in range(3):
            board.clock.advance(ALONE)
            assert board.ask().status == "succeeded"
            board.jackfield.storage.database.settle(30.0)
        # how many depends on whether a lease was renewed in the same commit
        assert {*found} == {"durable"}
        assert state_of(board).quota.since == counted + 3


def test_on_postgresql_the_pace_has_transactions_of_its_own(
    postgres_url: str, tmp_path: Path
) -> None:
    """The row of an account that rode with a durable commit would be locked for as long, for all
    processes.
    """
    with (
        paced(tmp_path, postgres_url) as board,
        transactions(board.jackfield.storage.database) as found,
    ):
        board.clock.advance(ALONE)
        assert board.ask().status == "succeeded"
        board.jackfield.storage.database.settle(30.0)
    assert found[0] == "pace"


def test_those_who_call_often_lease_places(tmp_path: Path) -> None:
    """Then a begin has no statements of a pace, and goes with the begins of others in one
    statement.
    """
    with paced(tmp_path, f"sqlite:///{tmp_path / 'j.db'}") as board:
        with mock.patch.object(
            DatabaseRow, "joined", autospec=True, side_effect=DatabaseRow.joined
        ) as joined:
            for _ in range(20):
                board.clock.advance(LEASE / 10)
                assert board.ask().status == "succeeded"
        assert 0 < joined.call_count < 10


@pytest.mark.parametrize("key", [None, "order-1"])
def test_a_place_that_is_not_due_undoes_the_begin(tmp_path: Path, key: str | None) -> None:
    """The call waits for its turn as others do, and begins then; each takes one place."""
    with paced(tmp_path, f"sqlite:///{tmp_path / 'j.db'}", per_second=10.0) as board:
        waited, begun = board.clock.waited, state_of(board).line.next
        for number in range(20):
            board.clock.advance(ALONE / 2)
            board.clock.advance(ALONE / 2)
            members = {} if key is None else {"idempotencyKey": f"{key}-{number}"}
            assert board.ask(timeoutSeconds=60, **members).status == "succeeded"
        passed = 20 * ALONE + board.clock.waited - waited
        assert state_of(board).line.next - begun <= 21 + 9.6
        assert passed == pytest.approx(20 / 9.6, abs=0.4)


def test_a_repeat_that_is_answered_takes_no_place(tmp_path: Path) -> None:
    """Its begin meets the row of the first call, and is undone with the place."""
    with paced(tmp_path, f"sqlite:///{tmp_path / 'j.db'}") as board:
        assert board.ask(idempotencyKey="k").status == "succeeded"
        board.clock.advance(1.0)
        counted = state_of(board).quota.since
        SeenKeys.of(board.jackfield.storage.database)._seen.clear()  # as in another process
        with mock.patch.object(seen_keys, "_WARY", 0.0):
            assert board.ask(idempotencyKey="k").meta.replayed
        assert state_of(board).quota.since == counted


def test_a_slow_commit_moves_later_slots_with_the_end(tmp_path: Path) -> None:
    """A call that begins after its slot says so in the transaction of its end."""
    with (
        paced(tmp_path, f"sqlite:///{tmp_path / 'j.db'}") as board,
        transactions(board.jackfield.storage.database) as found,
    ):
        begin = Record.begin

        async def slow(record: Record) -> bool:
            begun = await begin(record)
            board.clock.advance(0.025)
            return begun

        board.clock.advance(ALONE)
        with mock.patch.object(Record, "begin", slow):
            assert board.ask().status == "succeeded"
        board.jackfield.storage.database.settle(30.0)
        assert {*found} == {"durable"}
        assert state_of(board).line.delay == pytest.approx(0.015, abs=0.001)


def test_a_job_that_starts_late_moves_later_slots_at_once(tmp_path: Path) -> None:
    """Its call writes no end, with which its pace could be corrected."""
    with paced(tmp_path, f"sqlite:///{tmp_path / 'j.db'}") as board:
        board.ask(action="melt", timeoutSeconds=1)  # loads its code
        begin = Record.begin

        async def slow(record: Record) -> bool:
            begun = await begin(record)
            board.clock.advance(0.025)
            return begun

        board.clock.advance(ALONE)
        with mock.patch.object(Record, "begin", slow):
            assert board.ask(action="melt", timeoutSeconds=1).status == "running"
        board.jackfield.storage.database.settle(30.0)
        assert state_of(board).line.delay == pytest.approx(0.015, abs=0.001)


def test_a_call_that_is_refused_before_its_begin_takes_no_place(tmp_path: Path) -> None:
    """Nothing of the account changes if the begin cannot be written."""
    with paced(tmp_path, f"sqlite:///{tmp_path / 'j.db'}") as board:
        board.clock.advance(ALONE)
        counted, database = state_of(board).quota.since, type(board.jackfield.storage.database)
        with mock.patch.object(database, "record", side_effect=Unavailable("the disk is full")):
            assert board.ask().error is not None
        assert state_of(board).quota.since == counted
