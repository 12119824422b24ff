"""Evidence of operations, which a person declares in an overlay: where a call leaves its marker, and which reads find it again."""

from __future__ import annotations

from typing import Any

from jackfield.connector.evidence import EvidenceFault
from jackfield.connector.evidence_rows import read_evidence
from jackfield_openapi.operations import Operation
from jackfield_openapi.triggers import refused

Json = dict[str, Any]


def evidence_of(operation: Operation, action: Json) -> Json:
    """Return the members ``marker`` and ``evidence``, or ``noEvidence``, that ``x-jackfield`` of an operation adds to its action.

    :raises InvalidInput: if they are wrong.
    """
    found: Json = {name: operation.extension[name] for name in ("marker", "evidence", "noEvidence") if name in operation.extension}
    try:
        read_evidence({**action, **found})
    except (EvidenceFault, LookupError, TypeError, AttributeError) as fault:
        raise refused(f"'x-jackfield' of {operation.name}: {fault}") from None
    return found


def check_looks(manifest: Json) -> None:
    """Require that what looks ask for is a read of the same connector, and that events come from one of its triggers.

    :raises InvalidInput: if that is not so.
    """
    reads = {row["key"] for row in manifest["actions"] if row["effect"] == "read"}
    triggers = {row["key"] for row in manifest.get("triggers", ())}
    for row in manifest["actions"]:
        for look in row.get("evidence", ()):
            if "trigger" in look and look["trigger"] not in triggers:
                raise refused(
                    f"evidence '{look['key']}' of '{row['key']}' names '{look['trigger']}', which is no trigger of this connector"
                )
            if "trigger" not in look and look["action"] not in reads:
                raise refused(f"evidence '{look['key']}' of '{row['key']}' asks '{look['action']}', which is no read of this connector")
