"""The subscriptions of a whole database on which work is due, and the transactions by which several processes share it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from jackfield.clock import Clock
from jackfield.database import Database, Transaction, Vault
from jackfield.database.due_rows import claim, held
from jackfield.database.outbox import record
from jackfield.database.shared_clock import SharedClock
from jackfield.dataclass import replace
from jackfield.triggers.arrivals import Arrival, store
from jackfield.triggers.subscription import COLUMNS, Sealed, Subscription, mark_for, sealed_for

HELD = 60.0
"""Seconds for which a claim holds; each transaction of its holder renews it."""
LARGEST_MARK = 64 * 1024
"""Bytes of a checkpoint."""
FAILING = 3
"""Failures in a row from which a subscription is ``failing``, which is an event."""
_NEXT = "SELECT wake_at FROM subscriptions WHERE wake_at IS NOT NULL ORDER BY wake_at LIMIT 1"
_DUE = f"""
SELECT workspace, {COLUMNS} FROM subscriptions WHERE wake_at IS NOT NULL AND wake_at <= :now ORDER BY wake_at LIMIT :limit
"""
_OURS = "workspace = :workspace AND id = :id AND claim = :claim"
_CLAIM = f"UPDATE subscriptions SET claim = claim + 1, wake_at = :until WHERE {_OURS} AND wake_at <= :now"
_ENABLED = f"""
UPDATE subscriptions SET status = 'active', reason = NULL, failures = 0, sealed = :sealed, wake_at = :wake_at, last_success_at = :now
WHERE {_OURS}
"""
_DISABLED = f"UPDATE subscriptions SET status = 'disabled', reason = NULL, failures = 0, wake_at = NULL WHERE {_OURS}"
_REMOVE = f"DELETE FROM subscriptions WHERE {_OURS}"
_REMOVE_KEYS = "DELETE FROM event_keys WHERE workspace = :workspace AND subscription_id = :id"
_PAGE = f"UPDATE subscriptions SET mark = :mark, wake_at = :until WHERE {_OURS}"
_POLLED = f"""
UPDATE subscriptions SET status = 'active', reason = NULL, failures = 0, wake_at = :wake_at, last_success_at = :now WHERE {_OURS}
"""
_FAILED = f"UPDATE subscriptions SET status = :status, reason = :reason, failures = failures + 1, wake_at = :wake_at WHERE {_OURS}"


class DueSubscriptions:
    """Subscriptions of all workspaces. Every method that writes does so in one transaction, and only while the claim holds.

    :raises OvertakenError: from those methods, if it does not.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self.time = SharedClock.of(database, clock)

    def wait(self) -> float | None:
        """Return the seconds until work is due, 0 if it is; None if there is none."""
        row = self._database.look_up(_NEXT, {})
        return None if row is None else max(0.0, row.wake_at - self.time.now())

    def claim(self, limit: int) -> list[Subscription]:
        """Claim up to ``limit`` subscriptions that are due, the longest overdue first."""
        rows = claim(self._database, _DUE, _CLAIM, self.time.now(), HELD, limit)
        return [replace(Subscription.read(row.workspace, row), claim=row.claim + 1) for row in rows]

    def enabled(self, found: Subscription, vault: Vault, content: Sealed, remote: Mapping[str, Any]) -> None:
        """Record that it is enabled, with what the provider returned; a poll is due at once."""
        place = sealed_for(found.id, found.connector, found.trigger_key, found.connection)
        sealed = vault.seal(found.workspace, place, json.dumps(replace(content, remote=remote).to_json()).encode())
        now = self.time.now()
        values = {**_own(found), "sealed": sealed, "wake_at": now if found.kind == "poll" else None, "now": now}
        self._database.record(lambda transaction: held(transaction.change(_ENABLED, values)))

    def disabled(self, found: Subscription) -> None:
        """Record that it is disabled."""
        self._database.record(lambda transaction: held(transaction.change(_DISABLED, _own(found))))

    def removed(self, found: Subscription) -> None:
        """Delete it with the keys of its events. The events themselves stay."""

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_REMOVE, _own(found)))
            transaction.change(_REMOVE_KEYS, {"workspace": found.workspace, "id": found.id})

        self._database.record(unit)

    def page(self, found: Subscription, vault: Vault, events: Sequence[Arrival], mark: Mapping[str, Any]) -> None:
        """Store one page of a poll: its events, and the checkpoint after them.

        :raises ValueError: if the checkpoint is no JSON object of at most ``LARGEST_MARK`` bytes.
        """
        text = json.dumps(dict(mark), allow_nan=False).encode()
        if len(text) > LARGEST_MARK:
            raise ValueError(f"the checkpoint has more than {LARGEST_MARK:,} bytes")
        now = self.time.now()
        values = {**_own(found), "mark": vault.seal(found.workspace, mark_for(found.id), text), "until": now + HELD}

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_PAGE, values))
            store(transaction, found, events, now)

        self._database.record(unit)

    def polled(self, found: Subscription, wake_at: float) -> None:
        """End the claim after a poll; the next one is due at ``wake_at``."""
        values = {**_own(found), "wake_at": wake_at, "now": self.time.now()}

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_POLLED, values))
            if found.status == "failing":
                self._tell(transaction, found, "recovered", {})

        self._database.record(unit)

    def failed(self, found: Subscription, reason: str, wake_at: float) -> None:
        """End the claim after a failure. What was to be disabled stays so; the third failure in a row is an event."""
        status = found.status
        if status not in ("disabling", "removing"):
            status = "failing" if found.failures + 1 >= FAILING else "pending" if status == "pending" else "degraded"
        values = {**_own(found), "status": status, "reason": reason, "wake_at": wake_at}

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_FAILED, values))
            if status == "failing" != found.status:
                self._tell(transaction, found, "failing", {"reason": reason})

        self._database.record(unit)

    def _tell(self, transaction: Transaction, found: Subscription, type: str, facts: Mapping[str, Any]) -> None:
        about = {"subscription": found.name, "connector": found.connector, "trigger": found.trigger_key, "connection": found.connection}
        known = {name: value for name, value in {**about, **facts}.items() if value is not None}
        record(transaction, found.workspace, f"subscription.{type}", found.name, self.time.stamp(), known)


def _own(found: Subscription) -> dict[str, Any]:
    return {"workspace": found.workspace, "id": found.id, "claim": found.claim}
