"""Callbacks of platforms: one address and one secret for the events of all workspaces that a
platform manages, and of no others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import standardwebhooks
from tests.jackfield_service.subjects.events.callback_stage import Place

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.wire.guard import Guard
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.deliveries import Deliveries
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_service.subjects.sealed_rows import SEALED_ROWS
from jackfield_service.subjects.tenants.purge import purge
from jackfield_store.access import Audit, Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens, home_of
from jackfield_store.database import Transaction
from jackfield_store.database.outbox import record
from jackfield_store.resources.storage import Storage
from jackfield_store.resources.verify import StoredContents
from receiver import Receiver, receiving


class Shop:
    """A platform that manages some workspaces: its callbacks, deliveries and token."""

    def __init__(self, place: Place, pattern: str = "shop-*", origin: Any = "operator") -> None:
        clock = SimpleNamespace(time=place.time, monotonic=lambda: time.monotonic() + place.ahead)
        self.callbacks = Callbacks(
            place.database,
            place.vault,
            home_of(pattern),
            clock,
            Actor("platform", "t1"),
            origin=origin,
        )
        self.deliveries = Deliveries(place.database, place.vault, home_of(pattern), clock)

    def all(self, **wanted: Any) -> list[Any]:
        """Return the deliveries, the oldest first."""
        return self.deliveries.page(**wanted, limit=200)[0][::-1]


@pytest.fixture
def shop(place: Place) -> Shop:
    """A platform of the workspaces ``shop-1`` to ``shop-3``, beside ``other-1``."""
    for name in ("shop-1", "shop-2", "shop-3", "other-1"):
        make(place, name)
    # the operator's own, so that the operator's events are numbered at once
    place.add("http://127.0.0.1:9/", types=["schedule.stopped"])
    return Shop(place)


@pytest.fixture
def second() -> Iterator[Receiver]:
    """Another receiver."""
    with receiving() as made:
        yield made


def make(place: Place, name: str) -> None:
    """Make a workspace."""
    Workspaces(place.database, place.vault, SystemClock(), Actor("cli", "ada")).create(name, {})


def happens(place: Place, workspace: str, *subjects: str, kind: str = "quota.low") -> None:
    """Record events of a workspace."""

    def unit(transaction: Any) -> None:
        for subject in subjects:
            record(transaction, workspace, kind, subject, place.time(), {"secret": workspace})

    place.database.record(unit)


def told(receiver: Receiver) -> list[tuple[str, str]]:
    """Return workspaces and subjects of what a receiver got."""
    return [(got.json["data"]["workspace"], got.json["data"]["subject"]) for got in receiver.got]


def audited(place: Place, workspace: str) -> list[Any]:
    """Return the audit log of a workspace, the oldest entry first."""
    return list(Audit(place.database, lambda: place.vault, workspace, SystemClock()).all())


def test_one_callback_gets_the_events_of_all_workspaces(
    place: Place, shop: Shop, receiver: Receiver
) -> None:
    """The body names the workspace, one secret verifies all of them, and each workspace counts for
    itself.
    """
    made = shop.callbacks.create({"url": receiver.url, "types": ["quota.*"]})
    for name in ("shop-1", "shop-2", "other-1", "default"):
        happens(place, name, "a", "b")
    place.dispatch()
    assert sorted(told(receiver)) == [
        ("shop-1", "a"),
        ("shop-1", "b"),
        ("shop-2", "a"),
        ("shop-2", "b"),
    ]
    for got in receiver.got:
        standardwebhooks.Webhook(made.secret).verify(got.body, dict(got.headers))
    assert all(
        got.json["data"]["payload"] == {"secret": got.json["data"]["workspace"]}
        for got in receiver.got
    )
    sequences = [
        [
            got.json["data"]["sequence"]
            for got in receiver.got
            if got.json["data"]["workspace"] == name
        ]
        for name in ("shop-1", "shop-2")
    ]
    assert all(sorted(one) == list(range(min(one), min(one) + 2)) for one in sequences)
    assert made.callback.to_json()["workspaces"] == "shop-*"
    assert {(one.workspace, one.state) for one in shop.all()} == {
        ("shop-1", "delivered"),
        ("shop-2", "delivered"),
    }
    assert (place.all(), len(place.callbacks.page()[0])) == ([], 1)


def test_a_workspaces_own_callback_stays_as_it_is(
    place: Place, shop: Shop, receiver: Receiver, second: Receiver
) -> None:
    """It gets its events beside the platform's, without ``workspace``, and sees no delivery to the
    platform.
    """
    own = Shop(place)
    own.callbacks = Callbacks(
        place.database, place.vault, "shop-1", SystemClock(), Actor("token", "t"), origin="operator"
    )
    own.deliveries = Deliveries(place.database, place.vault, "shop-1", SystemClock())
    own.callbacks.create({"url": second.url, "types": ["quota.low"]})
    theirs = shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    happens(place, "shop-1", "a")
    happens(place, "shop-2", "a")
    place.dispatch()
    assert (sorted(told(receiver)), len(second.got)) == ([("shop-1", "a"), ("shop-2", "a")], 1)
    assert "workspace" not in second.got[0].json["data"]
    assert [one.workspace for one in own.all()] == [None]
    for step in (
        own.callbacks.find,
        own.callbacks.remove,
        own.callbacks.test,
        lambda name: own.deliveries.recover(name, 0.0),
    ):
        with pytest.raises(InvalidInvocation, match="no callback has the ID"):
            step(theirs.callback.id)
    for identifier in [one.id for one in shop.all()]:
        with pytest.raises(InvalidInvocation, match="no delivery has the ID"):
            own.deliveries.resend(identifier)


def test_platforms_do_not_know_each_other(place: Place, shop: Shop, receiver: Receiver) -> None:
    """Not even one that manages some of the same workspaces: its callbacks and deliveries are
    another's.
    """
    made = shop.callbacks.create({"url": receiver.url})
    happens(place, "shop-1", "a")
    place.dispatch()
    for pattern in ("other-*", "shop-1", "shop-1*", "*", "shop-"):
        other = Shop(place, pattern)
        assert (other.callbacks.page()[0], other.all()) == ([], []), pattern
        with pytest.raises(InvalidInvocation, match="no callback has the ID"):
            other.callbacks.rotate(made.callback.id)
        with pytest.raises(InvalidInvocation, match="no delivery has the ID"):
            other.deliveries.find(shop.all()[0].id)


def test_patterns_are_names_or_beginnings(
    place: Place, shop: Shop, receiver: Receiver, second: Receiver
) -> None:
    """``shop-1`` is one workspace, ``*`` all but the operator's own."""
    Shop(place, "shop-1").callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    Shop(place, "*").callbacks.create({"url": second.url, "types": ["quota.low"]})
    make(place, "shop-11")
    for name in ("shop-1", "shop-11", "other-1", "default"):
        happens(place, name, "a")
    place.dispatch()
    assert told(receiver) == [("shop-1", "a")]
    assert sorted(told(second)) == [("other-1", "a"), ("shop-1", "a"), ("shop-11", "a")]


def test_nothing_from_before_and_all_of_later_workspaces(
    place: Place, shop: Shop, receiver: Receiver
) -> None:
    """A callback begins with what happens from now on; a workspace that is made later is told of
    from its first event on.
    """
    happens(place, "shop-1", *map(str, range(700)))
    shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    happens(place, "shop-1", "now")
    place.dispatch()
    make(place, "shop-4")
    happens(place, "shop-4", "first", "second")
    happens(place, "shop-3", "late")
    place.dispatch()
    assert sorted(told(receiver)) == [
        ("shop-1", "now"),
        ("shop-3", "late"),
        ("shop-4", "first"),
        ("shop-4", "second"),
    ]


def test_a_purged_workspace_leaves_nothing_and_one_of_its_name_begins_anew(
    place: Place, shop: Shop, receiver: Receiver
) -> None:
    """Neither deliveries that wait nor a position: the next workspace of its name is told of from
    its first event on.
    """
    receiver.says(503)
    shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    happens(place, "shop-1", "a", "b", "c")
    happens(place, "shop-2", "a")
    place.dispatch()
    purge(place.jackfield.storage, SimpleNamespace(), "shop-1", SystemClock(), Actor("library"))  # type: ignore[arg-type]
    with place.database.read() as transaction:
        assert (
            transaction.execute(
                "SELECT * FROM deliveries WHERE source = 'shop-1' OR workspace = 'shop-1'"
            )
            == []
        )
        assert (
            transaction.execute("SELECT * FROM callback_positions WHERE workspace = 'shop-1'") == []
        )
    make(place, "shop-1")
    receiver.got.clear()
    receiver.says(204)
    happens(place, "shop-1", "new")
    place.later(400)
    assert sorted(told(receiver)) == [("shop-1", "new"), ("shop-2", "a")]


def test_a_suspended_workspace_is_told(place: Place, shop: Shop, receiver: Receiver) -> None:
    """As its own callbacks are told."""
    shop.callbacks.create({"url": receiver.url, "types": ["workspace.*"]})
    Workspaces(place.database, place.vault, SystemClock(), Actor("platform", "t")).set(
        "shop-1", {"suspended": True}
    )
    place.dispatch()
    assert [(got.json["type"], got.json["data"]["workspace"]) for got in receiver.got] == [
        ("workspace.suspended", "shop-1")
    ]


def test_a_failing_receiver_holds_no_other_platform(
    place: Place, shop: Shop, receiver: Receiver, second: Receiver
) -> None:
    """It has the retries, the pause and the recovery of every callback; the operator is told."""
    receiver.says(503)
    broken = shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    Shop(place, "other-*").callbacks.create({"url": second.url, "types": ["quota.low"]})
    happens(place, "shop-1", *map(str, range(50)))
    happens(place, "other-1", "a")
    place.dispatch()
    assert told(second) == [("other-1", "a")]
    assert {one.state for one in shop.all()} == {"pending"}
    for _ in range(6):
        place.later(86_400.0)
    assert shop.callbacks.find(broken.callback.id).status == "paused"
    assert [event.type for event in place.told("callback.failing", "callback.paused")] == [
        "callback.failing",
        "callback.paused",
    ]
    receiver.got.clear()
    receiver.says(204)
    shop.callbacks.change(broken.callback.id, {"status": "active"})
    happens(place, "shop-2", "after")
    place.dispatch()
    assert ("shop-2", "after") in told(receiver)
    before, again = len(receiver.got), shop.all(status="delivered")[0]
    shop.deliveries.resend(again.id)
    place.dispatch()
    assert [got.id for got in receiver.got[before:]] == [again.event]


def test_recover_sends_what_was_not_delivered(place: Place, shop: Shop, receiver: Receiver) -> None:
    """Of all workspaces, those delivered already left out, and each once."""
    made = shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    begun = place.time() - 1
    happens(place, "shop-1", "good")
    place.dispatch()
    receiver.says(410)
    happens(place, "shop-1", "bad")
    happens(place, "shop-2", "bad")
    place.dispatch()
    with place.database.write() as transaction:
        # as retention does after a while
        transaction.change("DELETE FROM deliveries WHERE source = 'shop-2'")
    receiver.got.clear()
    receiver.says(204)
    shop.callbacks.change(made.callback.id, {"status": "active"})
    assert shop.deliveries.recover(made.callback.id, begun) == 1  # the other one waits
    place.dispatch()
    assert sorted(set(told(receiver))) == [("shop-1", "bad"), ("shop-2", "bad")]
    assert shop.deliveries.recover(made.callback.id, begun) == 0
    shown = shop.deliveries.find(shop.all()[-1].id)
    assert shown.request is not None
    assert shown.request["body"]["data"]["workspace"] == shown.workspace


def test_both_secrets_are_valid_during_a_rotation(
    place: Place, shop: Shop, receiver: Receiver
) -> None:
    """For the events of every workspace."""
    made = shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    rotated, _ = shop.callbacks.rotate(made.callback.id)
    happens(place, "shop-2", "a")
    place.dispatch()
    for secret in (made.secret, rotated.secret):
        standardwebhooks.Webhook(secret).verify(receiver.got[0].body, dict(receiver.got[0].headers))


def test_a_platform_without_a_token_gets_nothing(
    place: Place, shop: Shop, receiver: Receiver, second: Receiver
) -> None:
    """A callback that a platform made waits while the platform has no token, and goes on with what
    waited; one that the operator made goes on until the operator removes it.
    """
    tokens = PlatformTokens(place.database, place.vault, SystemClock())
    token = tokens.create("shop-*").token
    remote = Shop(place, origin="remote")
    remote.callbacks._guard = Guard(allowed=("127.0.0.1",))
    made = remote.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    shop.callbacks.create({"url": second.url, "types": ["quota.low"]})
    place.dispatcher._sender = Sender(Guard(allowed=("127.0.0.1",)))
    tokens.revoke(token.id)
    happens(place, "shop-1", "while it has none")
    place.dispatch()
    assert (told(receiver), told(second)) == ([], [("shop-1", "while it has none")])
    assert remote.callbacks.find(made.callback.id).status == "active"
    tokens.create("shop-*")
    place.dispatch()
    assert told(receiver) == [("shop-1", "while it has none")]


def test_changes_are_audited_for_the_operator(place: Place, shop: Shop, receiver: Receiver) -> None:
    """With the pattern; no tenant reads of them."""
    made = shop.callbacks.create({"url": receiver.url})
    shop.callbacks.change(made.callback.id, {"thin": True})
    shop.callbacks.rotate(made.callback.id)
    shop.callbacks.remove(made.callback.id)
    entries = [entry.to_json() for entry in audited(place, "default")]
    found = [
        (entry["event"], entry["details"]["workspaces"])
        for entry in entries
        if entry["object"] == f"callback:{made.callback.id}"
    ]
    assert found == [
        (f"callback.{act}", "shop-*") for act in ("created", "changed", "rotated", "removed")
    ]
    assert not any("callback" in entry.to_json()["event"] for entry in audited(place, "shop-1"))
    with place.database.read() as transaction:
        assert transaction.execute("SELECT * FROM callback_positions") == []


def test_a_look_without_news_asks_nothing_of_workspaces(
    place: Place, shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes as many statements for 200 workspaces as for none, though each of them had an
    event.
    """
    shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    place.dispatch()

    seen = list[str]()

    def note(run: Callable[..., Any]) -> Callable[..., Any]:
        def noted(self: Transaction, sql: str, *given: Any) -> Any:
            seen.append(sql)
            return run(self, sql, *given)

        return noted

    for name in ("execute", "change"):
        monkeypatch.setattr(Transaction, name, note(getattr(Transaction, name)))

    def looked() -> int:
        seen.clear()
        place.dispatcher.turn()
        return len(seen)

    place.dispatcher._reload_at = place.dispatcher._tidy_at = time.monotonic() + 1e6
    few = looked()

    def unit(transaction: Any) -> None:
        for number in range(200):
            record(transaction, f"shop-x{number}", "quota.low", "s", place.time(), {})

    place.database.record(unit)
    place.dispatch()
    receiver.wait(200)
    place.dispatcher._reload_at = place.dispatcher._tidy_at = time.monotonic() + 1e6
    looked()
    assert looked() <= few


def test_a_tenants_key_service_delays_no_other(
    place: Place, shop: Shop, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events of a workspace whose keys cannot be had wait; those of others are delivered."""
    shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    receiver.says(503)
    for name in ("shop-1", "shop-2"):
        happens(place, name, "a")
    place.dispatch()
    receiver.got.clear()
    receiver.says(204)
    blocked = place.dispatcher._blocked
    served = blocked.served
    monkeypatch.setattr(
        blocked, "served", lambda names: [name for name in served(names) if name != "shop-1"]
    )
    place.later(10)
    assert told(receiver) == [("shop-2", "a")]
    monkeypatch.undo()
    place.later(120)
    assert sorted(told(receiver)) == [("shop-1", "a"), ("shop-2", "a")]


def test_another_process_takes_over(place: Place, shop: Shop, receiver: Receiver) -> None:
    """It reads the positions: nothing is missed, and nothing is sent again."""
    shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    clock = SystemClock()
    second = Dispatcher(lambda: place.database, lambda: place.vault, clock, Sender(), place.time)
    first = place.dispatcher
    for round_ in range(4):
        place.dispatcher = (first, second)[round_ % 2]
        happens(place, "shop-1", f"a{round_}")
        happens(place, "shop-2", f"b{round_}")
        place.dispatch()
        place.dispatcher._leadership.resign()
        place.dispatcher._led = False
    second.stop()
    assert sorted(told(receiver)) == sorted(
        [("shop-1", f"a{n}") for n in range(4)] + [("shop-2", f"b{n}") for n in range(4)]
    )


def test_the_database_is_found_in_order(place: Place, shop: Shop, receiver: Receiver) -> None:
    """``db check`` reads the sealed rows of platforms, and takes them for no strays."""
    shop.callbacks.create({"url": receiver.url, "types": ["quota.low"]})
    happens(place, "shop-1", "a")
    place.dispatch()
    assert isinstance(place.jackfield.storage, Storage)
    assert list(StoredContents(place.database, lambda: place.vault, SEALED_ROWS).problems()) == []
    with place.database.write() as transaction:
        transaction.change(
            "UPDATE callbacks SET url = 'http://elsewhere.example/' WHERE workspace = "
            "'platform:shop-*'"
        )
    assert any(
        "the secrets of the callback" in text
        for text in StoredContents(place.database, lambda: place.vault, SEALED_ROWS).problems()
    )
