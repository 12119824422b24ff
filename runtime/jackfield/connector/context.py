"""What the runtime hands to a connection when it opens, and what a client tells the runtime about each try."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol, TypeVar
from uuid import uuid4

from jackfield.clock import Clock, Deadline
from jackfield.connector.guard import ANYWHERE, Guard
from jackfield.errors import Cancelled, Sent

__all__ = ["Account", "Answered", "Call", "IdempotencyKey", "Minted", "OpenContext", "Step", "current_call", "entered"]

T = TypeVar("T")

_SHORTEST = 0.001
"""Seconds: a socket timeout of 0 would mean "do not block"."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A request of a try that changed something: the provider answered it with success, or must have, since another one followed it.

    ``returned`` is what the provider returned, as the author notes it; it stands in the error of a later step, cleaned of secrets.
    """

    step: str
    request_id: str | None = None
    returned: Any = None


@dataclass(slots=True)
class IdempotencyKey:
    """The key under which a provider may recognise a repeated request; ``used`` once anybody has asked for it."""

    value: str = field(default_factory=lambda: str(uuid4()))
    used: bool = False


@dataclass(slots=True)
class Call:
    """One try of an action, as its client sees it.

    A client that talks to the network calls ``begin()`` right before the first byte of each request leaves, and notes the provider's
    ``request_id``. What fails before the first ``begin()`` cannot be in doubt. ``permissions`` are what the action needs, by system, for
    error maps that say what to allow; empty outside of an action. ``done`` are the requests that changed something by now: once there is
    one, a ``write`` is neither repeated nor called "not sent". ``entered`` once the action's function runs.
    """

    deadline: Deadline
    cancelled: threading.Event = field(default_factory=threading.Event)
    begun: bool = False
    request_id: str | None = None
    permissions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    invocation_id: str = ""
    key: IdempotencyKey = field(default_factory=IdempotencyKey)
    done: list[Answered] = field(default_factory=list)
    requests: int = 0
    changes: bool = False
    entered: bool = False
    _unanswered: str | None = None
    _returned: Any = None

    @property
    def idempotency_key(self) -> str:
        """The caller's idempotency key, else one derived from the invocation: all tries of an invocation have the same one.

        Pass it on to a provider that takes such keys. An action of several requests adds the step's name for each.
        """
        self.key.used = True
        return self.key.value

    def begin(self, step: str = "", *, safe: bool = False) -> None:
        """Announce that a request is about to be sent. Another one in the same try says that the request before it was answered.

        ``step`` names it in errors. ``safe`` says that it changes nothing at the provider (HTTP's GET and HEAD).

        :raises Cancelled: where the caller has left before anything was sent.
        :raises TimedOut: where the deadline has passed.
        """
        if self.requests:
            self.answered()
        if not self.begun:
            self.check()
        elif self.deadline.remaining() <= 0:
            raise self.deadline.passed(Sent.UNKNOWN)
        self.begun = True
        self.requests += 1
        if not safe:
            self.changes = True
            self._unanswered, self._returned = step or f"request {self.requests}", None

    def returned(self, value: Any) -> None:
        """Keep what an answer with a good status returned, without taking it for a success yet.

        A transport cannot tell a good answer from a garbled one. It counts as a success with the next request, or where the try fails in a
        way that would otherwise count as not sent.
        """
        self._returned = value

    def answered(self, returned: Any = None) -> None:
        """Note that the provider answered the request that was begun last with success, and what it returned (an id to find it by)."""
        if self._unanswered is None and not self.requests:  # its author forgot begin(), and an answer says that a request was sent
            self.begun = self.changes = True
            self._unanswered = "a request that was not announced"
        if self._unanswered is not None:
            self.done.append(Answered(self._unanswered, self.request_id, self._returned if returned is None else returned))
            self._unanswered = None

    def confirm(self) -> None:
        """Count an answer that ``returned`` has kept as a success."""
        if self._returned is not None:
            self.answered()

    def remaining(self) -> float:
        """Seconds that the next request may take: a socket timeout, which is never 0 or less."""
        return max(_SHORTEST, self.deadline.remaining())

    def check(self) -> None:
        """Do nothing while the operation may go on; for clients that need several steps before it takes effect.

        :raises Cancelled: where the caller has left in the meantime.
        :raises TimedOut: where the deadline has passed.
        """
        if self.cancelled.is_set():
            raise Cancelled("the invocation was cancelled before anything was sent", sent=Sent.NOTHING)
        self.deadline.check()


_CURRENT: ContextVar[Call | None] = ContextVar("jackfield_call", default=None)


def current_call() -> Call | None:
    """The try that this thread or task is in, for hooks deep inside a client; None outside of one."""
    return _CURRENT.get()


class entered:  # noqa: N801 (called like the function that contextlib would make of a generator, at three times the cost)
    """Make ``call`` the current one for this thread or task."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> Call:
        self._token = _CURRENT.set(self._call)
        return self._call

    def __exit__(self, *exception: object) -> None:
        _CURRENT.reset(self._token)


@dataclass(frozen=True, slots=True, repr=False)
class Minted:
    """A credential fresh from its maker.

    ``value`` must be JSON, since processes share it through the database. ``expires_at`` is in seconds since 1970, None for one that does
    not expire; ``secrets`` are the strings in it that must never be shown.
    """

    value: Any
    expires_at: float | None = None
    secrets: tuple[str, ...] = ()

    def __reduce__(self) -> NoReturn:
        raise TypeError("a minted credential is not pickled: it holds secrets")


class Leases(Protocol):
    """Where leased credentials and open clients are kept, for one connection of one workspace."""

    def lease(self, key: str, mint: Callable[[], Minted], deadline: Deadline) -> Minted:
        """The credential under ``key``, minted once however many ask, refreshed ahead of its expiry."""

    def drop(self, key: str, used: Minted) -> None:
        """Forget ``used``, since the provider says that it has expired."""

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        """The object under ``key``, made on first use and kept with the connection."""


@dataclass(frozen=True, slots=True, repr=False)
class OpenContext:
    """What a connection type knows while it opens: for whom, for what, and where to lease and keep things.

    ``connection`` is None for inline values. ``inputs`` are the checked inputs of the action, empty for a connection test.
    ``permissions`` are those of all the connector's actions, by system, for session policies. ``guard`` judges the hosts that the
    connection's own values name: connect with ``guard.connect``, or ask it for the address that is connected to.
    """

    workspace: str
    connection: str | None
    connector: str
    inputs: Mapping[str, Any]
    permissions: Mapping[str, tuple[str, ...]]
    call: Call
    clock: Clock
    environment: Mapping[str, str]
    leases: Leases
    guard: Guard = ANYWHERE

    def __reduce__(self) -> NoReturn:
        raise TypeError("an open context is not pickled: its environment and leases hold secrets")

    @property
    def invocation_id(self) -> str:
        """The id of the invocation; empty while a connection is tested."""
        return self.call.invocation_id

    @property
    def idempotency_key(self) -> str:
        """The key that ``Call.idempotency_key`` gives. A client that is kept with ``cached`` asks ``current_call()`` for each request."""
        return self.call.idempotency_key

    def lease(self, key: str, mint: Callable[[], Minted]) -> Minted:
        """A credential: minted once for all who wait, kept while fresh, never shared with another connection or tenant."""
        return self.leases.lease(key, mint, self.call.deadline)

    def drop(self, key: str, used: Minted) -> None:
        """Forget a leased credential that the provider calls expired."""
        self.leases.drop(key, used)

    def cached(self, key: object, make: Callable[[], T]) -> T:
        """An object that is dear to make, kept with this connection version."""
        found: T = self.leases.cached(key, make)
        return found


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a connection test: what was tried, whether it passed, what it means and what to do. ``principal`` is the identity that
    signed in, as a policy names it, where the step found it out."""

    key: str
    title: str
    passed: bool
    message: str
    mandatory: bool = True
    hint: str | None = None
    principal: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the step as contract §7 shows it."""
        row: dict[str, Any] = {
            "key": self.key, "title": self.title, "passed": self.passed, "mandatory": self.mandatory, "message": self.message,
        }  # fmt: skip
        optional = {"hint": self.hint, "principal": self.principal}
        return row | {name: value for name, value in optional.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Account:
    """Whose connection it is: a stable id and a label that a person recognises."""

    id: str
    label: str
