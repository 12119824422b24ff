"""A server that falls silent under a statement which may take long: it is asked again and again
whether it is still there.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from database_proxy import DatabaseProxy
from jackfield.kernel.clock import within
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import Database, open_database
from jackfield_store.database.faults import NoAnswer
from jackfield_store.database.postgres import PostgresDialect
from postgres import Server

_LONG = 300
"""Seconds of the statement: whoever waits for its end is noticed."""


def _asked(database: Database, statement: str) -> Any:
    with database.read() as transaction:
        return transaction.execute(statement)


def test_a_server_that_falls_silent_later_is_given_up(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement may take an hour while the server is there, and its wait ends soon after it is
    not, though it was there before.
    """
    found, was_there = threading.Event(), PostgresDialect._is_there

    def is_there(dialect: PostgresDialect, *given: Any) -> bool:
        there = was_there(dialect, *given)
        if there:
            found.set()
        return there

    monkeypatch.setattr(PostgresDialect, "_is_there", is_there)
    url = postgres_server.create(postgres_server.template())
    with (
        DatabaseProxy(postgres_server.port) as proxy,
        open_database(proxy.url(url), migrate=False, wait=1.0, most=3600.0) as database,
        ThreadPoolExecutor(1) as threads,
    ):
        assert _asked(database, "SHOW statement_timeout") == [("1h",)]
        assert _asked(database, "SELECT pg_sleep(3), 7 AS seven")[0].seven == 7
        found.clear()
        asking = threads.submit(_asked, database, f"SELECT pg_sleep({_LONG})")
        assert found.wait(60)
        proxy.hold()
        with pytest.raises(NoAnswer, match="no answer within"):
            asking.result(60)
        proxy.reset()


@pytest.mark.parametrize("number", [2, 4])
def test_a_silent_server_is_not_called_busy(postgres_server: Server, number: int) -> None:
    """While a silent server keeps all connections, one caller more is told that it does not answer;
    while they work, that they are in use.
    """
    url = postgres_server.create(postgres_server.template())
    with (
        DatabaseProxy(postgres_server.port) as proxy,
        open_database(proxy.url(url), migrate=False, wait=60.0, connections=number) as database,
        ThreadPoolExecutor(number) as threads,
    ):
        met, leave = threading.Barrier(number + 1, timeout=60), threading.Event()

        def use() -> None:
            with database.write() as transaction:
                transaction.execute("SELECT 1")
                met.wait()
                leave.wait(60)

        using = [threads.submit(use) for _ in range(number)]
        met.wait()
        with pytest.raises(Unavailable, match="all its connections are in use"), within(1.0):
            _asked(database, "SELECT 1")
        proxy.hold()
        with pytest.raises(Unavailable, match="the database does not answer"), within(1.0):
            _asked(database, "SELECT 1")
        proxy.deliver()
        leave.set()
        for one in using:
            one.result(60)
