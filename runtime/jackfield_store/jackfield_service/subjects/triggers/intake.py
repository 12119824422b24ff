"""Intake of webhooks: the requests of providers become events, behind our server or behind a
platform's own gateway.

The path identifies a subscription, and proves nothing: the connector's verifier checks the raw
bytes first. A handshake by which a provider checks the URL is answered if the trigger declares it,
and stores nothing. An event is on the disk before the provider gets its 2xx. A refusal does not
reveal which subscriptions exist: an unknown path, another workspace's path and a guessed path get
the same answer.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urlencode

from jackfield.connector.context import entered
from jackfield.connector.hook_requests import HookRequest, Malformed
from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.dataclass import dataclass, field, replace
from jackfield.kernel.errors import Internal, InvalidInvocation, JackfieldError
from jackfield.kernel.failures import Raised, attempt_foreign
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.rate_limiter import RateLimiter, network_of
from jackfield.kernel.secrecy import SecretHolder
from jackfield_service.subjects.references import said
from jackfield_service.subjects.triggers.arrivals import (
    LISTENING,
    ArrivalUnit,
    NotReceivingError,
    in_parts,
    require_receiving,
)
from jackfield_service.subjects.triggers.due import DueSubscriptions
from jackfield_service.subjects.triggers.event_calls import EventCalls
from jackfield_service.subjects.triggers.fetched_files import FetchedFiles
from jackfield_service.subjects.triggers.guards import pause_exceeding
from jackfield_service.subjects.triggers.subscription_work import (
    SubscriptionWork,
    hook_of,
    token_ended,
)
from jackfield_service.subjects.triggers.subscriptions import check_inputs
from jackfield_service.subjects.triggers.table import by_path
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.database.setting_rows import PUBLIC_URL
from jackfield_store.management.provider_steps import call_of
from jackfield_store.runtime.runtime_pool import RuntimePool

if TYPE_CHECKING:
    from jackfield.connector.triggers import Hook as DeclaredHook
    from jackfield.connector.triggers import Received
    from jackfield.manifest.triggers import TriggerManifest
    from jackfield_service.subjects.triggers.subscription import Sealed, Subscription
    from jackfield_store.runtime import Jackfield

T = TypeVar("T")

_LOG = logging.getLogger("jackfield.triggers")
_LATER, _NOBODY = "the request cannot be stored now", "nothing listens here any more"
_LONGEST_ANSWER, _LONGEST_REASON = 4096, 200
_SENT_HEADERS = frozenset({"webhook-allowed-origin", "webhook-allowed-rate", "x-hook-secret"})
"""Header fields of a handshake's answer."""
_TRIES = 5
_SECONDS = 2.0
"""Timeout in seconds of a connector in a process of its own that reads a request."""
_RATE, _UNKNOWN, _FORGED = 500.0, 50.0, 10.0
"""Maximum requests per second: of one path; for unknown paths from one address; forged from one
address for one path.
"""
_OPENED = 1000
_SECOND = {"Retry-After": "1"}


@dataclass(frozen=True, slots=True, repr=False)
class Hook(SecretHolder):
    """Request of a provider, as a gateway has received it.

    ``path`` is the path of the URL, whose last segment names the subscription. ``body`` has the raw
    bytes, which are signed. ``address`` is the sender's, not a proxy's; unknown paths and forged
    requests are limited by address. ``query_string`` is the query as sent, which some providers
    sign; by default it is made from ``query``.
    """

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    address: str = ""
    query_string: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """Response to be sent to the provider unchanged: status, header fields and body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True, repr=False)
class Listening(SecretHolder):
    """Subscription that listens at a path; ``largest`` is the maximum size of a request's body in
    bytes.
    """

    subscription: Subscription
    largest: int
    forgers: bytes
    """Key under which forged requests of the sender's address are counted."""


class RefusedError(Exception):
    """Refusal of a request: the status, a sentence for the sender, and header fields."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})

    @property
    def answer(self) -> Answer:
        """Refusal as a plain-text response."""
        return _answer(self.status, self.detail, "text/plain", self.headers)


class UnsignedError(Exception):
    """Error for a request that the connector's verifier has refused, with its reason for the
    log.
    """


class Intake(ProcessLocal):
    """Intake of all webhooks of a database. Any thread may call it; one instance serves a whole
    process.

    It opens the database that ``environment`` names (default: the process's), and closes it with
    ``close``, unless it gets the ``runtimes`` of a process that has it open. ``wake`` is called
    after invocations were queued. The limits are per second: ``rate`` requests of one path,
    ``unknown`` paths of one address, 0 for no limit.
    """

    def __init__(
        self,
        environment: Mapping[str, str] | None = None,
        *,
        runtimes: RuntimePool | None = None,
        rate: float = _RATE,
        unknown: RateLimiter | float = _UNKNOWN,
        wake: Callable[[], object] = lambda: None,
    ) -> None:
        self._owns = runtimes is None
        self._runtimes = (
            _pool_of(os.environ if environment is None else environment)
            if runtimes is None
            else runtimes
        )
        self._wake = wake
        clock = self._runtimes.clock
        self.rates = RateLimiter(rate, clock)
        """Signed requests by subscription."""
        self.unknown = unknown if isinstance(unknown, RateLimiter) else RateLimiter(unknown, clock)
        """Unknown paths by address."""
        self.forged = RateLimiter(_FORGED, clock)
        """Forged requests by subscription and address."""
        self._fetched = FetchedFiles(clock)
        self._opened_hooks: BoundedCache[
            tuple[str, bytes, int], tuple[TriggerManifest, Sealed, DeclaredHook]
        ] = BoundedCache(_OPENED)
        self._one = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the database if this intake has opened it."""
        if self._owns:
            self._runtimes.close()

    def receive(self, hook: Hook) -> Answer:
        """Receive a request. Its events are committed before this returns 2xx. A refusal is
        returned as an answer, too.
        """
        try:
            return self.take(self.find(hook), hook)
        except RefusedError as refused:
            return refused.answer

    def find(self, hook: Hook) -> Listening:
        """Return the subscription at the path of a request, for gateways that limit the body before
        reading it: ``hook.body`` is not used.

        :raises RefusedError: 404 for an unknown path, 410 for a disabled one, 415 for an encoded
            body, 429 for too many unknown paths. 503 if the database does not answer, or the
            trigger is not installed.
        """
        sender = network_of(hook.address)
        with self._turn(self.unknown, sender):
            found = self._looked_up(hook)
        if found is None or found.status == "removing":
            if not self.unknown.takes(sender):
                raise RefusedError(
                    429, "too many requests for unknown paths have come from this address", _SECOND
                )
            raise RefusedError(404, "nothing listens here")
        if found.status not in LISTENING:
            raise RefusedError(410, _NOBODY)
        if _lowered(hook.headers).get("content-encoding", "identity") != "identity":
            raise RefusedError(
                415,
                "send the body without a Content-Encoding: its signature is checked as it arrives",
            )
        trigger = self._run_step(lambda: self._runtimes.catalog.find(found.connector)).triggers.get(
            found.trigger_key
        )
        if trigger is None:
            raise RefusedError(503, "the trigger is not installed now", {"Retry-After": "60"})
        return Listening(found, trigger.largest, found.id.encode() + sender)

    def take(self, at: Listening, hook: Hook) -> Answer:
        """Verify a request, and store its events.

        Once an address sends many forged requests, they are verified one at a time, so that they
        never shut out valid senders at the same address.

        :raises RefusedError: 401 for an unsigned request, 400 for an unreadable one. 405 for
            another method than POST that is no handshake. 413 for a body that is too large, 429 for
            too many requests, 503 if it cannot be stored at present. 410 as for ``find``.
        """
        if not isinstance(hook.body, bytes):
            raise TypeError("'body' must be the bytes as they have arrived, since they are signed")
        if len(hook.body) > at.largest:
            raise RefusedError(413, f"the body is larger than {at.largest:,} bytes")
        with self._turn(self.forged, at.forgers):
            outcome = self._stored_at_last(at, hook)
        sent = {
            name: value for name, value in outcome.headers.items() if name.lower() in _SENT_HEADERS
        }
        return _answer(200, outcome.answer[:_LONGEST_ANSWER], outcome.media_type, sent)

    @contextmanager
    def _turn(self, budgets: RateLimiter, key: bytes) -> Iterator[None]:
        """Wait for a turn if the budget of ``key`` is used up. All senders over a budget share one
        turn.
        """
        if not budgets.is_empty(key):
            yield
            return
        with self._one:
            yield

    def _looked_up(self, hook: Hook) -> Subscription | None:
        storage, path = self._runtimes.storage, hook.path.rpartition("/")[2]
        return self._run_step(lambda: by_path(storage.database, path)) if storage.enabled else None

    def _run_step(self, step: Callable[[], T]) -> T:
        """Run a step before the request's owner is known.

        :raises RefusedError: 503 if it fails. The sender does not learn the cause of our failure.
        """
        try:
            return step()
        except JackfieldError as error:
            _LOG.error("a request of a webhook cannot be received: %s", error.message)
            raise RefusedError(503, _LATER, {"Retry-After": "5"}) from None

    def _stored_at_last(self, at: Listening, hook: Hook) -> Received:
        """Store the events of a request by ``_store_events``; repeat this if a worker has changed
        the subscription's content meanwhile.
        """
        found, headers, now = at.subscription, _lowered(hook.headers), self._runtimes.clock.time()
        query = hook.query_string or urlencode(hook.query)
        request = HookRequest(
            hook.body,
            headers,
            at=now,
            query=dict(hook.query),
            method=hook.method,
            query_string=query,
        )
        for _ in range(_TRIES):
            try:
                return self._store_events(at, found, request)
            except OvertakenError:
                found = self._looked_up(hook) or found
        raise RefusedError(503, _LATER, _SECOND)

    def _store_events(self, at: Listening, found: Subscription, request: HookRequest) -> Received:
        """Verify a request, store its events, and return the data for the response."""
        whose = f"the subscription '{found.name}' of the workspace '{found.workspace}'"
        try:
            return self._committed(found, request)
        except UnsignedError as error:
            _LOG.warning("a request for %s was refused: %s", whose, _why(error))
            if not self.forged.takes(at.forgers):
                raise RefusedError(
                    429, "too many forged requests have come from this address", _SECOND
                ) from None
            raise RefusedError(
                401, "the request is not signed as it must be", {"WWW-Authenticate": "Signature"}
            ) from None
        except Malformed:
            if request.method != "POST":
                raise RefusedError(405, "this path takes POST", {"Allow": "POST"}) from None
            _LOG.warning("a signed request for %s cannot be read", whose)
            raise RefusedError(400, "the request cannot be read") from None
        except NotReceivingError as error:
            if error.ended is not None:
                DueSubscriptions(self._runtimes.storage.database, self._runtimes.clock).ended(
                    found, said(token_ended(error.ended))
                )
            raise (
                RefusedError(503, _LATER, {"Retry-After": "60"})
                if error.suspended
                else RefusedError(410, _NOBODY)
            ) from None
        except JackfieldError as error:  # the sender learns nothing of what is amiss here
            _LOG.error("%s could not store a request: %s", whose, error.message)
            raise RefusedError(503, _LATER, {"Retry-After": "5"}) from None

    def _committed(self, found: Subscription, request: HookRequest) -> Received:
        """Verify and read a request, and commit its events and the invocations that they start."""
        runtime, now = self._runtimes.find(found.workspace), request.at
        vault = runtime.storage.vault
        require_receiving(found, suspended=runtime.access.settings.suspended)
        trigger, content, hook = self._open_subscription(runtime, found)
        outcome = self._read(runtime, found, request, hook)
        # after the verifier: forged requests use nothing up
        if not self.rates.takes(found.id.encode()):
            raise RefusedError(429, "too many requests have come for this path", _SECOND)
        caller = runtime.access.queued_by(content.caller)
        # after the verifier: a forged request is no reason to record anything
        require_receiving(found, caller.ended)
        calls = EventCalls(runtime, found, content.then, caller)
        learnt = (
            replace(content, remote={**content.remote, **outcome.remote}).sealed(vault, found)
            if outcome.remote
            else None
        )
        sealer = calls.sealer(trigger.types)
        for events, is_last in in_parts(outcome.events):
            unit = ArrivalUnit(
                found, sealer.arrivals(events, now), now, trigger.least, learnt if is_last else None
            )
            runtime.storage.database.record(unit)
        pause_exceeding(runtime, sealer.suppressing)
        if calls.queued:
            self._wake()
        return outcome

    def _open_subscription(
        self, runtime: Jackfield, found: Subscription
    ) -> tuple[TriggerManifest, Sealed, DeclaredHook]:
        """Open a subscription and judge its inputs, once for all its requests until its content or
        the connector changes.
        """
        manifest = runtime.catalog.find(found.connector)
        trigger = manifest.triggers[found.trigger_key]
        key = (found.id, found.sealed, id(trigger))
        known = self._opened_hooks.get(key)
        if known is None:
            content = found.opened(runtime.storage.vault)
            inputs = check_inputs(runtime, manifest, trigger, content.inputs)
            known = (
                trigger,
                content,
                hook_of(content, inputs, runtime.storage.shared.value(PUBLIC_URL)),
            )
            self._opened_hooks.put(key, known)
        return known

    def _read(
        self, runtime: Jackfield, found: Subscription, request: HookRequest, hook: DeclaredHook
    ) -> Received:
        from jackfield.connector.triggers import Forged, Needs, Webhook

        trigger = runtime.catalog.load(found.connector).triggers[found.trigger_key]
        if not isinstance(trigger, Webhook):
            raise Internal("the trigger is no webhook any more")
        with entered(call_of(runtime.pipeline, _SECONDS)):
            outcome = attempt_foreign(trigger.read, request, hook)
            if isinstance(outcome, Raised) and isinstance(outcome.error, Needs):
                outcome = attempt_foreign(
                    trigger.read, request, self._with_file(runtime, found, hook, outcome.error.name)
                )
        if not isinstance(outcome, Raised):
            return outcome
        if isinstance(outcome.error, Forged):
            raise UnsignedError(str(outcome.error))
        if isinstance(outcome.error, Malformed | JackfieldError):
            raise outcome.error
        raise Internal(f"the connector's code failed: {type(outcome.error).__name__}")

    def _with_file(
        self, runtime: Jackfield, found: Subscription, hook: DeclaredHook, name: str
    ) -> DeclaredHook:
        storage = runtime.storage
        due = DueSubscriptions(storage.database, runtime.clock)
        work = SubscriptionWork(runtime, found, due, storage.shared.value(PUBLIC_URL))
        return replace(
            hook, found={name: self._fetched.find(found, name, lambda: work.fetch(name))}
        )


def _pool_of(environment: Mapping[str, str]) -> RuntimePool:
    """Open the runtimes of a process that has no open ones.

    :raises InvalidInvocation: if there is no database.
    """
    pool = RuntimePool(environment)
    if not pool.storage.enabled:
        raise InvalidInvocation(
            "webhooks need a database, and JACKFIELD_DATABASE_URL is 'none'",
            hint="Configure a database.",
        )
    return pool


def _answer(status: int, text: str, kind: str, headers: Mapping[str, str]) -> Answer:
    own = {
        "Content-Type": f"{kind}; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Answer(status, {**headers, **own}, text.encode("utf-8", "replace"))


def _lowered(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _why(error: UnsignedError) -> str:
    """Return a verifier's reason for the log, in one line of printable characters."""
    reason = "".join(letter if letter.isprintable() else " " for letter in str(error))[
        :_LONGEST_REASON
    ]
    return reason or "it is forged"
