"""Rows with sealed values of schedules, subscriptions, callbacks and connect sessions, for
``jackfield db check`` and ``db move``.
"""

from __future__ import annotations

import json

from jackfield_service.subjects.callbacks.callbacks import secrets_place
from jackfield_service.subjects.connect.records import record_place
from jackfield_service.subjects.connect.table import session_place
from jackfield_service.subjects.schedules.table import COLUMNS as SCHEDULE_COLUMNS
from jackfield_service.subjects.schedules.table import Schedule
from jackfield_service.subjects.triggers.comparison import item_place
from jackfield_service.subjects.triggers.subscription import COLUMNS as SUBSCRIPTION_COLUMNS
from jackfield_service.subjects.triggers.subscription import Subscription
from jackfield_store.connections.client_registrations import opened_registration
from jackfield_store.connections.manifest_table import COLUMNS as SERVER_COLUMNS
from jackfield_store.connections.manifest_table import opened_server
from jackfield_store.connections.oauth_client_table import opened_client
from jackfield_store.database import Row
from jackfield_store.keys import Vault
from jackfield_store.keys.vault import SealedRows
from jackfield_store.resources.sealed_rows import opened_at


def _opened_subscription(vault: Vault, row: Row) -> object:
    found = Subscription.read(row.workspace, row)
    return found.opened(vault), found.checkpoint(vault)


def _opened_secrets(vault: Vault, row: Row) -> object:
    return json.loads(
        vault.open(row.workspace, secrets_place(row.id, row.url, row.origin), row.secrets)
    )


SEALED_ROWS = (
    SealedRows(
        "schedules",
        SCHEDULE_COLUMNS,
        "the schedule '{name}'",
        lambda vault, row: Schedule.read(row.workspace, row).content(vault),
    ),
    SealedRows(
        "subscriptions", SUBSCRIPTION_COLUMNS, "the subscription '{name}'", _opened_subscription
    ),
    SealedRows(
        "subscription_items",
        "sealed",
        "an item that the subscription {subscription_id} knows",
        opened_at(lambda row: item_place(row.subscription_id, row.item)),
        ("subscription_id", "item"),
    ),
    SealedRows(
        "oauth_clients",
        "version, origin, hosts, public_values, sealed",
        "the OAuth client '{name}'",
        opened_client,
        ("name",),
    ),
    SealedRows("mcp_servers", SERVER_COLUMNS, "the MCP server '{name}'", opened_server, ("name",)),
    SealedRows(
        "client_registrations",
        "digest, sealed",
        "a client that was registered at a provider",
        opened_registration,
        ("digest",),
    ),
    SealedRows(
        "callbacks", "url, origin, secrets", "the secrets of the callback {id}", _opened_secrets
    ),
    SealedRows(
        "deliveries",
        "log",
        "the attempts of the delivery {id}",
        opened_at(lambda row: ("delivery", row.id), "log"),
    ),
    SealedRows(
        "connect_sessions",
        "digest, status, expires_at, sealed",
        "the connect session {id}",
        opened_at(lambda row: session_place(row.id, row.digest, row.status, row.expires_at)),
    ),
    SealedRows(
        "connections",
        "connect_record",
        "what a connect session has left with the connection {id}",
        opened_at(lambda row: record_place(row.id), "connect_record"),
    ),
)
