"""Verdicts about calls in doubt, as the transaction records them that has found one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield_store.journal import statements as sql
from jackfield_store.journal.entry import bound_result
from jackfield_store.journal.resolving import left_inputs
from jackfield_store.journal.settlement import confirmed, contradicted, contradicts, settled

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield_store.database import Transaction
    from jackfield_store.journal.doubts import Doubts
    from jackfield_store.journal.journal import Journal

SETTLED, CONTRADICTED = "settled", "contradicted"


def judge(
    journal: Journal,
    doubts: Doubts,
    identifier: str,
    verdict: str,
    now: float,
    evidence: Mapping[str, Any],
    output: Mapping[str, Any] | None,
    transaction: Transaction,
    *,
    references: Sequence[str] = (),
    refusal: Mapping[str, Any] | None = None,
    settles: bool = True,
    confirms: bool = False,
) -> str | None:
    """Decide by a verdict, once; return what became of the call, None if nothing.

    The entry's state in this transaction counts: a person, or the call's own late answer, may have
    decided meanwhile. While the request is being sent again, only ``took`` decides. ``settles`` is
    True if the settings let evidence settle doubts; ``confirms`` if it adds an output to a success
    that has none.
    """
    place = {"workspace": journal.workspace, "id": identifier}
    found = transaction.find(sql.SELECT_ONE + journal.database.dialect.locks, place)
    if found is None:
        return None
    entry = journal.entry_of(found, asks=False)

    def sealed(result: Mapping[str, Any], *, failed: bool) -> bytes:
        return journal.sealed_result(entry.id, bound_result(result, entry, answers=not failed))

    if entry.status == "in_doubt":
        if not settles or (verdict != "took" and entry.is_being_asked(now)):
            return None
        result, code = settled(entry, verdict, now, evidence, output, refusal)
        status = result["status"]
        content = sealed(result, failed=status == "failed")
        inputs = left_inputs(journal, entry.id, found.inputs)
        doubts.settle(transaction, entry, status, code, content, references, inputs)
        return SETTLED
    if contradicts(entry, verdict):
        content = sealed(contradicted(entry, now, evidence), failed=entry.status == "failed")
        return CONTRADICTED if doubts.contradict(transaction, entry, content, verdict) else None
    if confirms and settles and _lacks_output(entry):
        content = sealed(confirmed(entry, evidence, output or {}), failed=False)
        doubts.confirm(transaction, entry, content, references)
    return None


def _lacks_output(entry: Entry) -> bool:
    return entry.status == "succeeded" and not (entry.result or {}).get("output")
