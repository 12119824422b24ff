"""Rate limit per key, the budgets of addresses that guess, and log lines that are written at most
once a minute.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import OrderedDict
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from jackfield.kernel.clock import Clock, SystemClock
from jackfield.kernel.fork import ProcessLocal

_KEPT = 10_000
_A_MINUTE = 1 / 60
_NETWORK = 8
"""Number of bytes of an IPv6 address that identify the network."""


class Taken(NamedTuple):
    """Answer of a bucket: whether it had a token, its capacity, the remaining tokens, and the
    seconds until it is full.
    """

    is_granted: bool
    most: int
    left: int
    full_in: int


class RateLimiter(ProcessLocal):
    """Token-bucket rate limiter, one bucket per key. A bucket holds the tokens of one second (at
    least one token); ``rate`` 0 is no limit.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def takes(self, key: bytes) -> bool:
        """Take a token from the bucket of ``key``; return False if it is empty."""
        return not self._rate or self.taken(key, self._rate).is_granted

    def taken(self, key: bytes, rate: float) -> Taken:
        """Take a token from the bucket of ``key``, which fills at ``rate``. Return the bucket's
        answer.
        """
        with self._lock:
            left, now = self._filled(key, rate)
            is_granted = left >= 1.0
            left -= is_granted
            self._left[key] = (left, now)
            self._left.move_to_end(key)
            if len(self._left) > _KEPT:
                self._left.popitem(last=False)
        most = _most(rate)
        return Taken(
            is_granted, int(most), int(left), math.ceil((most - left) / rate) if rate else 0
        )

    def is_empty(self, key: bytes) -> bool:
        """Return whether the bucket of ``key`` is empty."""
        return bool(self._rate) and key in self._left and self._filled(key, self._rate)[0] < 1.0

    def _filled(self, key: bytes, rate: float) -> tuple[float, float]:
        now, most = self._clock.monotonic(), _most(rate)
        left, at = self._left.get(key, (most, now))
        return min(most, left + (now - at) * rate), now


class Lines:
    """Errors for a log, each message at most once a minute, even if its cause recurs every
    second.
    """

    def __init__(self, log: logging.Logger, clock: Clock | None = None) -> None:
        self._log = log
        self._limiter = RateLimiter(_A_MINUTE, clock or SystemClock())

    def error(self, text: str, *about: object) -> None:
        """Log an error, unless the same message was logged within the last minute."""
        if self._limiter.takes((text % about).encode("utf-8", "replace")):
            self._log.error(text, *about)


def _most(rate: float) -> float:
    return max(rate, 1.0) if rate else 0.0


def network_of(address: str) -> bytes:
    """Return the key under which guesses are counted: an IPv4 address, or the /64 of an IPv6
    address, all of which one owner controls.
    """
    text = address.partition("%")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return text.encode("utf-8", "surrogatepass")
    if isinstance(found, IPv6Address):
        return (
            found.ipv4_mapped.packed if found.ipv4_mapped is not None else found.packed[:_NETWORK]
        )
    return found.packed
