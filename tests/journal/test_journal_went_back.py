"""Marks by which a process notices that its database went back to an earlier state."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.access import Audit
from jackfield.clock import SystemClock
from jackfield.database import Database, open_database
from jackfield.database.backup import backup, restore
from jackfield.database.outbox import record
from jackfield.events.feed import CursorExpired, Feed
from jackfield.journal import instance as instances
from jackfield.journal import went_back
from jackfield.journal.instance import Instance
from jackfield.journal.went_back import Marks, return_warning
from postgres import Server, use_programs

_LOWER = {
    "epoch": "UPDATE epoch SET number = 1",
    "lease": "UPDATE instances SET seen_at = seen_at - 60",
    "lease gone": "DELETE FROM instances",
    "events": "UPDATE event_heads SET last = last - 1",
}
_RAISE = "UPDATE epoch SET number = number + 5"
_EVENT = "INSERT INTO event_heads (workspace, last, purged, size) VALUES ('default', 7, 0, 0)"

_QUOTA = ("quota.low",)


@pytest.mark.parametrize("mark", _LOWER)
def test_a_lower_mark_is_told_once(database_url: str, mark: str, caplog: pytest.LogCaptureFixture) -> None:
    """Each mark that is lower than before is noticed at the next renewal, said once, recorded once, and warned of by probes."""
    with Jackfield(database_url=database_url) as jackfield, open_database(database_url) as other:
        jackfield.open()
        database = jackfield.storage.database
        instance = Instance.of(database)
        with other.write() as transaction:
            transaction.change(_RAISE)
            transaction.change(_EVENT)
        database.epoch()
        instance.renew()
        assert return_warning(database) is None
        with other.write() as transaction:
            transaction.change(_LOWER[mark])
        for _ in range(3):
            instance.renew()
        entries, _ = Audit(database, lambda: jackfield.storage.vault, "default", SystemClock()).list(event="database.wentBack")
        assert len(entries) == 1
        assert "went back" in (return_warning(database) or "")
        said = [record for record in caplog.records if record.levelno == logging.ERROR and "went back" in record.getMessage()]
        assert len(said) == 1


def test_an_epoch_that_rises_during_a_renewal_is_no_return(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What others commit between a renewal's reading of the marks and their comparison is above them, in a database that goes on."""
    with Jackfield(database_url=database_url) as jackfield, open_database(database_url) as other:
        jackfield.open()
        database = jackfield.storage.database
        instance = Instance.of(database)
        instance.renew()
        commit = database.record

        def raised_after(*given: Any, **named: Any) -> Any:
            found = commit(*given, **named)
            with other.write() as transaction:
                transaction.change(_RAISE)
            database.epoch()
            return found

        monkeypatch.setattr(database, "record", raised_after)
        for _ in range(2):
            instance.renew()
        assert database.highest_epoch > 5
        assert return_warning(database) is None
        assert [record for record in caplog.records if "went back" in record.getMessage()] == []


def test_no_reading_of_an_older_database_is_trusted(database_url: str) -> None:
    """While the epoch is lower than it was, each reading is unlike all others; then it is raised above all that was seen."""
    with Jackfield(database_url=database_url) as jackfield, open_database(database_url) as other:
        jackfield.open()
        database = jackfield.storage.database
        with other.write() as transaction:
            transaction.change(_RAISE)
        highest = database.epoch()
        assert database.epoch() == highest
        with other.write() as transaction:
            transaction.change(_LOWER["epoch"])
        if database.dialect.name == "postgresql":  # SQLite's file tells the old number for a tenth of a second
            assert database.epoch() != database.epoch()
        Instance.of(database).renew()
        with other.read() as transaction:
            found = transaction.find("SELECT number FROM epoch WHERE name = 'shared'")
        assert found is not None
        assert found.number > database.highest_epoch or found.number > 6
        assert database.epoch() == database.epoch()


def test_marks_of_a_database_that_went_on() -> None:
    """A workspace that was purged, or created anew, and a lease that another process took for expired, are no return."""
    seen = Marks(5, 100.0, {("acme", 1.0): (40, "a"), ("default", None): (9, "b")})
    assert seen.lower(Marks(5, 100.0, {("acme", 2.0): (1, "c"), ("default", None): (9, None)}), lately=True) is None
    assert seen.lower(Marks(6, None, {}), lately=False) is None
    assert seen.lower(Marks(6, 101.0, {}), lately=True) is None


def test_cursors_of_lost_events_are_told(database_url: str) -> None:
    """Whoever reads events by cursor is told that the database went back, also if as many were numbered since: of cursors among numbers
    that may have been given twice. He goes on from before them, and misses nothing that is there; a cursor before them goes on as it is."""
    with Jackfield(database_url=database_url) as jackfield, open_database(database_url) as other:
        jackfield.open()
        database, instance = jackfield.storage.database, Instance.of(jackfield.storage.database)

        def happen(count: int) -> list[str]:
            with other.write() as transaction:
                for number in range(count):
                    record(transaction, "default", *_QUOTA, "s", 1.0, {"number": number})
            return [event.id for event in jackfield.events(types=_QUOTA)][-count:]

        instance.renew()
        kept = happen(3)
        instance.renew()
        copied = instance._marks
        before = Feed(database, jackfield.storage.vault, "default").page(limit=2).cursor
        lost = happen(4)
        cursor = Feed(database, jackfield.storage.vault, "default").page().cursor
        instance.renew()
        with other.write() as transaction:
            transaction.change("DELETE FROM events WHERE sequence > 3")
            transaction.change("UPDATE event_heads SET last = 3")
            transaction.change("UPDATE instances SET seen_at = :seen", {"seen": copied.renewed})
        anew = happen(6)
        instance.renew()
        for _ in range(2):
            with pytest.raises(CursorExpired, match="lost when the database went back") as told:
                list(jackfield.events(types=_QUOTA, after=cursor))
        assert [event.id for event in jackfield.events(types=_QUOTA, after=told.value.oldest)] == anew
        assert [event.id for event in jackfield.events(types=_QUOTA, after=before)] == [kept[2], *anew]
        assert [event.id for event in jackfield.events(types=_QUOTA)] == [*kept, *anew]
        assert not {*lost} & {*anew}
        following = Feed(database, jackfield.storage.vault, "default").page(after=told.value.oldest, limit=2).cursor
        assert [event.id for event in jackfield.events(types=_QUOTA, after=following)] == anew[2:]
        instance.renew()
        assert [event.id for event in jackfield.events(types=_QUOTA, after=following)] == anew[2:]


class _Copied:
    """A database with a feed, and what takes it back to what it was."""

    def __init__(self, jackfield: Jackfield, other: Database) -> None:
        self.jackfield, self.other = jackfield, other
        jackfield.open()
        self.instance = Instance.of(jackfield.storage.database)
        self.feed = Feed(jackfield.storage.database, jackfield.storage.vault, "default")
        self.instance.renew()

    def happen(self, count: int) -> None:
        """Record events, of which each reader knows at once."""
        with self.other.write() as transaction:
            for number in range(count):
                record(transaction, "default", *_QUOTA, "s", 1.0, {"number": number})
        self.feed.page(limit=1)

    def read(self, after: str | None) -> tuple[list[str], str]:
        """Read page by page to the end, as a consumer does; return the ids, and the cursor."""
        found: list[str] = []
        page = self.feed.page(after, _QUOTA)
        while page.events:
            found += [event.id for event in page.events]
            page = self.feed.page(page.cursor, _QUOTA)
        return found, page.cursor

    def go_back(self, last: int) -> None:
        """Let all events after ``last`` be gone, and the epoch be lower; the lease stays, as if a renewal's answer had not come."""
        with self.other.write() as transaction:
            transaction.change("DELETE FROM events WHERE sequence > :last", {"last": last})
            transaction.change("UPDATE event_heads SET last = :last", {"last": last})
            transaction.change(_LOWER["epoch"])


@pytest.fixture
def copied(database_url: str) -> Iterator[_Copied]:
    """A database that goes back."""
    with Jackfield(database_url=database_url) as jackfield, open_database(database_url) as other:
        with other.write() as transaction:
            transaction.change(_RAISE)
        yield _Copied(jackfield, other)


def test_what_is_there_is_known_by_its_events(copied: _Copied) -> None:
    """Numbers are given up from the first event that is another one, whatever the lease says: a renewal that was not acknowledged is later
    than what was lost."""
    copied.happen(3)
    copied.instance.renew()
    copied.happen(4)
    copied.instance.renew()
    lost, cursor = copied.read(None)
    copied.go_back(3)
    copied.happen(6)
    copied.instance.renew()
    with pytest.raises(CursorExpired, match="lost when the database went back") as told:
        copied.feed.page(cursor)
    assert told.value.oldest == "3"
    assert len(copied.read("3")[0]) == 6
    assert not {*lost[3:]} & {*copied.read(None)[0]}


def test_a_reader_that_has_seen_more_is_told_at_once(copied: _Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cursor beyond the last event lets the process look whether the database went back, before its next renewal: the reader goes on from
    what was lost, not from the oldest event kept."""
    copied.happen(3)
    copied.instance.renew()
    copied.happen(4)
    cursor = copied.read(None)[1]
    copied.go_back(3)
    monkeypatch.setattr(instances, "_AT_ONCE", 0.0)
    with pytest.raises(CursorExpired, match="lost when the database went back") as told:
        copied.feed.page(cursor)
    assert told.value.oldest == "3"
    assert copied.read("3")[0] == []
    with pytest.raises(CursorExpired, match="is not of this database"):
        copied.feed.page("999999999")


def test_readers_are_told_of_each_of_many_returns(copied: _Copied) -> None:
    """However often the database went back: a reader from the oldest event on finds each page full, and a cursor of what was lost first is
    told. It was told of the last twenty, and looked through a million numbers of each other one."""
    cursors: list[str] = []
    for _ in range(30):
        copied.happen(2)
        copied.instance.renew()
        kept = int(copied.read(None)[1])
        copied.happen(1)
        cursors.append(copied.read(None)[1])
        copied.go_back(kept)
        copied.instance.renew()
        with copied.other.write() as transaction:
            transaction.change(_RAISE)
        copied.jackfield.storage.database.epoch()
    assert len(copied.read(None)[0]) == 60
    for cursor in cursors:
        with pytest.raises(CursorExpired, match="lost when the database went back"):
            copied.feed.page(cursor)


def test_a_workspace_of_the_same_name_begins_anew(copied: _Copied) -> None:
    """What a workspace gave up that was purged is none of the numbers of the next one with its name."""
    copied.happen(3)
    copied.instance.renew()
    copied.go_back(2)
    copied.instance.renew()
    with copied.other.write() as transaction:
        transaction.change("DELETE FROM events")
        transaction.change("DELETE FROM event_heads")
    copied.happen(5)
    with copied.other.write() as transaction:
        transaction.change("UPDATE event_heads SET last = last + 2000000")  # so many later
    there = copied.read(None)[0]  # the first number is that of an audit event
    assert (copied.read("2")[0], copied.read("3")[0]) == (there[1:], there[2:])


def test_a_workspace_that_is_not_among_the_marks_is_told(copied: _Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many workspaces there are: the reader of one whose numbers nobody remembers, and that was numbered anew before a process
    noticed the return, is told to read again what is kept. He was not told, and missed what had the numbers of what he had read."""
    monkeypatch.setattr(went_back, "_HEADS", went_back._HEADS.replace("LIMIT 100", "LIMIT 0"))
    copied.happen(3)
    copied.instance.renew()
    copied.happen(4)
    lost, cursor = copied.read(None)
    copied.instance.renew()
    copied.go_back(3)
    copied.happen(6)
    copied.instance.renew()
    for number in range(4, int(cursor) + 1):
        with pytest.raises(CursorExpired, match="lost when the database went back") as told:
            copied.feed.page(str(number))
    assert told.value.oldest == "0"
    there = copied.read("0")[0]
    assert there[:3] == lost[:3]
    assert len(there) == 9
    copied.instance.renew()
    assert copied.read(None)[0] == there


def test_a_workspace_in_which_nothing_happened_since_is_told(copied: _Copied, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workspace whose numbers nobody remembers, and that was numbered long before: its reader goes on from exactly what is there, before
    its next event and after it."""
    monkeypatch.setattr(went_back, "_HEADS", went_back._HEADS.replace("LIMIT 100", "LIMIT 0"))
    copied.happen(3)
    kept, before = copied.read(None)
    copied.happen(2)
    cursor = copied.read(None)[1]
    copied.instance.renew()
    copied.go_back(int(before))
    with copied.other.write() as transaction:
        transaction.change("UPDATE event_heads SET numbered_at = numbered_at - 3600")
    copied.instance.renew()
    for count in (0, 4):
        copied.happen(count)
        assert len(copied.feed.latest(_QUOTA, "s", 20)) == 3 + count
        with pytest.raises(CursorExpired, match="lost when the database went back") as told:
            copied.feed.page(cursor)
        assert told.value.oldest == before
        assert len(copied.read(before)[0]) == count
    assert copied.read(None)[0][: len(kept)] == kept


def test_who_knows_less_tells_no_less(copied: _Copied, database_url: str) -> None:
    """A process that began in what was lost, and notices the return first, keeps no number of which it does not know that it is there."""
    copied.happen(3)
    copied.instance.renew()
    copied.happen(4)
    cursor = copied.read(None)[1]
    with Jackfield(database_url=database_url) as later:
        later.open()
        Instance.of(later.storage.database).renew()
        Instance.of(later.storage.database).renew()
        copied.instance.renew()
        later.storage.database.epoch()
        copied.go_back(3)
        copied.happen(6)
        Instance.of(later.storage.database).renew()
        copied.instance.renew()
        for number in range(4, int(cursor) + 1):
            with pytest.raises(CursorExpired, match="lost when the database went back"):
                copied.feed.page(str(number))


def _copy(database_url: str, folder: Path, server: Server) -> str:
    """Copy a database; return the copy's URL."""
    with open_database(database_url) as database:
        backup(database, folder / "copy.db")
    if database_url.startswith("sqlite"):
        return f"sqlite:///{folder}/copy.db"
    url = server.create()
    with open_database(url, migrate=None) as database:
        restore(database, folder / "copy.db")
    return url


def _read(database_url: str, happen: int = 0, after: str | None = None) -> list[Any]:
    with Jackfield(database_url=database_url) as jackfield:
        jackfield.open()
        with jackfield.storage.database.write() as transaction:
            for number in range(happen):
                record(transaction, "default", *_QUOTA, "s", 1.0, {"number": number})
        return list(jackfield.events(types=_QUOTA, after=after))


def test_an_event_that_is_numbered_again_keeps_its_id(
    database_url: str, tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that had happened before a copy was made, and was numbered after it, has one ID in both: who has read it knows it again."""
    use_programs(monkeypatch)
    with Jackfield(database_url=database_url) as jackfield:
        jackfield.open()
        with jackfield.storage.database.write() as transaction:
            for number in range(3):
                record(transaction, "default", *_QUOTA, "s", 1.0, {"number": number})
    other = _copy(database_url, tmp_path, postgres_server)
    there, here = _read(other), _read(database_url)
    assert [event.id for event in there] == [event.id for event in here]
    assert len({event.id for event in here}) == 3
    assert {event.id[14] for event in here} == {"7"}


def test_a_copy_on_a_server_needs_nobody_who_notices(tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of PostgreSQL that takes another one's place gives none of the numbers that the other one may have given since, whether or
    not a process has seen both."""
    use_programs(monkeypatch)
    database_url = postgres_server.create(postgres_server.template())
    kept = _read(database_url, 3)
    other = _copy(database_url, tmp_path, postgres_server)
    lost = _read(database_url, 4)[3:]
    there = _read(other, 6)
    assert [event.id for event in there[:3]] == [event.id for event in kept]
    for event in lost:
        with pytest.raises(CursorExpired, match="lost when the database went back") as told:
            _read(other, 0, event.cursor)
        assert told.value.oldest == kept[-1].cursor
    assert [event.id for event in _read(other, 0, kept[-1].cursor)] == [event.id for event in there[3:]]
