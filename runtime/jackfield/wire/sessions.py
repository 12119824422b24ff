"""Pools of idle sessions of one server and one login, for protocols whose sign-in costs more than a
request.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Generic, Protocol, TypeVar

from jackfield.kernel.clock import Clock, Deadline
from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.failures import OnFailure, Raised, attempt, contained
from jackfield.kernel.secrecy import SecretHolder

IDLE_SECONDS = 30.0
"""Maximum idle time of a session, in seconds; servers and firewalls close idle sessions by
themselves.
"""
PROOF_SECONDS = 2.0
"""Maximum seconds of the check of an idle session: a connection that ended silently must not use up
the whole deadline.
"""
KEPT = 64
"""Maximum number of idle sessions: one per worker thread."""


class Session(Protocol):
    """Connection to a server, signed in. ``worn`` is set once it should not serve another call."""

    deadline: Deadline

    @property
    def worn(self) -> bool:
        """True if the session should be ended instead of returning to the pool."""

    def leave(self) -> None:
        """End the session as the protocol requires."""

    def close(self) -> None:
        """End the session at once."""


S = TypeVar("S", bound=Session)


class SessionPool(SecretHolder, Generic[S]):
    """Thread-safe pool of idle sessions. A session in use belongs to its user."""

    def __init__(self, connect: Callable[[Deadline], S], clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._idle: list[tuple[S, float, float]] = []
        self._lock = threading.Lock()
        self._closing = weakref.finalize(self, _close, self._idle)

    def take(self, deadline: Deadline) -> S | None:
        """Return the most recently used session, with a new ``deadline``; None if no session is
        fresh enough.
        """
        now, at = self._clock.monotonic(), self._clock.time()
        with self._lock:
            stale = []
            # the oldest come first; in a process that was frozen, one of the clocks may have stood
            # still
            while self._idle and max(now - self._idle[0][1], at - self._idle[0][2]) >= IDLE_SECONDS:
                stale.append(self._idle.pop(0)[0])
            found = self._idle.pop()[0] if self._idle else None
        for session in stale:
            session.close()
        if found is not None:
            found.deadline = deadline
        return found

    def fresh(self, deadline: Deadline) -> S:
        """Open a new session.

        :raises JackfieldError: if the session cannot be opened; nothing was sent then.
        """
        return self._connect(deadline)

    def proven(self, deadline: Deadline, prove: Callable[[S], bool]) -> S:
        """Return a live idle session, or a new one. ``prove`` sends the server a request that
        changes nothing; it returns False, or raises a JackfieldError, if the session is unusable.

        :raises JackfieldError: if no session can be opened, or the deadline has passed; nothing was
            sent then.
        """
        idle = self.take(deadline)
        if idle is not None:
            idle.deadline = Deadline.after(min(PROOF_SECONDS, deadline.remaining()), deadline.clock)
            with OnFailure(idle.close), suppress(JackfieldError):
                if prove(idle):
                    idle.deadline = deadline
                    return idle
            idle.close()
            deadline.check()
        return self.fresh(deadline)

    def give(self, session: S) -> None:
        """Return a session without a request in progress to the pool; end it if it is worn. A
        failure to end it does not affect the work that the session has finished.
        """
        with self._lock:
            if not session.worn and len(self._idle) < KEPT:
                self._idle.append((session, self._clock.monotonic(), self._clock.time()))
                return
        if isinstance(attempt(contained, session.leave), Raised):
            session.close()

    def close(self) -> None:
        """Close the idle sessions, at the end of the process or of the connection."""
        self._closing()


def _close(idle: list[tuple[S, float, float]]) -> None:
    while idle:
        idle.pop()[0].close()
