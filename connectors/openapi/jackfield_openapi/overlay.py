"""OpenAPI Overlay 1.0 and 1.1: curation of a document that survives its next version."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonpath

from jackfield.connector import InvalidInput

Json = dict[str, Any]
_MOST = 100_000
"""Maximum number of places that one action of an overlay selects."""


def applied(document: Json, overlay: Json, name: str) -> list[str]:
    """Apply an overlay to a document in place; return the targets that select nothing.

    :raises InvalidInput: if ``overlay`` is no overlay.
    """
    version = overlay.get("overlay")
    if not isinstance(version, str) or not version.startswith("1."):
        raise _refusal(name, "it has no member 'overlay' with a version 1.0 or 1.1")
    actions = overlay.get("actions")
    if not isinstance(actions, list):
        raise _refusal(name, "'actions' must be an array")
    idle = []
    for number, action in enumerate(actions):
        if not isinstance(action, dict) or not isinstance(action.get("target"), str):
            raise _refusal(name, f"action {number + 1} has no 'target'")
        found = sorted(dict.fromkeys(_selected(document, action["target"], name)), key=_numbers)
        if not found:
            idle.append(action["target"])
        # items of an array are removed from its end, members before what holds them
        for parts in reversed(found):
            _change(document, parts, action, name)
    return idle


def _selected(document: Json, target: str, name: str) -> Iterator[tuple[str | int, ...]]:
    try:
        for number, match in enumerate(jsonpath.finditer(target, document)):
            if number >= _MOST:
                raise _refusal(name, f"'{target[:200]}' selects more than {_MOST:,} places")
            yield match.parts
    except jsonpath.JSONPathError as error:
        raise _refusal(
            name, f"'{target[:200]}' is not a JSONPath ({str(error).partition(chr(10))[0]})"
        ) from None


def _numbers(parts: tuple[str | int, ...]) -> list[int]:
    return [part if isinstance(part, int) else 0 for part in parts]


def _change(document: Json, parts: tuple[str | int, ...], action: Json, name: str) -> None:
    holder: Any = {"": document}
    key: str | int = ""
    for part in parts:
        holder = holder[key]
        key = part
    if action.get("remove") is True:
        if not parts:
            raise _refusal(name, "the whole document cannot be removed")
        del holder[key]
        return
    update = action.get("update")
    if isinstance(action.get("copy"), str):
        sources = list(_selected(document, action["copy"], name))
        if len(sources) != 1:
            raise _refusal(
                name, f"'{action['copy'][:200]}' must select one place to copy, not {len(sources)}"
            )
        update = document
        for part in sources[0]:
            update = update[part]  # type: ignore[index]  # the path was just found in the document
    if update is not None:
        holder[key] = _merged(holder[key], copy.deepcopy(update))


def _merged(old: Any, new: Any) -> Any:
    if isinstance(old, list):
        return [*old, *new] if isinstance(new, list) else [*old, new]
    if isinstance(old, dict) and isinstance(new, dict):
        for name, value in new.items():
            old[name] = (
                _merged(old[name], value)
                if name in old and isinstance(old[name], dict | list)
                else value
            )
        return old
    return new


def _refusal(name: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"the overlay '{name[:200]}' cannot be applied: {reason}",
        hint="See https://spec.openapis.org/overlay/latest.html.",
    )
