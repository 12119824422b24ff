"""Idempotency keys for the lines of a file: a line whose Result was lost is replayed instead of sent twice."""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jackfield.errors import InvalidInvocation
    from jackfield.runtime import Jackfield

_MOST = 1_000_000
"""Different lines whose occurrences are counted, in about 100 MB. Later ones get no key, and stderr says so."""


class LineKeys:
    """Keys of the lines of one file, asked for in their order.

    A key is a keyed hash of the line, of the connection that an option gives it, and of how many equal lines came before: equal lines all
    run, and the same file has the same keys tomorrow. A line keeps a key of its own.
    """

    def __init__(self, fingerprint: Callable[[Mapping[str, Any]], str], connection: str | None) -> None:
        self._fingerprint = fingerprint
        self._connection = connection
        self._seen: Counter[bytes] = Counter()
        self.ended_at: int | None = None
        """Number of the first line without a key, if there are too many."""

    @classmethod
    def of(cls, jackfield: Jackfield, changes: Mapping[str, Any], *, wanted: bool) -> LineKeys | None:
        """Return the keys for a run with these options; None if none are wanted, there is no journal, or nothing is run.

        :raises JackfieldError: if the journal cannot be opened.
        """
        journal = jackfield.journal if wanted and not changes.get("dryRun") else None
        return None if journal is None else cls(journal.fingerprint, changes.get("connection"))

    def members(self, number: int, content: bytes | InvalidInvocation) -> dict[str, Any]:
        """Return the members of an invocation that has no key of its own."""
        if not isinstance(content, bytes) or self.ended_at is not None:
            return {}
        digest = hashlib.sha256(content.strip()).digest()
        if len(self._seen) >= _MOST and digest not in self._seen:
            self.ended_at = number
            sys.stderr.write(f"jackfield: from line {number:,} on, lines get no idempotency key: {_MOST:,} different ones have one\n")
            return {}
        self._seen[digest] += 1
        named = {"line": digest.hex(), "connection": self._connection, "occurrence": self._seen[digest]}
        return {"idempotencyKey": f"line-{self._fingerprint(named)}"}


def report_replays(count: int, keys: LineKeys | None) -> None:
    """Report on stderr how many lines had run before and were answered from the journal."""
    if count:
        again = "; '--no-line-keys' would run them again" if keys is not None else ""
        say = "1 line was" if count == 1 else f"{count:,} lines were"
        sys.stderr.write(f"jackfield: {say} replayed from the journal, not run again{again}\n")
