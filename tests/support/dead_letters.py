"""An invocation that takes five workers down, so that recovery gives it up."""

from __future__ import annotations

from jackfield_store.journal import Journal, Queue
from jackfield_store.journal import statements as sql
from jackfield_store.journal.recovery import DELIVERIES


def give_up(journal: Journal, workspace: str, identifier: str, times: int = DELIVERIES) -> None:
    """Lose a worker in each delivery of a queued invocation, or in the first few of them, after
    which it is due.

    It is made due, claimed and begun in one transaction: a worker that runs beside finds nothing to
    claim.
    """
    database, queue = journal.database, Queue(journal.database)
    due = "UPDATE invocations SET available_at = 0 WHERE status = 'queued'"
    begun = (
        "UPDATE invocations SET status = 'running', owner = :owner, started_at = 1, effect = "
        "'read' WHERE id = :id"
    )
    claim = {
        **queue._values(workspace, identifier),
        **queue._time.moments(),
        "suspect": sql.SUSPECT,
    }
    for delivery in range(1, times + 1):
        with database.write() as transaction:
            transaction.change(due)
            assert transaction.find(sql.CLAIM_ONE, claim) is not None
            transaction.change(begun, {"owner": f"lost-{delivery}", "id": identifier})
        assert journal.recovery._take_over(f"lost-{delivery}", None) == 1
    with database.write() as transaction:
        transaction.change(due)
