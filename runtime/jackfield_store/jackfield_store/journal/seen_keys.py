"""Idempotency keys that this process has seen. An unseen key is most likely held by no call, so the
call begins without a query.
"""

from __future__ import annotations

import math
from collections import OrderedDict

from jackfield.kernel.clock import monotonic
from jackfield_store.database import Database

_MOST = 16_384
"""Maximum number of remembered keys, of all workspaces. A forgotten key costs a failed begin, and
then a query.
"""
_WARY = 1.0
"""Seconds for which each key is queried before its call begins, after an unseen key was held.
Others are then probably repeats, too, as after a restart; and a failed begin makes all others of
its commit run again, each by itself.
"""


class SeenKeys:
    """Keys of one process on one database, as hashes: a collision costs a query."""

    def __init__(self) -> None:
        self._seen: OrderedDict[int, None] = OrderedDict()
        self._wary_until = -math.inf

    @classmethod
    def of(cls, database: Database) -> SeenKeys:
        """Return the keys of a database."""
        return database.attached(cls, cls)

    def close(self) -> None:
        """Do nothing: keys hold no resource."""

    def add(self, workspace: str, space: str, key: str) -> bool:
        """Remember a key of a space; return True if its call may begin without a query for it."""
        number, seen = hash((workspace, space, key)), self._seen
        if number in seen:
            return False
        seen[number] = None
        if len(seen) > _MOST:
            seen.popitem(last=False)
        return monotonic() >= self._wary_until

    def found_held(self) -> None:
        """Query every key first for a while: a key that this process had not seen was held."""
        self._wary_until = monotonic() + _WARY
