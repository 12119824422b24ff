"""Shared settings of all processes on a database, such as the policy, in files: in the operator's
own workspace.
"""

from __future__ import annotations

from collections.abc import Iterator

from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.shell.http.shape_parts import STRING, closed_with
from jackfield_service.shell.resource.kinds import Done, Json, Kind, KindRow, Wanted
from jackfield_service.shell.resource.resource import Visit
from jackfield_store.access import DEFAULT
from jackfield_store.database.setting_rows import ROLES
from jackfield_store.management.shared_settings import SharedSettings


def _open(visit: Visit) -> SharedSettings | None:
    return (
        SharedSettings(visit.storage, visit.clock, visit.actor)
        if visit.workspace == DEFAULT
        else None
    )


def _all(settings: SharedSettings | None, wanted: Wanted) -> Iterator[KindRow]:
    for row in settings.list() if settings is not None else ():
        if row["value"] is not None and row["name"] != ROLES and wanted(row["name"]):
            yield KindRow(row["name"], row["name"], {"value": row["value"]}, row)


def _make(settings: SharedSettings | None, name: str, spec: Json) -> Done:
    if settings is None or name == ROLES:
        text = (
            "roles are a member of each workspace"
            if name == ROLES
            else f"only the workspace '{DEFAULT}' has them"
        )
        raise InvalidInvocation(
            f"the shared setting '{name[:80]}' cannot be stated here: {text}", hint="Move it there."
        )
    settings.set(name, spec["value"])
    return Done(next(iter(_all(settings, name.__eq__)), None))


def _change(settings: SharedSettings | None, found: KindRow, spec: Json) -> Done:
    return _make(settings, found.name, spec)


def _end(settings: SharedSettings | None, found: KindRow) -> None:
    if settings is not None:
        settings.unset(found.key)


KINDS = (
    Kind(
        "sharedSettings",
        closed_with(("value",), {"value": STRING}),
        _open,
        _all,
        _make,
        _change,
        _end,
        0,
        operators=True,
    ),
)
