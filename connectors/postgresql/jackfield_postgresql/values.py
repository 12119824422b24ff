"""Conversion of JSON values to PostgreSQL's text format and back, exact for all settings of the
server.

Numbers that JSON cannot hold without loss (``numeric``) are text; dates and times are ISO 8601;
``bytea`` is base64; ``json`` is JSON. OIDs come from ``pg_type.dat`` in PostgreSQL's source; they
never change.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from jackfield_sql.rows import json_of
from jackfield_sql.statements import Unfit, bytes_of, sendable

_BOOL, _BYTEA, _INT8, _INT2, _INT4, _OID, _JSON, _FLOAT4, _FLOAT8, _JSONB = (
    16,
    17,
    20,
    21,
    23,
    26,
    114,
    700,
    701,
    3802,
)
_DATE, _TIME, _TIMESTAMP, _TIMESTAMPTZ, _TIMETZ = 1082, 1083, 1114, 1184, 1266
JSON_TYPES = frozenset({_JSON, _JSONB})
BUILT_IN = 16384
"""First OID of types that are not built in ("FirstNormalObjectId")."""
ARRAYS: Mapping[int, int] = {
    1000: 16,
    1001: 17,
    1005: 21,
    1007: 23,
    1009: 25,
    1014: 1042,
    1015: 1043,
    1016: 20,
    1021: 700,
    1022: 701,
    1028: 26,
    1115: 1114,
    1182: 1082,
    1183: 1083,
    1185: 1184,
    1187: 1186,
    1231: 1700,
    1270: 1266,
    199: 114,
    2951: 2950,
    3807: 3802,
    1041: 869,
    651: 650,
    1002: 18,
    1003: 19,
}
"""Element types by array type, as OIDs."""
_ZONE = re.compile(r"([+-][0-9]{2})(?::?([0-9]{2}))?$")
_BARE = re.compile(r'[^\s"\\{},]+')
_NULL = "NULL"


def encoded(value: Any, oid: int, elements: int | None) -> bytes | None:
    """Convert a JSON value to a parameter's text; ``elements`` is the element type of an array
    type. Return None for null.

    :raises Unfit: if the value cannot be encoded.
    """
    if value is None:
        return None
    text = (
        _array(value, elements)
        if elements is not None and isinstance(value, list)
        else _text(value, oid)
    )
    if "\0" in text:
        raise Unfit("has a NUL character, which PostgreSQL cannot store")
    return sendable(text)


def _text(value: Any, oid: int) -> str:
    if oid in JSON_TYPES or isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return json.dumps(value)
    if oid == _BYTEA:
        return "\\x" + bytes_of(value).hex()
    return str(value)


def _array(values: list[Any], elements: int) -> str:
    """Return an array's literal (PostgreSQL's documentation, "Array Input and Output Syntax")."""
    return "{" + ",".join(_element(one, elements) for one in values) + "}"


def _element(value: Any, oid: int) -> str:
    if value is None:
        return _NULL
    if isinstance(value, list) and oid not in JSON_TYPES:
        return _array(value, oid)
    text = _text(value, oid).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def decoded(raw: bytes | None, oid: int, elements: int | None) -> Any:
    """Convert the text of a type to a JSON value; ``elements`` is the element type of an array
    type.
    """
    if raw is None:
        return None
    text = raw.decode("utf-8", "replace")
    if elements is not None:
        found = _ArrayText(text, lambda one: decoded(one.encode(), elements, None)).value()
        return text if found is None else found
    read = _READERS.get(oid)
    return text if read is None else read(text)


def _float(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else text


def _bytes(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text.removeprefix("\\x"))).decode()


def _moment(text: str) -> str:
    """Convert a time stamp to ISO 8601 with its zone; infinity and years before Christ stay
    unchanged.
    """
    return _ZONE.sub(
        lambda found: (
            "Z" if found[1] == "+00" and not found[2] else f"{found[1]}:{found[2] or '00'}"
        ),
        _stamp(text),
    )


def _stamp(text: str) -> str:
    return text.replace(" ", "T", 1) if text[:1].isdigit() and not text.endswith("BC") else text


_READERS: Mapping[int, Callable[[str], Any]] = {
    _BOOL: lambda text: text == "t",
    _INT2: int,
    _INT4: int,
    _INT8: int,
    _OID: int,
    _FLOAT4: _float,
    _FLOAT8: _float,
    _JSON: json_of,
    _JSONB: json_of,
    _BYTEA: _bytes,
    _TIMESTAMP: _stamp,
    _TIMESTAMPTZ: _moment,
}


class _ArrayText:
    """Parser of an array's text, with elements nested to any depth."""

    def __init__(self, text: str, read: Callable[[str], Any]) -> None:
        # bounds that do not begin with 1
        self._text = text.partition("=")[2] if text.startswith("[") else text
        self._at = 0
        self._read = read

    def value(self) -> list[Any] | None:
        """Return the array; None if the text is not an array."""
        try:
            found = self._list()
        except (IndexError, ValueError):
            return None
        return found if self._at == len(self._text) else None

    def _list(self) -> list[Any]:
        self._take("{")
        found: list[Any] = []
        if self._text[self._at] == "}":
            self._at += 1
            return found
        while True:
            found.append(self._one())
            if self._text[self._at] == "}":
                self._at += 1
                return found
            self._take(",")

    def _one(self) -> Any:
        if self._text[self._at] == "{":
            return self._list()
        if self._text[self._at] == '"':
            return self._read(self._quoted())
        found = _BARE.match(self._text, self._at)
        if found is None:
            raise ValueError
        self._at = found.end()
        return None if found[0].upper() == _NULL else self._read(found[0])

    def _quoted(self) -> str:
        parts: list[str] = []
        self._at += 1
        while (one := self._text[self._at]) != '"':
            if one == "\\":
                self._at += 1
            parts.append(self._text[self._at])
            self._at += 1
        self._at += 1
        return "".join(parts)

    def _take(self, mark: str) -> None:
        if self._text[self._at] != mark:
            raise ValueError
        self._at += 1
