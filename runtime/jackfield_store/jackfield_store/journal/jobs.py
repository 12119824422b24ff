"""Jobs in the journal: invocations that wait for their next poll, which one process at a time makes
under its lease.

A started job is a running invocation without an owner, which becomes due. The process that claims
the job polls the provider, and gives the job back or ends it. If it dies, recovery gives the job
back: a poll may always be repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.invocation.claimed import ClaimedJob
from jackfield.kernel.dataclass import dataclass, replace
from jackfield_store.database.due_rows import DueRows, DueStatements, claim_served, next_due
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.database.statements import NOT_HELD
from jackfield_store.journal import statements as sql
from jackfield_store.journal.instance import Instance

if TYPE_CHECKING:
    from jackfield_store.database import Database, Row, Transaction
    from jackfield_store.database.batches import RowUnit

    Unit = Callable[[Transaction], int]

_NEVER = -1.0
WAITS = "status = 'running' AND job IS NOT NULL AND owner IS NULL"
"""SQL condition of a job between two polls."""
_OURS = (
    "workspace = :workspace AND id = :id AND owner = :owner AND delivery = :delivery AND "
    "status = 'running'"
)
_PLACE = "workspace = :workspace AND id = :id"
STORE = f"""
UPDATE invocations SET job = :job, job_until = :until, owner = NULL, available_at = :due, cancel_at = cancel_requested_at,
    attempts = :attempts, attempt_log = :attempt_log, request_id = :request_id, expires_at = NULL, inputs = :inputs
WHERE {_OURS} AND job IS NULL
"""
"""Statement that stores a job's handle; a request to cancel that came before is for the first
poll.
"""
GIVE_BACK = f"""
UPDATE invocations SET owner = NULL, cancel_at = CASE WHEN cancel_at = :told THEN NULL ELSE cancel_at END,
    available_at = CASE WHEN cancel_at IS NOT NULL AND cancel_at <> :told AND :tried = 0 THEN :now ELSE :due END,
    progress_fraction = CASE WHEN :fraction > COALESCE(progress_fraction, 0) THEN :fraction ELSE progress_fraction END,
    progress_text = COALESCE(:text, progress_text)
WHERE {_OURS}
"""
"""Statement that schedules the next poll of a job: at once if a cancellation was requested during a
poll that reached the provider.
"""
_ONE_WAITS = "status || '' = 'running' AND job IS NOT NULL AND COALESCE(owner, '') = ''"
"""SQL condition of a job between two polls, for statements that name a job by its ID. PostgreSQL's
planner cannot use it, since it would prefer the index of the few waiting jobs.
"""
_DUE = (
    "SELECT workspace, id, job, delivery, cancel_at FROM invocations WHERE available_at <= :now AND"
)
SOME_DUE = DueStatements.of(
    "workspace, id, job, delivery, cancel_at",
    "invocations",
    f"available_at <= :now AND {WAITS}",
    "available_at",
)
ONE_DUE = f"{_DUE} {_PLACE} AND {_ONE_WAITS}"
NEXT = (
    f"SELECT available_at FROM invocations WHERE {WAITS}{{without}} ORDER BY available_at LIMIT 1"
)
CLAIM = (
    f"UPDATE invocations SET owner = :owner, delivery = delivery + 1 WHERE {_PLACE} AND "
    f"{_ONE_WAITS} AND {NOT_HELD}"
)
CANCEL = f"""
UPDATE invocations SET cancel_at = :now, cancel_requested_at = :now, available_at = CASE WHEN owner IS NULL THEN :now ELSE available_at END
WHERE {_PLACE} AND status = 'running' AND job IS NOT NULL
"""
RETURNED = (
    f"UPDATE invocations SET owner = NULL, available_at = :now WHERE {_OURS} AND job IS NOT NULL"
)
"""Statement by which recovery returns a job from a process that has died."""
FINISH = sql.FINISH.replace("attempt_log = :attempt_log,", "job = NULL,").replace(
    "inputs = :inputs", "cancel_at = NULL"
)


class DueJobs(DueRows):
    """Waiting jobs of all workspaces of a database."""

    def lead(self) -> float | None:
        """Return the seconds until the next job is due, negative if it is overdue; None if none
        waits. Jobs are rows among the invocations.
        """
        row = next_due(self._database, NEXT, self._blocked, self.places)
        return None if row is None else row.available_at - self.time.now()

    def claim(self, limit: int) -> list[ClaimedJob]:
        """Claim up to ``limit`` jobs that are due, the longest overdue first. No other process gets
        the same jobs.
        """
        return claim_served(
            self._database,
            SOME_DUE,
            {"now": self.time.now(), "limit": limit},
            self._blocked,
            self._claimed,
            self.places,
        )

    def claim_one(self, workspace: str, identifier: str) -> ClaimedJob | None:
        """Claim a job. None if the job is not due, or another process polls it."""
        values = {"now": self.time.now(), "workspace": workspace, "id": identifier}
        found = self._database.record(
            lambda transaction: self._claimed(transaction, transaction.execute(ONE_DUE, values))
        )
        return found[0] if found else None

    def _claimed(self, transaction: Transaction, rows: Sequence[Row]) -> list[ClaimedJob]:
        owner = Instance.of(self._database).owner
        mine = [
            row
            for row in rows
            if transaction.change(CLAIM, {"workspace": row.workspace, "id": row.id, "owner": owner})
        ]
        return [
            ClaimedJob(
                row.workspace,
                row.id,
                row.job,
                row.delivery + 1,
                is_again=row.delivery > 0,
                cancel_at=row.cancel_at,
            )
            for row in mine
        ]


@dataclass(frozen=True, slots=True)
class JobUnits:
    """Statements about the jobs of a workspace. Units leave their commit to the caller."""

    database: Database
    workspace: str
    time: SharedClock
    owner: str

    def storing(
        self, identifier: str, delivery: int, sealed: bytes, facts: Mapping[str, Any]
    ) -> Unit:
        """Return the unit that stores a job's handle and schedules its first poll. The unit changes
        no row if the lease was lost.
        """
        values = {
            "workspace": self.workspace,
            "id": identifier,
            "owner": self.owner,
            "delivery": delivery,
            "job": sealed,
            **facts,
        }
        return lambda transaction: transaction.change(STORE, values)

    def giving_back(
        self,
        claimed: ClaimedJob,
        seconds: float,
        fraction: float | None,
        text: str | None,
        *,
        told: bool,
        tried: bool,
    ) -> Unit:
        """Return the unit that schedules another poll of a job, in ``seconds``. ``told``: the
        provider has the request to cancel; ``tried``: the request did not reach the provider.
        """
        now = self.time.now()
        values = {
            "workspace": self.workspace,
            "id": claimed.id,
            "owner": self.owner,
            "delivery": claimed.delivery,
            "now": now,
            "due": now + seconds,
            "fraction": fraction or 0.0,
            "text": text,
            "told": claimed.cancel_at if told else _NEVER,
            "tried": int(tried),
        }
        return lambda transaction: transaction.change(GIVE_BACK, values)

    def finishing(self, unit: RowUnit) -> RowUnit:
        """Return the unit for ending an invocation, changed for the end of a job: the record of its
        start stays.
        """
        return replace(unit, statement=FINISH)

    def ask_to_cancel(self, identifier: str) -> bool:
        """Request a job's cancellation from the process that polls it next; return False if it has
        ended.
        """
        values = {"workspace": self.workspace, "id": identifier, "now": self.time.now()}
        return bool(self.database.record(lambda transaction: transaction.change(CANCEL, values)))
