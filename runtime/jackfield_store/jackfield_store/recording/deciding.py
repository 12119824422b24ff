"""Decision by what a look has found: a doubt is settled, or what was decided meanwhile is contradicted or confirmed, in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield_store.journal import statements as sql
from jackfield_store.journal.doubt_reports import Report
from jackfield_store.journal.entry import EVIDENCE, bound_result
from jackfield_store.journal.settlement import confirmed, contradicted, contradicts, settled

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield_store.database import Transaction
    from jackfield_store.journal.doubts import Doubts
    from jackfield_store.recording.findings import Finding
    from jackfield_store.recording.look_log import LookLog
    from jackfield_store.recording.looking import Looking

SETTLED, CONTRADICTED = "settled", "contradicted"


def decided(
    doubts: Doubts, looking: Looking, log: LookLog, row: Mapping[str, Any], finding: Finding, verdict: str, *, settles: bool
) -> Report:
    """Decide by a verdict, once, and record the round of looks with it. ``settles`` if the settings want doubts to be settled.

    The entry counts as it is in that transaction: a person, or the call's own late answer, may have decided while the look was made.
    """
    journal, now = looking.journal, doubts.time.stamp()
    kind = "event" if "trigger" in row else "record" if "source" in row else "object"
    evidence: dict[str, Any] = {
        "verdict": verdict, "kind": kind, "source": looking.source(row),
        "connection": looking.entry.connection, "looks": looking.doubt.looks + 1,
    }  # fmt: skip
    if verdict != "absent" and not looking.judges:  # no policy judges what a look has found
        evidence["matched"] = dict(finding.shown)
    log.ends()
    output, references = looking.output(row, finding.item) if verdict == "took" else (None, [])
    output = None if looking.judges else output

    def sealed(entry: Entry, result: Mapping[str, Any], *, failed: bool) -> bytes:
        return journal.sealed_result(entry.id, bound_result(result, entry, answers=not failed))

    def unit(transaction: Transaction) -> str | None:
        found = transaction.find(sql.SELECT_ONE + journal.database.dialect.locks, {"workspace": doubts.workspace, "id": looking.doubt.id})
        if found is None:
            return None
        entry = journal.entry_of(found, asks=False)
        if entry.status == "in_doubt":
            if not settles:
                return None
            result, code = settled(entry, verdict, now, evidence, output, finding.refusal)
            status = result["status"]
            doubts.settle(transaction, entry, status, code, sealed(entry, result, failed=status == "failed"), references)
            return SETTLED
        if contradicts(entry, verdict):
            result = contradicted(entry, now, evidence)
            facts = {"invocationId": entry.id, "status": entry.status, "resolvedBy": entry.resolved_by or "answer", "verdict": verdict,
                     "connector": entry.connector, "action": entry.action}  # fmt: skip
            return CONTRADICTED if doubts.contradict(
                transaction, entry, sealed(entry, result, failed=entry.status == "failed"), facts
            ) else None  # fmt: skip
        if kind == "event" and settles and entry.status == "succeeded" and not (entry.result or {}).get("output"):
            doubts.confirm(transaction, entry, sealed(entry, confirmed(entry, evidence, output or {}), failed=False), references)
        return None

    outcome = doubts.looked(looking.doubt, log.to_json(), None, unit, looks=len(log.found))
    if outcome == SETTLED:
        return Report(by=EVIDENCE, verdict=verdict, seconds=now - looking.doubt.since)
    return Report(contradicted=outcome == CONTRADICTED)
