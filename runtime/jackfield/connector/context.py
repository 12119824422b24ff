"""The context that the runtime passes to a connection when it opens, and the ``Call`` in which a client reports each attempt's progress."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from io import BytesIO
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from jackfield.clock import Clock, Deadline
from jackfield.connector.grants import Grants
from jackfield.connector.room import RESERVED, VALUE, Share
from jackfield.dataclass import dataclass, field, replace
from jackfield.errors import Cancelled, Detail, Sent, Unavailable
from jackfield.json_tools.price import CHECKS, MAX_ANSWER_VALUES, TooCostly, meter_for, structure
from jackfield.secrecy import SecretHolder
from jackfield.wire.guard import ANYWHERE, Guard

T = TypeVar("T")
Observe = Callable[[str, str, float, float, int | None], object]
"""Takes a request's method, host, start and end, in seconds since 1970, and status; None if there was no response."""

MAX_WARNINGS = 20
"""Limit of entries in ``meta.warnings``."""
MAX_DONE = 100
"""Limit of entries in ``Call.done``; the last one then stands for all further steps."""
_LONGEST_WARNING = 1000
_SHORTEST = 0.001
"""Seconds. A socket timeout of 0 would mean "do not block"."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Successful request that changed something at the provider, within an attempt.

    Its response reported success, or must have done so because another request followed. ``returned`` is what the provider returned, as
    recorded by the author; it appears in the error of a later step, with secrets redacted.
    """

    step: str
    request_id: str | None = None
    returned: Any = None


class FileStore(Protocol):
    """Storage of the files that actions of one workspace return."""

    def store(self, chunks: Iterable[bytes], content_type: str, name: str | None) -> Mapping[str, Any]:
        """Store content and return the file as it appears in the output."""


@dataclass(slots=True)
class IdempotencyKey:
    """Key by which a provider can recognise a repeated request. ``used`` is set once a client has read the key."""

    value: str = field(default_factory=lambda: str(uuid4()))
    used: bool = False


@dataclass(slots=True)
class Call:
    """One attempt of an action, as its client sees it.

    A client that talks to the network calls ``begin()`` right before it sends the first byte of each request, and sets ``request_id`` from
    the response. A failure before the first ``begin()`` is never in doubt.

    - ``permissions``: those that the action or trigger needs, by system, for errors that list what to allow; else empty.
    - ``done``: the successful requests that changed something. Once it has an entry, a ``write`` is neither retried nor reported as "not
      sent".
    - ``entered``: set once the action's function runs.
    - ``gate``: set by the runtime to delay the first request until its rate-limit slot.
    - ``observe``: set by the runtime if a plugin observes requests; a client calls it after each.
    - ``workspace``: the workspace that calls; empty outside an action.
    - ``files``: stores the files that the action returns; None where there is no storage.
    - ``warnings``: what the caller of a success should know; set by ``warn``.
    - ``share``: the memory that its responses hold, from its first request to its end.
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
    gate: Callable[[], None] | None = None
    observe: Observe | None = None
    workspace: str = ""
    files: FileStore | None = None
    warnings: tuple[Detail, ...] = ()
    share: Share | None = None
    _unanswered: str | None = None
    _returned: Any = None
    _further: int = 0

    @property
    def idempotency_key(self) -> str:
        """The caller's idempotency key, or one derived from the invocation. All attempts of an invocation share it.

        Pass it on to a provider that accepts idempotency keys. An action that sends several requests appends the step's name for each.
        """
        self.key.used = True
        return self.key.value

    def begin(self, step: str = "", *, safe: bool = False) -> None:
        """Report that a request is about to be sent. A second request in the same attempt implies that the first one received a response.

        ``step`` names the request in errors. ``safe`` means that it changes nothing at the provider (HTTP GET and HEAD).

        :raises Cancelled: if the caller has disconnected before anything was sent.
        :raises TimedOut: if the deadline has passed.
        :raises Unavailable: if this process has no room for another response.
        """
        if self.requests:
            self.answered()
        if not self.begun:
            self.wait_for_slot()
            self.begun = True  # before the look at the deadline: whoever gives up at the deadline sees this, or nothing is sent any more
            may_send = False
            try:
                self.check()
                self.room().admit()
                may_send = True
            finally:
                self.begun = may_send
        elif self.deadline.remaining() <= 0:
            raise self.deadline.passed(Sent.UNKNOWN)
        else:
            self.room().admit()
        self.requests += 1
        if not safe:
            self.changes = True
            self._unanswered, self._returned = step or f"request {self.requests}", None

    def room(self) -> Share:
        """Return the call's part of the memory for responses."""
        if self.share is None:
            self.share = Share(self.workspace)
        return self.share

    def release(self) -> None:
        """Release the memory of its responses, which nobody needs any more."""
        if self.share is not None:
            self.share.release()

    def wait_for_slot(self) -> None:
        """Wait until the first request may begin, if the action is rate-limited; waits a few milliseconds at most."""
        gate, self.gate = self.gate, None
        if gate is not None:
            gate()

    def returned(self, value: Any) -> None:
        """Store what a response with a success status returned, without counting it as a success yet.

        A transport cannot tell a valid response from a malformed one. The response counts as a success when the next request begins, or
        when the attempt fails in a way that would otherwise count as not sent.
        """
        self._returned = value

    def answered(self, returned: Any = None) -> None:
        """Record that the last request succeeded, and optionally what the provider returned (an ID to find the result by)."""
        if self._unanswered is None and not self.requests:  # the author forgot begin(), but a response proves that a request was sent
            self.begun = self.changes = True
            self._unanswered = "a request that was not announced"
        if self._unanswered is not None:
            found = Answered(self._unanswered, self.request_id, self._returned if returned is None else returned)
            self._unanswered = None
            if len(self.done) < MAX_DONE:
                self.done.append(found)
            else:
                self._further += 1
                self.done[-1] = replace(found, step=f"{found.step}, the last of {self._further + 1:,} further steps")

    def refused(self) -> None:
        """Record that the last request was refused: a further request of this attempt does not imply that it succeeded."""
        self._unanswered = self._returned = None

    def warn(self, message: str, path: str = "") -> None:
        """Tell the caller something about a success: an entry of ``meta.warnings``, at most 20 in one attempt.

        ``path`` is a JSON Pointer into the output, if it is about a part of it.
        """
        if len(self.warnings) < MAX_WARNINGS:
            where = path if path.startswith("/") else ""
            self.warnings = (*self.warnings, Detail(where[:_LONGEST_WARNING], message[:_LONGEST_WARNING]))

    def confirm(self) -> None:
        """Count the response stored by ``returned`` as a success."""
        if self._returned is not None:
            self.answered()

    def remaining(self) -> float:
        """Return the seconds left for the next request. Usable as a socket timeout: always greater than 0."""
        return max(_SHORTEST, self.deadline.remaining())

    def check(self) -> None:
        """Check that the operation may continue. For clients that need several steps before the operation takes effect.

        :raises Cancelled: if the caller has disconnected.
        :raises TimedOut: if the deadline has passed.
        """
        if self.cancelled.is_set():
            raise Cancelled("the invocation was cancelled before anything was sent", sent=Sent.NOTHING)
        self.deadline.check()


_CURRENT: ContextVar[Call | None] = ContextVar("jackfield_call", default=None)


def current_call() -> Call | None:
    """Return the attempt that this thread or task runs, for hooks deep inside a client; None outside an attempt."""
    return _CURRENT.get()


set_current, reset_current = _CURRENT.set, _CURRENT.reset
"""Make a call current for this thread or task, and undo that with what it returned; ``entered`` does both, and takes three calls more."""


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


@dataclass(frozen=True, slots=True, repr=False)
class Minted(SecretHolder):
    """Newly issued credential.

    ``value`` must be JSON, because processes share it through the database. ``expires_at`` is in seconds since 1970, or None if the
    credential does not expire. ``secrets`` are the strings in ``value`` that must never be shown.
    """

    value: Any
    expires_at: float | None = None
    secrets: tuple[str, ...] = ()


class Leases(Protocol):
    """Store of leased credentials and open clients, for one connection of one workspace."""

    def lease(self, key: str, mint: Callable[[], Minted], deadline: Deadline) -> Minted:
        """Return the credential under ``key``. Concurrent callers share one ``mint``; it is refreshed before it expires."""

    def drop(self, key: str, used: Minted) -> None:
        """Remove ``used``, which the provider reported as expired."""

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        """Return the object under ``key``. It is made on first use and lives as long as the connection's cache entry."""


@dataclass(frozen=True, slots=True, repr=False)
class OpenContext(SecretHolder):
    """Everything that a connection type is given for opening a client: identity, inputs, permissions, leases and caches.

    - ``connection``: None for inline values.
    - ``inputs``: the validated inputs of the action, empty for a connection test.
    - ``permissions``: what a session may be narrowed to, by system: what all actions of the connector need, or the trigger that works.
    - ``guard``: checks hosts that come from the connection's own values. Connect with ``guard.connect``, or have it check the address
      before connecting.
    - ``grants``: the approval of a person, for types with ``authorizes``; None for inline values and without a database.
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

    @property
    def invocation_id(self) -> str:
        """Id of the invocation; empty during a connection test."""
        return self.call.invocation_id

    @property
    def idempotency_key(self) -> str:
        """Same key as ``Call.idempotency_key``. A client stored with ``cached`` must read ``current_call()`` for each request instead."""
        return self.call.idempotency_key

    def lease(self, key: str, mint: Callable[[], Minted]) -> Minted:
        """Return a credential, minted once for all concurrent callers and reused while fresh. Connections and tenants never share one."""
        return self.leases.lease(key, mint, self.call.deadline)

    def drop(self, key: str, used: Minted) -> None:
        """Remove a leased credential that the provider reported as expired."""
        self.leases.drop(key, used)

    def cached(self, key: object, make: Callable[[], T]) -> T:
        """Return an object that is expensive to create; it is cached until the connection changes."""
        found: T = self.leases.cached(key, make)
        return found


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a connection test: title, outcome, message and a hint on what to do.

    ``principal`` is the authenticated identity, as written in policies (such as an ARN), if known.
    """

    key: str
    title: str
    passed: bool
    message: str
    mandatory: bool = True
    hint: str | None = None
    principal: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the step as JSON (docs/reference/http.md)."""
        row: dict[str, Any] = {
            "key": self.key, "title": self.title, "passed": self.passed, "mandatory": self.mandatory, "message": self.message,
        }  # fmt: skip
        optional = {"hint": self.hint, "principal": self.principal}
        return row | {name: value for name, value in optional.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Account:
    """Provider account that a connection signs in to: a stable id, and a label that people recognise."""

    id: str
    label: str


MAX_ANSWER = 32 * 1024 * 1024
"""Maximum size of a response that a connector reads, in bytes. Files that an action streams have limits of their own."""


def bounded_answer(chunks: Iterable[bytes], *, limit: int = MAX_ANSWER, media_type: str = "") -> Iterator[bytes]:
    """Yield the chunks of a response, up to ``limit`` bytes and up to the deadline. Wrap the stream before anything parses it.

    A socket's timeout bounds each read, so a provider that sends single bytes could hold an attempt for ever. JSON and XML, as
    ``media_type`` says, are also judged by their number of values: parsed, they may take fifty times the memory.

    :raises Unavailable: once there are more than ``limit`` bytes or 1,000,000 values, or the process has no room for more. The provider did
        respond, so a ``write`` is in doubt.
    :raises TimedOut: if a chunk arrives after the deadline of the current call.
    """
    size, call, early, meter = 0, current_call(), list[bytes](), meter_for(media_type)
    share = Share("") if call is None else call.room()
    for chunk in chunks:
        if call is not None and call.deadline.remaining() <= 0:
            raise call.deadline.passed(Sent.UNKNOWN)
        size += len(chunk)
        if size > limit:
            raise oversized(f"is larger than {limit:,} bytes")
        if size > RESERVED:
            share.add(len(chunk))
        if meter is not None:
            early.append(chunk)
            if size > MAX_ANSWER_VALUES:  # fewer bytes cannot have more values
                try:
                    meter.feed(b"".join(early))
                except TooCostly as reason:
                    raise oversized(str(reason)) from None
                early.clear()
        yield chunk


def whole_answer(chunks: Iterable[bytes], *, limit: int = MAX_ANSWER, media_type: str = "") -> bytes:
    """Read a response whole, as ``bounded_answer`` bounds it, without a second copy of it in memory.

    :raises Unavailable: if it is too large, or the process has no room for it.
    :raises TimedOut: if a chunk arrives after the deadline of the current call.
    """
    first, body = b"", None
    for chunk in bounded_answer(chunks, limit=limit, media_type=media_type):
        if body is not None:
            body.write(chunk)
        elif first:
            body = BytesIO()
            body.write(first)
            body.write(chunk)
        else:
            first = chunk
    return first if body is None else body.getvalue()


def check_price(content: bytes, form: str = "json") -> None:
    """Judge a whole response right before it is parsed: its number of values, and the memory that they will take. ``form`` is ``json``,
    ``xml`` or ``cbor``; a response of up to 64 KiB always passes.

    :raises TooCostly: if it has more than 1,000,000 values; a ``ValueError``, as for content that is not of this form.
    :raises Unavailable: if this process has no room for them.
    """
    if len(content) <= RESERVED:
        return
    CHECKS[form](content)
    call = current_call()
    if call is not None:
        call.room().add(VALUE * min(structure(content) if form == "json" else content.count(b"<"), MAX_ANSWER_VALUES))


def oversized(reason: str) -> Unavailable:
    """Return the error for a response that is refused for what it costs; ``reason`` completes "the provider's response"."""
    error = Unavailable(
        f"the provider's response {reason}",
        hint="Check the endpoint: something other than the provider may have responded. For lists, request smaller pages.",
        sent=Sent.UNKNOWN,
        repeatable=False,
    )
    error.retryable = False  # the next response would be as large
    return error
