"""Identity of the machine: one thread fetches its credentials for all callers, and renews them
before they expire.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextvars import Context
from typing import Any

from jackfield.connector import (
    Deadline,
    JackfieldError,
    Sent,
    Unavailable,
    check_may_wait,
    exhausted,
)
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.failures import Raised, attempt
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.secrecy import SecretHolder
from jackfield_aws.keys import Keys
from jackfield_aws.limits import current_deadline, fetching
from jackfield_aws.machine.credentials import MachineCredentials
from jackfield_aws.machine.cures import LABELS
from jackfield_aws.machine.errors import explain
from jackfield_aws.machine.sources import Found, Latest, Sources

_ADVISORY, _MANDATORY = 900.0, 600.0
"""Seconds before expiry from which credentials are renewed in the background, and from which
callers wait for the renewal: botocore's own.
"""
_PARTS = 4
"""Divisor of a short credential lifetime: the last quarter is for renewal, half of that for
waiting.
"""
_AGAIN = 30.0
"""Seconds until a failed renewal of valid credentials is retried."""
_PATIENCE = 5.0
"""Maximum seconds to wait for the renewal of valid credentials."""
_LONGEST = 60.0
"""Maximum seconds of a fetch."""
_MOST = 8
"""Maximum number of one identity's threads. A source that cannot be interrupted leaves its thread
behind.
"""


@dataclass(slots=True, repr=False)
class _Fetch(SecretHolder):
    """Fetch of credentials, whose outcome all waiting callers share."""

    deadline: Latest
    done: threading.Event = field(default_factory=threading.Event)
    found: Found | None = None
    error: JackfieldError | None = None
    sources: Sources | None = None

    @property
    def place(self) -> str:
        """Name of the source in use."""
        return (
            LABELS.get(self.sources.method, "the AWS configuration")
            if self.sources is not None
            else "the AWS configuration"
        )


@dataclass(slots=True, repr=False)
class _Held(SecretHolder):
    found: Found
    renew_at: float
    wait_at: float

    @classmethod
    def of(cls, found: Found, now: float) -> _Held:
        """Plan the renewal of freshly fetched credentials."""
        if found.expires_at is None:
            return cls(found, float("inf"), float("inf"))
        left = max(0.0, found.expires_at - now)
        ahead, latest = min(_ADVISORY, left / _PARTS), min(_MANDATORY, left / _PARTS / 2)
        return cls(found, found.expires_at - ahead, found.expires_at - latest)

    def is_valid(self, now: float) -> bool:
        """Return whether the credentials have not expired."""
        return self.found.expires_at is None or now < self.found.expires_at


class MachineIdentity(ProcessLocal, SecretHolder):
    """Credentials of the machine from one configuration. Thread-safe.

    A fetch runs in its own thread and ends when no caller waits any more. ``path`` points at the
    connection's value that decides the identity; ``make`` creates a botocore session.
    """

    def __init__(self, path: str, make: Callable[[], Any]) -> None:
        self._path, self._make, self._clock = path, make, SystemClock()
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Drop all state: a forked child has none of the threads."""
        self._lock = threading.Lock()
        self._held: _Held | None = None
        self._fetch: _Fetch | None = None
        self._running = 0
        self._before: str | None = None
        """Source of the credentials that were fetched last."""
        self._failed: JackfieldError | None = None
        """Error of the last fetch; None if it succeeded."""

    def __repr__(self) -> str:
        return "<MachineIdentity>"

    @property
    def is_ready(self) -> bool:
        """True if the held credentials may be used without waiting."""
        held = self._held
        return held is not None and self._clock.time() < held.wait_at

    def lend(self, session: Any) -> None:
        """Make the clients of a botocore session sign with the held credentials."""
        session._credentials = MachineCredentials(self._held_keys)

    def _held_keys(self) -> Keys:
        held = self._held
        return (
            held.found.keys
            if held is not None and held.is_valid(self._clock.time())
            else self.keys_now()
        )

    def keys_now(self) -> Keys:
        """Return the keys, as ``found`` does within the current deadline.

        :raises JackfieldError: as ``found``.
        """
        return self.found(current_deadline() or Deadline.after(_LONGEST, self._clock)).keys

    def found(self, deadline: Deadline) -> Found:
        """Return the credentials. One fetch serves all callers; each waits until its own deadline
        at most.

        :raises JackfieldError: if they cannot be fetched; nothing was sent to any other service.
        """
        held, now = self._held, self._clock.time()
        if held is not None and now < held.renew_at:
            return held.found
        is_valid = held is not None and held.is_valid(now)
        if held is not None and is_valid and self._running >= _MOST:
            return held.found
        if not is_valid or (held is not None and now >= held.wait_at):
            check_may_wait()
        fetch = self._joined(deadline)
        if held is not None and is_valid:
            fetch.done.wait(
                min(_PATIENCE, deadline.remaining() / 2) if now >= held.wait_at else 0.0
            )
            return fetch.found or held.found
        if not fetch.done.wait(deadline.remaining()):
            raise deadline.passed(Sent.NOTHING, self._failed or _slow(fetch))
        if fetch.error is not None:
            raise fetch.error
        if fetch.found is None:
            raise RuntimeError("a fetch ended without an outcome")
        return fetch.found

    def drop(self, used: Found) -> None:
        """Drop credentials that AWS has refused as expired, unless newer ones have replaced
        them.
        """
        with self._lock:
            if self._held is not None and self._held.found is used:
                self._held = None

    def _joined(self, deadline: Deadline) -> _Fetch:
        """Return the running fetch, or a new one if none runs or its callers have left.

        :raises Unavailable: if too many threads still hang.
        """
        seconds = min(
            _LONGEST, getattr(deadline, "longest", deadline.at) - deadline.clock.monotonic()
        )
        with self._lock:
            fetch = self._fetch
            if fetch is not None and fetch.deadline.remaining() > 0:
                fetch.deadline.extend(seconds)
                return fetch
            if self._running >= _MOST:
                raise Unavailable(
                    "this machine's AWS identity cannot be fetched: earlier fetches still hang",
                    hint=(
                        "Find out what blocks: a file on a network file system, or name resolution."
                    ),
                    sent=Sent.NOTHING,
                )
            fetch = self._fetch = _Fetch(
                Latest(self._clock, self._clock.monotonic() + seconds, seconds)
            )
            self._start(fetch)
            return fetch

    def _start(self, fetch: _Fetch) -> None:
        thread = threading.Thread(
            target=Context().run, args=(self._run, fetch), name="aws-identity", daemon=True
        )
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:
            self._fetch = None
            short = exhausted(error, Sent.NOTHING)
            if short is None:
                raise
            raise short from error
        self._running += 1

    def _run(self, fetch: _Fetch) -> None:
        with fetching(fetch.deadline):
            outcome = attempt(self._fetched, fetch)
            error = (
                explain(outcome.error, fetch.sources, self._path, self._before)
                if isinstance(outcome, Raised)
                else None
            )
        with self._lock:
            self._running -= 1
            if self._fetch is fetch:
                self._fetch = None
            now = self._clock.time()
            if not isinstance(outcome, Raised):
                fetch.found, self._held, self._before = (
                    outcome,
                    _Held.of(outcome, now),
                    outcome.method,
                )
            elif self._held is not None and self._held.is_valid(now):
                self._held.renew_at = now + _AGAIN
                self._held.wait_at = max(self._held.wait_at, now + _AGAIN)
            fetch.error = self._failed = error
        fetch.done.set()

    def _fetched(self, fetch: _Fetch) -> Found:
        fetch.sources = Sources(self._make())
        return fetch.sources.fetch()


def _slow(fetch: _Fetch) -> Unavailable:
    text = f"this machine's AWS identity was still being fetched from {fetch.place}"
    return Unavailable(text, hint=f"Find out why {fetch.place} does not answer.", sent=Sent.NOTHING)
