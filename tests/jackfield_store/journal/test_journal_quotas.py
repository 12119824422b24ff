"""Quotas on effects, by whoever calls: places are taken before a call begins, and given back if it
has certainly not taken effect.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.jackfield_store.journal.quota_place import (
    MONTH,
    Place,
    database_url,
    place,
    postgres_database,
    postgres_server,
    postgres_url,
)

from forking import alone
from http_stand import say
from jackfield.callers import Caller, Rules
from jackfield.invocation import Result
from jackfield.kernel.errors import InvalidInvocation, QuotaReached
from jackfield.pacing.turn import PostponedError
from jackfield_store.journal import Queue
from jackfield_store.journal.quotas import recover
from postgres import missing, standing_by, url_of_both
from quota_campaign import MOST, storm

_LONG = 3600.0
"""Seconds that 64 processes may take on two busy cores."""
__all__ = ["database_url", "place", "postgres_database", "postgres_server", "postgres_url"]


def test_the_last_place_is_the_last_effect(place: Place) -> None:
    """Beyond the quota a call is refused by name, with the time from which it may be made again;
    reads and dry runs go on.
    """
    place.allow(MONTH)
    assert place.codes(4) == ["succeeded", "succeeded", "quota_exceeded", "quota_exceeded"]
    error = place.post().error
    assert isinstance(error, QuotaReached)
    assert error.message.startswith("the quota of 2 of effect:write per month is used up until 2")
    assert 0 < (error.retry_after or 0) <= 31 * 86_400
    assert place.jackfield.invoke(say("say", "hall", text="x")).status == "succeeded"
    assert (
        place.jackfield.invoke({**say("post", "hall", text="x"), "dryRun": True}).status
        == "succeeded"
    )
    assert place.spent == 2
    place.allow({**MONTH, "count": 3})
    # a quota that is raised goes on counting
    assert place.codes(2) == ["succeeded", "quota_exceeded"]
    place.allow()
    assert place.codes(1) == ["succeeded"]


@pytest.mark.parametrize("kind", ["rejected", "refusedConnection", "throttled"])
def test_a_certain_failure_gives_its_place_back(place: Place, kind: str) -> None:
    """What the provider has refused, or was never sent, costs nothing."""
    place.allow({**MONTH, "count": 1})
    found = place.jackfield.invoke(
        {**say("post", "hall", text="x", fault={"kind": kind}), "timeoutSeconds": 1}
    )
    assert (found.status, place.spent) == ("failed", 0)
    assert place.codes(2) == ["succeeded", "quota_exceeded"]


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_doubt_is_spent_until_it_is_settled_as_failed(
    place: Place, outcome: Literal["succeeded", "failed"]
) -> None:
    """A call of which nobody knows counts. Once somebody knows that it has not taken effect, it
    does no more.
    """
    place.allow({**MONTH, "count": 1})
    doubt = place.post(fault={"kind": "reset"})
    assert (doubt.status, place.spent) == ("in_doubt", 1)
    assert place.codes(1) == ["quota_exceeded"]
    place.jackfield.journal_of().resolve(doubt.meta.invocation_id, outcome, "ada")
    assert place.spent == (outcome == "succeeded")


def test_what_fails_before_it_begins_takes_nothing(place: Place) -> None:
    """A refusal by the rules, invalid inputs and a repeat with its key count for nothing."""
    place.allow(MONTH)
    keyed = {**say("post", "hall", text="x"), "idempotencyKey": "k"}
    first, again = place.jackfield.invoke(keyed), place.jackfield.invoke(keyed)
    assert (again.meta.replayed, again.meta.invocation_id, place.spent) == (
        True,
        first.meta.invocation_id,
        1,
    )
    assert place.jackfield.invoke(say("post", "hall", text=5)).error.code == "invalid_input"  # type: ignore[union-attr]
    place.jackfield.access.workspaces.set("default", {"rules": {"block": ["echo/post"]}})
    assert place.codes(1) == ["not_allowed"]
    assert place.spent == 1


def test_many_threads_take_each_place_once(place: Place) -> None:
    """Of many calls at once, with and without a key, as many take effect as there are places."""
    place.allow({**MONTH, "count": 5})
    keys = [{"idempotencyKey": f"key {number // 2}"} if number % 2 else {} for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        found = [
            *pool.map(
                lambda more: place.jackfield.invoke({**say("post", "hall", text="x"), **more}), keys
            )
        ]
    done = {result.meta.invocation_id for result in found if result.status == "succeeded"}
    assert (len(done), place.spent) == (5, 5)


def test_a_queued_call_without_a_place_waits_for_the_next_span(place: Place) -> None:
    """It goes back to the queue until then, and neither fails nor counts as a delivery. One that
    wants more than all fails by name.
    """
    place.allow({**MONTH, "count": 1, "sum": "/times"})
    queue = Queue(place.jackfield.storage.database)
    identifiers = [
        place.jackfield.enqueue(say("post", "hall", text="x", times=times)) for times in (1, 1, 2)
    ]
    claimed = [queue.claim_one("default", str(identifier)) for identifier in identifiers]
    assert None not in claimed
    assert place.jackfield.run(claimed[0]).status == "succeeded"  # type: ignore[arg-type]
    with pytest.raises(PostponedError) as postponed:
        place.jackfield.run(claimed[1])  # type: ignore[arg-type]
    assert queue.postpone(claimed[1], postponed.value.at)  # type: ignore[arg-type]
    waiting = place.jackfield.journal_of().find(str(identifiers[1]))
    assert (waiting.status, waiting.delivery, waiting.available_at) == (
        "queued",
        0,
        postponed.value.at,
    )
    large = place.jackfield.run(claimed[2])  # type: ignore[arg-type]
    assert large.error is not None
    assert "allows no call as large as this one" in large.error.message
    assert place.spent == 1


TO = ["ann@x.test"]


def test_a_sum_is_exact(place: Place) -> None:
    """A number in the inputs is counted instead of the call, as decimals are; without it the call
    is refused.
    """
    place.allow({"count": 0.3, "per": "month", "of": {"action": "letters/send"}, "sum": "/amount"})
    assert [place.send(TO, amount=amount).status for amount in (0.1, 0.2, 0.000001)] == [
        "succeeded",
        "succeeded",
        "failed",
    ]
    refused = place.send(TO)
    assert refused.error is not None
    assert (refused.error.code, refused.error.details[0].path) == ("invalid_input", "/amount")


BY: dict[str, tuple[dict[str, Any], Callable[[Place, str], Result]]] = {
    "recipient": (
        {"by": "recipient"},
        lambda place, who: place.send([f"{who}@x.test"]),
    ),
    "pointer": (
        {"by": "/voice"},
        lambda place, who: place.post(voice={"ann": "alto", "bob": "bass"}[who]),
    ),
    "connection": (
        {"by": "connection"},
        lambda place, who: place.jackfield.invoke(
            say("post", "hall" if who == "ann" else None, text="x")
        ),
    ),
    "token": (
        {"by": "token"},
        lambda place, who: place.jackfield.invoke(
            say("post", "hall", text="x"),
            caller=Caller(who, "invoke", Rules(), remote=True, token=who),
        ),
    ),
}


@pytest.mark.parametrize("by", BY)
def test_each_has_a_count_of_its_own(place: Place, by: str) -> None:
    """Recipients, values, connections and tokens do not take each other's places."""
    more, call = BY[by]
    place.allow({**MONTH, "count": 1, **more})
    assert [call(place, who).status for who in ("ann", "bob", "ann", "bob")] == [
        "succeeded",
        "succeeded",
        "failed",
        "failed",
    ]
    assert place.spent == 2


def test_a_call_to_many_recipients_takes_a_place_of_each_or_none(place: Place) -> None:
    """Addresses are compared as mailboxes; a call with one recipient too many takes no other's
    place.
    """
    place.allow({**MONTH, "count": 1, "by": "recipient"})
    assert (
        place.send(["Ann <ann@x.test>", "ANN@x.test"], cc=["bob@x.test"], bcc=["dan@x.test"]).status
        == "succeeded"
    )
    assert place.send(["cid@x.test"], bcc=["Dan <DAN@x.test>"]).status == "failed"
    assert place.send(["cid@x.test"]).status == "succeeded"
    assert place.spent == 4


def test_all_quotas_hold_at_once(place: Place) -> None:
    """The one that is used up first refuses, and is named."""
    place.allow(
        {**MONTH, "count": 3},
        {**MONTH, "count": 1, "of": {"connection": "hall", "effect": "change"}},
    )
    assert place.codes(2) == ["succeeded", "quota_exceeded"]
    refused = place.post().error
    assert refused is not None
    assert "1 of effect:change & connection:hall per month" in refused.message
    assert place.jackfield.invoke(say("post", text="x")).status == "succeeded"


def test_a_renamed_connection_keeps_its_quota(place: Place) -> None:
    """Nobody leaves a quota behind by another name."""
    place.allow({**MONTH, "count": 1, "of": {"connection": "hall"}})
    place.jackfield.connections.rename("hall", "attic")
    found = [place.jackfield.invoke(say("post", "attic", text="x")).status for _ in range(2)]
    assert found == ["succeeded", "failed"]


def test_what_a_lost_process_has_counted_is_given_back_once(place: Place) -> None:
    """Recovery gives back the places of calls that have not begun, and no others, however often it
    looks.
    """
    place.allow(MONTH)
    place.post()
    database = place.jackfield.storage.database
    place.jackfield.access.workspaces.set("default", {"quotas": [{**MONTH, "count": 5}]})

    def left(transaction: Any) -> None:
        transaction.change("UPDATE quota_counts SET spent = spent + 1000000")
        transaction.change(
            "INSERT INTO quota_places (workspace, id, bucket, mark, amount, owner, ends_at) "
            "SELECT workspace, 'lost', bucket, 'm', amount, 'gone', ends_at FROM quota_places"
        )

    database.record(left)
    assert place.spent == 2
    assert [recover(database) for _ in range(2)] == [1, 0]
    assert place.spent == 1


def test_a_place_that_was_given_back_undoes_the_begin(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that was taken for dead between its count and its begin counts anew: nothing is
    sent without a place.
    """
    place.allow({**MONTH, "count": 1})
    database, asked = place.jackfield.storage.database, threading.Event()
    record = type(database).record

    def late(self: Any, unit: Any, **more: Any) -> Any:
        with self.read(flush=False) as reading:
            taken = reading.execute("SELECT id FROM quota_places")
        if taken and not asked.is_set():
            asked.set()
            with self.write() as transaction:
                transaction.change("DELETE FROM quota_places")
                transaction.change("UPDATE quota_counts SET spent = 0")
        return record(self, unit, **more)

    monkeypatch.setattr(type(database), "record", late)
    assert place.post().status == "succeeded"
    assert asked.is_set()
    assert place.spent == 1


@pytest.mark.parametrize(
    ("quota", "path"),
    [
        ({"count": 0, "per": "day"}, "/quotas/0/count"),
        ({"count": 1, "per": "fortnight"}, "/quotas/0/per"),
        ({"count": 1, "per": "day", "of": {"action": "echo"}}, "/quotas/0/of/action"),
        ({"count": 1, "per": "day", "of": {"effect": "writes"}}, "/quotas/0/of/effect"),
        ({"count": 1, "per": "day", "of": {"effect": "write & *"}}, "/quotas/0/of/effect"),
        ({"count": 1, "per": "day", "of": []}, "/quotas/0/of"),
        ({"count": 1, "per": "day", "by": "colour"}, "/quotas/0/by"),
        ({"count": 1, "per": "day", "sum": "amount"}, "/quotas/0/sum"),
        ({"count": 1, "per": "day", "counts": 1}, "/quotas/0/counts"),
        (5, "/quotas/0"),
    ],
)
def test_a_quota_that_is_not_valid_is_refused_at_its_place(
    place: Place, quota: Any, path: str
) -> None:
    """Each fault has its pointer."""
    with pytest.raises(InvalidInvocation) as refused:
        place.allow(quota)
    assert path in [detail.path for detail in refused.value.details]


@pytest.mark.parametrize(
    ("processes", "calls", "kills"),
    [(4, 80, 4), pytest.param(64, 10_000, 150, marks=pytest.mark.campaign)],
    ids=["few", "many"],
)
def test_killed_processes_never_make_one_effect_too_many(
    database_url: str, tmp_path: Path, processes: int, calls: int, kills: int
) -> None:
    """Whatever instant they are killed at: no effect beyond the quota, and in the end what is spent
    has begun, and nothing is lost.
    """
    _judge(alone(storm, database_url, str(tmp_path), processes, calls, kills, within=_LONG))


@pytest.mark.campaign
def test_a_synchronous_standby_has_each_count(tmp_path: Path) -> None:
    """The same, while the primary is killed, too, and its standby takes over."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with standing_by(synchronous=True) as pair:
        url, places = url_of_both(*pair), [(str(server.folder), server.port) for server in pair]
        _judge(alone(storm, url, str(tmp_path), 64, 10_000, 150, places, within=_LONG))


def _judge(told: dict[str, Any]) -> None:
    sys.stdout.write(f"{told}\n")  # 'make campaign quotas' shows it
    assert told["effects"] <= told["spent"] <= MOST, told
    assert (told["open"], told["places"], told["begun"]) == (0, told["spent"], told["spent"]), told
    assert (told["rest"], told["effects after"]) == (
        MOST - told["spent"],
        told["effects"] + told["rest"],
    ), told
