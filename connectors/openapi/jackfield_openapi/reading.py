"""Reading of a document: JSON or YAML 1.2 with the types of JSON, within limits of size, depth and
number of values.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import yaml

from jackfield.connector import InvalidInput
from jackfield.kernel.price import TooCostly, check_json, structure

MAX_BYTES = 64 * 1024 * 1024
"""Maximum size of a document, in bytes; the largest of 2,639 public ones has 47 MB."""
MAX_VALUES = 10_000_000
"""Maximum number of values in a document, with aliases expanded."""
MAX_DEPTH = 200
_MOST_BRACKETS = 20_000
"""Maximum number of unmatched brackets, as they occur in prose."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_NESTED = re.compile(r"(?>(?:[-?] ++){8,})")
"""Regular expression of blocks that begin within one line."""
_HALF = re.compile("[\ud800-\udfff]")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # libyaml where the wheel has it
    """YAML loader for the types of JSON only: ``no``, ``on`` and dates stay text."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def _decimal(loader: Any, node: Any) -> int:
    """Read an integer in base ten: in YAML 1.1, ``010`` would be eight."""
    return int(loader.construct_scalar(node))


_Loader.add_constructor("tag:yaml.org,2002:int", _decimal)


def parsed(content: bytes, name: str, *, part: bool = False) -> Any:
    """Parse a document; ``part`` allows any value, for a file that a document refers to.

    :raises InvalidInput: if the content is too large, neither JSON nor YAML, or no object.
    """
    if len(content) > MAX_BYTES:
        raise _refusal(name, f"it is larger than {MAX_BYTES // 1024 // 1024} MB")
    if _begins_more(content):
        raise _refusal(name, f"it has more than {MAX_VALUES:,} values")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _refusal(name, "it is not UTF-8") from None
    try:
        found = _parse_text(text, name)
    except (yaml.YAMLError, ValueError) as error:
        raise _refusal(name, f"it is not YAML{_fault(error)}") from None
    except RecursionError:
        raise _refusal(name, "it is nested too deeply") from None
    if _Size().of(found, 0) > MAX_VALUES:
        raise _refusal(
            name,
            f"it has more than {MAX_VALUES:,} values, or is nested more than {MAX_DEPTH} levels "
            "deep",
        )
    copied = _copied(found)
    if not isinstance(copied, dict) and not part:
        raise _refusal(name, "it is not an object")
    return copied


def _fault(error: Exception) -> str:
    """Return the place and kind of a YAML fault, at the problem's mark rather than its
    context's.
    """
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f" ({str(error).partition(chr(10))[0]})"
    about = [
        text for text in (getattr(error, "context", None), getattr(error, "problem", None)) if text
    ]
    return f" at line {mark.line + 1}, column {mark.column + 1} ({', '.join(about)})"


def _begins_more(content: bytes) -> bool:
    """Return whether an unparsed document has more values than the limit, counted by its
    punctuation (JSON) or its lines (YAML).
    """
    if content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] not in (b"{", b"["):
        return len(content) > MAX_VALUES and structure(content) + content.count(b"\n") > MAX_VALUES
    try:
        check_json(content, MAX_VALUES)
    except TooCostly:
        return True
    return False


def _parse_text(text: str, name: str) -> Any:
    if text.lstrip()[:1] not in ("{", "["):
        return _yaml(text)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        try:
            return _yaml(text)  # YAML may begin with a brace too
        except yaml.YAMLError:
            raise _refusal(name, f"it is not JSON ({error})") from None


def _yaml(text: str) -> Any:
    if _overflows(text):
        raise RecursionError
    return yaml.load(text, _Loader)  # noqa: S506 (a subclass of the safe loader)


def composed(content: bytes) -> Any:
    """Return the nodes of a document that ``parsed`` has read, each with its position in the text
    and its spelling.
    """
    return yaml.compose(content.decode("utf-8-sig"), _Loader)


def _overflows(text: str) -> bool:
    """Return whether YAML is nested too deeply for libyaml, whose recursion in C ends the process
    at 30,000 levels.
    """
    left = text.encode().translate(None, _NO_BRACKETS)
    for _ in range(MAX_DEPTH):
        size = len(left)
        left = left.replace(b"[]", b"").replace(b"{}", b"")
        if len(left) == size:
            break
    return len(left) > _MOST_BRACKETS or any(
        found[0].count("-") + found[0].count("?") >= MAX_DEPTH for found in _NESTED.finditer(text)
    )


class _Size:
    """Counter of the values in parsed YAML. Aliases may stand for billions of values, so each
    shared object is counted once.
    """

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def of(self, value: Any, depth: int) -> int:
        """Return the number of values with all aliases expanded; more than the limit if the value
        is too deep or contains itself.
        """
        if not isinstance(value, dict | list):
            return 1
        if depth > MAX_DEPTH:
            return MAX_VALUES + 1
        found = self._known.get(id(value))
        if found is None:
            # while it is counted: a value that contains itself
            self._known[id(value)] = MAX_VALUES + 1
            parts = value.values() if isinstance(value, dict) else value
            found = self._known[id(value)] = 1 + sum(self.of(part, depth + 1) for part in parts)
        return found


def _copied(value: Any) -> Any:
    """Copy parsed values with text as keys, without the non-finite numbers and lone surrogates that
    JSON does not have.
    """
    if isinstance(value, dict):
        return {_key(name): _copied(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_copied(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float) else _text(value)


def _key(name: object) -> str:
    return json.dumps(name) if isinstance(name, bool | None) else _text(name)


def _text(value: object) -> str:
    text = str(value)
    return text if text.isascii() else _HALF.sub("\ufffd", text)


def _refusal(name: str, reason: str) -> InvalidInput:
    return InvalidInput(
        f"'{name[:200]}' cannot be read: {reason}",
        hint="Give an OpenAPI 3.0, 3.1 or Swagger 2.0 document in JSON or YAML.",
    )
