"""The due subscriptions of a whole database, and the transactions by which several processes share
the work on them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from jackfield.kernel.clock import iso
from jackfield.kernel.dataclass import replace
from jackfield_service.subjects.triggers.arrivals import Arrival, ArrivalUnit, InTransaction, store
from jackfield_service.subjects.triggers.subscription import COLUMNS, Sealed, Subscription, mark_for
from jackfield_store.database import Transaction
from jackfield_store.database.due_rows import DueRows, DueTable, held, readable
from jackfield_store.database.outbox import record
from jackfield_store.database.slices import delete_in_slices, slice_of
from jackfield_store.journal.instance import CLAIM, Instance
from jackfield_store.keys import Vault

LARGEST_MARK = 64 * 1024
"""Maximum size of a checkpoint, in bytes."""
FAILING = 3
"""Number of successive failures that makes a subscription ``failing``, which causes an event."""
_OURS = "workspace = :workspace AND id = :id AND claim = :claim"
_PROLONGED = f"UPDATE subscriptions SET wake_at = :until WHERE {_OURS} AND held <> 0"
_REGISTERED = f"UPDATE subscriptions SET sealed = :sealed, renew_at = :renew_at WHERE {_OURS}"
_ENDED_MEANWHILE = "status = 'failing' AND :was <> 'failing'"
"""SQL condition for a request that has found, since the claim, that the subscription's rights have
ended. The status then stays, and the subscription is due at once.
"""
_UNFINISHED = f"""
UPDATE subscriptions SET status = CASE WHEN {_ENDED_MEANWHILE} THEN status ELSE 'pending' END,
    reason = CASE WHEN {_ENDED_MEANWHILE} THEN reason END, failures = 0, last_success_at = COALESCE(:now, last_success_at),
    wake_at = CASE WHEN {_ENDED_MEANWHILE} THEN 0 ELSE :wake_at END, held = 0
WHERE {_OURS}
"""
_BEGUN_AGAIN = (
    "UPDATE subscriptions SET sealed = :sealed, account = :account, status = :status, mark "
    f"= NULL WHERE {_OURS}"
)
_OF_ACCOUNT = f"UPDATE subscriptions SET account = :account WHERE {_OURS}"
_PAUSED = f"""
UPDATE subscriptions SET status = CASE WHEN status = 'disabling' THEN 'paused' ELSE status END, reason = NULL, failures = 0, held = 0,
    wake_at = CASE WHEN status = 'disabling' THEN NULL ELSE 0 END, renew_at = NULL, sealed = :sealed
WHERE {_OURS}
"""
_REMOVE = f"DELETE FROM subscriptions WHERE {_OURS}"
_REMOVE_KEYS = slice_of(
    "event_keys",
    "workspace, subscription_id, digest",
    "workspace = :workspace AND subscription_id = :id",
)
_REMOVE_ITEMS = (
    "DELETE FROM subscription_items WHERE workspace = :workspace AND subscription_id = :id"
)
_PAGE = f"UPDATE subscriptions SET mark = :mark WHERE {_OURS}"
_DONE = f"""
UPDATE subscriptions SET status = CASE WHEN {_ENDED_MEANWHILE} THEN status ELSE 'active' END,
    reason = CASE WHEN {_ENDED_MEANWHILE} THEN reason END, failures = 0, last_success_at = :now,
    wake_at = CASE WHEN {_ENDED_MEANWHILE} THEN 0 WHEN held = 2 THEN :soon ELSE :wake_at END, held = 0
WHERE {_OURS}
"""
_FAILED = f"""
UPDATE subscriptions SET status = CASE WHEN :status = 'disabling' THEN status ELSE :status END, reason = :reason, failures = failures + 1,
    wake_at = :wake_at, held = 0
WHERE {_OURS}
"""
_LATER = f"UPDATE subscriptions SET wake_at = :wake_at, held = 0 WHERE {_OURS}"
_ENDED = """
UPDATE subscriptions SET status = 'failing', reason = :reason, failures = failures + 1, wake_at = CASE WHEN held = 0 THEN 0 ELSE wake_at END
WHERE workspace = :workspace AND id = :id AND status IN ('pending', 'active', 'degraded')
"""


class DueSubscriptions(DueRows):
    """Subscriptions of all workspaces. Every method that writes does so in one transaction, and
    only while the claim is valid.

    :raises OvertakenError: from those methods, if the claim has ended.
    """

    table = DueTable("subscriptions", f"workspace, {COLUMNS}", CLAIM, also=", held = 1")

    def claim(self, limit: int) -> list[Subscription]:
        """Claim up to ``limit`` subscriptions that are due, the longest overdue first."""
        return readable(
            self.claimed_rows(limit),
            lambda row: replace(Subscription.read(row.workspace, row), claim=row.claim + 1),
            "subscription",
        )

    def working(self, found: Subscription) -> AbstractContextManager[None]:
        """Return a context that prolongs the claim while it is open and this process lives."""

        def prolong(seconds: float) -> Callable[[Transaction], int]:
            values = {**_own(found), "until": self.time.now() + seconds}
            return lambda transaction: transaction.change(_PROLONGED, values)

        return Instance.of(self._database).prolonging(prolong)

    def registered(
        self, found: Subscription, vault: Vault, content: Sealed, renew_at: float | None
    ) -> None:
        """Record the provider's answer, and the time of its renewal. The claim stays valid."""
        self._change(_REGISTERED, found, sealed=content.sealed(vault, found), renew_at=renew_at)

    def unfinished(self, found: Subscription, wake_at: float | None) -> None:
        """End the claim, since the provider still has to confirm the registration, which continues
        at ``wake_at``, or on confirmation. If a person has entered the URL, the provider still has
        to send its first request.
        """
        self._change(
            _UNFINISHED,
            found,
            wake_at=wake_at,
            now=None if wake_at is None else self.time.now(),
            was=found.status,
        )

    def begun_again(
        self,
        found: Subscription,
        vault: Vault,
        content: Sealed,
        account: str | None,
        facts: Mapping[str, Any],
    ) -> None:
        """Delete the checkpoint: events count from ``content.since``. This causes the event
        ``subscription.restarted``. A webhook has to be registered again. The keys of another
        account's events are deleted, since both accounts may have a ticket 7.
        """
        if account != found.account:
            delete_in_slices(
                self._database, _REMOVE_KEYS, {"workspace": found.workspace, "id": found.id}
            )
        status = "pending" if found.kind == "webhook" else found.status
        values = {
            **_own(found),
            "sealed": content.sealed(vault, found),
            "account": account,
            "status": status,
        }

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_BEGUN_AGAIN, values))
            transaction.change(_REMOVE_ITEMS, {"workspace": found.workspace, "id": found.id})
            self.telling(found, "restarted", facts)(transaction)

        self._database.record(unit)

    def of_account(self, found: Subscription, account: str) -> None:
        """Record the account that a subscription watches, once known."""
        self._change(_OF_ACCOUNT, found, account=account)

    def missed(self, found: Subscription, since: float, reason: str) -> None:
        """Record the event ``subscription.gap``: events since a time may be missing."""
        facts = {"since": iso(since), "until": iso(self.time.now()), "reason": reason}
        self._database.record(self.telling(found, "gap", facts))

    def paused(self, found: Subscription, vault: Vault, content: Sealed) -> None:
        """Record that a subscription is paused, also at the provider; or that it starts anew, if it
        was enabled meanwhile.
        """
        self._change(
            _PAUSED,
            found,
            sealed=replace(content, parting=None, leaving=False).sealed(vault, found),
        )

    def removed(self, found: Subscription) -> None:
        """Delete a subscription and, before it, the keys of its events; it cannot be restored. The
        events themselves stay.
        """
        delete_in_slices(
            self._database, _REMOVE_KEYS, {"workspace": found.workspace, "id": found.id}
        )

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_REMOVE, _own(found)))
            transaction.change(_REMOVE_ITEMS, {"workspace": found.workspace, "id": found.id})

        self._database.record(unit)

    def page(
        self,
        found: Subscription,
        vault: Vault,
        events: Sequence[Arrival],
        mark: Mapping[str, Any],
        in_transaction: InTransaction | None = None,
    ) -> None:
        """Store one page of a poll: its events, and the checkpoint after them. ``in_transaction``
        has more statements for that transaction.

        :raises ValueError: if the checkpoint is no JSON object of at most ``LARGEST_MARK`` bytes.
        """
        text = json.dumps(dict(mark), allow_nan=False).encode()
        if len(text) > LARGEST_MARK:
            raise ValueError(f"the checkpoint has more than {LARGEST_MARK:,} bytes")
        values, now = (
            {**_own(found), "mark": vault.seal(found.workspace, mark_for(found.id), text)},
            self.time.now(),
        )

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_PAGE, values))
            if in_transaction is not None:
                in_transaction(transaction)
            store(transaction, [ArrivalUnit(found, events, now)])

        self._database.record(unit)

    def done(self, found: Subscription, wake_at: float | None, soon: float) -> None:
        """End the claim after a success. The next work is due at ``wake_at``, or ``soon`` if a
        webhook has asked for a poll meanwhile.
        """
        now = self.time.now()
        values = {
            **_own(found),
            "wake_at": wake_at,
            "soon": now + soon,
            "now": now,
            "was": found.status,
        }
        late = found.lateness(now)

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_DONE, values))
            if found.status == "failing":
                self.telling(found, "recovered", {})(transaction)
            if late and found.status == "active":
                self.telling(found, "late", {"lateSeconds": round(late)})(transaction)

        self._database.record(unit)

    def failed(self, found: Subscription, reason: str, wake_at: float) -> None:
        """End the claim after a failure. A subscription to be disabled stays so; the third failure
        in a row causes an event.
        """
        status = found.status
        if status not in ("disabling", "removing"):
            failing = status == "failing" or found.failures + 1 >= FAILING
            status = "failing" if failing else "pending" if status == "pending" else "degraded"
        values = {**_own(found), "status": status, "reason": reason, "wake_at": wake_at}

        def unit(transaction: Transaction) -> None:
            held(transaction.change(_FAILED, values))
            if status == "failing" != found.status:
                self.telling(found, "failing", {"reason": reason})(transaction)

        self._database.record(unit)

    def later(self, found: Subscription, wake_at: float | None) -> None:
        """End the claim without any work; no work is due any more if ``wake_at`` is None."""
        self._change(_LATER, found, wake_at=wake_at)

    def ended(self, found: Subscription, reason: str) -> None:
        """Record, without a claim, that the subscription accepts no more requests; the first time
        causes an event. A process notifies the provider.
        """
        values = {"workspace": found.workspace, "id": found.id, "reason": reason}

        def unit(transaction: Transaction) -> None:
            if transaction.change(_ENDED, values):
                self.telling(found, "failing", {"reason": reason})(transaction)

        self._database.record(unit)

    def telling(self, found: Subscription, type: str, facts: Mapping[str, Any]) -> InTransaction:
        """Return the statements that record the event ``subscription.TYPE``."""
        known = found.facts(facts)
        return lambda transaction: record(
            transaction,
            found.workspace,
            f"subscription.{type}",
            found.name,
            self.time.stamp(),
            known,
        )

    def _change(self, statement: str, found: Subscription, **values: Any) -> None:
        self._database.record(
            lambda transaction: held(transaction.change(statement, {**_own(found), **values}))
        )


def _own(found: Subscription) -> dict[str, Any]:
    return {"workspace": found.workspace, "id": found.id, "claim": found.claim}
