"""Other forms of the inputs of an action whose inputs are the members of a request's body (manifest
version 2).

Manifests of version 1 had the whole body as one input, ``body``, with the provider's names. Older
callers, queued invocations and schedules keep working: an object in ``body`` is split into the
inputs for its members. An input may also have the provider's name (``thread_ts``, ``filter.name``)
instead of its own (``threadTs``). In version 1 files in a body were base64.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, InvalidInput, did_you_mean
from jackfield.kernel.pointers import MAX_NAME, names, pointer
from jackfield.manifest.manifest import WHOLE_BODY as WHOLE

if TYPE_CHECKING:
    from jackfield.manifest.manifest import ActionManifest

_NO_MEMBERS: Mapping[str, str] = {}


def unfolded(action: ActionManifest, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the inputs with the members of an object ``body`` as separate inputs; unchanged if the
    action has an input ``body`` for objects.

    :raises InvalidInput: if a member is unknown, or also given as an input.
    """
    body = inputs.get(WHOLE)
    members = _members(action) if isinstance(body, Mapping) else _NO_MEMBERS
    if not isinstance(body, Mapping) or not members or _takes_objects(action):
        return inputs
    others = {name: value for name, value in inputs.items() if name != WHOLE}
    faults = [fault for name in body if (fault := _fault(name, members, others)) is not None]
    if faults:
        count = "1 input is" if len(faults) == 1 else f"{len(faults)} inputs are"
        raise InvalidInput(
            f"{count} not valid",
            details=faults,
            hint="Give the members of 'body' as inputs of their own.",
        )
    encoded = action.content.row["http"]["body"].get("base64", ())
    return {
        **others,
        **{
            members[name]: {"data": value} if name in encoded else value
            for name, value in body.items()
        },
    }


@contextmanager
def pointing_into(action: ActionManifest, given: Mapping[str, Any]) -> Iterator[None]:
    """Make the faults of inputs that were split from ``body`` point into ``body``, where the caller
    gave them.
    """
    try:
        yield
    except InvalidInput as error:
        body, by_key = given.get(WHOLE), {key: name for name, key in _members(action).items()}
        if isinstance(body, Mapping) and not _takes_objects(action):
            error.details = tuple(_as_given(detail, body, by_key) for detail in error.details)
        raise


def _as_given(detail: Detail, body: Mapping[str, Any], by_key: Mapping[str, str]) -> Detail:
    first, *rest = names(detail.path) or [""]
    name = by_key.get(first)
    return (
        replace(detail, path=pointer(WHOLE, name, *rest))
        if name is not None and name in body
        else detail
    )


def renamed(action: ActionManifest, inputs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the inputs with provider's names replaced by the inputs' own. None if there are no
    provider's names, or an input is given twice.
    """
    members = {**_parameters(action), **_members(action)}
    known = action.own_inputs.get("properties", ())
    found = {name: members[name] for name in inputs if name not in known and name in members}
    if not found or any(key in inputs for key in found.values()):
        return None
    return {found.get(name, name): value for name, value in inputs.items()}


def _members(action: ActionManifest) -> Mapping[str, str]:
    row = action.content.row.get("http")
    body = row.get("body") if isinstance(row, Mapping) else None
    members = body.get("members") if isinstance(body, Mapping) else None
    return (
        {str(name): key for key, name in members.items()}
        if isinstance(members, Mapping)
        else _NO_MEMBERS
    )


def _parameters(action: ActionManifest) -> Mapping[str, str]:
    """Return the inputs that are parameters, by those of the provider's names that belong to one
    parameter only.
    """
    row = action.content.row.get("http")
    rows = row.get("parameters", ()) if isinstance(row, Mapping) else ()
    named = [(str(one["name"]), str(one["input"])) for one in rows if "name" in one]
    counts = Counter(name for name, _ in named)
    return {name: key for name, key in named if counts[name] == 1}


def _takes_objects(action: ActionManifest) -> bool:
    """Return whether the action has its own input ``body`` that may be an object."""
    properties = action.own_inputs.get("properties", {})
    if WHOLE not in properties:
        return False
    own = properties[WHOLE]
    types = own.get("type", "object") if isinstance(own, Mapping) else "object"
    return "object" in ([types] if isinstance(types, str) else types)


def _fault(name: str, members: Mapping[str, str], others: Mapping[str, Any]) -> Detail | None:
    at, cut = pointer(WHOLE, name[:MAX_NAME]), name[:MAX_NAME]
    if name not in members:
        near = did_you_mean(cut, members)
        return Detail(
            at, f"'{cut}' is not a member of the request's body{near}", "additionalProperties"
        )
    if members[name] in others:
        return Detail(
            at, f"'{cut}' is given twice: here and as the input '{members[name]}'; omit one of them"
        )
    return None
