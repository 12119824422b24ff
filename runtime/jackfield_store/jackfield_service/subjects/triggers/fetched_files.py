"""Files of providers by which webhooks are verified (certificates): fetched over the subscription's
connection, and cached briefly.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.errors import JackfieldError, Unavailable
from jackfield.kernel.secrecy import SecretHolder
from jackfield_store.database.flights import Flights

if TYPE_CHECKING:
    from jackfield.kernel.clock import Clock
    from jackfield_service.subjects.triggers.subscription import Subscription

_KEPT = 64
_LONGEST = 24 * 3600.0
_REFUSED = 60.0
"""Seconds for which a file, and a failure to fetch it, are cached."""
_MOST = 5
"""Maximum number of files that one subscription may fetch in ``_REFUSED`` seconds: anyone who knows
its URL can name others, and must not cause endless requests.
"""


class FetchedFiles(SecretHolder):
    """Files of one process, by subscription and name. Several requests for the same file cause one
    fetch.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._files: BoundedCache[tuple[str, ...], tuple[float, bytes | JackfieldError]] = (
            BoundedCache(_KEPT)
        )
        self._asked: BoundedCache[tuple[str, ...], tuple[float, int]] = BoundedCache(_KEPT)
        self._flights: Flights[bytes] = Flights()

    def find(self, subscription: Subscription, name: str, fetch: Callable[[], bytes]) -> bytes:
        """Return a file, fetched unless it is cached.

        :raises JackfieldError: if it cannot be fetched, a recent fetch has failed, or too many
            other files were fetched.
        """
        key = (subscription.workspace, subscription.id, name)
        until, found = self._files.get(key) or (0.0, b"")
        if self._clock.monotonic() < until:
            if isinstance(found, JackfieldError):
                raise found
            return found
        return self._flights.run(key, lambda: self._fetched(key, fetch))

    def _fetched(self, key: tuple[str, ...], fetch: Callable[[], bytes]) -> bytes:
        self._count(key[:-1])
        try:
            found = fetch()
        except JackfieldError as error:
            self._files.put(key, (self._clock.monotonic() + _REFUSED, error))
            raise
        self._files.put(key, (self._clock.monotonic() + _LONGEST, found))
        return found

    def _count(self, owner: tuple[str, ...]) -> None:
        now = self._clock.monotonic()
        begun, count = self._asked.get(owner) or (now, 0)
        if now - begun >= _REFUSED:
            begun, count = now, 0
        if count >= _MOST:
            raise Unavailable(
                f"the webhook was asked to verify with more than {_MOST} certificates in a minute"
            )
        self._asked.put(owner, (begun, count + 1))
