"""History of an account: sessions, accepted messages, rate-limited calls, and the clock that
expires sessions.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from jackfield_aws_ses_simulator.aws.account import Account, covering
from jackfield_aws_ses_simulator.aws.messages import SentMessage

_JITTER = 0.95
"""Share of a rate's window after which the next call is accepted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """One assumed role. ``policy`` is the session policy given to AssumeRole; ``expires_at`` is a
    time of the ledger's clock.
    """

    access_key_id: str
    secret: str = field(repr=False)
    token: str = field(repr=False)
    arn: str
    role_arn: str
    session_name: str
    external_id: str | None
    duration_seconds: int
    policy: str | None
    region: str
    expires_at: float

    @property
    def user_id(self) -> str:
        """Unique ID of the role, and the session's name."""
        return f"AROA{self.access_key_id[4:]}:{self.session_name}"


class Ledger:
    """Mutable state of one account. Methods are thread-safe, except ``advance``; ``changed`` is
    notified at each message.

    ``on_sent`` is called with each accepted message, before its sender receives the answer.
    """

    def __init__(
        self,
        account: Account,
        clock: Callable[[], float] = time.time,
        on_sent: Callable[[SentMessage], object] | None = None,
    ) -> None:
        self.account = account
        self._on_sent = on_sent
        self.changed = threading.Condition()
        self.messages: list[SentMessage] = []
        self.sessions: dict[str, Session] = {}
        """Sessions by their tokens."""
        self.origin = "http://127.0.0.1"
        """Origin of the URLs by which the last caller has reached the account."""
        self.closed = False
        self.records: dict[tuple[str, ...], dict[str, Any] | None] = {}
        """Resources that calls made, by kind, region and key; None for an identity of the owner's
        that a call deleted.
        """
        self._clock = clock
        self._offset = 0.0
        run = uuid.uuid4().hex
        self._run = f"{run[:8]}-{run[8:12]}-4{run[13:16]}-8{run[17:20]}-"
        self._numbers = itertools.count(1)
        self._uses: Counter[str] = Counter()
        self._claimed: dict[str, str | None] = {}
        self._recipients = 0
        self._recent: dict[str, deque[float]] = {}

    def now(self) -> float:
        """Return the seconds since the epoch on the ledger's clock."""
        return self._clock() + self._offset

    def advance(self, seconds: float) -> None:
        """Advance the clock."""
        self._offset += seconds

    def close(self) -> None:
        """End every wait for a message."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    def request_id(self) -> str:
        """Return a new request id in UUID form."""
        return f"{self._run}{next(self._numbers):012x}"

    def message_id(self) -> str:
        """Return a new message id in SES's form."""
        return f"0102{int(self.now() * 1000):012x}-{self.request_id()}-000000"

    def accept(self, message: SentMessage) -> None:
        """Record an accepted message."""
        with self.changed:
            self.messages.append(message)
            self._recipients += len(message.recipients)
            self.changed.notify_all()
        if self._on_sent is not None:
            self._on_sent(message)

    def is_verified(self, address: str, region: str) -> bool:
        """Return whether a verified identity covers the address; the mailbox simulator is always
        verified.
        """
        names = covering(address)
        return (
            self.account.identities is None
            or not names
            or any(self._is_verified(name, region) for name in names)
        )

    def _is_verified(self, name: str, region: str) -> bool:
        key = ("EmailIdentity", region, name)
        if key not in self.records:
            return self.account.owns(name, region)
        record = self.records[key]
        return record is not None and record["VerifiedAt"] <= self.now()

    def sent_today(self) -> float:
        """Count the recipients of the last 24 hours, including the quota's initial count."""
        return self.account.quota.sent_last24_hours + self._recipients

    def add_session(self, session: Session) -> None:
        """Record an assumed role."""
        with self.changed:
            self.sessions[session.token] = session

    def claim(self, role_arn: str, external_id: str | None) -> bool:
        """Bind a role to the first External ID that assumes it; return whether ``external_id`` is
        that one.
        """
        with self.changed:
            return self._claimed.setdefault(role_arn, external_id) == external_id

    def is_session_key(self, access_key_id: str) -> bool:
        """Return whether a key belongs to a session, so that it needs its token."""
        with self.changed:
            return any(session.access_key_id == access_key_id for session in self.sessions.values())

    def expire_sessions(self) -> None:
        """End all sessions."""
        with self.changed:
            over = self.now() - 1
            self.sessions = {
                token: replace(session, expires_at=over) for token, session in self.sessions.items()
            }

    def use_session(self, session: Session) -> bool:
        """Count an SES call by the session; return False if ``session_calls`` is used up."""
        with self.changed:
            self._uses[session.token] += 1
            return (
                self.account.session_calls is None
                or self._uses[session.token] <= self.account.session_calls
            )

    def is_too_fast(self, operation: str) -> bool:
        """Return whether a call exceeds the operation's rate, with 5 % tolerance for jitter;
        refused calls do not count.
        """
        rate = self.account.rates.get(operation)
        if rate is None:
            return False
        window, now = max(1.0, 1 / rate) * _JITTER, self.now()
        with self.changed:
            recent = self._recent.setdefault(operation, deque())
            while recent and now - recent[0] >= window:
                recent.popleft()
            if len(recent) >= max(1, int(rate)):
                return True
            recent.append(now)
            return False
