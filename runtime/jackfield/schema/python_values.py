"""Conversion of Python values in a library caller's inputs to the JSON that the schema describes at
their place.

The result equals the same values over HTTP: dates and times have the form of RFC 3339, and a number
that a double would change stays exact. A value that cannot be converted without a guess stays
unchanged, so that the check refuses it at its place.
"""

from __future__ import annotations

import dataclasses
import math
import operator
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from numbers import Integral, Real
from typing import Any
from uuid import UUID

from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.walk import Nodes, Schema, members, nodes
from jackfield.schema.json_types import MAX_DEPTH, MAX_DIGITS, Unreadable

_ATOMS = frozenset({str, int, float, bool, type(None)})


def as_json(inputs: Any, schema: Schema) -> Any:
    """Return the inputs with Python values converted to the JSON that the schema accepts there.
    Files stay unchanged.
    """
    return _Reader(schema).read(inputs, nodes(schema, schema), MAX_DEPTH)


def built_in(value: Any, depth: int = MAX_DEPTH) -> Any:
    """Return a Python value with JSON's types in place of a host's classes that extend them, or are
    mappings or tuples. From then on, none of the host's code is called. Other objects stay
    unchanged.
    """
    kind = type(value)
    return (
        value
        if kind in _ATOMS or depth <= 0
        else _convert_value(value, _built_in, value, kind, depth)
    )


def _built_in(value: Any, kind: type, depth: int) -> Any:
    for base, plain in _BASES:
        if issubclass(kind, base):
            return plain(value)
    if issubclass(kind, Mapping):
        return {
            built_in(name, 0 if type(name) is str else 1): built_in(item, depth - 1)
            for name, item in dict(value).items()
        }
    return (
        [built_in(item, depth - 1) for item in [*value]]
        if issubclass(kind, (list, tuple))
        else value
    )


def _convert_value(value: Any, reader: Callable[..., Any], *given: Any) -> Any:
    """Convert a value. If its own class fails, it stays unchanged, since the check refuses it by
    its type; a subclass of a JSON type becomes a placeholder, which is refused.
    """
    found = attempt(reader, *given)
    if not isinstance(found, Raised):
        return found
    is_ours = isinstance(found.error, (RecursionError, MemoryError))
    return (
        value
        if is_ours or not issubclass(type(value), (str, int, float, dict, list, tuple))
        else Unreadable(type(value))
    )


def moment(value: object) -> str | None:
    """Return a date and time in RFC 3339 form; None for other values, and without a time zone."""
    if not isinstance(value, datetime) or (offset := value.utcoffset()) is None:
        return None
    known = value if not offset.total_seconds() % 60 else value.astimezone(UTC)
    return known.isoformat().replace("+00:00", "Z")


class _Reader:
    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._open: set[int] = set()

    def read(self, value: Any, applying: Nodes, depth: int, *, drops: bool = False) -> Any:
        """Convert a value. With ``drops``, it comes from an object whose None members count as
        missing.
        """
        kind = type(value)
        if kind in _ATOMS or depth <= 0 or id(value) in self._open:
            return value
        self._open.add(id(value))
        try:
            return _convert_value(value, self._foreign, value, applying, depth, drops)
        finally:
            self._open.discard(id(value))

    def _foreign(self, value: Any, applying: Nodes, depth: int, drops: bool) -> Any:
        if issubclass(type(value), Enum):
            return self.read(value.value, applying, depth - 1)
        found = _object(value)
        if found is not value:
            return self.read(found, applying, depth, drops=True)
        if issubclass(type(value), (Mapping, list, tuple)):
            return self._container(value, applying, depth - 1, drops)
        return _scalar(value, _SchemaAt(applying))

    def _container(self, value: Any, applying: Nodes, depth: int, drops: bool) -> Any:
        parts = members(self._schema, applying, value)
        if not isinstance(value, Mapping):
            return [self.read(part, below or (), depth, drops=drops) for _, below, part in parts]
        return {
            name: self.read(part, below or (), depth, drops=drops)
            for name, below, part in parts
            if not (drops and part is None and (below is None or not _SchemaAt(below).takes_null))
        }


def _object(value: Any) -> Any:
    """Return the members of a dataclass or of a pydantic model; any other value unchanged."""
    kind = type(value)
    if hasattr(kind, "__pydantic_serializer__") and hasattr(kind, "model_dump"):
        return value.model_dump(by_alias=True, warnings=False)
    if hasattr(kind, "__dataclass_fields__"):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return value


class _SchemaAt:
    def __init__(self, applying: Nodes) -> None:
        named = [node["type"] for node in applying if "type" in node]
        self.types = {
            name
            for one in named
            for name in (
                [one] if isinstance(one, str) else one if isinstance(one, Iterable) else ()
            )
        }
        self.formats = {node["format"] for node in applying if isinstance(node.get("format"), str)}
        self.is_base64 = "byte" in self.formats or any(
            node.get("contentEncoding") == "base64" for node in applying
        )
        chosen = [
            one
            for node in applying
            for one in (*_items(node.get("enum")), *([node["const"]] if "const" in node else ()))
        ]
        self.takes_null = not (self.types or chosen) or "null" in self.types or None in chosen

    def takes(self, *types: str) -> bool:
        """Return whether one of the types is allowed at this place."""
        return not self.types or not self.types.isdisjoint(types)


def _items(found: object) -> Iterable[Any]:
    return found if isinstance(found, (list, tuple)) else ()


def _scalar(value: Any, place: _SchemaAt) -> Any:
    kind = type(value)
    for kinds, convert in _CONVERSIONS:
        if issubclass(kind, kinds):
            return convert(value, place)
    if hasattr(kind, "unicode_string"):  # pydantic's URLs
        return _of_text(value, place)
    return _of_flag(value) if hasattr(kind, "dtype") else value


def _of_flag(value: Any) -> Any:
    """Return a Boolean of numpy as a ``bool``. It is numpy's only scalar without an abstract class
    in Python.
    """
    found = value.item()
    return found if type(found) is bool else value


def _as_it_is(value: Any, _place: _SchemaAt) -> Any:
    return value


def _of_integral(value: Any, _place: _SchemaAt) -> Any:
    return operator.index(value)


def _of_real(value: Any, _place: _SchemaAt) -> Any:
    number = float(value)
    return number if number == value or not math.isfinite(number) else value


def _of_text(value: Any, place: _SchemaAt) -> Any:
    return str(value) if place.takes("string") else value


def _of_bytes(value: Any, place: _SchemaAt) -> Any:
    if isinstance(value, memoryview) and not value.c_contiguous:
        value = value.tobytes()
    return b64encode(value).decode("ascii") if place.is_base64 and place.takes("string") else value


def _of_date(value: date, place: _SchemaAt) -> Any:
    return value.isoformat() if "date" in place.formats or not place.types else value


def _of_time(value: time, place: _SchemaAt) -> Any:
    return (
        value.isoformat().replace("+00:00", "Z")
        if "time" in place.formats and value.utcoffset() is not None
        else value
    )


def _of_instant(value: datetime, place: _SchemaAt) -> Any:
    text = moment(value)
    if text is None:
        return value
    if "unix-time" in place.formats and not value.microsecond:
        return math.floor(value.timestamp())
    return text if "date-time" in place.formats or not place.types else value


def _of_decimal(value: Decimal, place: _SchemaAt) -> Any:
    if (
        not value.is_finite()
        or abs(value.adjusted()) >= MAX_DIGITS
        or len(value.as_tuple().digits) > MAX_DIGITS
    ):
        return value
    number = _number(value) if place.takes("number", "integer") else None
    is_text = "string" in place.types and (number is None or "decimal" in place.formats)
    return format(value, "f") if is_text else value if number is None else number


def _number(value: Decimal) -> int | float | None:
    """Return the JSON number that equals a decimal; None if a double would change it."""
    if value == value.to_integral_value():
        return int(value)
    found = float(value)
    return found if Decimal(repr(found)) == value else None


_BASES: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (str, str.__str__),
    (int, int.__int__),
    (float, float.__float__),
)
_CONVERSIONS: tuple[tuple[Any, Callable[[Any, _SchemaAt], Any]], ...] = (
    ((str, int, float), _as_it_is),
    ((bytes, bytearray, memoryview), _of_bytes),
    (datetime, _of_instant),  # before date, of which it is a subclass
    (date, _of_date),
    (time, _of_time),
    (Decimal, _of_decimal),
    (UUID, _of_text),
    (Integral, _of_integral),  # numpy's numbers, fractions and the like
    (Real, _of_real),
)
