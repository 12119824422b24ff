"""One damaged row stops no loop: a database with a workspace for each table whose rows of it are
damaged, under every process that has loops. The work of the healthy workspace goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.doubts.doubt_stage import bureau
from tests.jackfield_store.jobs.job_stage import Folder, furnace

from jackfield import Result
from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield.connector.grants import Grant
from jackfield.kernel.clock import SystemClock, iso
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.connect.connecting import open_sessions
from jackfield_service.subjects.events.numbering import Numbering
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.connections.revocations import Revocations
from jackfield_store.database import Database, Transaction
from jackfield_store.database.outbox import record
from jackfield_store.database.table_shapes import TableShape, shape_of, tables_of_workspaces
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from jackfield_store.runtime.runtime_pool import RuntimePool
from plugboard import make_echo, plugged
from processes import variables
from receiver import Receiver, receiving
from waiting import until

HEALTHY, QUEUED = "z-healthy", "a-queued"
WEIGH = {"connector": "furnace", "action": "weigh", "inputs": {}}
MELT = {"connector": "furnace", "action": "melt", "inputs": {}}
CARRY = {"connector": "furnace", "action": "carry", "inputs": {}}
TICKET = {"connector": "bureau", "action": "createTicket", "connection": "desk", "inputs": {}}
ENTRIES = {
    "server": ("serve", "--port", "0", "--queue-workers", "4"),
    "worker": ("worker",),
    "celery": ("worker",),
}
_TIMES, _STATES = ("_at", "_until", "_after"), {"name", "status", "state", "kind"}
"""Ends of the names of columns of times, and columns that say which rows are due."""
CONTENTS: dict[str, tuple[Any, ...]] = {
    "cut": ("[[", b"[["),
    "other": (-7, "-7", b"-7"),
    "list": ("[]", b"[]"),
    "null": ("null", b"null"),
    "zone": ('{"every": "1d", "timezone": "Nowhere/None"}', b"{}"),
    "blank": (" ", b" "),
    "none": (None,),
    "unsealed": ("\u202e", b"\xff" * 64),
    "huge": (2**63 - 1, 2**31 - 1, 1e308, b"\x01" * 64),
}
TIMES: dict[str, tuple[Any, ...]] = {
    "before": (-1e308,),
    "year0": (-62_198_755_200.0,),
    "year12000": (316_516_032_000.0,),
}
STATES: dict[str, tuple[Any, ...]] = {"unheard": ("unheard",)}
DAMAGES = {**CONTENTS, **TIMES, **STATES}
"""Values that are written, by the kind of damage; of several, the first that the database takes."""
UNREAD = (
    dict.fromkeys(
        (
            "authorizations",
            "client_registrations",
            "console_sessions",
            "file_connection_tests",
            "grants",
            "leases",
            "mcp_servers",
            "oauth_clients",
            "external_ids",
            "paces",
            "record_reads",
            "applied",
            "quota_counts",
        ),
        "read by calls and requests of the workspace alone",
    )
    | dict.fromkeys(
        (
            "doubt_markers",
            "event_keys",
            "file_holds",
            "invocation_references",
            "invocation_terms",
            "marked_events",
            "outcomes",
            "subscription_items",
            "workspace_wrappers",
            "callback_positions",
        ),
        "read within the work on one row of another table, which is done apart",
    )
    | {
        "blocked_workspaces": "read for people alone",
        "queue_budgets": "one that cannot be read begins anew",
        "quota_places": "recovery reads nothing of them but their keys",
    }
)
"""Tables that no loop reads for several workspaces, and why: a new table needs rows here, or a
reason.
"""

_SLOT = """
INSERT INTO schedule_slots (workspace, schedule_id, slot, last, slots, outcome)
SELECT workspace, id, 1.0, 1.0, 1, 'waiting' FROM schedules WHERE workspace = :workspace
"""
_DELIVERY = """
INSERT INTO deliveries (workspace, callback, sequence, id, event, type, state, attempts, next_at, held_until, ended_at, created_at)
SELECT workspace, id, :sequence, :state, 'e', 'quota.low', :state, 1, 1.0, 0.0, 1.0, 1.0 FROM callbacks WHERE workspace = :workspace
"""
_COUNTS = """
INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations, attempts, timed,
    seconds, longest)
VALUES (:workspace, 60, :slot, 'echo', 'say', 'succeeded', '', 1, :shard, 1, 1, 1, 1.0, 1.0)
"""
_OF = "WHERE workspace = :name"
KEPT = {
    "retention of events": f"SELECT 1 FROM events {_OF} AND sequence = 1",
    "retention of deliveries": f"SELECT 1 FROM deliveries {_OF} AND ended_at = 1.0",
    "statistics": (
        f"SELECT 1 FROM invocation_counts {_OF} AND width = 60 AND action = 'say' AND shard > 0"
    ),
    "waiting slots": f"SELECT 1 FROM schedule_slots {_OF} AND slot = 1.0 AND outcome = 'waiting'",
}
"""What of the healthy workspace is there until every process's loops have ended it."""
SWEPT = {
    "expired files": f"SELECT 1 FROM files {_OF}",
    "connect sessions": f"SELECT 1 FROM connect_sessions {_OF} AND status <> 'expired'",
    "revocations": f"SELECT 1 FROM revocations {_OF}",
}
"""The same of the sweeps of a server."""


class Street:
    """A database with a healthy workspace and two for each table: one whose contents are damaged,
    and one whose times are.
    """

    def __init__(
        self, environment: dict[str, str], receiver: Receiver, kinds: Collection[str]
    ) -> None:
        self.pool, self.clock, self.receiver = RuntimePool(environment), SystemClock(), receiver
        self.folder = Path(environment["BUREAU"])
        self.ids: dict[str, str] = {}
        self.kinds = kinds
        self.late_at = 0.0
        """When what is queued too late has expired, by the clock."""
        self.without: set[str] = set()
        """Loops that the process under test does not run."""
        self.tables = {shape.name: shape for shape in tables_of_workspaces(self.database)}
        with self.database.read() as transaction:
            self.tables["workspaces"] = shape_of(transaction, self.database.dialect, "workspaces")
        self.rooms: list[str] = []

    @property
    def database(self) -> Database:
        """The database of all."""
        return self.pool.storage.database

    def furnish(self) -> None:
        """Give the healthy workspace work of every kind, all of it due, and the same to one for
        each kind of damage of each table.
        """
        workspaces = Workspaces(self.database, self.pool.storage.vault, self.clock)
        self.ids = self._begun([HEALTHY])
        self._furnish(self.pool.find(HEALTHY))
        self.rooms = [
            room(how, table)
            for table in self.reached()
            for how in self.kinds
            if self.columns(table, how)
        ]
        self._begun(self.rooms)
        for name in self.rooms:
            self._furnish(self.pool.find(name))
        # after the jobs: those that begin them take whatever is queued
        for name in (*self.rooms, HEALTHY):
            self.ids |= self._enqueue(self.pool.find(name))
        workspaces.create(QUEUED)  # no other loop meets it first, and blocks it
        self.pool.find(QUEUED).enqueue(WEIGH)
        with self.database.write() as transaction:
            for table, due in {
                "schedules": "wake_at",
                "subscriptions": "wake_at",
                "doubts": "look_at",
                "revocations": "wake_at",
            }.items():
                transaction.change(f"UPDATE {table} SET {due} = 1.0 WHERE {due} IS NOT NULL", {})
            transaction.change(
                "UPDATE invocations SET status = 'running', owner = 'gone', effect = 'write' "
                "WHERE priority = 7",
                {},
            )

    def _begun(self, names: list[str]) -> dict[str, str]:
        """Create workspaces, and let a job be under way in each."""
        workspaces = Workspaces(self.database, self.pool.storage.vault, self.clock)
        for name in names:
            workspaces.create(name)
            workspaces.set(
                name,
                {
                    "rules": {"approve": ["furnace/carry"]},
                    "limits": {"concurrent": 9},
                    "queueRate": 100,
                },
            )
            self.pool.find(name).enqueue(MELT)
        claimed = Queue(self.database, self.clock).claim(1000)
        for one in claimed:
            self.pool.find(one.workspace).run(one)
        return {"melt": claimed[0].id}

    def reached(self) -> list[str]:
        """Return the tables that have rows of the healthy workspace."""
        with self.database.read() as transaction:
            return [
                shape.name
                for shape in self.tables.values()
                if transaction.execute(
                    f"SELECT 1 FROM {shape.name} WHERE {_owner(shape)} = :name LIMIT 1",
                    {"name": HEALTHY},
                )
            ]

    def _furnish(self, runtime: Jackfield) -> None:
        name, actor, vault = runtime.workspace, Actor("library"), self.pool.storage.vault
        runtime.connections.add("hall", "echo/token", {"token": "secret-4711"})
        runtime.connections.add("desk", "bureau/desk", {"token": "secret-4711"})
        (self.folder / "script").write_text('["cut"]')
        doubt = runtime.invoke({**TICKET, "inputs": {"subject": name}})
        carry = runtime.enqueue({**CARRY, "notAfter": iso(self.clock.time() + 2.0)})
        assert doubt.status == "in_doubt", doubt
        WorkspaceSchedules(runtime, LIBRARY, actor).add(
            {"name": "one", "invocation": WEIGH, "every": "1s"}
        )
        watches = WorkspaceSubscriptions(runtime, LIBRARY, actor, "https://jackfield.example")
        watches.add({"name": "one", "trigger": "echo/notes", "connection": "hall"})
        Callbacks(self.database, vault, name, self.clock, actor, origin="operator").create(
            {"url": self.receiver.url}
        )
        Tokens(self.database, vault, name, self.clock).create("manage")
        self._furnish_sweeps(runtime)
        self.database.record(
            lambda transaction: record(transaction, name, "quota.low", name, self.clock.time(), {})
        )
        assert isinstance(carry, Result)  # it waits for somebody's approval
        if name == HEALTHY:
            self.ids |= {"doubt": doubt.meta.invocation_id, "carry": carry.meta.invocation_id}

    def _enqueue(self, runtime: Jackfield) -> dict[str, str]:
        """Queue what is due, what is too late once the process begins, and what is made the rest of
        a process that died.
        """
        self.late_at = self.clock.time() + 2.0
        queued: dict[str, dict[str, Any]] = {
            "weigh": WEIGH,
            "late": {**WEIGH, "notAfter": iso(self.late_at)},
            "lost": {**WEIGH, "priority": 7},
        }
        found = {what: runtime.enqueue(given) for what, given in queued.items()}
        return {
            what: one.meta.invocation_id if isinstance(one, Result) else one
            for what, one in found.items()
        }

    def _furnish_sweeps(self, runtime: Jackfield) -> None:
        """Give it what is swept: a file, a connect session, an approval to revoke; and what is past
        its retention.
        """
        name, vault, now = runtime.workspace, self.pool.storage.vault, self.clock.time()
        runtime.files.store(name, [b"content"], "text/plain")
        open_sessions(runtime, self.clock).create(
            {"verify": "link", "types": ["echo/token"], "expiresIn": 1}, Actor("library")
        )
        revocations, stored = (
            Revocations(self.database, lambda: vault, name, self.clock),
            runtime.connections.find("hall"),
        )
        Numbering(self.database, vault).run(name)

        def unit(transaction: Transaction) -> None:
            revocations.note(transaction, name, stored, Grant({"token": "t"}))
            transaction.change(_SLOT, {"workspace": name})
            for sequence, state in ((1, "delivered"), (2, "dead")):
                transaction.change(
                    _DELIVERY, {"workspace": name, "sequence": 10**6 + sequence, "state": state}
                )
            for shard in (1, 2):
                transaction.change(
                    _COUNTS,
                    {"workspace": name, "shard": shard, "slot": int(now) // 60 * 60 - 86_400},
                )
            transaction.change(
                "UPDATE events SET at = 1.0 WHERE workspace = :workspace AND sequence = 1",
                {"workspace": name},
            )
            transaction.change(
                "UPDATE files SET expires_at = 1.0 WHERE workspace = :workspace",
                {"workspace": name},
            )

        self.database.record(unit)

    def columns(self, table: str, how: str) -> list[str]:
        """Return the columns of a table to which a kind of damage is done."""
        shape, kinds = (
            self.tables[table],
            {
                **dict.fromkeys(CONTENTS, "content"),
                **dict.fromkeys(TIMES, "time"),
                **dict.fromkeys(STATES, "state"),
            },
        )
        found = sorted(set(shape.columns) - set(shape.key) - {"workspace"})
        return [
            name
            for name in found
            if kinds[how]
            == ("time" if name.endswith(_TIMES) else "state" if name in _STATES else "content")
        ]

    def damage(self) -> None:
        """Damage the rows: each table's in its own workspaces, each kind of damage in one of
        them.
        """
        assert self._changed(
            f"UPDATE workspaces SET seal = NULL WHERE name = '{QUEUED}' AND :value = 0", 0
        )
        for table in self.reached():
            for how in self.kinds:
                for name in self.columns(table, how):
                    statement = (
                        f"UPDATE {table} SET {name} = :value WHERE "
                        f"{_owner(self.tables[table])} = '{room(how, table)}'"
                    )
                    any(self._changed(statement, value) for value in DAMAGES[how])

    def _changed(self, statement: str, value: Any) -> int:
        try:
            with self.database.write() as transaction:
                return transaction.change(statement, {"value": value})
        except Exception:  # noqa: BLE001 (the database refuses such a value, which is as good)
            return 0

    def left(self) -> dict[str, Any]:
        """What of the healthy workspace is not done yet."""
        runtime = self.pool.find(HEALTHY)
        journal = runtime.journal
        assert journal is not None
        done = {what: journal.find(identifier).status for what, identifier in self.ids.items()}
        wanted = {
            "weigh": "succeeded",
            "melt": "succeeded",
            "doubt": "succeeded",
            "late": "failed",
            "carry": "failed",
            "lost": "in_doubt",
        }
        left: dict[str, Any] = {
            what: done[what] for what, status in wanted.items() if done[what] != status
        }
        if not any(
            entry.context.get("labels", {}).get("schedule")
            for entry in journal.entries()[0]
            if entry.status == "succeeded"
        ):
            left["schedule"] = "no slot has run"
        with self.database.read() as transaction:
            (watched,) = transaction.execute(
                "SELECT wake_at FROM subscriptions WHERE workspace = :name", {"name": HEALTHY}
            )
        if watched.wake_at == 1.0:
            left["subscription"] = "it was not polled"
        for what, statement in (KEPT if "sweeps" in self.without else {**KEPT, **SWEPT}).items():
            with self.database.read() as transaction:
                if transaction.execute(statement, {"name": HEALTHY}):
                    left[what] = "it is still there"
        if not any(
            HEALTHY in got.body.decode() and "quota.low" in got.body.decode()
            for got in list(self.receiver.got)
        ):
            left["callback"] = "no event was delivered"
        return left


def room(how: str, table: str) -> str:
    """Return the name of the workspace whose rows of a table are damaged in one way."""
    return f"a-{table}-{how}".replace("_", "-")


def _owner(shape: TableShape) -> str:
    return "workspace" if "workspace" in shape.columns else "name"


@contextmanager
def street(
    folder: Path, database_url: str, kinds: Collection[str], **more: str
) -> Iterator[tuple[Street, dict[str, str], Folder]]:
    """Furnish the workspaces over a database."""
    paths = make_echo(folder / "echo")
    with (
        receiving() as receiver,
        bureau(folder),
        variables(
            folder, database_url, FURNACE=str(folder / "furnace"), JACKFIELD_SETTLE="on", **more
        ) as environment,
        plugged(*paths),
        furnace(folder) as provider,
    ):
        found = Street(environment, receiver, kinds)
        with closing(found.pool):
            found.furnish()
            paths += [str(folder / "plugs"), str(folder / "plugged")]
            yield found, {**environment, "PYTHONPATH": os.pathsep.join(paths)}, provider


@contextmanager
def _process(entry: str, environment: dict[str, str], log: Path) -> Iterator[Callable[[], str]]:
    command = [sys.executable, "-m", "jackfield", *ENTRIES[entry]]
    with (
        log.open("w") as file,
        subprocess.Popen(command, env=environment, stderr=file, stdout=file) as process,
    ):
        try:
            yield (
                lambda: (
                    log.read_text(errors="replace")
                    if process.poll() is None
                    else f"ended: {log.read_text(errors='replace')}"
                )
            )
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("entry", ENTRIES)
def test_one_damaged_row_stops_no_loop(
    tmp_path: Path, database_url: str, entry: str, request: pytest.FixtureRequest
) -> None:
    """Each table's rows of a workspace of its own are damaged; a server, a worker and a worker of
    Celery do the work of the healthy one, and say once what they leave out of those whose settings
    are damaged.
    """
    more = (
        {"JACKFIELD_QUEUE_URL": request.getfixturevalue("redis").url} if entry == "celery" else {}
    )
    # together, the entries meet all kinds on each database
    kinds = [*DAMAGES][[*ENTRIES].index(entry) :: len(ENTRIES)]
    with street(tmp_path, database_url, kinds, **more) as (stage, environment, provider):
        stage.damage()
        reached = set(stage.reached())
        assert reached | UNREAD.keys() == stage.tables.keys(), sorted(
            (reached | UNREAD.keys()) ^ stage.tables.keys()
        )
        provider.answers({"weight": 7})
        until(lambda: stage.clock.time() > stage.late_at)
        stage.without = set() if entry == "server" else {"sweeps"}
        with _process(entry, environment, tmp_path / "log") as log:
            until(lambda: not stage.left() or log().startswith("ended"), 1200)
            assert not stage.left(), (stage.left(), log()[-5000:])
        text = log()
    for how in CONTENTS.keys() & set(kinds):
        assert text.count(f"due of the workspace '{room(how, 'workspaces')}' waits") == 1, text[
            -5000:
        ]
    assert "Traceback" not in text
