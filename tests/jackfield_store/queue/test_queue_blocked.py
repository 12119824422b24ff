"""One workspace never stops another: each loop over the rows of many, with one workspace that
cannot be served among healthy ones.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_store.jobs.job_stage import furnace
from tests.jackfield_vault.vault_server import VaultServer

from clocks import look_while_due
from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield_celery.outbox import Outbox
from jackfield_service.shell.process.metrics import Metrics
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_service.subjects.schedules.loop import Scheduler
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.loop import TriggerLoop
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.access import Workspaces
from jackfield_store.connections.revocations import DueRevocations
from jackfield_store.database.blocked import blocked_workspaces
from jackfield_store.database.due_rows import readable
from jackfield_store.database.outbox import record
from jackfield_store.journal import Queue
from jackfield_store.journal.jobs import DueJobs
from jackfield_store.journal.queue_stats import queue_stats
from jackfield_store.journal.recovery import Recovery
from jackfield_store.keys import MasterKey
from jackfield_store.management.conditions import blocked_warning
from jackfield_store.queue import LocalEngine
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.poller import Poller
from plugboard import make_echo, plugged
from processes import Processes, variables
from receiver import Receiver, receiving
from waiting import until

HEALTHY = [f"h{number:02}" for number in range(20)]
SICK = "a-sick"
"""Its name is the first, so that every selection meets it before the others."""
WEIGH = {"connector": "furnace", "action": "weigh", "inputs": {}}
MELT = {"connector": "furnace", "action": "melt", "inputs": {}}
POISONS = ("denied", "hanging", "silent", "seal", "data key", "counter")
_COUNTERS = {"invocations": "delivery", "schedules": "claim", "subscriptions": "claim"}
"""What claims of a row raise by one, by table."""


class Hall(Processes):
    """Processes over one database with twenty healthy workspaces and one that can be poisoned."""

    def __init__(self, environment: dict[str, str], vault: VaultServer) -> None:
        super().__init__(environment)
        self.vault, self.over = vault, threading.Event()
        workspaces = Workspaces(self.database, self.pool.storage.vault, self.clock)
        for name in (*HEALTHY, SICK):
            workspaces.create(name)
        vault.transit.make("cust")
        self.pool.storage.vault.assign(SICK, "vault-transit://transit/cust")

    def everywhere(self, step: Callable[[Jackfield], object]) -> None:
        """Do a step in each workspace."""
        for name in (*HEALTHY, SICK):
            step(self.pool.find(name))

    def poison(self, how: str) -> None:
        """Make a workspace impossible to serve, and begin a process that does not know it."""
        if how == "denied":
            self.vault.transit.denied.add("cust")
        elif how == "hanging":
            self.vault.transit.before = self.over.wait
        elif how == "silent":
            self.vault.status = 503
        elif how == "counter":
            most = 2 ** (63 if self.database.dialect.name == "sqlite" else 31) - 1
            with self.database.write() as transaction:
                for table, name in _COUNTERS.items():
                    transaction.change(
                        f"UPDATE {table} SET {name} = :most WHERE workspace = '{SICK}'",
                        {"most": most},
                    )
        else:
            statement = (
                "UPDATE workspaces SET seal = NULL WHERE name"
                if how == "seal"
                else "UPDATE data_keys SET wrapped = :x WHERE workspace"
            )
            with self.database.write() as transaction:
                transaction.change(
                    f"{statement} = '{SICK}'", {} if how == "seal" else {"x": b"vault:v1:AAAA"}
                )
        self.begin()

    def heal(self, how: str) -> None:
        """Take the poison away that can be taken away."""
        self.vault.transit.denied.clear()
        self.vault.status = None
        self.over.set()


@pytest.fixture
def hall(tmp_path: Path, database_url: str) -> Iterator[Hall]:
    """The workspaces, on SQLite and PostgreSQL in turn."""
    with (
        VaultServer() as vault,
        variables(
            tmp_path, database_url, FURNACE=str(tmp_path / "furnace"), **vault.environment()
        ) as environment,
        # the pause of a service that is silent is by the machine's clock
        mock.patch("jackfield_store.keys.key_wrappers._PAUSE", 0.0),
        plugged(*make_echo(tmp_path / "echo")),
        furnace(tmp_path),
    ):
        import_module("jackfield_echo.watching").NOTES.clear()
        with Hall(environment, vault) as made:
            try:
                yield made
            finally:
                made.over.set()


def eventually(hall: Hall, step: Callable[[], list[Any]]) -> list[Any]:
    """What a step finds, once it finds something; each try is a minute later."""
    for _ in range(100):
        hall.move(61.0)
        if found := step():
            return found
    raise AssertionError("nothing was found")


@pytest.mark.parametrize("poison", POISONS)
def test_the_queue_goes_on(hall: Hall, poison: str) -> None:
    """A claim takes the rows of all healthy workspaces, and people are told why the others wait;
    once that is over, they run, too.
    """
    hall.everywhere(lambda runtime: runtime.enqueue(WEIGH))
    hall.poison(poison)
    queue = Queue(hall.database, hall.clock, hall.pool.limits, hall.pool.blocked)
    claimed = queue.claim(40)
    if poison in {"data key", "seal", "denied"}:
        assert SICK not in {item.workspace for item in claimed}
    assert sorted(item.workspace for item in claimed if item.workspace != SICK) == HEALTHY
    results = [hall.pool.find(item.workspace).run(item) for item in claimed]
    assert {result.status for result in results} == {"succeeded"}
    if poison in ("denied", "silent"):
        hall.move(0.01)
        queue.claim(40)  # a look that has nothing to do tells what the one before has met
        (told,) = blocked_workspaces(hall.database, hall.clock.time())
        assert (told.workspace, told.code) == (SICK, "unavailable")
        assert "key service" in told.reason
        assert queue_stats(hall.database, hall.clock)[SICK]["blocked"] == told.to_json()
        assert "1 workspace is blocked" in (blocked_warning(hall.database, hall.clock) or "")
        metrics = Metrics(hall.pool.catalog)
        metrics.note_queue(hall.database, hall.clock)
        assert b"jackfield_workspaces_blocked 1.0" in metrics.text()
        hall.heal(poison)
        # its key is asked for in a thread
        late = eventually(hall, lambda: list(queue.claim(40)))[0]
        assert late.workspace == SICK
        assert hall.pool.find(SICK).run(late).status == "succeeded"
        hall.move(130.0)
        queue.claim(40)
        assert blocked_workspaces(hall.database, hall.clock.time()) == []


@pytest.mark.parametrize("poison", POISONS)
def test_a_broker_gets_the_others(hall: Hall, poison: str) -> None:
    """The dispatcher of a broker hands over what is due of all healthy workspaces."""
    hall.everywhere(lambda runtime: runtime.enqueue(WEIGH))
    hall.poison(poison)
    outbox = Outbox(hall.database, hall.clock, hall.pool.limits, blocked=hall.pool.blocked)
    assert sorted(workspace for workspace, _ in outbox.due(40) if workspace != SICK) == HEALTHY


@pytest.mark.parametrize("poison", POISONS)
def test_schedules_go_on(hall: Hall, poison: str) -> None:
    """One look queues the slots of all healthy workspaces."""
    hall.everywhere(
        lambda runtime: WorkspaceSchedules(runtime, LIBRARY, Actor("library")).add(
            {"name": "one", "invocation": WEIGH, "every": "10s"}  # in all of them at the same time
        )
    )
    hall.move(11.0)
    hall.poison(poison)
    scheduler = Scheduler(hall.pool)
    while scheduler.look() == 0.0:
        pass
    for name in HEALTHY:
        assert [entry.status for entry in hall.pool.find(name).journal.entries()[0]] == [  # type: ignore[union-attr]
            "queued"
        ], name


@pytest.mark.parametrize("poison", POISONS)
def test_polls_go_on(hall: Hall, poison: str) -> None:
    """One look polls for the subscriptions of all healthy workspaces."""

    def watch(runtime: Jackfield) -> None:
        runtime.connections.add("hall", "echo/token", {"token": "secret-4711"})
        all_ = WorkspaceSubscriptions(
            runtime, LIBRARY, Actor("library"), "https://jackfield.example"
        )
        all_.add({"name": "one", "trigger": "echo/notes", "connection": "hall"})

    hall.everywhere(watch)
    hall.move(120.0)
    import_module("jackfield_echo.watching").NOTES.append(
        {"id": "n-1", "at": hall.clock.time() - 1, "text": "hello"}
    )
    hall.poison(poison)
    look_while_due(TriggerLoop(hall.pool, lambda: "https://jackfield.example"))
    for name in HEALTHY:
        assert [event.subject for event in hall.pool.find(name).events(types=("echo.*",))], name


@pytest.mark.parametrize("poison", POISONS)
def test_jobs_go_on(hall: Hall, poison: str) -> None:
    """One look polls the jobs of all healthy workspaces."""
    hall.everywhere(lambda runtime: runtime.enqueue(MELT))
    for claimed in Queue(hall.database, hall.clock).claim(40):
        hall.pool.find(claimed.workspace).run(claimed)
    hall.move(120.0)
    hall.poison(poison)
    poller = Poller(hall.pool, lambda _result: None)
    claimed_jobs = poller.claim()
    assert isinstance(claimed_jobs, list)

    async def polls() -> None:
        await asyncio.gather(*(poller.poll(job) for job in claimed_jobs if job.workspace != SICK))

    asyncio.run(polls())
    assert sorted(job.workspace for job in claimed_jobs if job.workspace != SICK) == HEALTHY
    assert DueJobs(hall.database, hall.clock, hall.pool.blocked).wait() != 0.0


@pytest.mark.parametrize("poison", POISONS)
def test_deliveries_go_on(hall: Hall, poison: str) -> None:
    """The dispatcher numbers and delivers the events of all healthy workspaces."""

    def told(receiver: Receiver) -> list[str]:
        return sorted({got.json["data"]["subject"] for got in receiver.got} - {SICK})

    with receiving() as receiver:

        def listen(runtime: Jackfield) -> None:
            callbacks = Callbacks(
                hall.database,
                hall.pool.storage.vault,
                runtime.workspace,
                hall.clock,
                Actor("cli"),
                origin="operator",
            )
            callbacks.create({"url": f"{receiver.url}/{runtime.workspace}"})
            hall.database.record(
                lambda transaction: record(
                    transaction,
                    runtime.workspace,
                    "quota.low",
                    runtime.workspace,
                    hall.clock.time(),
                    {},
                )
            )

        hall.everywhere(listen)
        hall.poison(poison)
        dispatcher = Dispatcher(
            lambda: hall.database, lambda: hall.pool.storage.vault, hall.clock, Sender()
        )
        dispatcher.start()
        try:
            until(lambda: told(receiver) == HEALTHY)
        finally:
            dispatcher.stop()
    assert told(receiver) == HEALTHY


@pytest.mark.parametrize("poison", POISONS)
def test_recovery_goes_on(hall: Hall, poison: str) -> None:
    """What a dead process has left is recovered in all healthy workspaces."""
    hall.everywhere(lambda runtime: runtime.enqueue(WEIGH))
    lost = Queue(hall.database, hall.clock).claim(40)
    assert len(lost) == len(HEALTHY) + 1
    with hall.database.write() as transaction:
        transaction.change(
            "UPDATE invocations SET status = 'running', owner = 'gone', delivery = 0, effect = "
            "'write'",
            {},
        )
    hall.poison(poison)
    recovery = Recovery(hall.database, hall.pool.storage.vault, hall.clock, lambda: now[0])
    now = [1000.0]
    recovery.look()
    now[0] += 60.0
    recovery.look()
    now[0] += 60.0
    recovery.look()
    for name in HEALTHY:
        assert [entry.status for entry in hall.pool.find(name).journal.entries()[0]] == [  # type: ignore[union-attr]
            "in_doubt"
        ], name


@pytest.mark.parametrize("poison", ["denied", "silent", "hanging"])
def test_revocations_go_on(hall: Hall, poison: str) -> None:
    """Grants to revoke of all healthy workspaces are claimed."""
    with hall.database.write() as transaction:
        for name in (*HEALTHY, SICK):
            values = {
                "workspace": name,
                "id": f"r-{name}",
                "sealed": b"x",
                "now": hall.clock.time(),
            }
            transaction.change(
                "INSERT INTO revocations (workspace, id, sealed, claim, wake_at, created_at) "
                "VALUES (:workspace, :id, :sealed, 0, 0, :now)",
                values,
            )
    hall.poison(poison)
    rows = DueRevocations(hall.database, hall.clock, hall.pool.blocked).claimed_rows(40)
    assert sorted(row.workspace for row in rows if row.workspace != SICK) == HEALTHY


@pytest.mark.parametrize("poison", ["denied", "silent", "data key"])
def test_rotation_goes_on(hall: Hall, poison: str) -> None:
    """A rotation wraps the keys of all other workspaces, and names the one that it left."""
    hall.poison(poison)
    rotated = hall.pool.storage.vault.rotate(data_keys=True)
    assert rotated.left == (SICK,)


def test_a_damaged_shared_key_is_left_by_a_rotation(hall: Hall) -> None:
    """A key of the installation that was changed in the database keeps no other key from being
    wrapped again.
    """
    with hall.database.write() as transaction:
        transaction.change(
            "UPDATE data_keys SET wrapped = :x WHERE workspace = 'h03'", {"x": b"changed"}
        )
    hall.begin()
    rotated = hall.pool.storage.vault.rotate(MasterKey.generate())
    assert rotated.left == ("h03",)
    assert rotated.count >= len(HEALTHY) - 1


def test_rows_of_a_newer_version_wait_alone(hall: Hall) -> None:
    """A schedule that this version cannot read keeps none of the others."""
    hall.everywhere(
        lambda runtime: WorkspaceSchedules(runtime, LIBRARY, Actor("library")).add(
            {"name": "one", "invocation": WEIGH, "every": "10s"}
        )
    )
    with hall.database.write() as transaction:
        transaction.change(
            f"UPDATE schedules SET timing = '[\"a newer form\"]' WHERE workspace = '{SICK}'", {}
        )
    hall.move(11.0)
    hall.begin()
    scheduler = Scheduler(hall.pool)
    while scheduler.look() == 0.0:
        pass
    for name in HEALTHY:
        assert [entry.status for entry in hall.pool.find(name).journal.entries()[0]] == [  # type: ignore[union-attr]
            "queued"
        ], name


def test_an_engine_serves_the_others_while_a_key_service_hangs(hall: Hall) -> None:
    """The whole engine of the queue: what is queued in all healthy workspaces ends although a key
    service gives no answer.
    """
    hall.everywhere(lambda runtime: runtime.enqueue(WEIGH))
    hall.poison("hanging")
    ended: list[Any] = []

    async def serve() -> None:
        done = asyncio.Event()

        def note(result: Any) -> None:
            ended.append(result)
            if len(ended) == len(HEALTHY):
                done.set()

        engine = LocalEngine(hall.pool, 4, note)
        engine.start()
        await asyncio.wait_for(done.wait(), 60)
        await engine.stop(1.0)

    asyncio.run(serve())
    assert {result.status for result in ended} == {"succeeded"}


def test_callers_of_a_key_service_that_hangs_do_not_pile_up(hall: Hall) -> None:
    """While one thread asks the key service, others that need the same key are turned away instead
    of waiting with it.
    """
    hall.poison("hanging")
    vault, found, first = hall.pool.storage.vault, list[str](), threading.Event()

    def hang() -> None:
        first.set()
        hall.over.wait()

    hall.vault.transit.before = hang
    leader = threading.Thread(target=lambda: found.append(vault.hmac(SICK, b"x")))
    leader.start()
    assert first.wait(30)
    with pytest.raises(Exception, match="has not answered yet"):
        vault.hmac(SICK, b"x")
    hall.over.set()
    leader.join()
    assert found == [vault.hmac(SICK, b"x")]


def test_unreadable_rows_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """Rows that raise are left out, and the log names their workspace."""
    rows: Any = [
        SimpleNamespace(workspace="w1", number=0),
        SimpleNamespace(workspace="w2", number=1),
    ]
    assert readable(rows, lambda row: 1 // row.number, "thing") == [1]
    assert "a thing of the workspace 'w1' cannot be read" in caplog.text
