"""Statements that read. A read-only transaction keeps tables from changing; other changes are refused by the statement's words.

A word is read as the server does (MariaDB's documentation, "Comment Syntax", "Identifier Names"); statements are sent with a ``sql_mode``
in which a backslash escapes and double quotes are strings.
"""

from __future__ import annotations

import re

from jackfield_mysql.faults import not_reading

_TOKEN = re.compile(
    r"(?P<run>/\*M?!)|/\*.*?(?:\*/|\Z)|--(?=[\s\x00-\x1f]|\Z)[^\n]*|\#[^\n]*|'(?:[^'\\]|\\.|'')*'?|\"(?:[^\"\\]|\\.|\"\")*\"?|`[^`]*`?"
    r"|(?P<word>[A-Za-z_$\x80-\U0010ffff][\w$]*)|\s+|.",
    re.DOTALL,
)
_READS = frozenset({"SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN", "VALUES", "TABLE"})
_FILES = frozenset({"OUTFILE", "DUMPFILE"})
_DATABASE = "USE"


def check_reads(statement: str) -> None:
    """Check that a statement begins like a reading statement, and writes no file.

    :raises Rejected: otherwise; nothing was sent.
    """
    words = _words(statement)
    first = words[0] if words else ""
    if first not in _READS:
        raise not_reading(f"it begins with {first[:50] or 'nothing'}")
    if not _FILES.isdisjoint(words):
        raise not_reading("INTO OUTFILE and INTO DUMPFILE write a file on the server")


def check_stays(statement: str) -> None:
    """Check that a statement does not choose another database: the next call over the connection would use it.

    :raises Rejected: otherwise; nothing was sent.
    """
    if _words(statement)[:1] == [_DATABASE]:
        raise not_reading("USE would choose a database for other calls. Write database.table instead")


def _words(statement: str) -> list[str]:
    """Return the words outside of strings, quoted names and comments, in capitals.

    :raises Rejected: for a comment that the server executes.
    """
    found: list[str] = []
    for token in _TOKEN.finditer(statement):
        if token["run"]:
            raise not_reading("it has a comment that the server executes")
        if token["word"]:
            found.append(token["word"].upper())
    return found
