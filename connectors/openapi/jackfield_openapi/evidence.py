"""Evidence of operations, which a person declares in an overlay: where a call leaves its marker, and which reads find it again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jackfield.connector.evidence import EvidenceFault, read_evidence
from jackfield_openapi.operations import Operation
from jackfield_openapi.triggers import refused

Json = dict[str, Any]


def evidence_of(operation: Operation, action: Json) -> Json:
    """Return the members ``marker`` and ``evidence`` that ``x-jackfield`` of an operation adds to its action.

    :raises InvalidInput: if they are wrong.
    """
    found: Json = {name: operation.extension[name] for name in ("marker", "evidence") if name in operation.extension}
    try:
        read_evidence({**action, **found})
    except (EvidenceFault, LookupError, TypeError, AttributeError) as fault:
        raise refused(f"'x-jackfield' of {operation.name}: {fault}") from None
    return found


def check_looks(actions: Iterable[Json]) -> None:
    """Require that what looks ask for is a read of the same connector.

    :raises InvalidInput: if it is none.
    """
    rows = [*actions]
    reads = {row["key"] for row in rows if row["effect"] == "read"}
    for row in rows:
        for look in row.get("evidence", ()):
            if look["action"] not in reads:
                raise refused(f"evidence '{look['key']}' of '{row['key']}' asks '{look['action']}', which is no read of this connector")
