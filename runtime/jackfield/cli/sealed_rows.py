"""Rows with sealed values of what is built on the journal and on connections, for ``jackfield db check`` and ``db move``."""

from __future__ import annotations

import json
from collections.abc import Callable

from jackfield.connections.authorizations import authorization_place
from jackfield.connections.revocations import revocation_place
from jackfield.connections.shared_leases import lease_place
from jackfield.database import Row, Vault
from jackfield.events.callbacks import secrets_place
from jackfield.journal.outcomes import outcome_place
from jackfield.resources.verify import SealedRows
from jackfield.schedules.table import COLUMNS as SCHEDULE_COLUMNS
from jackfield.schedules.table import Schedule
from jackfield.tenants.connect_table import session_place
from jackfield.triggers.comparison import item_place
from jackfield.triggers.subscription import COLUMNS as SUBSCRIPTION_COLUMNS
from jackfield.triggers.subscription import Subscription


def _at(place: Callable[[Row], tuple[str, ...]], column: str = "sealed") -> Callable[[Vault, Row], object]:
    """Return what decrypts a column that was sealed for ``place``; one that is NULL has nothing to decrypt."""

    def open_(vault: Vault, row: Row) -> object:
        sealed = getattr(row, column)
        return None if sealed is None else vault.open(row.workspace, place(row), sealed)

    return open_


def _opened_subscription(vault: Vault, row: Row) -> object:
    found = Subscription.read(row.workspace, row)
    return found.opened(vault), found.checkpoint(vault)


def _opened_secrets(vault: Vault, row: Row) -> object:
    return json.loads(vault.open(row.workspace, secrets_place(row.id, row.url, row.origin), row.secrets))


SEALED_ROWS = (
    SealedRows("schedules", SCHEDULE_COLUMNS, "the schedule '{name}'", lambda vault, row: Schedule.read(row.workspace, row).content(vault)),
    SealedRows("subscriptions", SUBSCRIPTION_COLUMNS, "the subscription '{name}'", _opened_subscription),
    SealedRows(
        "subscription_items", "sealed", "an item that the subscription {subscription_id} knows",
        _at(lambda row: item_place(row.subscription_id, row.item)), ("subscription_id", "item"),
    ),
    SealedRows("callbacks", "url, origin, secrets", "the secrets of the callback {id}", _opened_secrets),
    SealedRows("deliveries", "log", "the attempts of the delivery {id}", _at(lambda row: ("delivery", row.id), "log")),
    SealedRows(
        "outcomes", "sealed", "the outcome of what the provider calls {reference}",
        _at(lambda row: outcome_place(row.reference, row.part)), ("reference", "part"),
    ),
    SealedRows(
        "authorizations", "digest, connection_id, flow, expires_at, sealed", "the authorization {id}, which is under way,",
        _at(lambda row: authorization_place(row.id, row.digest, row.connection_id, row.flow, row.expires_at)),
    ),
    SealedRows(
        "leases", "sealed", "a temporary credential ({connection_key})",
        _at(lambda row: lease_place(row.connection_key, row.lease_key)), ("connection_key", "lease_key"),
    ),
    SealedRows("revocations", "sealed", "the approval of a removed connection ({id})", _at(lambda row: revocation_place(row.id))),
    SealedRows(
        "connect_sessions", "digest, status, expires_at, sealed", "the connect session {id}",
        _at(lambda row: session_place(row.id, row.digest, row.status, row.expires_at)),
    ),
    SealedRows("files", "sealed", "the stored file {id}", _at(lambda row: ("file", row.id))),
    SealedRows(
        "grants", "sealed", "the approval of the connection {connection_id}",
        lambda vault, row: vault.require_key(row.workspace, row.sealed), ("connection_id",),
    ),
)  # fmt: skip
"""A grant that is another connection's of its workspace is not among the damage: so is each after a change of its connection."""
