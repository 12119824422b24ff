"""Statements and their rows, equal for all dialects: named parameters ``:name``, scripts as
statements, columns as attributes.

Quotes, comments and ``::casts`` are not translated. Comments do not nest, as in SQLite.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

_OPAQUE = r"""
    (?<![A-Za-z0-9_])[eE]'(?:[^'\\]|''|\\.)*'   # E'it\'s', PostgreSQL's
  | '(?:[^']|'')*'
  | "(?:[^"]|"")*"
  | --[^\n]*
  | /\*.*?\*/
  | \$(?P<tag>(?:[A-Za-z_][A-Za-z0-9_]*)?)\$.*?\$(?P=tag)\$
  | ::
"""
_PARAMETER = re.compile(
    _OPAQUE + r"| (?<![A-Za-z0-9_:]):(?P<name>[A-Za-z_][A-Za-z0-9_]*)", re.VERBOSE | re.DOTALL
)
_BODY = r"| ^BEGIN\n.*?^END(?=;)  # of a trigger, each word on a line of its own"
_END = re.compile(_OPAQUE + _BODY + "\n| (?P<end>;)", re.VERBOSE | re.DOTALL | re.MULTILINE)


@lru_cache(maxsize=1024)
def translated(sql: str) -> bytes:
    """Translate ``sql`` for psycopg: ``%(name)s`` for ``:name``, and every other ``%`` doubled."""
    parts: list[str] = []
    begin = 0
    for found in _PARAMETER.finditer(sql):
        if found["name"] is not None:
            parts += [sql[begin : found.start()].replace("%", "%%"), f"%({found['name']})s"]
            begin = found.end()
    parts.append(sql[begin:].replace("%", "%%"))
    return "".join(parts).encode()


@lru_cache(maxsize=64)
def positional(sql: str) -> tuple[str, Callable[[Mapping[str, Any]], Any]]:
    """Translate ``sql`` to ``?`` for ``:name``, and return it with a function that makes the tuple
    of a row's parameters.

    Positional parameters are faster: sqlite3 looks up each named parameter of each row in its
    statement.
    """
    names = [found["name"] for found in _PARAMETER.finditer(sql) if found["name"] is not None]
    text = _PARAMETER.sub(lambda found: found[0] if found["name"] is None else "?", sql)
    return text, itemgetter(*names) if len(names) > 1 else lambda row: tuple(
        [row[name] for name in names]
    )


def split(script: str) -> Iterator[str]:
    """Yield the statements of ``script`` without their semicolons, skipping pieces without a
    statement.
    """
    begin = 0
    for found in _END.finditer(script):
        if found["end"] is not None:
            yield from _statement(script[begin : found.start()])
            begin = found.end()
    yield from _statement(script[begin:])


def _statement(piece: str) -> Iterator[str]:
    if without_comments(piece):
        yield piece.strip()


def without_comments(piece: str) -> str:
    """Return a statement without its comments, and without spaces around it."""
    return re.sub(r"--[^\n]*|/\*.*?\*/", "", piece, flags=re.DOTALL).strip()


class Row(tuple[Any, ...]):
    """One row: a tuple whose columns are attributes too (``row.name``).

    Text is ``str``, blobs are ``bytes``, booleans are ``int`` 0 or 1, times are ``float`` seconds
    since 1970 (UTC), NULL is ``None``. Rename a column in the statement if its name is a Python
    keyword or a method of tuples (``count``, ``index``).
    """

    __slots__ = ()
    _columns: ClassVar[tuple[str, ...]] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return values by column name."""
        return dict(zip(self._columns, self, strict=True))

    if TYPE_CHECKING:

        def __getattr__(self, column: str) -> Any: ...


@lru_cache(maxsize=1024)
def _row_type(columns: tuple[str, ...]) -> type[Row]:
    members: dict[str, Any] = {
        name: property(itemgetter(place)) for place, name in enumerate(columns)
    }
    return type("Row", (Row,), {**members, "__slots__": (), "_columns": columns})


def rows_from(description: Sequence[Any] | None, tuples: Iterable[tuple[Any, ...]]) -> list[Row]:
    """Return the rows of a cursor (PEP 249); an empty list if the statement returns no rows."""
    if not description:
        return []
    kind = _row_type(tuple([column[0] for column in description]))
    return [kind(values) for values in tuples]


HOLD = "hold"
"""Name of the row that holds the queue (``hold``)."""
NOT_HELD = f"NOT EXISTS (SELECT 1 FROM dispatchers WHERE name = '{HOLD}')"


def without(workspaces: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Return a condition to append to the conditions for due rows, and its parameters. It excludes
    workspaces, and all rows while the queue is held.
    """
    if not workspaces:
        return f" AND {NOT_HELD}", {}
    values = {f"left_out_{place}": name for place, name in enumerate(workspaces)}
    return (
        f" AND workspace NOT IN ({', '.join(f':{name}' for name in values)}) AND {NOT_HELD}",
        values,
    )
