"""An invocation that takes five workers down, so that recovery gives it up."""

from __future__ import annotations

from jackfield.journal import Journal, Queue
from jackfield.journal.recovery import DELIVERIES
from waiting import until


def give_up(journal: Journal, workspace: str, identifier: str, times: int = DELIVERIES) -> None:
    """Lose a worker in each delivery of a queued invocation, or in the first few of them, after which it is due."""
    database, queue = journal.database, Queue(journal.database)

    def change(statement: str, values: dict[str, str]) -> None:
        with database.write() as transaction:
            transaction.change(statement, values)

    for delivery in range(1, times + 1):
        change("UPDATE invocations SET available_at = 0 WHERE status = 'queued'", {})
        until(lambda: queue.claim_one(workspace, identifier) is not None)  # whoever looks at the row now keeps it from others
        values = {"owner": f"lost-{delivery}", "id": identifier}
        statement = "UPDATE invocations SET status = 'running', owner = :owner, started_at = 1, effect = 'read' WHERE id = :id"
        change(statement, values)
        assert journal.recovery._take_over(f"lost-{delivery}", None) == 1
    change("UPDATE invocations SET available_at = 0 WHERE status = 'queued'", {})
