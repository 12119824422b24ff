"""Permissions that calls need by their inputs: for the resources that these name, where a connector knows them (``statements_of``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import Detail, InvalidInvocation

if TYPE_CHECKING:
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.manifest.manifest import ActionManifest
    from jackfield.manifest.triggers import TriggerManifest

Needed = tuple[str, Sequence[str]]
"""A permission, and the resources that it is needed for."""
_ALL = ("*",)


def check_calls(calls: object) -> None:
    """Check that calls are a list of objects that each name an action.

    :raises InvalidInvocation: if they are not.
    """
    rows = calls if isinstance(calls, Sequence) and not isinstance(calls, str) else None
    wrong = [""] if rows is None else [f"/{number}" for number, row in enumerate(rows) if not _is_call(row)]
    if wrong:
        example = '{"action": "aws.s3/getObject", "inputs": {"Bucket": "reports", "Key": "a"}}'
        says = "is not a list of calls" if rows is None else "is not a call"
        details = [Detail(f"/calls{path}", f"{says} such as {example}", "type") for path in wrong[:20]]
        raise InvalidInvocation("the calls are not valid", details=details)


def _is_call(row: object) -> bool:
    return isinstance(row, Mapping) and isinstance(row.get("action"), str) and isinstance(row.get("inputs", {}), Mapping)


def needed(
    connectors: Iterable[LoadedConnector],
    chosen: Sequence[tuple[str, ActionManifest | TriggerManifest]],
    system: str,
    calls: Sequence[Mapping[str, Any]] | None,
    whole: Sequence[tuple[str, ActionManifest | TriggerManifest]],
) -> tuple[set[str], list[Needed]]:
    """Return the permissions that are needed for all resources, and those for some. The actions of ``whole`` need theirs for all."""
    unbound = {name for _, action in whole for name in action.permissions.get(system, ())}
    needs = _of_calls(connectors, chosen, system, calls or ())
    found = {(permission, tuple(resources)): None for permission, resources in needs}
    unbound |= {permission for permission, resources in found if resources == _ALL}
    return unbound, [one for one in found if one[0] not in unbound]


def _of_calls(
    connectors: Iterable[LoadedConnector],
    chosen: Sequence[tuple[str, ActionManifest | TriggerManifest]],
    system: str,
    calls: Sequence[Mapping[str, Any]],
) -> Iterable[Needed]:
    loaded = {one.key: one for one in connectors}
    for call in calls:
        for key, action in chosen:
            if call.get("action") not in (key, action.key):
                continue
            knows = getattr(loaded.get(key.partition("/")[0]), "statements_of", None)
            if knows is not None:
                yield from knows(action.key, call.get("inputs", {}))
            else:
                yield from ((permission, _ALL) for permission in action.permissions.get(system, ()))
