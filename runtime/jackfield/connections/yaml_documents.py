"""Parser of YAML documents, limited to JSON's types. The events are checked as a flat sequence
before any object is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

import yaml

from jackfield.connections.document_limits import (
    MAX_DEPTH,
    MAX_DOCUMENTS,
    MAX_VALUES,
    DocumentError,
    Repeated,
)
from jackfield.kernel.dataclass import dataclass, field

_ASTERISKS = re.compile(r"(?:^|[\s:,\[{-])\*{2,}(?:$|[\s,\]}])")
_MERGE = "tag:yaml.org,2002:merge"
_MAP = "tag:yaml.org,2002:map"
_INT = "tag:yaml.org,2002:int"
_TEXT = "tag:yaml.org,2002:str"
_TWICE = "jackfield_twice"
"""Attribute of a node that records its duplicate keys."""
_NOT_JSON = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("binary", "omap", "pairs", "set", "timestamp")
)
"""YAML types without a counterpart in JSON; an untagged date is a string."""
_BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
_NUMBERS = "-+0123456789"
_SCALARS = (
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", [*_NUMBERS]),
    (
        "float",
        (
            r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"
            r"|[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"
        ),
        [*_NUMBERS, "."],
    ),
    ("merge", r"<<", ["<"]),
)
"""Plain scalars of the core schema (YAML 1.2.2, section 10.3.2) with the characters that they begin
with, and the merge key of YAML 1.1. ``no``, ``12:30`` and ``1_000`` are text.
"""
_CORE: dict[str, list[tuple[str, Any]]] = {
    first: [
        (f"tag:yaml.org,2002:{kind}", re.compile(f"(?:{pattern})\\Z"))
        for kind, pattern, begins in _SCALARS
        if first in begins
    ]
    for first in sorted({first for _, _, begins in _SCALARS for first in begins})
}


def yaml_documents(text: str, line: int = 0, before: int = 0) -> Iterator[tuple[Any, bool]]:
    """Yield each document that is not empty, and whether it contains a ``Repeated``. ``line`` lines
    and ``before`` values of the file precede the text.

    :raises DocumentError: if the text is not YAML or exceeds a limit, or an alias refers to a node
        that contains it.
    """
    try:
        _check(yaml.parse(text, Loader=_BASE), line, before)
        loader = _Loader(text)
        loader.line = line
        while loader.check_data():
            loader.repeats = False
            document = loader.get_data()
            if document is not None:
                yield document, loader.repeats
    except yaml.MarkedYAMLError as error:
        where = f" {_at(error.problem_mark, line)}" if error.problem_mark else ""
        # For a duplicate anchor, the context describes the fault.
        what = (
            str(error.context).partition(";")[0]
            if error.problem == "second occurrence"
            else error.problem
        )
        if _is_placeholder(error, text):
            what = "a placeholder of asterisks is in place of the value"
        raise DocumentError(f"it is not YAML: {what}{where}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, DocumentError):
            raise
        raise DocumentError(f"it is not YAML: {str(error)[:200]}") from None


def _is_placeholder(error: yaml.MarkedYAMLError, text: str) -> bool:
    """Return whether an unreadable alias is the placeholder ``*****`` of documentation."""
    mark = error.problem_mark
    if mark is None or "alias" not in str(error.context):
        return False
    lines = text.splitlines()
    return mark.line < len(lines) and _ASTERISKS.search(lines[mark.line]) is not None


def _at(mark: Any, line: int = 0) -> str:
    return f"at line {line + mark.line + 1}, column {mark.column + 1}"


@dataclass(slots=True)
class _Open:
    """Mapping or list whose end has not been read, and its number of nodes so far; in a mapping,
    keys and values alternate.
    """

    is_mapping: bool
    anchor: str | None
    nodes: int = 0


@dataclass(slots=True)
class _Outline:
    """Counts over the events before anything is built. libyaml's composer recurses in C, so deep
    nesting would crash the process.
    """

    values: int
    line: int
    open: list[_Open] = field(default_factory=list)

    def start(self, event: Any, *, is_mapping: bool) -> None:
        self.node()
        if len(self.open) == MAX_DEPTH:
            raise DocumentError(f"it is nested deeper than {MAX_DEPTH} levels")
        self.open.append(_Open(is_mapping, event.anchor))

    def alias(self, event: Any) -> None:
        self.node()
        if any(item.anchor == event.anchor for item in self.open):
            raise DocumentError(
                f"the alias '*{event.anchor[:80]}' refers to its own container, "
                f"{_at(event.start_mark, self.line)}"
            )

    def node(self) -> None:
        """Count a node unless it is a key."""
        if self.open:
            inner = self.open[-1]
            inner.nodes += 1
            if inner.is_mapping and inner.nodes % 2:
                return
        self.values += 1
        if self.values > MAX_VALUES:
            raise DocumentError(f"it has more than {MAX_VALUES:,} values")


def _check(events: Iterable[Any], line: int, before: int) -> None:
    outline, documents = _Outline(before, line), 0
    for event in events:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            outline.node()
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            outline.start(event, is_mapping=kind is yaml.MappingStartEvent)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            outline.open.pop()
        elif kind is yaml.AliasEvent:
            outline.alias(event)
        elif kind is yaml.DocumentStartEvent:
            documents += 1
            if documents > MAX_DOCUMENTS:
                raise DocumentError(f"it has more than {MAX_DOCUMENTS:,} documents")


class _Loader(_BASE):  # type: ignore[misc]
    """Safe loader restricted to JSON: keys and dates are strings. A mapping with a duplicate key
    becomes a ``Repeated``.
    """

    yaml_constructors: ClassVar[dict[str, Any]] = {
        tag: made for tag, made in _BASE.yaml_constructors.items() if tag not in _NOT_JSON
    }
    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = _CORE
    repeats = False
    line = 0

    def construct_yaml_int(self, node: Any) -> int:
        text: str = self.construct_scalar(node)
        if _LEADING_ZERO.fullmatch(text):  # a phone number, or an octal number of YAML 1.1
            raise DocumentError(
                f"'{text[:80]}' would lose its zeros as a number {_at(node.start_mark, self.line)}: "
                "put it in quotes"
            )
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))

    def construct_yaml_map(self, node: Any) -> Iterator[Any]:
        twice = self._keys(node)
        self.repeats |= bool(twice)
        made = Repeated(twice) if twice else {}
        yield made
        made.update(self.construct_mapping(node))

    def flatten_mapping(self, node: Any) -> None:
        # a merged mapping may be flattened before it is built; by then its own keys may include
        # those that it merges
        self._keys(node)
        super().flatten_mapping(node)
        if len(node.value) > MAX_VALUES:  # nested merges expand while they are read
            raise DocumentError(f"it expands to more than {MAX_VALUES:,} values (merges)")

    def _keys(self, node: Any) -> dict[str, str]:
        """Convert the mapping's keys to strings; return the duplicate keys, each with a sentence
        about the second occurrence.
        """
        if not isinstance(node, yaml.MappingNode):
            return {}
        known: dict[str, str] | None = getattr(node, _TWICE, None)
        if known is None:
            known, seen = {}, set()
            for key, _ in node.value:
                if isinstance(key.value, str) and key.tag != _MERGE:
                    if key.value in seen:
                        known.setdefault(
                            key.value,
                            f"the key '{key.value[:80]}' occurs twice "
                            f"{_at(key.start_mark, self.line)}",
                        )
                    seen.add(key.value)
                    key.tag = _TEXT
            setattr(node, _TWICE, known)
        return known


_Loader.yaml_constructors[_MAP] = _Loader.construct_yaml_map
_Loader.yaml_constructors[_INT] = _Loader.construct_yaml_int
