"""Results of invocations whose doubt evidence has settled, or whose resolution evidence
contradicts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.clock import iso
from jackfield.kernel.errors import CODES, Rejected
from jackfield_store.journal.entry import EVIDENCE
from jackfield_store.journal.resolving import resolved, with_output

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry

UNKNOWN_OUTPUT = {
    "path": "",
    "message": (
        "the output is unknown: the answer was lost, and the evidence proves only that it "
        "took effect"
    ),
}
_OUTCOMES = {"took": "succeeded", "refused": "failed", "absent": "failed"}


def settled(
    entry: Entry,
    verdict: str,
    at: float,
    evidence: Mapping[str, Any],
    output: Mapping[str, Any] | None,
    refusal: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], str | None]:
    """Settle a doubt by evidence; return the Result and its error's code. ``output`` is the output
    that the look has found, ``refusal`` the provider's own record of a refused request, or the
    error of a failed object.
    """
    outcome: Any = _OUTCOMES[verdict]
    result, code = resolved(entry, outcome, EVIDENCE, at)
    meta = {
        **result["meta"],
        "resolution": {**result["meta"]["resolution"], "evidence": dict(evidence)},
    }
    if outcome == "succeeded":
        return with_output({**result, "meta": meta}, output, UNKNOWN_OUTPUT), code
    if verdict == "refused":
        return _result_of_refusal(entry, {**result, "meta": meta}, refusal or {})
    error = {
        **result["error"],
        "message": f"'{entry.action}' did not take effect: the provider has no trace of it",
    }
    return {**result, "error": error, "meta": meta}, code


def _result_of_refusal(
    entry: Entry, result: Mapping[str, Any], refusal: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    kind = CODES.get(str(refusal.get("refused")), Rejected)
    told = {
        name: str(refusal[by])
        for name, by in (("code", "error"), ("message", "message"))
        if refusal.get(by) is not None
    }
    said = {**result["error"].get("provider", {}), **told}
    about = ": ".join(told.values())
    if refusal.get("exists"):
        message = (
            f"'{entry.action}' has failed, as what it has made at the provider "
            f"says{f' ({about})' if about else ''}"
        )
        error = kind(
            message,
            hint=(
                "The key is free. What it has made is still there: compare it before you "
                "repeat the call."
            ),
        ).to_json()
    else:
        message = (
            f"'{entry.action}' did not take effect: the provider has refused it, as its own "
            f"log says ({about})"
        )
        error = kind(message, hint="Nothing was done; the key is free.").to_json()
    return {**result, "error": {**error, **({"provider": said} if said else {})}}, kind.code


def confirmed(
    entry: Entry, evidence: Mapping[str, Any], output: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the Result of a success reported by a person, with the output and the evidence found
    since.
    """
    known = dict(entry.result or {})
    meta = dict(known.get("meta", {}))
    told = {
        **known,
        "meta": {**meta, "resolution": {**meta.get("resolution", {}), "evidence": dict(evidence)}},
    }
    return with_output(told, output, UNKNOWN_OUTPUT)


def contradicts(entry: Entry, verdict: str) -> bool:
    """Return whether a verdict differs from the decided outcome: of a person, of evidence, or of
    the call's own late answer.
    """
    return entry.status in _OUTCOMES.values() and _OUTCOMES[verdict] != entry.status


def contradicted(entry: Entry, at: float, evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Result of a decided entry, with the evidence that contradicts the decision."""
    known = dict(entry.result or {})
    meta = dict(known.get("meta", {}))
    answered = {"by": "answer", "at": iso(entry.corrected_at or entry.settled_at or at)}
    resolution = {**meta.get("resolution", answered), "contradictedBy": {"at": iso(at), **evidence}}
    return {**known, "meta": {**meta, "resolution": resolution}}
