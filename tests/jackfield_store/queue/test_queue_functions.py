"""Queued calls of functions with an effect: they wait for a process that declares the function, and
a killed one leaves a doubt.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from forking import alone
from jackfield import ABSENT, InvocationFailed, Result, once
from jackfield.callers import Caller
from jackfield.callers.actor import Actor
from jackfield.invocation import Enqueued
from jackfield.pacing.turn import PostponedError
from jackfield_store.journal import Queue
from jackfield_store.queue.upkeep import QueueUpkeep
from processes import Processes, variables

DAY = 86_400.0
ASKED = {"connector": "host", "action": "charge", "inputs": {"order": "a"}}


@pytest.fixture
def stage(tmp_path: Path, database_url: str) -> Iterator[Processes]:
    """Processes over one database."""
    with variables(tmp_path, database_url) as environment, Processes(environment) as found:
        yield found


class Shop:
    """A program whose function notes on the disk what took effect."""

    def __init__(self, stage: Processes, folder: Path) -> None:
        self.stage, self.dies = stage, False
        self.path = folder / "effects"
        self.path.touch()

    @property
    def effects(self) -> list[str]:
        """What took effect."""
        return self.path.read_text(encoding="ascii").split()

    def look(self, key: str) -> object:
        """Look for an effect."""
        return f"found {key}" if key in self.effects else ABSENT

    def declared(self, **options: Any) -> Callable[[str], str]:
        """The function; the process dies in it once it has taken effect, if it is to."""

        @once(
            "charge",
            effect="write",
            key=lambda order: order,
            look=self.look,
            runtime=self.stage.runtime,
            **options,
        )
        def charge(order: str) -> str:
            with self.path.open("a", encoding="ascii") as file:
                file.write(f"{order}\n")
            if self.dies:
                os._exit(9)
            return f"ch_{order}"

        return charge


@pytest.fixture
def shop(stage: Processes, tmp_path: Path) -> Shop:
    """The program."""
    return Shop(stage, tmp_path)


def test_a_worker_runs_it(stage: Processes, shop: Shop) -> None:
    """A direct call has its value, and so has one that is queued again."""
    charge = shop.declared()
    identifier = str(stage.runtime.enqueue(ASKED))
    (result,) = stage.work()
    assert (result.meta.invocation_id, result.output) == (identifier, {"value": "ch_a"})
    assert charge("a") == "ch_a"
    again = stage.runtime.enqueue({**ASKED, "idempotencyKey": "another"})
    assert isinstance(again, Result)
    assert again.output == {"value": "ch_a"}
    assert shop.effects == ["a"]


def _one(stage: Processes) -> str:
    queued = stage.runtime.enqueue(ASKED)
    return queued.meta.invocation_id if isinstance(queued, Result) else queued


def _of_many(stage: Processes) -> str:
    other = {**ASKED, "inputs": {"order": "b"}}
    (queued, _) = stage.runtime.enqueue_many([ASKED, other])
    assert isinstance(queued, Enqueued)
    return queued.invocation_id


def _approved(put: Callable[[Processes], str], stage: Processes) -> str:
    stage.runtime.access.workspaces.set("default", {"writes": "ask"})
    approvals = stage.runtime.approvals_of(
        Caller("cli:approver", audience="operator"), Actor("cli", "approver")
    )
    identifier = put(stage)
    for waiting in approvals.list()[0]:
        approvals.approve(waiting["id"])
    stage.runtime.access.workspaces.set("default", {"writes": "allow"})
    return identifier


_WAYS = {
    "one": _one,
    "of many": _of_many,
    "approved": partial(_approved, _one),
    "approved of many": partial(_approved, _of_many),
    "approved call": partial(
        _approved, lambda stage: str(stage.runtime.invoke(ASKED).meta.invocation_id)
    ),
}


@pytest.mark.parametrize("put", _WAYS.values(), ids=_WAYS)
def test_a_queued_call_holds_its_key_as_long_as_its_function_says(
    stage: Processes, shop: Shop, put: Callable[[Processes], str]
) -> None:
    """However it came to the queue, the workspace's shorter retention does not free its key."""
    charge = shop.declared(keep_for=20 * DAY)
    stage.runtime.access.workspaces.set("default", {"retentionDays": 7})
    identifier = put(stage)
    stage.work()
    assert stage.entry(identifier).status == "succeeded"
    stage.move(19 * DAY)
    stage.journal.purge()
    assert charge("a") == "ch_a"
    assert shop.effects.count("a") == 1
    stage.move(2 * DAY)
    assert charge("a") == "ch_a"
    assert shop.effects.count("a") == 2


def test_a_call_queued_among_many_has_the_row_of_one_queued_alone(
    stage: Processes, shop: Shop
) -> None:
    """In every column but those of the call itself."""
    shop.declared(keep_for=20 * DAY)
    call = {
        **ASKED,
        "context": {"correlationId": "r1"},
        "priority": 7,
        "notAfter": "2099-01-01T00:00:00Z",
    }
    stage.runtime.enqueue(call)
    stage.runtime.enqueue_many([{**call, "inputs": {"order": "b"}}])
    with stage.database.read() as transaction:
        one, of_many = (
            row.as_dict()
            for row in transaction.execute("SELECT * FROM invocations ORDER BY created_at, id")
        )
    differ = {name for name in one if one[name] != of_many[name]}
    assert differ <= {"id", "idempotency_key", "fingerprint", "inputs", "created_at"}


def test_where_no_process_has_it_it_waits(
    stage: Processes, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that does not declare it gives it back, and never ends it; one that does runs it."""
    charge = shop.declared()
    identifier = str(stage.runtime.enqueue(ASKED))
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr("jackfield.catalog.Catalog.own", ())
        for _ in range(3):
            (claimed,) = Queue(stage.database, stage.clock).claim(10)
            with pytest.raises(PostponedError) as raised:
                stage.runtime.run(claimed)
            QueueUpkeep(stage.pool, Queue(stage.database, stage.clock)).settle(
                claimed, raised.value
            )
            assert stage.work() == []
            stage.move(10.0)
        assert (stage.entry(identifier).status, stage.entry(identifier).delivery) == ("queued", 0)
        assert "declares no function" in str(stage.runtime.invoke(ASKED).error)
    (result,) = stage.work()
    assert (result.meta.invocation_id, result.output) == (identifier, {"value": "ch_a"})
    assert charge("a") == "ch_a"


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_killed_worker_leaves_a_doubt_that_the_look_settles(
    tmp_path: Path, database_url: str, took_effect: bool
) -> None:
    """Nothing runs again before. What the look finds is the value; that it finds nothing frees the
    key, a while later.
    """
    made, status, said = alone(killed, str(tmp_path), database_url, took_effect)
    assert (made, status) == (["a"], "in_doubt")
    assert said == (["found a"] if took_effect else ["in_doubt", "ch_a"])


def killed(folder: str, url: str, took_effect: bool) -> tuple[list[str], str, list[str]]:
    """Kill a worker between begin and end of a queued call; return what took effect, its status,
    and what direct calls come to.
    """
    with variables(Path(folder), url) as environment, Processes(environment) as stage:
        shop = Shop(stage, Path(folder))
        charge, shop.dies = shop.declared(), True
        identifier = str(stage.runtime.enqueue(ASKED))
        stage.killed(stage.work)
        shop.dies = False
        made, status, said = shop.effects, stage.entry(identifier).status, list[str]()
        assert stage.work() == []
        if not took_effect:
            shop.path.write_text("", encoding="ascii")
            with pytest.raises(InvocationFailed) as raised:
                charge("a")
            said.append(raised.value.result.status)
            stage.move(61.0)
        return made, status, [*said, charge("a")]
