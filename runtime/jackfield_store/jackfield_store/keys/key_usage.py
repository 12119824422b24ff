"""Usage of wrappers, for operators: the data keys of each, and since when."""

from __future__ import annotations

from typing import Any

from jackfield.kernel.clock import iso
from jackfield_store.database.engine import Database
from jackfield_store.database.statements import Row
from jackfield_store.keys.vault import Vault

_USED = (
    "SELECT master_key_id, COUNT(*) AS keys, COUNT(DISTINCT workspace) AS workspaces, "
    "MIN(created_at) AS oldest, MAX(created_at) AS newest "
    "FROM data_keys GROUP BY master_key_id ORDER BY master_key_id"
)


def key_usage(database: Database, vault: Vault) -> list[dict[str, Any]]:
    """Describe each wrapper, and the data keys that it has wrapped: their number, the number of
    their workspaces, the oldest and the newest.

    ``kind`` is ``local``, ``service``, or ``missing`` if data keys need a wrapper that is not
    configured. ``wraps`` is True if new data keys get this wrapper; ``assignedTo`` lists the
    workspaces that have it as their own.
    """
    with database.read(flush=False) as transaction:
        used = {row.master_key_id: row for row in transaction.execute(_USED)}
    own: dict[str, list[str]] = {}
    for workspace, uri in vault.assigned().items():
        own.setdefault(uri, []).append(workspace)
    known = dict.fromkeys([*vault.ring.ids, *own])
    first = vault.ring.first.id
    return [
        {
            "id": one,
            "kind": "missing" if one not in known else "service" if ":" in one else "local",
            "wraps": one == first or one in own,
            **_counts(used.get(one)),
            **({"assignedTo": own[one]} if one in own else {}),
        }
        for one in dict.fromkeys([*known, *used])
    ]


def key_faults(vault: Vault) -> dict[str, dict[str, Any]]:
    """Let each key service wrap and unwrap. Return by id whether it is ``healthy``, and if not
    ``message`` and ``hint`` of the error.
    """
    found: dict[str, dict[str, Any]] = {}
    for uri, fault in vault.ask_services().items():
        found[uri] = (
            {"healthy": True}
            if fault is None
            else {"healthy": False, "message": fault.message, "hint": fault.hint}
        )
    return found


def _counts(row: Row | None) -> dict[str, Any]:
    if row is None:
        return {"dataKeys": 0, "workspaces": 0, "oldest": None, "newest": None}
    return {
        "dataKeys": row.keys,
        "workspaces": row.workspaces,
        "oldest": iso(row.oldest),
        "newest": iso(row.newest),
    }
