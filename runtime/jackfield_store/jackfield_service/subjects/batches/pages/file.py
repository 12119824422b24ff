"""Rows of a CSV file as inputs of an action: the mapping of columns to inputs, and the faults of
the file itself.
"""

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
from jackfield.kernel.walk import extension, is_secret, nodes
from jackfield.manifest.manifest import ActionManifest
from jackfield_service.shell.pages.layout.form_schema import call_schema

MOST_ROWS = 10_000
"""Maximum number of rows of one file, as of a batch over HTTP."""
MOST_COLUMNS = 100
_DELIMITERS = ",;\t|"
_EQUAL = re.compile(r"[\W_]+")
_TEXTS = frozenset(
    {
        "text",
        "textarea",
        "date",
        "moment",
        "password",
        "masked",
        "choice",
        "boolean",
        "integer",
        "number",
    }
)
"""Kinds of fields whose value is a cell's string: a call reads numbers and booleans from strings
without loss.
"""
_SEVERAL = frozenset({"list", "choices"})
_WORD = re.compile(r"[A-Z]?[^\W_A-Z]+|[A-Z]+(?![a-z])")
_MAIL = frozenset({"email", "emails", "mail", "mails", "recipient", "recipients"})
_BESIDE_MAIL = frozenset(
    {"e", "address", "addresses", "to", "customer", "contact", "user", "person"}
)
"""Words that may accompany 'email' in the name of a recipient column; other words, such as 'from',
give it another meaning.
"""
_MAIL_FORMATS = frozenset({"email", "idn-email", "mailbox", "mailbox-list"})
_ALIKE = (
    {"text", "body", "message", "content"},
    {"subject", "title", "headline"},
    {"phone", "telephone", "mobile", "cell"},
    {"url", "link", "website"},
    {"amount", "price", "total"},
    {"quantity", "count"},
    {"description", "summary", "details"},
)
"""Synonyms in spreadsheets and APIs."""
_IDLE = frozenset({"the", "of", "a", "line", "field", "value", "column"})
"""Words that do not distinguish inputs."""


@dataclass(frozen=True, slots=True)
class Target:
    """An input that a column may fill: its JSON Pointer, its title and the kind of its field. With
    ``takes_text`` it accepts a string unchanged; with ``gets_message`` it has the addresses to
    which the action sends; with ``is_mail`` it is an email address.
    """

    pointer: str
    title: str
    kind: str
    takes_text: bool = False
    is_secret: bool = False
    gets_message: bool = False
    is_mail: bool = False

    def value(self, text: str) -> Any:
        """Read a cell. A cell for other types than strings and lists is JSON; invalid JSON stays a
        string, which the call refuses.
        """
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
class FileRow:
    """A row: its number in the file, as in spreadsheets, and its cells in the order of the
    columns.
    """

    number: int
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Rows:
    """Content of a file: the names of its columns, and its non-blank rows."""

    columns: Sequence[str]
    rows: Sequence[FileRow]


def read_rows(text: str) -> Rows:
    """Read CSV whose first row names the columns. Values are separated by commas, semicolons, tabs
    or bars: by the separator with the most columns in the first row.

    :raises InvalidInvocation: if the text is no table, or too large.
    """
    lines = text.removeprefix("\ufeff")
    head = lines.lstrip("\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=lambda one: len(next(csv.reader([head], delimiter=one), [])))
    try:
        found = [
            FileRow(number, cells)
            for number, cells in enumerate(
                csv.reader(io.StringIO(lines), delimiter=delimiter, strict=True), 1
            )
        ]
    except csv.Error as error:
        raise _invalid(
            f"is not CSV: {error}", "Put values with quotes or line breaks into double quotes."
        ) from None
    found = [row for row in found if any(cell.strip() for cell in row.cells)]
    if len(found) < 2:
        raise _invalid(
            "has no rows below its first one",
            "The first row names the columns, each further row is one call.",
        )
    columns, rows = [cell.strip() for cell in found[0].cells], found[1:]
    if len(rows) > MOST_ROWS or len(columns) > MOST_COLUMNS:
        raise _invalid(
            f"has more than {MOST_ROWS:,} rows or {MOST_COLUMNS} columns",
            "Part it into several files.",
        )
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        raise _invalid(
            f"has two columns named '{twice[:80]}'", "Give each column a name of its own."
        )
    return Rows(columns, rows)


def _invalid(what: str, hint: str) -> InvalidInvocation:
    return InvalidInvocation(f"the file {what}", hint=hint)


def targets(action: ActionManifest) -> list[Target]:
    """Return the inputs that columns may fill: the action's, and the members of objects among them,
    in the form's order; inputs behind 'More fields' come last.
    """
    drawn = call_schema(action)
    return list(_targets(drawn["properties"], action.inputs, action.inputs, "", ""))


def _targets(
    drawn: Mapping[str, Any], root: Mapping[str, Any], schema: Any, path: str, before: str
) -> Iterator[Target]:
    declared = {
        name: given
        for node in nodes(root, schema)
        for name, given in node.get("properties", {}).items()
    }
    for name, member in sorted(
        drawn.items(), key=lambda item: bool(item[1]["options"].get("more"))
    ):
        pointer, title, kind = (
            child(path, name),
            f"{before}{member['title']}",
            member["options"]["kind"],
        )
        if kind == "object":
            yield from _targets(
                member["properties"], root, declared.get(name), pointer, f"{title}: "
            )
            continue
        found = nodes(root, declared.get(name))
        yield Target(
            pointer,
            title,
            kind,
            any(node.get("type") == "string" for node in found),
            any(map(is_secret, found)),
            kind in _TEXTS | _SEVERAL and any(extension(node).get("recipient") for node in found),
            any(node.get("format") in _MAIL_FORMATS for node in found),
        )


def guessed(columns: Sequence[str], known: Sequence[Target]) -> list[str]:
    """Return, for each column, the pointer of the input with the column's name or title; an empty
    string for a column without such an input.
    """
    named: dict[str, str] = {}
    for target in known:
        for name in (target.pointer.removeprefix("/"), target.title):
            named.setdefault(_plain(name), target.pointer)
    return [named.get(_plain(column), "") for column in columns]


def alike(columns: Sequence[str], known: Sequence[Target], sure: Sequence[str]) -> list[str]:
    """Return, for each column without a pointer in ``sure``, the pointer of its probable input;
    empty strings for the others.

    For 'Email' it is the recipient, and for other columns the only input whose name or title has
    the same words, or synonyms. A secret is never guessed.
    """
    found: list[str] = []
    for column, pointer in zip(columns, sure, strict=True):
        free = [
            target
            for target in known
            if target.pointer not in (*sure, *found) and not target.is_secret
        ]
        found.append("" if pointer else _meant(_words(column), known, free))
    return found


def _meant(words: frozenset[str], known: Sequence[Target], free: Sequence[Target]) -> str:
    if words & _MAIL and words <= _MAIL | _BESIDE_MAIL:
        first = [target for target in known if target.gets_message][:1] or [
            target for target in known if target.is_mail
        ]
        # a copy is for others than whom the message goes to
        meant = [target for target in first if target in free]
    else:
        meant = (
            [target for target in free if words in (_words(target.pointer), _words(target.title))]
            if words
            else []
        )
    return meant[0].pointer if len(meant) == 1 else ""


def _words(name: str) -> frozenset[str]:
    """Return the distinguishing words of a name, each as the first of its synonyms."""
    words = {word.casefold() for word in _WORD.findall(name)} - _IDLE
    return frozenset(
        next((min(group) for group in _ALIKE if word in group), word) for word in words
    )


def _plain(name: str) -> str:
    return _EQUAL.sub("", name.casefold())


def row_inputs(
    row: FileRow, columns: Sequence[str], chosen: Sequence[Target | None], usual: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the inputs of a row: the common inputs, overridden by the values of its columns. Empty
    cells are left out.

    :raises InvalidInvocation: if the row has more values than columns.
    """
    if len(row.cells) > len(columns):
        wrong = f"has {len(row.cells)} values for {len(columns)} columns"
        raise InvalidInvocation(
            f"the row {wrong}",
            details=[Detail("", wrong)],
            hint="Put values with separators into double quotes.",
        )
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
