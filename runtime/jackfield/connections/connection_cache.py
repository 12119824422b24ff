"""Caches of leased credentials and open clients, one per connection. Concurrent callers share one
mint; leases are renewed before expiry.

``OpeningSlots`` limits the threads that open connections with one source of credentials at once. A
call without a slot waits in the event loop, without a thread, until its own deadline. So calls that
wait for an unresponsive source hold no threads that other calls need.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Mapping
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import ref

from jackfield.connector.context import Minted, check_may_wait
from jackfield.kernel.bounded_cache import BoundedCache
from jackfield.kernel.clock import Clock, Deadline, within
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.errors import Cancelled, JackfieldError, Sent, TimedOut, Unavailable
from jackfield.kernel.failures import OnFailure, Raised, attempt
from jackfield.kernel.fork import ProcessLocal
from jackfield.kernel.secrecy import SecretHolder
from jackfield.redaction.outputs import OutputMask
from jackfield.redaction.redactor import Redactor, put_in_force
from jackfield.wire.guard import unseen

if TYPE_CHECKING:
    import asyncio

    from jackfield.connections.ports import SharedLeases

AHEAD = 300.0
"""Seconds before expiry at which a lease is renewed; a quarter of its lifetime if that is
shorter.
"""
_RETRY_AFTER_FAILURE = 30.0
_KEPT_OBJECTS = 64
_APART = 30.0
"""Maximum seconds of each wait of a mint that goes on without its caller; its request has its own
limit.
"""
_SLOW = "Find out why the provider's token endpoint does not answer."
_RECENT = 8
"""Number of replaced leases whose secrets are still masked."""


@dataclass(slots=True)
class _Flight:
    """One mint in progress, whose outcome all waiting callers share."""

    done: threading.Event = field(default_factory=threading.Event)
    minted: Minted | None = None
    error: Exception | None = None


@dataclass(slots=True)
class _Held:
    minted: Minted
    renew_at: float


class ConnectionCache(SecretHolder):
    """Cache for one version of one connection of one workspace. Tenants never share a cache."""

    def __init__(
        self,
        clock: Clock,
        values: Mapping[str, Any],
        secrets: frozenset[str],
        shared: SharedLeases | None = None,
        report: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self.values = values
        self._shared = shared
        self._report = report
        self._clock = clock
        self._secrets = secrets
        self._redactor = Redactor(secrets)
        self._mask: tuple[Redactor, OutputMask] | None = None
        self._held: dict[str, _Held] = {}
        self._recent: deque[tuple[str, ...]] = deque(maxlen=_RECENT)
        self._flights: dict[str, _Flight] = {}
        self._objects: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()
        # reentrant: making one object may require another cached one
        self._making = threading.RLock()
        self.opened_in = float("inf")
        """Seconds that opening the connection took most recently."""
        self.slots = OpeningSlots()
        """Threads that open the connection at once."""
        put_in_force(self)

    @property
    def redactor(self) -> Redactor:
        """Redactor of the secrets of the connection and its leases."""
        return self._redactor

    @property
    def output_mask(self) -> OutputMask:
        """Mask of the same secrets in outputs."""
        redactor, known = self._redactor, self._mask
        if known is None or known[0] is not redactor:
            known = self._mask = (redactor, OutputMask(redactor))
        return known[1]

    def lease(
        self, key: str, mint: Callable[[], Minted], deadline: Deadline, *, outlasts: bool = False
    ) -> Minted:
        """Return the credential under ``key``. One caller mints it while the others wait, until
        ``deadline`` at most; a mint that ``outlasts`` its caller has its own thread.

        A valid lease serves all other callers during its renewal, and survives a failed renewal.

        :raises TimedOut: if the deadline passes while another caller mints the credential.
        """
        while True:
            held = self._held.get(key)
            now = self._clock.time()
            if held is not None and now < held.renew_at:
                return held.minted
            check_may_wait()
            flight, leads = self._join(key)
            if leads and outlasts:
                return self._mint_apart(key, mint, flight, held, deadline)
            if leads:
                return self._mint(key, mint, flight, held, deadline)
            if held is not None and now < (held.minted.expires_at or now):
                return held.minted
            found = _awaited(flight, deadline)
            if found is not None:
                return found
            if isinstance(flight.error, TimedOut) and deadline.remaining() <= 0:
                raise deadline.passed(Sent.NOTHING, flight.error)

    def fresh(self, key: str) -> Minted | None:
        """Return the credential under ``key`` if it is cached in this process and not due for
        renewal; else None.
        """
        held = self._held.get(key)
        return held.minted if held is not None and self._clock.time() < held.renew_at else None

    def has(self, key: str) -> bool:
        """Return whether this process has an unexpired credential under ``key``."""
        held = self._held.get(key)
        return held is not None and not _is_over(held, self._clock.time())

    @property
    def is_fresh(self) -> bool:
        """True if no lease is due for renewal."""
        if not self._held:
            return True
        now = self._clock.time()
        return all(now < held.renew_at for held in list(self._held.values()))

    def drop(self, key: str, used: Minted) -> None:
        """Drop ``used``, unless another lease has replaced it."""
        if self._shared is not None:  # first: a caller who finds none here reads it there
            self._shared.drop(key, used)
        with self._lock:
            held = self._held.get(key)
            if held is not None and held.minted is used:
                del self._held[key]

    def drop_all(self) -> None:
        """Drop all leases of this process."""
        with self._lock:
            self._held = {}

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        """Return the object under ``key``, created once; the oldest objects are evicted first."""
        found = self._objects.get(key)
        if found is not None:
            return found
        with self._making:
            found = self._objects.get(key)
            if found is None:
                found = make()
                self._objects[key] = found
                if len(self._objects) > _KEPT_OBJECTS:
                    self._objects.popitem(last=False)
        return found

    def forget(self, key: object) -> None:
        """Remove the object cached under ``key``, if there is one."""
        with self._lock:
            self._objects.pop(key, None)

    def release(self) -> None:
        """Drop the cached objects of an unused connection."""
        self._objects.clear()

    def _join(self, key: str) -> tuple[_Flight, bool]:
        with self._lock:
            flight = self._flights.get(key)
            if flight is not None:
                return flight, False
            flight = self._flights[key] = _Flight()
            return flight, True

    def _mint_apart(
        self,
        key: str,
        mint: Callable[[], Minted],
        flight: _Flight,
        held: _Held | None,
        deadline: Deadline,
    ) -> Minted:
        """Mint in a thread that continues after ``deadline``; the caller then gets the previous
        lease if it is still valid.
        """

        def run() -> None:
            # not until the caller's deadline: what the provider has answered must be stored
            with within(_APART):
                attempt(self._mint, key, mint, flight, held, Deadline.after(_APART, self._clock))

        try:
            threading.Thread(
                target=copy_context().run, args=(run,), name="jackfield-lease", daemon=True
            ).start()
        except (RuntimeError, MemoryError):  # no more threads
            return self._mint(key, mint, flight, held, deadline)
        if not flight.done.wait(max(0.0, deadline.remaining())):
            if held is not None and self._clock.time() < (held.minted.expires_at or 0.0):
                return held.minted
            raise deadline.passed(
                Sent.NOTHING,
                Unavailable("the provider has not yet renewed the credential", hint=_SLOW),
            )
        if flight.minted is None:
            raise flight.error or Unavailable("the credential was not renewed")
        return flight.minted

    def _mint(
        self,
        key: str,
        mint: Callable[[], Minted],
        flight: _Flight,
        held: _Held | None,
        deadline: Deadline,
    ) -> Minted:
        try:
            found = attempt(self._minted_anew, key, mint, held, deadline)
            if not isinstance(found, Raised):
                flight.minted = found
            elif held is not None and self._clock.time() < (held.minted.expires_at or 0.0):
                held.renew_at = self._clock.time() + _RETRY_AFTER_FAILURE
                flight.minted = held.minted
            else:
                flight.error = found.error
                raise found.error
        finally:
            with self._lock:
                self._flights.pop(key, None)
            flight.done.set()
        return flight.minted

    def _minted_anew(
        self, key: str, mint: Callable[[], Minted], held: _Held | None, deadline: Deadline
    ) -> Minted:
        current = self._held.get(key)
        if current is not None and current is not held and self._clock.time() < current.renew_at:
            return current.minted  # another caller minted between our check and our turn
        found = self._minted(key, mint, deadline)
        self._keep(key, found)
        return found

    def _minted(self, key: str, mint: Callable[[], Minted], deadline: Deadline) -> Minted:
        def counted() -> Minted:
            with OnFailure(self._report, "failed"), unseen():
                found = mint()
            self._report("leased")
            return found

        return (
            counted()
            if self._shared is None
            else self._shared.lease(key, counted, self._renew_at, deadline)
        )

    def _renew_at(self, minted: Minted) -> float:
        if minted.expires_at is None:
            return float("inf")
        return minted.expires_at - min(AHEAD, (minted.expires_at - self._clock.time()) / 4)

    def _keep(self, key: str, minted: Minted) -> None:
        with self._lock:
            now = self._clock.time()
            self._held = {
                known: held for known, held in self._held.items() if not _is_over(held, now)
            }
            self._held[key] = _Held(minted, self._renew_at(minted))
            self._recent.append(minted.secrets)  # the previous lease may still be in use
            self._redactor = self._redactor.limited_to(
                self._secrets.union(
                    *self._recent, *(held.minted.secrets for held in self._held.values())
                )
            )


def _is_over(held: _Held, now: float) -> bool:
    return held.minted.expires_at is not None and held.minted.expires_at <= now


def _awaited(flight: _Flight, deadline: Deadline) -> Minted | None:
    if not flight.done.wait(max(0.0, deadline.remaining())):
        raise deadline.passed(
            Sent.NOTHING, Unavailable("another call was still requesting the credential")
        )
    if isinstance(flight.error, TimedOut | Cancelled):
        return None  # the leader's deadline passed, not ours
    if flight.error is not None:
        raise flight.error
    return flight.minted


def _count(caches: ref[ConnectionCaches], outcome: str) -> None:
    if (found := caches()) is not None:
        found.count(outcome)


class ConnectionCaches(ProcessLocal):
    """Caches of one process, limited in number: the least recently used connection is evicted
    first.
    """

    def __init__(self, clock: Clock, limit: int = 1000) -> None:
        self._clock = clock
        self._limit = limit
        self._begin_anew()
        self.mints = {"leased": 0, "failed": 0}
        """Number of credentials requested from providers, by outcome."""

    def _begin_anew(self) -> None:
        """Drop every open client and lease: a forked child would share its parent's sockets and
        read the parent's answers.

        Nothing is closed on the providers' side.
        """
        self._lock = threading.Lock()
        self._caches: OrderedDict[Hashable, ConnectionCache] = OrderedDict()
        self._slots: BoundedCache[Hashable, OpeningSlots] = BoundedCache(self._limit)

    def slots(self, source: Hashable) -> OpeningSlots:
        """Return the slots of a source that several connections share."""
        with self._lock:
            found = self._slots.get(source)
            if found is None:
                found = OpeningSlots()
                self._slots.put(source, found)
            return found

    def count(self, outcome: str) -> None:
        """Count a requested credential by its outcome."""
        with self._lock:
            self.mints[outcome] += 1

    def release(self) -> None:
        """Drop the open clients of an unused connection, so that their network connections end."""
        for cache in self._caches.values():
            cache.release()

    def __del__(self) -> None:
        """Drop the open clients, which may form reference cycles with their caches, so that their
        sockets close without a garbage collection.
        """
        if hasattr(self, "_caches"):
            self.release()

    def find(
        self,
        key: Hashable,
        values: Mapping[str, Any],
        secrets: Callable[[], frozenset[str]],
        shared: Callable[[], SharedLeases | None] = lambda: None,
    ) -> ConnectionCache:
        """Return the cache of the connection under ``key``, or a new one if its resolved ``values``
        have changed.
        """
        with self._lock:
            found = self._caches.get(key)
            if found is None or (found.values is not values and found.values != values):
                found = self._caches[key] = ConnectionCache(
                    self._clock, values, secrets(), shared(), partial(_count, ref(self))
                )
                if len(self._caches) > self._limit:
                    self._caches.popitem(last=False)
            self._caches.move_to_end(key)
        return found

    def __len__(self) -> int:
        return len(self._caches)


T = TypeVar("T")

_MOST, _SUSPECT = 16, 2
"""Maximum threads per source: if it answered its last request, and if it did not."""


class OpeningSlots(ProcessLocal):
    """Slots of one source. Tasks of several event loops may share them."""

    def __init__(self) -> None:
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Reset to free slots: a parent's threads, which hold slots, do not exist in a forked
        child.
        """
        self._lock = threading.Lock()
        self._taken = 0
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._fault: JackfieldError | None = None
        """Error of the last opening, if the source was out of reach."""

    async def take(self, deadline: Deadline, loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
        """Wait for a slot in the running loop, and return the function that returns the slot; only
        its first call counts.

        :raises TimedOut: if the deadline passes before a slot is free; nothing was sent.
        """
        with self._lock:
            if self._taken < self._limit:
                self._taken += 1
                return self._back()
            turn = loop.create_future()
            self._waiting.append((loop, turn))
        alarm = loop.call_later(deadline.remaining(), self._time_out, deadline, turn)
        try:
            with OnFailure(self._leave, turn):
                await turn
        finally:
            alarm.cancel()
        return self._back()

    def opened(self, function: Callable[[], T], give_back: Callable[[], None]) -> T:
        """Open a connection in this thread, and return its slot."""
        try:
            found = function()
        except JackfieldError as error:
            self._fault = _silence(error)
            raise
        else:
            self._fault = None
            return found
        finally:
            give_back()

    @property
    def _limit(self) -> int:
        return _MOST if self._fault is None else _SUSPECT

    def _time_out(self, deadline: Deadline, turn: asyncio.Future[None]) -> None:
        if not turn.done():
            cause = self._fault or Unavailable("other calls were still opening the connection")
            turn.set_exception(deadline.passed(Sent.NOTHING, cause))

    def _leave(self, turn: asyncio.Future[None]) -> None:
        """Stop waiting, and pass on a slot that was assigned too late."""
        with self._lock:
            self._waiting = deque(item for item in self._waiting if item[1] is not turn)
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self._give()

    def _back(self) -> Callable[[], None]:
        once = threading.Lock()

        def give_back() -> None:
            if once.acquire(blocking=False):
                self._give()

        return give_back

    def _give(self) -> None:
        with self._lock:
            self._taken -= 1
            while self._waiting and self._taken < self._limit:
                loop, turn = self._waiting.popleft()
                if not loop.is_closed():
                    self._taken += 1
                    loop.call_soon_threadsafe(self._granted, turn)

    def _granted(self, turn: asyncio.Future[None]) -> None:
        if turn.done():  # its deadline passed, or its task was cancelled, meanwhile
            self._give()
        else:
            turn.set_result(None)


def _silence(error: JackfieldError) -> JackfieldError | None:
    """Return the error that explains why a source gives no answer, without a traceback, which would
    hold the call's objects; None for a refusal.
    """
    if not error.retryable:
        return None
    cause = (
        error.__cause__
        if isinstance(error, TimedOut) and isinstance(error.__cause__, JackfieldError)
        else error
    )
    return Unavailable(cause.message, hint=cause.hint)
