"""Looks for keys that are put off until the begin: histories, interrupts and databases that do not
answer end as if each key had been looked for first.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.database.workspace_rows import session_kind
from tests.jackfield_store.journal.test_journal_new_keys import ask, processes, sent

from clocks import FakeClock, time_passes
from fake_aws import FakeAws
from jackfield import JackfieldError
from jackfield.call import open as opening
from jackfield.invocation.entry import Draft, Entry
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import open_database
from jackfield_store.database.batches import Unit, run_apart, run_together
from jackfield_store.journal import Journal, seen_keys
from jackfield_store.journal.begins import Begins
from jackfield_store.journal.room import insert_within
from jackfield_store.journal.seen_keys import SeenKeys
from jackfield_store.recording import record
from jackfield_store.runtime import Jackfield
from nursery import mail

_DAY = 25 * 3600.0
_FAULTS: dict[str, dict[str, Any]] = {
    "doubt": {"do": "reset"},
    "refused": {"do": "status", "status": 400, "code": "MessageRejected"},
}
_WRONG: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "other": lambda request: {**request, "inputs": {**request["inputs"], "text": "another text"}},
    "input": lambda request: {**request, "inputs": {**request["inputs"], "to": ["nobody"]}},
    "member": lambda request: {**request, "jobTimeoutSeconds": 60},
    "queue": lambda request: {**request, "priority": 3},
    "late": lambda request: {**request, "timeoutSeconds": 1e-7},
    "connection": lambda request: {**request, "connection": "missing"},
    "dry": lambda request: {**request, "dryRun": True},
    "case": lambda request: {**request, "idempotencyKey": request["idempotencyKey"].upper()},
}


@pytest.fixture(autouse=True)
def _eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each connection that was opened count as one that opens from memory, and a key that was
    found held change nothing for others.
    """
    monkeypatch.setattr(opening, "_FAST", math.inf)
    monkeypatch.setattr(seen_keys, "_WARY", 0.0)


class History:
    """Calls of three processes under few keys, with faults, wrong requests, resolutions, days and
    purges between, as a seed has them.
    """

    def __init__(self, aws: FakeAws, opened: list[Jackfield], clock: FakeClock, seed: int) -> None:
        self._aws, self._opened, self._clock, self._chance = aws, opened, clock, random.Random(seed)
        self._names = dict[str, int]()
        self._newest = 5
        self.told = list[Any]()

    def step(self) -> None:
        """Do one of these."""
        kinds = (self._call, self._resolve, self._new_key, self._pass_day, self._purge)
        self._chance.choices(kinds, (80, 6, 6, 3, 2))[0](self._chance.choice(self._opened))

    def _call(self, jackfield: Jackfield) -> None:
        key = f"key-{self._chance.randint(self._newest - 5, self._newest)}"
        wrong = self._chance.choice([None] * len(_WRONG) + [*_WRONG])
        fault = self._chance.choice([None, None, *_FAULTS])
        if fault is not None:
            self._aws.script([{"operation": "SendEmail", **_FAULTS[fault]}])
        request = mail(key) if wrong is None else _WRONG[wrong](mail(key))
        result = ask(jackfield, request, self._chance.choice(["thread", "task"]))
        error = result.error or JackfieldError("")
        name = self._names.setdefault(result.meta.invocation_id, len(self._names))
        text = re.sub(r":\d+", "", error.message.partition("invocation")[0])
        self.told.append(
            (
                key,
                wrong,
                fault,
                result.status,
                error.code,
                error.retryable,
                text,
                result.meta.replayed,
                name,
            )
        )

    def _resolve(self, jackfield: Jackfield) -> None:
        assert jackfield.journal is not None
        doubts = sorted(jackfield.journal.entries(status="in_doubt")[0], key=self._name)
        outcome = self._chance.choice(["succeeded", "failed"])
        if doubts:
            jackfield.journal.resolve(doubts[0].id, outcome, "ada")  # type: ignore[arg-type]

    def _new_key(self, _jackfield: Jackfield) -> None:
        self._newest += 1

    def _pass_day(self, _jackfield: Jackfield) -> None:
        time_passes(_DAY, self._clock, self._opened[0].storage.database)

    def _purge(self, jackfield: Jackfield) -> None:
        assert jackfield.journal is not None
        self.told.append(jackfield.journal.purge())

    def _name(self, entry: Entry) -> int:
        return self._names.get(entry.id, -1)

    def end(self) -> list[Any]:
        """Return what callers were told, what the journal has of keys, and what was sent."""
        journal = self._opened[0].journal
        assert journal is not None
        entries, cursor = journal.entries(limit=1000)
        assert cursor is None
        kept = Counter(
            (one.idempotency_key, one.status, one.error_code, self._name(one))
            for one in entries
            if one.idempotency_key
        )
        return [
            *self.told,
            kept,
            Counter((message.subject, message.text) for message in self._aws.messages),
        ]


@pytest.mark.parametrize(
    ("seed", "steps"),
    [(1, 150), *(pytest.param(seed, 300, marks=pytest.mark.campaign) for seed in range(2, 22))],
)
def test_histories_end_as_with_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, steps: int
) -> None:
    """Each caller of a long history is told the same, the journal has the same and the same is
    sent, whether or not keys are looked for.
    """
    add, found, put_off = SeenKeys.add, list[list[Any]](), Counter[str]()
    if seed % 2:
        monkeypatch.setattr(seen_keys, "_MOST", 2)

    def noted(way: str, keys: SeenKeys, workspace: str, space: str, key: str) -> bool:
        is_new = add(keys, workspace, space, key) and way == "put off"
        put_off[way] += is_new
        return is_new

    for way in ("looked for", "put off"):
        monkeypatch.setattr(SeenKeys, "add", lambda *given, way=way: noted(way, *given))
        clock, url = FakeClock(), f"sqlite:///{tmp_path / way}.db"
        open_database(url, migrate=True).close()
        with FakeAws() as aws, processes(aws, url, 3, clock=clock) as opened:
            history = History(aws, opened, clock, seed)
            for _ in range(steps):
                history.step()
            found.append(history.end())
    assert put_off["put off"] > 10
    for looked, put in zip(*found, strict=True):
        assert looked == put


class _Order:
    """Transaction that notes the keys of the rows that are added."""

    failed = False

    def __init__(self) -> None:
        self.keys = list[str]()

    def change(self, _statement: str, row: Any) -> int:
        self.keys.append(row["idempotency_key"])
        return 1

    def change_many(self, _statement: str, rows: Any) -> int:
        self.keys += [row["idempotency_key"] for row in rows]
        return len(rows)

    def execute(self, _statement: str, values: Any) -> list[Any]:
        """Note the keys of queued rows."""
        self.keys += [
            value for name, value in values.items() if name.startswith("idempotency_key_")
        ]
        return []

    def mark(self) -> None:
        """Set no savepoint."""

    check = undo = mark


@pytest.mark.parametrize("run", [run_together, run_apart])
def test_keys_are_claimed_in_one_order(run: Callable[..., None]) -> None:
    """Two processes that begin calls with the same keys, each in one commit, do not wait for each
    other's rows: whichever came first.
    """
    chance, keys = random.Random(4711), [f"key-{number:02}" for number in range(30)]
    for _ in range(2):
        chance.shuffle(keys)
        drafts = [
            Draft(key, "c", None, "a", "write", None, None, 0.0, 1.0, idempotency_key=key)
            for key in keys
        ]
        order = _Order()
        run(
            [
                Unit(Begins(draft, partial(dict, workspace="w", idempotency_key=draft.id)), 0.0)
                for draft in drafts
            ],
            order,
        )
        assert order.keys == sorted(keys)
        queued: Any = _Order()
        insert_within(
            queued,
            "w",
            [(draft, defaultdict(str, idempotency_key=draft.id)) for draft in drafts],
            {},
        )
        assert queued.keys == sorted(keys)


def _refused(key: str) -> dict[str, Any]:
    return {**mail(key), "jobTimeoutSeconds": 60}


@pytest.mark.parametrize("how", ["thread", "task"])
@pytest.mark.parametrize(
    "fault",
    [Unavailable("the database does not answer"), MemoryError()],
    ids=["database", "memory"],
)
def test_a_refusal_without_a_look(
    upgraded: str, monkeypatch: pytest.MonkeyPatch, how: str, fault: Exception
) -> None:
    """Where nobody can find out whether a key is held, its caller is told that, and to repeat the
    call: not why it would be refused. The first call may have sent.
    """

    def silent(_journal: Journal, _key: str, _space: str) -> Any:
        raise fault

    with FakeAws() as aws, processes(aws, upgraded) as (one, other):
        first = ask(one, mail("order-1"), how)
        with monkeypatch.context() as patched:
            patched.setattr(Journal, "held", silent)
            error = ask(other, _refused("order-1"), how).error
        assert error is not None
        assert (error.code, error.retryable) == ("unavailable", True)
        again = ask(other, _refused("order-1"), how)
        assert (again.meta.replayed, again.meta.invocation_id) == (True, first.meta.invocation_id)


def test_a_refusal_whose_look_is_cancelled(upgraded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller who leaves while the key of his refused call is looked for leaves the refusal in the
    journal, and the key free.
    """
    held = Journal.held

    async def run(jackfield: Jackfield) -> None:
        def left(journal: Journal, key: str, space: str) -> Any:
            loop.call_soon_threadsafe(task.cancel)
            return held(journal, key, space)

        monkeypatch.setattr(Journal, "held", left)
        loop, task = (
            asyncio.get_running_loop(),
            asyncio.ensure_future(jackfield.ainvoke(_refused("order-1"))),
        )
        with pytest.raises(asyncio.CancelledError):
            await task

    with FakeAws() as aws, processes(aws, upgraded, 1) as (jackfield,):
        asyncio.run(run(jackfield))
        monkeypatch.setattr(Journal, "held", held)
        assert jackfield.journal is not None
        assert [
            entry.error_code for entry in jackfield.journal.entries(idempotencyKey="order-1")[0]
        ] == ["invalid_invocation"]
        assert jackfield.invoke(mail("order-1")).status == "succeeded"


def test_a_begin_that_is_cancelled_during_its_commit(
    upgraded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is cancelled while a slow database commits its begin, and whose end cannot be
    recorded at once, gives its key back once that is possible: nothing was sent.
    """
    monkeypatch.setattr(record, "_INTERRUPTED_WAIT", 0.0)
    goes_on, begins = threading.Event(), threading.Event()
    starting = Journal.starting

    def begun(journal: Journal, draft: Draft, inputs: bytes | None) -> Any:
        begins.set()
        return starting(journal, draft, inputs)

    async def run(jackfield: Jackfield) -> None:
        loop, task = (
            asyncio.get_running_loop(),
            asyncio.ensure_future(jackfield.ainvoke(mail("order-1"))),
        )
        kind = session_kind(jackfield.storage.database)
        of_session = kind.commit

        def commit(*given: Any) -> None:
            if begins.is_set() and not goes_on.is_set():
                loop.call_soon_threadsafe(task.cancel)
                assert goes_on.wait(60)
            of_session(*given)

        monkeypatch.setattr(kind, "commit", commit)
        with pytest.raises(asyncio.CancelledError):
            await task

    with FakeAws() as aws, processes(aws, upgraded, 1) as (jackfield,):
        assert jackfield.journal is not None
        jackfield.journal.entries()  # commits what the first mail has put off
        monkeypatch.setattr(Journal, "starting", begun)
        asyncio.run(run(jackfield))
        goes_on.set()
        again = jackfield.invoke(mail("order-1"))
        assert (again.status, again.meta.replayed, sent(aws)) == ("succeeded", False, 1)
        found = [
            (entry.status, entry.error_code)
            for entry in jackfield.journal.entries(idempotencyKey="order-1")[0]
        ]
        assert found == [("succeeded", None), ("failed", "cancelled")]
