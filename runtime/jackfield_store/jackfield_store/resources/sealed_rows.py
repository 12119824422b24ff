"""Rows with sealed values that the store builds on the journal and on connections, for ``jackfield
db check`` and ``db move``.
"""

from __future__ import annotations

from collections.abc import Callable

from jackfield_store.connections.authorizations import authorization_place
from jackfield_store.connections.revocations import revocation_place
from jackfield_store.connections.shared_leases import lease_place
from jackfield_store.database import Row
from jackfield_store.journal.doubts import facts_place, log_place
from jackfield_store.journal.marks import marked_place
from jackfield_store.journal.outcomes import outcome_place
from jackfield_store.keys.vault import SealedRows, Vault


def opened_at(
    place: Callable[[Row], tuple[str, ...]], column: str = "sealed"
) -> Callable[[Vault, Row], object]:
    """Return a function that decrypts a column sealed for ``place``; NULL needs no decryption."""

    def open_(vault: Vault, row: Row) -> object:
        sealed = getattr(row, column)
        return None if sealed is None else vault.open(row.workspace, place(row), sealed)

    return open_


STORE_ROWS = (
    SealedRows(
        "outcomes",
        "sealed",
        "the outcome of what the provider calls {reference}",
        opened_at(lambda row: outcome_place(row.reference, row.part)),
        ("reference", "part"),
    ),
    SealedRows(
        "authorizations",
        "digest, connection_id, flow, expires_at, sealed",
        "the authorization {id}, which is under way,",
        opened_at(
            lambda row: authorization_place(
                row.id, row.digest, row.connection_id, row.flow, row.expires_at
            )
        ),
    ),
    SealedRows(
        "leases",
        "sealed",
        "a temporary credential ({connection_key})",
        opened_at(lambda row: lease_place(row.connection_key, row.lease_key)),
        ("connection_key", "lease_key"),
    ),
    SealedRows(
        "revocations",
        "sealed",
        "the approval of a removed connection ({id})",
        opened_at(lambda row: revocation_place(row.id)),
    ),
    SealedRows(
        "doubts",
        "facts, log",
        "what is known of the doubt of the invocation {id}",
        lambda vault, row: (
            vault.open(row.workspace, facts_place(row.id), row.facts) if row.facts else None,
            None if row.log is None else vault.open(row.workspace, log_place(row.id), row.log),
        ),
    ),
    SealedRows(
        "marked_events",
        "sealed",
        "an event with the marker of an attempt ({digest})",
        opened_at(lambda row: marked_place(row.digest, row.reference)),
        ("digest", "reference"),
    ),
    SealedRows(
        "approvals",
        "about",
        "what is shown of the approval {id}",
        opened_at(lambda row: ("invocation", row.id, "approval"), "about"),
    ),
    SealedRows("files", "sealed", "the stored file {id}", opened_at(lambda row: ("file", row.id))),
    SealedRows(
        "grants",
        "sealed",
        "the approval of the connection {connection_id}",
        lambda vault, row: vault.require_key(row.workspace, row.sealed),
        ("connection_id",),
    ),
)
"""Tables of the store with sealed rows. ``db check`` cannot detect a grant that was moved to
another connection of its workspace: the grant looks like one whose connection has changed.
"""
