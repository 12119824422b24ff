"""Facts about the idempotency key under which a call sends its request. Another process needs them
to know until when the provider recognises the request, and over which connection.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Self

from jackfield.kernel.dataclass import dataclass

_UNKNOWN = ("lost", "in_doubt")
"""Outcomes of runs that may have taken effect."""


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """Facts about the key of one call. The provider keeps the key for ``kept`` seconds. The ID and
    version are those of the stored connection, ``credentials`` the keyed digest of what it was
    opened with.
    """

    kept: float
    connection: str | None = None
    version: int | None = None
    credentials: str | None = None

    def to_json(self) -> str:
        """Return the facts as they are stored."""
        return json.dumps([self.kept, self.connection, self.version, self.credentials])

    @classmethod
    def of(cls, text: str | None) -> Self | None:
        """Read stored facts; None if there are none, since the call has no key.

        :raises ValueError: if the text was changed.
        """
        return None if text is None else cls(*json.loads(text))

    def is_same_account(self, other: KeyFacts) -> bool:
        """Return whether both calls are of one account: over the same version of a connection, or
        with the same credentials.
        """
        if self.connection != other.connection:
            return False
        if self.connection is not None and self.version == other.version:
            return True
        return self.credentials is not None and self.credentials == other.credentials


def earliest_lost(deliveries: Iterable[Mapping[str, Any]]) -> float | None:
    """Return the time of the earliest run of a call whose end is unknown, in seconds since 1970;
    None if each run has ended clearly.
    """
    moments = [one.get("startedAt") for one in deliveries if one.get("outcome") in _UNKNOWN]
    return min((float(one) for one in moments if isinstance(one, int | float)), default=None)
