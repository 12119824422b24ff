"""Callbacks in the console: made, tried, paused, rotated and removed; what was sent, and sending it
again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import standardwebhooks
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed, token

from jackfield.callers import Rules
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_store.access import Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens
from jackfield_store.database.outbox import record
from receiver import Receiver, receiving


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console where nobody dispatches."""
    with placed(tmp_path, queue_workers=0) as found:
        yield found


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback."""
    with receiving() as made:
        yield made


def made(person: Client, url: str) -> tuple[str, str]:
    """Create a callback in the console; return the address of its page and its secret."""
    page = person.change(
        "/callbacks", "/callbacks", url=url, types="quota.low\ninvocation.*", description="The shop"
    )
    assert page.status == 200, page.words
    return re.findall(r'"(/callbacks/cb_[^"?]+)"', page.text)[0], re.findall(
        r"whsec_[^<]+", page.text
    )[0]


def told(place: Place, receiver: Receiver) -> None:
    """Let an event happen, and dispatch until it is told."""
    storage, count = place.host.storage, len(receiver.got)
    with storage.database.write() as transaction:
        record(transaction, "default", "quota.low", "acme-ses", 1.5, {"connection": "acme-ses"})
    dispatcher = Dispatcher(
        lambda: storage.database, lambda: storage.vault, SystemClock(), Sender()
    )
    dispatcher.start()
    receiver.wait(count + 1)
    dispatcher.stop(30.0)


def test_a_callback_is_made_tried_and_rotated(place: Place, receiver: Receiver) -> None:
    """Its secret is shown once; a test event says what the receiver answered; a new secret signs
    beside the old one.
    """
    person = place.signed_in()
    shown, secret = made(person, receiver.url)
    assert ("The shop" in person.get("/callbacks").words, secret in person.get(shown).text) == (
        True,
        False,
    )
    assert "It answered 204 after" in person.change(shown, f"{shown}/test").words
    receiver.says(500, b"<b>out of order</b>")
    failed = person.change(shown, f"{shown}/test").text
    assert ("it answered 500" in failed, "&lt;b&gt;out of order" in failed, "<b>out" in failed) == (
        True,
        True,
        False,
    )
    new = re.findall(r"whsec_[^<]+", person.change(shown, f"{shown}/rotation").text)[0]
    receiver.says(204)
    person.change(shown, f"{shown}/test")
    for valid in (secret, new):
        standardwebhooks.Webhook(valid).verify(
            receiver.got[-1].body, dict(receiver.got[-1].headers)
        )
    for step, says in (
        ("pause", "Paused: nothing is sent"),
        ("resume", "Resumed: what has waited"),
        ("removal", "Callback removed"),
    ):
        answer = person.change(shown, f"{shown}/{step}")
        assert (answer.status, says in person.get(answer.headers["location"]).words) == (303, True)
    assert (person.get(shown).status, "No callbacks yet" in person.get("/callbacks").words) == (
        404,
        True,
    )


def test_all_dead_deliveries_are_sent_again_at_once(place: Place, receiver: Receiver) -> None:
    """The step says how many, of all callbacks or of one; what is not dead stays as it is, and a
    second time there is nothing to send.
    """
    person = place.signed_in()
    shown, _ = made(person, receiver.url)
    for _ in range(3):
        told(place, receiver)
    assert "again…" not in person.get("/deliveries").words
    database = place.host.storage.database
    database.record(
        lambda transaction: transaction.change(
            "UPDATE deliveries SET state = 'dead', attempts = 10 WHERE sequence % 2 = 1"
        )
    )
    count = person.get("/deliveries?status=dead").text.count("/deliveries/dlv_") // 2
    assert 0 < count < 3
    title = "Send 1 dead delivery again" if count == 1 else f"Send {count} dead deliveries again"
    callback = shown.rpartition("/")[2]
    for address in ("/deliveries", "/deliveries?status=dead", f"/deliveries?callback={callback}"):
        assert title in person.get(address).words, address
    assert "again…" not in person.get("/deliveries?callback=cb_other").words
    assert (
        person.change("/deliveries", "/deliveries/dead/resend", callback="cb_other").status == 303
    )
    assert title in person.get("/deliveries").words
    answer = person.change(
        f"/deliveries?callback={callback}", "/deliveries/dead/resend", callback=callback
    )
    assert "All dead ones are sent again now" in person.get(answer.headers["location"]).words
    assert person.get("/deliveries?status=pending").text.count('class="badge busy"') == count
    assert person.change("/deliveries", "/deliveries/dead/resend", callback="").status == 303
    assert person.get("/deliveries?status=pending").text.count('class="badge busy"') == count


def test_what_was_sent_is_shown_and_sent_again(place: Place, receiver: Receiver) -> None:
    """The callback leads to its deliveries, and each to its attempts, the request as the receiver
    got it, and a button.
    """
    person = place.signed_in()
    shown, _ = made(person, receiver.url)
    receiver.says(410)
    told(place, receiver)
    page = person.get(shown)
    assert "it answered 410: it wants no more events" in page.words
    delivery = re.findall(r'"(/deliveries/dlv_[^"/]+)"', page.text)[0]
    pending = person.get("/deliveries?status=pending").text
    assert delivery in pending
    assert f'href="{shown}">{receiver.url}' in pending
    assert delivery not in person.get("/deliveries?status=dead").text
    found = person.get(delivery)
    got = receiver.got[0]
    assert "it answered 410" in found.words
    for part in (
        f"webhook-id: {got.id}",
        f"webhook-timestamp: {got.headers['webhook-timestamp']}",
        '"subject": "acme-ses"',
    ):
        assert part in found.words
    assert "v1," not in found.words
    answer = person.change(delivery, f"{delivery}/resend")
    assert "Sent again now" in person.get(answer.headers["location"]).words
    for since, status in (("2d", 303), ("soon", 400)):
        assert person.change(shown, f"{shown}/recovery", since=since).status == status
    assert person.change(shown, f"{shown}/nonsense").status == 404
    assert person.get("/deliveries/dlv_none").status == 404


def test_what_is_for_managers_without_rules_is_not_linked(place: Place) -> None:
    """Others get no link to callbacks and audit log. A token's callbacks reach public hosts only,
    the operator's all.
    """
    for scope, rules in (("invoke", None), ("manage", Rules(allow=("echo/*",)))):
        start = place.signed_in(token(place, scope, rules=rules)).get("/").words
        assert ("Callbacks" in start, "Audit log" in start) == (False, False)
    refused = place.signed_in(token(place, "manage")).change(
        "/callbacks", "/callbacks", url="http://127.0.0.1:9/", types="quota.lwo"
    )
    assert "quota.lwo" in refused.words
    refused = place.signed_in(token(place, "manage")).change(
        "/callbacks", "/callbacks", url="http://127.0.0.1:9/"
    )
    assert "not allowed to reach this host" in refused.words


def test_a_platforms_callback_gets_the_events_of_its_workspaces(
    place: Place, receiver: Receiver
) -> None:
    """The operator reaches it from the tenants, makes it with one secret, and sees deliveries with
    their workspace; no token does.
    """
    storage = place.host.storage
    PlatformTokens(storage.database, storage.vault, SystemClock()).create("shop-*", "The Shop")
    Workspaces(storage.database, storage.vault, SystemClock(), Actor("cli", "ada")).create("shop-1")
    person, base = place.signed_in(), "/platforms/shop-*"
    assert f'href="{base}/callbacks"' in person.get("/tenants").text
    page = person.change(
        f"{base}/callbacks",
        f"{base}/callbacks",
        url=receiver.url,
        types="quota.low",
        description="The shop",
    )
    shown, secret = (
        re.findall(rf'"({re.escape(base)}/callbacks/cb_[^"?]+)"', page.text)[0],
        re.findall(r"whsec_[^<]+", page.text)[0],
    )
    assert "It answered 204 after" in person.change(shown, f"{shown}/test").words
    with storage.database.write() as transaction:
        record(transaction, "shop-1", "quota.low", "acme-ses", 1.5, {"connection": "acme-ses"})
    dispatcher = Dispatcher(
        lambda: storage.database, lambda: storage.vault, SystemClock(), Sender()
    )
    dispatcher.start()
    receiver.wait(2)
    dispatcher.stop(30.0)
    got = receiver.got[-1]
    assert (
        standardwebhooks.Webhook(secret).verify(got.body, dict(got.headers))["data"]["workspace"]
        == "shop-1"
    )
    assert "The shop" not in person.get("/callbacks").words
    listed = person.get(f"{base}/deliveries")
    delivery = re.findall(rf'"({re.escape(base)}/deliveries/dlv_[^"/]+)"', listed.text)[0]
    assert "shop-1" in listed.words
    assert '"workspace": "shop-1"' in person.get(delivery).words
    assert (
        person.change(delivery, f"{delivery}/resend").headers["location"]
        == f"{delivery}?done=resent"
    )
    assert (
        person.change(shown, f"{shown}/removal").headers["location"]
        == f"{base}/callbacks?done=removed"
    )
    admin = place.signed_in(token(place, "manage"))
    assert [
        admin.get(f"{base}/{path}").status for path in ("callbacks", "deliveries", "callbacks/x")
    ] == [403] * 3
    assert person.get("/platforms/not%20one/callbacks").status == 404
