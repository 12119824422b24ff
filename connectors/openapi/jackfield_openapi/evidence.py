"""Evidence of operations, which a person declares in an overlay: the place of a call's marker, and the reads that find the marker again."""

from __future__ import annotations

from typing import Any

from jackfield.connector.evidence import EvidenceFault
from jackfield.connector.evidence_rows import read_evidence, unfit_looks
from jackfield_openapi.operations import Operation
from jackfield_openapi.triggers import refused

Json = dict[str, Any]


def evidence_of(operation: Operation, action: Json) -> Json:
    """Return the members ``marker`` and ``evidence``, or ``noEvidence``, that ``x-jackfield`` of an operation adds to its action.

    :raises InvalidInput: if they are not valid.
    """
    found: Json = {name: operation.extension[name] for name in ("marker", "evidence", "noEvidence") if name in operation.extension}
    try:
        read_evidence({**action, **found})
    except (EvidenceFault, LookupError, TypeError, AttributeError) as fault:
        raise refused(f"'x-jackfield' of {operation.name}: {fault}") from None
    return found


def explain_doubts(manifest: Json, extension: Any) -> None:
    """Give each action that may be in doubt and has no evidence the common reason from ``x-jackfield`` of the document.

    :raises InvalidInput: if the reason is no text, or too long.
    """
    reason = extension.get("noEvidence") if isinstance(extension, dict) else None
    for row in manifest["actions"] if reason is not None else ():
        may_doubt = row["effect"] == "write" or row.get("idempotentBy") == "key"
        if may_doubt and not row.keys() & {"evidence", "noEvidence"}:
            row["noEvidence"] = reason
            try:
                read_evidence(row)
            except EvidenceFault as fault:
                raise refused(f"'x-jackfield' of the document: {fault}") from None


def check_looks(manifest: Json) -> None:
    """Require that the targets of looks exist.

    :raises InvalidInput: if a look's read does not exist in the connector, or lacks one of the look's inputs, or an event comes from no
        trigger.
    """
    fault = next(unfit_looks(manifest), None)
    if fault is not None:
        raise refused(fault)
