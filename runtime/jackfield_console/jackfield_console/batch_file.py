"""Rows of a CSV file as inputs of an action: which column goes to which input, and what is wrong with the file itself."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from jackfield.invocation import decode
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.errors import Detail, InvalidInvocation
from jackfield.kernel.pointers import child, names
from jackfield.kernel.walk import is_secret, nodes
from jackfield.manifest.manifest import ActionManifest
from jackfield_console.form_schema import form_schema

MOST_ROWS = 10_000
"""Limit of the rows of one file, as of a batch over HTTP."""
MOST_COLUMNS = 100
_DELIMITERS = ",;\t|"
_EQUAL = re.compile(r"[\W_]+")
_TEXTS = frozenset({"text", "textarea", "password", "choice", "boolean", "integer", "number"})
"""Kinds of fields whose value is the text of a cell: a call reads numbers and booleans from texts without loss."""
_SEVERAL = frozenset({"list", "choices"})


@dataclass(frozen=True, slots=True)
class Target:
    """An input that a column may fill: its JSON Pointer, its title and the kind of its field. ``takes_text`` tells whether it takes a text as
    it is."""

    pointer: str
    title: str
    kind: str
    takes_text: bool = False
    is_secret: bool = False

    def value(self, text: str) -> Any:
        """Read a cell. What is neither a text nor a list is JSON; a text that is no JSON stays one, and the call refuses it."""
        if self.kind in _TEXTS or (self.takes_text and not text.lstrip().startswith(("{", "["))):
            return text
        if self.kind in _SEVERAL and not text.lstrip().startswith("["):
            separator = ";" if ";" in text else ","
            return [item.strip() for item in text.split(separator) if item.strip()]
        try:
            return decode(text)
        except InvalidInvocation:
            return text


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its number in the file, as spreadsheets count, and its values by column."""

    number: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Rows:
    """Content of a file: the names of its columns, and its rows without those that are blank."""

    columns: Sequence[str]
    rows: Sequence[Row]


def read_rows(text: str) -> Rows:
    """Read CSV whose first row names the columns; values are separated by commas, semicolons, tabs or bars, as the first row shows.

    :raises InvalidInvocation: if it is none, or has too much.
    """
    lines = text.removeprefix("\ufeff")
    head = lines.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))
    try:
        found = [Row(number, cells) for number, cells in enumerate(csv.reader(io.StringIO(lines), delimiter=delimiter, strict=True), 1)]
    except csv.Error as error:
        raise _invalid(f"is not CSV: {error}", "Put values with quotes or line breaks into double quotes.") from None
    found = [row for row in found if any(cell.strip() for cell in row.cells)]
    if len(found) < 2:
        raise _invalid("has no rows below its first one", "The first row names the columns, each further row is one call.")
    columns, rows = [cell.strip() for cell in found[0].cells], found[1:]
    if len(rows) > MOST_ROWS or len(columns) > MOST_COLUMNS:
        raise _invalid(f"has more than {MOST_ROWS:,} rows or {MOST_COLUMNS} columns", "Part it into several files.")
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise _invalid(f"has two columns named '{twice[:80]}'", "Give each column a name of its own.")
    return Rows(columns, rows)


def _invalid(what: str, hint: str) -> InvalidInvocation:
    return InvalidInvocation(f"the file {what}", hint=hint)


def targets(action: ActionManifest) -> list[Target]:
    """Return the inputs that columns may fill: those of the action, and the members of objects among them."""
    drawn = form_schema(action.inputs)
    return list(_targets(drawn["properties"], action.inputs, action.inputs, "", ""))


def _targets(drawn: Mapping[str, Any], root: Mapping[str, Any], schema: Any, path: str, before: str) -> Iterator[Target]:
    declared = {name: given for node in nodes(root, schema) for name, given in node.get("properties", {}).items()}
    for name, member in drawn.items():
        pointer, title, kind = child(path, name), f"{before}{member['title']}", member["options"]["kind"]
        if kind == "object":
            yield from _targets(member["properties"], root, declared.get(name), pointer, f"{title}: ")
            continue
        found = nodes(root, declared.get(name))
        yield Target(pointer, title, kind, any(node.get("type") == "string" for node in found), any(map(is_secret, found)))


def guessed(columns: Sequence[str], known: Sequence[Target]) -> list[str]:
    """Return the pointer of the input to which each column goes that has its name or title; empty texts for the others."""
    named: dict[str, str] = {}
    for target in known:
        for name in (target.pointer.removeprefix("/"), target.title):
            named.setdefault(_plain(name), target.pointer)
    return [named.get(_plain(column), "") for column in columns]


def _plain(name: str) -> str:
    return _EQUAL.sub("", name.casefold())


def row_inputs(row: Row, columns: Sequence[str], chosen: Sequence[Target | None], usual: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a row: those of all rows, and over them the values of its columns. Empty cells are left out.

    :raises InvalidInvocation: if it has more values than there are columns.
    """
    if len(row.cells) > len(columns):
        wrong = f"has {len(row.cells)} values for {len(columns)} columns"
        raise InvalidInvocation(f"the row {wrong}", details=[Detail("", wrong)], hint="Put values with separators into double quotes.")
    inputs = deepcopy(dict(usual))
    for cell, target in zip(row.cells, chosen, strict=False):
        if target is None or not cell.strip():
            continue
        *above, last = names(target.pointer)
        place = inputs
        for name in above:
            place = place.setdefault(name, {})
            if not isinstance(place, dict):
                break
        if isinstance(place, dict):
            place[last] = target.value(cell)
    return inputs
