"""Commits of PostgreSQL that take effect and are not acknowledged: nothing is sent twice, lost, or told as what it is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from database_proxy import DatabaseProxy
from jackfield.access import Workspaces
from jackfield.database.hold import Hold, set_hold
from noted_calls import Noted, noting
from postgres import Server
from told import COMMITS, Callers, Figures, judge, repeat, write_unacknowledged


@pytest.fixture
def proxy(postgres_server: Server) -> Iterator[DatabaseProxy]:
    """A proxy before the server."""
    with DatabaseProxy(postgres_server.port) as found:
        yield found


@pytest.fixture
def place(tmp_path: Path, postgres_server: Server, proxy: DatabaseProxy) -> Iterator[Noted]:
    """A server behind it."""
    with noting(tmp_path, proxy.url(postgres_server.create(postgres_server.template()))) as found:
        found.until_it_works(60)
        found.ledger.effects.clear()
        found.ledger.sent.clear()
        yield found


def test_each_kind_of_commit(place: Noted, proxy: DatabaseProxy) -> None:
    """By kind of call, the begin and the end: a begin that may not have been committed is not sent, what was queued is told as queued, and
    each key of a refused call works again, once."""
    with Callers(place, count=0, seconds=30.0) as callers:
        for number, (kind, which) in enumerate(COMMITS):
            write_unacknowledged(callers, proxy, f"{number}-{which}-{kind}", kind, which)
    told = callers.told.values()
    figures = repeat(place, told, judge(place, told, Figures()))
    assert figures.wrong == []
    assert {one.said for one in told if "queued" in one.kind} == {"accepted"}


@pytest.mark.parametrize("kind", ["queued", "batch-queued"])
def test_the_last_place_of_a_queue(place: Noted, proxy: DatabaseProxy, kind: str) -> None:
    """A call that takes the last place of its workspace's queue is not refused for having taken it; the next one is."""
    storage = place.stand.host.storage
    with storage.database.write() as transaction:
        set_hold(transaction, Hold(1.0, "test", ""))
    Workspaces(storage.database, storage.vault, place.stand.host.clock).set("default", {"limits": {"queued": 1}})
    with Callers(place, count=0, seconds=30.0) as callers:
        told = write_unacknowledged(callers, proxy, f"1-begin-{kind}", kind, "begin")
        assert told.said == "accepted", told.body
        assert callers.write(f"2-{kind}", kind).status == 429
