"""Suppressed recipients: they get no more messages after one bounced or drew a complaint
(``Outcome.suppresses``).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from typing import Any

from jackfield.kernel.clock import Clock, iso
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.stored_values import problem_of_times
from jackfield_store.database import Database, Row, SealBroken, Transaction
from jackfield_store.database.cursors import cursor_after, place_after
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal.outcomes import KEPT, REASONS, outcome_place, part_of
from jackfield_store.keys.vault import Vault

_AT_ONCE = 200
_UNKNOWN = "unknown"
_AMONG = """
SELECT part, MAX(blocks) AS blocks FROM outcomes
WHERE workspace = :workspace AND blocks > 0 AND at > :since AND part IN ({parts}) GROUP BY part
"""
_PAGE = """
SELECT o.reference, o.part, o.at, o.sealed, o.blocks FROM outcomes o
WHERE o.workspace = :workspace AND o.blocks > 0 AND o.at > :since{further} AND NOT EXISTS (
    SELECT 1 FROM outcomes later WHERE later.workspace = :workspace AND later.part = o.part AND later.blocks > 0
    AND (later.at, later.reference) > (o.at, o.reference)
) ORDER BY o.at DESC, o.reference DESC, o.part DESC LIMIT :limit
"""
_REMOVE = (
    "UPDATE outcomes SET blocks = 0 WHERE workspace = :workspace AND part = :part AND blocks > 0"
)

_SENT = """
SELECT COUNT(*) AS messages, MIN(id) AS first FROM (
    SELECT id FROM invocation_references WHERE workspace = :workspace AND connection = :connection AND id > :after
    ORDER BY id DESC LIMIT :messages
) AS newest
"""
_FAILED = """
SELECT o.blocks, COUNT(*) AS found FROM outcomes o WHERE o.workspace = :workspace AND o.blocks > 0 AND o.at >= :begun AND EXISTS (
    SELECT 1 FROM invocation_references r WHERE r.workspace = :workspace AND r.reference = o.reference AND r.connection = :connection
) GROUP BY o.blocks
"""
_CONNECTION = (
    "SELECT connection FROM invocation_references WHERE workspace = :workspace AND reference "
    "= :reference LIMIT 1"
)


class UnknownSuppression(InvalidInvocation):
    """Error for a recipient that is not suppressed."""

    http_status = 404


class Suppressions:
    """Suppressed recipients of one workspace: each for ``KEPT`` seconds after the outcome, or until
    a person lifts the suppression. ``note`` records the lifting in the same transaction, with the
    keyed digest of the recipient. ``refusing`` names the connections whose guard refuses suppressed
    recipients.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        workspace: str,
        clock: Clock,
        note: Callable[[Transaction, str], object] | None = None,
        refusing: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._vault = vault
        self._workspace = workspace
        self._time = SharedClock.of(database, clock)
        self._note = note
        self._refusing = refusing

    def among(self, recipients: Collection[str]) -> dict[str, str]:
        """Return the suppressed recipients among ``recipients``, each with the reason: ``bounce``
        or ``complaint``.
        """
        parts = {name: part_of(self._vault, self._workspace, name) for name in recipients}
        found: dict[str, str] = {}
        wanted = [*parts.values()]
        for start in range(0, len(wanted), _AT_ONCE):
            named = {
                f"part{place}": part for place, part in enumerate(wanted[start : start + _AT_ONCE])
            }
            with self._database.read() as transaction:
                rows = transaction.execute(
                    _AMONG.format(parts=", ".join(f":{name}" for name in named)),
                    {**self._lasting, **named},
                )
            found |= {row.part: _reason(row) for row in rows}
        return {name: found[part] for name, part in parts.items() if part in found}

    def page(self, cursor: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        """Return a page of suppressed recipients, the latest first, and the cursor of the next
        page, None on the last page.

        :raises InvalidInvocation: if the cursor did not come from a list.
        """
        values: dict[str, Any] = {**self._lasting, "limit": limit + 1}
        if cursor is not None:
            values |= place_after(cursor, "before", "reference", "part")
        further = (
            ""
            if cursor is None
            else " AND (o.at, o.reference, o.part) < (:before, :reference, :part)"
        )
        with self._database.read() as transaction:
            rows = transaction.execute(_PAGE.format(further=further), values)
        more = cursor_after(
            rows[limit - 1] if len(rows) > limit else None, "at", "reference", "part"
        )
        return [self._suppression(row) for row in rows[:limit]], more

    def remove(self, recipient: str) -> None:
        """Lift a suppression, until another message to the recipient bounces or draws a complaint.

        :raises UnknownSuppression: if the recipient is not suppressed.
        """
        part = part_of(self._vault, self._workspace, recipient)
        with self._database.write() as transaction:
            if not transaction.change(_REMOVE, {"workspace": self._workspace, "part": part}):
                raise UnknownSuppression(
                    "nothing suppresses this recipient",
                    hint="The list of suppressions shows who is suppressed.",
                )
            if self._note is not None:
                self._note(transaction, part)

    def connections(self, references: Collection[str]) -> set[str]:
        """Return the known connections over which the messages with these references were sent."""
        rows = [
            self._database.look_up(_CONNECTION, {"workspace": self._workspace, "reference": one})
            for one in references
        ]
        return {row.connection for row in rows if row is not None and row.connection is not None}

    def figures(self, connection: str, messages: int, since: float) -> dict[str, int]:
        """Count the last messages over a connection, up to ``messages`` and none sent before
        ``since``. Count all bounces and complaints of the connection since the first of these
        messages, since complaints come days later.
        """
        own, after = (
            {"workspace": self._workspace, "connection": connection},
            f"{int(since * 1000):012x}",
        )
        with self._database.read() as transaction:
            (sent,) = transaction.execute(
                _SENT, {**own, "after": f"{after[:8]}-{after[8:]}", "messages": messages}
            )
            begun = (
                since if sent.first is None else int(sent.first[:13].replace("-", ""), 16) / 1000
            )
            found = {
                row.blocks: int(row.found)
                for row in transaction.execute(_FAILED, {**own, "begun": begun})
            }
        return {
            "messages": int(sent.messages),
            "bounces": found.get(1, 0),
            "complaints": found.get(2, 0),
        }

    @property
    def _lasting(self) -> dict[str, Any]:
        return {"workspace": self._workspace, "since": self._time.now() - KEPT}

    def _suppression(self, row: Any) -> dict[str, Any]:
        problem = problem_of_times(row.at)
        try:
            shown = json.loads(
                self._vault.open(
                    self._workspace, outcome_place(row.reference, row.part), row.sealed
                )
            )
        except SealBroken:
            shown, problem = (
                {"part": _UNKNOWN},
                {
                    "problem": (
                        "its row in the database was changed: nobody can read whom it is about"
                    )
                },
            )
        about = {"recipient": shown["part"], "reason": _reason(row), "text": shown.get("text")}
        return {
            **{name: value for name, value in about.items() if value},
            "at": iso(row.at),
            "expiresAt": iso(row.at + KEPT),
            "refusedBy": [*self._refusing],
            **problem,
        }


def _reason(row: Row) -> str:
    """Return the reason for which a recipient is suppressed; for a changed row, the gravest
    reason.
    """
    return dict(enumerate(REASONS, 1)).get(row.blocks, REASONS[-1])
