"""Marker and evidence of an action in a manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connector.evidence import EventEvidence, Evidence, EvidenceFault, Look, Marker, declared
from jackfield.connector.given_evidence import GivenEvidence, GivenMarker
from jackfield.connector.models import check_reason


def read_evidence(row: Mapping[str, Any]) -> tuple[Marker | None, tuple[Evidence, ...]]:
    """Read marker and evidence of an action's row in a manifest.

    :raises EvidenceFault: if they are wrong, or stand beside a reason why there are none.
    """
    if "noEvidence" in row:
        about = {"effect": row.get("effect", "write"), "idempotent_by": row.get("idempotentBy")}
        try:
            check_reason(row["noEvidence"], has_evidence="evidence" in row, **about)
        except ValueError as fault:
            raise EvidenceFault(str(fault)) from None
    marker = _marker(row["marker"]) if "marker" in row else None
    looks = tuple(_read(one) for one in row.get("evidence", ()))
    declared(marker, looks, row.get("effect", "write"), row.get("idempotentBy"))
    return marker, looks


def unfit_looks(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each evidence in a manifest that asks for what is not there: no read, an input that it lacks, no trigger."""
    reads = {row["key"]: row for row in manifest["actions"] if row.get("effect") == "read"}
    triggers = {row["key"] for row in manifest.get("triggers", ())}
    for row in manifest["actions"]:
        for one in row.get("evidence", ()):
            said = f"evidence '{one['key']}' of '{row['key']}'"
            if "trigger" in one and one["trigger"] not in triggers:
                yield f"{said} names '{one['trigger']}', which is no trigger of this connector"
            elif "action" in one and "given" not in one:
                yield from (f"{said} {fault}" for fault in _unfit(one, reads.get(one["action"])))


def _unfit(look: Mapping[str, Any], read: Mapping[str, Any] | None) -> Iterator[str]:
    if read is None:
        yield f"asks '{look['action']}', which is no read of this connector"
        return
    unknown = look.get("inputs", {}).keys() - read["inputs"].get("properties", {}).keys()
    yield from (f"gives '{look['action']}' the input '{name}', which it does not have" for name in sorted(unknown))


def _marker(data: Mapping[str, Any]) -> Marker:
    return GivenMarker.from_json(data) if "given" in data else Marker.from_json(data)


def _read(row: Mapping[str, Any]) -> Evidence:
    if "source" in row:
        raise EvidenceFault(f"evidence '{row.get('key', 'record')}' names a log that the connector's own code must know how to read")
    if "given" in row:
        return GivenEvidence.from_json(row)
    return EventEvidence(row["trigger"], row.get("key", "event")) if "trigger" in row else Look.from_json(row)
