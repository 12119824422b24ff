"""State of a server for one connection: the session, and the tools that the server lists now. Connections never share it."""

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
"""Minimum, default and maximum of the seconds for which a list of tools counts as fresh."""
REFUSES = 10.0
"""Maximum age, in seconds, of a list that may refuse a call. An older list is read again first: the server, or the accepted tools, may have
changed.
"""

Json = Mapping[str, Any]


class Tools:
    """Digests of the tools that a server lists, and of their members. The list itself, of up to 16 MiB for each connection, is
    not stored.
    """

    def __init__(self, rows: Sequence[Json], now: float, seconds: float) -> None:
        pins = {str(row.get("name")): pins_of(row) for row in reversed(rows)}
        self._digests = {name: tuple(pin.whole for pin in found) for name, found in pins.items()}
        self._parts = {
            name: " ".join(f"{part}:{short}" for pin in found for part, short in pin.parts.items()) for name, found in pins.items()
        }
        self.until = now + seconds
        """Time on the monotonic clock at which the list has to be read again."""
        self.refuses_until = now + min(seconds, REFUSES)
        """Time until which it may refuse a call."""

    def digests(self, name: str) -> tuple[str, ...]:
        """Return the digests by which a tool may have been accepted; none if the list lacks it."""
        return self._digests.get(name, ())

    def parts(self, name: str) -> dict[str, set[str]]:
        """Return the short digests of each member of a listed tool."""
        found: dict[str, set[str]] = {}
        for part, _, short in (one.partition(":") for one in self._parts[name].split()):
            found.setdefault(part, set()).add(short)
        return found


class Peer(ProcessLocal):
    """State of one connection version. One thread negotiates or lists on behalf of all threads."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        self.session: Session | None = None
        self.is_older = False
        """True if the server was found to speak a revision that begins with ``initialize``; that stays when a session ends."""
        self.tools: Tools | None = None
        self._lock = threading.RLock()

    @contextmanager
    def alone(self, seconds: float) -> Iterator[None]:
        """Hold the exclusive right to negotiate and to list.

        :raises TimedOut: if another thread holds it for longer than ``seconds``.
        """
        if not self._lock.acquire(timeout=max(0.0, min(seconds, threading.TIMEOUT_MAX))):
            raise TimedOut("the deadline passed while another call listed the server's tools")
        try:
            yield
        finally:
            self._lock.release()

    def forget_tools(self) -> None:
        """Forget the list of tools: the next call reads it again."""
        self.tools = None

    def forget(self, session: Session) -> None:
        """Forget an ended session, unless another thread has begun a new one meanwhile."""
        if self.session is session:
            self.session = None


def fresh_for(result: Json) -> float:
    """Return the seconds for which a list counts as fresh."""
    said = amount(result.get("ttlMs"))
    return USUAL if said is None else min(max(said / 1000, LEAST), MOST)
