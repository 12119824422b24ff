"""The output of an invocation, for callbacks with ``include``: ``output``. It is read from the
journal for each attempt, and stored in no other place.
"""

from __future__ import annotations

import json
from typing import Any

from jackfield.call.events import Event
from jackfield_store.database import Database, SealBroken
from jackfield_store.journal.entry import opened_result
from jackfield_store.keys import Vault

_RESULT = """
SELECT id, result, connector, action, connection, caller, idempotency_key, fingerprint FROM invocations
WHERE workspace = :workspace AND id = :id
"""
LARGEST = 256 * 1024
"""Maximum size of a sent output, in bytes."""


def output_of(
    database: Database, vault: Vault, workspace: str, event: Event
) -> dict[str, Any] | None:
    """Return the output of an event's invocation, as a member of the event's payload; None if the
    entry is gone or has changed since.

    A large output is left out: its receiver reads it from the journal.
    """
    row = database.look_up(_RESULT, {"workspace": workspace, "id": event.subject})
    if row is None or row.result is None:
        return None
    try:
        result = opened_result(
            vault.open(workspace, ("invocation", row.id, "result"), row.result), row
        )
    except (SealBroken, ValueError, TypeError):
        return None
    if result.get("status") != event.data.get("status") or "output" not in result:
        return None
    size = len(json.dumps(result["output"], ensure_ascii=False).encode("utf-8", "replace"))
    return {"outputOmitted": True} if size > LARGEST else {"output": result["output"]}
