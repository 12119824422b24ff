"""Doubts that a person resolves, with the Results that they have from then on, or that a late answer settles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from jackfield.kernel.clock import iso
from jackfield.kernel.errors import Detail, InvalidInvocation, Unavailable
from jackfield_store.journal import statements as sql
from jackfield_store.journal.doubt_reports import DoubtReports, Report
from jackfield_store.journal.entry import DOUBT_KEPT, EVIDENCE, bound_result

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield_store.database import Database, Transaction
    from jackfield_store.database.shared_clock import SharedClock

    Outcome = Literal["succeeded", "failed"]
    Json = Mapping[str, Any]


class Resolvable(Protocol):
    """Journal of a workspace, as far as resolutions need it."""

    database: Database
    workspace: str
    time: SharedClock

    def find(self, identifier: str) -> Entry:
        """Find the entry of an invocation."""

    def sealed_result(self, identifier: str, result: Mapping[str, Any]) -> bytes:
        """Encrypt a Result's JSON for its entry."""


UNKNOWN_OUTPUT = {"path": "", "message": "the output is unknown: the answer was lost, and a person has told that it took effect"}
"""Warning of a success that a person has told of, in the place of its output."""


def resolve(
    journal: Resolvable,
    identifier: str,
    outcome: Outcome,
    by: str,
    note: str,
    because: int | None,
    output: Mapping[str, Any] | None,
) -> None:
    """Resolve a doubt as a person decided (``Journal.resolve``).

    :raises InvalidInvocation: if there is no such invocation or look, or it is not in doubt.
    """
    if outcome not in ("succeeded", "failed"):
        raise InvalidInvocation("the outcome of a doubt is 'succeeded' or 'failed'", details=[Detail("/as", "is neither", "enum")])
    entry, now = journal.find(identifier), journal.time.stamp()
    result, code = _by_person(entry, outcome, by, now, note, because)
    if outcome == "succeeded":
        result = with_output(result, output, UNKNOWN_OUTPUT)
    sealed = journal.sealed_result(identifier, bound_result(result, entry, answers=outcome != "failed"))
    values = {
        "workspace": journal.workspace, "id": identifier, "status": outcome, "error_code": code, "resolved_by": by, "result": sealed,
        "purge_after": now + DOUBT_KEPT, "key_held": int(outcome == "succeeded" and entry.key_held)}  # fmt: skip
    if not journal.database.record(lambda transaction: sql.resolve(transaction, values)):
        raise InvalidInvocation(
            f"the invocation '{identifier[:80]}' is not in doubt: its status is '{entry.status}'",
            hint="There is nothing to resolve: only invocations in doubt are resolved.",
        )
    verdict, since = "took" if outcome == "succeeded" else "absent", entry.settled_at or now
    DoubtReports.of(journal.database).tell(Report(by="person", verdict=verdict, seconds=max(0.0, now - since)))


def with_output(result: Mapping[str, Any], output: Mapping[str, Any] | None, warning: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Result of a success with its output or, if that is unknown, without one and with a ``warning``."""
    meta = dict(result["meta"])
    if others := [one for one in meta.pop("warnings", ()) if one != UNKNOWN_OUTPUT]:
        meta["warnings"] = others
    if output is not None:
        return {**result, "output": dict(output), "meta": meta}
    return {**result, "meta": {**meta, "warnings": [*others, warning]}}


def report_late(database: Database, transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """Report the doubts that late outcomes settle, once these are committed. ``rows`` are outcomes of entries that have ended, in doubt or
    otherwise: their process was taken for lost."""
    reports = DoubtReports.of(database)
    for row in rows if reports.are_heard else ():
        doubt = None if row["status"] == "in_doubt" else transaction.find(sql.LEFT_IN_DOUBT + database.dialect.locks, row)
        if doubt is not None:
            verdict = "took" if row["status"] == "succeeded" else "refused"
            report = Report(by="answer", verdict=verdict, seconds=max(0.0, row["settled_at"] - doubt.settled_at))
            transaction.afterwards = (*transaction.afterwards, partial(reports.tell, report))


def resolved(
    entry: Entry,
    outcome: Outcome,
    by: str,
    at: float,
    note: str = "",
    because: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], str | None]:
    """Resolve a doubt as a person decided; return the Result and its error's code.

    ``meta.resolution`` holds who decided, when, the ``note`` of how they know, the look that shows it (``because``), and the error of the
    doubt. The provider's request id stays. A success has no output yet. A failure may be sent again.
    """
    known = dict(entry.result or {"meta": {"invocationId": entry.id}})
    before = known["meta"].get("resolution", {})
    doubt = known.pop("error", None)
    doubt = before.get("error") if before else doubt
    said = (doubt or {}).get("provider", {})
    meta = {"requestId": said["requestId"]} if "requestId" in said else {}
    about = {"note": note or None, "because": because, "error": doubt, "overruled": before or None}
    resolution = {"by": by, "at": iso(at), **{name: value for name, value in about.items() if value is not None}}
    known["meta"] = {**meta, **known["meta"], "resolution": resolution}
    if outcome == "succeeded":
        return {**known, "status": outcome}, None
    error = Unavailable(f"'{entry.action}' did not take effect: it was resolved as failed", hint="It can be sent again.").to_json()
    return {**known, "status": outcome, "error": error | ({"provider": said} if said else {})}, error["code"]


def _by_person(entry: Entry, outcome: Outcome, by: str, at: float, note: str, because: int | None) -> tuple[dict[str, Any], str | None]:
    """Resolve a doubt as ``resolved`` does; ``because`` is the number of a look.

    :raises InvalidInvocation: if it is in the name of evidence, which is for looks alone, or there is no such look.
    """
    if by.strip().casefold().startswith(EVIDENCE):
        raise InvalidInvocation(f"'{EVIDENCE}' resolves nothing by itself", hint="Say who has decided; add how they know it as a note.")
    look = next((one for one in entry.looks if one.get("number") == because), None)
    if because is not None and look is None:
        hint = "The entry lists its looks with their numbers." if entry.looks else "Nothing was looked up: leave the number out."
        raise InvalidInvocation(f"the invocation has no look {because}", hint=hint)
    return resolved(entry, outcome, by, at, note, look)
