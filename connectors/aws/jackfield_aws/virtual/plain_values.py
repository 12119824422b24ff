"""Plain JSON in place of JSON as text or bytes, or of values under the names of their types.

- Lambda's payload and Step Functions' input are JSON: a value other than text and files is sent as
  its text. The output has the JSON of the response in addition to its text or bytes, as a member
  whose name ends in ``Json``.
- Attributes of DynamoDB are ``{"S": "ada"}``. A map whose only member has the name of a type is
  such a value, everything else is plain.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jackfield.connector import check_price, current_call, pointer
from jackfield.kernel.exact import Exact, exact_json, read_float

_STREAM = "InvokeWithResponseStream"
JSON_INPUTS: Mapping[tuple[str, str], str] = {
    ("lambda", "Invoke"): "Payload",
    ("lambda", _STREAM): "Payload",
    ("stepfunctions", "StartExecution"): "input",
    ("stepfunctions", "StartSyncExecution"): "input",
    ("stepfunctions", "SendTaskSuccess"): "output",
}
"""Inputs that are JSON, by service and operation."""
JSON_OUTPUTS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("lambda", "Invoke"): ("Payload",),
    ("stepfunctions", "DescribeExecution"): ("input", "output"),
    ("stepfunctions", "StartSyncExecution"): ("input", "output"),
}
"""Members of outputs that are JSON, by service and operation."""
_FILE = frozenset(("data", "contentType"))
TYPES = ("S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL")
"""Names of DynamoDB's types of values."""
_TYPES = frozenset(TYPES)
_NO_BASE64 = (
    "is not Base64, which a text of a binary type is in AWS's own JSON: give Base64, or "
    '{"data": Base64}'
)
_WITH_ALL = 'give it as a Decimal, as {"N": "its digits"}, or as JSON text'
_SURE_DIGITS = 15
"""Number of decimal digits that a double preserves."""
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


class BadValue(ValueError):
    """Error of an input that cannot be converted, with the path to it."""

    def __init__(self, path: tuple[Any, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


Json = dict[str, Any]
Reader = Callable[[Any, tuple[Any, ...]], Any]


def or_json(found: Json) -> Json:
    """Return the schema of an input that also accepts JSON."""
    hints = found.get("x-jackfield", {})
    outer: Json = {word: found[word] for word in ("description", "writeOnly") if word in found}
    inner = {
        word: value for word, value in found.items() if word not in outer and word != "x-jackfield"
    }
    marks = {name: value for name, value in hints.items() if name == "file"}
    kept = {name: value for name, value in hints.items() if name != "file"}
    if outer.get("writeOnly"):
        kept["sensitive"] = True
    title = "File" if marks or "$ref" in inner else "Text"
    text = {"title": title, **inner, **({"x-jackfield": marks} if marks else {})}
    value = {"title": "JSON", "type": ["object", "array", "number", "boolean"]}
    return {**outer, **({"x-jackfield": kept} if kept else {}), "anyOf": [text, value]}


def beside(name: str) -> str:
    """Return the name of the output member with another member's JSON."""
    return f"{name}Json"


def json_schema(name: str, found: Json) -> Json:
    """Return the schema of the output member with the JSON of the member ``name``."""
    marks: Json = {
        word: found[word]
        for word in ("writeOnly", "format", "x-jackfield")
        if found.get("writeOnly") and word in found
    }
    return {"description": f"The value of `{name}`, if that is JSON.", **marks}


def add_json(answer: Json, names: tuple[str, ...]) -> None:
    """Add the parsed JSON of some members to a response, unless they are no JSON or too costly to
    parse.
    """
    for name in names:
        given = answer.get(name)
        text = b64decode(given["data"]) if isinstance(given, Mapping) and "data" in given else given
        if isinstance(text, str | bytes):
            try:
                check_price(
                    text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
                )
                answer[beside(name)] = json.loads(
                    text, parse_constant=_refuse, parse_float=read_float
                )
            except (ValueError, RecursionError):
                continue


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def as_text(value: Any) -> Any:
    """Return JSON as its text; text and files unchanged."""
    if isinstance(value, Mapping):
        is_file = value.keys() == {"file"} or (
            isinstance(value.get("data"), str) and value.keys() <= _FILE
        )
        return value if is_file else _text(value)
    return _text(value) if isinstance(value, list | bool | int | float) else value


def _text(value: Any) -> str:
    return exact_json(value, _COMPACT)


def is_attribute(shape: Any) -> bool:
    """Return whether a structure is a DynamoDB value, held by a member named after its type."""
    return shape.name == "AttributeValue" and set(shape.members) == _TYPES


def attribute_schema(typed: Json, reference: Json) -> Json:
    """Return the schema of a DynamoDB value, typed or plain. ``reference`` refers to that
    schema.
    """
    is_typed = {
        "type": "object",
        "minProperties": 1,
        "maxProperties": 1,
        "propertyNames": {"enum": list(TYPES)},
    }
    return {
        "if": is_typed,
        "then": typed,
        "else": {"items": reference, "additionalProperties": reference},
    }


def attribute_reader(typed: Reader) -> Reader:
    """Return a converter that also accepts plain DynamoDB values and types them; ``typed`` converts
    typed values.
    """

    def read(value: Any, path: tuple[Any, ...]) -> Any:
        if isinstance(value, Mapping):
            if len(value) == 1 and _TYPES.issuperset(value):
                return typed(_decoded(value, path), path)
            return {"M": {name: read(item, (*path, name)) for name, item in value.items()}}
        if isinstance(value, list):
            return {"L": [read(item, (*path, index)) for index, item in enumerate(value)]}
        return _scalar(value)

    return read


def _decoded(value: Any, path: tuple[Any, ...]) -> Any:
    """Return a typed value whose binary types are decoded from the Base64 of AWS's own JSON.

    :raises BadValue: if it is no Base64.
    """
    (name, given), *_ = value.items()
    if name == "B":
        return {name: _content_of(given, (*path, name))}
    if name == "BS" and isinstance(given, list):
        return {
            name: [_content_of(item, (*path, name, number)) for number, item in enumerate(given)]
        }
    return value


def _content_of(given: Any, path: tuple[Any, ...]) -> Any:
    if not isinstance(given, str) or given.startswith("data:"):
        return given
    try:
        b64decode(given, validate=True)
    except ValueError:
        raise BadValue(path, _NO_BASE64) from None
    return {"data": given}


def _scalar(value: Any) -> Json:
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": value}
    if type(value) is float:
        return {"N": Rounded(repr(value))}
    return {"N": value.text if isinstance(value, Exact) else repr(value)}


class Rounded(str):
    """Text of a float. With more than 15 digits, the last ones may come from rounding a decimal
    earlier.
    """

    __slots__ = ()

    @property
    def may_be(self) -> bool:
        """True if the text has enough digits that the last ones may be rounded."""
        return (
            sum(map(str.isdigit, self.partition("e")[0].removesuffix(".0").lstrip("-0.")))
            > _SURE_DIGITS
        )


def warn_of_rounding(parameters: Mapping[str, Any]) -> None:
    """Warn the caller of numbers that may have been rounded before they arrived."""
    call, found = current_call(), [*_rounded(parameters, ())]
    if call is not None and found:
        more = f" and {len(found) - 1:,} more" if len(found) > 1 else ""
        call.warn(
            f"the input {pointer(*found[0])}{more} is a float of more than {_SURE_DIGITS} "
            f"digits, which may have been rounded: {_WITH_ALL}"
        )


def _rounded(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, Rounded):
        if value.may_be:
            yield path[:-1]
    elif isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _rounded(item, (*path, name))
