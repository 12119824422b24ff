"""Rows of work that is no call of a connector: once for a key, in doubt if nobody knows, as rows of
calls are, without the page of one.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from jackfield import Result
from jackfield.call.how import How
from jackfield.call.settle import failed, succeeded
from jackfield.call.waiter import run_in_thread
from jackfield.call.work import Work
from jackfield.callers import LIBRARY
from jackfield.kernel.errors import IdempotencyConflict, InDoubt, Rejected, Sent, Unavailable
from jackfield_store.recording.rows import JournalRow
from jackfield_store.runtime import Jackfield

PATIENCE = 60.0
_SUPPORT = os.pathsep.join([str(Path(__file__).parents[2] / "support"), *sys.path])


class Shop:
    """A host with work of its own."""

    def __init__(self, jackfield: Jackfield) -> None:
        assert jackfield.journal is not None
        self.jackfield, self.journal = jackfield, jackfield.journal

    def row(
        self,
        key: str | None = "order-1",
        amount: int = 5,
        effect: str = "write",
        *,
        wait: bool = False,
    ) -> tuple[JournalRow, How]:
        """A row that has not begun, and how."""
        how = How(self.jackfield.pipeline.in_thread, LIBRARY, wait=wait, settles=True)
        return JournalRow(
            self.journal,
            how,
            Work("host", "charge", key, {"amount": amount}, effect),
            self.jackfield.clock,
        ), how

    def begins(self, *given: Any, **more: Any) -> Result | None:
        """What stands in the way of a new row; its work is lost if nothing does."""
        return run_in_thread(self.row(*given, **more)[0].begin())

    def done(self, value: str, *given: Any, **more: Any) -> Result | None:
        """Do the work, unless it was done."""
        row, how = self.row(*given, **more)
        if (known := run_in_thread(row.begin())) is None:
            run_in_thread(row.end(succeeded(how.ended(), {"value": value})))
        return known


@pytest.fixture(name="shop")
def _shop(upgraded: str) -> Iterator[Shop]:
    with Jackfield(connections=[], database_url=upgraded) as jackfield:
        yield Shop(jackfield)


@pytest.fixture(name="other")
def _other(upgraded: str) -> Iterator[Shop]:
    """Another process of the host, as far as the database knows."""
    with Jackfield(connections=[], database_url=upgraded) as jackfield:
        yield Shop(jackfield)


def doubt(how: How) -> Result:
    """The end of work that may have taken effect."""
    return failed(how.ended(), InDoubt("it may have taken effect", sent=Sent.UNKNOWN))


def output(result: Result | None) -> Any:
    """What a repeat is answered with."""
    assert result is not None
    assert result.meta.replayed
    return result.output


def test_it_is_on_the_disk_before_it_is_done_and_done_once(shop: Shop, other: Shop) -> None:
    """All who share the database see it from its begin on; a repeat has its output."""
    row, how = shop.row()
    assert run_in_thread(row.begin()) is None
    entry = other.journal.find(row.id)
    assert (entry.status, entry.connector, entry.action, entry.effect) == (
        "running",
        "host",
        "charge",
        "write",
    )
    with pytest.raises(IdempotencyConflict, match="still running"):
        other.begins()
    run_in_thread(row.end(succeeded(how.ended(), {"value": "ch_1"})))
    assert output(other.begins()) == output(shop.begins()) == {"value": "ch_1"}
    assert [entry.status for entry in other.journal.entries(status="succeeded")[0]] == ["succeeded"]


def test_a_repeat_waits_for_the_first(shop: Shop, other: Shop) -> None:
    """Of many who begin at once, in two processes, one does the work."""
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda number: (shop, other)[number % 2].done(str(number), wait=True), range(8)
            )
        )
    (first,) = [number for number, result in enumerate(found) if result is None]
    assert [output(result) for result in found if result is not None] == [{"value": str(first)}] * 7


def test_another_request_under_the_key_is_refused(shop: Shop) -> None:
    """It never begins, and is recorded as what it was."""
    assert shop.done("ch_1") is None
    with pytest.raises(IdempotencyConflict, match="another request"):
        shop.begins(amount=6)
    assert [entry.error_code for entry in shop.journal.entries(status="failed")[0]] == [
        "idempotency_conflict"
    ]


def test_a_refusal_frees_the_key(shop: Shop) -> None:
    """Nothing took effect: it may be done again, by anybody."""
    row, how = shop.row()
    assert run_in_thread(row.begin()) is None
    run_in_thread(row.end(failed(how.ended(), Rejected("the card was declined"))))
    assert shop.done("ch_2", amount=6) is None


def test_a_doubt_keeps_the_key_and_a_look_s_value_is_kept(shop: Shop, other: Shop) -> None:
    """A repeat is told of the doubt. Once a look has found what it made, a repeat has that, with
    who says so.
    """
    row, how = shop.row()
    assert run_in_thread(row.begin()) is None
    run_in_thread(row.end(doubt(how)))
    known = other.begins()
    assert known is not None
    assert (known.status, known.meta.replayed, known.meta.invocation_id) == (
        "in_doubt",
        True,
        row.id,
    )
    other.journal.resolve(row.id, "succeeded", "look", output={"value": "ch_1"})
    found = shop.begins()
    assert output(found) == {"value": "ch_1"}
    assert found is not None
    assert (found.meta.to_json()["resolution"]["by"], found.meta.warnings) == ("look", ())


def test_a_doubt_that_was_none_frees_the_key(shop: Shop) -> None:
    """A look that finds nothing lets it be done again."""
    row, how = shop.row()
    assert run_in_thread(row.begin()) is None
    run_in_thread(row.end(doubt(how)))
    shop.journal.resolve(row.id, "failed", "look")
    assert shop.done("ch_2") is None


def test_an_interrupted_caller_leaves_what_is_known(shop: Shop) -> None:
    """Before its begin nothing; from then on what it says at once, with no further step."""
    row, _ = shop.row()
    row.interrupt(None)
    assert shop.journal.entries()[0] == []
    row, how = shop.row()
    assert run_in_thread(row.begin()) is None
    row.interrupt(doubt(how))
    assert shop.journal.find(row.id).status == "in_doubt"


def test_tasks_share_it_too(shop: Shop) -> None:
    """The same holds on an event loop."""

    async def done(number: int) -> Result | None:
        how = How(shop.jackfield._looping(), LIBRARY, wait=True, settles=True)
        row = JournalRow(
            shop.journal,
            how,
            Work("host", "charge", "order-1", {"amount": 5}),
            shop.jackfield.clock,
        )
        if (known := await row.begin()) is None:
            await asyncio.sleep(0)
            await row.end(succeeded(how.ended(), {"value": str(number)}))
        return known

    async def all_at_once() -> list[Result | None]:
        return list(await asyncio.gather(*(done(number) for number in range(5))))

    found = asyncio.run(all_at_once())
    (first,) = [number for number, result in enumerate(found) if result is None]
    assert [output(result) for result in found if result is not None] == [{"value": str(first)}] * 4


def test_what_may_be_done_again_needs_no_key(shop: Shop) -> None:
    """A read without a key is written with its end."""
    assert shop.done("seen", None, effect="read") is None
    assert shop.done("seen", None, effect="read") is None
    assert [entry.status for entry in shop.journal.entries()[0]] == ["succeeded", "succeeded"]


_DYING = """
import os, signal, sys
from jackfield.callers import LIBRARY
from jackfield.kernel.clock import SystemClock
from jackfield.call.how import How
from jackfield.call.waiter import InThread, LoopThread, run_in_thread
from jackfield_store.journal import Journal
from jackfield.call.work import Work
from jackfield_store.recording.rows import JournalRow
from jackfield_store.resources.storage import Storage

clock = SystemClock()
storage = Storage(sys.argv[1], dict(os.environ), clock)
journal = Journal(storage.database, storage.vault, "default", clock)
row = JournalRow(journal, How(InThread(clock, LoopThread()), LIBRARY), Work("host", "charge", "order-1", {"amount": 5}, sys.argv[2]), clock)
assert run_in_thread(row.begin()) is None
modules = {name for name in sys.modules if name.startswith("jackfield")}
print(row.id, *sorted(name for name in modules if name == "jackfield.call.invoke" or ".gates." in name), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def die(url: str, effect: str) -> str:
    """Begin in a process that dies before it ends it; the ID of the row. The process has neither
    the page of a call nor a gate.
    """
    command, environment = (
        [sys.executable, "-c", _DYING, url, effect],
        {**os.environ, "PYTHONPATH": _SUPPORT},
    )
    died = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert died.returncode == -9, died.stderr
    (identifier,) = died.stdout.split()
    return identifier


def test_a_killed_process_leaves_a_doubt(upgraded: str, shop: Shop) -> None:
    """Nobody does it again before somebody has said what became of it, and all see it among the
    doubts.
    """
    identifier = die(upgraded, "write")
    known = shop.begins(wait=True)  # until the database knows that the process is gone
    assert known is not None
    assert (known.status, known.meta.invocation_id) == ("in_doubt", identifier)
    assert [entry.id for entry in shop.journal.entries(status="in_doubt")[0]] == [identifier]
    shop.journal.resolve(identifier, "succeeded", "look", output={"value": "ch_1"})
    assert output(shop.begins()) == {"value": "ch_1"}


def test_a_killed_process_leaves_no_doubt_of_what_may_be_done_again(
    upgraded: str, shop: Shop
) -> None:
    """Its key is free: work with the effect ``idempotent`` is simply done again."""
    identifier = die(upgraded, "idempotent")
    assert shop.done("ch_1", effect="idempotent", wait=True) is None
    assert shop.journal.find(identifier).status == "failed"


def test_a_journal_that_cannot_be_written_lets_nothing_begin(shop: Shop) -> None:
    """Whoever begins is told, the row says so, and the key is free afterwards."""
    row, _ = shop.row()
    with (
        mock.patch.object(
            shop.journal, "starting", side_effect=Unavailable("the database is away")
        ),
        pytest.raises(Unavailable),
    ):
        run_in_thread(row.begin())
    assert shop.journal.find(row.id).error_code == "unavailable"
    assert shop.done("ch_1") is None
