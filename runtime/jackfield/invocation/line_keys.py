"""Idempotency keys of invocations in a file, one per line or row. The same file always has the same
keys.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

MOST_KEYS = 1_000_000
"""Maximum number of different lines whose occurrences are counted, in about 100 MB. Further lines
get no key.
"""


class LineKeys:
    """Idempotency keys of the lines of one file, requested in the order of the lines.

    A key is a keyed hash of the line, of the connection chosen for all lines, and of the number of
    equal lines before. So equal lines all run, and the same file always has the same keys.

    :param fingerprint: the journal's keyed hash.
    """

    def __init__(
        self, fingerprint: Callable[[Mapping[str, Any]], str], connection: str | None = None
    ) -> None:
        self._fingerprint = fingerprint
        self._connection = connection
        self._seen: Counter[bytes] = Counter()
        self.ended_at: int | None = None
        """Number of the first line without a key, if there are too many."""

    def members(self, number: int, content: bytes) -> dict[str, Any]:
        """Return the members that give a key to an invocation without one."""
        if self.ended_at is not None:
            return {}
        digest = hashlib.sha256(content.strip()).digest()
        if len(self._seen) >= MOST_KEYS and digest not in self._seen:
            self.ended_at = number
            return {}
        self._seen[digest] += 1
        named = {
            "line": digest.hex(),
            "connection": self._connection,
            "occurrence": self._seen[digest],
        }
        return {"idempotencyKey": f"line-{self._fingerprint(named)}"}
