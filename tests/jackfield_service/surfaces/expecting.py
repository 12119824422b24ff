"""Whether JSON is what a vector expects: a difference is a sentence with its place."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any


def differences(expected: Any, found: Any, path: str = "") -> Iterator[str]:
    """Each place where ``found`` is not what ``expected`` says.

    An object asks for the members that it names, no matter what else is there; an array for all of
    its items in their order; anything else for an equal value of the same JSON type. An object
    whose only member starts with ``$`` is a predicate: ``$absent``, ``$any``, ``$contains`` (a text
    or all of a list of texts), ``$lacks``, ``$matches`` (a pattern), ``$length``, ``$atLeast``,
    ``$atMost``, ``$includes`` (items anywhere in an array), ``$same`` (all items, in any order),
    ``$equals`` (no member more).
    """
    predicate = _predicate(expected)
    if predicate is not None:
        name, argument = predicate
        if name in _COMPARING:
            yield from _COMPARING[name](argument, found, path)
        elif not _TESTS[name](argument, found):
            yield f"{path or '/'}: expected {name} {argument!r}, found {_shown(found)}"
    elif isinstance(expected, Mapping):
        yield from _members(expected, found, path)
    elif isinstance(expected, list):
        yield from _items(expected, found, path)
    elif type(expected) is not type(found) or expected != found:
        yield f"{path or '/'}: expected {expected!r}, found {_shown(found)}"


class _Missing:
    def __repr__(self) -> str:
        return "nothing"


_MISSING = _Missing()


def _predicate(expected: object) -> tuple[str, Any] | None:
    if isinstance(expected, Mapping) and len(expected) == 1:
        ((name, argument),) = expected.items()
        if name in _TESTS or name in _COMPARING:
            return name, argument
    return None


def _members(expected: Mapping[str, Any], found: object, path: str) -> Iterator[str]:
    if not isinstance(found, Mapping):
        yield f"{path or '/'}: expected an object, found {_shown(found)}"
        return
    for name, value in expected.items():
        yield from differences(value, found.get(name, _MISSING), f"{path}/{name}")


def _items(expected: Sequence[Any], found: object, path: str) -> Iterator[str]:
    if not isinstance(found, list | tuple) or len(found) != len(expected):
        yield f"{path or '/'}: expected {len(expected)} items, found {_shown(found)}"
        return
    for index, (wanted, item) in enumerate(zip(expected, found, strict=True)):
        yield from differences(wanted, item, f"{path}/{index}")


def _includes(expected: Sequence[Any], found: object, path: str) -> Iterator[str]:
    left = list(found) if isinstance(found, list | tuple) else []
    for wanted in expected:
        fitting = next((item for item in left if not any(differences(wanted, item))), None)
        if fitting is None:
            yield f"{path or '/'}: expected an item like {wanted!r}, found {_shown(found)}"
        else:
            left.remove(fitting)


def _same(expected: Sequence[Any], found: object, path: str) -> Iterator[str]:
    if not isinstance(found, list | tuple) or len(found) != len(expected):
        yield f"{path or '/'}: expected {len(expected)} items, found {_shown(found)}"
    else:
        yield from _includes(expected, found, path)


def _equals(expected: object, found: object, path: str) -> Iterator[str]:
    if expected != found:
        yield f"{path or '/'}: expected exactly {expected!r}, found {_shown(found)}"


def _texts(argument: str | list[str]) -> list[str]:
    return [argument] if isinstance(argument, str) else argument


_COMPARING: Mapping[str, Callable[[Any, Any, str], Iterator[str]]] = {
    "$includes": _includes,
    "$same": _same,
    "$equals": _equals,
}
_TESTS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$absent": lambda wanted, found: (found is _MISSING) is wanted,
    "$any": lambda wanted, found: (found is not _MISSING) is wanted,
    "$contains": lambda wanted, found: (
        isinstance(found, str) and all(text in found for text in _texts(wanted))
    ),
    "$lacks": lambda wanted, found: (
        isinstance(found, str) and not any(text in found for text in _texts(wanted))
    ),
    "$matches": lambda wanted, found: (
        isinstance(found, str) and re.search(wanted, found) is not None
    ),
    "$length": lambda wanted, found: isinstance(found, str | list | tuple) and len(found) == wanted,
    "$atLeast": lambda wanted, found: isinstance(found, int | float) and found >= wanted,
    "$atMost": lambda wanted, found: isinstance(found, int | float) and found <= wanted,
}


def _shown(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 400 else f"{text[:400]}…"
