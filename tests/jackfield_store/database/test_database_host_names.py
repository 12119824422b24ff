"""Names of the database's hosts: looked up within the caller's limit, once for all, and anew for
each connection.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.jackfield_store.database.workspace_rows import adding, names

from database_proxy import DatabaseProxy
from jackfield.kernel.clock import within
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import open_database
from jackfield_store.database.faults import NoAnswer
from jackfield_store.database.host_names import HostNames
from jackfield_store.database.transaction import Pool
from postgres import Server
from together import at_once


class Resolver:
    """Answers look-ups of names by a table, once ``going`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **addresses: list[str]) -> None:
        self.addresses, self.asked = addresses, list[str]()
        self.going = threading.Event()
        self.going.set()
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self.look_up)

    def look_up(self, host: Any, *given: Any, **more: Any) -> Any:
        """Take the place of the system's resolver."""
        if host.replace(".", "").isdigit():
            return self._real(host, *given, **more)
        self.asked.append(host)
        self.going.wait(60)
        if host not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 0))
            for address in self.addresses[host]
        ]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """A resolver that knows two names."""
    return Resolver(monkeypatch, a=["127.0.0.1"], b=["10.0.0.1", "10.0.0.2"])


def test_each_address_is_an_attempt(resolver: Resolver) -> None:
    """Names get their addresses beside them, addresses and sockets stay, and a name without any is
    left out.
    """
    found = HostNames().addressed(
        {"host": "a,10.9.9.9,b,none,/run", "port": "1,2,3,4,5", "dbname": "x"}, 30.0
    )
    assert found == {
        "host": "a,10.9.9.9,b,b,/run",
        "hostaddr": "127.0.0.1,10.9.9.9,10.0.0.1,10.0.0.2,",
        "port": "1,2,3,3,5",
        "dbname": "x",
    }
    assert HostNames().addressed({"host": "b"}, 30.0) == {
        "host": "b,b",
        "hostaddr": "10.0.0.1,10.0.0.2",
    }
    assert sorted(resolver.asked) == ["a", "b", "b", "none"]


@pytest.mark.parametrize(
    "options",
    [{}, {"host": "/run"}, {"host": "127.0.0.1,::1"}, {"host": "a", "hostaddr": "10.0.0.1"}],
)
def test_nothing_is_looked_up_without_need(resolver: Resolver, options: dict[str, str]) -> None:
    """Sockets, addresses, and names whose addresses the URL has."""
    assert HostNames().addressed(options, 30.0) == options
    assert resolver.asked == []


def test_a_silent_resolver_is_not_waited_for(resolver: Resolver) -> None:
    """A look-up ends with its caller's limit; the next callers join it, and have its answer when it
    comes. Once a name has had an address, it keeps that while the resolver is silent, and has the
    new one afterwards.
    """
    known = HostNames()
    resolver.going.clear()
    with pytest.raises(TimeoutError, match="'a' was not resolved in time"):
        known.addressed({"host": "a"}, 0.01)
    resolver.going.set()
    assert {
        str(found) for found in at_once(4, lambda _number: known.addressed({"host": "a"}, 30.0))
    } == {str({"host": "a", "hostaddr": "127.0.0.1"})}
    resolver.going.clear()
    resolver.addresses["a"] = ["127.0.0.2"]
    assert known.addressed({"host": "a"}, 0.01)["hostaddr"] == "127.0.0.1"
    asked = len(resolver.asked)
    assert known.addressed({"host": "a"}, 0.01)["hostaddr"] == "127.0.0.1"
    assert len(resolver.asked) == asked
    resolver.going.set()
    ended = [thread for thread in threading.enumerate() if thread.name == "jackfield-resolver"]
    for thread in ended:
        thread.join(30)
    assert known.addressed({"host": "a"}, 30.0)["hostaddr"] == "127.0.0.2"


def test_a_database_by_its_name(resolver: Resolver, postgres_server: Server) -> None:
    """A database whose host is a name: a name without address says so, a silent resolver is a
    database that does not answer, and each new connection goes where the name points then.
    """
    url = postgres_server.create(postgres_server.template())
    with DatabaseProxy(postgres_server.port) as proxy:
        named = proxy.url(url).replace("@127.0.0.1:", "@a:")
        with pytest.raises(Unavailable, match="the name of its host has no address"):
            open_database(named.replace("@a:", "@none:"), migrate=False)
        resolver.going.clear()
        with within(1.0), pytest.raises(NoAnswer, match="'a' was not resolved in time"):
            open_database(named, migrate=False)
        resolver.going.set()
        with open_database(named) as database:
            database.record(adding("one"))
            resolver.addresses["a"] = ["127.0.0.9"]
            proxy.reset()
            with pytest.raises(Unavailable, match="cannot be reached"):
                database.record(adding("two"))
            resolver.addresses["a"] = ["127.0.0.9", "127.0.0.1"]
            database.record(adding("three"))
            assert {"one", "three"} <= {*names(database)}


class _Item:
    """A connection that is always usable."""

    holder: list[Any] | None = None
    pool: Any = None
    usable = True
    closed = False

    def close(self) -> None:
        """Close it."""
        self.closed = True


class _Idle(list[Any]):
    """Idle connections; ``first`` is called before one is added."""

    first: Callable[[], object]

    def append(self, item: Any, /) -> None:
        """Add one."""
        self.first()
        super().append(item)


@pytest.mark.parametrize("closes", [True, False])
def test_no_connection_stays_open_in_a_closed_pool(*, closes: bool) -> None:
    """A connection that is returned while another thread closes the pool is closed, too."""
    pool = Pool(_Item, limit=1, wait=30.0)
    pool._idle = idle = _Idle()
    idle.first = pool.close if closes else list
    item = pool.take(lambda _item: None)
    pool.give_back(item)
    assert item.closed is closes
