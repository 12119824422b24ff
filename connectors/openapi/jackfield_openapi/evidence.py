"""Evidence that an overlay declares for operations: the place of a call's marker, and the reads
that find the marker.
"""

from __future__ import annotations

from typing import Any

from jackfield.connector.evidence import EvidenceFault
from jackfield.connector.evidence_rows import read_evidence, unfit_looks
from jackfield_openapi.judging import refused
from jackfield_openapi.operations import Operation

Json = dict[str, Any]


def evidence_of(operation: Operation, action: Json) -> Json:
    """Return the members ``marker`` and ``evidence``, or ``noEvidence``, that ``x-jackfield`` of an
    operation adds to its action.

    :raises InvalidInput: if one of them is not valid.
    """
    found: Json = {
        name: operation.extension[name]
        for name in ("marker", "evidence", "noEvidence")
        if name in operation.extension
    }
    try:
        read_evidence({**action, **found})
    except (EvidenceFault, LookupError, TypeError, AttributeError) as fault:
        raise refused(f"'x-jackfield' of {operation.name}: {fault}") from None
    return found


def explain_doubts(manifest: Json, extension: Any) -> None:
    """Copy the document's ``noEvidence`` to each action that may be in doubt and declares neither
    ``evidence`` nor ``noEvidence``.

    :raises InvalidInput: if the reason is not valid as an action's ``noEvidence``.
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
    """Check that the reads and events of all looks exist.

    :raises InvalidInput: if a look's read does not exist in the connector, or lacks one of the
        look's inputs, or an event comes from no trigger.
    """
    fault = next(unfit_looks(manifest), None)
    if fault is not None:
        raise refused(fault)
