"""Doubts that a person resolves or a late answer settles, and their Results from then on."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Protocol

from jackfield.kernel.clock import iso
from jackfield.kernel.errors import Detail, InvalidInvocation, Unavailable
from jackfield.kernel.exact import read_float, result_json
from jackfield_store.database import outbox
from jackfield_store.journal import quotas
from jackfield_store.journal import statements as sql
from jackfield_store.journal.doubt_reports import DoubtReports, Report
from jackfield_store.journal.entry import DOUBT_KEPT, EVIDENCE, RECORDED, bound_result

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield_store.database import Database, Row, Transaction
    from jackfield_store.database.shared_clock import SharedClock
    from jackfield_store.keys.vault import Vault

    Outcome = Literal["succeeded", "failed"]
    Json = Mapping[str, Any]


_LOG = logging.getLogger("jackfield.doubts")
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Resolvable(Protocol):
    """Port to a workspace's journal for resolutions."""

    database: Database
    vault: Vault
    workspace: str
    time: SharedClock

    def find(self, identifier: str) -> Entry:
        """Find the entry of an invocation."""

    def sealed_result(self, identifier: str, result: Mapping[str, Any]) -> bytes:
        """Encrypt a Result's JSON for its entry."""

    def sealed_inputs(self, identifier: str, inputs: Mapping[str, Any]) -> bytes:
        """Encrypt inputs for their entry."""

    def opened_inputs(self, identifier: str, sealed: bytes) -> Any:
        """Decrypt inputs."""


UNKNOWN_OUTPUT = {
    "path": "",
    "message": (
        "the output is unknown: the answer was lost, and a person has told that it took effect"
    ),
}
"""Warning of a success reported by a person, in place of the output."""


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
        raise InvalidInvocation(
            "the outcome of a doubt is 'succeeded' or 'failed'",
            details=[Detail("/as", "is neither", "enum")],
        )
    entry, now = journal.find(identifier), journal.time.stamp()
    result, code = _by_person(entry, outcome, by, now, note, because)
    if outcome == "succeeded":
        result = with_output(result, output, UNKNOWN_OUTPUT)
    sealed = journal.sealed_result(
        identifier, bound_result(result, entry, answers=outcome != "failed")
    )
    place = {"workspace": journal.workspace, "id": identifier}
    row = journal.database.look_up(sql.SELECT_ONE, place)
    values = {
        **place,
        "status": outcome,
        "error_code": code,
        "resolved_by": by,
        "result": sealed,
        "purge_after": now + DOUBT_KEPT,
        "key_held": int(outcome == "succeeded" and entry.key_held),
        "inputs": None if row is None else left_inputs(journal, identifier, row.inputs),
    }
    if not journal.database.record(partial(_resolved, journal.database, values)):
        raise InvalidInvocation(
            f"the invocation '{identifier[:80]}' is not in doubt: its status is '{entry.status}'",
            hint="There is nothing to resolve: only invocations in doubt are resolved.",
        )
    verdict, since = "took" if outcome == "succeeded" else "absent", entry.settled_at or now
    DoubtReports.of(journal.database).tell(
        Report(by="person", verdict=verdict, seconds=max(0.0, now - since))
    )


def left_inputs(journal: Resolvable, identifier: str, sealed: bytes | None) -> bytes | None:
    """Return the sealed inputs of a call whose doubt is settled: recorded ones stay, and those of
    the doubt alone go.
    """
    if sealed is None:
        return None
    stored: Mapping[str, Any] = journal.opened_inputs(identifier, sealed)
    if RECORDED not in stored:
        return sealed
    if not stored[RECORDED]:
        return None
    return journal.sealed_inputs(identifier, {"inputs": stored.get("inputs")})


def _resolved(database: Database, values: Mapping[str, Any], transaction: Transaction) -> int:
    changed = sql.resolve(transaction, values)
    if changed and values["status"] == "failed":
        quotas.give_back(database, transaction, values["workspace"], values["id"])
    return changed


def with_output(
    result: Mapping[str, Any], output: Mapping[str, Any] | None, warning: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the Result of a success with its output; if the output is unknown, without one and
    with a ``warning``.
    """
    meta = dict(result["meta"])
    if others := [one for one in meta.pop("warnings", ()) if one != UNKNOWN_OUTPUT]:
        meta["warnings"] = others
    if output is not None:
        return {**result, "output": dict(output), "meta": meta}
    return {**result, "meta": {**meta, "warnings": [*others, warning]}}


def report_late(
    journal: Resolvable, transaction: Transaction, rows: Sequence[dict[str, Any]]
) -> None:
    """Report the doubts that late outcomes settle, and the decisions that they contradict, once the
    outcomes are committed. ``rows`` are outcomes of entries that had ended already, since their
    process counted as lost.
    """
    reports = DoubtReports.of(journal.database)
    for row in rows:
        found = (
            None
            if row["status"] == "in_doubt"
            else transaction.find(sql.CORRECTED + journal.database.dialect.locks, row)
        )
        if found is None or (found.status != "in_doubt" and found.resolved_by is None):
            continue
        verdict = "took" if row["status"] == "succeeded" else "refused"
        report = Report(
            by="answer", verdict=verdict, seconds=max(0.0, row["settled_at"] - found.settled_at)
        )
        if found.status != "in_doubt":
            row["result"], is_first = _after_decision(journal.vault, row, found, verdict)
            if not is_first:
                continue
            tell_contradiction(transaction, row, found, verdict, row["settled_at"], "a late answer")
            report = Report(contradicted=True)
        transaction.afterwards = (*transaction.afterwards, partial(reports.tell, report))


def _after_decision(
    vault: Vault, row: Mapping[str, Any], found: Row, verdict: str
) -> tuple[bytes, bool]:
    """Return the sealed Result of a late answer, with the decision made before it, and whether the
    answer contradicts the decision.
    """
    workspace, place = row["workspace"], ("invocation", found.id, "result")
    known, result = (
        json.loads(vault.open(workspace, place, one), parse_float=read_float)
        if one is not None
        else {"meta": {}}
        for one in (found.result, row["result"])
    )
    resolution = known["meta"].get(
        "resolution", {"by": found.resolved_by, "at": iso(found.settled_at)}
    )
    is_contradicted = row["status"] != found.status
    if is_contradicted:
        source = f"{found.connector}/{found.action}"
        resolution["contradictedBy"] = {
            "at": iso(row["settled_at"]),
            "verdict": verdict,
            "kind": "answer",
            "source": source,
        }
    told = {**result, "meta": {**result["meta"], "resolution": resolution}}
    return vault.seal(
        workspace, place, result_json(told, _JSON).encode("utf-8", "surrogatepass")
    ), is_contradicted


def tell_contradiction(
    transaction: Transaction, row: Mapping[str, Any], entry: Any, verdict: str, at: float, what: str
) -> None:
    """Report that evidence, or the source named by ``what``, contradicts the resolution of a doubt.
    ``row`` has the call's workspace and status.
    """
    facts = {
        "invocationId": entry.id,
        "status": row["status"],
        "resolvedBy": entry.resolved_by or "answer",
        "verdict": verdict,
        "connector": entry.connector,
        "action": entry.action,
    }
    outbox.record(transaction, row["workspace"], "invocation.contradicted", entry.id, at, facts)
    _LOG.error(
        "%s contradicts how the invocation %s of the workspace '%s' was resolved",
        what,
        entry.id,
        row["workspace"],
    )


def resolved(
    entry: Entry,
    outcome: Outcome,
    by: str,
    at: float,
    note: str = "",
    because: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], str | None]:
    """Resolve a doubt as a person decided; return the Result and its error's code.

    ``meta.resolution`` holds the person, the time, their ``note`` of reasons, the look that
    supports the decision (``because``), and the error of the doubt. The provider's request id
    stays. A success has no output yet. A failure may be sent again.
    """
    known = dict(entry.result or {"meta": {"invocationId": entry.id}})
    before = known["meta"].get("resolution", {})
    doubt = known.pop("error", None)
    doubt = before.get("error") if before else doubt
    said = (doubt or {}).get("provider", {})
    meta = {"requestId": said["requestId"]} if "requestId" in said else {}
    about = {"note": note or None, "because": because, "error": doubt, "overruled": before or None}
    resolution = {
        "by": by,
        "at": iso(at),
        **{name: value for name, value in about.items() if value is not None},
    }
    known["meta"] = {**meta, **known["meta"], "resolution": resolution}
    if outcome == "succeeded":
        return {**known, "status": outcome}, None
    error = Unavailable(
        f"'{entry.action}' did not take effect: it was resolved as failed",
        hint="It can be sent again.",
    ).to_json()
    return {
        **known,
        "status": outcome,
        "error": error | ({"provider": said} if said else {}),
    }, error["code"]


def _by_person(
    entry: Entry, outcome: Outcome, by: str, at: float, note: str, because: int | None
) -> tuple[dict[str, Any], str | None]:
    """Resolve a doubt as ``resolved`` does; ``because`` is the number of a look.

    :raises InvalidInvocation: if ``by`` is the name for evidence, which only looks may use, or
        there is no such look.
    """
    if by.strip().casefold().startswith(EVIDENCE):
        raise InvalidInvocation(
            f"'{EVIDENCE}' resolves nothing by itself",
            hint="Say who has decided; add how they know it as a note.",
        )
    look = next((one for one in entry.looks if one.get("number") == because), None)
    if because is not None and look is None:
        hint = (
            "The entry lists its looks with their numbers."
            if entry.looks
            else "Nothing was looked up: leave the number out."
        )
        raise InvalidInvocation(f"the invocation has no look {because}", hint=hint)
    return resolved(entry, outcome, by, at, note, look)
