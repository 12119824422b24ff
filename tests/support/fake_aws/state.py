"""Everything that changes while the fake runs: log, counters, messages, sessions, clock."""

from __future__ import annotations

import itertools
import threading
import uuid
from collections import Counter, deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .faults import Script
from .records import Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from .call import Call
    from .options import Settings
    from .records import SentMessage, Session

SENDS = frozenset({"SendEmail", "SendRawEmail"})


class State:
    """One fake's memory. Every method is thread-safe; `changed` is notified at each request and message."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.settings = settings
        self.script = Script(settings.script)
        self.changed = threading.Condition()
        self.sessions: dict[str, Session] = {}
        self.session_keys: set[str] = set()
        self.open_connections = 0
        self._clock = clock
        self._offset = 0.0
        run = uuid.uuid4().hex
        self._run = f"{run[:8]}-{run[8:12]}-4{run[13:16]}-8{run[17:20]}-"
        self._numbers = itertools.count(1)
        self._uses: Counter[str] = Counter()
        self._forget()

    def _forget(self) -> None:
        self._log: list[tuple[Call, float]] = []
        self.messages: list[SentMessage] = []
        self.counts: Counter[str] = Counter()
        self.connections = 0
        self.received = 0
        self._unread = 0
        self._recipients = 0
        self._recent: dict[str, deque[float]] = {}

    def reset(self, sessions: bool = False) -> None:
        """Log, messages, counters and script as at the start; sessions only if asked."""
        with self.changed:
            self._forget()
            self.script.clear()
            self.script.extend(self.settings.script)
            if sessions:
                self.sessions, self.session_keys = {}, set()

    def now(self) -> float:
        """Seconds since the epoch on the fake's clock."""
        return self._clock() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock on."""
        self._offset += seconds

    def connected(self) -> None:
        """Count a connection."""
        with self.changed:
            self.connections += 1
            self.open_connections += 1
            self.changed.notify_all()

    def uncount(self) -> None:
        """Take a connection back that turned out to be for control."""
        with self.changed:
            self.connections -= 1

    def disconnected(self) -> None:
        """Note that a connection is closed."""
        with self.changed:
            self.open_connections -= 1
            self.changed.notify_all()

    def log(self, call: Call) -> None:
        """Write a call down and count it."""
        with self.changed:
            self._log.append((call, self.now()))
            self.counts[call.name] += 1
            if call.operation in SENDS:
                self.received += 1
            self.changed.notify_all()

    @property
    def requests(self) -> list[Request]:
        """The calls as they are shown; made when asked for, as a benchmark never asks."""
        return [Request.of(call, at) for call, at in list(self._log)]

    def calls(self) -> list[str]:
        """The names of the calls, in order."""
        return [call.name for call, _ in list(self._log)]

    def accept(self, message: SentMessage) -> None:
        """Write an accepted message down."""
        with self.changed:
            self.messages.append(message)
            self._recipients += len(message.recipients)
            self.changed.notify_all()

    def accept_unread(self, name: str) -> None:
        """Count a send that nobody looked at."""
        with self.changed:
            self.counts[name] += 1
            self.received += 1
            self._unread += 1
            self.changed.notify_all()

    @property
    def accepted(self) -> int:
        """Sends that were accepted."""
        return len(self.messages) + self._unread

    def fresh_id(self) -> str:
        """Return a request id, a UUID in form."""
        return f"{self._run}{next(self._numbers):012x}"

    def message_id(self) -> str:
        """Return a message id in SES's form, new in this run."""
        return f"0102{int(self.now() * 1000):012x}-{self.fresh_id()}-000000"

    def sent_today(self) -> float:
        """Recipients of the last 24 hours, those that the quota starts with included."""
        return self.settings.quota.sent_last24_hours + self._recipients

    def add_session(self, session: Session) -> None:
        """Keep a session, found by its token."""
        with self.changed:
            self.sessions[session.token] = session
            self.session_keys.add(session.access_key_id)

    def expire_sessions(self) -> None:
        """Every session made so far is over from now on."""
        with self.changed:
            over = self.now() - 1
            self.sessions = {token: replace(session, expires_at=over) for token, session in self.sessions.items()}

    def use_session(self, session: Session) -> bool:
        """Count an SES call of the session; False where `session_calls` is used up."""
        limit = self.settings.session_calls
        if limit is None:
            return True
        with self.changed:
            self._uses[session.token] += 1
            return self._uses[session.token] <= limit

    def is_too_fast(self, service: str, operation: str) -> bool:
        """Whether this call exceeds the operation's rate; 5 % of jitter are forgiven, refused calls do not count."""
        rates = self.settings.rates
        rate = rates.get(f"{service}:{operation}", rates.get(operation)) if rates else None
        if rate is None:
            return False
        window, now = max(1.0, 1 / rate) * 0.95, self.now()
        with self.changed:
            recent = self._recent.setdefault(f"{service}:{operation}", deque())
            while recent and now - recent[0] >= window:
                recent.popleft()
            if len(recent) >= max(1, int(rate)):
                return True
            recent.append(now)
            return False

    def counters(self) -> dict[str, Any]:
        """Return the numbers, in JSON form."""
        with self.changed:
            return {
                "connections": self.connections,
                "received": self.received,
                "accepted": self.accepted,
                "counts": dict(self.counts),
                "pendingFaults": self.script.pending(),
            }

    def as_json(self) -> dict[str, Any]:
        """Return the whole state, in JSON form."""
        with self.changed:
            messages = list(self.messages)
            sessions = list(self.sessions.values())
        return {
            **self.counters(),
            "calls": self.calls(),
            "requests": [request.as_json() for request in self.requests],
            "messages": [message.as_json() for message in messages],
            "sessions": [session.as_json() for session in sessions],
        }
