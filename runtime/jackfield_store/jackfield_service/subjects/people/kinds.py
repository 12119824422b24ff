"""Roles as files state them: who has each in the workspace, groups of the identity provider and people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.callers.roles import ROLES, RoleGrant, made_grant
from jackfield.kernel.dataclass import dataclass
from jackfield_service.shell.http.shape_parts import STRING, STRINGS, closed_with
from jackfield_service.shell.resource.kinds import Json, Kind, KindRow
from jackfield_service.shell.resource.resource import Visit
from jackfield_store.management.roles import Roles


@dataclass(frozen=True, slots=True)
class _Granted:
    roles: Roles
    workspace: str

    def of(self, role: str) -> list[RoleGrant]:
        """Return the grants of a role in the workspace."""
        return [one for one in self.roles.list() if one.role == role and one.workspace == self.workspace]


def _open(visit: Visit) -> _Granted:
    return _Granted(Roles(visit.storage, visit.clock, visit.actor), visit.workspace)


def _all(granted: _Granted) -> Iterator[KindRow]:
    for role in ROLES:
        grants = granted.of(role)
        groups = sorted(one.group for one in grants if one.group)
        people = sorted(({"issuer": one.issuer, "subject": one.subject} for one in grants if one.subject), key=str)
        if grants:
            stated = {"groups": groups, "people": people}
            yield KindRow(role, role, stated, stated)


def _make(granted: _Granted, role: str, spec: Json) -> Mapping[str, Any]:
    wanted = [made_grant(role, granted.workspace, group=group) for group in spec.get("groups", ())]
    wanted += [made_grant(role, granted.workspace, **person) for person in spec.get("people", ())]
    present = granted.of(role)
    for one in wanted:
        granted.roles.add(one)
    for one in present:
        if one not in wanted:
            granted.roles.remove(one)
    return {}


def _change(granted: _Granted, found: KindRow, spec: Json) -> Mapping[str, Any]:
    return _make(granted, found.name, {**found.stated, **spec})


def _end(granted: _Granted, found: KindRow) -> None:
    _make(granted, found.name, {})


_PERSON = closed_with(("issuer", "subject"), {"issuer": STRING, "subject": STRING})
KINDS = (
    Kind(
        "roles", closed_with((), {"groups": STRINGS, "people": {"type": "array", "items": _PERSON}}),
        _open, _all, _make, _change, _end, 4, operators=True,
    ),
)  # fmt: skip
