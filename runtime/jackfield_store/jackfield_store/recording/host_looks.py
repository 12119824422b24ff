"""Looks of a program's own functions: what they have found settles a doubt about one, as evidence does, on the word of their author."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jackfield.manifest.reading import HOST
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.journal.doubt_reports import DoubtReports, Report
from jackfield_store.journal.doubts import Doubts
from jackfield_store.journal.entry import EVIDENCE, bound_result
from jackfield_store.journal.settlement import settled as settled_by
from jackfield_store.recording.replays import replay_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jackfield.invocation import Result
    from jackfield.invocation.entry import Entry
    from jackfield.kernel.clock import Clock
    from jackfield_store.journal.journal import Journal


def settled(journal: Journal, clock: Clock, identifier: str, output: Mapping[str, Any] | None, absent_after: float) -> Result:
    """Settle a doubt by what a look has found: the ``output``, or nothing, which counts ``absent_after`` seconds after the doubt. Return
    the Result of a repeat."""
    entry = journal.find(identifier, alone=True)
    if entry.status == "in_doubt" and (output is not None or _is_absent(journal, entry, absent_after)):
        with suppress(OvertakenError):  # another process was faster, or a person
            _settle(journal, clock, entry, output)
        entry = journal.find(identifier, alone=True)
    return replay_of(entry)


def _is_absent(journal: Journal, entry: Entry, absent_after: float) -> bool:
    now = journal.time.sure()
    return now is not None and entry.settled_at is not None and now >= entry.settled_at + absent_after


def _settle(journal: Journal, clock: Clock, entry: Entry, output: Mapping[str, Any] | None) -> None:
    now, verdict = journal.time.stamp(), "absent" if output is None else "took"
    evidence = {"verdict": verdict, "kind": "object", "source": f"{HOST}/{entry.action}"}
    result, code = settled_by(entry, verdict, now, evidence, output)
    sealed = journal.sealed_result(entry.id, bound_result(result, entry, answers=output is not None))
    doubts = Doubts(journal.database, journal.vault, journal.workspace, clock)
    journal.database.record(lambda transaction: doubts.settle(transaction, entry, result["status"], code, sealed))
    since = now if entry.settled_at is None else entry.settled_at
    DoubtReports.of(journal.database).tell(Report(by=EVIDENCE, verdict=verdict, seconds=max(0.0, now - since)))
