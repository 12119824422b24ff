"""The states of a call's row: each cell of their table is played by calls, on both databases, and
each cell matters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from inmemory import installed
from jackfield.call import open as opening
from jackfield.call.attempts import Attempts
from jackfield.connector import Connector, Inputs, Output, Progress, current_call
from jackfield.invocation.claimed import Claimed
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.errors import NotYet, Sent, Unavailable
from jackfield_store.access import Workspaces
from jackfield_store.database import Database, open_database
from jackfield_store.journal import Journal, Queue, seen_keys
from jackfield_store.journal.seen_keys import SeenKeys
from jackfield_store.recording import states as s
from jackfield_store.recording.record import Record
from jackfield_store.runtime import Jackfield
from scripted import Client, Key

Cell = tuple[str, str]
_WARM = 2
"""Rows of the calls that load and open."""
_ASK: dict[str, Any] = {
    "connector": "cells",
    "action": "write",
    "connection": "front",
    "inputs": {},
}
_UNITS = ("starting", "beginning", "recording", "finishing", "requeueing", "giving_back")
"""What the journal writes of a call. Of a unit that is never executed, its name is there as well:
it was chosen.
"""


class Ask(Inputs):
    """A question."""

    number: int = 1


class Answer(Output):
    """An answer."""

    text: str = "hi"


class Handle(Output):
    """Handle of a job."""

    id: str = "j"


@dataclass
class Stage:
    """A runtime whose connector plays ``turn`` at each request, and what was seen of its calls."""

    jackfield: Jackfield
    turn: Callable[[], Any] = lambda: None
    requests: int = 0
    cells: list[Cell] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def play(self) -> None:
        """Meet one request."""
        call = current_call()
        assert call is not None
        call.begin()
        self.requests += 1
        self.turn()

    def call(self, action: str = "write", **members: Any) -> None:
        """Make a call, and keep what its caller is told."""
        try:
            result = self.jackfield.invoke({**_ASK, "action": action, **members})
        except KeyboardInterrupt:
            self.told.append("interrupted")
        else:
            code = None if result.error is None else result.error.code
            self.told.append(
                f"{result.status} {code}" + (" replayed" if result.meta.replayed else "")
            )

    def queued(self) -> Claimed:
        """Queue a call, and claim it."""
        self.jackfield.enqueue(_ASK)
        (claimed,) = Queue(self.database).claim(1)
        return claimed

    def run(self, claimed: Claimed) -> None:
        """Run a call from the queue."""
        try:
            result = self.jackfield.run(claimed)
        except KeyboardInterrupt:
            self.told.append("interrupted")
        else:
            self.told.append(
                f"{result.status} {None if result.error is None else result.error.code}"
            )

    @property
    def database(self) -> Database:
        """The database of both."""
        return self.jackfield.storage.database

    def seen(self) -> dict[str, Any]:
        """Return the status of each row, with a mark if it has begun; the requests; what was
        written, in order; what callers were told.
        """
        assert self.jackfield.journal is not None
        owes = self.jackfield.journal.owes
        self.database.settle(30.0)
        entries = list(reversed(self.jackfield.journal.entries()[0]))[_WARM:]
        rows = [one.status if one.started_at is None else f"{one.status}, begun" for one in entries]
        # its begin may be committed meanwhile
        units = " ".join(self.units).replace("recording finishing", "recording").split()
        return {
            "rows": rows,
            "requests": self.requests,
            "units": units,
            "told": self.told,
            "owes": owes,
        }


def _connector(stage: list[Stage]) -> Connector:
    connector = Connector("cells", title="Cells", version="1.0.0", connections=[Key])

    def ask(inputs: Ask, client: Client) -> Answer:
        """Ask the other side."""
        stage[0].play()
        return Answer()

    connector.action("write", effect="write")(ask)
    connector.action("read", effect="read")(ask)

    class Steps:
        """A job that never ends."""

        def start(self, inputs: Ask, client: Client) -> Handle | Answer:
            """Start it."""
            stage[0].play()
            return Handle()

        def poll(self, handle: Handle, client: Client) -> Progress | Answer:
            """Look at it."""
            return Progress(0.5)

    connector.action("startWrite", kind="job", effect="write")(Steps)
    connector.action("startRead", kind="job", effect="read")(
        type("Reads", (Steps,), {"__doc__": Steps.__doc__})
    )
    return connector


@contextmanager
def _staged(folder: Path, url: str) -> Iterator[Stage]:
    """A runtime that notes the cells that its calls pass, and what is written of them."""
    stages: list[Stage] = []
    front = [{"front": {"type": "stage/key", "values": {"token": "s3cret-token"}}}]
    environment = {"JACKFIELD_HOME": str(folder.parent)}
    with (
        installed(folder, _connector(stages)) as catalog,
        Jackfield(
            connections=front, database_url=url, catalog=catalog, environment=environment
        ) as jackfield,
        pytest.MonkeyPatch.context() as patch,
    ):
        stage = Stage(jackfield)
        stages.append(stage)
        for action in ("read", "write"):  # afterwards nothing is loaded or opened anew
            jackfield.invoke({**_ASK, "action": action})
        stage.requests = 0
        on = Record._on

        def noted(record: Record, event: str) -> str | None:
            stage.cells.append((record._state, event))
            statement = on(record, event)
            stage.path.append(
                record._state if statement is None else f"{record._state}: {statement}"
            )
            return statement

        patch.setattr(Record, "_on", noted)
        patch.setattr(opening, "_FAST", float("inf"))
        patch.setattr(seen_keys, "_WARY", 0.0)
        for name in _UNITS:
            patch.setattr(Journal, name, _named(stage, name, getattr(Journal, name)))
        yield stage


def _named(stage: Stage, name: str, unit: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*given: Any, **more: Any) -> Any:
        stage.units.append(name)
        return unit(*given, **more)

    return noted


def _raises(error: BaseException) -> Callable[..., Any]:
    def function(*_given: Any, **_more: Any) -> Any:
        raise error

    return function


def _forget_keys(stage: Stage) -> None:
    """Let keys be as those of another process, which this one has not seen."""
    SeenKeys.of(stage.database)._seen.clear()


def _read(stage: Stage) -> None:
    stage.call("read")


def _write(stage: Stage) -> None:
    stage.call()


def _refused(stage: Stage) -> None:
    stage.call(inputs={"number": "many"})


def _limited(stage: Stage) -> None:
    """Its workspace runs no more calls."""
    workspaces = Workspaces(stage.database, stage.jackfield.storage.vault, SystemClock())
    workspaces.set("default", {"limits": {"concurrent": 0}})
    try:
        stage.call()
    finally:
        workspaces.set("default", {"limits": {"concurrent": None}})


def _keyed_elsewhere(stage: Stage) -> None:
    """Two processes call with one key."""
    stage.call(idempotencyKey="k")
    _forget_keys(stage)
    stage.call(idempotencyKey="k")


def _keyed_again(stage: Stage) -> None:
    """One process calls twice with one key."""
    for _ in range(2):
        stage.call(idempotencyKey="k")


def _refused_late(stage: Stage) -> None:
    """A repeat in another process is refused before its key was looked for, and a first call as
    well.
    """
    stage.call(idempotencyKey="k")
    _forget_keys(stage)
    stage.call(idempotencyKey="k", jobTimeoutSeconds=60)
    stage.call(idempotencyKey="l", jobTimeoutSeconds=60)


def _interrupted_unseen(stage: Stage) -> None:
    with mock.patch.object(Record, "weigh", _raises(KeyboardInterrupt())):
        stage.call(idempotencyKey="k")


@contextmanager
def _first(
    stage: Stage, error: Exception, *, is_written: bool = False, for_good: bool = False
) -> Iterator[None]:
    """Let the next commit that somebody waits for fail, though its statements may be there.
    ``for_good``: later ones are not written.
    """
    database, record = type(stage.database), type(stage.database).record
    left = [error]

    def once(self: Any, unit: Any, *given: Any, **more: Any) -> Any:
        if left and is_written:
            record(self, unit, *given, **more)
        if left:
            raise left.pop()
        return record(self, unit, *given, **more)

    with mock.patch.object(database, "record", once), ExitStack() as stack:
        if for_good:
            stack.enter_context(
                mock.patch.object(database, "defer", _raises(Unavailable("the database is gone")))
            )
        yield


def _not_written(stage: Stage) -> None:
    """The database refuses the begin."""
    with _first(stage, Unavailable("the disk is full"), for_good=True):
        stage.call()


def _unknown(stage: Stage) -> None:
    """The begin is committed, and nobody says so."""
    with _first(stage, CommitUnknown("the database went away"), is_written=True, for_good=True):
        stage.call()


def _interrupted(stage: Stage) -> None:
    """Ctrl-C while a write runs, and while a read does."""
    stage.turn = _raises(KeyboardInterrupt())
    stage.call()
    stage.call("read")


def _job(stage: Stage) -> None:
    stage.call("startWrite", timeoutSeconds=0.5)


def _job_of_a_read(stage: Stage) -> None:
    stage.call("startRead", timeoutSeconds=0.5)


def _queued(stage: Stage) -> None:
    stage.run(stage.queued())


def _queued_refused(stage: Stage) -> None:
    """It is taken from the queue, and refused before it begins."""
    claimed = stage.queued()
    with mock.patch.object(Record, "weigh", _raises(Unavailable("no"))):
        stage.run(claimed)


def _queued_not_yet(stage: Stage) -> None:
    """Its action asks to be called later, once it has begun."""
    stage.turn = _raises(NotYet("later", within=3600.0, retry_after=60.0, sent=Sent.REFUSED))
    stage.run(stage.queued())


def _queued_not_yet_before(stage: Stage) -> None:
    claimed = stage.queued()
    with mock.patch.object(
        Record, "weigh", _raises(NotYet("later", within=3600.0, retry_after=60.0))
    ):
        stage.run(claimed)


def _queued_interrupted(stage: Stage) -> None:
    """Its process stops before it begins."""
    claimed = stage.queued()
    with mock.patch.object(Record, "weigh", _raises(KeyboardInterrupt())):
        stage.run(claimed)


def _queued_stopped(stage: Stage) -> None:
    """Its process stops once it has begun, and before it sends."""
    claimed = stage.queued()
    with mock.patch.object(Attempts, "page", _raises(KeyboardInterrupt())):
        stage.run(claimed)


def _queued_twice(stage: Stage) -> None:
    """The same claim comes twice: the first of them goes on."""
    claimed = stage.queued()
    stage.turn = lambda: stage.run(claimed)
    stage.run(claimed)


def _queued_cancelled(stage: Stage) -> None:
    """It is cancelled between its claim and its begin."""
    claimed = stage.queued()
    assert stage.jackfield.cancel(claimed.id)
    stage.run(claimed)


def _queued_not_written(stage: Stage) -> None:
    """The database refuses its begin."""
    claimed = stage.queued()
    with _first(stage, Unavailable("the disk is full")):
        stage.run(claimed)


def _key_service(stage: Stage) -> None:
    """The key for its Result has to be asked for, and is there."""
    _ask_service(stage)


def _key_service_gone(stage: Stage) -> None:
    _ask_service(stage, Unavailable("the key service is gone"))


def _key_service_later(stage: Stage) -> None:
    _ask_service(stage, NotYet("the key service starts", within=3600.0, retry_after=60.0))


def _key_service_interrupted(stage: Stage) -> None:
    _ask_service(stage, KeyboardInterrupt())


def _ask_service(stage: Stage, error: BaseException | None = None) -> None:
    assert stage.jackfield.journal is not None
    keys, claimed = stage.jackfield.journal.keys, stage.queued()
    keys.services.asked = True
    with mock.patch.object(type(keys), "are_ready", return_value=False), ExitStack() as stack:
        if error is not None:
            stack.enter_context(mock.patch.object(type(keys), "prepare", _raises(error)))
        stage.run(claimed)


def _ends(row: str, requests: int, units: str, told: str, *, owes: bool = False) -> dict[str, Any]:
    return {
        "rows": row.split("; ") if row else [],
        "requests": requests,
        "units": units.split(),
        "told": told.split("; "),
        "owes": owes,
    }


SCENES: dict[Callable[[Stage], None], dict[str, Any]] = {
    _read: _ends("succeeded, begun", 1, "starting recording", "succeeded None"),
    _write: _ends("succeeded, begun", 1, "starting finishing", "succeeded None"),
    _refused: _ends("failed", 0, "recording", "failed invalid_input"),
    _limited: _ends("", 0, "", "failed rate_limited"),
    _keyed_elsewhere: _ends(
        "succeeded, begun",
        1,
        "starting finishing starting",
        "succeeded None; succeeded None replayed",
    ),
    _keyed_again: _ends(
        "succeeded, begun", 1, "starting finishing", "succeeded None; succeeded None replayed"
    ),
    _refused_late: _ends(
        "succeeded, begun; failed",
        1,
        "starting finishing recording",
        "succeeded None; succeeded None replayed; failed invalid_invocation",
    ),
    _interrupted_unseen: _ends("failed", 0, "recording", "interrupted"),
    _not_written: _ends("", 0, "starting recording", "failed unavailable"),
    _unknown: _ends("failed, begun", 0, "starting recording", "failed unavailable", owes=True),
    _interrupted: _ends(
        "in_doubt, begun; failed, begun",
        2,
        "starting finishing starting finishing",
        "interrupted; interrupted",
    ),
    _job: _ends("running, begun", 1, "starting", "running None"),
    _job_of_a_read: _ends("running, begun", 1, "starting", "running None"),
    _queued: _ends("succeeded, begun", 1, "beginning finishing", "succeeded None"),
    _queued_refused: _ends("failed", 0, "finishing", "failed unavailable"),
    _queued_not_yet: _ends("queued", 1, "beginning finishing requeueing", "failed timeout"),
    _queued_not_yet_before: _ends("failed", 0, "finishing requeueing", "failed timeout"),
    _queued_interrupted: _ends("queued", 0, "giving_back", "interrupted"),
    _queued_stopped: _ends("queued", 0, "beginning giving_back", "interrupted"),
    _queued_twice: _ends(
        "succeeded, begun", 1, "beginning finishing", "failed cancelled; succeeded None"
    ),
    _queued_cancelled: _ends("failed", 0, "beginning finishing", "failed cancelled"),
    _queued_not_written: _ends("queued", 0, "beginning giving_back", "failed unavailable"),
    _key_service: _ends("succeeded, begun", 1, "beginning finishing", "succeeded None"),
    _key_service_gone: _ends("queued", 0, "giving_back", "failed unavailable"),
    _key_service_later: _ends("queued", 0, "giving_back", "failed timeout"),
    _key_service_interrupted: _ends("queued", 0, "giving_back", "interrupted"),
}
"""What is seen in the end, by the calls that are made."""

PATHS: dict[Callable[[Stage], None], str] = {
    _read: "deferred; done: replace",
    _write: "unsure; begun; done: finish",
    _refused: "done: whole",
    _limited: "left",
    _keyed_elsewhere: "unseen; unsure; begun; done: finish; unseen; unsure; draft; left",
    _keyed_again: "unseen; unsure; begun; done: finish; left",
    _refused_late: "unseen; unsure; begun; done: finish; unseen; draft; left; unseen; draft; done: whole",
    _interrupted_unseen: "unseen; done: whole",
    _not_written: "unsure; draft; done: whole",
    _unknown: "unsure; unsure; done: whole",
    _interrupted: "unsure; begun; done: finish; deferred; done: replace",
    _job: "unsure; begun; left",
    _job_of_a_read: "deferred; left",
    _queued: "begun; done: finish",
    _queued_refused: "done: finish",
    _queued_not_yet: "begun; done: requeue",
    _queued_not_yet_before: "done: requeue",
    _queued_interrupted: "done: give back",
    _queued_stopped: "begun; done: give back",
    _queued_twice: "begun; left; done: finish",
    _queued_cancelled: "claimed; done: finish",
    _queued_not_written: "returning; done: give back",
    _key_service: "returning; claimed; begun; done: finish",
    _key_service_gone: "returning; done: give back",
    _key_service_later: "returning; done: give back",
    _key_service_interrupted: "returning; done: give back",
}
"""The states that the rows of these calls come to, each with what it chooses to write."""

CELLS: dict[Cell, tuple[Callable[[Stage], None], tuple[str, str | None]]] = {
    (s.DRAFT, s.PUT_OFF): (_refused_late, (s.DRAFT, None)),
    (s.UNSEEN, s.LOOKED_FOR): (_refused_late, (s.UNSEEN, None)),
    (s.DRAFT, s.ANSWERED): (_keyed_again, (s.DRAFT, None)),
    (s.DRAFT, s.SET_ASIDE): (_limited, (s.DRAFT, None)),
    (s.DRAFT, s.BEGIN): (_write, (s.DRAFT, None)),
    (s.UNSEEN, s.BEGIN): (_keyed_elsewhere, (s.UNSEEN, None)),
    (s.UNSURE, s.WRITTEN): (_write, (s.UNSURE, None)),
    (s.UNSURE, s.KEY_HELD): (_keyed_elsewhere, (s.UNSURE, None)),
    (s.UNSURE, s.REFUSED): (_not_written, (s.UNSURE, None)),
    (s.UNSURE, s.UNKNOWN): (_unknown, (s.DRAFT, None)),
    (s.DRAFT, s.BEGIN_LAZILY): (_read, (s.BEGUN, None)),
    (s.CLAIMED, s.PREPARES): (_key_service, (s.CLAIMED, None)),
    (s.RETURNING, s.PREPARED): (_key_service, (s.RETURNING, None)),
    (s.CLAIMED, s.RUNS_HERE): (_queued_twice, (s.CLAIMED, None)),
    (s.CLAIMED, s.WRITTEN): (_queued, (s.DRAFT, None)),
    (s.CLAIMED, s.REFUSED): (_queued_not_written, (s.CLAIMED, None)),
    (s.CLAIMED, s.TAKEN): (_queued_cancelled, (s.RETURNING, None)),
    (s.BEGUN, s.JOB_STORED): (_job, (s.BEGUN, None)),
    (s.DEFERRED, s.JOB_STORED): (_job_of_a_read, (s.DEFERRED, None)),
    (s.DRAFT, s.END): (_refused, (s.DONE, s.FINISH)),
    (s.UNSEEN, s.END): (_interrupted_unseen, (s.DONE, s.FINISH)),
    (s.UNSURE, s.END): (_unknown, (s.DONE, s.FINISH)),
    (s.DEFERRED, s.END): (_read, (s.DONE, s.FINISH)),
    (s.CLAIMED, s.END): (_queued_refused, (s.DONE, s.GIVE_BACK)),
    (s.BEGUN, s.END): (_write, (s.DONE, s.WHOLE)),
    (s.RETURNING, s.END): (_key_service_gone, (s.DONE, s.FINISH)),
    (s.CLAIMED, s.NOT_YET): (_queued_not_yet_before, (s.DONE, s.FINISH)),
    (s.BEGUN, s.NOT_YET): (_queued_not_yet, (s.DONE, s.FINISH)),
    (s.RETURNING, s.NOT_YET): (_key_service_later, (s.DONE, s.FINISH)),
    (s.CLAIMED, s.NOTHING_SENT): (_queued_interrupted, (s.DONE, s.FINISH)),
    (s.BEGUN, s.NOTHING_SENT): (_queued_stopped, (s.DONE, s.FINISH)),
    (s.RETURNING, s.NOTHING_SENT): (_key_service_interrupted, (s.DONE, s.FINISH)),
}
"""The calls that play each cell, and a mistake in it that they must show."""


def test_each_cell_is_played(database_url: str, tmp_path: Path) -> None:
    """The calls pass each cell that they are there for; rows, requests, statements and what callers
    are told are as they should be.
    """
    open_database(database_url, migrate=True).close()
    for number, (scene, expected) in enumerate(SCENES.items()):
        with _staged(tmp_path / str(number), database_url) as stage:
            scene(stage)
            assert (scene.__name__, stage.seen()) == (scene.__name__, expected)
            assert (scene.__name__, "; ".join(stage.path)) == (scene.__name__, PATHS[scene])
            assert {cell for cell, (player, _) in CELLS.items() if player is scene} <= set(
                stage.cells
            )
        with closing(open_database(database_url)) as database, database.write() as transaction:
            transaction.change("DELETE FROM invocations")


@pytest.mark.parametrize("cell", CELLS, ids=" + ".join)
def test_a_cell_matters(tmp_path: Path, cell: Cell) -> None:
    """With a mistake in it, its calls do not end as they should."""
    scene, mistake = CELLS[cell]
    with (
        _staged(tmp_path / "home", f"sqlite:///{tmp_path / 'jackfield.db'}") as stage,
        mock.patch.object(s, "TABLE", {**s.TABLE, cell: mistake}),
    ):
        try:
            scene(stage)
            found = stage.seen()
        except KeyError:  # an event that does not happen in the wrong state
            return
    assert found != SCENES[scene]


def test_the_table_is_whole() -> None:
    """Each cell has its calls; each state, event and statement is named there, and has its
    sentence.
    """
    assert set(CELLS) == set(s.TABLE)
    assert {state for state, _ in s.TABLE} | {after for after, _ in s.TABLE.values()} == set(
        s.STATES
    )
    assert {event for _, event in s.TABLE} == set(s.EVENTS)
    assert {statement for _, statement in s.TABLE.values()} - {None} == set(s.STATEMENTS)
