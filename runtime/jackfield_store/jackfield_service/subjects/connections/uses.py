"""Automatic users of a connection: schedules, subscriptions, and the invocations that events start.

They follow a renamed connection, and stop with a removed one, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any

from jackfield.connections.named_connection import NamedConnection
from jackfield.connector.grants import Grant
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import JackfieldError
from jackfield_service.subjects.schedules.table import COLUMNS as SCHEDULE
from jackfield_service.subjects.schedules.table import Schedule
from jackfield_service.subjects.triggers import table
from jackfield_service.subjects.triggers.arrivals import LISTENING
from jackfield_service.subjects.triggers.subscription import COLUMNS as SUBSCRIPTION
from jackfield_service.subjects.triggers.subscription import Sealed, Subscription
from jackfield_store.database import Database, Transaction
from jackfield_store.keys import Vault

_SCHEDULES = (
    f"SELECT {SCHEDULE} FROM schedules WHERE workspace = :workspace AND connection = "
    ":connection ORDER BY name"
)
_WITH_CONNECTOR = (
    f"SELECT {SCHEDULE} FROM schedules WHERE workspace = :workspace AND connector = "
    ":connector ORDER BY name"
)
_SUBSCRIPTIONS = (
    f"SELECT {SUBSCRIPTION} FROM subscriptions WHERE workspace = :workspace AND status <> "
    "'removing' ORDER BY name"
)
_OWN = "workspace = :workspace AND id = :id"
_MOVE = (
    "UPDATE schedules SET connection = :connection, sealed = :sealed, claim = claim + 1, "
    f"changed_at = :now WHERE {_OWN}"
)
_STOP = f"""
UPDATE schedules SET status = 'stopped', reason = :reason, claim = claim + 1, wake_at = NULL, next_at = NULL, changed_at = :now
WHERE {_OWN} AND status IN ('active', 'paused')
"""
_SEAL = (
    "UPDATE subscriptions SET sealed = :sealed, held = 0, claim = claim + 1, changed_at = "
    f":now WHERE {_OWN}"
)
_DISABLE = f"""
UPDATE subscriptions SET status = 'disabling', held = 0, claim = claim + 1, wake_at = :now, changed_at = :now
WHERE {_OWN} AND status <> 'paused'
"""
_LOSE = f"UPDATE subscriptions SET lost = :connection WHERE {_OWN}"


def uses_of(
    database: Database, vault: Vault, workspace: str, connections: Collection[str]
) -> dict[str, list[dict[str, str]]]:
    """Return the automatic users of each connection: ``name``, and ``kind``: ``schedule``,
    ``subscription``, or ``start`` for a subscription whose events start invocations over the
    connection.
    """
    found: dict[str, list[dict[str, str]]] = {name: [] for name in connections}
    with database.read() as transaction:
        for connection, uses in found.items():
            rows = transaction.execute(
                _SCHEDULES, {"workspace": workspace, "connection": connection}
            )
            schedules = [Schedule.read(workspace, row) for row in rows]
            uses += [
                {"kind": "schedule", "name": one.name} for one in schedules if one.status != "ended"
            ]
        subscriptions = [
            Subscription.read(workspace, row)
            for row in transaction.execute(_SUBSCRIPTIONS, {"workspace": workspace})
        ]
    for one in subscriptions:
        found.get(one.connection or "", []).append({"kind": "subscription", "name": one.name})
    for one, _, then in _starting(subscriptions, vault):
        found.get(then.get("connection") or "", []).append({"kind": "start", "name": one.name})
    return found


def uses_of_connector(
    database: Database, vault: Vault, workspace: str, connector: str
) -> list[dict[str, str]]:
    """Return the automatic users of a connector, as ``uses_of`` does."""
    values = {"workspace": workspace, "connector": connector}
    with database.read() as transaction:
        schedules = [
            Schedule.read(workspace, row) for row in transaction.execute(_WITH_CONNECTOR, values)
        ]
        subscriptions = [
            Subscription.read(workspace, row) for row in transaction.execute(_SUBSCRIPTIONS, values)
        ]
    found = [{"kind": "schedule", "name": one.name} for one in schedules if one.status != "ended"]
    found += [
        {"kind": "subscription", "name": one.name}
        for one in subscriptions
        if one.connector == connector
    ]
    return found + [
        {"kind": "start", "name": one.name}
        for one, _, then in _starting(subscriptions, vault)
        if then["connector"] == connector
    ]


def look_again(
    transaction: Transaction,
    vault: Vault,
    workspace: str,
    connection: str,
    now: float,
    renamed: str | None = None,
) -> None:
    """Wake the subscriptions over a changed or tested connection; with ``renamed``, update the name
    in everything that refers to the connection.
    """
    table.look_again(transaction, vault, workspace, connection, now, renamed)
    if renamed is not None:
        _carry(transaction, vault, workspace, connection, renamed, now)


def part(
    transaction: Transaction,
    vault: Vault,
    workspace: str,
    now: float,
    connection: NamedConnection,
    grant: Grant | None,
) -> list[tuple[str, str]]:
    """Stop the schedules over a removed connection, and pause the subscriptions over it and
    subscriptions whose events start invocations over it. Return the event and the object of each
    change, for the audit log.
    """
    paused = table.part(transaction, vault, workspace, now, connection, grant)
    stopped, disabled = _stop(transaction, vault, workspace, connection.name, now)
    return [("schedule.stopped", f"schedule:{name}") for name in stopped] + [
        ("subscription.disabled", f"subscription:{name}") for name in (*paused, *disabled)
    ]


def _carry(
    transaction: Transaction,
    vault: Vault,
    workspace: str,
    connection: str,
    renamed: str,
    now: float,
) -> None:
    """Update the connection's name in schedules, and in invocations that events start."""
    values = {"workspace": workspace, "connection": connection, "now": now}
    for schedule in (
        Schedule.read(workspace, row) for row in transaction.execute(_SCHEDULES, values)
    ):
        with suppress(JackfieldError):  # nobody can read it
            content = schedule.content(vault)
            named = (
                {"connection": renamed}
                if content.invocation.get("connection") == connection
                else {}
            )
            moved = replace(content, invocation={**content.invocation, **named}, connection=renamed)
            transaction.change(
                _MOVE,
                {
                    **values,
                    "id": schedule.id,
                    "connection": renamed,
                    "sealed": schedule.sealed_with(vault, moved),
                },
            )
    subscriptions = [
        Subscription.read(workspace, row) for row in transaction.execute(_SUBSCRIPTIONS, values)
    ]
    for found, sealed, then in _starting(subscriptions, vault):
        if then.get("connection") == connection:
            changed = replace(sealed, then={**then, "connection": renamed})
            transaction.change(
                _SEAL, {**values, "id": found.id, "sealed": changed.sealed(vault, found)}
            )


def _stop(
    transaction: Transaction, vault: Vault, workspace: str, connection: str, now: float
) -> tuple[list[str], list[str]]:
    """Stop the schedules over a connection that is being removed, and disable the subscriptions
    whose events start invocations over it. Return the names of the schedules, and of the
    subscriptions.
    """
    values = {
        "workspace": workspace,
        "connection": connection,
        "now": now,
        "reason": f"its connection '{connection}' was removed",
    }
    schedules = transaction.execute(_SCHEDULES, values)
    stopped = [row.name for row in schedules if transaction.change(_STOP, {**values, "id": row.id})]
    subscriptions = [
        Subscription.read(workspace, row) for row in transaction.execute(_SUBSCRIPTIONS, values)
    ]
    disabled = []
    for found, _, then in _starting(subscriptions, vault):
        if then.get("connection") == connection:
            transaction.change(_DISABLE, {**values, "id": found.id})
            transaction.change(_LOSE, {**values, "id": found.id})
            disabled += [found.name] if found.status in LISTENING else []
    return stopped, disabled


def _starting(
    subscriptions: list[Subscription], vault: Vault
) -> Iterator[tuple[Subscription, Sealed, Mapping[str, Any]]]:
    """Yield the subscriptions whose events start invocations, with their contents."""
    for found in subscriptions:
        with suppress(JackfieldError):  # nobody can read it
            content = found.opened(vault)
            if content.then is not None:
                yield found, content, content.then
