"""Shares of workspaces in a process: in its requests in progress, its turns of reads, its
connections and its waiting readers.

A workspace may hold three times the number of free places: a single workspace gets three quarters,
each of two gets three sevenths. So a further workspace finds a place, however many others use their
full share.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from typing import Protocol

from jackfield.kernel.clock import Clock
from jackfield.kernel.errors import LimitReached
from jackfield.kernel.rate_limiter import RateLimiter

_SHARE = 3
READERS, TOKEN_READERS = 50, 25
"""Maximum number of waiting readers of a workspace, and of one of its tokens, in a process."""
READS = 4
"""Number of reads of a workspace that run at once; further reads wait in line. More threads would
only take turns at the interpreter, which other calls need. Measured with 1,000 connections that
read without a pause, 16 at once tripled the others' p50.
"""
_SPARE = 8
"""Divisor of the connections: one in this many is reserved for workspaces within their share."""
_REFUSALS, PENALTY = 20.0, 15.0
"""Undelayed refusals per second of a workspace, and seconds by which further ones are delayed. A
client that repeats refused requests must not use up the time of others.
"""
OPEN_CONNECTIONS = "openConnections"
"""Name of the limit whose refusals close their connection."""
_FEWER = "Wait for the answers to earlier requests: other workspaces need the rest."
_NO_WAIT = "Read without 'wait', or let one reader wait for all."
_CLOSE = "Close connections that are not in use: other workspaces need the rest."


class Connection(Protocol):
    """Connection of a client; ``holder`` is the workspace of the last token on it, empty before the
    first.
    """

    holder: str

    @property
    def open(self) -> int:
        """Number of connections of the process."""


class RequestShares:
    """Shares of the workspaces in one process, with at most ``most`` requests in progress and
    ``connections`` connections. ``holder`` is a workspace, or a platform's token. Used in the event
    loop only.
    """

    def __init__(self, most: int, connections: int, clock: Clock) -> None:
        self._most, self._connections = most, connections
        self.total = 0
        self._held: Counter[str] = Counter()
        self._readers: Counter[str] = Counter()
        self._connected: Counter[str] = Counter()
        self._reading: Counter[str] = Counter()
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._refusals = RateLimiter(_REFUSALS, clock)

    @property
    def is_full(self) -> bool:
        """True if the process accepts no further request."""
        return self.total >= self._most

    def begin(self) -> None:
        """Count a request whose caller is not known yet."""
        self.total += 1

    def end(self) -> None:
        """Count a request as ended."""
        self.total -= 1

    def take(self, holder: str, connection: Connection | None) -> None:
        """Count a started request, and its connection, for a workspace.

        :raises LimitReached: if the workspace has its share already.
        """
        if connection is not None and connection.holder != holder:
            self._connect(connection, holder)
        if self._held[holder] >= _SHARE * (self._most - self.total + 1):
            raise LimitReached("requestsInProgress", self._held[holder], hint=_FEWER)
        self._held[holder] += 1

    def give(self, holder: str) -> None:
        """Count a request as ended for its workspace."""
        _less(self._held, holder)

    def _connect(self, connection: Connection, holder: str) -> None:
        if self._connected[holder] >= _SHARE * (self._connections - connection.open + 1):
            raise LimitReached(OPEN_CONNECTIONS, self._connected[holder], hint=_CLOSE)
        self.disconnected(connection)
        connection.holder = holder
        self._connected[holder] += 1

    def disconnected(self, connection: Connection) -> None:
        """Count a connection as closed."""
        if connection.holder:
            _less(self._connected, connection.holder)
            connection.holder = ""

    @contextlib.asynccontextmanager
    async def of(
        self, holder: str, connection: Connection | None, *, reads: bool
    ) -> AsyncIterator[None]:
        """Count a request for its workspace while it is served; a read waits for its turn.

        :raises LimitReached: if the workspace has its share already.
        """
        self.take(holder, connection)
        try:
            if not reads:
                yield
                return
            await self._turn(holder)
            try:
                yield
            finally:
                self._next(holder)
        finally:
            self.give(holder)

    async def _turn(self, holder: str) -> None:
        if self._reading[holder] < READS:
            self._reading[holder] += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._lines.setdefault(holder, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._next(holder)
            raise

    def _next(self, holder: str) -> None:
        """Pass a turn on to the read of the workspace that has waited longest."""
        line = self._lines.get(holder)
        while line:
            turn = line.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._lines.pop(holder, None)
        _less(self._reading, holder)

    @contextlib.contextmanager
    def waiting(self, holder: str, token: str, *, reads: bool) -> Iterator[None]:
        """Count a request as a waiting reader instead of a request in progress; ``reads`` as in
        ``of``.

        :raises LimitReached: if the workspace or the token has its maximum of waiting readers.
        """
        own = f"{holder}/{token}"
        for key, most in ((holder, READERS), (own, TOKEN_READERS)):
            if self._readers[key] >= most:
                raise LimitReached("waitingReaders", most, hint=_NO_WAIT)
        self._readers.update((holder, own))
        self.end()
        self.give(holder)
        if reads:
            self._next(holder)
        try:
            yield
        finally:
            self.begin()
            self._held[holder] += 1
            self._reading[holder] += reads
            _less(self._readers, holder)
            _less(self._readers, own)

    def readers(self, holder: str) -> int:
        """Return the number of a workspace's waiting readers."""
        return self._readers[holder]

    async def hold(self, holder: str, connection: Connection | None) -> None:
        """Delay the answer to a refused request. Do not delay it if the workspace has had few
        refusals lately, or others need the connection. A delayed request does not count as in
        progress.
        """
        is_needed = (
            connection is not None
            and not connection.holder
            and self._connections - connection.open < self._connections // _SPARE
        )
        if is_needed or self._refusals.takes(holder.encode()):
            return
        self.end()
        try:
            await asyncio.sleep(PENALTY)
        finally:
            self.begin()


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
