"""Leases: whichever process dies and whichever lives, every accepted invocation ends truthfully,
and who lost its lease changes nothing.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.journal.leasing import READ, Process

from fake_aws import FakeAws
from forking import alone, fork
from jackfield.invocation import Meta, Result
from jackfield.invocation.claimed import Claimed
from jackfield.kernel.clock import SystemClock, iso, within
from jackfield.kernel.errors import InDoubt
from jackfield_store.database import open_database
from jackfield_store.journal import Journal
from jackfield_store.journal.instance import LEASE, Instance
from jackfield_store.journal.recovery import DELIVERIES
from nursery import mail


def queued(process: Process, invocation: dict[str, Any]) -> str:
    """Accept an invocation for the queue; its id."""
    found = process.jackfield.enqueue(invocation)
    assert isinstance(found, str)
    return found


def test_v3_what_a_lost_worker_had_claimed_goes_to_another(
    two: tuple[Process, Process], aws: FakeAws
) -> None:
    """A claim whose owner stops renewing is given back and run by a process that lives, restarted
    or not.
    """
    lost, alive = two
    identifier = queued(alive, mail("order-1"))
    assert [item.id for item in lost.queue.claim(1)] == [identifier]
    lost.hangs()
    assert alive.queue.claim(1) == []
    assert alive.look() == 1
    (claimed,) = alive.queue.claim(1)
    assert claimed.delivery == 2
    assert asyncio.run(alive.jackfield.arun(claimed)).status == "succeeded"
    assert len(aws.messages) == 1
    assert [item["outcome"] for item in alive.find(identifier).to_json()["deliveries"]] == [
        "not_begun"
    ]


def test_v1_what_a_lost_process_ran_ends_while_others_live(two: tuple[Process, Process]) -> None:
    """A write is in doubt, a read has failed and may be repeated; nobody has to open the journal
    anew.
    """
    lost, alive = two
    write, read, keyed = (
        lost.started("write"),
        lost.started("read"),
        lost.started("write", "order-1"),
    )
    lost.hangs()
    assert alive.find(write).status == "running"
    assert alive.look() == 3
    assert {alive.find(one).status for one in (write, keyed)} == {"in_doubt"}
    assert (alive.find(read).status, alive.find(read).error_code) == ("failed", "unavailable")
    assert alive.find(keyed).key_held


def test_v1_a_lease_that_is_renewed_is_kept(two: tuple[Process, Process]) -> None:
    """What a live process holds is left alone, however long it takes."""
    holder, other = two
    identifier = holder.started("write")
    Instance.of(holder.database).renew()
    Instance.of(other.database).renew()
    other.recovery.look()
    other.later += LEASE + 1
    Instance.of(holder.database).renew()
    assert other.recovery.look() == 0
    assert other.find(identifier).status == "running"


def test_nobody_is_judged_by_who_could_not_renew_either(two: tuple[Process, Process]) -> None:
    """After the database was away for all, leases begin anew: nobody had a chance to renew."""
    lost, alive = two
    lost.started("write")
    lost.hangs()
    Instance.of(alive.database).renew()
    alive.recovery.look()
    Instance.of(alive.database).steady_since = None
    alive.later += LEASE + 1
    assert alive.recovery.look() == 0


def test_what_is_not_changed_is_not_called_corrected(two: tuple[Process, Process]) -> None:
    """A run settled as in doubt that ends in doubt says when it was corrected only if it was."""
    lost, alive = two
    identifier = lost.started("write", "order-1")
    lost.hangs()
    alive.look()
    entry, doubt = (
        lost.journal.find(identifier),
        Result("in_doubt", Meta(identifier), error=InDoubt("who knows")),
    )
    lost.database.record(lost.journal.finishing(entry, doubt, []))
    shown = alive.find(identifier).to_json()
    assert (shown["status"], shown["error"]["message"], "correctedAt" in shown) == (
        "in_doubt",
        "who knows",
        False,
    )
    assert alive.find(identifier).key_held


class _Odd(SystemClock):
    """The clock of a host that is hours off."""

    def time(self) -> float:
        """Return the time of day, and three hours."""
        return super().time() + 10_800


def test_clocks_that_differ_settle_no_live_run(
    two: tuple[Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process whose clock is ahead, and that cannot see the other's processes, leaves what that
    one runs alone.
    """
    holder, other = two
    identifier = holder.started("write", "order-1")
    with holder.database.write() as transaction:  # on another host
        transaction.change("UPDATE instances SET place = 'elsewhere', pid = 1", {})
    ahead = Journal(other.database, other.jackfield.storage.vault, "default", _Odd())
    monkeypatch.setattr(time, "time", lambda: 0.0)  # the clock of the host that renews its lease
    Instance.of(holder.database).renew()
    monkeypatch.undo()
    assert ahead.recover() == 0
    entry = ahead.held("order-1")
    assert entry is not None
    assert (entry.id, entry.status) == (identifier, "running")


def test_a_host_that_is_long_gone_is_found_at_two_looks(two: tuple[Process, Process]) -> None:
    """Processes that have only just come settle what two of them, a lease apart, find not renewed
    for a minute.
    """
    holder, other = two
    holder.started("write", "order-1")
    holder.hangs()
    with holder.database.write() as transaction:
        transaction.change(
            "UPDATE instances SET place = 'elsewhere', pid = 1, seen_at = seen_at - 120", {}
        )
    entry = other.journal.held("order-1")
    assert entry is not None
    # the clock may have been set: a second look, a lease later, decides
    assert entry.status == "running"
    with holder.database.write() as transaction:
        transaction.change(
            "UPDATE instances SET doubted_at = doubted_at - :lease", {"lease": LEASE + 1}
        )
    entry = other.journal.held("order-1")
    assert entry is not None
    assert entry.status == "in_doubt"


def test_w3_a_queued_read_runs_again_elsewhere(two: tuple[Process, Process], aws: FakeAws) -> None:
    """A read whose worker died after it had begun is run again by another; the worker that comes
    back changes nothing.
    """
    lost, alive = two
    identifier, first = _cut_off(lost, alive)
    assert alive.find(identifier).status == "queued"
    second = _claimed_when_due(alive)
    entry, done = lost.journal.find(identifier), Result("succeeded", Meta(identifier), output={})
    lost.database.record(lost.journal.finishing(entry, done, [], None, first.delivery))
    assert alive.find(identifier).status == "queued"
    assert asyncio.run(alive.jackfield.arun(second)).status == "succeeded"
    assert aws.counts["ses:ListIdentities"] + aws.counts["sesv2:ListEmailIdentities"] >= 1


def test_a_late_outcome_ends_no_later_delivery_to_the_same_worker(
    two: tuple[Process, Process],
) -> None:
    """A worker that was cut off, and gets the same read again, may still run the first delivery:
    its outcome is not the second one's.
    """
    lost, alive = two
    identifier, first = _cut_off(lost, alive)
    second = _claimed_when_due(lost)
    lost.begun(second, "read")
    entry, done = lost.journal.find(identifier), Result("succeeded", Meta(identifier), output={})
    lost.database.record(lost.journal.finishing(entry, done, [], None, first.delivery))
    assert alive.find(identifier).status == "running"
    lost.database.record(lost.journal.finishing(entry, done, [], None, second.delivery))
    assert alive.find(identifier).status == "succeeded"


def test_a_late_outcome_ends_no_claim_of_another_worker(two: tuple[Process, Process]) -> None:
    """What a worker has put off is claimed by another under the same number: whatever the first one
    still tells is not the second's.
    """
    first, second = two
    identifier = queued(second, READ)
    (before,) = first.queue.claim(1)
    assert first.queue.postpone(before, 0.0)
    (claimed,) = second.queue.claim(1)
    assert claimed.delivery == before.delivery
    second.begun(claimed, "read")
    entry, done = first.journal.find(identifier), Result("succeeded", Meta(identifier), output={})
    first.database.record(first.journal.finishing(entry, done, [], None, before.delivery))
    assert second.find(identifier).status == "running"


def test_w3_a_queued_write_that_had_begun_is_in_doubt(
    two: tuple[Process, Process], aws: FakeAws
) -> None:
    """A write is run again only where it had not begun."""
    lost, alive = two
    identifier = queued(alive, mail("order-1"))
    (first,) = lost.queue.claim(1)
    lost.begun(first, "write")
    lost.hangs()
    alive.look()
    assert alive.find(identifier).status == "in_doubt"
    assert alive.queue.claim(1) == []
    assert aws.messages == []


def test_w3_poison_ends(two: tuple[Process, Process]) -> None:
    """After five deliveries that ended their worker an invocation has failed, and lists them."""
    lost, alive = two
    identifier = queued(alive, READ)
    for _ in range(DELIVERIES):
        alive.database.record(
            lambda transaction: transaction.change(
                "UPDATE invocations SET available_at = 0 WHERE status = 'queued'", {}
            )
        )
        (claimed,) = lost.queue.claim(1)
        lost.begun(claimed, "read")
        assert alive.recovery._take_over(Instance.of(lost.database).id, "host-b") == 1
    shown = alive.find(identifier).to_json()
    assert (shown["status"], shown["error"]["code"]) == ("failed", "internal")
    assert [item["delivery"] for item in shown["deliveries"]] == [1, 2, 3, 4, 5]
    assert len(shown["error"]["details"]) == DELIVERIES
    assert shown["deadAt"] == shown["settledAt"]


def test_v5_waiting_in_the_queue_is_not_held_against_a_run(two: tuple[Process, Process]) -> None:
    """A run that was queued for long past its 'timeoutSeconds' belongs to its process as long as
    that renews its lease.
    """
    holder, other = two
    identifier = queued(other, {**READ, "timeoutSeconds": 1, "idempotencyKey": "order-1"})
    other.database.record(
        lambda transaction: transaction.change(
            "UPDATE invocations SET created_at = 1, available_at = 1", {}
        )
    )
    (claimed,) = holder.queue.claim(1)
    holder.begun(claimed, "read")
    entry = other.journal.held("order-1")
    assert entry is not None
    assert (entry.id, entry.status) == (identifier, "running")
    assert (entry.expires_at or 0) > time.time() - 60


def test_v7_a_forked_child_has_a_lease_of_its_own(aws: FakeAws, database_url: str) -> None:
    """What a forked child left running is settled by its parent when the key is looked up."""
    open_database(database_url, migrate=True).close()
    assert alone(_left_by_a_child, aws.url, database_url) == {"own": False, "status": "in_doubt"}


def _left_by_a_child(aws_url: str, database_url: str) -> dict[str, Any]:
    parent = Process(aws_url, database_url)
    fork(lambda: parent.started("write", "order-1")).answer()
    entry = parent.journal.held("order-1")
    assert entry is not None
    return {"own": entry.owner == parent.journal.owner, "status": entry.status}


def test_v2_what_cannot_be_begun_is_given_back(aws: FakeAws, tmp_path: Path) -> None:
    """A lock that outlasts the deadline of a claimed invocation leaves it in the queue for the next
    worker, with all that it needs.
    """
    worker = Process(aws.url, f"sqlite:///{tmp_path / 'a.db'}")
    worker.jackfield.invoke(mail("before")).unwrap()
    identifier = queued(worker, {**mail("order-1"), "timeoutSeconds": 3})
    (claimed,) = worker.queue.claim(1)
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert asyncio.run(worker.jackfield.arun(claimed)).status == "failed"
    assert len(aws.messages) == 1
    other.execute("ROLLBACK")
    other.close()
    Instance.of(worker.database).renew()
    assert (worker.find(identifier).status, worker.find(identifier).owner) == ("queued", None)
    (again,) = worker.queue.claim(1)
    assert asyncio.run(worker.jackfield.arun(again)).status == "succeeded"
    assert len(aws.messages) == 2
    worker.jackfield.close()


def test_v2_a_stop_gives_back_what_was_not_sent(two: tuple[Process, Process], aws: FakeAws) -> None:
    """A worker that is stopped before anything was sent leaves the invocation to another: nobody
    has cancelled it.
    """
    stopped, alive = two
    identifier = queued(alive, mail("order-1"))
    (claimed,) = stopped.queue.claim(1)

    async def stop() -> None:
        task = asyncio.ensure_future(stopped.jackfield.arun(claimed))
        await asyncio.sleep(0)
        await stopped.jackfield.drained(0.0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(stop())
    stopped.jackfield.close()
    assert alive.find(identifier).status == "queued"
    (again,) = alive.queue.claim(1)
    assert asyncio.run(alive.jackfield.arun(again)).status == "succeeded"
    assert len(aws.messages) == 1


def test_w9_a_claimed_invocation_can_be_cancelled(
    two: tuple[Process, Process], aws: FakeAws
) -> None:
    """What a worker has taken and not begun is cancelled for certain: the worker finds that out
    before it sends.
    """
    worker, other = two
    identifier = queued(other, mail("order-1"))
    (claimed,) = worker.queue.claim(1)
    assert other.jackfield.cancel(identifier)
    assert asyncio.run(worker.jackfield.arun(claimed)).error.code == "cancelled"  # type: ignore[union-attr]
    assert other.find(identifier).error_code == "cancelled"
    assert aws.messages == []


def test_v8_nothing_is_owed_for_what_never_got_an_entry(aws: FakeAws, tmp_path: Path) -> None:
    """A synchronous call that a locked database refused leaves nothing behind to be recorded."""
    one = Process(aws.url, f"sqlite:///{tmp_path / 'a.db'}")
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with within(0.2):
        assert one.jackfield.invoke({**mail("order-1"), "timeoutSeconds": 0.2}).status == "failed"
    assert not one.journal.owes
    other.execute("ROLLBACK")
    other.close()
    one.jackfield.close()


def _move(process: Process, identifier: str, workspace: str) -> None:
    statement = "UPDATE invocations SET workspace = :workspace WHERE id = :id"
    process.database.record(
        lambda transaction: transaction.change(
            statement, {"workspace": workspace, "id": identifier}
        )
    )


def _at(seconds: float) -> str:
    return str(iso(time.time() + seconds))


def test_v8_a_queued_invocation_is_not_begun_after_its_moment(
    two: tuple[Process, Process], aws: FakeAws
) -> None:
    """One that has not begun by its 'notAfter' ends as a timeout and is never sent, whether a
    worker had claimed it or nobody looks.
    """
    worker, other = two
    waits = queued(other, {**mail("order-1"), "notAfter": _at(-1)})
    assert worker.queue.claim(1) == []
    claimed_late = queued(other, {**mail("order-2"), "notAfter": _at(60)})
    (claimed,) = worker.queue.claim(1)
    worker.database.record(
        lambda transaction: transaction.change(
            "UPDATE invocations SET not_after = 1 WHERE owner IS NOT NULL", {}
        )
    )
    result = asyncio.run(worker.jackfield.arun(claimed))
    assert result.error is not None
    assert result.error.code == "timeout"
    other.recovery.look()
    for identifier in (waits, claimed_late):
        assert (other.find(identifier).status, other.find(identifier).error_code) == (
            "failed",
            "timeout",
        )
    assert aws.messages == []


def test_v8_a_queued_invocation_waits_for_its_moment(two: tuple[Process, Process]) -> None:
    """One is not claimed before its 'notBefore', and does not hold up those behind it."""
    worker, other = two
    later = queued(other, {**mail("order-1"), "notBefore": _at(3600)})
    now = queued(other, mail("order-2"))
    assert [item.id for item in worker.queue.claim(5)] == [now]
    assert "notBefore" in other.find(later).to_json()


def test_w1_workspaces_are_served_in_turn(two: tuple[Process, Process]) -> None:
    """One invocation of a tenant does not wait for the hundred that others queued before; and
    others' long ones do not hold all places.
    """
    worker, other = two
    # by id: several may be of one millisecond
    crowd = sorted(queued(other, mail(f"order-{number}")) for number in range(30))
    for workspace in ("acme", "globex"):
        _move(other, queued(other, mail(workspace)), workspace)
    first = worker.queue.claim(6)
    assert Counter(item.workspace for item in first) == {"default": 4, "acme": 1, "globex": 1}
    assert [item.id for item in first if item.workspace == "default"] == crowd[:4]
    assert worker.queue.claim(16, {"default": 4}, lambda _: 0) == []
    assert len(worker.queue.claim(16, {"default": 4}, lambda _: 10)) == 10


def _cut_off(lost: Process, alive: Process) -> tuple[str, Claimed]:
    """Let a process hang in a queued read that it has claimed, and the other one take it over;
    return its id and that claim.
    """
    identifier = queued(alive, READ)
    (first,) = lost.queue.claim(1)
    lost.begun(first, "read")
    lost.hangs()
    assert alive.look() == 1
    return identifier, first


def _claimed_when_due(process: Process) -> Claimed:
    process.database.record(
        lambda transaction: transaction.change(
            "UPDATE invocations SET available_at = 0 WHERE status = 'queued'", {}
        )
    )
    (claimed,) = process.queue.claim(1)
    return claimed
