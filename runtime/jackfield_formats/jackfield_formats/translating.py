"""Translation of a foreign entry's fields into a connection's type and values, and into default
inputs, by an alias.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jackfield.connections.aliases import Alias, Choice, is_blank
from jackfield.connections.formats import Document
from jackfield.connections.named_connection import Foreign, NamedConnection
from jackfield.kernel.connection_names import connection_name
from jackfield.kernel.dataclass import dataclass

_PLACEHOLDER = re.compile(r"\*{3,}|<[^<>@]+>")
"""Regular expression of text that documentation puts in place of a value: ``*****`` or
``<your-access-key-id>``.
"""


class ForeignError(ValueError):
    """Foreign entry that cannot be read; the message names the field and the reason, without the
    value.
    """


@dataclass(frozen=True, slots=True, repr=False)
class Translation:
    """Result of a translation. ``inputs`` are default inputs of the alias's actions, ``unused`` the
    fields that were ignored, ``lacking`` the expected fields that are missing.
    """

    type: str
    values: Mapping[str, Any]
    inputs: Mapping[str, Any]
    unused: tuple[str, ...]
    lacking: tuple[str, ...] = ()


def translate(
    alias: Alias, fields: Mapping[str, Any], environment: Mapping[str, str], *, strict: bool = False
) -> Translation:
    """Translate the fields of one entry; blank ones count as missing.

    :raises ForeignError: if a field is missing or not supported.
    """
    given = {name: value for name, value in fields.items() if not is_blank(value)}
    for name, value in given.items():
        if name in alias.refused and str(value).lower() != "false":
            raise ForeignError(f"'{name}': {alias.refused[name]}")
        if isinstance(value, str) and _PLACEHOLDER.fullmatch(value.strip()):
            raise ForeignError(
                f"'{name}' is still the placeholder {value.strip()[:80]}: replace it by the value"
            )
    given |= {name: value for name, value in _defaults(alias, environment) if name not in given}
    missing = [name for name in alias.required if name not in given]
    if missing:
        raise ForeignError(
            alias.message("missing", "these fields are missing: {fields}", fields=" ".join(missing))
        )
    choice = next((choice for choice in alias.choices if choice.fits(given)), None)
    if choice is None:
        kinds = " or ".join(dict.fromkeys(" and ".join(choice.when) for choice in alias.choices))
        raise ForeignError(f"it has no credentials; it needs {kinds or 'another type'}")
    need = choice.lacks(given)
    if need is not None:
        raise ForeignError(f"{' or '.join(map(repr, need.split('|')))} is missing: {choice.why}")
    inputs = inputs_of(
        alias,
        {name: value for name, value in given.items() if name not in choice.values},
        strict=strict,
    )
    conditions = {condition.partition("=")[0] for condition in choice.when}
    unused = [
        name
        for name in fields
        if name in given
        and name not in choice.values
        and name not in alias.inputs
        and name not in conditions
    ]
    lacking = tuple(name for name in alias.expected if name not in given)
    return Translation(choice.type, _values(choice, given), inputs, tuple(unused), lacking)


def inputs_of(alias: Alias, fields: Mapping[str, Any], *, strict: bool = False) -> dict[str, Any]:
    """Return the fields that are inputs, under the inputs' names. Lists in one text are split,
    trimmed and freed of empty items; if ``strict``, only split.
    """
    found: dict[str, Any] = {}
    for name, value in fields.items():
        if name in alias.inputs:
            found[alias.inputs[name]] = (
                _split(value, alias.separator, strict=strict) if name in alias.lists else value
            )
    return found


def connection_of(
    alias: Alias,
    made: Translation,
    document: Document,
    form: str,
    names: tuple[str, ...],
    at: str = "",
) -> NamedConnection:
    """Build the connection of a translation, named after the first of ``names``; ``at`` is its
    place in the document.

    :raises ForeignError: if that name is not valid for a connection.
    """
    inputs = (
        {f"{alias.connector}/{action}": made.inputs for action in alias.operations.values()}
        if made.inputs
        else {}
    )
    foreign = Foreign(form, alias.key, names, inputs)
    place = f"{document.place}: {at}" if at else document.place
    try:
        name = connection_name(names[0])
    except ValueError as error:
        raise ForeignError(str(error)) from None
    return NamedConnection(
        name, made.type, made.values, document.source, document.folder, foreign=foreign, place=place
    )


def _defaults(alias: Alias, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, candidates in alias.defaults.items():
        found = (
            environment.get(item[1:], "") if item.startswith("$") else item for item in candidates
        )
        value = next(filter(None, found), None)
        if value is not None:
            yield name, value


def _values(choice: Choice, given: Mapping[str, Any]) -> dict[str, Any]:
    """Fill the values; if two fields provide one value, the first in the alias takes precedence."""
    found: dict[str, Any] = {}
    for name, parts in choice.values.items():
        for part in parts:
            value = part.of(given[name]) if name in given else None
            if not is_blank(value):
                found.setdefault(part.name, value)
    return found


def _split(value: object, separator: str, *, strict: bool) -> object:
    if not isinstance(value, str):
        return value
    parts = value.split(separator) if value else []
    return parts if strict else [part.strip() for part in parts if part.strip()]
