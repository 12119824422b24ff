"""Commits of PostgreSQL that take effect and are not acknowledged: nothing is sent twice, lost, or
told as what it is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from database_proxy import DatabaseProxy
from jackfield_store.access import Workspaces
from jackfield_store.database.hold import Hold, set_hold
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
    """By kind of call, the begin and the end: a begin that may not have been committed is not sent,
    what was queued is told as queued, and each key of a refused call works again, once.
    """
    with Callers(place, count=0, seconds=30.0) as callers:
        for number, (kind, which) in enumerate(COMMITS):
            write_unacknowledged(callers, proxy, f"{number}-{which}-{kind}", kind, which)
    told = callers.told.values()
    figures = repeat(place, told, judge(place, told, Figures()))
    assert figures.wrong == []
    assert {one.said for one in told if "queued" in one.kind} == {"accepted"}


@pytest.mark.parametrize("kind", ["queued", "batch-queued"])
def test_the_last_place_of_a_queue(place: Noted, proxy: DatabaseProxy, kind: str) -> None:
    """A call that takes the last place of its workspace's queue is not refused for having taken it;
    the next one is.
    """
    storage = place.stand.host.storage
    with storage.database.write() as transaction:
        set_hold(transaction, Hold(1.0, "test", ""))
    Workspaces(storage.database, storage.vault, place.stand.host.clock).set(
        "default", {"limits": {"queued": 1}}
    )
    with Callers(place, count=0, seconds=30.0) as callers:
        told = write_unacknowledged(callers, proxy, f"1-begin-{kind}", kind, "begin")
        assert told.said == "accepted", told.body
        assert callers.write(f"2-{kind}", kind).status == 429


@pytest.mark.parametrize("kind", ["queued", "queued-keyed", "batch-queued", "batch-queued-keyed"])
def test_a_call_that_may_be_queued(place: Noted, proxy: DatabaseProxy, kind: str) -> None:
    """While nobody can find out whether a call was queued, its caller is told that it may be, and
    its id; he is told to repeat it only if it has a key, under which he gets that invocation.
    """
    with Callers(place, count=0, seconds=3.0) as callers:
        proxy.swallow(1, f"1-{kind}".encode(), then_silent=True)
        told = callers.write(f"1-{kind}", kind)
        proxy.deliver()
        assert (told.said, told.body["error"]["code"]) == ("failed", "unavailable"), told.body
        assert told.body["error"]["retryable"] is ("keyed" in kind)
        assert f"the invocation {told.id} may be queued" in told.body["error"]["message"]
        place.until_it_works(60)
        assert judge(place, [told], Figures()).wrong == []
        assert place.client.get(f"/v1/invocations/{told.id}").json["status"] == "succeeded"
        if "keyed" in kind:
            assert callers.write(told.name, "queued-keyed").id == told.id
        assert place.ledger.effects[told.name] == 1
