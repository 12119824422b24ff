"""Rate limit per key, and the one on unknown tokens per address."""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator
from ipaddress import IPv6Address, ip_address
from typing import NamedTuple

from starlette.requests import Request

from jackfield.clock import Clock
from jackfield.fork import ProcessLocal
from jackfield_server.shared.problem import Problem

_KEPT = 10_000


class Taken(NamedTuple):
    """Answer of a bucket: whether it had a token, how many it holds when full, how many are left, and the seconds until it is full."""

    is_granted: bool
    most: int
    left: int
    full_in: int


class RateLimiter(ProcessLocal):
    """Token-bucket rate limiter, one bucket per key. A bucket holds one second's worth (at least one token); ``rate`` 0 is no limit."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._rate = rate
        self._clock = clock
        self._left: OrderedDict[bytes, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def takes(self, key: bytes) -> bool:
        """Take a token from the bucket of ``key``; return False if it is empty."""
        return not self._rate or self.taken(key, self._rate).is_granted

    def taken(self, key: bytes, rate: float) -> Taken:
        """Take a token from the bucket of ``key``, which fills at ``rate``; return what is left in it."""
        with self._lock:
            left, now = self._filled(key, rate)
            is_granted = left >= 1.0
            left -= is_granted
            self._left[key] = (left, now)
            self._left.move_to_end(key)
            if len(self._left) > _KEPT:
                self._left.popitem(last=False)
        most = _most(rate)
        return Taken(is_granted, int(most), int(left), math.ceil((most - left) / rate) if rate else 0)

    def is_empty(self, key: bytes) -> bool:
        """Return whether the bucket of ``key`` is empty."""
        return bool(self._rate) and key in self._left and self._filled(key, self._rate)[0] < 1.0

    def _filled(self, key: bytes, rate: float) -> tuple[float, float]:
        now, most = self._clock.monotonic(), _most(rate)
        left, at = self._left.get(key, (most, now))
        return min(most, left + (now - at) * rate), now


def _most(rate: float) -> float:
    return max(rate, 1.0) if rate else 0.0


_NETWORK = 8
"""Bytes of an IPv6 address that identify the network."""


class Guesses:
    """Budget of unknown tokens per address: ``rate`` a second, 0 for no limit.

    A token is looked up first and counted afterwards: tokens have 256 random bits, so the limit protects the database, not a secret. All
    addresses over budget share one look-up at a time. A flood of guesses then costs the database one reader, and a valid token behind the
    same NAT or proxy waits its turn and gets in.
    """

    def __init__(self, rate: float, clock: Clock) -> None:
        self._budgets = RateLimiter(rate, clock)
        self._one = asyncio.Semaphore(1)

    @contextlib.asynccontextmanager
    async def turn(self, request: Request, place: bytes = b"") -> AsyncIterator[None]:
        """Wait until the request's token may be looked up; do not wait if its address has guesses left, at this ``place``."""
        if not self._budgets.is_empty(place + address_of(request)):
            yield
            return
        async with self._one:
            yield

    def note(self, request: Request, place: bytes = b"") -> None:
        """Count an unknown token, or a forged request.

        :raises Problem: 429 if the address has no guesses left.
        """
        if not self._budgets.takes(place + address_of(request)):
            raise Problem(429, "too many unknown tokens or forged requests have come from this address", {"Retry-After": "1"})


def address_of(request: Request) -> bytes:
    """Return the key under which guesses are counted: an IPv4 address, or the /64 of an IPv6 address, all of which one owner controls."""
    text = request.client.host.partition("%")[0] if request.client else ""
    try:
        found = ip_address(text)
    except ValueError:
        return text.encode()
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped.packed if found.ipv4_mapped is not None else found.packed[:_NETWORK]
    return found.packed
