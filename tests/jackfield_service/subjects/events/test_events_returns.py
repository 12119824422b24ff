"""Readers of events after their database went back to an earlier state: each is told, however it
came about, and whoever has noticed.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Event

import pytest

from event_view import EventView
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_service.subjects.events.feed import CursorExpired
from jackfield_service.subjects.events.retention import Retention
from jackfield_store.database import open_database
from jackfield_store.database.backup import backup, restore
from jackfield_store.database.moving import move
from jackfield_store.database.outbox import record
from postgres import Server, running_server, use_programs
from returned import QUOTA, Returned, read, returning

_LOST = "lost when the database went back"
_PURGE = [
    f"DELETE FROM {table} WHERE workspace = 'acme'" for table in ("events", "event_heads", "outbox")
]


def _judge(
    place: Returned, reader: EventView, workspace: str = "default", limit: int = 50
) -> EventView:
    """Check that a reader ends with exactly what is there; return what is there."""
    there = place.read(workspace=workspace)
    place.read(reader, workspace, limit)
    assert (reader.missed(there), reader.lost(there)) == (set(), set())
    return there


@pytest.mark.parametrize("count", [1, 4, 9])
@pytest.mark.parametrize("notices", [True, False])
def test_a_reader_is_told_whether_a_process_notices_or_not(
    database_url: str, count: int, *, notices: bool
) -> None:
    """Fewer, as many or more events than were lost are numbered before a process looks, or none
    ever does: whoever has read what was lost is told, and misses nothing; whoever has not goes on.
    """
    with returning(database_url) as place:
        place.happen(3)
        reader, late = place.read(), place.read()
        back = place.copied()
        place.happen(4)
        place.read(reader)
        back()
        place.happen(count)
        if notices:
            place.instance.renew()
        there = _judge(place, reader)
        assert (len(there.events), reader.gone) == (3 + count, 1)
        _judge(place, late)
        assert late.gone == 0


@pytest.mark.parametrize("of", ["default", "platform:acme*"])
def test_a_callback_goes_on(database_url: str, of: str) -> None:
    """A return between two looks at the callbacks left their positions as they were in memory,
    where nothing was delivered any more. Those of a platform are one for each workspace.
    """
    workspace = "default" if of == "default" else "acme"
    with returning(database_url) as place:
        storage, clock = place.jackfield.storage, SystemClock()
        callbacks = Callbacks(
            place.database, storage.vault, of, clock, Actor("cli", "ada"), origin="operator"
        )
        callbacks.create({"url": "http://127.0.0.1:9/x", "types": ["schedule.stopped"]})
        table = "callbacks" if of == "default" else "callback_positions"
        dispatcher = Dispatcher(lambda: place.database, lambda: storage.vault, clock, Sender())

        def asked(query: str) -> int:
            with place.other.read() as transaction:
                return int(next(iter(transaction.execute(query, {}))).found)

        def until(holds: Callable[[], bool]) -> None:
            end = time.monotonic() + 60
            while not holds():
                assert time.monotonic() < end
                Event().wait(0.005)

        def is_up_to_date() -> bool:
            reached = asked(f"SELECT COALESCE(MAX(position), 0) AS found FROM {table}")
            return reached == asked(
                "SELECT COALESCE(MAX(last), -1) AS found FROM event_heads WHERE workspace = "
                f"'{workspace}'"
            )

        place.happen(2, workspace)
        dispatcher.start()
        try:
            until(is_up_to_date)
            lanes = dispatcher._lanes  # nothing else shows that it has looked
            until(lambda: dispatcher._lanes is not lanes)
            back = place.copied()
            place.happen(5, workspace)
            until(is_up_to_date)
            place.renew()
            back()
            place.instance.renew()
            with place.other.write() as transaction:
                for number in range(3):
                    record(transaction, workspace, "schedule.stopped", f"s{number}", 1.0, {})
            until(lambda: asked("SELECT COUNT(*) AS found FROM deliveries") == 3)
        finally:
            dispatcher.stop()


def test_a_workspace_that_had_no_event_in_the_copy(database_url: str) -> None:
    """Its numbers begin again; a reader of those that are lost is told all the same, before there
    is an event and after.
    """
    with returning(database_url) as place:
        place.happen(2)
        back = place.copied()
        place.happen(7, "acme")
        readers = [place.read(workspace="acme") for _ in range(2)]
        back()
        _judge(place, readers[0], "acme")
        assert readers[0].gone == 1
        place.happen(9, "acme")
        for reader in readers:
            there = _judge(place, reader, "acme")
            assert (len(there.events), reader.gone) == (9, 1)


def test_an_old_copy_that_comes_back_twice(database_url: str) -> None:
    """What was numbered after the first return is told from what has been after the second, and has
    numbers of its own once a process has noticed both.
    """
    with returning(database_url) as place:
        place.happen(3)
        back = place.copied()
        place.happen(2)
        reader, numbers = place.read(), set[int]()
        for count in (5, 9):
            place.renew()
            back()
            place.instance.renew()
            place.happen(count)
            there = _judge(place, reader)
            assert len(there.events) == 3 + count
            after = {number for number, _ in there.events.values() if number > 3}
            assert len(after) == count
            assert min(after) > max(numbers, default=1_000_000)
            numbers = after
        assert reader.gone == 2


def test_heads_of_before_need_nothing(database_url: str) -> None:
    """Where a workspace was last numbered, and when, is not known, or told by another clock; its
    events have no marks: an upgrade left them so. Readers go on, by a number too, and are told of a
    return.
    """
    with returning(database_url) as place:
        place.happen(3)
        place.change(
            "UPDATE events SET mark = NULL",
            "UPDATE event_heads SET numbered_on = NULL, numbered_at = 0",
        )
        reader, before = place.read(), EventView(cursor="2")
        assert place.read(before).gone == 0
        place.happen(2)
        assert (place.read(reader).gone, len(reader.events)) == (0, 5)
        place.change("UPDATE event_heads SET numbered_at = numbered_at - 40")
        place.change("UPDATE events SET mark = NULL WHERE sequence = 4")
        back = place.copied()
        place.happen(4)
        place.read(reader)
        back()
        place.happen(6)
        assert len(_judge(place, reader).events) == 11
        assert reader.gone == 1


def test_a_process_that_is_younger_than_the_copy_notices(database_url: str) -> None:
    """It was cut off for longer than its lease, so that its lease may have expired, and more was
    numbered than it has seen: the event that it knows is not there.
    """
    with returning(database_url) as older:
        older.happen(3)
        back = older.copied()
    with returning(database_url) as place:
        place.happen(4)
        reader = place.read()
        place.instance.renew()
        back()
        place.change("UPDATE epoch SET number = number + 50")
        assert place.instance._renewed_at is not None
        place.instance._renewed_at -= 60.0
        place.happen(9)
        place.instance.renew()
        events = place.jackfield.events(types=["audit.database.wentBack"])
        assert [
            "another event of the workspace 'default'" in str(event.data) for event in events
        ] == [True]
        _judge(place, reader)


def test_a_workspace_that_was_purged_and_made_anew(database_url: str) -> None:
    """Its reader of before is told, whether the database went back or not."""
    with returning(database_url) as place:
        place.happen(40, "acme")
        back, reader = place.copied(), place.read(workspace="acme")
        place.change(*_PURGE)
        place.happen(45, "acme")
        assert len(_judge(place, reader, "acme").events) == 45
        assert reader.gone == 1
        back()
        assert len(_judge(place, reader, "acme").events) == 40
        assert reader.gone == 2


def test_noting_a_return_moves_no_event(database_url: str) -> None:
    """However many events there are, noting a return changes a few rows; what is there keeps its
    numbers, and what comes goes above.
    """
    with returning(database_url) as place:
        place.happen(30)
        place.happen(20, "acme")
        back = place.copied()
        place.happen(3)
        place.renew()
        back()
        there, changed = place.read().events, list[str]()
        change = type(place.database).record

        def counted(database: object, unit: Callable[..., object], **how: bool) -> object:
            changed.append(unit.__qualname__)
            return change(place.database, unit, **how)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                place.database, "record", lambda unit, **how: counted(place.database, unit, **how)
            )
            place.instance.renew()
        assert sum("note_return" in name for name in changed) == 1
        assert {identifier: place.read().events[identifier] for identifier in there} == there
        place.happen(1)
        assert max(number for number, _ in place.read().events.values()) > 1_000_000


def test_a_refusal_says_from_where_to_go_on(database_url: str) -> None:
    """Of many events, a reader reads some again, not all: those since an event that its cursor has,
    too. A longer loss sends it back to the oldest event.
    """
    with returning(database_url) as place:
        place.happen(1000)
        place.happen(1500)
        back, reader = place.copied(), place.read(limit=200)
        first = place.feed().page(limit=1).cursor
        place.happen(5)
        place.read(reader)
        back()
        place.happen(9)
        with pytest.raises(CursorExpired, match=_LOST) as told:
            place.feed().page(reader.cursor)
        assert told.value.oldest.startswith("1024-")
        assert "those before it are as you have read them" in str(told.value.hint)
        assert len(_judge(place, reader, limit=200).events) == 2509
        assert place.feed().page(first, QUOTA, limit=1).events[0].sequence == 2
        cursor = reader.cursor
        place.change("DELETE FROM events WHERE sequence > 900", "UPDATE event_heads SET last = 900")
        place.happen(1)
        with pytest.raises(CursorExpired, match=_LOST) as told:
            place.feed().page(cursor)
        assert told.value.oldest == "0"


def test_cursors_at_the_oldest_event_are_told_too(database_url: str) -> None:
    """A cursor after the last event that was deleted is known by its mark, as those of events that
    are kept.
    """
    with returning(database_url) as place:
        place.happen(6)
        back = place.copied()
        place.happen(2)
        reader = place.read()
        back()
        place.happen(2)
        other = place.read()
        Retention(place.other, largest=0).run(2.0, 2.0**40)
        with place.other.read() as transaction:
            head = transaction.execute(
                "SELECT last, purged FROM event_heads WHERE workspace = 'default'"
            )[0]
        assert head.last == head.purged == 8
        assert place.read(other).gone == 0
        assert (other.cursor, place.feed().page().cursor) == (
            other.cursor,
            other.cursor.partition(".")[0],
        )
        assert place.read(reader).gone == 1
        place.happen(3)
        for one in (reader, other):
            assert len([number for number, _ in place.read(one).events.values() if number > 8]) == 3
        assert (reader.gone, other.gone) == (1, 0)


def test_a_number_alone_is_a_cursor(database_url: str) -> None:
    """A reader that has stored an event's number goes on; one of a number that no event has is
    told.
    """
    with returning(database_url) as place:
        place.happen(3)
        back = place.copied()
        place.happen(4)
        place.renew()
        back()
        place.instance.renew()
        place.happen(2)
        there = [event.sequence for event in place.feed().page(3, QUOTA).events]
        assert (len(there), place.feed().has_after("3")) == (2, True)
        for number in (4, 7, there[0] - 2, there[-1] + 1):
            with pytest.raises(CursorExpired):
                place.feed().page(number)
        assert place.feed().has_after(str(there[-1] + 1))
        for text in (
            "3-",
            "3-xyz",
            "3-0123456789ab.",
            "3.2",
            "3-0123456789ab.2",
            f"{'9' * 19}-0123456789ab",
        ):
            with pytest.raises(InvalidInvocation, match="is not a cursor"):
                place.feed().page(text)


def test_a_backup_of_sqlite_that_is_put_back_while_all_is_stopped(tmp_path: Path) -> None:
    """As the page of backups says it: nobody has seen both, readers are told, and numbers go on
    above those that were given.
    """
    url = f"sqlite:///{tmp_path}/jackfield.db"
    with returning(url) as place:
        place.happen(3)
        backup(place.other, tmp_path / "monday.db")
        place.happen(4)
        reader = place.read()
    shutil.copy(tmp_path / "monday.db", tmp_path / "jackfield.db")
    for ending in ("-wal", "-shm", "-epoch"):
        with suppress(FileNotFoundError):
            (tmp_path / f"jackfield.db{ending}").unlink()
    with returning(url) as place:
        place.happen(9)
        there = _judge(place, reader)
        assert (len(there.events), reader.gone) == (12, 1)
        assert min(number for number, _ in there.events.values() if number > 3) > 1_000_000


def test_a_backup_on_a_new_server(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new server has the timeline, the database and the number of it that the old one had."""
    use_programs(monkeypatch)
    url = postgres_server.create(postgres_server.template())
    with returning(url) as place:
        place.happen(3)
        backup(place.other, tmp_path / "monday")
        place.happen(4)
        reader = place.read()
    with running_server() as server:
        url = server.create(name="jackfield")
        with open_database(url, migrate=None) as database:
            restore(database, tmp_path / "monday")
        with returning(url) as place:
            place.happen(9)
            there = _judge(place, reader)
            assert (len(there.events), reader.gone) == (12, 1)
            assert min(number for number, _ in there.events.values() if number > 3) > 1_000_000


@pytest.mark.parametrize("way", ["to postgresql", "to sqlite"])
def test_readers_go_on_in_a_database_that_was_moved(
    tmp_path: Path, postgres_server: Server, way: str
) -> None:
    """Their cursors are good in the new database, also after a return; those of what was lost are
    not, there as well.
    """
    urls = [f"sqlite:///{tmp_path}/one.db", postgres_server.create(postgres_server.template())]
    source, target = urls if way == "to postgresql" else urls[::-1]
    with returning(source) as place:
        place.happen(3)
        back = place.copied()
        place.happen(4)
        place.renew()
        lost = place.read()
        back()
        place.instance.renew()
        place.happen(6)
        reader = place.read()
    with open_database(source) as one, open_database(target, migrate=True) as other:
        move(one, other, lambda *_told: None)
    with returning(target) as place:
        place.happen(5)
        for one_reader, gone in ((reader, 0), (lost, 1)):
            assert len(_judge(place, one_reader).events) == 14
            assert one_reader.gone == gone


def test_readers_are_told_of_each_of_many_returns(database_url: str) -> None:
    """However often the database went back: a reader from the oldest event on finds all that is
    there, whatever numbers lie between, and each one of what was lost is told.
    """
    with returning(database_url) as place:
        readers: list[EventView] = []
        for _ in range(30):
            place.happen(2)
            place.renew()
            back = place.copied()
            place.happen(1)
            place.renew()
            readers.append(place.read())
            back()
            place.instance.renew()
        there = place.read().events.values()
        assert len(there) == 60
        assert len(place.feed().page(limit=20).events) == 20
        assert max(number for number, _ in there) > 1_000_000
        for reader in readers:
            _judge(place, reader)
            assert reader.gone == 1


def test_an_event_that_is_numbered_again_keeps_its_id(database_url: str) -> None:
    """An event that had happened before a copy was made, and was numbered after it, has one ID in
    both: who has read it knows it again, and is told nothing where all that came before it is the
    same, too.
    """
    with returning(database_url) as place:
        with place.other.write() as transaction:
            for number in range(3):
                record(transaction, "default", *QUOTA, f"s{number}", 1.0, {})
        back = place.copied()
        reader = place.read()
        back()
        there = _judge(place, reader)
        assert (len(there.events), reader.gone) == (3, 0)
        assert {identifier[14] for identifier in there.events} == {"7"}


def test_a_reader_that_waits_is_told(database_url: str) -> None:
    """Its wait ends when its cursor is beyond the last event, and it is told at once, not with the
    next event.
    """
    with returning(database_url) as place:
        place.happen(1)
        back = place.copied()
        place.happen(4)
        reader = place.read()
        assert not place.feed().has_after(reader.cursor)
        back()
        assert place.feed().has_after(reader.cursor)
        assert read(place.feed(), reader).gone == 1
        assert not place.feed().has_after(reader.cursor)
