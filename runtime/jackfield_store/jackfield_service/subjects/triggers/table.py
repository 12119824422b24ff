"""The subscriptions of one workspace in the database."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from jackfield.callers.actor import LIBRARY, Actor
from jackfield.connections.named_connection import NAME, NamedConnection
from jackfield.connector.grants import Grant
from jackfield.invocation import new_invocation_id
from jackfield.kernel.clock import Clock
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, InvalidInvocation, JackfieldError
from jackfield.kernel.hints import NextStep
from jackfield_service.subjects.triggers.arrivals import LISTENING
from jackfield_service.subjects.triggers.subscription import (
    COLUMNS,
    Sealed,
    Subscription,
    sealed_for,
)
from jackfield_store.access.audit import Audit
from jackfield_store.database import Database, Transaction, UniqueViolation
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.keys import Vault
from jackfield_store.keys.sealing import digest

_LARGEST = 256 * 1024
_OWN = "workspace = :workspace AND id = :id"
_FIND = f"SELECT {COLUMNS} FROM subscriptions WHERE workspace = :workspace AND name = :name"
_LIST = (
    f"SELECT {COLUMNS} FROM subscriptions WHERE workspace = :workspace AND name > :after "
    "ORDER BY name LIMIT :limit"
)
_BY_PATH = f"SELECT workspace, {COLUMNS} FROM subscriptions WHERE path_digest = :digest"
_INSERT = """
INSERT INTO subscriptions (workspace, id, name, connector, trigger_key, connection, kind, status, every, path_digest, sealed, version,
    claim, failures, wake_at, caller, token, created_at, changed_at)
VALUES (:workspace, :id, :name, :connector, :trigger_key, :connection, :kind, 'pending', :every, :path_digest, :sealed, 1, 0,
    0, :now, :caller, :token, :now, :now)
"""
_FREE = (
    "UPDATE subscriptions SET name = id WHERE workspace = :workspace AND name = :name AND "
    "status = 'removing'"
)
"""SQL statement that frees a removed subscription's name at once; the process that removes its
registration finds it by its ID.
"""
_ENDS = "status = 'disabling' AND held <> 0 AND :status = 'pending'"
"""SQL condition for a subscription that is enabled while a process is removing its registration.
That process finishes first, since another would interfere.
"""
_SET = f"""
UPDATE subscriptions SET status = :status, reason = NULL, failures = 0, version = version + 1, changed_at = :now,
    wake_at = CASE WHEN {_ENDS} THEN wake_at ELSE :now END, claim = CASE WHEN {_ENDS} THEN claim ELSE claim + 1 END,
    held = CASE WHEN {_ENDS} THEN held ELSE 0 END, lost = CASE WHEN :status = 'pending' THEN NULL ELSE lost END
WHERE {_OWN} AND status <> 'removing'
"""
_LOOK_AGAIN = f"""
UPDATE subscriptions SET held = CASE WHEN held = 0 THEN 0 ELSE 2 END, wake_at = CASE WHEN held = 0 THEN :now ELSE wake_at END
WHERE workspace = :workspace AND connection = :connection AND status IN {LISTENING!r}
"""
_RESET = f"""
UPDATE subscriptions SET mark = NULL, sealed = :sealed, held = 0, claim = claim + 1, changed_at = :now,
    wake_at = CASE WHEN wake_at IS NULL THEN NULL ELSE :now END
WHERE {_OWN} AND sealed = :before
"""
_CHANGE = f"""
UPDATE subscriptions SET sealed = :sealed, every = :every, caller = :caller, token = :token, held = 0, claim = claim + 1, changed_at = :now,
    wake_at = CASE WHEN wake_at IS NULL THEN NULL ELSE :now END, lost = CASE WHEN lost = :starts THEN lost END
WHERE {_OWN} AND sealed = :before AND status <> 'removing'
"""
_OVER_ALL = (
    f"SELECT {COLUMNS} FROM subscriptions WHERE workspace = :workspace AND connection = :connection"
)
_OVER = f"{_OVER_ALL} AND status <> 'paused'"
_FOLLOW = f"""
UPDATE subscriptions SET connection = :connection, sealed = :sealed, held = 0, claim = claim + 1, changed_at = :now,
    wake_at = CASE WHEN wake_at IS NULL THEN NULL ELSE :now END
WHERE {_OWN}
"""
_PART = f"""
UPDATE subscriptions SET sealed = :sealed, status = CASE WHEN status = 'removing' THEN 'removing' ELSE 'disabling' END, held = 0,
    claim = claim + 1, wake_at = :now, changed_at = :now
WHERE {_OWN}
"""
_LOSE = (
    "UPDATE subscriptions SET lost = :connection WHERE workspace = :workspace AND connection "
    "= :connection AND status <> 'removing'"
)
_WEBHOOKS = (
    f"SELECT {COLUMNS} FROM subscriptions WHERE workspace = :workspace AND kind = 'webhook' "
    "AND status <> 'paused'"
)
_HAND_OVER = f"""
UPDATE subscriptions SET workspace = :target, name = :name, connection = :connection, status = 'removing', sealed = :sealed, mark = NULL,
    path_digest = NULL, failures = 0, held = 0, claim = claim + 1, wake_at = :now, changed_at = :now
WHERE {_OWN}
"""
_PARTING = """
SELECT id FROM subscriptions
WHERE workspace = :workspace AND connection = :connection AND kind = 'webhook' AND status IN ('disabling', 'removing') LIMIT 1
"""
_FORGET = "DELETE FROM subscription_items WHERE workspace = :workspace AND subscription_id = :id"
Find = Callable[[str], tuple[NamedConnection | None, Grant | None]]
"""Function that returns a connection, and its approved grant, as far as they can be read."""


class UnknownSubscription(InvalidInvocation):
    """Error for a subscription that the workspace lacks, or that the caller may not see."""

    http_status = 404


class SubscriptionExists(InvalidInvocation):
    """Error for the name of a new subscription that another subscription has already."""

    http_status = 409
    problem = "name_taken"


class SubscriptionTable:
    """Subscriptions of one workspace. The audit log attributes changes to ``actor``."""

    def __init__(
        self, database: Database, vault: Vault, workspace: str, clock: Clock, actor: Actor = LIBRARY
    ) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._audit = Audit(database, lambda: vault, workspace, clock, actor)
        self.time = SharedClock.of(database, clock)

    def add(
        self,
        name: str,
        connector: str,
        trigger: str,
        connection: str | None,
        kind: str,
        every: float | None,
        *,
        inputs: Mapping[str, Any],
        caller: Mapping[str, Any],
        since: float | None = None,
        then: Mapping[str, Any] | None = None,
    ) -> Subscription:
        """Store a subscription; a server or worker process enables it.

        :raises SubscriptionExists: if a subscription has this name.
        :raises InvalidInvocation: if the name or the size is not valid.
        """
        if not NAME.fullmatch(name):
            fault = Detail(
                "/name",
                "must have 1 to 100 characters of A-Z, a-z, 0-9, '.', '_' and '-'",
                "pattern",
            )
            raise InvalidInvocation(
                "1 member of the subscription is not valid",
                details=[fault],
                hint="Choose another name.",
            )
        identifier, now = new_invocation_id(), self.time.now()
        path = secrets.token_urlsafe(32) if kind == "webhook" else ""
        content = Sealed(
            inputs,
            caller,
            path,
            secrets.token_urlsafe(32),
            {},
            now if since is None else since,
            then,
        )
        text = _text(content)
        values = {
            "workspace": self._workspace,
            "id": identifier,
            "name": name,
            "connector": connector,
            "trigger_key": trigger,
            "connection": connection,
            "kind": kind,
            "every": every,
            "path_digest": digest(path) if path else None,
            "sealed": self._vault.seal(
                self._workspace, sealed_for(identifier, connector, trigger, connection), text
            ),
            "now": now,
            "caller": caller.get("caller"),
            "token": caller.get("token"),
        }

        def unit(transaction: Transaction) -> None:
            transaction.change(_FREE, {"workspace": self._workspace, "name": name})
            transaction.change(_INSERT, values)
            self._note(
                transaction,
                "created",
                name,
                {"trigger": f"{connector}/{trigger}", "connection": connection},
            )

        try:
            self._database.record(unit)
        except UniqueViolation:
            raise SubscriptionExists(
                f"the subscription '{name}' exists already",
                hint="Choose another name, or remove it.",
            ) from None
        return self.find(name)

    def find(self, name: str) -> Subscription:
        """Return a subscription.

        :raises UnknownSubscription: if no subscription has this name.
        """
        row = self._database.look_up(_FIND, {"workspace": self._workspace, "name": name})
        if row is None:
            raise unknown_subscription(name)
        return Subscription.read(self._workspace, row)

    def page(self, after: str, limit: int) -> list[Subscription]:
        """Return up to ``limit`` subscriptions by name, after the name ``after``."""
        with self._database.read() as transaction:
            rows = transaction.execute(
                _LIST, {"workspace": self._workspace, "after": after, "limit": limit}
            )
        return [Subscription.read(self._workspace, row) for row in rows]

    def set(self, found: Subscription, status: str, event: str) -> Subscription:
        """Set the requested status: ``pending`` (to be enabled), ``disabling`` or ``removing``. A
        process carries it out.
        """
        values = {
            "workspace": self._workspace,
            "id": found.id,
            "status": status,
            "now": self.time.now(),
        }

        def unit(transaction: Transaction) -> None:
            if transaction.change(_SET, values):
                self._note(transaction, event, found.name)

        self._database.record(unit)
        return self.find(found.name)

    def reset(self, found: Subscription, since: float) -> Subscription:
        """Delete the checkpoint of a poll: it starts again at ``since``, or, if paused, once it is
        resumed. Events with known keys are not reported again.
        """
        sealed = replace(found.opened(self._vault), since=since).sealed(self._vault, found)
        values = {
            "workspace": self._workspace,
            "id": found.id,
            "sealed": sealed,
            "before": found.sealed,
            "now": self.time.now(),
        }

        def unit(transaction: Transaction) -> bool:
            if not transaction.change(_RESET, values):
                return False
            transaction.change(_FORGET, {"workspace": self._workspace, "id": found.id})
            self._note(transaction, "reset", found.name)
            return True

        is_reset, present = self._database.record(unit), self.find(found.name)
        # a process has stored what it registered meanwhile
        return present if is_reset else self.reset(present, since)

    def change(
        self, found: Subscription, content: Sealed, every: float | None, about: Mapping[str, Any]
    ) -> bool:
        """Store the new content of a subscription, whose URL and secret stay; return False if it
        was changed meanwhile.

        :raises InvalidInvocation: if it is too large.
        """
        _text(content)
        values = {
            "workspace": self._workspace,
            "id": found.id,
            "before": found.sealed,
            "sealed": content.sealed(self._vault, found),
            "every": every,
            "caller": content.caller.get("caller"),
            "token": content.caller.get("token"),
            "now": self.time.now(),
            "starts": (content.then or {}).get("connection"),
        }

        def unit(transaction: Transaction) -> bool:
            is_changed = transaction.change(_CHANGE, values) > 0
            if is_changed:
                self._note(transaction, "changed", found.name, about)
            return is_changed

        return self._database.record(unit)

    def _note(
        self,
        transaction: Transaction,
        event: str,
        name: str,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        self._audit.append(
            transaction, f"subscription.{event}", f"subscription:{name}", dict(about or {})
        )


def _text(content: Sealed) -> bytes:
    """Return the content of a subscription as JSON.

    :raises InvalidInvocation: if it is too large.
    """
    text = json.dumps(content.to_json()).encode()
    if len(text) > _LARGEST:
        fault = Detail("/inputs", f"must have at most {_LARGEST:,} bytes", "maxLength")
        raise InvalidInvocation(
            "the subscription is too large", details=[fault], hint="Give smaller inputs."
        )
    return text


def part(
    transaction: Transaction,
    vault: Vault,
    workspace: str,
    now: float,
    connection: NamedConnection,
    grant: Grant | None,
) -> list[str]:
    """Pause the subscriptions over a removed connection, in the transaction that removes it; return
    the names of the active ones. Webhooks store the connection's content and its grant, sealed,
    until a process has notified the provider.
    """
    kept, paused = _parting(connection, grant), []
    for row in transaction.execute(_OVER, {"workspace": workspace, "connection": connection.name}):
        found = Subscription.read(workspace, row)
        content = replace(found.opened(vault), parting=kept if found.kind == "webhook" else None)
        transaction.change(
            _PART,
            {
                "workspace": workspace,
                "id": found.id,
                "sealed": content.sealed(vault, found),
                "now": now,
            },
        )
        paused += [found.name] if found.status in LISTENING else []
    transaction.change(_LOSE, {"workspace": workspace, "connection": connection.name})
    return paused


def look_again(
    transaction: Transaction,
    vault: Vault,
    workspace: str,
    connection: str,
    now: float,
    renamed: str | None = None,
) -> None:
    """Wake the subscriptions over a changed or tested connection: failed steps may succeed now, and
    its account may have changed. With ``renamed``, they get the new name; subscriptions of a
    removed connection of the earlier name keep their pending notice to its provider.
    """
    values = {"workspace": workspace, "connection": connection, "now": now}
    transaction.change(_LOOK_AGAIN, values)
    for row in transaction.execute(_OVER_ALL, values) if renamed is not None else ():
        found = Subscription.read(workspace, row)
        with suppress(JackfieldError):  # nobody can read it
            content = found.opened(vault)
            if content.parting is None:
                sealed = content.sealed(vault, replace(found, connection=renamed))
                transaction.change(
                    _FOLLOW, {**values, "id": found.id, "connection": renamed, "sealed": sealed}
                )


def _parting(connection: NamedConnection, grant: Grant | None) -> dict[str, Any]:
    return {**connection.to_json(), "grant": None if grant is None else grant.to_json()}


def hand_over(
    database: Database, vault: Vault, workspace: str, target: str, now: float, find: Find
) -> int:
    """Move the webhooks of a purged workspace to ``target``, to be removed at their providers;
    return their number.
    """
    moved = 0
    with database.read() as transaction:
        rows = transaction.execute(_WEBHOOKS, {"workspace": workspace})
    for found in (Subscription.read(workspace, row) for row in rows):
        with suppress(JackfieldError):  # nobody can read it
            content, name = found.opened(vault), found.connection
            stored, grant = (
                find(name) if name is not None and content.parting is None else (None, None)
            )
            to = replace(found, workspace=target, connection=name and f"{name} of {workspace}")
            content = replace(
                content, parting=content.parting if stored is None else _parting(stored, grant)
            )
            about = {
                "name": f"{found.name} of {workspace} ({found.id})",
                "connection": to.connection,
                "sealed": content.sealed(vault, to),
            }
            values = {"workspace": workspace, "id": found.id, "target": target, "now": now, **about}
            with database.write() as transaction:
                moved += transaction.change(_HAND_OVER, values)
    return moved


def is_parting(database: Database, workspace: str, connection: str) -> bool:
    """Return whether a provider still has to be notified that webhooks over a removed connection
    are gone.
    """
    return (
        database.look_up(_PARTING, {"workspace": workspace, "connection": connection}) is not None
    )


def unknown_subscription(name: str) -> UnknownSubscription:
    """Return the error for a name that no visible subscription has."""
    return UnknownSubscription(
        f"no subscription is named '{name[:100]}'", hint=NextStep("subscriptions")
    )


def by_path(database: Database, path: str) -> Subscription | None:
    """Return the subscription of a URL's path, in any workspace; None if no subscription has the
    path.
    """
    row = database.look_up(_BY_PATH, {"digest": digest(path)})
    return None if row is None else Subscription.read(row.workspace, row)
