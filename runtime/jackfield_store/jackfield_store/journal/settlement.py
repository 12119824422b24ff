"""Results of invocations whose doubt evidence has settled, or whose resolution it contradicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import iso
from jackfield.kernel.errors import CODES, Rejected
from jackfield_store.journal.entry import EVIDENCE
from jackfield_store.journal.resolving import resolved

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry

UNKNOWN_OUTPUT = {"path": "", "message": "the output is unknown: the answer was lost, and the evidence proves only that it took effect"}
_OUTCOMES = {"took": "succeeded", "refused": "failed", "absent": "failed"}


def settled(
    entry: Entry,
    verdict: str,
    at: float,
    evidence: Mapping[str, Any],
    output: Mapping[str, Any] | None,
    record: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], str | None]:
    """Settle a doubt by evidence; return the Result and its error's code. ``output`` is what the look has declared and found, ``record``
    the provider's own of a request that it has refused."""
    outcome: Any = _OUTCOMES[verdict]
    result, code = resolved(entry, outcome, EVIDENCE, at)
    meta = {**result["meta"], "resolution": {**result["meta"]["resolution"], "evidence": dict(evidence)}}
    if outcome == "succeeded":
        if output is None:
            meta["warnings"] = [*meta.get("warnings", ()), UNKNOWN_OUTPUT]
        return {**result, "output": dict(output or {}), "meta": meta}, code
    if record is not None:
        return _refused(entry, {**result, "meta": meta}, record)
    error = {**result["error"], "message": f"'{entry.action}' did not take effect: the provider has no trace of it"}
    return {**result, "error": error, "meta": meta}, code


def _refused(entry: Entry, result: Mapping[str, Any], record: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    kind = CODES.get(str(record["refused"]), Rejected)
    said = {**result["error"].get("provider", {}), "code": str(record["error"])}
    message = f"'{entry.action}' did not take effect: the provider has refused it, as its own log says ({record['error']})"
    error = {**kind(message, hint="Nothing was done; the key is free.").to_json(), "provider": said}
    return {**result, "error": error}, kind.code


def confirmed(entry: Entry, evidence: Mapping[str, Any], output: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Result of a success that a person has told of, with the output and the evidence that are known by now."""
    known = dict(entry.result or {})
    meta = dict(known.get("meta", {}))
    return {**known, "output": dict(output), "meta": {**meta, "resolution": {**meta.get("resolution", {}), "evidence": dict(evidence)}}}


def contradicts(entry: Entry, verdict: str) -> bool:
    """Return whether a verdict is another outcome than the one that was decided."""
    return entry.resolved_by is not None and _OUTCOMES[verdict] != entry.status


def contradicted(entry: Entry, at: float, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Result of a resolved entry, with the evidence that contradicts the resolution."""
    known = dict(entry.result or {})
    meta = dict(known.get("meta", {}))
    resolution = {**meta.get("resolution", {}), "contradictedBy": {"at": iso(at), **evidence}}
    return {**known, "meta": {**meta, "resolution": resolution}}
