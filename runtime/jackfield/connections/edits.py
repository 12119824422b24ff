"""Edits of a connection: secrets that the editor leaves out or sends back masked stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connections.sealed_values import PLACEHOLDER, secret_places
from jackfield.errors import Detail, InvalidConnection
from jackfield.json_pointer import child, names
from jackfield.redaction import masked
from jackfield.redaction.marks import is_reference

__all__ = ["edited", "refuse_placeholders", "refuse_redirected"]

_HOSTS = frozenset({"uri", "uri-reference", "iri", "iri-reference", "hostname", "idn-hostname", "ipv4", "ipv6"})


def edited(schema: Mapping[str, Any], old: Mapping[str, Any], given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Apply ``given`` to ``old``. A secret that is left out, and a value sent back masked (``***``, ``****MPLE``), stays as it is; a
    secret given as null is removed. Everything else is taken from ``given``."""
    return _edited(given, old, masked(schema, old), secret_places(schema, old), "")


def _edited(given: Mapping[str, Any], old: Mapping[str, Any], shown: Any, secret: frozenset[str], path: str) -> Mapping[str, Any]:
    values: dict[str, Any] = {}
    for name, value in given.items():
        here = child(path, name)
        if value is None and here in secret and old.get(name) is not None:
            continue
        values[name] = _merged(value, old[name], shown[name], secret, here) if name in old else value
    left_out = {name: value for name, value in old.items() if name not in given and child(path, name) in secret}
    return {**values, **left_out}


def _merged(given: Any, old: Any, shown: Any, secret: frozenset[str], path: str) -> Any:
    if given == shown or (given == PLACEHOLDER and path in secret):
        return old
    if isinstance(given, Mapping) and isinstance(old, Mapping) and not is_reference(given) and not is_reference(old):
        return _edited(given, old, shown, secret, path)
    if isinstance(given, list) and isinstance(old, list) and len(given) == len(old):
        places = range(len(old))
        return [_merged(given[place], old[place], shown[place], secret, child(path, place)) for place in places]
    return given


def refuse_placeholders(schema: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Refuse placeholders in place of secrets.

    :raises InvalidConnection: if a secret is the placeholder for a stored value that does not exist.
    """
    found = [path for path in sorted(secret_places(schema, values)) if _at(values, path) == PLACEHOLDER]
    if found:
        text = f"'{PLACEHOLDER}' stands for a secret that is kept as it was, and there is none"
        raise InvalidConnection(
            "a secret of the connection is missing", details=[Detail(path, text) for path in found], hint="Give the secret itself."
        )


def refuse_redirected(schema: Mapping[str, Any], old: Mapping[str, Any], given: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Refuse an edit that would send a stored secret to another destination: editors who never saw a secret must not be able to have it
    sent to their own host.

    :raises InvalidConnection: if a value that determines the destination has changed and a secret was not given again.
    """
    moved = [field for field in _destinations(schema) if values.get(field) != old.get(field)]
    kept = [path for path in sorted(secret_places(schema, values)) if _given(given, path) in (None, PLACEHOLDER)] if moved else []
    if kept:
        text = f"was kept for another '{moved[0]}': give it again"
        raise InvalidConnection(
            "the connection's secrets stay where they are",
            details=[Detail(path, text) for path in kept],
            hint=f"A changed '{moved[0]}' would have them sent elsewhere: give each secret anew, or leave '{moved[0]}' as it was.",
        )


def _destinations(schema: Mapping[str, Any]) -> list[str]:
    """Return the names of values that determine the destination of secrets: those marked as such, and those with the format of a URL or
    a host."""
    fields = {name: field for name, field in schema.get("properties", {}).items() if isinstance(field, Mapping)}
    marked = [name for name, field in fields.items() if field.get("x-jackfield", {}).get("destination")]
    return marked + [name for name, field in fields.items() if field.get("format") in _HOSTS and name not in marked]


def _given(values: Any, path: str) -> Any:
    try:
        return _at(values, path)
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _at(values: Any, path: str) -> Any:
    for name in names(path):
        values = values[int(name)] if isinstance(values, list | tuple) else values[name]
    return values
