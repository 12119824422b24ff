"""Mistakes of connectors and oddities of providers: they cost one trigger at most, and no event is
lost, repeated or unreadable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage

from jackfield.connector import Gone, Item, Listed, Polled, Registered, TriggerEvent, Unfinished
from jackfield.connector.triggers import Trigger
from jackfield.kernel.errors import Unavailable
from jackfield_service.subjects.triggers.arrivals import ArrivalUnit, Sealer
from jackfield_service.subjects.triggers.loop import TriggerLoop
from jackfield_service.subjects.triggers.subscription import Subscription
from jackfield_service.subjects.triggers.table import SubscriptionTable
from jackfield_store.connections.connection_rows import LastOutcome
from jackfield_store.database import Transaction
from jackfield_store.management.visible_connections import table_of
from waiting import until

DAY = 86_400.0


def _note(stage: TriggerStage, identifier: str, text: str = "hello") -> None:
    from jackfield_echo.watching import NOTES

    NOTES.append({"id": identifier, "at": stage.now(), "text": text})


def _told(stage: TriggerStage) -> list[str]:
    return [event.data["payload"]["id"] for event in stage.events()]


def _pass(stage: TriggerStage, seconds: float = 70.0) -> None:
    stage.move(seconds)
    stage.look()


@contextmanager
def _returning(
    stage: TriggerStage, key: str, name: str, function: Callable[..., Any]
) -> Iterator[None]:
    trigger: Trigger = stage.runtime.catalog.load("echo").triggers[key]
    with mock.patch.object(trigger, name, function):
        yield


def _found(stage: TriggerStage) -> Subscription:
    storage = stage.pools[0].storage
    return SubscriptionTable(storage.database, storage.vault, "default", stage.clock).find("one")


def _hook(stage: TriggerStage, *events: TriggerEvent) -> None:
    storage, found = stage.pools[0].storage, _found(stage)
    sealed = Sealer(storage.database, storage.vault, "default", found).arrivals(events, stage.now())
    storage.database.record(ArrivalUnit(found, sealed, stage.now(), 10.0))


@pytest.mark.parametrize(
    "at", [1_795_464_178_000, 1e300, float("nan"), float("-inf"), -1.0, True, "soon"]
)
def test_an_event_with_a_time_that_is_none_has_that_of_its_arrival(
    stage: TriggerStage, at: Any
) -> None:
    """Milliseconds are the usual mistake. No date can show them, and every reader of the feed would
    fail at that event.
    """
    stage.add("notes")
    stage.look()
    page = Polled([TriggerEvent({"id": "n-1"}, "n-1", at=at)], {})
    with _returning(stage, "notes", "function", lambda *_: page):
        _pass(stage)
    (event,) = stage.events()
    assert event.at == pytest.approx(stage.now(), abs=1.0)
    assert event.to_json()["data"]["payload"] == {"id": "n-1"}


_MISTAKES: dict[str, Callable[[], Any]] = {
    "no key": lambda: Polled([TriggerEvent({"id": "n-1"}, None)], {"at": 1}),  # type: ignore[arg-type]
    "an undeclared type": lambda: Polled(
        [TriggerEvent({"id": "n-1"}, "n-1", "noteBurnt")], {"at": 1}
    ),
    "an empty key": lambda: Polled([TriggerEvent({"id": "n-1"}, "")], {"at": 1}),
    "a blank key": lambda: Polled([TriggerEvent({"id": "n-1"}, " \u200b")], {"at": 1}),
    "no JSON": lambda: Polled([TriggerEvent({"id": object()}, "n-1")], {"at": 1}),
    "too deep": lambda: Polled([TriggerEvent({"id": _deep()}, "n-1")], {"at": 1}),
    "no checkpoint": lambda: Polled([], {"at": _deep()}),
    "no page": lambda: None,
}


_UNNAMED = ["", "  ", "\u00a0\u200b", None]
"""IDs of an item that are none."""


def _deep() -> Any:
    found: Any = []
    for _ in range(100_000):
        found = [found]
    return found


@pytest.mark.parametrize("identifier", _UNNAMED)
def test_an_item_without_an_id_is_none(stage: TriggerStage, identifier: Any) -> None:
    """Of a list that is compared: two without an ID would count as one, so that the second one were
    told by nobody.
    """
    stage.add("board")
    stage.look()
    page = Listed([Item(identifier, {"id": "n-1"}), Item(identifier, {"id": "n-2"})])
    with _returning(stage, "board", "function", lambda *_: page):
        _pass(stage)
    shown = stage.all().show("one")
    assert (shown["status"], "an item without an ID" in shown["reason"], _told(stage)) == (
        "degraded",
        True,
        [],
    )


@pytest.mark.parametrize("mistake", _MISTAKES)
def test_a_page_that_cannot_be_stored_fails_its_own_subscription(
    stage: TriggerStage, mistake: str
) -> None:
    """Nothing of it is stored, the status says why, and others are polled; the next page that is
    right tells all.
    """
    stage.add("notes")
    stage.add("board", name="other")
    stage.look()
    _note(stage, "n-1")
    with _returning(stage, "notes", "function", lambda *_: _MISTAKES[mistake]()):
        _pass(stage)
    shown = stage.all().show("one")
    assert (shown["status"], "connector's code failed" in shown["reason"], _told(stage)) == (
        "degraded",
        True,
        [],
    )
    assert stage.all().show("other")["status"] == "active"
    _pass(stage)
    assert (_told(stage), stage.all().show("one")["status"]) == (["n-1"], "active")


def test_a_webhook_whose_event_cannot_be_stored_is_sent_again(stage: TriggerStage) -> None:
    """It is an error that the sender is told as 503, not one that nobody expects."""
    stage.add("kept")
    with pytest.raises(Unavailable, match="TypeError"):
        _hook(stage, TriggerEvent({"id": object()}, "n-1"))


def test_a_loop_outlives_any_exception(stage: TriggerStage) -> None:
    """The process goes on to serve what becomes due."""
    looks = iter((KeyError("nobody expects it"), 0.0))

    def look(_loop: TriggerLoop) -> float:
        found = next(looks, 1.0)
        if isinstance(found, Exception):
            raise found
        return found

    async def serve() -> None:
        stage.loops[0].start()
        try:
            await asyncio.to_thread(until, lambda: next(looks, None) is None)
        finally:
            await stage.loops[0].stop()

    with (
        mock.patch.object(TriggerLoop, "look", look),
        mock.patch("jackfield_store.runtime.due_loop._PAUSE", 0.0),
    ):
        asyncio.run(serve())


def test_what_a_poll_reads_again_is_known_for_as_long_as_it_does(stage: TriggerStage) -> None:
    """Nothing happens for longer than keys are kept; then a webhook tells something new, and the
    poll reads the last note once more.
    """
    stage.add("kept", every=3600)
    stage.look()
    _note(stage, "n-1")
    for _ in range(17):
        _pass(stage, DAY)
    _note(stage, "n-2")
    _hook(stage, TriggerEvent({"id": "n-2"}, "n-2"))
    _pass(stage)
    assert _told(stage) == ["n-1", "n-2"]


def test_what_a_poll_reads_again_is_written_once_a_day(stage: TriggerStage) -> None:
    """Most polls read the same last events: that they are still known is recorded by the first poll
    of a day, of known events alone.
    """
    stage.add("kept", every=3600)
    stage.look()
    for number in range(3):
        _note(stage, f"n-{number}")
    again: list[int] = []
    change_many = Transaction.change_many

    def count(transaction: Transaction, sql: str, rows: Sequence[Mapping[str, Any]]) -> int:
        if "UPDATE event_keys" in sql:
            again.append(len(rows))
        return change_many(transaction, sql, rows)

    with mock.patch.object(Transaction, "change_many", count):
        for _hour in range(60):
            _pass(stage, 3601)
    assert (_told(stage), set(again)) == (["n-0", "n-1", "n-2"], {3})
    assert len(again) in (2, 3)


def test_another_account_may_have_the_same_keys(stage: TriggerStage) -> None:
    """Both have a note 7."""
    known = stage.runtime.connections.known
    store = table_of(known)
    assert store is not None
    from jackfield_echo.watching import NOTES

    for account in ("acme", "globex"):
        store.set_test_outcome(known.find("hall"), LastOutcome("ok", account, account))
        if account == "acme":
            stage.add("notes")
        _pass(stage)
        NOTES.clear()
        _note(stage, "7", f"of {account}")
        _pass(stage)
    assert [event.data["payload"]["text"] for event in stage.events("echo.*")] == [
        "of acme",
        "of globex",
    ]


def test_a_list_that_is_reset_tells_changes_that_it_had_told_before(stage: TriggerStage) -> None:
    """Changes are told apart by when they were found, not by the round, which a reset begins
    again.
    """
    from jackfield_echo.watching import BOARD

    def turn() -> None:
        BOARD["n-1"] = "changed"
        del BOARD["n-2"]
        _pass(stage)
        BOARD.update({"n-1": "as before", "n-2": "as before"})
        _pass(stage)

    BOARD.update({"n-1": "as before", "n-2": "as before"})
    stage.add("board")
    stage.look()
    turn()
    stage.all().reset("one", "1s")
    stage.look()
    turn()
    told = [event.type.removeprefix("echo.board") for event in stage.events()]
    assert (told[: len(told) // 2], len(told)) == (told[len(told) // 2 :], 8)


def test_a_reset_leaves_a_paused_subscription_paused(stage: TriggerStage) -> None:
    """Its poll begins at the new time once somebody resumes it."""
    stage.add("notes")
    stage.look()
    stage.all().disable("one")
    _pass(stage)
    _note(stage, "n-1")
    assert stage.all().reset("one", "1d")["status"] == "paused"
    _pass(stage)
    assert (stage.all().show("one")["status"], _told(stage)) == ("paused", [])
    stage.all().enable("one")
    stage.look()
    assert _told(stage) == ["n-1"]


def test_a_reset_undoes_no_registration_that_is_stored_meanwhile(stage: TriggerStage) -> None:
    """It was read before, and is written after: what ``enable`` returned stays."""
    stage.add("kept")
    before = _found(stage)
    stage.look()
    storage = stage.pools[0].storage
    table = SubscriptionTable(storage.database, storage.vault, "default", stage.clock)
    table.reset(before, 5.0)
    content = _found(stage).opened(storage.vault)
    assert (content.remote, content.since) == ({"registration": "r-1"}, 5.0)


def test_a_checkpoint_that_is_too_old_skips_nothing_that_came_during_the_last_poll(
    stage: TriggerStage,
) -> None:
    """The last success is recorded after the last page was read; what came in between is read
    again.
    """
    from jackfield_echo.watching import NOTES

    stage.add("notes")
    _pass(stage)
    NOTES.append({"id": "n-1", "at": stage.now() - 1.0, "text": "between the page and the record"})
    polls = stage.runtime.catalog.load("echo").triggers["notes"].function
    assert polls is not None

    def forgetful(inputs: Any, client: Any, since: Any) -> Any:
        if since.mark:
            raise Gone
        return polls(inputs, client, since)

    with _returning(stage, "notes", "function", forgetful):
        _pass(stage)
    assert (_told(stage), len(stage.events("subscription.restarted"))) == (["n-1"], 1)


@pytest.mark.parametrize("lasts", [0.0, -1.0, float("nan")])
def test_a_registration_that_has_ended_as_it_is_made_is_a_failure(
    stage: TriggerStage, lasts: float
) -> None:
    """It is tried again later and later, instead of at once for ever; the poll closes the gap
    meanwhile.
    """
    enable = mock.Mock(return_value=Registered({}, lasts))
    with _returning(stage, "kept", "enabled", enable):
        stage.add("kept")
        _note(stage, "n-1")
        stage.look()
    shown = stage.all().show("one")
    assert (
        enable.call_count,
        shown["status"],
        "ended already" in shown["reason"],
        _told(stage),
    ) == (1, "pending", True, ["n-1"])


def test_a_registration_that_makes_no_progress_is_asked_for_in_seconds(stage: TriggerStage) -> None:
    """The provider has yet to confirm it; steps that bring something follow at once."""
    asked = list[object]()

    def enable(hook: Any, _client: Any) -> Unfinished:
        asked.append(hook)
        return Unfinished({"step": min(len(asked), 3)})

    with _returning(stage, "posted", "enabled", enable):
        stage.add("posted")
        stage.look()
        assert len(asked) == 4
        _pass(stage, 6)
    assert len(asked) == 5


def test_a_poll_that_says_more_and_returns_nothing_ends(stage: TriggerStage) -> None:
    """The same checkpoint again and no event: the next poll is after an interval."""
    poll = mock.Mock(return_value=Polled([], {"at": 1}, more=True))
    with _returning(stage, "notes", "function", poll):
        stage.add("notes")
        stage.look()
    assert (poll.call_count, stage.all().show("one")["status"]) == (2, "active")
