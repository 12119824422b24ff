"""A TCP proxy before a server (PostgreSQL, MariaDB, Redis and others) that fails as networks do.

It keeps bytes and delivers them later, or resets what it kept; delays each answer; drops bytes;
lets a COMMIT (or what ``commit`` says) reach the server and keeps its acknowledgement; does each of
these in one direction only; forgets its connections; and points elsewhere, as a name does after a
failover. ``accepted`` counts connections, and ``turns`` what a client waits for: how often one
wrote after its server had answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Self

_CHUNK = 65_536
_BEGIN, _COMMIT = b"BEGIN ", b"COMMIT\0"
BOTH = ("server", "client")
"""Directions: towards the server, and towards the client."""


class Mode(Enum):
    """What happens to bytes in one direction."""

    PASS = "pass"
    HOLD = "hold"
    DROP = "drop"


@dataclass(eq=False)
class _Pair:
    """A client's connection, and the one to the server for it."""

    writers: dict[str, asyncio.StreamWriter] = field(default_factory=dict)
    spoke: str = "client"
    swallows: bool = False
    said: bytes = b""
    """What the client has sent in its transaction."""
    forgotten: bool = False

    def reset(self) -> None:
        """Close both with a reset."""
        for writer in self.writers.values():
            writer.transport.abort()


class DatabaseProxy:
    """Proxy that listens on 127.0.0.1 while its context is open. Its methods may be called in any
    thread.
    """

    def __init__(self, port: int, commit: bytes = _COMMIT) -> None:
        self.target = port
        self._commit = commit
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="database-proxy", daemon=True
        )
        self._modes = {"server": Mode.PASS, "client": Mode.PASS}
        self._going = asyncio.Event()
        self._late = 0.0
        self._swallow, self._having, self._then_silent = 0, b"", False
        self._pairs: set[_Pair] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.turns = self.accepted = 0
        self.swallowed = 0
        """Acknowledgements of a COMMIT that were kept from the client."""

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen)
        return self

    def __exit__(self, *exception: object) -> None:
        self._run(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def url(self, url: str) -> str:
        """Return the URL of a database on the server, by way of this proxy."""
        before, _, name = url.rpartition("/")
        return f"{before.rpartition(':')[0]}:{self.port}/{name}"

    def hold(self, *towards: str) -> None:
        """Keep all bytes, or those towards one side; new connections are accepted and hear
        nothing.
        """
        self._set(Mode.HOLD, towards or BOTH)

    def drop(self, *towards: str) -> None:
        """Drop all bytes, or those towards one side."""
        self._set(Mode.DROP, towards or BOTH)

    def deliver(self) -> None:
        """Deliver what was kept, and pass all bytes from now on."""
        self._set(Mode.PASS, BOTH)

    def reset(self) -> None:
        """Reset all connections with what was kept, and pass the bytes of new ones."""

        def step() -> None:
            for pair in list(self._pairs):
                pair.reset()

        self._call(step)
        self.deliver()

    def forget(self) -> None:
        """Drop all bytes of the connections that are open now, as a firewall that has forgotten
        them; new ones pass.
        """

        def step() -> None:
            for pair in self._pairs:
                pair.forgotten = True

        self._call(step)

    def delay(self, seconds: float) -> None:
        """Deliver each answer of the server so much later."""
        self._call(lambda: setattr(self, "_late", seconds))

    def swallow(self, commits: int, having: bytes = b"", *, then_silent: bool = False) -> None:
        """Let the next commits of transactions in which bytes were sent reach the server, keep its
        acknowledgements, and reset the clients' connections; ``then_silent``, hold all bytes from
        then on.
        """

        def step() -> None:
            self._swallow, self._having, self._then_silent = commits, having, then_silent

        self._call(step)

    def point_at(self, port: int) -> None:
        """Connect new clients to another server, and reset the others."""
        self._call(lambda: setattr(self, "target", port))
        self.reset()

    @contextlib.contextmanager
    def counting(self) -> Iterator[Callable[[], int]]:
        """Count the turns of a block."""
        before = self.turns
        yield lambda: self.turns - before

    def _set(self, mode: Mode, towards: tuple[str, ...]) -> None:
        def step() -> None:
            self._modes.update(dict.fromkeys(towards, mode))
            self._going.set()  # whoever waits looks at its own direction again
            self._going = asyncio.Event()

        self._call(step)

    def _call(self, step: Callable[[], object]) -> None:
        async def run() -> None:
            step()

        self._run(run)

    def _run(self, step: Callable[[], Any]) -> None:
        asyncio.run_coroutine_threadsafe(step(), self._loop).result(60)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        for pair in list(self._pairs):
            pair.reset()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        pair = _Pair({"client": writer})
        self._pairs.add(pair)
        try:
            await self._passes("server")
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
            pair.writers["server"] = far_writer
            await asyncio.gather(
                self._pump(pair, reader, "server"), self._pump(pair, far_reader, "client")
            )
        except (OSError, asyncio.CancelledError):  # the latter at the end, which asyncio would log
            pair.reset()
        finally:
            self._pairs.discard(pair)

    async def _passes(self, towards: str) -> bool:
        """Wait until bytes in a direction are not held; return False if they are dropped."""
        while self._modes[towards] is Mode.HOLD:
            await self._going.wait()
        return self._modes[towards] is Mode.PASS

    async def _pump(self, pair: _Pair, reader: asyncio.StreamReader, towards: str) -> None:
        writer = pair.writers[towards]
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                if pair.forgotten or not await self._passes(towards):
                    continue
                if towards == "server":
                    self._asked(pair, data)
                elif not await self._answered(pair):
                    return
                writer.write(data)
                await writer.drain()
        writer.close()

    def _asked(self, pair: _Pair, data: bytes) -> None:
        if pair.spoke == "client":
            self.turns += 1
        pair.spoke = "server"
        pair.said += data
        # a statement before it, such as a look for a key, was none of the transaction's
        if _BEGIN in data:
            pair.said = pair.said[pair.said.rindex(_BEGIN) :]
        if self._commit in pair.said:
            if self._swallow and self._having in pair.said:
                self._swallow -= 1
                pair.swallows = True
            pair.said = b""

    async def _answered(self, pair: _Pair) -> bool:
        """Return whether an answer reaches the client."""
        pair.spoke = "client"
        if pair.swallows:
            self.swallowed += 1
            if self._then_silent:
                self._modes.update(dict.fromkeys(BOTH, Mode.HOLD))
            pair.reset()
            return False
        if self._late:
            await asyncio.sleep(self._late)
        return True
