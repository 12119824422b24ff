"""Limit on unknown tokens, unknown paths of webhooks and forged requests per address."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from starlette.requests import Request

from jackfield.kernel.rate_limiter import RateLimiter, network_of
from jackfield_service.shell.requests.problem import Problem


class Guesses:
    """Budget of guesses per address.

    A token is looked up first and counted afterwards: tokens have 256 random bits, so the limit
    protects the database, not a secret. All addresses over budget share one look-up at a time. A
    flood of guesses then costs the database one reader, and a valid token behind the same NAT or
    proxy waits its turn and gets in.
    """

    def __init__(self, budgets: RateLimiter) -> None:
        self.budgets = budgets
        self._one = asyncio.Semaphore(1)

    @contextlib.asynccontextmanager
    async def turn(self, request: Request, place: bytes = b"") -> AsyncIterator[None]:
        """Wait until the request's token may be looked up; do not wait if its address has guesses
        left. Each ``place`` has its own budget for an address.
        """
        if not self.budgets.is_empty(place + network_of(address_of(request))):
            yield
            return
        async with self._one:
            yield

    def note(self, request: Request) -> None:
        """Count an unknown token.

        :raises Problem: 429 if the address has no guesses left.
        """
        if not self.budgets.takes(network_of(address_of(request))):
            raise Problem(
                429, "too many unknown tokens have come from this address", {"Retry-After": "1"}
            )


def address_of(request: Request) -> str:
    """Return the address that a request comes from; an empty string if the server does not know
    it.
    """
    return request.client.host if request.client else ""
