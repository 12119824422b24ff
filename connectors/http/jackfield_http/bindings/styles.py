"""Parameter styles of OpenAPI 3: how a JSON value becomes part of a path, a query, a header field
or a form.

All characters other than letters, digits and ``-._~`` are percent-encoded, so that a value can
neither leave its place nor add a parameter. Commas, dots and semicolons between values belong to
the style.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from jackfield.connector import Detail, InvalidInput, Sent, pointer
from jackfield_http.urls import UNFIT_SEGMENT, climbs, compact

_RESERVED = "!$'()*,/:;?@[]"
"""Characters that ``allowReserved`` leaves unencoded: all reserved characters except those that
would end the value.
"""
_DELIMITERS = {"form": ",", "spaceDelimited": "%20", "pipeDelimited": "%7C", "tabDelimited": "%09"}
"""Delimiters by style; ``tabDelimited`` is Swagger's ``tsv``, which OpenAPI 3 has no name for."""

Pairs = Iterator[tuple[str, str]]


def text(value: Any) -> str:
    """Return a value as text. Lists and objects within a value become JSON."""
    if isinstance(value, str):
        return value
    return compact(value)


def encoded(value: Any) -> str:
    """Percent-encode a value."""
    return quote(text(value).encode("utf-8", "replace"), safe="")


def unreserved(value: Any) -> str:
    """Percent-encode a value of a parameter that may contain reserved characters; leave these
    characters unencoded.
    """
    return quote(text(value).encode("utf-8", "replace"), safe=_RESERVED)


def path_value(value: Any, name: str, style: str, *, explode: bool) -> str:
    """Return the text for a parameter in a path.

    :raises InvalidInput: if the text would be empty, ``.`` or ``..`` in any encoding: the request
        would reach another resource.
    """
    joined = _PATHS[style](value, name, explode)
    bare = joined.strip(".;=,")
    if (
        not joined
        or climbs(joined)
        or (not bare and isinstance(value, list | dict))
        or value in ("", None)
        or _controls(value)
    ):
        raise InvalidInput(
            "an input does not fit into the URL",
            details=[Detail(pointer(name), UNFIT_SEGMENT)],
            sent=Sent.NOTHING,
        )
    return joined


def _controls(value: Any) -> bool:
    return isinstance(value, str) and any(
        ord(letter) < 32 or ord(letter) == 127 for letter in value
    )


def _simple(value: Any, _name: str, explode: bool) -> str:
    return ",".join(_encoded_items(value, explode, encoded))


def _label(value: Any, _name: str, explode: bool) -> str:
    return "." + ("." if explode else ",").join(_encoded_items(value, explode, encoded))


def _matrix(value: Any, name: str, explode: bool) -> str:
    key = encoded(name)
    if isinstance(value, list):
        return (
            "".join(f";{key}={encoded(item)}" for item in value)
            if explode
            else f";{key}={_simple(value, name, False)}"
        )
    if isinstance(value, dict):
        return (
            "".join(f";{encoded(k)}={encoded(v)}" for k, v in value.items())
            if explode
            else f";{key}={_simple(value, name, False)}"
        )
    return f";{key}={encoded(value)}"


_PATHS: Mapping[str, Callable[[Any, str, bool], str]] = {
    "simple": _simple,
    "label": _label,
    "matrix": _matrix,
}


def _encoded_items(value: Any, explode: bool, encode: Callable[[Any], str]) -> list[str]:
    if isinstance(value, list):
        return [encode(item) for item in value]
    if isinstance(value, dict):
        if explode:
            return [f"{encode(name)}={encode(item)}" for name, item in value.items()]
        return [part for name, item in value.items() for part in (encode(name), encode(item))]
    return [encode(value)]


def query_pairs(
    value: Any, name: str, style: str, *, explode: bool, encode: Callable[[Any], str] = encoded
) -> Pairs:
    """Yield the encoded name and value pairs of a parameter in a query or a form."""
    if style == "deepObject":
        yield from _deep(value, encoded(name), encode)
    elif isinstance(value, list):
        if explode:
            yield from ((encoded(name), encode(item)) for item in value)
        elif value:
            yield encoded(name), _DELIMITERS[style].join(encode(item) for item in value)
    elif isinstance(value, dict):
        if explode and style == "form":
            yield from ((encoded(key), encode(item)) for key, item in value.items())
        elif value:
            yield encoded(name), _DELIMITERS[style].join(_encoded_items(value, False, encode))
    elif value is not None:
        yield encoded(name), encode(value)


def _deep(value: Any, name: str, encode: Callable[[Any], str]) -> Pairs:
    """Yield pairs with bracketed names, such as ``filter[state]=open``.

    Lists of plain values have empty brackets, which Rails, PHP, Stripe and Node read as a list.
    Lists of objects or lists have indexes: with empty brackets, a reader would put a member that
    one item lacks into the item before.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _deep(item, f"{name}%5B{encoded(key)}%5D", encode)
    elif isinstance(value, list):
        indexed = any(isinstance(item, dict | list) for item in value)
        for index, item in enumerate(value):
            yield from _deep(item, f"{name}%5B{index if indexed else ''}%5D", encode)
    elif value is not None:
        yield name, encode(value)


_BEYOND_ASCII = re.compile(r"[^\x20-\x7e]")


def in_ascii(json: str) -> str:
    """Return JSON with letters outside ASCII escaped: header fields hold ASCII only."""
    return _BEYOND_ASCII.sub(
        lambda found: "".join(f"\\u{unit:04x}" for unit in _units(found[0])), json
    )


def _units(letter: str) -> tuple[int, ...]:
    """Return the code units of a letter in UTF-16."""
    code = ord(letter)
    return (
        (code,) if code < 0x10000 else (0xD800 + ((code - 0x10000) >> 10), 0xDC00 + (code & 0x3FF))
    )


def header_value(value: Any, *, explode: bool) -> str:
    """Return the value of a header field."""
    return ",".join(_encoded_items(value, explode, text))
