"""Callbacks: what is sent, signed how, when again, and when no more; on SQLite and PostgreSQL."""

from __future__ import annotations

import threading
import time
from base64 import b64decode
from typing import Any

import pytest
import standardwebhooks
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from tests.jackfield_service.subjects.events.callback_stage import Place

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.testing import CLOSE, Answer
from jackfield.wire.guard import Guard
from jackfield_service.subjects.callbacks.callbacks import Callbacks, failing_callbacks
from jackfield_service.subjects.callbacks.retries import PAUSES, pause_before
from jackfield_service.subjects.callbacks.sending import Attempt, Sender
from jackfield_service.subjects.events import numbering
from jackfield_service.subjects.events.retention import Retention
from jackfield_store.access import Audit, Workspaces
from receiver import Receiver, receiving

READ = {
    "connector": "aws-ses",
    "action": "listIdentities",
    "connection": "acme-ses",
    "inputs": {"awsRegion": "eu-west-1"},
}
HOUR, DAY = 3600.0, 86_400.0


def test_an_event_is_a_signed_request(place: Place, receiver: Receiver) -> None:
    """Its body is that of Standard Webhooks, its id is the event's, and their library accepts its
    signature.
    """
    made = place.add(receiver.url, types=["invocation.finished"])
    identifier = place.jackfield.enqueue({**READ, "context": {"labels": {"team": "crm"}}})
    place.jackfield.run(place.queue.claim_one("default", identifier))
    place.dispatch()
    (got,) = receiver.got
    (event,) = place.told("invocation.*")
    assert standardwebhooks.Webhook(made.secret).verify(got.body, dict(got.headers)) == got.json
    assert got.json == {
        "type": "invocation.finished",
        "timestamp": event.to_json()["timestamp"],
        "data": {
            "eventId": event.id,
            "sequence": event.sequence,
            "subject": identifier,
            "payload": dict(event.data),
        },
    }
    assert (got.id, got.headers["content-type"], "output" in got.json["data"]["payload"]) == (
        event.id,
        "application/json",
        False,
    )
    (delivery,) = place.all()
    assert (delivery.state, delivery.attempts, delivery.log[0]["status"]) == ("delivered", 1, 204)


def test_ed25519_needs_no_shared_secret(place: Place, receiver: Receiver) -> None:
    """The receiver has the public key only."""
    shown = place.add(receiver.url, signing="ed25519").shown()
    assert list(shown) == ["publicKey"]
    place.happens()
    place.dispatch()
    (got,) = receiver.got
    version, _, signature = got.headers["webhook-signature"].partition(",")
    key = Ed25519PublicKey.from_public_bytes(b64decode(shown["publicKey"].removeprefix("whpk_")))
    key.verify(
        b64decode(signature), f"{got.id}.{got.headers['webhook-timestamp']}.".encode() + got.body
    )
    assert version == "v1a"


def test_both_secrets_are_valid_during_a_rotation(place: Place, receiver: Receiver) -> None:
    """For a day, a receiver with either one accepts; after it only the new one."""
    old = place.add(receiver.url)
    new, _ = place.callbacks.rotate(old.callback.id)
    place.happens()
    place.dispatch()
    (got,) = receiver.got
    for secret in (old.secret, new.secret):
        standardwebhooks.Webhook(secret).verify(got.body, dict(got.headers))
    place.happens()
    place.later(25 * HOUR)
    assert [len(got.headers["webhook-signature"].split(" ")) for got in receiver.got] == [2, 1]


def test_a_second_rotation_breaks_no_promise_of_the_first(place: Place, receiver: Receiver) -> None:
    """Each older secret is valid for as long as was said when it was replaced, unless a later
    rotation leaves less; at most five sign.
    """
    first = place.add(receiver.url)
    second, _ = place.callbacks.rotate(first.callback.id)
    place.callbacks.rotate(first.callback.id, 48 * HOUR)
    place.happens()
    place.dispatch()
    for secret in (first.secret, second.secret):
        standardwebhooks.Webhook(secret).verify(receiver.got[0].body, dict(receiver.got[0].headers))
    place.happens()
    place.later(25 * HOUR)
    for overlap in (HOUR, HOUR, HOUR, HOUR, HOUR, 0.0):
        place.callbacks.rotate(first.callback.id, overlap)
        place.happens()
        place.dispatch()
    assert [len(got.headers["webhook-signature"].split(" ")) for got in receiver.got] == [
        3,
        2,
        3,
        4,
        5,
        5,
        5,
        1,
    ]


def test_what_a_callback_wants(place: Place, receiver: Receiver) -> None:
    """Types, patterns and members of the data choose; without types all but the audit log; nothing
    from before it was made.
    """
    place.happens("quota.low", "before")
    for given in (
        {},
        {"types": ["quota.*"]},
        {"types": ["*"]},
        {"types": ["quota.low"], "filter": {"status": "x"}},
        {"types": ["schedule.missed"], "thin": True},
    ):
        place.add(receiver.url, **given)
    place.dispatch()
    receiver.got.clear()
    place.happens("quota.low", "a")
    place.happens("schedule.missed", "b")
    Audit(place.database, lambda: place.vault, "default", SystemClock()).record(
        "connection.exported", "c"
    )
    place.dispatch()
    assert sorted(got.json["data"]["subject"] for got in receiver.got) == [
        "a",
        "a",
        "a",
        "b",
        "b",
        "b",
        "c",
    ]
    assert sorted(
        "payload" in got.json["data"] for got in receiver.got if got.json["data"]["subject"] == "b"
    ) == [False, True, True]


@pytest.mark.above_sql
def test_a_new_callback_gets_nothing_from_before_it_was_made(
    place: Place, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many events no server or worker has numbered yet."""
    monkeypatch.setattr(numbering, "SLICE", 2)
    place.happens(count=11)
    place.add(receiver.url)
    place.happens("quota.low", "after")
    place.dispatch()
    assert [got.json["data"]["subject"] for got in receiver.got] == ["after"]


def test_a_suspended_workspace_is_told_at_once(place: Place, receiver: Receiver) -> None:
    """Callbacks go on while the workspace is suspended, so that their owner hears why its calls are
    refused.
    """
    place.add(receiver.url, types=["workspace.*"])
    workspaces = Workspaces(place.database, place.vault, SystemClock())
    for suspended in (True, False):
        workspaces.set("default", {"suspended": suspended})
        place.dispatch()
        got = receiver.got[-1].json
        kind = "workspace.suspended" if suspended else "workspace.resumed"
        assert (got["type"], got["data"]["subject"], got["data"]["payload"]) == (
            kind,
            "default",
            {"workspace": "default"},
        )
    assert [delivery.state for delivery in place.all()] == ["delivered"] * 2


def test_the_output_comes_if_it_is_asked_for(place: Place, receiver: Receiver) -> None:
    """It is read from the journal, and in no event."""
    place.add(receiver.url, include=["output"])
    identifier = place.jackfield.enqueue(READ)
    result = place.jackfield.run(place.queue.claim_one("default", identifier))
    place.dispatch()
    assert receiver.got[0].json["data"]["payload"]["output"] == result.output
    assert "output" not in place.told("invocation.*")[0].data


def test_retries_over_three_days(place: Place, receiver: Receiver) -> None:
    """A receiver that is down gets ten attempts with the same id, each later than the one before;
    then the delivery is dead, and said to be.
    """
    place.add(receiver.url, types=["quota.low"])
    receiver.says(500, b"down")
    place.happens()
    place.dispatch()
    for pause in PAUSES:
        assert place.all()[0].state == "pending"
        place.later(pause * 1.21)
    assert len(receiver.got) == len(PAUSES) + 1
    assert len({got.id for got in receiver.got}) == 1
    assert len({got.headers["webhook-timestamp"] for got in receiver.got}) == len(receiver.got)
    (delivery,) = place.all(status="dead")
    assert (delivery.attempts, delivery.to_json()["lastStatus"], delivery.log[-1]["answer"]) == (
        10,
        500,
        "down",
    )
    assert 3 * DAY < sum(PAUSES) < 3.5 * DAY
    assert [
        (event.data["delivery"], event.data["attempts"])
        for event in place.told("callback.exhausted")
    ] == [(delivery.id, 10)]
    receiver.says(204)
    place.deliveries.resend(delivery.id)
    place.dispatch()
    assert place.all()[0].state == "delivered"


def test_pauses_have_jitter_and_heed_the_receiver() -> None:
    """±20 %, and at least what ``Retry-After`` asks for; none after the last attempt."""
    assert [pause_before(1, None, chance) for chance in (0.0, 0.5, 1.0)] == [4.0, 5.0, 6.0]
    assert pause_before(1, 100.0) == 100.0
    assert pause_before(len(PAUSES) + 1, None) is None


def test_retry_after_is_heeded(place: Place, receiver: Receiver) -> None:
    """A busy receiver says when it wants to be asked again."""
    place.add(receiver.url, types=["quota.low"])
    receiver.says(503, Retry_After="600")
    place.happens()
    place.dispatch()
    place.later(500)
    assert len(receiver.got) == 1
    receiver.says(200)
    place.later(110)
    assert len(receiver.got) == 2


def test_410_pauses_at_once(place: Place, receiver: Receiver) -> None:
    """A receiver that is gone gets nothing more, until a person resumes the callback; the reason is
    stated.
    """
    identifier = place.add(receiver.url, types=["quota.low"]).callback.id
    receiver.says(410)
    place.happens(count=3)
    place.dispatch()
    found = place.callbacks.find(identifier)
    assert (found.status, found.reason) == ("paused", "it answered 410: it wants no more events")
    count = len(receiver.got)
    place.later(2 * DAY)
    assert len(receiver.got) == count
    (event,) = place.told("callback.paused")
    assert event.data["reason"] == found.reason
    receiver.says(200)
    place.callbacks.change(identifier, {"status": "active"})
    place.dispatch()
    assert [item.state for item in place.all()] == ["delivered"] * 3


@pytest.mark.above_sql
def test_a_dead_receiver_is_announced_paused_and_resumed(place: Place, receiver: Receiver) -> None:
    """After four days of failures an event warns, a day later the callback is paused, and it
    resumes by itself when the receiver answers; what has waited is sent.
    """
    identifier = place.add(receiver.url, types=["quota.low"]).callback.id
    receiver.says(500)
    place.happens()
    place.dispatch()
    assert [failing_callbacks(place.database, place.time() + later) for later in (0, 2 * HOUR)] == [
        0,
        1,
    ]
    for _ in range(5):
        place.later(DAY)
        place.happens()
        place.dispatch()
    place.later(HOUR)
    place.happens()
    place.dispatch()
    (warned,), (paused,) = place.told("callback.failing"), place.told("callback.paused")
    assert warned.data["pausesAt"] > warned.to_json()["timestamp"]
    assert paused.at - warned.at >= DAY
    assert "no delivery has succeeded since" in paused.data["reason"]
    place.happens(count=3)
    place.dispatch()
    count = len(receiver.got)
    place.later(300)
    assert len(receiver.got) == count
    receiver.says(200)
    place.later(2 * HOUR)
    assert place.callbacks.find(identifier).status == "active"
    assert len(place.told("callback.resumed")) == 1
    place.dispatch()
    assert place.all(status="pending") == []


@pytest.mark.above_sql
def test_what_was_paused_for_its_failures_resumes_though_it_was_changed(
    place: Place, receiver: Receiver
) -> None:
    """A new description leaves it to resume by itself; once a person has paused it, it does not."""
    mended, paused = (place.add(receiver.url, types=["quota.low"]).callback.id for _ in range(2))
    receiver.says(500)
    place.happens()
    for _ in range(7):
        place.later(DAY)
        place.happens()
        place.dispatch()
    assert [place.callbacks.find(one).status for one in (mended, paused)] == ["paused", "paused"]
    place.callbacks.change(mended, {"description": "the orders"})
    place.callbacks.change(paused, {"status": "paused"})
    receiver.says(204)
    place.later(2 * HOUR)
    assert [place.callbacks.find(one).status for one in (mended, paused)] == ["active", "paused"]


@pytest.mark.above_sql
@pytest.mark.parametrize("ends", ["remove", "pause"])
def test_a_callback_that_is_removed_or_paused_gets_no_more(
    ends: str, place: Place, receiver: Receiver
) -> None:
    """What its threads have claimed by then is not sent: at most what is on its way."""
    goes = threading.Semaphore(0)
    receiver.answer = lambda _request: Answer(status=204) if goes.acquire(timeout=60.0) else CLOSE
    identifier = place.add(receiver.url, types=["quota.low"]).callback.id
    place.happens(count=60)
    while not receiver.got:
        place.dispatcher.turn()
    goes.release()
    receiver.wait(2)
    if ends == "remove":
        place.callbacks.remove(identifier)
    else:
        place.callbacks.change(identifier, {"status": "paused"})
    place.dispatcher._reload_at = 0.0
    place.dispatcher.turn()
    for _ in range(60):
        goes.release()
    while place.dispatcher._batches:
        threading.Event().wait(0.002)
    assert len(receiver.got) <= 1 + 4
    assert len(place.all(status="pending")) == (0 if ends == "remove" else 60 - len(receiver.got))


def test_redirects_are_not_followed(place: Place, receiver: Receiver) -> None:
    """A redirect is a failure, wherever it leads."""
    place.add(receiver.url, types=["quota.low"])
    receiver.says(307, Location=receiver.url)
    place.happens()
    place.dispatch()
    assert len(receiver.got) == 1
    assert (
        place.all()[0].to_json()["lastError"] == "it answered 307, and redirects are not followed"
    )


def test_large_and_broken_answers(place: Place, receiver: Receiver) -> None:
    """Of a large answer only the beginning is read; a closed connection is a failure with its
    reason.
    """
    place.add(receiver.url, types=["quota.low"])
    receiver.says(200, b"x" * 10_000_000)
    place.happens()
    place.dispatch()
    assert (place.all()[0].state, len(place.all()[0].log[0]["answer"])) == ("delivered", 400)

    receiver.answer = lambda _request: CLOSE
    place.happens()
    place.dispatch()
    assert (
        "closed the connection before the first byte of an answer"
        in place.all()[1].to_json()["lastError"]
    )


@pytest.mark.above_sql
def test_a_dead_receiver_does_not_keep_others_waiting(place: Place, receiver: Receiver) -> None:
    """While one fails, the events of another one are delivered, all of them, once each."""
    with receiving() as healthy:
        receiver.says(500)
        place.add(receiver.url, types=["quota.low"])
        place.add(healthy.url, types=["quota.low"])
        place.happens(count=30)
        place.dispatch()
        assert len({got.id for got in healthy.got}) == len(healthy.got) == 30


@pytest.mark.above_sql
def test_deliveries_are_made_as_they_are_sent(place: Place, receiver: Receiver) -> None:
    """However many events wait, few deliveries are made ahead of what is sent; callbacks that were
    made one after the other, and so begin at other events, are served alike.
    """
    held = threading.Event()
    receiver.answer = lambda _request: Answer(status=204) if held.wait(60.0) else CLOSE
    for _ in range(3):
        place.add(receiver.url, types=["quota.low"])
    place.happens(count=1200)
    for _ in range(20):
        place.dispatcher.turn()
    with place.database.read() as transaction:
        (made,) = transaction.execute(
            "SELECT COUNT(*) AS many, COUNT(DISTINCT callback) AS callbacks FROM deliveries"
        )
    held.set()
    assert (0 < made.many < 1200, made.callbacks) == (True, 3)


def test_a_receiver_that_refuses_connections_is_not_hammered(place: Place) -> None:
    """After each failure in a row it has a longer rest, up to two seconds, however many deliveries
    are due to it; a success ends that.
    """
    place.add("http://127.0.0.1:9/")
    place.dispatcher.turn()
    (lane,) = place.dispatcher._lanes.values()
    rests = []
    for status in (None,) * 7 + (204,):
        lane.note(Attempt(1.0, 0.1, status=status), 0.0)
        rests.append(lane.rests_until)
    assert rests == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 0.0]


def test_what_a_crash_left_is_sent_by_another(place: Place, receiver: Receiver) -> None:
    """A delivery that a process had claimed is sent once its claim has ended."""
    place.add(receiver.url, types=["quota.low"])
    place.happens()
    place.dispatch()
    claimed = {"until": place.time() + 60}
    change = "UPDATE deliveries SET state = 'pending', held_until = :until"
    place.database.record(lambda transaction: transaction.change(change, claimed))
    place.dispatch()
    assert len(receiver.got) == 1
    place.later(61)
    assert len(receiver.got) == 2
    assert len({got.id for got in receiver.got}) == 1


def test_recover_sends_what_was_not_delivered(place: Place, receiver: Receiver) -> None:
    """Of the events since a time, those that are dead or were never tried are sent; those delivered
    are not.
    """
    identifier = place.add(receiver.url, types=["quota.low"]).callback.id
    place.happens(count=2)
    place.dispatch()
    place.database.record(
        lambda transaction: transaction.change(
            "UPDATE deliveries SET state = 'dead' WHERE sequence % 2 = 0"
        )
    )
    dead = len(place.all(status="dead"))
    place.database.record(
        lambda transaction: transaction.change("DELETE FROM deliveries WHERE state = 'delivered'")
    )
    receiver.got.clear()
    assert place.deliveries.recover(identifier, place.time() - 60) == 2
    place.dispatch()
    assert dead == 1
    assert len(receiver.got) == 2
    assert place.deliveries.recover(identifier, place.time() - 60) == 0


@pytest.mark.above_sql
def test_recover_sends_nothing_again_whose_delivery_is_not_kept_any_more(
    place: Place, receiver: Receiver
) -> None:
    """Deliveries that succeeded are kept for a week, dead ones for a month: of ten days ago, the
    dead ones are sent.
    """
    identifier = place.add(receiver.url, types=["quota.low"]).callback.id
    receiver.says(204)
    place.happens(count=3)
    place.dispatch()
    place.database.record(
        lambda transaction: transaction.change(
            "UPDATE deliveries SET state = 'dead' WHERE sequence = (SELECT MAX(sequence) FROM "
            "deliveries)"
        )
    )
    place.ahead += 10 * DAY
    assert Retention(place.database).run(place.time(), time.monotonic() + 60.0) is False
    assert [found.state for found in place.all()] == ["dead"]
    assert place.deliveries.recover(identifier, place.time() - 20 * DAY) == 1
    receiver.got.clear()
    place.dispatch()
    assert len(receiver.got) == 1


def test_a_callback_never_gets_events_about_itself(place: Place, receiver: Receiver) -> None:
    """Its failure would otherwise be the next thing that it fails to take."""
    identifier = place.add(receiver.url, types=["*"]).callback.id
    place.happens("callback.exhausted", identifier)
    place.callbacks.change(identifier, {"description": "x"})
    place.dispatch()
    assert receiver.got == []


def test_a_row_that_was_changed_sends_nothing(place: Place, receiver: Receiver) -> None:
    """Who can write to the database cannot have events signed for another address."""
    with receiving() as thief:
        identifier = place.add(receiver.url, types=["quota.low"]).callback.id
        values = {"url": thief.url}
        place.database.record(
            lambda transaction: transaction.change("UPDATE callbacks SET url = :url", values)
        )
        place.happens()
        place.dispatch()
        assert thief.got == receiver.got == []
        assert "changed in the database" in place.all()[0].to_json()["lastError"]
        with pytest.raises(InvalidInvocation, match="changed in the database"):
            place.callbacks.test(identifier)


TARGETS = (
    "127.0.0.1",
    "localhost",
    "[::1]",
    "0.0.0.0",
    "[::]",
    "10.0.0.1",
    "10.255.255.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "198.18.0.1",
    "192.0.2.1",
    "203.0.113.1",
    "240.0.0.1",
    "[fd00:ec2::254]",
    "[fe80::1]",
    "[fc00::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:169.254.169.254]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "2130706433",
    "0x7f.1",
)


def test_targets_inside_the_network_are_refused(place: Place, subtests: pytest.Subtests) -> None:
    """Over HTTP a callback may be public only; one that got there all the same is not reached,
    since each resolution is checked.
    """
    for host in TARGETS:
        with subtests.test(host=host):
            remote = Callbacks(
                place.database,
                place.vault,
                "default",
                SystemClock(),
                Actor("token", "t"),
                origin="remote",
            )
            with pytest.raises(InvalidInvocation) as refused:
                remote.create({"url": f"https://{host}/hook"})
            assert [fault.path for fault in refused.value.details] == ["/url"]
            attempt = Sender(Guard()).send(f"https://{host}/hook", "remote", [], b"{}", 0.0)
            assert (attempt.status, "inside the operator's network" in (attempt.error or "")) == (
                None,
                True,
            )


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"url": "ftp://example.com/"}, "/url"),
        ({"url": "https://user:pw@example.com/"}, "/url"),
        ({"url": "https:///x"}, "/url"),
        ({"url": 7}, "/url"),
        ({"url": "https://example.com/ x"}, "/url"),
        ({"url": "http://93.184.215.14/"}, "/url"),
        ({"types": ["quota.lwo"]}, "/types/0"),
        ({"types": "quota.low"}, "/types"),
        ({"filter": {"inputs": "x"}}, "/filter/inputs"),
        ({"filter": {"status": 7}}, "/filter/status"),
        ({"filter": {"labels": "x"}}, "/filter/labels"),
        ({"include": ["inputs"]}, "/include"),
        ({"thin": True, "include": ["output"]}, "/include"),
        ({"thin": 1}, "/thin"),
        ({"signing": "rsa"}, "/signing"),
        ({"secret": "whsec_x"}, "/secret"),
        ({"filter": []}, "/filter"),
        ({"description": "x" * 201}, "/description"),
        ({"url": "https://example.com:0/"}, "/url"),
    ],
)
def test_members_that_are_not_valid(given: dict[str, Any], path: str, place: Place) -> None:
    """Each fault is named by its pointer."""
    remote = Callbacks(
        place.database, place.vault, "default", SystemClock(), Actor("token", "t"), origin="remote"
    )
    with pytest.raises(InvalidInvocation) as refused:
        remote.create({"url": "https://93.184.215.14/", **given})
    assert [fault.path for fault in refused.value.details] == [path]


def test_a_removed_callback_leaves_no_delivery(place: Place) -> None:
    """However many there are: they are deleted in commits of 500. Those of others stay."""
    made, other = (
        place.add(f"https://example.com/{name}").callback.id for name in ("made", "other")
    )
    insert = """
    INSERT INTO deliveries (workspace, callback, sequence, id, event, type, state, next_at, created_at)
    VALUES ('default', :callback, :sequence, :id, 'e', 't', 'pending', 0, 0)
    """
    rows = [
        {"callback": one, "sequence": n, "id": f"{one}-{n}"}
        for one, count in ((made, 1100), (other, 3))
        for n in range(count)
    ]
    place.database.record(lambda one: one.change_many(insert, rows))
    place.callbacks.remove(made)
    with place.database.read() as transaction:
        left = transaction.execute("SELECT DISTINCT callback FROM deliveries", {})
    assert ([row.callback for row in left], [found.id for found in place.callbacks.page()[0]]) == (
        [other],
        [other],
    )


def test_changes_are_audited(place: Place) -> None:
    """Each has an entry with its actor, and no secret."""
    made = place.add("https://example.com/")
    place.callbacks.change(made.callback.id, {"description": "x"})
    rotated, _ = place.callbacks.rotate(made.callback.id)
    place.callbacks.remove(made.callback.id)
    entries, _ = Audit(place.database, lambda: place.vault, "default", SystemClock()).list(
        event="callback.*"
    )
    assert [entry.about["event"] for entry in entries] == [
        f"callback.{act}" for act in ("removed", "rotated", "changed", "created")
    ]
    told = entries[2].about["details"]
    assert told == {
        "members": ["description"],
        "before": {"description": ""},
        "after": {"description": "x"},
    }
    assert all(
        secret not in str([entry.about for entry in entries])
        for secret in (made.secret, rotated.secret)
    )
    with pytest.raises(InvalidInvocation, match="no callback has the ID"):
        place.callbacks.find(made.callback.id)
