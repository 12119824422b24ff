"""What is wrong with a value by itself: its type, its allowed values, its limits, its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.errors import Detail, nearest
from jackfield.schema.formats import FORMATS
from jackfield.schema.kinds import TYPES, kind_of, type_words, value_word
from jackfield.schema.known import types_of
from jackfield.schema.pointer import MAX_NAME, cut, shown
from jackfield.schema.sameness import is_multiple, is_same
from jackfield.schema.wording import count, either, one_of, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from jackfield.schema.case import Case, Rule
    from jackfield.schema.kinds import Json

__all__ = ["SCALAR_RULES", "lengths"]

MAX_PATTERN = 200
"""The longest pattern that a message shows whole."""


def is_type(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``type``."""
    if "type" not in node:
        return
    types, kind = types_of(node), kind_of(value)
    if any(kind in TYPES[name] for name in types):
        return
    text = case.shown_value(value, path)
    actual = f", not {text}" if kind == "fraction" and "integer" in types and text else f", not {value_word(value)}"
    if kind == "fraction" and "integer" in types and not text:
        actual = ""
    yield Detail(shown(path), f"must be {either(type_words(types))}{actual}", "type")


def is_allowed(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``enum``."""
    allowed = node["enum"]
    if any(is_same(value, item) for item in allowed):
        return
    text = case.shown_value(value, path)
    if text is None:
        yield Detail(shown(path), f"must be {'' if len(allowed) == 1 else 'one of '}{one_of(allowed)}", "enum")
        return
    near = None
    if isinstance(value, str) and len(value) <= MAX_NAME:
        near = nearest(value, [item for item in allowed if isinstance(item, str)])
    hint = f"; did you mean {quote(near)}?" if near is not None else ""
    choice = "" if len(allowed) == 1 else "one of "
    yield Detail(shown(path), f"{text} is not {choice}{one_of(allowed)}{hint}", "enum")


def is_constant(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``const``."""
    if not is_same(value, node["const"]):
        text = case.shown_value(value, path)
        yield Detail(shown(path), f"must be {quote(node['const'])}{f', not {text}' if text else ''}", "const")


def _limit(keyword: str, breaks: Callable[[Json, Json], bool], words: str) -> Rule:
    def rule(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
        if kind_of(value) in TYPES["number"] and breaks(value, node[keyword]):
            text = case.shown_value(value, path)
            yield Detail(shown(path), f"must be {words} {quote(node[keyword])}{f', not {text}' if text else ''}", keyword)

    return rule


def lengths(keyword: str, kind: str, noun: str, words: str, adjective: str = "") -> Rule:
    """The rule for one of the six keywords that limit how long something is."""
    at_most = keyword.startswith("max")
    most = "at most" if at_most else "at least"

    def rule(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
        if kind_of(value) != kind:
            return
        limit, actual = node[keyword], len(value)
        if actual <= limit if at_most else actual >= limit:
            return
        if not actual and limit == 1:
            yield Detail(shown(path), "must not be empty", keyword)
            return
        tail = "" if case.is_secret(path) else f", not {actual}"
        yield Detail(shown(path), f"must {words} {most} {count(limit, noun)}{adjective}{tail}", keyword)

    return rule


def has_pattern(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``pattern``, in the author's words (``x-jackfield.expects``) where there are any."""
    pattern = node["pattern"]
    if kind_of(value) != "string" or case.known.matches(pattern, value):
        return
    expects = node.get("x-jackfield", {}).get("expects")
    text = case.shown_value(value, path)
    phrase = f"is not {expects}" if expects else f"does not match the pattern {quote_pattern(pattern)}"
    yield Detail(shown(path), f"{text} {phrase}" if text else phrase, "pattern")


def quote_pattern(pattern: str) -> str:
    """The pattern in quotes; it is the author's and shown whole where it is not very long."""
    return f"'{cut(pattern, MAX_PATTERN)}'"


def has_format(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``format``, where it is one of ours."""
    judged = FORMATS.get(node["format"])
    fault = judged.fault(value) if judged is not None and isinstance(value, str) else None
    if judged is None or fault is None:
        return
    text = case.shown_value(value, path)
    if case.is_secret(path):
        fault = f"is not {judged.noun}"
    yield Detail(shown(path), f"{text} {fault}" if text else fault, "format")


def is_step(case: Case, node: Mapping[str, Json], value: Json, path: str) -> Iterator[Detail]:
    """``multipleOf``."""
    step = node["multipleOf"]
    if kind_of(value) in TYPES["number"] and not is_multiple(value, step):
        text = case.shown_value(value, path)
        yield Detail(shown(path), f"must be a multiple of {quote(step)}{f', not {text}' if text else ''}", "multipleOf")


SCALAR_RULES: Mapping[str, Rule] = {
    "type": is_type,
    "enum": is_allowed,
    "const": is_constant,
    "minimum": _limit("minimum", lambda value, limit: value < limit, "at least"),
    "maximum": _limit("maximum", lambda value, limit: value > limit, "at most"),
    "exclusiveMinimum": _limit("exclusiveMinimum", lambda value, limit: value <= limit, "above"),
    "exclusiveMaximum": _limit("exclusiveMaximum", lambda value, limit: value >= limit, "below"),
    "multipleOf": is_step,
    "minLength": lengths("minLength", "string", "character", "be", " long"),
    "maxLength": lengths("maxLength", "string", "character", "be", " long"),
    "pattern": has_pattern,
    "format": has_format,
}
"""Each keyword and its rule; ``type`` is asked first."""
