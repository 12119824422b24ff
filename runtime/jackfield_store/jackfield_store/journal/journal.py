"""The journal of one workspace: all invocations and their outcomes, correct whichever process
dies.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from jackfield.invocation.entry import Draft, Entry
from jackfield.kernel.canonical import canonical
from jackfield.kernel.clock import monotonic, within
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Cancelled, Internal, InvalidInvocation, TimedOut, Unavailable
from jackfield.kernel.exact import Exact, exact_json, read_float
from jackfield.kernel.exports import late_hints
from jackfield.kernel.fork import ProcessLocal, without_fork
from jackfield.kernel.hints import NextStep
from jackfield.manifest.reading import HOST
from jackfield_store.database import SealBroken
from jackfield_store.database.blocked import blocked_workspace
from jackfield_store.database.cursors import cursor_after, place_after
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal import statements as sql
from jackfield_store.journal import terms
from jackfield_store.journal.begins import Begins, beginning
from jackfield_store.journal.counts import sums
from jackfield_store.journal.entry import (
    bound_result,
    damaged_entry,
    is_shown,
    read_entry,
    read_result,
)
from jackfield_store.journal.exchanges import ended
from jackfield_store.journal.instance import Instance, Sharing
from jackfield_store.journal.outcomes import with_outcomes
from jackfield_store.journal.pages import EntryPosition, EntrySearch, opened_cursor, sealed_cursor
from jackfield_store.journal.room import insert_within, require_room, room_for
from jackfield_store.journal.upkeep import (
    KEPT,
    START,
    JournalUpkeep,
    Purged,
    free_key,
    purge_slice,
    resized,
)
from jackfield_store.journal.went_back import note_return
from jackfield_store.keys import sealing

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield.invocation.claimed import Claimed
    from jackfield.kernel.clock import Clock
    from jackfield.kernel.errors import JackfieldError, NotYet
    from jackfield_store.database import Database, Row, Transaction
    from jackfield_store.journal.jobs import JobUnits
    from jackfield_store.journal.recovery import Recovery
    from jackfield_store.journal.resolving import Json, Outcome
    from jackfield_store.journal.undecided import Judge, Term
    from jackfield_store.journal.went_back import Tell
    from jackfield_store.keys.vault import Vault

_PURGE_EVERY = 600.0
_PURGE_PAUSE = 0.02
"""Seconds between two slices of a purge that has more to delete."""
_PURGE_WAIT = 1.0
"""Seconds for which a purge waits for a locked database; it must not delay a caller's Result."""
_UNKNOWN_WAIT, _UNKNOWN_PAUSE = 5.0, 0.25
"""Seconds in which to determine whether a commit took effect, and seconds between two tries."""
_JSON = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)

Unit = Callable[["Transaction"], int]


class Journal(ProcessLocal):
    """Store of one workspace's invocations. Methods that return a unit leave its commit to the
    caller. It watches the processes of its database: this process's lease, others' leases, and
    whether the database was restored.

    ``retention`` returns the retention of a finished entry in seconds. ``judge`` submits an
    undecided output to the policies.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        workspace: str,
        clock: Clock,
        retention: Term = lambda: KEPT,
        judge: Judge = None,
    ) -> None:
        self.database = database
        self.vault = vault
        """Vault that seals the journal's entries."""
        self._clock = clock
        self._recovery: Recovery | None = None
        self._upkeep: JournalUpkeep | None = None
        self._found: Instance | None = None
        self._watches = False
        self._tell: Tell | None = None
        self.also: Callable[[], object] = _nothing
        """Further check after each renewal of the lease."""
        self._judge = judge
        self.workspace = workspace
        self.keys = vault.keys_of(workspace)
        self.time = SharedClock.of(database, clock)
        self._retention = retention
        self._purge_at = 0.0
        self._purged = START

    # The processes of its database

    @property
    def owner(self) -> str:
        """Id of this process in entries."""
        return self._owner.owner

    @property
    def _owner(self) -> Instance:
        """This process's instance, whose lease is renewed from the first use on."""
        if not self._watches:
            self.watch(self._tell)
        return self._found or self._instance

    @property
    def _instance(self) -> Instance:
        found = self._found
        if found is None:
            found = self._found = Instance.of(self.database)
        return found

    def _leave_to_parent(self) -> None:
        self._found, self._watches = None, False

    @property
    def recovery(self) -> Recovery:
        """Recovery that takes over the entries of lost processes."""
        if self._recovery is None:
            # the thread of the lease imports this, too: a child would wait for its import for good
            with without_fork():
                from jackfield_store.journal.recovery import Recovery

            self._recovery = Recovery(self.database, self.vault, self._clock)
        return self._recovery

    @property
    def upkeep(self) -> JournalUpkeep:
        """Upkeep of the statistics and of the file."""
        if self._upkeep is None:
            self._upkeep = JournalUpkeep(self.database, self._clock)
        return self._upkeep

    def watch(self, tell: Tell | None = None, settings: Sharing | None = None) -> None:
        """Start to renew this process's lease, to check for expired leases, and to notice a
        restored database; ``tell`` records a restored database. ``settings`` are published with the
        lease.
        """
        if settings is not None:
            self._instance.share(settings)
        self._watches, self._tell = True, tell
        self._instance.watch(self)

    def look(self) -> None:
        """Take over the entries of lost processes, and maintain the statistics and the file."""
        try:
            self.recovery.look()  # created only when first needed
        finally:
            self.upkeep.run_if_due()
        self.also()

    def note_return(self, why: str, since: float) -> float:
        """Record that the database was restored; return the time of the record, by the database's
        clock.
        """
        noted = note_return(self.database, why, self.database.highest_epoch, since, self._tell)
        self.vault.reread()
        return noted

    @property
    def tasks(self) -> dict[str, int]:
        """Deliveries, by id, of the invocations that this process has begun and not ended."""
        return (self._found or self._instance).tasks

    # Entries

    def fingerprint(self, request: Mapping[str, Any]) -> str:
        """Compute a keyed hash that identifies a request; secrets in the request cannot be
        recovered from it.
        """
        digest = hashlib.sha256()
        for piece in canonical(request):
            digest.update(piece)
        return self.vault.hmac(self.workspace, digest.digest())

    def starting(self, draft: Draft, inputs: bytes | None = None) -> Unit:
        """Return the unit that records an invocation as running, with the sealed inputs of its row
        until its end. It must be durable before the first byte of a ``write`` leaves.

        Its commit raises UniqueViolation if another invocation holds the idempotency key, or is an
        open twin.
        """
        instance = self._owner
        draft.started_at, draft.owner = self.time.stamp(), instance.owner
        instance.tasks[draft.id] = draft.delivery

        def row() -> dict[str, Any]:
            found = self._row(
                draft, status="running", key_held=int(draft.idempotency_key is not None)
            )
            found["inputs"] = inputs
            return found

        return beginning(Begins(draft, row), self.workspace)

    def finishing(
        self,
        draft: Draft | Entry,
        result: Result,
        log: Sequence[Mapping[str, Any]],
        inputs: bytes | None = None,
        delivery: int = 0,
        references: Sequence[str] = (),
        exchanges: bytes | None = None,
        *,
        runs_on: bool = False,
    ) -> Unit:
        """Return the unit that records an invocation's outcome; ``inputs`` replace the inputs
        stored in the queue. Later events of the provider refer to the sent object by
        ``references``. ``exchanges`` are sealed. The function of a call that ``runs_on`` has not
        ended: its caller has left.

        The unit changes only the entry of this process's ``delivery``. If another process has
        recovered that delivery as lost, the entry is corrected; if the invocation was delivered to
        another worker, nothing changes.
        """
        instance = self._owner
        if not runs_on:
            instance.tasks.pop(draft.id, None)
        outcome = self._outcome(draft, result, log)
        values = {
            "workspace": self.workspace,
            "id": draft.id,
            "inputs": inputs,
            "owner": instance.owner,
            "delivery": delivery,
            **outcome,
        }
        unit = ended(
            (sql.FINISH, sql.CORRECT),
            values,
            references,
            exchanges,
            draft.connection,
            instance.report_late,
        )
        if result.status != "in_doubt" or draft.connector != HOST:
            return unit
        now = self.time.stamp()
        return partial(_seldom()[3].waiting, unit, self.workspace, draft, now, runs_on=runs_on)

    def stopping(self, draft: Draft) -> Unit:
        """Return the unit that records the end of a function whose call is in doubt and stays so:
        it has failed after its caller had left.
        """
        self.tasks.pop(draft.id, None)
        about = (self.workspace, draft.id, draft.action, self.time.stamp())
        return lambda transaction: _seldom()[3].stopped(transaction, *about)

    def may_run(self, entry: Entry) -> bool:
        """Return whether an open call may still run: its process lives, and has the call as far as
        this process can tell.
        """
        if entry.owner == self.owner:
            return entry.id in self.tasks
        return not self.recovery.has_lost(entry.owner)

    def recording(
        self,
        draft: Draft,
        result: Result,
        log: Sequence[Mapping[str, Any]],
        exchanges: bytes | None = None,
    ) -> Unit:
        """Return the unit that records a whole invocation: a refused one, or one that ended before
        its start was written.

        It holds no idempotency key, and may be committed twice.
        """
        draft.owner = draft.owner or self.owner
        self.tasks.pop(draft.id, None)
        row = {
            **self._row(draft, status=result.status),
            **self._outcome(draft, result, log),
            "key_held": 0,
        }
        unit = ended((sql.INSERT_ONCE, sql.FINISH), row, (), exchanges, draft.connection)
        return terms.with_terms(unit, self.workspace, draft) if draft.context else unit

    def sealed_inputs(
        self, identifier: str, inputs: Mapping[str, Any], column: str = "inputs"
    ) -> bytes:
        """Encrypt inputs for the workspace, bound to their entry, or the content of another
        ``column``.
        """
        text = exact_json(inputs, _JSON).encode("utf-8", "surrogatepass")
        return self.vault.seal(self.workspace, ("invocation", identifier, column), text)

    def opened_inputs(self, identifier: str, sealed: bytes, column: str = "inputs") -> Any:
        """Decrypt a value that ``sealed_inputs`` encrypted."""
        return json.loads(
            self.vault.open(self.workspace, ("invocation", identifier, column), sealed),
            parse_float=read_float,
        )

    @property
    def jobs(self) -> JobUnits:
        """Statements about the workspace's jobs."""
        from jackfield_store.journal.jobs import JobUnits

        return JobUnits(self.database, self.workspace, self.time, self.owner)

    def queueing(self, draft: Draft, limits: Mapping[str, float] | None = None) -> Unit:
        """Return the unit that records an invocation as queued, unless as many wait already as the
        workspace's ``limits`` allow; without them it has room. ``draft.inputs`` is the whole
        request, encrypted.
        """

        def unit(transaction: Transaction) -> int:
            if limits is not None:
                require_room(transaction, self.workspace, room_for(draft, limits))
            if draft.queued_by is None:
                count = terms.insert(transaction, sql.INSERT, self._queued(draft), draft)
            else:
                count = draft.queued_by(transaction)
            if draft.in_transaction is not None:
                draft.in_transaction(transaction)
            return count

        return unit

    def queue_many(
        self, drafts: Sequence[Draft], limits: Mapping[str, float] | None = None
    ) -> frozenset[str]:
        """Queue invocations in one commit, up to the workspace's ``limits``, and return the ids of
        the queued ones. An invocation whose key is held is not queued.
        """
        rows = [(draft, self._queued(draft)) for draft in drafts]

        def unit(transaction: Transaction) -> frozenset[str]:
            queued = insert_within(transaction, self.workspace, rows, limits)
            terms.add(
                transaction, self.workspace, [draft for draft in drafts if draft.id in queued]
            )
            for draft in drafts:
                if draft.in_transaction is not None and draft.id in queued:
                    draft.in_transaction(transaction)
            return queued

        return self._once(unit, drafts)

    def _once(
        self, unit: Callable[[Transaction], frozenset[str]], drafts: Sequence[Draft]
    ) -> frozenset[str]:
        """Commit a unit that queues invocations. If it is unknown whether it was committed, repeat
        it: the rows' ids show whether they exist already.
        """
        unknown, until = None, self._clock.monotonic() + _UNKNOWN_WAIT
        while True:
            try:
                if unknown is not None and (there := self._present(drafts)):
                    return there
                queued = self.database.record(unit)
                return queued if unknown is None else queued | self._present(drafts)
            except Unavailable as error:
                unknown = error if isinstance(error, CommitUnknown) else unknown
                if unknown is None:
                    raise
            if self._clock.monotonic() > until:
                unknown.repeatable = False
                raise unknown
            self._clock.sleep(_UNKNOWN_PAUSE)

    def _queued(self, draft: Draft) -> dict[str, Any]:
        return {
            **self._row(draft, status="queued", key_held=int(draft.idempotency_key is not None)),
            "expires_at": None,
            "available_at": None if draft.approval is not None else draft.not_before or 0.0,
            "not_after": draft.not_after,
        }

    def beginning(self, draft: Draft, inputs: bytes | None = None) -> Unit:
        """Return the unit that records a claimed invocation as running. It changes no row if the
        claim was lost or ``notAfter`` has passed.

        The original invocation stays stored for the next worker if it may be run again; otherwise
        the sealed ``inputs`` replace it.
        """
        moments = self.time.moments()
        now = moments["now"]
        self.tasks[draft.id] = draft.delivery
        values = {
            "workspace": self.workspace,
            "id": draft.id,
            "owner": self.owner,
            "delivery": draft.delivery,
            "started_at": now,
            "late": moments["late"],
            "connector_version": draft.connector_version,
            "effect": draft.effect,
            "connection": draft.connection,
            "inputs": inputs,
            "expires_at": now + draft.expires_at - draft.created_at,
            "erase": int(draft.effect == "write" and not draft.dry_run),
            "key_facts": None if draft.key_facts is None else draft.key_facts.to_json(),
        }
        return lambda transaction: transaction.change(sql.BEGIN_QUEUED, values)

    def giving_back(self, claimed: Claimed) -> Unit:
        """Return the unit that returns an unsent claimed invocation to the queue."""
        self.tasks.pop(claimed.id, None)
        values = {
            "workspace": self.workspace,
            "id": claimed.id,
            "owner": self.owner,
            "delivery": claimed.delivery,
            "inputs": claimed.sealed,
        }
        return lambda transaction: transaction.change(sql.UNCLAIM, values)

    def requeueing(self, claimed: Claimed, error: NotYet, otherwise: Unit) -> Unit:
        """Return the unit of work that requeues an invocation whose precondition is not met yet.

        If the action's maximum wait has passed, or the invocation's ``notAfter`` precedes the next
        run, ``otherwise`` runs instead.
        """
        due = self.time.now() + (error.retry_after or 0.0)
        values = {
            "workspace": self.workspace,
            "id": claimed.id,
            "owner": self.owner,
            "delivery": claimed.delivery,
            "inputs": claimed.sealed,
            "available_at": due,
            "since": due - error.within,
        }
        return lambda transaction: transaction.change(sql.REQUEUE, values) or otherwise(transaction)

    def not_begun(self, identifier: str) -> JackfieldError:
        """Build the error for a claimed invocation that could not begin: cancelled, too late, or
        taken by another worker.
        """
        entry = self.find(identifier)
        if entry.error_code == "timeout" or (
            entry.not_after is not None and entry.not_after <= self.time.moments()["late"]
        ):
            return TimedOut(
                "it was not started before its 'notAfter'; nothing was sent",
                hint="Add workers, or allow it more time.",
            )
        if entry.error_code == "cancelled":
            return Cancelled("the invocation was cancelled before it was sent")
        return Cancelled("another worker took over the invocation before it was started")

    def end_queued(self, identifier: str, result: Result) -> bool:
        """Finish a queued invocation, claimed or not, as failed; return False if a worker has
        started it.
        """
        return self.recovery.refuse(self.workspace, identifier, result)

    def waiting(self, connector: str | None, before: float | None) -> Iterator[str]:
        """Yield the ids of unclaimed queued invocations, of a connector if one is given, and due
        ``before`` a time.
        """
        values: dict[str, Any] = {
            "workspace": self.workspace,
            "after": "",
            "connector": connector,
            "before": before,
        }
        also = (sql.OF_CONNECTOR if connector is not None else "") + (
            sql.DUE_BEFORE if before is not None else ""
        )
        given = {name: value for name, value in values.items() if value is not None}
        while True:
            with self.database.read() as transaction:
                rows = transaction.execute(sql.WAITING.format(also=also), given)
            yield from (row.id for row in rows)
            if not rows:
                return
            given["after"] = rows[-1].id

    def cancel_queued(self, identifier: str) -> bool:
        """Cancel a queued invocation that has not begun; return False if it is too late."""
        return self.end_queued(identifier, _seldom()[0].cancelled(self.find(identifier)))

    def ask_to_cancel(self, identifier: str) -> bool:
        """Request an invocation's cancellation from the process that runs it; servers check each
        second. Return False if no other process runs it.
        """
        values = {
            "workspace": self.workspace,
            "id": identifier,
            "now": self.time.stamp(),
            "owner": self.owner,
        }
        return bool(
            self.database.record(lambda transaction: transaction.change(sql.ASK_TO_CANCEL, values))
        )

    def note_cancel(self, identifier: str) -> None:
        """Record a request to cancel an invocation that runs here."""
        values = {"workspace": self.workspace, "id": identifier, "now": self.time.stamp()}
        self.database.record(lambda transaction: transaction.change(sql.NOTE_CANCEL, values))

    def held(self, key: str, space: str = "") -> Entry | None:
        """Return the entry that holds an idempotency key of a space, recovered by its effect if its
        process has died; None if the key is free. Nothing is deferred.
        """
        self.record_owed()
        about = {"workspace": self.workspace, "space": space, "key": key}
        row = self.database.look_up(sql.HELD_KEY, about)
        if row is None:
            return None
        entry = self.entry_of(row)
        now = self.time.sure()
        if (
            now is not None
            and entry.status != "in_doubt"
            and free_key(self.database, self.workspace, entry, now)
        ):
            return None  # a doubt holds its key until a person resolves it
        if self.recover_if_lost(entry):
            return self.held(key, space)
        return entry

    def find(self, identifier: str, *, alone: bool = False) -> Entry:
        """Return the entry of an invocation; with ``alone``, without its inputs and without
        findings of looks and events.

        :raises InvalidInvocation: if the workspace has no such invocation.
        """
        self.record_owed()
        row = self.database.look_up(
            sql.SELECT_ONE, {"workspace": self.workspace, "id": identifier}, flush=True
        )
        if row is None:
            raise unknown_entry(identifier)
        if alone:
            return self.entry_of(row)
        inputs = None
        if row.status != "queued" and row.inputs is not None:
            inputs = self.opened_inputs(identifier, row.inputs)
            if not is_shown(inputs, row.status):
                inputs = None
        found = self.entry_of(row, inputs)
        if (
            found.is_open
            and (blocked := blocked_workspace(self.database, self.workspace, self._clock.time()))
            is not None
        ):
            found = replace(found, blocked=blocked.to_json())
        try:
            if found.status == "in_doubt" or found.resolved_by is not None:
                found = _seldom()[3].with_looks(
                    found, self.database, self.vault, self.workspace, self.time.now()
                )
            return with_outcomes(found, self.database, self.vault, self.workspace)
        except SealBroken:
            return replace(found, damage="what is stored beside its row in the database is damaged")

    def has(self, identifier: str) -> bool:
        """Return whether an invocation is recorded."""
        return (
            self.database.look_up(sql.SELECT_ID, {"workspace": self.workspace, "id": identifier})
            is not None
        )

    def _present(self, drafts: Iterable[Draft]) -> frozenset[str]:
        with self.database.read() as transaction:
            asked = [{"workspace": self.workspace, "id": draft.id} for draft in drafts]
            return frozenset(
                one["id"] for one in asked if transaction.find(sql.SELECT_ID, one) is not None
            )

    def entries(
        self, *, cursor: str | None = None, limit: int = 50, **filters: Any
    ) -> tuple[list[Entry], str | None]:
        """Return a page of entries that match all filters (``journal/listing``), newest first, and
        the cursor of the next page, None on the last page.

        The number of rows read for one page is limited, so a page of combined filters may be short
        and still have a cursor.
        """
        after = None if cursor is None else EntryPosition(**place_after(cursor, "created_at", "id"))
        entries, last = self._page(after, limit, filters, None)
        return entries, cursor_after(last, "created_at", "id")

    def completions(self, prefix: str) -> list[str]:
        """Return at most two ids that begin with a prefix."""
        values = {"workspace": self.workspace, "low": prefix, "high": f"{prefix}~"}
        with self.database.read() as transaction:
            return [row.id for row in transaction.execute(sql.COMPLETIONS, values)]

    def seen_entries(
        self,
        sees: Callable[[Any], bool],
        *,
        cursor: str | None = None,
        limit: int = 50,
        **filters: Any,
    ) -> tuple[list[Entry], str | None]:
        """Return a page of the entries that ``sees`` allows, and the cursor of the next page, None
        on the last page; filters and cursor reveal nothing about other entries.
        """
        after = None if cursor is None else opened_cursor(self.vault, self.workspace, cursor)
        entries, last = self._page(after, limit, filters, sees)
        return entries, None if last is None else sealed_cursor(self.vault, self.workspace, last)

    def _page(
        self,
        after: EntryPosition | None,
        limit: int,
        filters: Mapping[str, Any],
        sees: Callable[[Any], bool] | None,
    ) -> tuple[list[Entry], EntryPosition | None]:
        """Return the entries of a page, and the place after which the next one begins, None on the
        last page.
        """
        self.record_owed()
        with self.database.read() as transaction:
            pages = EntrySearch(transaction, self.workspace, sees, self.database.dialect)
            found = pages.find(after, limit + 1, filters)
            rows = pages.rows(found.places[:limit])
        entries = [self._list_item(row) for row in rows]
        return entries, found.places[len(rows) - 1] if len(found.places) > len(rows) else found.cut

    def stats(self, since: float = 0.0) -> list[dict[str, Any]]:
        """Return counts and durations by connector, action and status of the entries created since
        a time (seconds since 1970).
        """
        return sums(self.database, self.workspace, since)

    def resolve(
        self,
        identifier: str,
        outcome: Outcome,
        by: str,
        note: str = "",
        because: int | None = None,
        output: Json | None = None,
    ) -> Entry:
        """Resolve a doubt by a person's decision. A success holds its key, and later calls get its
        Result. ``output`` is a judged output, if known.

        :raises InvalidInvocation: if there is no such invocation or look, or it is not in doubt.
        """
        _seldom()[2].resolve(self, identifier, outcome, by, note, because, output)
        return self.find(identifier)

    def report_late(self, transaction: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
        """Report the doubts that late outcomes settle, and the decisions that they contradict, once
        the outcomes are committed.
        """
        _seldom()[2].report_late(self, transaction, rows)

    def recover(self) -> int:
        """Recover by effect the running entries of lost processes in this workspace; return their
        number. ``watch`` covers all workspaces.
        """
        with self.database.read() as transaction:
            rows = transaction.execute(
                sql.OPEN, {"workspace": self.workspace, "owner": Instance.of(self.database).id}
            )
        return sum(self.recover_if_lost(self._list_item(row)) for row in rows)

    def purge(self) -> int:
        """Delete entries past the workspace's current retention, except running ones and doubts;
        return their number.

        No entry is deleted while this process's clock and the database's differ by more than a
        minute. Other writers take their turn between the slices. Afterwards the unused space is
        returned to the file system.
        """
        purged, slice_ = 0, START
        while True:
            begun, size = monotonic(), slice_.size
            slice_ = self.database.record(self._purging(slice_))
            purged += slice_.deleted
            if slice_.last is None:
                break
            seconds = monotonic() - begun  # with the commit: others wait for its sync, too
            slice_ = resized(slice_._replace(size=size), seconds)
            self.database.dialect.relieve_writers()
            time.sleep(max(_PURGE_PAUSE, seconds))
        while self.database.dialect.give_back_space():
            self.database.dialect.relieve_writers()
            time.sleep(_PURGE_PAUSE)
        return purged

    def purge_if_due(self) -> None:
        """Delete a slice of the entries past their retention with the next commit: every ten
        minutes, or at once while there are more.
        """

        def ended(slice_: Purged | None, _error: object) -> None:
            self._purged = START if slice_ is None else slice_
            if self._purged.last is not None:
                self._purge_at = now + _PURGE_PAUSE

        now = self._clock.monotonic()
        if now >= self._purge_at:
            self._purge_at = now + _PURGE_EVERY
            with within(_PURGE_WAIT), suppress(Unavailable):  # the next purge will do
                self.database.defer(self._purging(self._purged), ended)

    def _purging(self, from_: Purged) -> Callable[[Transaction], Purged]:
        """Return the unit that deletes a slice of the entries past their retention."""
        now = self.time.sure()
        if now is None:
            return lambda _transaction: START
        before, locking = now - self._retention(), self.database.dialect.skips_locked
        return lambda transaction: purge_slice(
            transaction, self.workspace, from_, before=before, now=now, locking=locking
        )

    def owe(self, unit: Unit) -> None:
        """Record ``unit``, which finishes an invocation, once the database is available again."""
        Instance.of(self.database).owe(unit)

    @property
    def owes(self) -> bool:
        """True if outcomes are outstanding."""
        return (self._found or self._instance).owes

    def record_owed(self) -> None:
        """Try to record the outstanding outcomes."""
        Instance.of(self.database).record_owed()

    def recover_if_lost(self, entry: Entry) -> bool:
        """Recover a running entry by its effect if its process has died; return whether the entry
        was recovered.
        """
        if entry.status != "running":
            return False
        lost = self.recovery.has_no_task(entry) or self.recovery.has_lost(entry.owner)
        return lost and self.recovery.recover(self.workspace, entry)

    def _row(self, draft: Draft, *, status: str, key_held: int = 0) -> dict[str, Any]:
        return {
            "workspace": self.workspace,
            "id": draft.id,
            "status": status,
            "connector": draft.connector,
            "connector_version": draft.connector_version,
            "action": draft.action,
            "effect": draft.effect,
            "connection": draft.connection,
            "caller": draft.caller,
            "idempotency_key": draft.idempotency_key,
            "key_held": key_held,
            "fingerprint": draft.fingerprint,
            "dry_run": int(draft.dry_run),
            "error_code": None,
            "attempts": 0,
            "attempt_log": None,
            "request_id": None,
            "created_at": draft.created_at,
            "started_at": draft.started_at,
            "settled_at": None,
            "expires_at": draft.expires_at,
            "owner": draft.owner,
            "inputs": draft.inputs,
            "result": None,
            "rule": draft.rule,
            "delivery": draft.delivery,
            "deliveries": None,
            "available_at": None,
            "not_after": None,
            "priority": draft.priority,
            "twin": draft.twin if status == "running" else None,
            "context": json.dumps(draft.context) if draft.context else None,
            "kept_for": draft.kept_for,
            "key_space": draft.key_space,
            "key_facts": None if draft.key_facts is None else draft.key_facts.to_json(),
        }

    def _outcome(
        self, draft: Draft | Entry, result: Result, log: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        error = result.error
        answers = result.status != "failed" or (error is not None and error.keeps_key)
        return {
            "status": result.status,
            "error_code": result.error.code if result.error is not None else None,
            "attempts": result.meta.attempts,
            "attempt_log": json.dumps(log) if log else None,
            "request_id": result.meta.request_id,
            "settled_at": self.time.stamp(),
            "result": self.sealed_result(
                draft.id, bound_result(result.to_json(), draft, answers=answers)
            ),
            "key_held": int(answers),
        }

    def sealed_result(self, identifier: str, result: Mapping[str, Any]) -> bytes:
        """Encrypt a Result's JSON for its entry."""
        text = (exact_json(result, _JSON) if Exact.any_made else _JSON.encode(result)).encode(
            "utf-8", "surrogatepass"
        )
        return self.vault.seal(self.workspace, ("invocation", identifier, "result"), text)

    def entry_of(
        self, row: Row, inputs: Mapping[str, Any] | None = None, *, asks: bool = True
    ) -> Entry:
        """Read an entry from its row, with the policies' judgement for the caller if ``asks``."""
        result, undecided = None, None
        try:
            if row.result is not None:
                result, undecided = read_result(
                    self.vault.open(self.workspace, ("invocation", row.id, "result"), row.result),
                    row,
                )
            found = read_entry(
                row.as_dict(), result, None if inputs is None else inputs.get("inputs")
            )
        except (ValueError, TypeError, AttributeError):
            raise sealing.broken() from None
        if undecided is None or self._judge is None or not asks:
            return replace(found, undecided=undecided)
        return _seldom()[1].decided(self, found, row.result, undecided, self._judge)  # type: ignore[no-any-return]

    def _list_item(self, row: Row) -> Entry:
        """Create an entry for a list; a damaged row must not hide the others."""
        try:
            return self.entry_of(row, asks=False)
        except Internal:
            return damaged_entry(row.as_dict())


def _nothing() -> None:
    """Do nothing: the default of a further check."""


def _seldom() -> tuple[Any, ...]:
    """Import the modules that end abandoned calls, ask the policies again, resolve doubts and read
    their looks; few processes need any of them.
    """
    from jackfield_store.journal import abandoned, doubts, resolving, undecided

    return abandoned, undecided, resolving, doubts


def unknown_entry(identifier: str) -> InvalidInvocation:
    """Build the error for an invocation that does not exist or is hidden from the caller."""
    return InvalidInvocation(
        f"no invocation has the ID '{identifier[:80]}'", hint=NextStep("invocations")
    )


late_hints(__name__)
