"""Named parameters ``:name`` for every dialect, and splitting of scripts into statements.

Quotes, comments and ``::casts`` are left alone. Comments do not nest, as in SQLite.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

__all__ = ["split", "translated"]

_OPAQUE = r"""
    (?<![A-Za-z0-9_])[eE]'(?:[^'\\]|''|\\.)*'   # E'it\'s', PostgreSQL's
  | '(?:[^']|'')*'
  | "(?:[^"]|"")*"
  | --[^\n]*
  | /\*.*?\*/
  | \$(?P<tag>(?:[A-Za-z_][A-Za-z0-9_]*)?)\$.*?\$(?P=tag)\$
  | ::
"""
_PARAMETER = re.compile(_OPAQUE + r"| (?<![A-Za-z0-9_:]):(?P<name>[A-Za-z_][A-Za-z0-9_]*)", re.VERBOSE | re.DOTALL)
_END = re.compile(_OPAQUE + r"| (?P<end>;)", re.VERBOSE | re.DOTALL)


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


def split(script: str) -> Iterator[str]:
    """Yield the statements of ``script`` without their semicolons, skipping pieces without a statement."""
    begin = 0
    for found in _END.finditer(script):
        if found["end"] is not None:
            yield from _statement(script[begin : found.start()])
            begin = found.end()
    yield from _statement(script[begin:])


def _statement(piece: str) -> Iterator[str]:
    if _code(piece):
        yield piece.strip()


def _code(piece: str) -> str:
    return re.sub(r"--[^\n]*|/\*.*?\*/", "", piece, flags=re.DOTALL).strip()
