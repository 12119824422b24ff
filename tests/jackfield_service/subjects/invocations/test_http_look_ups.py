"""How the journal is searched for a list."""

from __future__ import annotations

from http_stand import Stand
from jackfield_store.journal.listing import condition
from jackfield_store.journal.statements import SELECT


def test_l26_a_look_up_by_key_reads_an_index(stand: Stand) -> None:
    """A list by idempotency key does not read the workspace's other entries, whichever way it goes
    on.
    """
    where, values = condition({"idempotencyKey": "key-1"})
    statement = f"EXPLAIN QUERY PLAN {SELECT}{where} ORDER BY created_at DESC, id DESC LIMIT 51"
    with stand.host.storage.database.read() as transaction:
        plan = [
            row.detail for row in transaction.execute(statement, {"workspace": "default", **values})
        ]
    assert [
        line for line in plan if "invocations_by_key (workspace=? AND idempotency_key=?)" in line
    ] == plan
