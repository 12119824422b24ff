"""State of a server for one connection: the session, and the tools that the server lists now.
Connections never share it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from jackfield.connector import TimedOut
from jackfield.kernel.fork import ProcessLocal
from jackfield_mcp.messages import Session, amount
from jackfield_mcp.pins import pins_of

LEAST, USUAL, MOST = 60.0, 300.0, 3600.0
"""Minimum, default and maximum time for which a list of tools is fresh, in seconds."""
REFUSES = 10.0
"""Maximum age of a list that may refuse a call, in seconds. An older list is read again first,
since the tools may have changed.
"""

Json = Mapping[str, Any]


class Tools:
    """Digests of a server's tools and of the tools' members. The list, of up to 16 MiB per
    connection, is not stored.
    """

    def __init__(self, rows: Sequence[Json], now: float, seconds: float) -> None:
        pins = {str(row.get("name")): pins_of(row) for row in reversed(rows)}
        self._digests = {name: tuple(pin.whole for pin in found) for name, found in pins.items()}
        self._parts = {
            name: " ".join(f"{part}:{short}" for pin in found for part, short in pin.parts.items())
            for name, found in pins.items()
        }
        self.until = now + seconds
        """Time on the monotonic clock at which the list has to be read again."""
        self.refuses_until = now + min(seconds, REFUSES)
        """Time until which it may refuse a call."""

    def digests(self, name: str) -> tuple[str, ...]:
        """Return the digests under which a tool may have been accepted; empty if the list lacks the
        tool.
        """
        return self._digests.get(name, ())

    def parts(self, name: str) -> dict[str, set[str]]:
        """Return the short digests of a listed tool, by member."""
        found: dict[str, set[str]] = {}
        for part, _, short in (one.partition(":") for one in self._parts[name].split()):
            found.setdefault(part, set()).add(short)
        return found


class Peer(ProcessLocal):
    """State of one connection version. One thread at a time negotiates or lists for all threads."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.session: Session | None = None
        self.doubted: Session | None = None
        """Session in which a request had no answer: it may be broken, although the server knows it.
        It is tried before its next request.
        """
        self.is_older = False
        """True if the server was found to speak a revision that begins with ``initialize``; that
        stays when a session ends.
        """
        self.tools: Tools | None = None
        self.changes = 0
        """Number of times that the list of tools was forgotten. A list that was read in between may
        be old already.
        """
        self._lock = threading.RLock()

    @contextmanager
    def alone(self, seconds: float) -> Iterator[None]:
        """Hold the exclusive right to negotiate and list within the block.

        :raises TimedOut: if another thread holds the right for longer than ``seconds``.
        """
        if not self._lock.acquire(timeout=max(0.0, min(seconds, threading.TIMEOUT_MAX))):
            raise TimedOut("the deadline passed while another call listed the server's tools")
        try:
            yield
        finally:
            self._lock.release()

    def forget_tools(self) -> None:
        """Forget the list of tools, also one that is being read: the next call reads it again."""
        self.tools = None
        self.changes += 1

    def forget(self, session: Session) -> None:
        """Forget an ended session, unless another thread has begun a new session since."""
        if self.session is session:
            self.session = None


def fresh_for(result: Json) -> float:
    """Return the seconds for which a list is fresh."""
    said = amount(result.get("ttlMs"))
    return USUAL if said is None else min(max(said / 1000, LEAST), MOST)
