"""Arrival of events: each is stored once, with its key, in the commit that also stores the checkpoint of the poll that found it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jackfield.clock import iso
from jackfield.database import Database, Transaction, Vault
from jackfield.database.outbox import record_sealed, sealed_place
from jackfield.dataclass import dataclass
from jackfield.invocation import new_invocation_id
from jackfield.manifest_triggers import WINDOW, event_type
from jackfield.triggers.subscription import Subscription

_KEY = """
INSERT INTO event_keys (workspace, subscription_id, digest, at) VALUES (:workspace, :subscription, :digest, :at) ON CONFLICT DO NOTHING
"""
_PURGE = "DELETE FROM event_keys WHERE workspace = :workspace AND at < :before AND subscription_id = :subscription"
_ARRIVED = """
UPDATE subscriptions SET last_event_at = :at
WHERE workspace = :workspace AND id = :id AND (last_event_at IS NULL OR last_event_at < :at - 1)
"""
LISTENING = ("pending", "active", "degraded", "failing")
"""States in which a webhook is received."""
_LISTENS = f"SELECT id FROM subscriptions WHERE workspace = :workspace AND id = :id AND status IN {LISTENING!r}"


@dataclass(frozen=True, slots=True, repr=False)
class Arrival:
    """Event that is ready to be stored: its key, and its data, sealed."""

    id: str
    type: str
    at: float
    digest: str
    sealed: bytes


class NotListeningError(Exception):
    """The subscription was disabled or removed meanwhile, so nothing was stored."""


def arrivals(vault: Vault, subscription: Subscription, events: Iterable[Any], received: float) -> list[Arrival]:
    """Seal the events (``TriggerEvent``) of a webhook or poll, so that the transaction that stores them is short."""
    return [_arrival(vault, subscription, event, received) for event in events]


def _arrival(vault: Vault, subscription: Subscription, event: Any, received: float) -> Arrival:
    kind = event_type(subscription.connector, event.type or subscription.trigger_key)
    identifier = new_invocation_id()
    about: dict[str, Any] = {
        "subscription": subscription.name, "connector": subscription.connector, "trigger": subscription.trigger_key,
        "connection": subscription.connection, "receivedAt": iso(received), "payload": _payload(event.data),
    }  # fmt: skip
    text = json.dumps({name: value for name, value in about.items() if value is not None}, ensure_ascii=False, separators=(",", ":"))
    sealed = vault.seal(subscription.workspace, sealed_place(identifier, kind, subscription.name), text.encode("utf-8", "surrogatepass"))
    digest = hashlib.sha256(f"{kind}\0{event.key}".encode("utf-8", "surrogatepass")).hexdigest()
    return Arrival(identifier, kind, received if event.at is None else event.at, digest, sealed)


def _payload(data: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = data if isinstance(data, Mapping) else data.model_dump(mode="json", by_alias=True, exclude_none=True)
    return found


def store(transaction: Transaction, subscription: Subscription, found: Sequence[Arrival], now: float) -> int:
    """Store the events that are new, and return how many are."""
    own = {"workspace": subscription.workspace, "subscription": subscription.id}
    new = 0
    for one in found:
        if transaction.change(_KEY, {**own, "digest": one.digest, "at": now}):
            record_sealed(transaction, subscription.workspace, one.id, one.type, subscription.name, one.at, one.sealed)
            new += 1
    if new:
        transaction.change(_ARRIVED, {"workspace": subscription.workspace, "id": subscription.id, "at": now})
        transaction.change(_PURGE, {**own, "before": now - WINDOW})
    return new


def receive(database: Database, subscription: Subscription, found: Sequence[Arrival], now: float) -> int:
    """Store the events of a webhook's request; return how many are new. They are on the disk when this returns.

    :raises NotListeningError: if the subscription listens no more.
    """
    own = {"workspace": subscription.workspace, "id": subscription.id}

    def unit(transaction: Transaction) -> int:
        if transaction.find(_LISTENS, own) is None:
            raise NotListeningError
        return store(transaction, subscription, found, now)

    return database.record(unit)
