"""Connections in files: their type and values, in which each secret is a reference."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connections.named_connection import STORE
from jackfield.connections.provenance import Provenance
from jackfield.connections.secret_references import reference_paths
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidConnection
from jackfield.kernel.pointers import names
from jackfield_service.shell.http.shape_parts import ANY, QUOTAS, STRING, closed_with
from jackfield_service.shell.resource.kinds import Done, Json, Kind, KindRow, Wanted
from jackfield_service.shell.resource.meanings import as_set
from jackfield_service.shell.resource.resource import Visit
from jackfield_service.subjects.connections.uses import uses_of
from jackfield_store.connections.connection_rows import PLACEHOLDER, secret_places
from jackfield_store.management.connections import ManagedConnections

if TYPE_CHECKING:
    from jackfield_store.resources.storage import Storage

_LOG = logging.getLogger("jackfield.connections")
_QUEUED = """
SELECT COUNT(*) AS calls FROM invocations WHERE workspace = :workspace AND connection = :connection AND status = 'queued'
"""


@dataclass(frozen=True, slots=True)
class _Connections:
    known: ManagedConnections
    provenance: Provenance
    storage: Storage
    workspace: str


def _open(visit: Visit) -> _Connections:
    known = visit.runtime.connections_of(visit.caller).acting_as(visit.actor)
    return _Connections(known, Provenance(visit.origin), visit.storage, visit.workspace)


def _row(things: _Connections, name: str) -> KindRow:
    shown = things.known.show(name)
    return KindRow(
        name,
        name,
        {member: shown[member] for member in ("type", "values", "quotas") if member in shown},
        shown,
    )


def _all(things: _Connections, wanted: Wanted) -> Iterator[KindRow]:
    for sentence in things.known.known.warnings:
        _LOG.warning("%s, which is left out", sentence)
    cursor: str | None = None
    while True:
        page = things.known.list(cursor)
        yield from (
            _row(things, row["name"])
            for row in page.items
            if row["source"] == STORE and wanted(row["name"])
        )
        if (cursor := page.next_cursor) is None:
            return


def _require_references(things: _Connections, spec: Mapping[str, Any]) -> None:
    """Require that a file contains no secret. It runs after the values were checked against their
    type, since unknown values may be secrets.

    :raises InvalidConnection: if a value is a secret itself. A masked value is accepted, and keeps
        the stored one.
    """
    values: Mapping[str, Any] = spec["values"]
    schema = things.known.kinds.find(spec["type"]).schema
    faults, named = [], set(reference_paths(values))
    for path in sorted(secret_places(schema, values) - named):
        value: Any = values
        for name in names(path):
            value = value[int(name)] if isinstance(value, list) else value[name]
        if value is not None and not str(value).startswith(PLACEHOLDER):
            faults.append(
                Detail(
                    f"/values{path}",
                    'must be a reference to the secret, such as {"$env": "ACME_KEY"}',
                )
            )
    if faults:
        raise InvalidConnection(
            "a file must not contain secrets",
            details=faults,
            hint="Put the secret elsewhere, and refer to it.",
        )


def _make(things: _Connections, name: str, spec: Json) -> Done:
    quotas = spec.get("quotas", ())
    made = things.known.add(
        name, spec["type"], spec["values"], test=False, provenance=things.provenance, quotas=quotas
    )
    _require_references(things, spec)
    return Done(_row(things, made["name"]))


def _change(things: _Connections, found: KindRow, spec: Json) -> Done:
    spec = {**found.stated, **spec}
    if things.known.kinds.find(spec["type"]).full_name != found.stated["type"]:
        _end(things, found)
        return _make(things, found.name, spec)
    quotas = spec.get("quotas", ())
    things.known.replace(
        found.name, spec["values"], test=False, provenance=things.provenance, quotas=quotas
    )
    _require_references(things, spec)
    return Done(_row(things, found.name))


def _end(things: _Connections, found: KindRow) -> None:
    things.known.remove(found.name)


def _hangs(things: _Connections, found: KindRow) -> Iterator[str]:
    database = things.storage.database
    for use in uses_of(database, things.storage.vault, things.workspace, [found.name])[found.name]:
        yield f"{use['kind']} {use['name']}"
    row = database.look_up(
        _QUEUED, {"workspace": things.workspace, "connection": found.name}, flush=False
    )
    if row is not None and row.calls:
        yield f"{row.calls:,} queued calls"
    if found.shown.get("authorization", {}).get("status") not in (None, "none"):
        yield "the approval of a person, of which the provider is told afterwards"


def _person(found: KindRow) -> Iterator[str]:
    if found.shown.get("authorization", {}).get("status") == "none":
        yield (
            "somebody has to approve it at the provider: 'jackfield connections connect', or "
            "a connect session"
        )


KINDS = (
    Kind(
        "connections",
        closed_with(("type", "values"), {"type": STRING, "values": ANY, "quotas": QUOTAS}),
        _open,
        _all,
        _make,
        _change,
        _end,
        3,
        hangs=_hangs,
        person=_person,
        meanings={"quotas": as_set},
    ),
)
