"""Rate limit on unknown tokens: guessing is slowed down, while valid tokens from the same address are never refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from jackfield.surfaces.shared.problem import Problem
from jackfield.surfaces.shared.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from starlette.requests import Request

    from jackfield.clock import Clock

__all__ = ["Guesses"]

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
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Wait until the request's token may be looked up; do not wait if its address has guesses left."""
        if not self._budgets.is_empty(_address(request)):
            yield
            return
        async with self._one:
            yield

    def note(self, request: Request) -> None:
        """Count an unknown token.

        :raises Problem: 429 if the address has no guesses left.
        """
        if not self._budgets.takes(_address(request)):
            raise Problem(429, "too many unknown tokens have come from this address", {"Retry-After": "1"})


def _address(request: Request) -> bytes:
    """Return the key under which guesses are counted: an IPv4 address, or the /64 of an IPv6 address, all of which one owner controls."""
    text = request.client.host.partition("%")[0] if request.client else ""
    try:
        found = ip_address(text)
    except ValueError:
        return text.encode()
    if isinstance(found, IPv6Address):
        return found.ipv4_mapped.packed if found.ipv4_mapped is not None else found.packed[:_NETWORK]
    return found.packed
