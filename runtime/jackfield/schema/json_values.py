"""Check that Python objects are JSON, and conversion of other objects.

Callers of the library may pass any object. Engines treat such objects differently (one raises at a
lone surrogate but passes NaN), so they only get plain JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date, datetime, time
from numbers import Real
from typing import TYPE_CHECKING

from jackfield.kernel.errors import Detail
from jackfield.kernel.exact import Exact
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.pointers import child, cut, shown
from jackfield.schema.json_types import MAX_DEPTH, MAX_DIGITS, Json, Unreadable
from jackfield.schema.wording import escaped

if TYPE_CHECKING:
    from collections.abc import Callable

_PLAIN = frozenset({bool, type(None)})
_SMALL = 1 << 64
_TOO_LARGE: int = 10**MAX_DIGITS
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_UNICODE = "contains a character that is not valid Unicode (a lone surrogate)"
_BUILT_IN = frozenset({"bool", "bytes", "dict", "float", "int", "list", "str"})
"""Names of JSON's types, which other packages may use for their own types, too."""
_NO_BYTES = 'bytes are not; decode text, or give a file as {"data": base64}'
_WORDS: Mapping[type, str] = {
    bytes: _NO_BYTES,
    bytearray: _NO_BYTES,
    memoryview: _NO_BYTES,
    set: "a set is not; give an array",
    frozenset: "a set is not; give an array",
    datetime: (
        "a date and time is taken where the schema names the format 'date-time'; give text here"
    ),
    date: "a date is taken where the schema names the format 'date'; give text here",
    time: (
        "a time with a time zone is taken where the schema names the format 'time'; give text here"
    ),
}
_NOT_FINITE = "NaN and Infinity are not numbers of JSON"
_NO_DOUBLE = (
    "a number of Python is one of JSON only if a double holds it unchanged; round it, or "
    "give text where the schema takes text"
)


def is_json(value: Json, depth: int = MAX_DEPTH) -> bool:
    """Return whether a value is plain JSON: exact types, valid Unicode, finite numbers, at most
    ``depth`` levels. It never raises.
    """
    kind = type(value)
    if kind is str:
        return value.isascii() or _is_unicode(value)
    if kind is dict:
        return depth > 0 and _is_json_object(value, depth - 1)
    if kind is list:
        return depth > 0 and _is_json_array(value, depth - 1)
    if kind is int:
        return bool(-_SMALL < value < _SMALL or abs(value) < _TOO_LARGE)
    return math.isfinite(value) if kind is float else kind in _PLAIN


def _is_json_object(value: dict[str, Json], depth: int) -> bool:
    for name, item in value.items():
        if type(name) is not str or not (name.isascii() or _is_unicode(name)):
            return False
        kind = type(item)
        if kind is str:  # checked here to save a call for the most frequent type
            if not (item.isascii() or _is_unicode(item)):
                return False
        elif kind not in _PLAIN and not is_json(item, depth):
            return False
    return True


def _is_json_array(value: list[Json], depth: int) -> bool:
    kinds = {*map(type, value)}
    if len(kinds) == 1:  # long arrays mostly have items of one type
        if str in kinds:
            whole = "".join(value)
            return whole.isascii() or all(map(_is_unicode, value))
        if int in kinds and min(value) > -_SMALL and max(value) < _SMALL:
            return True
        if float in kinds:
            return all(map(math.isfinite, value))
    for item in value:
        if type(item) is str:
            if not (item.isascii() or _is_unicode(item)):
                return False
        elif not is_json(item, depth):
            return False
    return True


def _is_unicode(text: str) -> bool:
    try:
        text.encode()  # far faster than searching for surrogates
    except UnicodeEncodeError:
        return False
    return True


def to_json(value: object, *, keeps_exact: bool = False) -> tuple[Json, tuple[Detail, ...]]:
    """Convert a value to plain JSON, with one Detail for each part that is not JSON.

    Tuples become arrays, mappings objects; subclasses of str, int, float, list and dict become
    their base. Everything else is replaced by null, a lone surrogate by U+FFFD, so that all other
    parts can be validated in the same pass. ``keeps_exact``: numbers with more digits than a double
    stay unchanged (``kernel.exact``); the engine does not accept them.
    """
    faults: list[Detail] = []
    return _Reader(faults, keeps_exact=keeps_exact).read(value, "", MAX_DEPTH), tuple(faults)


class _Reader:
    def __init__(self, faults: list[Detail], *, keeps_exact: bool) -> None:
        self._faults = faults
        self._keeps_exact = keeps_exact
        self._open: set[int] = set()

    def _refuse(self, path: str, reason: str) -> None:
        self._faults.append(Detail(shown(path), f"must be JSON: {reason}"))

    def read(self, value: object, path: str, depth: int) -> Json:
        if value is None or type(value) is bool:
            return value
        for kind, reader in self._readers:
            # isinstance would ask the object, which may lie or raise
            if issubclass(type(value), kind):
                return reader(self, value, path, depth)
        self._refuse(path, _reason(value))
        return None

    def _text(self, value: str, path: str, _depth: int) -> Json:
        text = str.__str__(value)
        if not _is_unicode(text):
            self._faults.append(Detail(shown(path), _NO_UNICODE))
            text = _SURROGATE.sub("\ufffd", text)
        return text

    def _whole(self, value: int, path: str, _depth: int) -> Json:
        number = int.__int__(value)
        if abs(number) < _TOO_LARGE:
            return number
        self._refuse(path, f"a number of more than {MAX_DIGITS} digits is not read")
        return None

    def _number(self, value: float, path: str, _depth: int) -> Json:
        number = float.__float__(value)
        if math.isfinite(number):
            return value if self._keeps_exact and type(value) is Exact else number
        self._refuse(path, _NOT_FINITE)
        return None

    def _mapping(self, value: Mapping[object, object], path: str, depth: int) -> Json:
        plain = attempt(dict, value)
        if isinstance(plain, Raised):  # a foreign class's own code failed; there is nothing to read
            self._refuse(path, _reason(value))
            return None
        return self._object(plain, path, depth)

    def _object(self, value: dict[object, object], path: str, depth: int) -> Json:
        if not self._enter(value, path, depth):
            return None
        members: dict[str, Json] = {}
        for name, item in dict.items(value):
            if not issubclass(type(name), str):
                self._refuse(path, "the names of members are strings")
                continue
            text = str.__str__(name)
            if not _is_unicode(text):
                self._faults.append(Detail(shown(child(path, cut(text))), _NO_UNICODE))
                text = _SURROGATE.sub("\ufffd", text)
            members[text] = self.read(item, child(path, text), depth - 1)
        self._open.discard(id(value))
        return members

    def _array(self, value: list[object] | tuple[object, ...], path: str, depth: int) -> Json:
        if not self._enter(value, path, depth):
            return None
        items = (list if issubclass(type(value), list) else tuple).__iter__(value)  # type: ignore[arg-type]  # whichever it is
        read = [self.read(item, child(path, index), depth - 1) for index, item in enumerate(items)]
        self._open.discard(id(value))
        return read

    def _enter(self, value: object, path: str, depth: int) -> bool:
        if id(value) in self._open:
            self._refuse(path, "a value cannot hold itself")
        elif not depth:
            self._faults.append(Detail(shown(path), f"is nested deeper than {MAX_DEPTH} levels"))
        else:
            self._open.add(id(value))
            return True
        return False

    _readers: tuple[tuple[type, Callable[..., Json]], ...] = (
        (str, _text),
        (int, _whole),
        (float, _number),
        (dict, _object),
        (list, _array),
        (tuple, _array),
        (Mapping, _mapping),
    )


def _reason(value: object) -> str:
    if type(value) is Unreadable:
        return (
            f"the class '{escaped(value.name[:80])}' of this Python object raises an "
            "exception as it is read"
        )
    found = attempt(_own_reason, value, type(value))
    return (
        "this Python object is not, and its class fails to describe it"
        if isinstance(found, Raised)
        else found
    )


def _own_reason(value: object, kind: type) -> str:
    known = next((words for base, words in _WORDS.items() if issubclass(kind, base)), None)
    if issubclass(kind, datetime) and datetime.utcoffset(value) is None:  # type: ignore[arg-type]  # issubclass says what it is
        return "a date and time needs a time zone, such as tzinfo=UTC"
    if kind.__module__ in ("decimal", "_decimal", "_pydecimal"):
        is_finite = kind.is_finite(value)  # type: ignore[attr-defined]  # a Decimal's
        return _NO_DOUBLE if is_finite else _NOT_FINITE
    if hasattr(kind, "__fspath__"):
        return "a path is not; give its text"
    if hasattr(kind, "get_secret_value"):
        return f"a '{escaped(kind.__name__[:80])}' is not; give what its get_secret_value() returns"
    if issubclass(kind, Real):
        return _NO_DOUBLE
    name = f"{kind.__module__}.{kind.__name__}" if kind.__name__ in _BUILT_IN else kind.__name__
    return known or f"a Python object of type '{escaped(name[:80])}' is not"
