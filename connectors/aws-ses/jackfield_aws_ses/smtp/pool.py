"""Connection pool of one server: authentication costs eight round trips, a message five."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from jackfield.kernel.secrecy import SecretHolder

if TYPE_CHECKING:
    from jackfield.connector import Clock, Deadline
    from jackfield_aws_ses.smtp.session import Session

MESSAGES = 100
"""Maximum number of messages per connection: SES asks for new connections after a fixed number, since its servers are replaced (its
troubleshooting page)."""
IDLE_SECONDS = 30.0
"""Maximum idle time of a connection; SES closes idle ones by itself."""
KEPT = 64
"""Maximum number of idle connections: one per worker thread."""


class Pool(SecretHolder):
    """Pool of idle connections; thread-safe. A connection in use belongs to its user."""

    def __init__(self, connect: Callable[[Deadline], Session], clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._idle: list[tuple[Session, float, float]] = []
        self._lock = threading.Lock()
        self._closing = weakref.finalize(self, _close, self._idle)

    def take(self, deadline: Deadline) -> Session | None:
        """Return the most recently used connection, with a new ``deadline``; None if none is fresh enough."""
        now, at = self._clock.monotonic(), self._clock.time()
        with self._lock:
            stale = []
            # the oldest come first; in a process that was frozen, one of the clocks may have stood still
            while self._idle and max(now - self._idle[0][1], at - self._idle[0][2]) >= IDLE_SECONDS:
                stale.append(self._idle.pop(0)[0])
            found = self._idle.pop()[0] if self._idle else None
        for session in stale:
            session.close()
        if found is not None:
            found.deadline = deadline
        return found

    def fresh(self, deadline: Deadline) -> Session:
        """Open a new connection, encrypted and authenticated.

        :raises JackfieldError: if that fails; nothing of a message was sent then.
        """
        return self._connect(deadline)

    def give(self, session: Session) -> None:
        """Return a connection without a message in progress to the pool; close it if it has reached its message limit."""
        with self._lock:
            if session.sent < MESSAGES and len(self._idle) < KEPT:
                self._idle.append((session, self._clock.monotonic(), self._clock.time()))
                return
        session.leave()

    def close(self) -> None:
        """Close the idle connections, at the end of the process or of the connection."""
        self._closing()


def _close(idle: list[tuple[Session, float, float]]) -> None:
    while idle:
        idle.pop()[0].close()
