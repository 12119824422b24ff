"""Dead letters: queued invocations that recovery has given up, since their workers ended each time.
The invocation stays stored, encrypted, so that a person can queue it again.
"""

from __future__ import annotations

from collections.abc import Callable

from jackfield.kernel.clock import Clock
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import IdempotencyConflict, InvalidInvocation
from jackfield.kernel.hints import NextStep
from jackfield_store.database import Database, Row, Transaction, UniqueViolation
from jackfield_store.database.cursors import cursor_after, place_after
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal.room import queue_room, require_room

_COLUMNS = (
    "id, connector, action, connection, key_space, idempotency_key, deliveries, created_at, "
    "dead_at, not_after"
)
_PAGE = f"""
SELECT {_COLUMNS} FROM invocations WHERE workspace = :workspace AND dead_at IS NOT NULL
    AND (dead_at < :at OR (dead_at = :at AND id < :after))
ORDER BY dead_at DESC, id DESC LIMIT :limit
"""
_FIND = f"SELECT {_COLUMNS}, status FROM invocations WHERE workspace = :workspace AND id = :id"
_IS_APPROVED = "SELECT id FROM approvals WHERE workspace = :workspace AND id = :id"
_KEY_HOLDER = (
    "SELECT id FROM invocations WHERE workspace = :workspace AND key_space = :space AND "
    "idempotency_key = :key AND key_held = 1 AND id <> :id"
)
_REDRIVE = """
UPDATE invocations SET status = 'queued', dead_at = NULL, error_code = NULL, result = NULL, attempts = 0, attempt_log = NULL,
    request_id = NULL, started_at = NULL, settled_at = NULL, expires_at = NULL, owner = NULL, recovered_at = NULL, deliveries = NULL,
    cancel_at = NULL, cancel_requested_at = NULL, released_at = NULL, available_at = :now, redriven = 1,
    key_held = CASE WHEN idempotency_key IS NULL THEN 0 ELSE 1 END
WHERE workspace = :workspace AND id = :id AND dead_at IS NOT NULL
"""
# ``delivery`` goes on counting, since it fences workers that lost a lease; the limit counts the
# entries of ``deliveries``.


@dataclass(frozen=True, slots=True)
class Redriven:
    """Dead letter that was queued again, with the ends of its workers."""

    id: str
    connector: str
    action: str


class DeadLetters:
    """Dead letters of one workspace. ``note`` records a redrive in the audit log, in the same
    commit; ``most`` returns the maximum number of waiting invocations of the workspace.
    """

    def __init__(
        self,
        database: Database,
        workspace: str,
        clock: Clock,
        note: Callable[[Transaction, Redriven], None],
        most: Callable[[], float | None],
    ) -> None:
        self._database = database
        self._workspace = workspace
        self._time = SharedClock.of(database, clock)
        self._note = note
        self._most = most

    def page(self, cursor: str | None, limit: int) -> tuple[list[Row], str | None]:
        """Return dead letters, the newest first, and the cursor of the next page, None on the last
        page.

        :raises InvalidInvocation: if the cursor is not valid.
        """
        values = {
            "workspace": self._workspace,
            "limit": limit + 1,
            **place_after(cursor or "1e18~", "at", "after"),
        }
        with self._database.read() as transaction:
            rows = transaction.execute(_PAGE, values)
        return rows[:limit], cursor_after(
            rows[limit - 1] if len(rows) > limit else None, "dead_at", "id"
        )

    def redrive(self, identifier: str) -> Redriven:
        """Queue a dead letter again, with a fresh count of deliveries; its idempotency key is held
        again.

        :raises InvalidInvocation: if there is no such invocation, it is not dead, or its
            ``notAfter`` has passed.
        :raises IdempotencyConflict: if another invocation holds its idempotency key by now.
        :raises LimitReached: if the workspace's limit of waiting invocations is reached.
        """
        most = self._most()
        try:
            return self._database.record(
                lambda transaction: self._redriven(transaction, identifier, most)
            )
        except UniqueViolation:  # an invocation that was queued meanwhile took the key
            raise _key_is_held(identifier, "another invocation") from None

    def _redriven(self, transaction: Transaction, identifier: str, most: float | None) -> Redriven:
        place, now = {"workspace": self._workspace, "id": identifier}, self._time.now()
        row = transaction.find(_FIND, place)
        if row is None:
            raise InvalidInvocation(
                f"no invocation has the ID '{identifier[:80]}'", hint=NextStep("invocations")
            )
        if row.dead_at is None:
            raise InvalidInvocation(
                f"the invocation '{identifier[:80]}' is not dead: its status is '{row.status}'",
                hint="Only invocations whose deliveries were given up can be queued again.",
            )
        if row.not_after is not None and row.not_after <= now:
            raise InvalidInvocation(
                f"the invocation '{identifier[:80]}' must not begin any more: its 'notAfter' has "
                "passed",
                hint="Submit it as a new invocation.",
            )
        if transaction.find(_IS_APPROVED, place) is not None:
            text = f"the invocation '{identifier[:80]}' was approved by a person, for one run"
            raise InvalidInvocation(text, hint="Submit it as a new invocation.")
        if row.idempotency_key is not None:
            key = {"space": row.key_space, "key": row.idempotency_key}
            holder = transaction.find(_KEY_HOLDER, {**place, **key})
            if holder is not None:
                raise _key_is_held(identifier, f"invocation {holder.id}")
        require_room(transaction, self._workspace, queue_room(most))
        if not transaction.change(_REDRIVE, {**place, "now": now}):
            raise InvalidInvocation(
                f"the invocation '{identifier[:80]}' is not dead any more: it was queued again, "
                "or corrected, meanwhile",
                hint="See its journal entry.",
            )
        redriven = Redriven(identifier, row.connector, row.action)
        self._note(transaction, redriven)
        return redriven


def _key_is_held(identifier: str, holder: str) -> IdempotencyConflict:
    return IdempotencyConflict(
        f"the idempotency key of the invocation '{identifier[:80]}' is held by {holder}",
        hint="That invocation has done, or will do, what this one asked for.",
    )
