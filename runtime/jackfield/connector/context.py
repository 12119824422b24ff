"""The context that the runtime passes to a connection when it opens, and the ``Call`` in which a
client reports each attempt's progress.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from itertools import count
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, TypeVar, cast
from uuid import uuid4

from jackfield.connector.failed_entries import MAX_FAILED_ENTRIES, FailedEntries, shortened
from jackfield.connector.reading import AttemptEvents, FileStore, Unread
from jackfield.connector.room import Share
from jackfield.kernel.clock import Clock, Deadline
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import Cancelled, Detail, Sent
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.guard import ANYWHERE, CURRENT, Guard, OnlyHosts

if TYPE_CHECKING:
    from jackfield.connector.grants import ClientRegistrations, Grants
    from jackfield.wire.exchanges import Exchange

T = TypeVar("T")
Observe = Callable[[str, str, float, float, int | None], object]
"""Function that receives a request's method, host, start and end, in seconds since 1970, and
status; None if there was no response.
"""

MAX_WARNINGS = 20
"""Maximum number of entries in ``meta.warnings``."""
MAX_DONE = 100
"""Maximum number of entries in ``Call.done``; the last entry then stands for all further steps."""
_LONGEST_WARNING = 1000
_SHORTEST = 0.001
"""Minimum seconds of a socket timeout, since 0 would mean "do not block"."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Successful request that changed something at the provider, within an attempt.

    Its response reported success, or must have done so because another request followed.
    ``returned`` is the provider's return value, as recorded by the author; it appears in the error
    of a later step, with secrets redacted.
    """

    step: str
    request_id: str | None = None
    returned: Any = None


@dataclass(slots=True, eq=False)
class Apart:
    """Request that an action sends in a separate thread. Its outcome is recorded here; without one,
    the attempt ends as unclear.
    """

    call: Call
    step: str
    share: Share | None = None
    """Share of the memory for this thread's response; each thread releases its share
    independently.
    """
    number: int = field(default_factory=count().__next__)

    def answered(self, request_id: str | None = None) -> None:
        """Record that the provider has answered with success."""
        self.call.prove(self, Answered(self.step, request_id))

    def refused(self) -> None:
        """Record that the provider has refused the request, or that nothing of it was sent."""
        self.call.prove(self, None)


Answer = Callable[[Mapping[str, Any]], Mapping[str, Any] | None]
"""Function that receives a question of a provider to a person; it returns the answer, or None."""
AskCaller = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Function that receives the name of a question, and the question; it returns the caller's answer,
or raises.
"""


@dataclass(slots=True)
class IdempotencyKey:
    """Key by which a provider can recognise a repeated request. ``used`` is set once a client has
    read the key.
    """

    value: str = field(default_factory=lambda: str(uuid4()))
    used: bool = False


@dataclass(slots=True)
class Call:
    """One attempt of an action, as its client sees it.

    A client that uses the network calls ``begin()`` right before it sends the first byte of each
    request, and sets ``request_id`` from the response. Before the first ``begin()``, a failure that
    the error map knows is never in doubt; an unknown exception, such as a ``KeyError``, leaves a
    ``write`` in doubt.

    - ``permissions``: permissions that the action or trigger needs, by system, for errors.
    - ``done``: the successful requests that changed something. Once it has an entry, a ``write`` is
      neither retried nor reported as "not sent".
    - ``entered``: set once the action's function runs; ``ended`` once it has returned. Nothing is
      sent after that.
    - ``unproven``: requests of ``begin_apart`` that may have changed something, of unknown outcome.
    - ``gate``: set by the runtime to delay the first request until its rate-limit slot.
    - ``observe``: set if a plugin observes requests; a client calls it after each.
    - ``workspace``: the workspace that calls; empty outside an action.
    - ``files``: stores the files that the action returns; None without storage.
    - ``warnings``: remarks for the caller of a successful call; set by ``warn``.
    - ``unread``: the response that proves a success although it could not be read; set by a client
      if the runtime ``takes_unread``.
    - ``share``: the memory that its responses hold.
    - ``follows``: True if the page token comes from the previous page, and not from the caller.
    - ``only_hosts``: the hosts that its runtime may reach; None for any.
    - ``open_end``: the page does not show whether it is the last one; set by ``unfinished``.
    - ``events``: receives the action's events, for a caller who requested them.
    - ``exchanges``: receives its requests and responses, with their bodies if it ``sees_bodies``;
      None if they are not recorded.
    - ``progress``: receives the fraction done, from 0 to 1 (None if unknown), and a text about the
      current work; None if nobody follows the call.
    - ``answer``: answers a provider's question to a person (the entry points
      ``jackfield.answers``); None if no package does.
    - ``ask_caller``: returns the caller's answer to such a question, under the provider's name for
      it, or raises if another call must bring it. Called only before anything was done. None if the
      caller cannot be asked.
    - ``answer_late``: records the output, or the failure, of a call whose caller has left; None
      before that, and for calls of connectors.
    - ``mark``: makes the attempt's ``marker``; None for an attempt that needs none.
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
    ended: bool = False
    unproven: set[Apart] = field(default_factory=set)
    gate: Callable[[], None] | None = None
    observe: Observe | None = None
    workspace: str = ""
    files: FileStore | None = None
    warnings: tuple[Detail, ...] = ()
    unread: Unread | None = None
    takes_unread: bool = False
    share: Share | None = None
    follows: bool = False
    open_end: bool = False
    only_hosts: OnlyHosts | None = None
    events: AttemptEvents = field(default_factory=AttemptEvents)
    exchanges: list[Exchange] | None = None
    sees_bodies: bool = False
    progress: Callable[[float | None, str], object] | None = None
    answer: Answer | None = None
    ask_caller: AskCaller | None = None
    answer_late: Callable[[Mapping[str, Any] | Exception], None] | None = None
    mark: Callable[[], str] | None = None
    _unanswered: str | None = None
    _returned: Any = None
    _further: int = 0
    _marker: str | None = None

    @property
    def idempotency_key(self) -> str:
        """Idempotency key of the caller, or one derived from the invocation. All attempts of an
        invocation share it.

        Pass the key on to a provider that accepts idempotency keys. An action that sends several
        requests appends the step's name for each.
        """
        self.key.used = True
        return self.key.value

    @property
    def marker(self) -> str | None:
        """Marker of this attempt, 26 random-looking characters by which evidence recognises it;
        None if the attempt needs no marker.
        """
        if self.mark is not None and self._marker is None:
            self._marker = self.mark() or None
        return self._marker

    def begin(self, step: str = "", *, safe: bool = False) -> None:
        """Report that a request is about to be sent. A second request in the same attempt implies
        that the first one received a response.

        ``step`` names the request in errors. ``safe`` means that it changes nothing at the provider
        (HTTP GET and HEAD).

        :raises Cancelled: if the caller has disconnected before anything was sent, or the action
            has ended.
        :raises TimedOut: if the deadline has passed.
        :raises JackfieldError: if the last response could not be read: the action would continue
            without its content.
        :raises Unavailable: if this process lacks memory for another response.
        """
        if self.unread is not None:
            raise self.unread.error
        if self.requests:
            self.answered()
        self._let_go(self.room())
        self.requests += 1
        if not safe:
            self.changes = True
            self._unanswered, self._returned = step or f"request {self.requests}", None

    def begin_apart(self, step: str, *, safe: bool = False) -> Apart:
        """Report a request that another thread than the action's is about to send. The returned
        object records its own outcome.

        :raises Cancelled: as ``begin`` does.
        :raises TimedOut: as ``begin`` does.
        """
        share = Share(self.workspace)
        self._let_go(share)
        self.requests += 1
        found = Apart(self, step, share)
        if not safe:
            self.changes = True
            self.unproven.add(found)
        return found

    def prove(self, request: Apart, done: Answered | None) -> None:
        """Record the outcome of a request of ``begin_apart``; ``done`` is None if the request has
        changed nothing.
        """
        if request in self.unproven:
            self.unproven.discard(request)
            if done is not None:
                self.add_done(done)

    @staticmethod
    def refuse_late() -> NoReturn:
        """Refuse a request of an action that has ended."""
        raise Cancelled("the action has ended, so nothing more is sent for it", sent=Sent.NOTHING)

    def _let_go(self, share: Share) -> None:
        """Check right before the first byte of a request whether it may be sent, and reserve memory
        for its response in ``share``.
        """
        if self.ended:
            self.refuse_late()
        if not self.begun:
            gate, self.gate = self.gate, None
            if gate is not None:
                gate()
            # before the look at the deadline: whoever gives up at the deadline sees this, or
            # nothing is sent any more
            self.begun = True
            may_send = False
            try:
                self.check()
                share.admit()
                may_send = True
            finally:
                self.begun = may_send
        elif self.deadline.remaining() <= 0:
            raise self.deadline.passed(Sent.UNKNOWN)
        else:
            share.admit()

    def drop_answers(self) -> None:
        """Release the memory for responses of a failed attempt."""
        # the attempt's exception may hold it in a reference cycle for long
        if self.share is not None:
            self.share.release()

    def room(self) -> Share:
        """Return the call's share of the memory for responses."""
        if self.share is None:
            self.share = Share(self.workspace)
        return self.share

    def wait_for_slot(self) -> None:
        """Wait until the first request may begin, if the action is rate-limited; the wait takes a
        few milliseconds at most.
        """
        gate, self.gate = self.gate, None
        if gate is not None:
            gate()

    def returned(self, value: Any) -> None:
        """Store the value of a response with a success status, without counting the response as a
        success yet.

        It counts as one when the next request begins, or when the attempt fails in a way that would
        otherwise count as not sent.
        """
        self._returned = value

    def answered(self, returned: Any = None) -> None:
        """Record that the last request succeeded, and optionally the provider's returned value (an
        ID to find the result by).
        """
        # the author forgot begin(), but a response proves that a request was sent
        if self._unanswered is None and not self.requests:
            self.begun = self.changes = True
            self._unanswered = "a request that was not announced"
        if self._unanswered is not None:
            found = Answered(
                self._unanswered, self.request_id, self._returned if returned is None else returned
            )
            self._unanswered = None
            self.add_done(found)

    def add_done(self, found: Answered) -> None:
        """Add a successful request to ``done``; beyond the limit, the last entry stands for all
        further requests.
        """
        if len(self.done) < MAX_DONE:
            self.done.append(found)
        else:
            self._further += 1
            self.done[-1] = replace(
                found, step=f"{found.step}, the last of {self._further + 1:,} further steps"
            )

    def refused(self) -> None:
        """Record that the last request was refused, so that a further request of this attempt does
        not imply its success.
        """
        self._unanswered = self._returned = None

    def warn(self, message: str, path: str = "") -> None:
        """Add a warning about a success to ``meta.warnings``, at most 20 in one attempt.

        ``path`` is a JSON Pointer into the output, if the warning is about a part of it.
        """
        if len(self.warnings) < MAX_WARNINGS:
            where = path if path.startswith("/") else ""
            self.warnings = (
                *self.warnings,
                Detail(where[:_LONGEST_WARNING], message[:_LONGEST_WARNING]),
            )

    def failed_in_part(
        self, entries: Sequence[Detail], message: str = "", path: str = "", *, failed: int = 0
    ) -> None:
        """Report that the provider carried out only a part of the request. ``entries`` are the
        failed entries: each has a JSON Pointer into the output, and the provider's message; a
        ``FailedEntry`` also points into the inputs. ``failed`` is their number, if ``entries`` does
        not contain all of them.

        The report is a warning with the code ``partial``; with ``partial: "fail"`` the call fails,
        with details that point into the inputs.
        """
        if entries and len(self.warnings) < MAX_WARNINGS:
            known = sum(len(one.entries) for one in self.warnings if isinstance(one, FailedEntries))
            shown = tuple(shortened(one) for one in entries[: MAX_FAILED_ENTRIES - known])
            count = max(failed, len(entries))
            text = (
                message
                or f"succeeded in part: {count:,} {'entry' if count == 1 else 'entries'} failed"
            )
            self.warnings = (
                *self.warnings,
                FailedEntries(path[:_LONGEST_WARNING], text[:_LONGEST_WARNING], None, shown, count),
            )

    def hand_on(self, event: Mapping[str, Any]) -> None:
        """Pass an event, a JSON object, to a caller who requested events. The output contains the
        event, too.

        :raises JackfieldError: if the caller of a ``read`` has left, or does not read its events in
            time.
        """
        self.events.hand_on(event)

    def unfinished(self, reason: str) -> None:
        """Report that a page has neither a next page nor an end of its list, or lacks items.
        ``meta.complete`` is false, with ``reason`` as a warning.
        """
        self.open_end = True
        self.warn(reason)

    def confirm(self) -> None:
        """Count the response stored by ``returned`` as a success."""
        if self._returned is not None:
            self.answered()

    def remaining(self) -> float:
        """Return the seconds left for the next request: a valid socket timeout, always greater than
        0.
        """
        return max(_SHORTEST, self.deadline.remaining())

    def check(self) -> None:
        """Check that the operation may continue. Clients that need several steps before the
        operation takes effect call it.

        :raises Cancelled: if the caller has disconnected.
        :raises TimedOut: if the deadline has passed.
        """
        if self.cancelled.is_set():
            raise Cancelled(
                "the invocation was cancelled before anything was sent", sent=Sent.NOTHING
            )
        if self.deadline.clock.monotonic() >= self.deadline.at:
            raise self.deadline.passed(Sent.NOTHING)


_CURRENT = cast("ContextVar[Call | None]", CURRENT)


def current_call() -> Call | None:
    """Return the attempt that this thread or task runs, for hooks deep inside a client; None
    outside an attempt.
    """
    return _CURRENT.get()


set_current, reset_current = _CURRENT.set, _CURRENT.reset
"""Functions that make a call current for this thread or task, and reset it with the returned token.
``entered`` does both, with three more function calls.
"""


class entered:  # noqa: N801 (used like a function; contextlib's decorator takes three times as long)
    """Context manager that makes ``call`` current for this thread or task."""

    __slots__ = ("_call", "_token")

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> Call:
        self._token = _CURRENT.set(self._call)
        return self._call

    def __exit__(self, *exception: object) -> None:
        _CURRENT.reset(self._token)
        if exception[0] is not None:
            self._call.drop_answers()


class WouldWait(BaseException):
    """Signal that opening a connection in an event loop has to wait, which would block all other
    calls. The opening is repeated in a thread.
    """


_HURRIES: ContextVar[bool] = ContextVar("jackfield_hurries", default=False)


def check_may_wait() -> None:
    """Check, before a wait for credentials, that this thread may wait.

    :raises WouldWait: if it opens a connection in an event loop.
    """
    if _HURRIES.get():
        raise WouldWait


def without_waiting(function: Callable[[], T]) -> tuple[T] | None:
    """Call a function that opens a connection in an event loop; return its client in a tuple, or
    None if it would have to wait for credentials.
    """
    token = _HURRIES.set(True)
    try:
        return (function(),)
    except WouldWait:
        return None
    finally:
        _HURRIES.reset(token)


@dataclass(frozen=True, slots=True, repr=False)
class Minted(SecretHolder):
    """Newly issued credential.

    ``value`` must be JSON, because processes share it through the database. ``expires_at`` is in
    seconds since 1970, or None if the credential does not expire. ``secrets`` are the strings in
    ``value`` that must never be displayed.
    """

    value: Any
    expires_at: float | None = None
    secrets: tuple[str, ...] = ()


class Leases(Protocol):
    """Store of leased credentials and open clients, for one connection of one workspace."""

    def lease(
        self, key: str, mint: Callable[[], Minted], deadline: Deadline, *, outlasts: bool = False
    ) -> Minted:
        """Return the credential under ``key``. Concurrent callers share one ``mint``; the
        credential is refreshed before it expires. A mint that ``outlasts`` its caller goes on after
        the caller's deadline.
        """

    def drop(self, key: str, used: Minted) -> None:
        """Remove ``used``, which the provider reported as expired."""

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        """Return the object under ``key``. It is created on first use and lives as long as the
        connection's cache entry.
        """


@dataclass(frozen=True, slots=True, repr=False)
class OpenContext(SecretHolder):
    """Arguments with which a connection type opens a client: identity, inputs, permissions, leases
    and caches.

    - ``connection``: None for inline values.
    - ``inputs``: the validated inputs of the action, empty for a connection test.
    - ``permissions``: the permissions that a session may be narrowed to, by system: those of all
      actions of the connector, or of the working trigger.
    - ``narrowed``: True if the session must be narrowed to ``permissions``, whatever the connection
      says.
    - ``guard``: checks hosts that come from the connection's own values. Connect with
      ``guard.connect``, or have it check the address before connecting.
    - ``grants``: the approval of a person, for types with ``authorizes``; None for inline values
      and without a database.
    - ``registrations``: the workspace's clients at providers, while a person approves; else None.
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
    grants: Grants | None = None
    registrations: ClientRegistrations | None = None
    narrowed: bool = False

    @property
    def invocation_id(self) -> str:
        """ID of the invocation; empty during a connection test."""
        return self.call.invocation_id

    @property
    def idempotency_key(self) -> str:
        """Idempotency key of the call. A client stored with ``cached`` must read ``current_call()``
        for each request instead.
        """
        return self.call.idempotency_key

    def lease(self, key: str, mint: Callable[[], Minted], *, outlasts: bool = False) -> Minted:
        """Return a credential, minted once for all concurrent callers and reused while fresh.
        Connections and tenants never share a credential.

        ``outlasts``: ``mint`` has its own time limit, because its outcome must not be lost (a
        refresh token that replaces the previous one). It runs in a separate thread, and each caller
        waits until its own deadline at most.

        :raises TimedOut: if the deadline passes before the mint ends; nothing was sent.
        """
        return self.leases.lease(key, mint, self.call.deadline, outlasts=outlasts)

    def drop(self, key: str, used: Minted) -> None:
        """Remove a leased credential that the provider reported as expired."""
        self.leases.drop(key, used)

    def cached(self, key: object, make: Callable[[], T]) -> T:
        """Return an object that is expensive to create; it is cached until the connection
        changes.
        """
        found: T = self.leases.cached(key, make)
        return found
