"""Roles in files: the holders of each role in the workspace, groups of the identity provider and
people.
"""

from __future__ import annotations

from collections.abc import Iterator

from jackfield.callers.roles import ROLES, RoleGrant, made_grant
from jackfield.kernel.dataclass import dataclass
from jackfield_service.shell.http.shape_parts import STRING, STRINGS, closed_with
from jackfield_service.shell.resource.kinds import Done, Json, Kind, KindRow, Wanted
from jackfield_service.shell.resource.meanings import as_set
from jackfield_service.shell.resource.resource import Visit
from jackfield_store.management.roles import Roles


@dataclass(frozen=True, slots=True)
class _Granted:
    roles: Roles
    workspace: str

    def of(self, role: str) -> list[RoleGrant]:
        """Return the grants of a role in the workspace."""
        return [
            one for one in self.roles.list() if one.role == role and one.workspace == self.workspace
        ]


def _open(visit: Visit) -> _Granted:
    return _Granted(Roles(visit.storage, visit.clock, visit.actor), visit.workspace)


def _row(granted: _Granted, role: str) -> KindRow:
    grants = granted.of(role)
    groups = sorted(one.group for one in grants if one.group)
    people = sorted(
        ({"issuer": one.issuer, "subject": one.subject} for one in grants if one.subject), key=str
    )
    stated = {"groups": groups, "people": people}
    return KindRow(role, role, stated, stated)


def _all(granted: _Granted, wanted: Wanted) -> Iterator[KindRow]:
    yield from (_row(granted, role) for role in ROLES if wanted(role))


def _make(granted: _Granted, role: str, spec: Json) -> Done:
    wanted = [made_grant(role, granted.workspace, group=group) for group in spec.get("groups", ())]
    wanted += [made_grant(role, granted.workspace, **person) for person in spec.get("people", ())]
    present = granted.of(role)
    for one in wanted:
        granted.roles.add(one)
    for one in present:
        if one not in wanted:
            granted.roles.remove(one)
    return Done(_row(granted, role))


def _change(granted: _Granted, found: KindRow, spec: Json) -> Done:
    return _make(granted, found.name, {**found.stated, **spec})


def _end(granted: _Granted, found: KindRow) -> None:
    _make(granted, found.name, {})


_PERSON = closed_with(("issuer", "subject"), {"issuer": STRING, "subject": STRING})
KINDS = (
    Kind(
        "roles",
        closed_with((), {"groups": STRINGS, "people": {"type": "array", "items": _PERSON}}),
        _open,
        _all,
        _make,
        _change,
        _end,
        4,
        operators=True,
        meanings={"groups": as_set, "people": as_set},
        permanent=True,
    ),
)
