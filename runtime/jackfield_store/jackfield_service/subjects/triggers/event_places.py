"""Places of a trigger's events: the JSON Pointers in its schema and its samples, for a choice of
places, and for the refusal of others.

A part without a schema, such as a body of any form, may contain anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jackfield.kernel.errors import did_you_mean
from jackfield.kernel.pointers import child, names
from jackfield.kernel.walk import Schema, may_hold, nodes

if TYPE_CHECKING:
    from jackfield.manifest.triggers import TriggerManifest

_PAYLOAD = "/data/payload"
_OWN = (
    "/id",
    "/type",
    "/subject",
    "/timestamp",
    *(
        f"/data/{name}"
        for name in (
            "subscription",
            "connector",
            "trigger",
            "connection",
            "receivedAt",
            "invocationId",
        )
    ),
)
"""Members of every event of a subscription, in addition to its payload."""
_DEEPEST = 6
_MOST = 300


def known_places(trigger: TriggerManifest, payloads: Sequence[Any] = ()) -> dict[str, Any]:
    """Return the places of the trigger's events with values, payload first, each with a sample's
    value, None if no sample has it. ``payloads`` of received events are samples, too, and precede
    the connector's; the first one precedes all.
    """
    found: dict[str, Any] = {}
    for example in trigger.row.get("examples", ()):
        for payload in example.get("events", ()):
            found = {**dict(_leaves(payload, _PAYLOAD)), **found}
    came = {
        path: value for payload in reversed(payloads) for path, value in _leaves(payload, _PAYLOAD)
    }
    found = {**came, **{path: value for path, value in found.items() if path not in came}}
    declared = dict.fromkeys(
        path
        for path, _ in zip(
            _declared(trigger.event, trigger.event, _PAYLOAD, 0), range(_MOST), strict=False
        )
    )
    has_more = {path for path in declared if any(one.startswith(f"{path}/") for one in found)}
    return {
        **found,
        **{path: None for path in declared if path not in found and path not in has_more},
        **dict.fromkeys(_OWN),
    }


def place_fault(trigger: TriggerManifest, path: str) -> str | None:
    """Return the fault of a pointer into an event of the trigger; None if its schema or a sample
    has that place, or its schema allows any content there.
    """
    known = known_places(trigger)
    if path in ("", "/data") or any(f"{one}/".startswith(f"{path}/") for one in known):
        return None
    if path.startswith(f"{_PAYLOAD}/"):
        steps = list(names(path.removeprefix(_PAYLOAD)))
        if may_hold(trigger.event, trigger.event, steps):
            return None
    last = path.rpartition("/")[2]
    root = trigger.event
    declared = (
        path for path, _ in zip(_declared(root, root, _PAYLOAD, 0), range(_MOST), strict=False)
    )
    below = (
        child(one, last)
        for one in declared
        if may_hold(root, root, [*names(one.removeprefix(_PAYLOAD)), last])
    )
    same = next((one for one in known if one.rpartition("/")[2] == last), None) or next(below, None)
    tail = (
        f"; did you mean '{same}'?"
        if same
        else did_you_mean(path, known) or f"; it has {', '.join(list(known)[:5])}"
    )
    return f"an event of this trigger has nothing at '{path[:120]}'{tail}"


def _declared(root: Schema, given: Any, path: str, depth: int) -> Iterator[str]:
    """Yield the places that a schema declares, without places inside of lists."""
    node = (
        next((one for one in nodes(root, given) if one.get("properties")), {})
        if isinstance(given, Mapping)
        else {}
    )
    members = node.get("properties", {})
    if not members or depth >= _DEEPEST:
        yield path
        return
    for name, member in members.items():
        yield from _declared(root, member, child(path, name), depth + 1)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    members = (
        value.items()
        if isinstance(value, Mapping)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    if not members:
        yield path, value
    for name, member in members:
        yield from _leaves(member, child(path, name))
