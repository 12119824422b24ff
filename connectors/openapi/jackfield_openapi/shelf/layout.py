"""Layout of a shelf's files: lines of at most 140 characters, one line per member that has members,
and folded long strings.

The layout never changes a file's content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from jackfield.connector import InvalidInput
from jackfield_openapi.reading import composed, parsed

LONGEST = 140
"""Maximum number of characters of a line. A word of an address or of a pattern cannot be folded."""
SCHEMA = "# yaml-language-server: $schema=../service.schema.json"
"""First line of a file, by which editors complete and validate it."""
_TEXT = "tag:yaml.org,2002:str"
_STEP = 2
_GAP = re.compile(r"(?<=[^ ]) (?=[^ ])")
"""Regular expression of a space at which a folded text may be broken."""
_LEADING = re.compile(r"^[ \t]|[ \t]$", re.MULTILINE)
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*$")


def formatted(content: bytes, name: str) -> bytes:
    """Return a file in the layout of the shelf. The operation is idempotent.

    :raises InvalidInput: if the file is not valid, or uses an anchor more than once.
    """
    before = parsed(content, name)
    text = content.decode("utf-8-sig")
    root = composed(content)
    writer = _Writer(name, text, root)
    made = writer.written(root).encode()
    if parsed(made, name) != before:
        raise InvalidInput(
            f"'{name}' cannot be formatted: it would say something else",
            hint="Report this, with the file.",
        )
    return made


class _Writer:
    """Writer of a file's lines. Comments go above the member that begins or ends on their line."""

    def __init__(self, name: str, text: str, root: Any) -> None:
        self._lines: list[str] = []
        nodes = [*_nodes(root)]
        if len({*map(id, nodes)}) < len(nodes):
            raise InvalidInput(
                f"'{name}' has an anchor that is used again",
                hint="Write the part out where it is used.",
            )
        self._comments = [*_comments(text, nodes)]

    def written(self, root: Any) -> str:
        """Return the lines of a document as one string."""
        self._members(root, 0)
        self._flush(1 << 30, 0)
        return "\n".join([SCHEMA, *(line for line in self._lines if line != SCHEMA)]) + "\n"

    def _flush(self, line: int, indent: int) -> None:
        while self._comments and self._comments[0][0] <= line:
            self._lines.append(f"{' ' * indent}{self._comments.pop(0)[1]}")

    def _members(self, node: Any, indent: int, lead: str = "") -> None:
        """Write the members of a mapping, or the items of a sequence, one per line; ``lead``
        precedes the first.
        """
        is_list = node.id == "sequence"
        for key, value in [(None, item) for item in node.value] if is_list else node.value:
            self._flush((value if key is None else key).start_mark.line, indent)
            start = f"{lead or ' ' * indent}{'-' if key is None else f'{_scalar(key)}:'}"
            lead = ""
            self._value(value, start, indent)

    def _value(self, node: Any, start: str, indent: int) -> None:
        inline = _inline(node)
        if inline is not None and len(start) + 1 + len(inline) <= LONGEST:
            self._flush(node.end_mark.line, indent)
            self._lines.append(f"{start} {inline}")
        elif node.id == "scalar":
            self._lines += _folded(node, start, indent + _STEP)
        elif start.endswith("-") and node.id == "mapping":
            self._members(node, indent + _STEP, f"{start} ")
        else:
            self._lines.append(start)
            self._members(node, indent + _STEP)


def _comments(text: str, nodes: list[Any]) -> Iterator[tuple[int, str]]:
    """Yield the comments of a document, each with its line number."""
    taken: dict[int, list[tuple[int, int]]] = {}
    for node in (one for one in nodes if one.id == "scalar"):
        first, last = node.start_mark, node.end_mark
        for line in range(first.line, last.line + 1):
            begin = first.column if line == first.line else 0
            taken.setdefault(line, []).append(
                (begin, last.column if line == last.line else 1 << 30)
            )
    for number, row in enumerate(text.splitlines()):
        for found in _COMMENT.finditer(row):
            if not any(begin <= found.start() < end for begin, end in taken.get(number, ())):
                yield number, found[0].rstrip()
                break


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    for one in () if node.id == "scalar" else node.value:
        for part in one if isinstance(one, tuple) else (one,):
            yield from _nodes(part)


def _inline(node: Any) -> str | None:
    """Return a node on one line; None for a node that needs several lines."""
    if node.id == "scalar":
        return None if "\n" in node.value else _scalar(node)
    if node.value and (node.flow_style is False or _is_wide(node)):
        return None
    parts = []
    for one in node.value:
        value = _inline(one[1] if isinstance(one, tuple) else one)
        if value is None:
            return None
        parts.append(f"{_scalar(one[0])}: {value}" if isinstance(one, tuple) else value)
    return f"{{{', '.join(parts)}}}" if node.id == "mapping" else f"[{', '.join(parts)}]"


def _is_wide(node: Any) -> bool:
    """Return whether several members or items of a node are mappings that are not empty."""
    values = [one[1] if isinstance(one, tuple) else one for one in node.value]
    return sum(1 for one in values if one.id == "mapping" and one.value) > 1


def _scalar(node: Any) -> str:
    """Return a scalar on one line: unquoted if possible, else in single quotes if printable, else
    in double quotes.
    """
    value: str = node.value
    if not node.style and value and "\n" not in value:
        return value
    if node.tag != _TEXT:
        return value or "null"
    if value.isprintable():
        quoted = value.replace("'", "''")
        return f"'{quoted}'"
    return json.dumps(value, ensure_ascii=False)


def _folded(node: Any, start: str, indent: int) -> list[str]:
    """Return the lines of a text that has several lines, or is too long for one: literal where its
    own lines fit, else folded.
    """
    value: str = node.value
    body, margin = value.rstrip("\n"), " " * indent
    ends = len(value) - len(body)
    chomp = "-" if not ends else "" if ends == 1 and body else "+"
    rows = body.split("\n")
    is_plain = bool(body) and all(row.isprintable() for row in rows) and node.tag == _TEXT
    if (
        is_plain
        and "\n" in value
        and not rows[0].startswith(" ")
        and all(len(row) + indent <= LONGEST for row in rows)
    ):
        return [
            f"{start} |{chomp}",
            *(f"{margin}{row}" if row else "" for row in rows),
            *[""] * (ends - 1),
        ]
    if not is_plain or _LEADING.search(body):
        return [
            (
                f"{start} "
                f"{json.dumps(value, ensure_ascii=False) if not value.isprintable() else _scalar(node)}"
            )
        ]
    lines: list[str] = []
    for number, row in enumerate(rows):
        lines += [""] if number else []  # in a folded text, a line break is an empty line
        lines += [f"{margin}{part}" for part in _broken(row, LONGEST - indent)] if row else []
    return [f"{start} >{chomp}", *lines, *[""] * (ends - 1)]


def _broken(text: str, most: int) -> Iterator[str]:
    """Yield a text in pieces of at most ``most`` characters, broken at single spaces."""
    line = ""
    for word in _GAP.split(text):
        if line and len(line) + 1 + len(word) > most:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    yield line
