"""Marks of a schema on its values: secret, confidential, or displayed in part
(docs/reference/manifest.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Any

from jackfield.kernel.pointers import child
from jackfield.kernel.secrecy import without_password
from jackfield.kernel.walk import Nodes, Schema, SecretPlaces, extension, members, nodes
from jackfield.kernel.walk import is_secret as marks_secret

MASK = "***"
"""Replacement for a secret."""
_SMALL = 8
"""Minimum characters at which a secret is found in any Base64, in either Unicode normal form; half
as many in ASCII.
"""
_MOST_BESIDE = 20


def is_reference(value: object) -> bool:
    """Return True if the value names a secret instead of containing it: ``{"$env": "NAME"}``,
    ``{"$file": "path"}``.
    """
    return (
        isinstance(value, Mapping)
        and len(value) == 1
        and all(str(name).startswith("$") for name in value)
    )


def secret_values(schema: Schema, values: Mapping[str, Any]) -> frozenset[str]:
    """Return the strings below nodes marked ``"writeOnly": true`` or ``"format": "password"``;
    numbers as their JSON text.

    Secret references contain no secret and are left out, as are booleans, null and empty strings.
    Every branch of ``anyOf`` and similar keywords counts, even if the value does not match it.
    """
    return frozenset(_marked(schema, nodes(schema, schema), values, is_secret))


def confidential_values(schema: Schema, values: Mapping[str, Any]) -> frozenset[str]:
    """Return the strings below nodes marked ``"x-jackfield": {"sensitive": true}``: message texts,
    recipients, external IDs.
    """
    return frozenset(_marked(schema, nodes(schema, schema), values, _is_sensitive))


def hidden_values(schema: Schema, values: Mapping[str, Any]) -> frozenset[str]:
    """Return all strings of a connection that no message may contain. They are its secret and
    confidential values, and the credentials of HTTP Basic (RFC 7617) made of a short secret and
    another value. In Base64, a search for the secret itself does not find it.
    """
    secrets = secret_values(schema, values)
    short = [secret for secret in secrets if len(secret) < _SMALL]
    return (
        secrets
        | confidential_values(schema, values)
        | frozenset(chain.from_iterable(_basic(secret, values) for secret in short))
    )


def _basic(secret: str, values: Mapping[str, Any]) -> Iterator[str]:
    from base64 import b64encode

    for value in [one for one in values.values() if isinstance(one, str) and one][:_MOST_BESIDE]:
        for pair in (f"{value}:{secret}", f"{secret}:{value}"):
            yield b64encode(pair.encode(errors="surrogatepass")).decode().rstrip("=")


def is_secret(applying: Nodes) -> bool:
    """Return whether one of the schemas marks a secret."""
    return any(map(marks_secret, applying))


def keeps_last4(applying: Nodes) -> bool:
    """Return whether one of the schemas limits display to the last 4 characters."""
    return any(extension(node).get("mask") == "last4" for node in applying)


def _is_sensitive(applying: Nodes) -> bool:
    return any(extension(node).get("sensitive") is True for node in applying)


def _marked(
    root: Schema, applying: Nodes, value: object, has_mark: Callable[[Nodes], bool]
) -> Iterator[str]:
    if has_mark(applying):
        yield from leaves(value)
        return
    for _, known, member in members(root, applying, value):
        if known:  # what no schema describes, none marks
            yield from _marked(root, known, member, has_mark)


def leaves(value: object) -> Iterator[str]:
    """Yield the strings and numbers in a JSON value, except in references."""
    if isinstance(value, str):
        yield from (value,) if value else ()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield repr(value)
    elif isinstance(value, Mapping) and not is_reference(value):
        for member in value.values():
            yield from leaves(member)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from leaves(item)


_MIN_FOR_LAST4 = 9
"""Minimum length of a value whose last 4 characters are displayed: with fewer, half of it would be
visible.
"""


def masked(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of ``values`` for display.

    Secrets become ``***``; the structure and null are preserved. ``"x-jackfield": {"mask":
    "last4"}`` keeps the last 4 characters of 9 or more (``****MPLE``); a node that is also marked
    secret is masked whole. Secret references and unmarked values stay unchanged, except for the
    user name and password of a URL (``https://***@host``). Members that a closed object does not
    define may be misspelt secrets, and are masked.
    """
    shown: dict[str, Any] = _masked_value(schema, nodes(schema, schema), values)
    return shown


def _masked_value(root: Schema, applying: Nodes | None, value: Any) -> Any:
    if is_reference(value):
        return _copied(value)
    if applying is None or is_secret(applying):
        return _mask_all(value)
    if keeps_last4(applying) and not isinstance(value, Mapping | list | tuple | None):
        return _last4(str(value).strip())
    if isinstance(value, Mapping):
        return {
            name: _masked_value(root, known, member)
            for name, known, member in members(root, applying, value)
        }
    if isinstance(value, list | tuple):
        return [
            _masked_value(root, known, item) for _, known, item in members(root, applying, value)
        ]
    return without_password(value) if isinstance(value, str) else value


def _mask_all(value: Any) -> Any:
    if is_reference(value):
        return _copied(value)
    if isinstance(value, Mapping):
        return {name: _mask_all(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_mask_all(item) for item in value]
    return None if value is None else MASK


class Concealed:
    """Copy of an output for records, with its secrets as ``***``. Unlike ``masked``, it treats
    nothing in the output as a reference or a URL.

    ``secrets`` is None if all of the output is secret.
    """

    def __init__(self, output: Mapping[str, Any], secrets: SecretPlaces | None) -> None:
        self.places: list[str] = []
        """Places of the first masked values, as JSON Pointers."""
        self.count = 0
        """Number of masked places."""
        self.values: list[Any] = []
        """The first masked values themselves, texts, numbers and containers."""
        self.output: dict[str, Any] = (
            self._masked(output, "") if secrets is None else self._masked_parts(secrets, output, "")
        )
        """The copy."""

    def _masked_parts(self, secrets: SecretPlaces, value: Any, path: str) -> Any:
        if secrets.is_secret:
            return self._masked(value, path)
        if isinstance(value, Mapping):
            return {
                name: self._part(secrets.below(name), item, path, name)
                for name, item in value.items()
            }
        if isinstance(value, list):
            return [
                self._part(secrets.below(index), item, path, index)
                for index, item in enumerate(value)
            ]
        return value

    def _part(self, secrets: SecretPlaces | None, value: Any, path: str, step: str | int) -> Any:
        if secrets is None:
            return self._masked(value, child(path, step))
        return self._masked_parts(secrets, value, child(path, step)) if secrets.reaches else value

    def _masked(self, value: Any, path: str) -> Any:
        if value is not None:
            self._note(value, path)
        return _hidden(value)

    def _note(self, value: Any, path: str) -> None:
        self.count += 1
        if len(self.values) < _MOST_VALUES:
            self.values.append(value)
        if len(self.places) < _MOST_PLACES:
            self.places.append(path)


_MOST_PLACES = 5
"""Maximum places of secrets that a warning names."""
_MOST_VALUES = 20
"""Maximum number of secrets for which the rest of a record is searched."""


def _hidden(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _hidden(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_hidden(item) for item in value]
    return None if value is None else MASK


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copied(member) for name, member in value.items()}
    return [_copied(item) for item in value] if isinstance(value, list | tuple) else value


def _last4(text: str) -> str:
    return f"****{text[-4:]}" if len(text) >= _MIN_FOR_LAST4 else MASK
