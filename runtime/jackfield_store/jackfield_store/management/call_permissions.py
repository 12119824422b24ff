"""Permissions that calls need for their inputs: for the resources in these inputs, if a connector
knows them (``statements_of``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.manifest.triggers import TriggerManifest

if TYPE_CHECKING:
    from jackfield.connector.loaded import LoadedConnector
    from jackfield.manifest.manifest import ActionManifest

Needed = tuple[str, Sequence[str]]
"""A permission, and the resources that it is needed for."""
_ALL = ("*",)


def check_calls(calls: object) -> None:
    """Check that calls are a list of objects that each name an action.

    :raises InvalidInvocation: if they are not.
    """
    rows = calls if isinstance(calls, Sequence) and not isinstance(calls, str) else None
    wrong = (
        [""]
        if rows is None
        else [f"/{number}" for number, row in enumerate(rows) if not _is_call(row)]
    )
    if wrong:
        example = '{"action": "aws.s3/getObject", "inputs": {"Bucket": "reports", "Key": "a"}}'
        says = "is not a list of calls" if rows is None else "is not a call"
        details = [
            Detail(f"/calls{path}", f"{says} such as {example}", "type") for path in wrong[:20]
        ]
        raise InvalidInvocation("the calls are not valid", details=details)


def _is_call(row: object) -> bool:
    return (
        isinstance(row, Mapping)
        and isinstance(row.get("action"), str)
        and isinstance(row.get("inputs", {}), Mapping)
    )


def needed(
    connectors: Iterable[LoadedConnector],
    chosen: Sequence[tuple[str, ActionManifest | TriggerManifest]],
    system: str,
    calls: Sequence[Mapping[str, Any]] | None,
    whole: Sequence[tuple[str, ActionManifest | TriggerManifest]],
) -> tuple[set[str], list[Needed]]:
    """Return the permissions that are needed for all resources, and the permissions needed for
    some. The actions of ``whole`` may be called with any inputs: they need their permissions for
    all resources of the action's type.
    """
    loaded = {one.key: one for one in connectors}
    wide = list(_of_calls(loaded, [(key, action, None) for key, action in whole], system))
    called = (
        (key, action, call.get("inputs", {}))
        for call in calls or ()
        for key, action in chosen
        if call["action"] in (key, action.key)
    )
    covered = {permission for permission, _ in wide}
    needs = [*wide, *(one for one in _of_calls(loaded, called, system) if one[0] not in covered)]
    found = {(permission, tuple(resources)): None for permission, resources in needs}
    unbound = {permission for permission, resources in found if resources == _ALL}
    return unbound, [one for one in found if one[0] not in unbound]


def _of_calls(
    loaded: Mapping[str, LoadedConnector],
    calls: Iterable[tuple[str, ActionManifest | TriggerManifest, Mapping[str, Any] | None]],
    system: str,
) -> Iterator[Needed]:
    for key, action, inputs in calls:
        knows = getattr(loaded.get(key.partition("/")[0]), "statements_of", None)
        if knows is not None and not isinstance(action, TriggerManifest):
            yield from knows(action.key, inputs)
        else:
            yield from ((permission, _ALL) for permission in action.permissions.get(system, ()))
