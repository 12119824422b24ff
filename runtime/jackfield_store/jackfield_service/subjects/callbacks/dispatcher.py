"""Dispatcher that makes the deliveries of new events, and sends due deliveries. One process per
database dispatches, by a lease.

Each callback has at most four requests in flight, one if its last attempt failed or was slow; all
slow callbacks together have at most half of the threads. A dead receiver never delays the others.
Callbacks of nearby receivers share few threads. More threads would wait for the processor after
sending, with unrecorded outcomes: each such request is sent again if the process dies.
"""

from __future__ import annotations

import logging
import math
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import pairwise

from jackfield.call.events import Event
from jackfield.kernel.clock import Clock, monotonic, within
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import InvalidInvocation, JackfieldError, brief
from jackfield.kernel.threads import Threads
from jackfield.wire.guard import Guard
from jackfield_service.subjects.callbacks import claims
from jackfield_service.subjects.callbacks.callback import Callback, read_callback
from jackfield_service.subjects.callbacks.callbacks import opened_secrets
from jackfield_service.subjects.callbacks.deliveries import make, sealed_log
from jackfield_service.subjects.callbacks.message import request_to
from jackfield_service.subjects.callbacks.retries import (
    Outcome,
    delivered,
    note_delivered,
    note_failed,
)
from jackfield_service.subjects.callbacks.sending import Attempt, Sender
from jackfield_service.subjects.events.feed import read_event
from jackfield_service.subjects.events.numbering import Numbering
from jackfield_service.subjects.events.positions import Positions, active_patterns
from jackfield_service.subjects.events.retention import Retention
from jackfield_store.access.platform_tokens import manages
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.blocked import LOOP_FAULTS, BlockedWorkspaces
from jackfield_store.database.due_rows import readable
from jackfield_store.database.faults import SealBroken
from jackfield_store.database.hold import find_hold
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal.leadership import LEAD, Leadership
from jackfield_store.journal.recovery import Recovery
from jackfield_store.keys import Vault
from jackfield_store.resources.storage import Storage

_LOG = logging.getLogger("jackfield.events")
IN_FLIGHT = 4
"""Maximum number of requests to one callback at once."""
_THREADS = 96
_MOST = {"near": 8, "distant": _THREADS, "suspect": _THREADS // 2}
"""Maximum number of batches in flight by kind of callback (``_Lane.kind``)."""
_NEAR, _STUCK = 0.01, 0.1
"""Best time in seconds up to which a receiver counts as near, and waiting time after which it no
longer occupies a near thread.
"""
_DRIFT = (1.1, 0.0005)
"""Factor and seconds by which each attempt raises the best time, which so follows a receiver that
has become slower.
"""
_PAUSE, _IDLE = 0.2, 1.0
"""Seconds between two rounds, with and without callbacks."""
_RELOAD = 1.0
"""Seconds between two checks of the callbacks, and of their due deliveries, which another process
may have changed.
"""
_BATCH = 32
_BATCH_SECONDS = 15.0
_SLOW = 2.0
"""Duration of an attempt, in seconds, above which a callback is slow."""
_REST, _LONGEST_REST = 0.05, 2.0
"""First and longest rest of a failing callback, in seconds; each failure doubles the rest. A
refused connection fails so fast that attempts would use up the processor.
"""
_FAN_OUT = 500
"""Maximum number of deliveries that one commit makes."""
_FAN_OUT_WITHIN = 0.1
"""Seconds after which a round starts no more commits that make deliveries."""
_CACHED, _SMALL = 512, 8192
"""Maximum number of cached events, for one to two reloads of the callbacks, and maximum size of a
cached event in bytes.
"""
_LOG_EVERY = 60.0
_MOMENT = 0.001
_PUT_OFF = 60.0
"""Seconds by which a delivery is postponed if its event cannot be read, since the key service of
its workspace refuses or does not answer.
"""
_TIDY, _TIDY_WITHIN = 60.0, 0.2
"""Seconds between two checks for expired rows, and maximum seconds of one check."""
_STOP_WITHIN = 5.0
_NUMBERING = "the numbering of events"


@dataclass(slots=True)
class _Lane:
    """State of a callback in a dispatcher: its row, requests in flight, and due times
    (``time.monotonic``).
    """

    workspace: str
    row: Row
    callback: Callback
    positions: Positions | None = None
    """Positions by workspace of a platform's callback; None for other callbacks."""
    in_flight: int = 0
    due_at: float = 0.0
    loaded_at: float = 0.0
    served_at: float = 0.0
    moved_at: float = 0.0
    failed_at: float = -math.inf
    """Time of the last recorded failure, ``math.inf`` while one is being recorded."""
    suspect: bool = False
    best: float = 0.0
    """Best recent duration of an attempt, in seconds: the time of the receiver and the network,
    without waits in this process.
    """
    failures: int = 0
    rests_until: float = 0.0
    """Time until which nothing is sent, since the last attempts have failed."""

    def note(self, attempt: Attempt, moment: float) -> None:
        """Update the callback's state by an attempt that ended at ``moment``: a failing callback
        rests, for longer with each failure.
        """
        self.suspect = not attempt.succeeded or attempt.seconds > _SLOW
        self.best = min(attempt.seconds, self.best * _DRIFT[0] + _DRIFT[1])
        self.failures = 0 if attempt.succeeded else self.failures + 1
        self.rests_until = (
            moment + min(_LONGEST_REST, _REST * 2**self.failures) if self.failures else 0.0
        )

    @property
    def kind(self) -> str:
        return (
            "suspect"
            if self.suspect or self.callback.status == "paused"
            else "near"
            if self.best < _NEAR
            else "distant"
        )

    @property
    def room(self) -> int:
        return (1 if self.kind == "suspect" else IN_FLIGHT) - self.in_flight

    def behind(self, heads: Mapping[str, int]) -> list[tuple[float, str]]:
        """Return the workspaces with known new events for the callback, each with the time of its
        last made deliveries.
        """
        if self.positions is not None:
            return self.positions.behind()
        return (
            [(self.moved_at, self.workspace)]
            if self.callback.position < heads.get(self.workspace, 0)
            else []
        )

    def position(self, workspace: str) -> int:
        """Return the number of the last event of a workspace whose deliveries were made."""
        return self.callback.position if self.positions is None else self.positions.of(workspace)

    def moved(self, workspace: str, position: int) -> None:
        """Note that deliveries were made up to an event's number."""
        self.moved_at = monotonic()
        if self.positions is None:
            self.callback = replace(self.callback, position=position)
        else:
            self.positions.move(workspace, position)

    @property
    def is_healthy(self) -> bool:
        """True if the stored state has no failure since a success, and no failure was recorded
        since it was loaded.
        """
        return (
            self.callback.failing_since is None
            and self.callback.status == "active"
            and self.failed_at < self.loaded_at
        )


@dataclass(slots=True)
class _Batch:
    """Deliveries that one thread sends in turn; the current one started at ``begun``
    (``time.monotonic``).
    """

    lane: _Lane
    kind: str
    begun: float


class Dispatcher:
    """Loop of one process that sends events to callbacks. ``now`` returns the time by which
    attempts are due, in seconds since 1970.
    """

    def __init__(
        self,
        database: Callable[[], Database],
        vault: Callable[[], Vault],
        clock: Clock,
        sender: Sender,
        now: Callable[[], float] | None = None,
    ) -> None:
        self._open = database, vault
        self._clock = clock
        self._sender = sender
        self._given_now = now
        self._lanes: dict[tuple[str, str], _Lane] = {}
        self._reload_at = self._led_at = self._log_at = self._term = self._tidy_at = 0.0
        self._led = self._prepared = False
        self._stopped, self._woken = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._batches: list[_Batch] = []
        self._cached = self._older = dict[tuple[str, int, str], Event]()
        self._pool: Threads | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to dispatch, in a thread."""
        self._thread = threading.Thread(target=self._run, name="jackfield-events", daemon=True)
        self._thread.start()

    def stop(self, seconds: float = _STOP_WITHIN) -> None:
        """Start nothing new, wait for requests in flight, and release the lease."""
        self._stopped.set()
        self._woken.set()
        until = monotonic() + seconds
        if self._thread is not None:
            self._thread.join(max(0.0, until - monotonic()))
        if self._pool is not None:
            while self._batches and monotonic() < until:
                self._woken.wait(0.05)
                self._woken.clear()
            self._pool.shutdown(wait=False, cancel_futures=True)
        if self._led:
            with suppress(*LOOP_FAULTS), within(1.0):
                self._leadership.resign()

    def _run(self) -> None:
        pause = 0.0
        while not self._stopped.is_set():
            self._woken.wait(pause)
            self._woken.clear()
            try:
                pause = self.turn()
            except LOOP_FAULTS as error:  # what nobody has foreseen, too, must not end the thread
                self._log_fault(error)
                pause = _IDLE

    def turn(self) -> float:
        """Do the due work. Return the seconds until the next turn."""
        self._prepare()
        moment = monotonic()
        if moment >= self._reload_at:
            self._load()
            self._reload_at = moment + _RELOAD
        if moment >= self._tidy_at:
            self._tidy_at = moment + (0.0 if self._tidy(moment) else _TIDY)
        if not self._lanes:
            return _IDLE
        if self._batches:
            self._leads()  # renewed for as long as requests are in flight
        due = [
            lane
            for lane in self._lanes.values()
            if max(lane.due_at, lane.rests_until) <= moment and lane.room > 0
        ]
        served = set(self._blocked.served({lane.workspace for lane in due}))
        due = [lane for lane in due if lane.workspace in served]
        if due and find_hold(self._database) is None:
            self._dispatch(sorted(due, key=lambda lane: (lane.served_at, lane.due_at)))
        fresh = self._fresh()
        if any(lane.due_at > moment and not lane.in_flight for _, lane in fresh) and self._leads():
            self._fan_out(fresh)
            return _MOMENT  # what is due now is sent before more is made
        return _PAUSE

    def _tidy(self, moment: float) -> bool:
        """Number events without a callback, and delete expired rows; return whether more rows are
        left.
        """
        for workspace in self._blocked.served(self._waiting(watched=False)):
            self._blocked.apart_in_turn(
                workspace, _NUMBERING, partial(self._numbering.run, workspace)
            )
        now = (
            self._now()
            if self._given_now is not None
            else SharedClock.of(self._database, self._clock).sure()
        )
        return now is not None and self._retention.run(now, moment + _TIDY_WITHIN)

    def _prepare(self) -> None:
        if not self._prepared:
            self._database, self._vault = self._open[0](), self._open[1]()
            # another one takes over at once from a process that is gone
            lost = Recovery(self._database, self._vault, self._clock).has_lost
            self._leadership = Leadership(self._database, "events", lost)
            self._blocked = BlockedWorkspaces.of(self._database, self._clock, self._open[1])
            self._numbering = Numbering(self._database, self._vault)
            self._retention = Retention(self._database)
            self._now = self._given_now or SharedClock.of(self._database, self._clock).now
            self._heads: dict[str, int] = {}
            self._prepared = True

    def _load(self) -> None:
        self._cached, self._older, moment = {}, self._cached, monotonic()
        now = self._now()
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(claims.CALLBACKS)
            active = active_patterns(transaction, now)
            due = transaction.execute(claims.NEXT_DUE, {"free": self._free(now)})
        found = {}
        for lane in readable(rows, self._lane, "callback"):
            lane.loaded_at = moment
            if lane.row.origin == "remote" and lane.callback.workspaces not in (None, *active):
                continue  # its platform has no token any more, or none yet
            found[lane.workspace, lane.row.id] = lane
        for item in due:
            waiting = found.get((item.workspace, item.id))
            if waiting is not None and item.next_at is not None:
                waiting.due_at = moment + max(item.next_at, claims.opens_at(waiting.callback)) - now
        self._lanes = found

    def _lane(self, row: Row) -> _Lane:
        known = self._lanes.get((row.workspace, row.id))
        lane = (
            known
            if known is not None
            else _Lane(
                row.workspace, row, read_callback(row), suspect=row.failing_since is not None
            )
        )
        if lane.callback.workspaces is not None and lane.positions is None:
            lane.positions = Positions(lane.callback.workspaces, row.id)
        if lane.positions is not None and (
            row.position < lane.row.position or (not self._led and lane.positions.behind())
        ):
            lane.positions.forget()  # the database went back, or another process moves them
        # it went on alone if the database went back
        if lane.row != row or lane.callback.position != row.position:
            lane.row, lane.callback = row, read_callback(row)
        return lane

    def _leads(self) -> bool:
        """Return whether this process dispatches; renew its lease three times as often as
        necessary.
        """
        moment = monotonic()
        if not self._led or moment - self._led_at > LEAD / 3:
            led = self._leadership.take()
            if led and not self._led:
                self._term = self._now()
                self._led = True
                self._load()
            self._led, self._led_at = led, moment
        return self._led

    def _free(self, now: float) -> float:
        """Return the time until which held claims count as free. A process that has just taken the
        lead also frees the claims of its predecessor.
        """
        return max(now, self._term + claims.HOLD - _MOMENT) if self._led else now

    def _waiting(self, *, watched: bool) -> list[str]:
        """Return the workspaces with unnumbered events that callbacks watch; with ``watched``
        False, the other workspaces with unnumbered events.
        """
        own = {lane.workspace for lane in self._lanes.values()}
        patterns = {
            lane.positions.pattern for lane in self._lanes.values() if lane.positions is not None
        }
        waiting = self._numbering.waiting()
        return [
            name
            for name in waiting
            if (name in own or any(manages(pattern, name) for pattern in patterns)) is watched
        ]

    def _fresh(self) -> list[tuple[str, _Lane]]:
        """Number committed events while this process leads; return the workspaces with new events,
        with the callbacks that get them. Workspaces with the oldest last deliveries come first.
        """
        for workspace in self._blocked.served(self._waiting(watched=True)):
            if not self._leads():
                break
            self._blocked.apart_in_turn(
                workspace, _NUMBERING, partial(self._numbering.run, workspace, 1)
            )
        seen = self._heads
        with self._database.read(flush=False) as transaction:
            self._heads = {row.workspace: row.last for row in transaction.execute(claims.HEADS)}
            changed = {
                name
                for name in seen.keys() | self._heads.keys()
                if seen.get(name) != self._heads.get(name)
            }
            for lane in self._lanes.values():
                if lane.positions is not None:
                    lane.positions.look(transaction, self._heads, changed)
        behind = [
            (at, workspace, lane)
            for lane in self._lanes.values()
            for at, workspace in lane.behind(self._heads)
        ]
        # one tenant's key service must not delay the others
        served = set(self._blocked.served({workspace for _, workspace, _ in behind}))
        return [
            (workspace, lane)
            for _, workspace, lane in sorted(behind, key=lambda one: one[0])
            if workspace in served
        ]

    def _fan_out(self, fresh: Sequence[tuple[str, _Lane]]) -> None:
        """Make deliveries for the callbacks of each workspace that are furthest behind, up to the
        position of the next callback, so that all soon share one position. Leave the rest to later
        rounds.
        """
        until = monotonic() + _FAN_OUT_WITHIN
        workspaces: dict[str, list[_Lane]] = {}
        for workspace, lane in fresh:
            workspaces.setdefault(workspace, []).append(lane)
        for workspace, lanes in workspaces.items():
            positions = [
                *sorted({lane.position(workspace) for lane in lanes}),
                self._heads[workspace],
            ]
            for first, following in pairwise(positions):
                if monotonic() >= until:
                    return
                mine = [lane for lane in lanes if lane.position(workspace) == first]
                self._blocked.apart_in_turn(
                    workspace,
                    "the delivery of events",
                    partial(self._fan_out_to, workspace, first, following, mine),
                )

    def _fan_out_to(
        self, workspace: str, position: int, until: int, lanes: Sequence[_Lane]
    ) -> None:
        """Make deliveries in one commit, and move the positions of their callbacks."""
        now, limit = self._now(), max(1, _FAN_OUT // len(lanes))
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                claims.NEXT,
                {"workspace": workspace, "after": position, "until": until, "limit": limit},
            )
        # those that are missing were deleted before they were looked at
        reached = rows[-1].sequence if len(rows) == limit else until
        events = [event for row in rows if (event := self._readable(workspace, row)) is not None]

        def unit(transaction: Transaction) -> list[bool]:
            given = workspace, (position, reached), events, now
            return [
                make(transaction, self._database, lane.workspace, lane.callback, *given)
                for lane in lanes
            ]

        for lane, made in zip(lanes, self._database.record(unit), strict=True):
            lane.moved(workspace, reached)
            if not made and lane.positions is not None:
                lane.positions.forget()
            lane.due_at = lane.moved_at + max(0.0, claims.opens_at(lane.callback) - now)

    def _dispatch(self, due: Sequence[_Lane]) -> None:
        """Claim due deliveries, in one commit, and send them in threads."""
        free = self._free_threads()
        if not due or not free["all"] or self._stopped.is_set() or not self._leads():
            return
        many, now = Counter(lane.kind for lane in due), self._now()
        asked = []
        for lane in due:
            room = min(lane.room, max(1, free[lane.kind] // many[lane.kind]))
            asked.append(
                claims.ClaimRequest(
                    lane.workspace,
                    lane.callback,
                    lane.kind,
                    room,
                    1 if lane.kind == "suspect" else _BATCH,
                )
            )
        for lane, item, rows in zip(
            due,
            asked,
            claims.claim(self._database, self._blocked, asked, free, now, self._free(now)),
            strict=True,
        ):
            if rows is None:
                continue
            lane.served_at = monotonic()
            if not rows:
                lane.due_at = math.inf  # until the next look at what is due
            for begin in range(0, len(rows), item.batch):
                self._submit(lane, rows[begin : begin + item.batch])

    def _free_threads(self) -> Counter[str]:
        """Return the number of further batches that may be sent now, by kind of callback."""
        with self._lock:
            batches, moment = list(self._batches), monotonic()
        busy = Counter(
            batch.kind for batch in batches if batch.kind != "near" or moment - batch.begun < _STUCK
        )
        return Counter(
            {
                "all": _THREADS - len(batches),
                **{kind: most - busy[kind] for kind, most in _MOST.items()},
            }
        )

    def _submit(self, lane: _Lane, rows: Sequence[Row]) -> None:
        batch = _Batch(lane, lane.kind, monotonic())
        with self._lock:
            lane.in_flight += 1
            self._batches.append(batch)
        if self._pool is None:
            self._pool = Threads(_THREADS, "jackfield-delivery")
        self._pool.submit(self._send_all, batch, rows)

    def _send_all(self, batch: _Batch, rows: Sequence[Row]) -> None:
        lane, begun = batch.lane, monotonic()
        workspace = lane.workspace
        try:
            for place, row in enumerate(rows):
                batch.begun = monotonic()
                # another process may lead now, and send what this one has claimed
                if batch.begun - self._led_at >= LEAD:
                    break
                if (
                    batch.begun - begun > _BATCH_SECONDS
                    or self._stopped.is_set()
                    or (place and not self._goes_on(batch))
                ):
                    claims.release(self._database, lane.workspace, rows[place:])
                    break
                workspace = row.source
                if lane.positions is not None and not self._blocked.served((workspace,)):
                    claims.release(self._database, lane.workspace, [row], self._now() + _PUT_OFF)
                    continue
                self._send(lane, row)
        except LOOP_FAULTS as error:  # what nobody has foreseen, too, ends this batch alone
            if not (isinstance(error, JackfieldError) and self._blocked.note(workspace, error)):
                self._log_fault(error)
        finally:
            with self._lock:
                lane.in_flight -= 1
                self._batches.remove(batch)
            lane.due_at = 0.0
            if lane.callback.status == "paused":
                self._reload_at = 0.0  # it may be active again, or is tried later
            self._woken.set()

    def _goes_on(self, batch: _Batch) -> bool:
        """Return whether the rest of a batch is sent: its callback was not removed or paused
        meanwhile, and its kind is unchanged.
        """
        lane = batch.lane
        return (
            self._lanes.get((lane.workspace, lane.callback.id)) is lane and lane.kind == batch.kind
        )

    def _send(self, lane: _Lane, row: Row) -> None:
        now = self._now()
        attempt = self._attempt(lane, row, now)
        lane.note(attempt, monotonic())
        outcome = Outcome(
            lane.workspace, row, attempt, sealed_log(self._vault, lane.workspace, row, attempt)
        )
        if not attempt.succeeded:
            lane.failed_at = math.inf
            self._database.record(
                lambda transaction: note_failed(transaction, outcome, self._now())
            )
            lane.failed_at = monotonic()
        elif lane.is_healthy:
            self._database.record(delivered(outcome, now))
        elif self._database.record(lambda transaction: note_delivered(transaction, outcome, now)):
            claims.make_due(self._database, lane.workspace, row.callback, now)

    def _attempt(self, lane: _Lane, row: Row, now: float) -> Attempt:
        event = self._event(row)
        if event is None:
            return Attempt(
                now, 0.0, error="the event is not kept any more, or its row was changed", final=True
            )
        try:
            secrets = opened_secrets(self._vault, lane.workspace, lane.row, now)
        except InvalidInvocation as damaged:
            return Attempt(now, 0.0, error=damaged.message)
        fields, body = request_to(
            lane.callback, event, secrets, now, self._database, self._vault, row.source
        )
        return self._sender.send(lane.row.url, lane.row.origin, fields, body, now)

    def _event(self, row: Row) -> Event | None:
        """Return the event of a delivery; None if it is gone. Small events are cached briefly: most
        are sent soon after they are known, and to many callbacks.
        """
        key = row.source, row.event_sequence, row.event
        if (event := self._cached.get(key) or self._older.get(key)) is not None:
            return event
        found = self._database.look_up(
            claims.EVENT, {"workspace": row.source, "sequence": row.event_sequence}
        )
        return None if found is None else self._readable(row.source, found)

    def _readable(self, workspace: str, row: Row) -> Event | None:
        """Return an event; None if its row was changed in the database, so that no other event
        waits for it.
        """
        try:
            return self._event_from(workspace, row)
        except SealBroken as error:
            self._log_fault(error, f"of the workspace '{workspace}' ")
            return None

    def _event_from(self, workspace: str, row: Row) -> Event:
        event = read_event(self._vault, workspace, row)
        if len(self._cached) < _CACHED and len(row.data) <= _SMALL:
            self._cached[workspace, event.sequence, event.id] = event
        return event

    def _log_fault(self, error: BaseException, whose: str = "") -> None:
        """Log, once a minute, why dispatching fails, for all or for one workspace."""
        moment = monotonic()
        if moment >= self._log_at:
            self._log_at = moment + _LOG_EVERY
            _LOG.error("events %scannot be delivered: %s", whose, brief(error))


def dispatching(
    storage: Storage, clock: Clock, guard: Guard, environment: Mapping[str, str]
) -> Dispatcher | None:
    """Start to deliver events to callbacks, in a thread, and return the dispatcher; None without a
    database. ``guard`` is for callbacks made over HTTP.
    """
    if not storage.enabled:
        return None
    found = Dispatcher(
        lambda: storage.database, lambda: storage.vault, clock, Sender(guard, environment)
    )
    found.start()
    return found
