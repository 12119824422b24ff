"""Conversion of JSON values to the server's literals, and of column values to JSON.

A value reaches the server in a user variable, so it is never a part of the statement; texts and
bytes are written in hexadecimal. Numbers that JSON cannot hold without loss (DECIMAL) are text;
dates and times are ISO 8601, TIMESTAMP in UTC; bytes are base64.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from pymysql.constants import FIELD_TYPE

from jackfield_sql.rows import json_of
from jackfield_sql.statements import bytes_of, sendable

_BYTES = "base64"


def literal(value: Any) -> str:
    """Return the literal of a JSON value; ``{"base64": "…"}`` represents bytes.

    :raises Unfit: if the value cannot be encoded.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        # a number without exponent is a DECIMAL
        return repr(value) if "e" in repr(value) else f"{value!r}e0"
    if isinstance(value, dict) and value.keys() == {_BYTES}:
        return f"X'{bytes_of(value[_BYTES]).hex()}'"
    return text_literal(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def text_literal(text: str) -> str:
    """Return a text's literal.

    :raises Unfit: if UTF-8 cannot encode the text.
    """
    return f"CONVERT(X'{sendable(text).hex()}' USING utf8mb4)"


def json_value(value: Any) -> Any:
    """Return a column's value for JSON, with bytes in base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def size_of(value: Any) -> int:
    """Estimate the bytes of a value."""
    return len(value) if isinstance(value, str | bytes) else 8


def _moment(text: str) -> str:
    return text.replace(" ", "T", 1)


READERS: Mapping[int, Callable[[Any], Any]] = {
    FIELD_TYPE.TINY: int,
    FIELD_TYPE.SHORT: int,
    FIELD_TYPE.LONG: int,
    FIELD_TYPE.LONGLONG: int,
    FIELD_TYPE.INT24: int,
    FIELD_TYPE.YEAR: int,
    FIELD_TYPE.FLOAT: float,
    FIELD_TYPE.DOUBLE: float,
    FIELD_TYPE.DATETIME: _moment,
    FIELD_TYPE.TIMESTAMP: lambda text: f"{_moment(text)}Z",
    FIELD_TYPE.JSON: json_of,
    FIELD_TYPE.BIT: lambda raw: int.from_bytes(raw, "big"),
}
"""Converters of a column's text, by its type; texts of other types stay unchanged."""
