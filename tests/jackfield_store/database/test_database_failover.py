"""A primary that is killed under calls, and a standby of streaming replication that is promoted."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from database_proxy import DatabaseProxy
from event_view import EventView
from jackfield.kernel.errors import Unavailable
from jackfield_service.subjects.events.feed import CursorExpired, Feed
from jackfield_store.database import open_database
from jackfield_store.database.outbox import record
from jackfield_store.database.timelines import Timelines
from jackfield_store.journal.instance import Instance
from jackfield_store.runtime import Jackfield
from noted_calls import Noted, noting
from postgres import Server, missing, running_server, standing_by, url_of_both

CALLERS = 8
SLACK = 25.0
"""Seconds that a busy machine may take beside what is promised."""
_PAUSE = threading.Event()


@pytest.fixture
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Server, Server]]:
    """A primary and its standby; commits wait for the standby if the parameter says so."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with standing_by(synchronous=request.param == "synchronous") as found:
        yield found


def _until(holds: object, within: float = 120.0) -> None:
    end = time.monotonic() + within
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        _PAUSE.wait(0.05)


def _calling(place: Noted, over: threading.Event, caller: int) -> None:
    number = 0
    while not over.is_set():
        place.post(f"{caller}-{number}", keyed=True, seconds=6.0)
        number += 1
        _PAUSE.wait(CALLERS / 50)


@pytest.mark.parametrize("pair", ["synchronous", "asynchronous"], indirect=True)
def test_a_promoted_standby_is_found(
    tmp_path: Path, pair: tuple[Server, Server], request: pytest.FixtureRequest
) -> None:
    """With both hosts in the URL, calls work within five seconds of the promotion; each key has its
    effect once, and with synchronous replication the journal has all that was told.
    """
    primary, standby = pair
    url = url_of_both(primary, standby)
    over = threading.Event()
    with noting(tmp_path, url) as place, ThreadPoolExecutor(CALLERS) as threads:
        place.until_it_works(30)
        calls = [threads.submit(_calling, place, over, caller) for caller in range(CALLERS)]
        _PAUSE.wait(2.0)
        primary.kill()
        standby.promote()
        began = time.monotonic()
        place.until_it_works()
        took = time.monotonic() - began
        _PAUSE.wait(1.0)
        over.set()
        for call in calls:
            call.result(60)
        told = {
            name for name, reply in place.replies.items() if reply.status == 200 and name != "back"
        }
        refused = place.replies.keys() - told - {"back"}
        assert took < 5.0 + SLACK
        again = {
            name: place.post(name, keyed=True, seconds=30.0) for name in sorted(told | refused)
        }
        assert Counter(reply.status for reply in again.values()).keys() <= {200, 409}, [
            r.json for r in again.values() if r.status != 200
        ][:2]
        if "asynchronous" not in request.node.name:
            assert {name for name in told if not again[name].json["meta"]["replayed"]} == set()
            assert {
                name: count
                for name, count in place.ledger.effects.items()
                if count != 1 and name != "back"
            } == {}
        assert not place.ledger.late
        _until(lambda: place.running() == 0)
        changes, why = place.stand.host.storage.database.timeline
        assert (changes, why is None) == (1, "asynchronous" not in request.node.name), why
        events = place.client.get("/v1/audit?event=database.wentBack").json["items"]
        if why is None:  # all that was committed is there
            assert events == []
        else:  # it may lack less than a renewal of a lease would show: that is told, too
            _until(lambda: place.client.get("/v1/audit?event=database.wentBack").json["items"], 30)
            assert "went back" in str(place.client.get("/readyz").json["warnings"])


def test_a_server_without_a_timeline(postgres_server: Server) -> None:
    """An account that may not ask for the timeline, as one of a server of another maker, connects,
    and takes no server for another one.
    """
    url = postgres_server.create()
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC")
        role = f"plain_{url.rpartition('/')[2]}"
        admin.execute(f"CREATE ROLE {role} LOGIN".encode())
        admin.execute(f"GRANT CREATE, USAGE ON SCHEMA public TO {role}".encode())
    with open_database(url.replace("//postgres@", f"//{role}@"), migrate=True) as database:
        assert database.pending() == []
        assert database.timeline == (0, None)


def test_a_timeline_that_changes_is_another_server() -> None:
    """A change counts whichever way it goes; what it may mean is told unless commits had waited for
    a standby.
    """
    found = Timelines()
    found.note(None, waits=False)
    found.note("00000001", waits=False)
    found.note("00000001", waits=False)
    assert (found.changes, found.told) == (0, None)
    found.note("0000000A", waits=True)
    assert (found.changes, "its timeline is 10, and was 1" in str(found.told)) == (1, True)
    found.note("00000001", waits=False)
    assert (found.changes, found.told) == (2, None)


def _read(feed: Feed, view: EventView) -> EventView:
    """Read by cursor to the end, as a consumer does that goes on from where a refusal says."""
    while True:
        try:
            page = feed.page(view.cursor or None, ("quota.low",))
        except CursorExpired as expired:
            view.forget(expired.oldest)
            continue
        view.take([(event.id, event.sequence, event.subject) for event in page.events], page.cursor)
        if not page.events:
            return view


def _has_all(primary: Server, standby: Server) -> bool:
    with (
        psycopg.connect(primary.url(), autocommit=True) as one,
        psycopg.connect(standby.url(), autocommit=True) as other,
    ):
        written = one.execute("SELECT pg_current_wal_lsn()::text").fetchone()
        reached = other.execute("SELECT pg_last_wal_replay_lsn() >= %s::pg_lsn", written).fetchone()
    return reached == (True,)


@pytest.mark.parametrize("since", [0, 2, 6], ids=["none", "fewer", "more"])
def test_readers_are_told_of_what_a_standby_lacked(since: int) -> None:
    """A reader by cursor that has read events which an asynchronous standby never had ends with
    exactly those that are there, however many were numbered on the new primary before the process
    noticed: it is told to forget the others, and reads no event a second time that was there
    before. One that has read none of them is told nothing.
    """
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with running_server() as primary, DatabaseProxy(primary.port) as proxy:
        standby = Server.standby_of(primary, primary.folder.parent / "standby", through=proxy.port)
        name = primary.create(primary.template()).rpartition("/")[2]
        url = f"postgresql://postgres@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{name}?target_session_attrs=read-write"
        try:
            with Jackfield(database_url=url) as jackfield:
                jackfield.open()
                database, instance = (
                    jackfield.storage.database,
                    Instance.of(jackfield.storage.database),
                )
                feed, reader, late = (
                    Feed(database, jackfield.storage.vault, "default"),
                    EventView(),
                    EventView(),
                )

                def happen(*subjects: str) -> None:
                    with database.write() as transaction:
                        for subject in subjects:
                            record(transaction, "default", "quota.low", subject, 1.0, {})

                happen("a", "b", "c")
                kept = dict(_read(feed, reader).events)
                _read(feed, late)
                instance.renew()
                _until(lambda: _has_all(primary, standby), 60)
                proxy.hold()
                happen("lost 1", "lost 2", "lost 3", "lost 4")
                assert len(_read(feed, reader).events) == 7
                instance.renew()
                primary.kill()
                standby.promote()
                _until(lambda: _wrote(happen, *[f"new {number}" for number in range(since)]), 30)
                _read(feed, reader)
                instance.renew()
                there = _read(feed, EventView())
                assert {subject for _, subject in there.events.values()} == {
                    "a",
                    "b",
                    "c",
                    *(f"new {number}" for number in range(since)),
                }
                assert _read(feed, reader).lost(there) | reader.missed(there) == set()
                assert {**reader.events, **kept} == reader.events
                # for a cursor beyond the last event, and for the return, if that is noticed only
                # later
                assert reader.gone in {1, 2}
                assert (_read(feed, late).events, late.gone) == (there.events, 0)
        finally:
            standby.stop()


def _wrote(happen: Callable[..., None], *subjects: str) -> bool:
    try:
        happen(*subjects)
    except Unavailable:
        return False
    return True
