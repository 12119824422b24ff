"""Recovery of entries whose owner's lease has expired, for all workspaces of a database.

A lease has expired if this process saw no renewal for its duration; timestamps are not compared
with the local clock, since clocks of hosts differ and are set back. A process that cannot watch for
so long asks the database, by whose clock instances renew their leases. No lease expires while this
process cannot write to the database.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

from jackfield.invocation import Result
from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import Clock, monotonic
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.errors import Internal
from jackfield.kernel.exact import result_json
from jackfield.manifest.reading import HOST
from jackfield_store.database import Database, Row, Transaction
from jackfield_store.database.blocked import BlockedWorkspaces
from jackfield_store.database.due_rows import readable
from jackfield_store.database.faults import DataKeyDamaged, KeyServiceRefused, WrongMasterKey
from jackfield_store.database.shared_clock import SharedClock
from jackfield_store.journal import approvals, doubts, process, quotas
from jackfield_store.journal import statements as sql
from jackfield_store.journal.abandoned import expired, given_up, left_behind, tries_left
from jackfield_store.journal.entry import bound_result, read_entry
from jackfield_store.journal.instance import LEASE, Instance
from jackfield_store.journal.jobs import RETURNED
from jackfield_store.keys.vault import Vault

DELIVERIES = 5
"""Number of deliveries of a queued invocation that were begun and lost with their worker, after
which the invocation fails.
"""
_UNBEGUN = 20
"""Maximum number of deliveries lost before they were begun: higher, since another invocation of
that worker was probably the cause.
"""
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_STALE = 60.0
"""Age of a renewal, in seconds by the database's clock, at which a newly started process considers
the lease expired; the clock may have been changed.
"""
_UNREGISTERED_EVERY = 2 * LEASE
_AT_ONCE = 200
_OVERDUE = 2000
"""Maximum number of invocations past their ``notAfter`` that are failed at once."""
_LONGEST_PAUSE = 4.0
_SURPLUS = 3.0
"""Seconds past the deadline after which an entry of this process without a task has ended: its
outcome is written by then, or outstanding.
"""
_UNIT = 50
"""Number of entries recovered in one commit."""


@dataclass(slots=True)
class _Seen:
    """Last renewal of an instance that this process read, and the time of the first reading
    (``time.monotonic``).
    """

    seen_at: float | None
    since: float


class Recovery:
    """Recovery of the entries of expired leases: it finishes or requeues them. ``monotonic`` is the
    clock for the age of leases.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        clock: Clock,
        monotonic: Callable[[], float] = monotonic,
    ) -> None:
        self._database = database
        self._vault = vault
        self._time = SharedClock.of(database, clock)
        self._monotonic = monotonic
        self._place = process.place()
        self._seen: dict[str, _Seen] = {}
        self._unregistered: dict[str, float] = {}
        self._unregistered_at = 0.0
        self._idle_jobs: set[tuple[str, str, int]] = set()
        self._blocked = BlockedWorkspaces.of(database, clock, lambda: vault)
        self._jitter = random.Random()  # noqa: S311 (jitter, not a secret)

    def look(self) -> int:
        """Recover the entries of expired leases and fail invocations past their ``notAfter``;
        return how many entries changed.
        """
        me = Instance.of(self._database)
        self._time.look()
        with self._database.read(flush=False) as transaction:
            rows = [row for row in transaction.execute(sql.INSTANCES, {}) if row.id != me.id]
        now, found = self._monotonic(), 0
        known = {row.id for row in rows}
        self._seen = {name: seen for name, seen in self._seen.items() if name in known}
        for row in rows:
            if self._has_ended(row) or self._has_expired(row, now, me.steady_since):
                found += self._take_over(row.id, row.host)
                self._database.record(partial(_forget, row=row))
        quotas.recover(self._database)
        return (
            found
            + self._recover_own(me)
            + self._recover_unregistered(now, me)
            + self._end_overdue()
        )

    def has_lost(self, owner: str | None) -> bool:
        """Return whether an owner has lost its lease, as far as this process can tell without
        watching for the duration of a lease.

        Age alone proves a lost lease only if an earlier check, at least a lease ago, found the
        same: the database's clock may have been changed.
        """
        if owner is None or owner == Instance.of(self._database).id:
            return False
        row = self._database.look_up(
            sql.INSTANCE.format(now=self._database.dialect.now), {"id": owner}
        )
        if row is None:
            return True
        if self._place is not None and row.place == self._place:
            # a live process that does not renew its lease is found by ``look``
            return self._has_ended(row)
        if row.age <= _STALE or self._time.sure() is None:
            return False
        if row.doubted is None or row.doubted < 0.0:
            self._database.record(
                partial(
                    _doubt,
                    statement=sql.DOUBT_INSTANCE.format(now=self._database.dialect.now),
                    row=row,
                    id=owner,
                )
            )
            return False
        return bool(row.doubted > LEASE)

    def has_no_task(self, entry: Entry) -> bool:
        """Return whether an entry of this process is past its deadline and nothing here runs it:
        its end was lost.
        """
        me, now = Instance.of(self._database), self._time.sure()
        if (
            entry.owner != me.id
            or now is None
            or entry.job_until is not None
            or entry.expires_at is None
        ):
            return False
        return entry.expires_at < now - _SURPLUS and entry.id not in me.tasks

    def _recover_own(self, me: Instance) -> int:
        """Recover entries of this process without a task, seen twice: entries past their deadline,
        and jobs that it does not poll.
        """
        now = self._time.sure()
        if now is None:
            return 0
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(
                sql.WITHOUT_TASK, {"owner": me.id, "before": now - _SURPLUS, "limit": _AT_ONCE}
            )
        idle = [row for row in rows if row.id not in me.tasks]
        jobs = {(row.workspace, row.id, row.delivery) for row in idle if row.job_until is not None}
        again, self._idle_jobs = jobs & self._idle_jobs, jobs
        left = [
            row
            for row in idle
            if row.job_until is None or (row.workspace, row.id, row.delivery) in again
        ]
        return sum(self._recovered_together(part, None) for part in _parts(left))

    def recover(self, workspace: str, entry: Entry) -> bool:
        """Finish or requeue one entry whose owner has lost its lease; return False if another
        process has done so first.
        """
        return bool(
            self._database.record(
                lambda transaction: self._recovered(transaction, workspace, entry, None)
            )
        )

    def refuse(
        self, workspace: str, identifier: str, result: Result, *, approval: str = "cancelled"
    ) -> bool:
        """Finish a queued invocation, claimed or not, as failed; return False if it is no longer
        queued. ``approval`` is the outcome of its approval.
        """
        values = self._refusal(workspace, identifier, result, approval=approval)
        return bool(self._database.record(partial(_end, refusals=[values])))

    def _refusal(
        self, workspace: str, identifier: str, result: Result, *, approval: str = "cancelled"
    ) -> dict[str, Any]:
        return {
            "approval": approval,
            "workspace": workspace,
            "id": identifier,
            "settled_at": self._time.stamp(),
            "result": self._sealed(
                workspace,
                identifier,
                bound_result(result.to_json(), None, answers=False),
            ),
            "error_code": result.error.code if result.error is not None else None,
            "status": result.status,
        }

    def _has_ended(self, row: Row) -> bool:
        return (
            self._place is not None
            and row.place == self._place
            and process.has_ended(row.pid, row.born)
        )

    def _has_expired(self, row: Row, now: float, steady_since: float | None) -> bool:
        seen = self._seen.get(row.id)
        if seen is None or seen.seen_at != row.seen_at:
            self._seen[row.id] = _Seen(row.seen_at, now)
            return False
        return steady_since is not None and now - max(seen.since, steady_since) > LEASE

    def _recover_unregistered(self, now: float, me: Instance) -> int:
        """Recover the entries of unregistered instances: they shut down cleanly, or ran a version
        without registration.
        """
        if now < self._unregistered_at:
            return 0
        self._unregistered_at = now + _UNREGISTERED_EVERY
        with self._database.read(flush=False) as transaction:
            rows = transaction.execute(sql.UNKNOWN_OWNERS, {})
        names = {row.owner for row in rows if row.owner is not None and row.owner != me.id}
        due = [
            name
            for name, since in self._unregistered.items()
            if name in names and now - since > LEASE
        ]
        self._unregistered = {name: self._unregistered.get(name, now) for name in names}
        return sum(self._take_over(name, None) for name in due)

    def _take_over(self, owner: str, host: str | None) -> int:
        found = 0
        for statement in (sql.LEFT_CLAIMED, sql.LEFT_RUNNING):
            while True:
                with self._database.read(flush=False) as transaction:
                    rows = transaction.execute(statement, {"owner": owner, "limit": _AT_ONCE})
                recovered = sum(self._recovered_together(part, host) for part in _parts(rows))
                found += recovered
                if len(rows) < _AT_ONCE or not recovered:
                    break
        return found

    def _recovered_together(self, rows: list[Row], host: str | None) -> int:
        """Recover entries in one commit; one by one if the commit fails for a reason of one
        workspace.
        """
        ready = self._ready(rows)
        entries = readable(
            (row for row in rows if row.workspace in ready),
            lambda row: (row.workspace, _entry(row)),
            "invocation",
        )

        def unit(names: Collection[str], transaction: Transaction) -> list[int]:
            return [
                self._recovered(transaction, workspace, entry, host)
                for workspace, entry in entries
                if workspace in names
            ]

        return self._together("the recovery of invocations", {name for name, _ in entries}, unit)

    def _together(
        self,
        noun: str,
        workspaces: Iterable[str],
        unit: Callable[[Collection[str], Transaction], list[int]],
    ) -> int:
        """Change entries in one commit, or in one per workspace if that commit fails; return the
        number of changed entries.
        """
        return sum(
            self._blocked.together(
                workspaces, noun, lambda names: self._database.record(partial(unit, names))
            )
        )

    def _recovered(
        self, transaction: Transaction, workspace: str, entry: Entry, host: str | None
    ) -> int:
        """Finish one entry by its effect, or return it to the queue."""
        about = {
            "workspace": workspace,
            "id": entry.id,
            "owner": entry.owner,
            "delivery": entry.delivery,
            "was": entry.status,
        }
        if entry.job_until is not None:  # the provider works on, and a poll may always be repeated
            return transaction.change(RETURNED, {**about, "now": self._time.now()})
        if entry.delivery == 0:
            return self._ended(
                transaction,
                entry,
                {
                    **about,
                    **self._outcome(workspace, entry, left_behind(entry)),
                    "deliveries": None,
                    "dead": 0,
                },
            )
        begun = entry.status == "running"
        lost = {
            "delivery": entry.delivery,
            "host": host,
            "startedAt": entry.started_at,
            "endedAt": round(self._time.stamp(), 3),
            "outcome": "lost" if begun else "not_begun",
        }
        deliveries = [
            *entry.deliveries,
            {name: value for name, value in lost.items() if value is not None},
        ]
        about["deliveries"] = json.dumps(deliveries)
        if begun and entry.effect == "write" and not entry.dry_run:
            return self._ended(
                transaction,
                entry,
                {**about, **self._outcome(workspace, entry, left_behind(entry)), "dead": 0},
            )
        if _count(deliveries, "lost") >= DELIVERIES or _count(deliveries, "not_begun") >= _UNBEGUN:
            known = replace(entry, deliveries=tuple(deliveries))
            result = given_up(known, deliveries)
            values = {**about, **self._outcome(workspace, known, result)}
            return self._ended(
                transaction, known, {**values, "dead": int(result.status == "failed")}
            )
        return transaction.change(
            sql.REDELIVER, {**about, "available_at": self._next(entry, deliveries)}
        )

    def _ended(self, transaction: Transaction, entry: Entry, values: Mapping[str, Any]) -> int:
        """Finish a running entry; schedule the first look of a doubt if its call had stored the
        data for looks.
        """
        changed = transaction.change(sql.RECOVERED, values)
        if changed:
            function = entry.action if entry.connector == HOST else None
            doubts.left(
                transaction,
                values["workspace"],
                values["id"],
                values["status"],
                values["settled_at"],
                function,
            )
        return changed

    def _next(self, entry: Entry, deliveries: list[Mapping[str, Any]]) -> float:
        """Return the time of the next delivery, delayed at random and longer with each worker lost.

        So an invocation that ends its worker does not end the same other invocations each time.
        """
        suspicion = max(_count(deliveries, "lost"), _count(deliveries, "not_begun") - 2)
        if suspicion <= 0:
            return entry.available_at or 0.0  # no clock decides: those of the workers may be behind
        return self._time.now() + self._jitter.uniform(0.0, min(_LONGEST_PAUSE, 2.0**suspicion))

    def _outcome(self, workspace: str, entry: Entry, result: Result) -> dict[str, Any]:
        is_failed = result.status == "failed"
        return {
            "status": result.status,
            "error_code": result.error.code if result.error is not None else None,
            "attempts": result.meta.attempts,
            "attempt_log": json.dumps(tries_left(entry)) if entry.attempt_log else None,
            "request_id": result.meta.request_id,
            "settled_at": self._time.stamp(),
            "result": self._sealed(
                workspace,
                entry.id,
                bound_result(result.to_json(), entry, answers=not is_failed),
            ),
            "key_held": int(not is_failed and entry.key_held),
        }

    def _sealed(self, workspace: str, identifier: str, result: Mapping[str, Any]) -> bytes | None:
        """Seal a Result; None if no key is available, so that only the status can be stored."""
        if self._blocked.is_keyless(workspace):
            return None
        text = result_json(result, _JSON).encode("utf-8", "surrogatepass")
        try:
            return self._vault.seal(workspace, ("invocation", identifier, "result"), text)
        except (Internal, KeyServiceRefused, DataKeyDamaged, WrongMasterKey):
            return None

    def _ready(self, rows: Iterable[Row]) -> set[str]:
        """Return the workspaces of rows whose outcomes can be stored now: sealed, or only their
        status without a key. If a workspace's key service gives no answer, its invocations wait for
        a later round.
        """
        names = {row.workspace for row in rows}
        for name in names:
            # nothing of it was opened, which would tell that its keys are others
            self._vault.reread(name)
        return {
            *self._blocked.served(sorted(names)),
            *(name for name in names if self._blocked.is_keyless(name)),
        }

    def _end_overdue(self) -> int:
        """Fail invocations that were not begun by their ``notAfter`` time. Otherwise all selections
        of the queue would go on reading them.
        """
        found, left, now = 0, 0, self._time.sure()
        for _ in range(_OVERDUE // _AT_ONCE if now is not None else 0):
            with self._database.read(flush=False) as transaction:
                rows = transaction.execute(
                    sql.OVERDUE, {"now": now, "limit": _AT_ONCE, "left": left}
                )
            ready = self._ready(rows)
            left += sum(row.workspace not in ready for row in rows)
            for part in _parts([row for row in rows if row.workspace in ready]):
                found += self._together(
                    "the end of what is overdue",
                    {row.workspace for row in part},
                    partial(self._expired, part),
                )
            # a page of which nothing was failed is no reason: another process may have failed it
            # meanwhile
            if len(rows) < _AT_ONCE:
                break
        return found

    def _expired(
        self, rows: Iterable[Row], names: Collection[str], transaction: Transaction
    ) -> list[int]:
        mine = [row for row in rows if row.workspace in names]
        return [
            _end(
                transaction,
                [self._refusal(row.workspace, row.id, expired(_entry(row)), approval="expired")],
            )
            for row in mine
        ]


def _end(transaction: Transaction, refusals: Iterable[Mapping[str, Any]]) -> int:
    found = 0
    for values in refusals:
        ended = transaction.change(sql.END_QUEUED, values)
        if ended and values["status"] == "in_doubt":
            doubts.left(
                transaction, values["workspace"], values["id"], "in_doubt", values["settled_at"]
            )
        if ended:
            approvals.end(
                transaction,
                values["workspace"],
                values["id"],
                values["approval"],
                values["settled_at"],
            )
        found += ended
    return found


def _doubt(transaction: Transaction, statement: str, row: Row, id: str) -> int:
    return transaction.change(statement, {"id": id, "seen_at": row.seen_at})


def _forget(transaction: Transaction, row: Row) -> int:
    return transaction.change(sql.FORGET_DEAD_INSTANCE, {"id": row.id, "seen_at": row.seen_at})


def _parts(rows: list[Row]) -> Iterable[list[Row]]:
    return (rows[place : place + _UNIT] for place in range(0, len(rows), _UNIT))


def _entry(row: Row) -> Entry:
    """Create an entry without its Result."""
    return read_entry(row.as_dict(), None)


def _count(deliveries: Iterable[Mapping[str, Any]], outcome: str) -> int:
    return sum(1 for item in deliveries if item.get("outcome") == outcome)
