"""Doubts that are asked again: the request is sent once more under its idempotency key, while the
provider recognises it. The call stays in doubt meanwhile; a success settles it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.call.tally import KeyMemory
from jackfield.kernel.clock import iso
from jackfield_store.database.faults import UniqueViolation
from jackfield_store.journal import statements as sql
from jackfield_store.journal.doubts import Doubts, keep_from_looking
from jackfield_store.recording.verdicts import judge

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield.invocation.entry import Draft, Entry
    from jackfield.kernel.clock import Clock
    from jackfield_store.database import Transaction
    from jackfield_store.journal.journal import Journal, Unit

KEY = "key"
"""Kind of the evidence that settles a doubt by the provider's answer to its key."""
_MOST = 20
"""Maximum number of requests that an entry lists, the newest."""


class Asking:
    """One request that is sent again, ``by`` whom, for so many ``seconds`` at most."""

    def __init__(
        self, journal: Journal, entry: Entry, by: str | None, seconds: float, clock: Clock
    ) -> None:
        self._journal, self.entry, now = journal, entry, journal.time.stamp()
        self._clock, self._until = clock, now + seconds
        self._asked: dict[str, Any] = {"at": now, "by": by, "until": self._until}
        self._stored = _text([*entry.asked, self._asked])
        kept = 0.0 if entry.key_facts is None else entry.key_facts.kept
        self.memory = KeyMemory(clock, kept, entry.is_by_caller)
        self.memory.note_ago(now - (entry.sent_at or 0.0))

    def begin(self) -> Unit:
        """Return the unit that records the request before it is sent. Its commit raises
        UniqueViolation if the doubt was settled or asked meanwhile.
        """
        place = {"workspace": self._journal.workspace, "id": self.entry.id}
        before = _text(self.entry.asked) if self.entry.asked else ""

        def unit(transaction: Transaction) -> int:
            values = {**place, "asked": self._stored, "before": before}
            if not transaction.change(sql.ASK, values):
                raise UniqueViolation("invocations_key")
            keep_from_looking(transaction, place, self._asked["at"], self._until)
            return 1

        return unit

    def queue(self, draft: Draft) -> Unit:
        """Return the unit that queues the request again, with ``draft.inputs``. It raises
        UniqueViolation if the doubt was settled or asked meanwhile.
        """
        entry, now = self.entry, self._journal.time.stamp()
        run: dict[str, Any] = {"delivery": entry.delivery, "outcome": "in_doubt", "endedAt": now}
        run |= {"startedAt": entry.started_at, "askedBy": self._asked["by"]}
        values = {
            "workspace": self._journal.workspace,
            "id": entry.id,
            "deliveries": json.dumps([*entry.deliveries, run]),
            "before": _text(entry.asked) if entry.asked else "",
            "inputs": draft.inputs,
            "available_at": draft.not_before or 0.0,
            "not_after": draft.not_after,
            "priority": draft.priority,
        }

        def unit(transaction: Transaction) -> int:
            if not transaction.change(sql.QUEUE_AGAIN, values):
                raise UniqueViolation("invocations_key")
            return 1

        return unit

    def end(self, result: Result, output: Mapping[str, Any] | None) -> Unit:
        """Return the unit that records the end of the request. A success settles the doubt, with
        the ``output`` that may be recorded.
        """
        now, took = self._journal.time.stamp(), result.status == "succeeded"
        outcome = "succeeded" if took or result.error is None else result.error.code
        ended = {**self._asked, "endedAt": now, "outcome": outcome}
        values = {
            "workspace": self._journal.workspace,
            "id": self.entry.id,
            "asked": _text([*self.entry.asked, ended]),
            "before": self._stored,
        }
        journal = self._journal
        doubts = Doubts(journal.database, journal.vault, journal.workspace, self._clock)
        settle = partial(judge, journal, doubts, self.entry.id, "took", now, self.evidence, output)

        def unit(transaction: Transaction) -> int:
            noted = transaction.change(sql.NOTE_ASKED, values)
            if took:
                settle(transaction)
            return noted

        return unit

    @property
    def evidence(self) -> Mapping[str, Any]:
        """The provider's answer as the evidence of a resolution."""
        entry = self.entry
        return {
            "verdict": "took",
            "kind": KEY,
            "source": f"{entry.connector}/{entry.action}",
            "connection": entry.connection,
            "looks": len(entry.looks),
        }

    def resolution(self) -> Mapping[str, Any]:
        """Return the resolution of the doubt by a success, as a Result's meta has it."""
        error = (self.entry.result or {}).get("error")
        return {
            "by": "evidence",
            "at": iso(self._journal.time.stamp()),
            **({} if error is None else {"error": error}),
            "evidence": self.evidence,
        }


def _text(asked: Any) -> str:
    return json.dumps([*asked][-_MOST:])
