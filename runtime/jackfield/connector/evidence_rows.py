"""Reading of an action's marker and evidence in a manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jackfield.connector.evidence import (
    EventEvidence,
    Evidence,
    EvidenceFault,
    Look,
    Marker,
    declared,
    placeholders,
)
from jackfield.connector.evidence_inputs import unfit_inputs, unfit_match, unfit_place
from jackfield.connector.evidence_places import declares, nodes, within
from jackfield.connector.given_evidence import GivenEvidence, GivenMarker
from jackfield.connector.models import check_reason
from jackfield.kernel.pointers import names

_STATUS = re.compile(r"^(?:[Ss]tatus|[Ss]tate)$|(?:_status|_state|[a-z]Status|[a-z]State)$")
"""Regular expression of names of members that state an object's condition."""
_DRAFT = re.compile(r"^(?:is_?)?draft$", re.IGNORECASE)
"""Regular expression of names of members that are true while an object is not what was asked
for.
"""
_UNDONE = frozenset({"canceled", "cancelled", "deleted", "stopped", "void", "voided", "withdrawn"})
"""States that a person may set later on an object, also after a successful action."""


def read_evidence(row: Mapping[str, Any]) -> tuple[Marker | None, tuple[Evidence, ...]]:
    """Read marker and evidence of an action's row in a manifest.

    :raises EvidenceFault: if they are wrong, or given together with a reason for having none.
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
    """Yield a sentence for each marker in a manifest at a place that is no input, and for each
    evidence that names a missing read or trigger, or whose inputs its read does not take.
    """
    reads = {row["key"]: row for row in manifest["actions"] if row.get("effect") == "read"}
    triggers = {row["key"] for row in manifest.get("triggers", ())}
    for row in manifest["actions"]:
        yield from unfit_place(manifest, row)
        for one in row.get("evidence", ()):
            said = f"evidence '{one['key']}' of '{row['key']}'"
            if "trigger" in one and one["trigger"] not in triggers:
                yield f"{said} names '{one['trigger']}', which is no trigger of this connector"
            elif "action" in one and "given" not in one:
                yield from (f"{said} {fault}" for fault in unfit_match(row, one))
                asked = [one, one["canary"]] if "canary" in one else [one]
                yield from (
                    f"{said} {fault}"
                    for asks in asked
                    for fault in _unfit(manifest, row, asks, reads.get(asks["action"]))
                )


def nameless_looks(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each evidence in a manifest that identifies list items by an ID which
    they do not have.

    An item that moves to another page meanwhile would then count twice.
    """
    rows = {row["key"]: row for row in manifest["actions"]}
    for row in manifest["actions"]:
        for one in row.get("evidence", ()):
            at = one.get("id", "/id")
            if "each" in one and not declares(
                manifest, _things(manifest, rows.get(one["action"], {}), one), names(at)
            ):
                said = f"evidence '{one['key']}' of '{row['key']}'"
                yield (
                    f"{said} knows things by '{at}', which those of '{one['action']}' do not "
                    "have: 'id' names what they have"
                )


def _lacking_for_absence(one: Mapping[str, Any]) -> str | None:
    """Return what a look lacks so that something missing proves anything; None if nothing."""
    if "canary" not in one:
        return "'canary'"
    if "shows" not in one["canary"]:
        return "'shows' of its canary"
    return None if "$fresh" in placeholders(one.get("inputs", {})) else '{"$fresh": {}}'


def unsaid_looks(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each evidence in a manifest that could settle a doubt wrongly.

    Such evidence names no value of the status as success, says when absence is concluded and cannot
    conclude it, or treats a later change by a person as a failure.
    """
    rows = {row["key"]: row for row in manifest["actions"]}
    for row in manifest["actions"]:
        for one in row.get("evidence", ()):
            said = f"evidence '{one['key']}' of '{row['key']}'"
            lacking = _lacking_for_absence(one)
            if "absentAfter" in one and lacking is not None:
                yield (
                    f"{said} has 'absentAfter' and no {lacking}: nothing is ever concluded "
                    "from what is not found"
                )
            if "action" not in one or "given" in one:
                continue
            thing = _things(manifest, rows.get(one["action"], {}), one)
            lost = next((at for at in _never_there(manifest, thing, one.get("when", ()))), None)
            if lost is not None:
                yield (
                    f"{said} asks whether '{lost}' is not there, which the output of "
                    f"'{one['action']}' never has"
                )
            undone = next((value for when in one.get("when", ()) for value in _undone(when)), None)
            if undone is not None:
                yield (
                    f"{said} takes '{undone}' for a failure: somebody may have done that to "
                    "what the action had made with success"
                )
            if "when" in one:
                continue
            things = [thing, row.get("output", {})]
            found = next((name for thing in things for name in _statuses(manifest, thing)), None)
            if found is not None:
                yield (
                    f"{said} finds a thing with '{found}', and has no 'when' that says which "
                    "values mean success"
                )


def _things(manifest: Mapping[str, Any], read: Mapping[str, Any], one: Mapping[str, Any]) -> Any:
    output = read.get("output", {})
    return within(manifest, output, names(one["each"])) if "each" in one else output


def _undone(when: Mapping[str, Any]) -> Iterator[str]:
    for values in when.get("refused", {}).values():
        yield from (
            one for one in _as_list(values) if isinstance(one, str) and one.lower() in _UNDONE
        )


def _never_there(
    manifest: Mapping[str, Any], thing: Any, when: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Yield the members that ``when`` requires to be missing and that the object does not declare.
    They are always missing from the output.
    """
    for row in when:
        for at, values in (*row.get("took", {}).items(), *row.get("refused", {}).items()):
            if None in _as_list(values) and not declares(manifest, thing, names(at)):
                yield at


def _as_list(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]


def _statuses(manifest: Mapping[str, Any], schema: Any) -> Iterator[str]:
    for node in nodes(manifest, schema):
        for name, about in node.get("properties", {}).items():
            states = _STATUS.search(name) and any(
                "enum" in one or "string" in _types(one) for one in nodes(manifest, about)
            )
            if states or (
                _DRAFT.search(name)
                and any("boolean" in _types(one) for one in nodes(manifest, about))
            ):
                yield name


def _types(schema: Mapping[str, Any]) -> Sequence[str]:
    found = schema.get("type", "string")
    return [found] if isinstance(found, str) else found


def _unfit(
    manifest: Mapping[str, Any],
    row: Mapping[str, Any],
    look: Mapping[str, Any],
    read: Mapping[str, Any] | None,
) -> Iterator[str]:
    if read is None:
        yield f"asks '{look['action']}', which is no read of this connector"
        return
    yield from unfit_inputs(manifest, row, look, read)


def _marker(data: Mapping[str, Any]) -> Marker:
    return GivenMarker.from_json(data) if "given" in data else Marker.from_json(data)


def _read(row: Mapping[str, Any]) -> Evidence:
    if "source" in row:
        raise EvidenceFault(
            f"evidence '{row.get('key', 'record')}' names a log that the connector's own code "
            "must know how to read"
        )
    if "given" in row:
        return GivenEvidence.from_json(row)
    return (
        EventEvidence(row["trigger"], row.get("key", "event"))
        if "trigger" in row
        else Look.from_json(row)
    )
