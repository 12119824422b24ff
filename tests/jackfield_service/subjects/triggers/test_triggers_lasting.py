"""Subscriptions over time: registrations are renewed and made again, gaps are closed or told, and
another account begins anew.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage

from jackfield.connector import Hook
from jackfield_service.subjects.triggers.due import DueSubscriptions
from jackfield_service.subjects.triggers.loop import TriggerLoop
from jackfield_service.subjects.triggers.subscription import Subscription
from jackfield_service.subjects.triggers.table import SubscriptionTable
from jackfield_store.connections.connection_rows import LastOutcome
from jackfield_store.database.due_rows import OvertakenError
from jackfield_store.management.visible_connections import table_of
from waiting import until

HOUR = 3600.0


def _note(stage: TriggerStage, identifier: str) -> None:
    from jackfield_echo.watching import NOTES

    NOTES.append({"id": identifier, "at": stage.now(), "text": "hello"})


def _told(stage: TriggerStage, *types: str) -> list[str]:
    return [event.data["payload"]["id"] for event in stage.events(*types)]


def test_a_registration_is_renewed_at_half_its_life_and_made_again_when_gone(
    stage: TriggerStage,
) -> None:
    """One that the provider has dropped is made again, and one poll follows, so that nothing is
    missed; stopping removes nothing.
    """
    from jackfield_echo.watching import REGISTERED

    made = stage.add("kept", every=86_400)
    stage.look()
    shown = stage.all().show("one")
    assert (shown["status"], shown["kind"], "renewAt" in shown, list(REGISTERED)) == (
        "active",
        "webhook",
        True,
        [made["url"]],
    )
    stage.move(HOUR - 10)
    stage.look(1)
    assert stage.all().show("one")["renewAt"] == shown["renewAt"]
    REGISTERED.clear()
    _note(stage, "n-1")
    stage.move(20)
    stage.look(1)
    renewed = stage.all().show("one")
    assert (list(REGISTERED), renewed["renewAt"] > shown["renewAt"]) == ([made["url"]], True)
    assert (_told(stage, "echo.kept"), stage.events("subscription.*")) == (["n-1"], [])


def test_a_webhook_alone_that_had_ended_is_told_of(stage: TriggerStage) -> None:
    """Nobody can say what was not sent meanwhile: the event ``subscription.gap`` names the time."""
    stage.add("kept")
    stage.look()
    pool = stage.pools[0]
    pool.storage.database.record(
        lambda one: one.execute("UPDATE subscriptions SET every = NULL, wake_at = renew_at", {})
    )
    stage.move(3 * HOUR)
    stage.look()
    (gap,) = stage.events("subscription.gap")
    assert (
        gap.subject,
        gap.data["since"] < gap.data["until"],
        stage.all().show("one")["status"],
    ) == ("one", True, "active")


def _found(stage: TriggerStage) -> Subscription:
    pool = stage.pools[0]
    return SubscriptionTable(
        pool.storage.database, pool.storage.vault, "default", stage.clock
    ).find("one")


def test_a_webhook_brings_the_poll_forward(stage: TriggerStage) -> None:
    """Of both kinds together, an event is told once; a hint during a poll is another poll after it,
    and never one too soon.
    """
    from jackfield.connector import TriggerEvent
    from jackfield_service.subjects.triggers.arrivals import ArrivalUnit, Sealer

    stage.add("kept", every=3600)
    stage.look()
    pool = stage.pools[0]
    storage = pool.storage

    def hook(identifier: str) -> None:
        events = [TriggerEvent({"id": identifier, "text": "hello"}, identifier)]
        sealed = Sealer(storage.database, storage.vault, "default", _found(stage)).arrivals(
            events, stage.now()
        )
        storage.database.record(ArrivalUnit(_found(stage), sealed, stage.now(), 10.0))

    _note(stage, "n-1")
    _note(stage, "missed")
    stage.move(5)
    hook("n-1")
    stage.look(1)
    assert _told(stage, "echo.kept") == ["n-1"]  # the last poll was five seconds ago
    stage.move(6)
    stage.look(1)
    assert _told(stage, "echo.kept") == ["n-1", "missed"]
    due = DueSubscriptions(storage.database, stage.clock)
    stage.move(3600)
    (claimed,) = due.claim(8)
    hook("n-2")
    due.done(claimed, stage.now() + 3600, 10.0)
    assert due.wait() == pytest.approx(10.0, abs=0.1)


def test_another_account_begins_anew(stage: TriggerStage) -> None:
    """A reconnect to another account forgets the checkpoint, registers there and says so; the same
    account changes nothing.
    """
    connections = stage.runtime.connections.known
    store = table_of(connections)
    assert store is not None

    def belongs(account: str) -> None:
        store.set_test_outcome(connections.find("hall"), LastOutcome("ok", account, account))

    belongs("acme")
    made = stage.add("kept")
    stage.look()
    _note(stage, "n-1")
    stage.move(70)
    stage.look()
    belongs("acme")
    stage.move(70)
    stage.look()
    assert stage.events("subscription.*") == []
    belongs("globex")
    from jackfield_echo.watching import NOTES, REGISTERED

    REGISTERED.clear()
    NOTES.insert(0, {"id": "of-globex", "at": stage.now(), "text": "old"})
    stage.move(70)
    stage.look()
    (told,) = stage.events("subscription.restarted")
    assert (told.data["previousAccountId"], told.data["accountId"], list(REGISTERED)) == (
        "acme",
        "globex",
        [made["url"]],
    )
    assert (_told(stage, "echo.kept"), stage.all().show("one")["status"]) == (["n-1"], "active")


def test_a_webhook_alone_follows_its_connection_to_another_account(stage: TriggerStage) -> None:
    """Nothing is due of it: the test of the connection has it registered there, with another
    secret, so that the former account's requests are forged from then on.
    """
    from jackfield_echo.watching import REGISTERED

    connections = stage.runtime.connections
    store = table_of(connections.known)
    assert store is not None
    store.set_test_outcome(connections.known.find("hall"), LastOutcome("ok", "former", "former"))
    made = stage.add("posted")
    stage.look()
    former = REGISTERED.pop(made["url"])
    connections.test("hall")
    stage.move(1)
    stage.look(1)
    (told,) = stage.events("subscription.restarted")
    assert (
        told.data["previousAccountId"],
        list(REGISTERED),
        REGISTERED[made["url"]] != former,
    ) == ("former", [made["url"]], True)


def test_subscriptions_follow_a_connection_that_is_renamed(stage: TriggerStage) -> None:
    """A poll goes on with its checkpoint, a webhook is removed at its provider over the new name,
    and a paused one can be resumed.
    """
    from jackfield_echo.watching import REGISTERED

    made = stage.add("posted", name="hook")
    stage.add("notes", name="poll", every=60)
    stage.add("notes", name="paused", every=60)
    stage.look()
    stage.all().disable("paused")
    stage.look()
    stage.runtime.connections.rename("hall", "gym")
    assert {row["connection"] for row in map(stage.all().show, ("hook", "poll", "paused"))} == {
        "gym"
    }
    stage.all().enable("paused")
    stage.move(61)
    stage.look()
    assert [stage.all().show(name)["status"] for name in ("hook", "poll", "paused")] == [
        "active"
    ] * 3
    assert made["url"] in REGISTERED
    stage.all().remove("hook")
    stage.look()
    assert made["url"] not in REGISTERED


def test_a_pause_that_ends_at_once_registers_anew(stage: TriggerStage) -> None:
    """No process has looked in between: the registration, which the provider had lost, is made
    again all the same.
    """
    from jackfield_echo.watching import REGISTERED

    made = stage.add("posted")
    stage.look()
    REGISTERED.clear()
    stage.all().disable("one")
    stage.all().enable("one")
    assert stage.all().show("one")["status"] == "pending"
    stage.look()
    assert (list(REGISTERED), stage.all().show("one")["status"]) == ([made["url"]], "active")


def test_a_connection_that_works_again_is_used_at_once(stage: TriggerStage) -> None:
    """A subscription that fails waits for longer and longer; a test of its connection ends that."""
    from jackfield_echo.client import EchoClient, EchoFault

    stage.add("notes", every=3600)
    with mock.patch.object(EchoClient, "send", side_effect=EchoFault("refusedConnection")):
        for _ in range(6):
            stage.look()
            stage.move(400)
            stage.look()
    assert stage.all().show("one")["status"] == "failing"
    stage.move(1)
    stage.look()
    assert stage.all().show("one")["status"] == "failing"  # it is not due yet
    stage.runtime.connections.test("hall")
    stage.move(1)
    stage.look(1)
    assert stage.all().show("one")["status"] == "active"


def test_a_process_that_dies_while_it_removes_a_registration_leaves_nothing_to_rely_on(
    stage: TriggerStage,
) -> None:
    """The subscription is enabled meanwhile: another process registers it, without what the former
    registration had returned.
    """
    from jackfield_echo import watching

    def die(*_given: object) -> None:
        stage.all().enable("one")
        raise OvertakenError

    remotes: list[Any] = []

    def enable(hook: Hook, client: Any) -> Any:
        remotes.append(hook.remote)
        return watching.enable(hook, client)

    stage.add("posted")
    stage.look()
    stage.all().disable("one")
    stage.move(1)
    # the commit that a process does not reach
    with mock.patch.object(DueSubscriptions, "paused", die):
        stage.look()
    stage.move(70)
    with mock.patch.object(watching.posted, "enabled", enable):
        stage.look(1)
    assert (remotes, stage.all().show("one")["status"]) == ([{}], "active")


def test_a_provider_that_hangs_keeps_nobody_else_waiting(stage: TriggerStage) -> None:
    """All threads of a look wait for a provider: what becomes due is polled beside them, by the
    same process.
    """
    from jackfield_echo.client import EchoClient

    hangs, asked = threading.Event(), list[object]()

    def send(*given: object) -> None:
        asked.append(given)
        if len(asked) <= TriggerLoop.threads:
            hangs.wait(120.0)

    async def serve() -> None:
        stage.loops[0].start()
        try:
            await asyncio.to_thread(until, lambda: len(asked) >= TriggerLoop.threads)
            stage.add("notes", name="quick", every=60)
            await asyncio.to_thread(until, lambda: stage.all().show("quick")["status"] == "active")
            assert stage.all().show("slow-0")["status"] == "pending"
        finally:
            hangs.set()
            await stage.loops[0].stop()

    for place in range(TriggerLoop.threads):
        stage.add("notes", name=f"slow-{place}", every=60)
    with mock.patch.object(EchoClient, "send", send):
        asyncio.run(serve())


def test_what_nobody_polls_is_degraded(stage: TriggerStage) -> None:
    """Two intervals after its time a poll is late: that is shown although no process runs, and told
    when one does.
    """
    stage.add("notes")
    stage.look()
    stage.move(150)
    assert stage.all().show("one")["status"] == "active"
    stage.move(60)
    shown = stage.all().show("one")
    assert (shown["status"], "s late" in shown["reason"]) == ("degraded", True)
    stage.look()
    assert (
        stage.all().show("one")["status"],
        [event.type for event in stage.events("subscription.*")],
    ) == (
        "active",
        ["subscription.late"],
    )


def test_a_list_is_compared(stage: TriggerStage) -> None:
    """The first round only learns; then items are created, updated and deleted, a page at a time,
    and only what is complete is deleted.
    """
    from jackfield_echo.watching import BOARD

    BOARD.update({f"n-{number}": "old" for number in range(50)})
    stage.add("board")
    stage.look()
    assert stage.events() == []
    BOARD["n-50"] = "new"
    BOARD["n-7"] = "changed"
    del BOARD["n-3"]
    stage.move(70)
    stage.look(1)
    told = [(event.type, event.data["payload"]) for event in stage.events()]
    assert sorted(told, key=lambda one: one[0]) == [
        ("echo.boardCreated", {"id": "n-50", "item": {"id": "n-50", "text": "new"}}),
        ("echo.boardDeleted", {"id": "n-3"}),
        ("echo.boardUpdated", {"id": "n-7", "item": {"id": "n-7", "text": "changed"}}),
    ]
    BOARD["n-7"] = "old"  # as it was once
    stage.move(70)
    stage.look()
    assert [event.type for event in stage.events()][3:] == ["echo.boardUpdated"]


def test_a_list_that_does_not_say_that_it_has_ended_deletes_nothing(stage: TriggerStage) -> None:
    """What it has is told, what it lacks is not gone, and the subscription says why; once it ends,
    what is gone is deleted.
    """
    from jackfield_echo.watching import BOARD

    BOARD.update({f"n-{number}": "old" for number in range(10)})
    stage.add("board")
    stage.look()
    BOARD.update({"n-10": "new", "…": "cut"})
    del BOARD["n-3"]
    stage.move(70)
    stage.look()
    assert [event.type for event in stage.events()] == ["echo.boardCreated", "echo.boardCreated"]
    assert (
        stage.all().show("one")["status"],
        "may go on" in stage.all().show("one")["reason"],
    ) == ("degraded", True)
    del BOARD["…"]
    for _ in range(2):
        stage.move(300)
        stage.look()
    assert [event.type for event in stage.events()][2:] == [
        "echo.boardDeleted",
        "echo.boardDeleted",
    ]
    assert stage.all().show("one")["status"] == "active"


def test_a_list_whose_next_page_is_not_known_any_more_is_read_again(stage: TriggerStage) -> None:
    """What was read of the round counts: nothing is told twice, and what is gone is deleted by the
    round after it.
    """
    from jackfield_echo.watching import BOARD

    BOARD.update({f"n-{number:03}": "old" for number in range(410)})
    stage.add("board")
    stage.loops[0].look()  # once: 20 pages of 20
    for number in range(350, 410):
        del BOARD[f"n-{number:03}"]
    stage.move(1)
    stage.look(1)
    assert (stage.events(), stage.all().show("one")["status"]) == ([], "active")
    BOARD["n-001"] = "changed"
    stage.move(70)
    stage.look()
    told = [event.type for event in stage.events()]
    # the last ten had not been read
    assert (told.count("echo.boardUpdated"), told.count("echo.boardDeleted")) == (1, 50)


def test_a_list_that_is_suddenly_short_deletes_nothing(stage: TriggerStage) -> None:
    """More than a fifth is gone: that is an event, once; when the items are back, nothing has
    happened.
    """
    from jackfield_echo.watching import BOARD

    BOARD.update({f"n-{number}": "old" for number in range(50)})
    whole = dict(BOARD)
    stage.add("board")
    stage.look()
    for number in range(30):
        del BOARD[f"n-{number}"]
    for _ in range(2):
        stage.move(70)
        stage.look()
    (withheld,) = stage.events("subscription.*")
    assert (withheld.type, withheld.data["items"], withheld.data["gone"]) == (
        "subscription.withheld",
        50,
        30,
    )
    BOARD.update(whole)
    stage.move(70)
    stage.look()
    assert stage.events() == []


def test_a_list_that_has_become_short_for_good_is_learnt_anew_by_a_reset(
    stage: TriggerStage,
) -> None:
    """The cure for ``subscription.withheld``: what was deleted is not told, and what is deleted
    from then on is.
    """
    from jackfield_echo.watching import BOARD

    BOARD.update({f"n-{number}": "old" for number in range(50)})
    stage.add("board")
    stage.look()
    for number in range(30):
        del BOARD[f"n-{number}"]
    stage.move(70)
    stage.look()
    stage.all().reset("one", "0s")
    stage.look()
    del BOARD["n-30"]
    stage.move(70)
    stage.look()
    assert [(event.type, event.data["payload"]) for event in stage.events()] == [
        ("echo.boardDeleted", {"id": "n-30"})
    ]


def test_a_webhook_whose_poll_failed_looks_after_its_registration(stage: TriggerStage) -> None:
    """A provider that was down may have dropped the registration. ``enable`` gets what it had
    returned, to leave it as it is.
    """
    from jackfield_echo.client import EchoClient, EchoFault
    from jackfield_echo.watching import REGISTERED

    seen: list[dict[str, Any]] = []

    def enable(hook: Hook, _client: object) -> Mapping[str, Any]:
        seen.append(dict(hook.remote))
        REGISTERED.setdefault(hook.url, hook.secret)
        return hook.remote or {"registration": f"r-{len(seen)}"}

    def down(*_given: object) -> None:
        raise EchoFault("refusedConnection")

    with mock.patch.object(stage.runtime.catalog.load("echo").triggers["kept"], "enabled", enable):
        made = stage.add("kept")
        stage.look()
        with mock.patch.object(EchoClient, "send", down):
            stage.move(70)
            stage.look()
        assert stage.all().show("one")["status"] == "degraded"
        REGISTERED.clear()
        _note(stage, "n-1")
        stage.move(70)
        stage.look()
        stage.move(70)
        stage.look()
    assert (seen, list(REGISTERED)) == ([{}, {"registration": "r-1"}], [made["url"]])
    assert (stage.all().show("one")["status"], _told(stage, "echo.kept")) == ("active", ["n-1"])


def test_a_connection_that_is_removed_disables_first(stage: TriggerStage) -> None:
    """Its subscriptions listen no more at once; the provider is told with what the connection was,
    tried again, and nothing of it stays.
    """
    from jackfield_echo.watching import REGISTERED

    stage.add("kept", inputs={"fault": {"kind": "refusedConnection", "tries": 1, "name": "enable"}})
    stage.add("notes", "two")
    stage.move(5)
    stage.look()
    stage.move(10)
    stage.look()
    assert (stage.all().show("one")["status"], len(REGISTERED)) == ("active", 1)
    stage.runtime.connections.remove("hall")
    assert [stage.all().show(name)["status"] for name in ("one", "two")] == ["paused", "paused"]
    assert len(REGISTERED) == 1
    stage.move(1)
    stage.look(1)
    found = _found(stage)
    assert (REGISTERED, found.status, found.opened(stage.pools[0].storage.vault).parting) == (
        {},
        "paused",
        None,
    )
    stage.add_connection()
    stage.all().enable("one")
    stage.look()
    assert (stage.all().show("one")["status"], len(REGISTERED)) == ("active", 1)
