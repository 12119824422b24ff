"""Checks of reading statements: a read-only transaction protects tables, and keywords reveal other
changes.

Keywords are found by the server's lexical rules (MariaDB's documentation, "Comment Syntax",
"Identifier Names"). The ``sql_mode`` of each session makes a backslash an escape, and double quotes
strings.
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
    """Check that a statement begins with a reading keyword and writes no file.

    :raises Rejected: otherwise; nothing was sent.
    """
    words = _words(statement)
    first = words[0] if words else ""
    if first not in _READS:
        raise not_reading(f"it begins with {first[:50] or 'nothing'}")
    if not _FILES.isdisjoint(words):
        raise not_reading("INTO OUTFILE and INTO DUMPFILE write a file on the server")


def check_stays(statement: str) -> None:
    """Check that a statement does not select another database, which the session's next call would
    use.

    :raises Rejected: otherwise; nothing was sent.
    """
    if _words(statement)[:1] == [_DATABASE]:
        raise not_reading(
            "USE would choose a database for other calls. Write database.table instead"
        )


def _words(statement: str) -> list[str]:
    """Return the words outside strings, quoted names and comments, in capitals.

    :raises Rejected: for a comment that the server executes.
    """
    found: list[str] = []
    for token in _TOKEN.finditer(statement):
        if token["run"]:
            raise not_reading("it has a comment that the server executes")
        if token["word"]:
            found.append(token["word"].upper())
    return found
