"""Rows of each kind that lists show, made by what makes them for people, and damage done to them
one column at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest import mock

from tests.jackfield_service.shell.pages.console_client import Place

from jackfield import Result
from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield.connector import Outcome
from jackfield.invocation.provider_ids import reference_of
from jackfield_service.subjects.callbacks import callbacks
from jackfield_service.subjects.connect.connecting import open_sessions
from jackfield_service.subjects.events.numbering import Numbering
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.access.audit import Audit
from jackfield_store.connections.manifest_table import ManifestTable
from jackfield_store.connections.oauth_client_table import OAuthClientTable
from jackfield_store.database.outbox import record
from jackfield_store.database.table_shapes import TableShape, shape_of, tables_of_workspaces
from jackfield_store.journal.outcomes import note, sealed_outcome

DAMAGES: dict[str, tuple[Any, ...]] = {
    "cut": ("[[", b"[["),
    "number": (-7, "-7", b"-7"),
    "list": ("[]", b"[]"),
    "null": ("null", b"null"),
    "zone": ('{"every": "1d", "timezone": "Nowhere/None"}', b"{}"),
    "blank": (" ", b" "),
    "empty": ("", b""),
    "none": (None,),
    "unsealed": ("\u202e", b"\xff" * 64),
    "huge": (2**63 - 1, 1e308, b"\x01" * 64),
    "least": (-(2**63), -1e308),
    "year0": (-62_198_755_200.0,),
    "year12000": (316_516_032_000.0,),
    "unheard": ("unheard",),
}
"""Values that are written, by the kind of damage; of several, the first that the database takes."""
TENANT = "acme-1"
HALL = {"connector": "echo", "connection": "hall"}
SAY, POST = (
    {**HALL, "action": "say", "inputs": {"text": "x"}},
    {**HALL, "action": "post", "inputs": {"text": "x"}},
)
_DELIVERY = """
INSERT INTO deliveries (workspace, callback, sequence, id, event, type, state, attempts, next_at, held_until, ended_at, created_at)
SELECT workspace, id, :sequence, :name, 'e', 'quota.low', :state, 1, 1.0, 0.0, 1.0, 1.0 FROM callbacks
"""
_SLOT = """
INSERT INTO schedule_slots (workspace, schedule_id, slot, last, slots, outcome, reason)
SELECT workspace, id, :sequence, 1.0, 1, 'waiting', :name FROM schedules
"""
_DOUBT = (
    "INSERT INTO doubts (workspace, id, facts, since, look_at, claim, looks) VALUES "
    "('default', :name, :sealed, 1.0, 1.0, 0, 0)"
)
_GRANT = """
INSERT INTO grants (workspace, connection_id, grant_id, sealed, scopes, granted_at, renewed_at, granted_by)
SELECT workspace, id, 'g', :sealed, '[]', 1.0, 1.0, :name FROM connections WHERE name = :name
"""
_COUNT = """
INSERT INTO invocation_counts (workspace, width, slot, connector, action, status, error_code, bucket, shard, invocations, attempts, timed,
    seconds, longest)
VALUES ('default', 3600, :slot, 'echo', :name, 'succeeded', '', :bucket, 0, 1, 1, 1, 1.0, 1.0)
"""
_EVENT_COUNT = (
    "INSERT INTO event_counts (workspace, day, events, deliveries, looks) VALUES ('default', "
    ":sequence, 1, 1, 1)"
)
_BLOCKED = (
    "INSERT INTO blocked_workspaces (workspace, code, reason, since, until) VALUES (:name, "
    "'unavailable', 'x', 1.0, 9e9)"
)


@dataclass
class Rows:
    """Rows of a database, whose makers return what tells one from the others: a value of
    ``NAMED``'s column, which lists show.
    """

    place: Place
    sequence: int = 0
    shapes: dict[str, TableShape] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make what the rows are about."""
        self.database, self.clock = self.place.host.storage.database, self.place.host.clock
        self.vault, self.actor = self.place.host.storage.vault, Actor("cli", "ada")
        self.runtime = self.place.host.runtime("default")
        self.place.workspaces.set("default", {"rules": {"approve": ["echo/post"]}})
        self.place.workspaces.create(TENANT)
        self.runtime.connections.add("hall", "echo/token", {"token": "secret-4711"})
        self.shapes |= {shape.name: shape for shape in tables_of_workspaces(self.database)}
        with self.database.read() as transaction:
            self.shapes["workspaces"] = shape_of(transaction, self.database.dialect, "workspaces")

    def make(self, table: str, count: int) -> list[str]:
        """Make rows of a table."""
        with mock.patch.object(callbacks, "MOST", 10_000):
            made = [self._make(table) for _ in range(count)]
        Numbering(self.database, self.vault).run("default")
        return made

    def _make(self, table: str) -> str:
        self.sequence += 1
        name = f"{table.replace('_', '-')}-{self.sequence:04}"
        found: str | None = getattr(self, f"_{table}", partial(self._stored, table))(name)
        return found or name

    def damage(self, table: str, column: str, how: str, name: str) -> bool:
        """Damage one row; return whether the database has taken it."""
        for value in DAMAGES[how]:
            # the database refuses such a value, which is as good
            with suppress(Exception), self.database.write() as transaction:
                known = NAMED.get(table, "id")
                statement = f"UPDATE {table} SET {column} = :value WHERE {known} = :name"
                if transaction.change(statement, {"value": value, "name": self._key(table, name)}):
                    return True
        return False

    def _key(self, table: str, name: str) -> object:
        if table == "event_counts":
            return int(name[-4:])
        return reference_of("echo", name.partition("@")[0]) if table == "outcomes" else name

    def pairs(self, table: str) -> Iterator[tuple[str, str]]:
        """Yield the columns of a table, each with each kind of damage."""
        for column in self.shapes[table].columns:
            if column not in ("workspace", *UNTOUCHED.get(table, ())):
                yield from ((column, how) for how in DAMAGES)

    def _change(self, statement: str, **values: Any) -> None:
        with self.database.write() as transaction:
            assert transaction.change(statement, values)

    def _stored(self, table: str, name: str) -> None:
        statement = {
            "deliveries": _DELIVERY,
            "schedule_slots": _SLOT,
            "event_counts": _EVENT_COUNT,
            "blocked_workspaces": _BLOCKED,
        }[table]
        if table in ABOUT and self.sequence == 1:
            self.make(ABOUT[table], 1)
        values = {
            "name": name,
            "sequence": self.sequence,
            "state": ("delivered", "dead")[self.sequence % 2],
        }
        self._change(
            statement,
            **{known: value for known, value in values.items() if f":{known}" in statement},
        )

    def _invocations(self, _: str) -> str:
        if self.sequence % 3 == 0:
            return self.runtime.invoke(SAY).meta.invocation_id
        found = self._queued(SAY)
        if self.sequence % 3 == 1:
            self._change("UPDATE invocations SET dead_at = 1.0 WHERE id = :name", name=found)
        return found

    def _approvals(self, _: str) -> str:
        return self._queued(POST)

    def _queued(self, call: Mapping[str, Any]) -> str:
        found = self.runtime.enqueue(call)
        return found.meta.invocation_id if isinstance(found, Result) else found

    def _doubts(self, _: str) -> str:
        found = self.runtime.invoke(SAY).meta.invocation_id
        # the row of a call that reads is put off until another one is written
        self.database.record(lambda _transaction: None)
        self._change(
            "UPDATE invocations SET status = 'in_doubt', error_code = 'in_doubt' WHERE id = :name",
            name=found,
        )
        self._change(_DOUBT, name=found, sealed=b"x")
        return found

    def _grants(self, name: str) -> None:
        self._connections(name)
        self._change(_GRANT, name=name, sealed=b"x")

    def _invocation_counts(self, name: str) -> None:
        self._change(
            _COUNT,
            name=name,
            slot=int(self.clock.time()) // 3600 * 3600,
            bucket=self.sequence % 3 - 1,
        )

    def _events(self, name: str) -> None:
        self.database.record(
            lambda transaction: record(
                transaction, "default", "quota.low", name, self.clock.time(), {}
            )
        )

    def _callbacks(self, name: str) -> str:
        made = callbacks.Callbacks(
            self.database, self.vault, "default", self.clock, self.actor, origin="operator"
        )
        return made.create({"url": f"http://127.0.0.1:9/{name}"}).callback.url

    def _files(self, name: str) -> None:
        self.runtime.files.store("default", [b"content"], "text/plain", name=name)

    def _schedules(self, name: str) -> None:
        WorkspaceSchedules(self.runtime, LIBRARY, self.actor).add(
            {"name": name, "invocation": SAY, "every": "1h"}
        )

    def _subscriptions(self, name: str) -> None:
        made = WorkspaceSubscriptions(
            self.runtime, LIBRARY, self.actor, "https://jackfield.example"
        )
        made.add({"name": name, "trigger": "echo/notes", "connection": "hall"})

    def _connections(self, name: str) -> None:
        self.runtime.connections.add(name, "echo/token", {"token": "secret-4711"})

    def _tokens(self, name: str) -> None:
        self.place.tokens("default").create("manage", name)

    def _audit_entries(self, name: str) -> None:
        Audit(self.database, lambda: self.vault, "default", self.clock, self.actor).record(
            "token.created", name
        )

    def _oauth_clients(self, name: str) -> None:
        table = OAuthClientTable(self.database, lambda: self.vault, "default", self.clock)
        with self.database.write() as transaction:
            table.add(
                transaction,
                name,
                "operator",
                ["api.example.com"],
                {"clientId": "c", "tokenUrl": "https://a.example/token"},
            )

    def _mcp_servers(self, name: str) -> None:
        table = ManifestTable(self.database, lambda: self.vault, "default", self.clock)
        about = {
            "key": f"mcp.{name}",
            "title": name,
            "version": "1",
            "description": "x",
            "servers": [{"url": "https://a.example/"}],
        }
        manifest = {"manifestVersion": 1, "actions": [], **about}
        with self.database.write() as transaction:
            table.add(
                transaction,
                name,
                "https://a.example/",
                "none",
                "operator",
                manifest,
                is_shared=False,
            )

    def _outcomes(self, name: str) -> str:
        bounce = Outcome("failed", severity=50, part=f"{name}@example.com", suppresses="bounce")
        made = sealed_outcome(
            self.vault, "default", reference_of("echo", name), self.clock.time(), bounce
        )
        self.database.record(lambda transaction: note(transaction, "default", made))
        return f"{name}@example.com"

    def _connect_sessions(self, _: str) -> str:
        sessions = open_sessions(self.place.host.runtime(TENANT), self.clock)
        made, _ = sessions.create(
            {"verify": "link", "types": ["echo/token"], "expiresIn": 600}, self.actor
        )
        return made.id

    def _workspaces(self, name: str) -> str:
        self.place.workspaces.create(f"acme-{name}")
        return f"acme-{name}"


NAMED = {
    **dict.fromkeys(
        (
            "files",
            "schedules",
            "subscriptions",
            "connections",
            "tokens",
            "oauth_clients",
            "mcp_servers",
            "workspaces",
        ),
        "name",
    ),
    "events": "subject",
    "callbacks": "url",
    "audit_entries": "object",
    "outcomes": "reference",
    "schedule_slots": "reason",
    "grants": "granted_by",
    "invocation_counts": "action",
    "event_counts": "day",
    "blocked_workspaces": "workspace",
}
"""Columns with what the makers return; the others' is ``id``."""
ABOUT = {"deliveries": "callbacks", "schedule_slots": "schedules"}
"""Tables whose rows are about one of another table."""
UNTOUCHED: Mapping[str, Sequence[str]] = {
    "deliveries": ("callback",),
    "schedule_slots": ("schedule_id",),
}
"""Columns whose damage makes the row one of something else."""
