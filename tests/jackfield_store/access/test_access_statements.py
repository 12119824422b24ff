"""The SQL of a call, apart from the journal's: none to find its connection, its caller, their
rights and the settings.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from functools import partial, reduce
from operator import and_
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.jackfield_store.database.changing import drafted

from http_stand import Client, standing
from jackfield.callers import LIBRARY, Caller, Rules
from jackfield_store.database import Database
from jackfield_store.management.visible_connections import table_of
from jackfield_store.runtime import Jackfield

pytest_plugins = ["tests.jackfield_store.connections.store_fixture"]

_TABLE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")
_DECIDING = {"connections", "connection_secrets", "tokens", "workspaces", "data_keys"}
_UPKEEP = ") AS known"
"""Part of the statements that go through all workspaces, which every process makes now and then,
whatever is called.
"""
_CALLS = 10
_ROUNDS = 3


class Statements:
    """Tables that this process's statements use, each as often as it is used."""

    def __init__(self) -> None:
        self.tables: Counter[str] = Counter()

    def note(self, sql: str | bytes) -> None:
        """One statement."""
        text = sql if isinstance(sql, str) else sql.decode()
        if _UPKEEP not in text:
            self.tables.update(_TABLE.findall(text))

    def of(self, database: Database, calls: Callable[[], object]) -> Counter[str]:
        """The tables of some calls, and of what they deferred."""
        self.tables.clear()
        calls()
        with database.read():  # commits that first
            return Counter(self.tables)

    def of_each(self, database: Database, calls: Callable[[], object]) -> Counter[str]:
        """The tables of every one of several rounds: other threads of the process make statements
        now and then.
        """
        return reduce(and_, (self.of(database, calls) for _ in range(_ROUNDS)))


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Statements:
    """Counts what every connection that is opened from now on executes."""
    found = Statements()

    class Traced(sqlite3.Connection):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.set_trace_callback(found.note)

    ask = psycopg.Connection.execute

    def execute(self: Any, sql: Any, *arguments: Any, **options: Any) -> Any:
        found.note(sql)
        return ask(self, sql, *arguments, **options)

    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Traced))
    monkeypatch.setattr(psycopg.Connection, "execute", execute)
    return found


def saying(invoke: Callable[[dict[str, Any]], str], connection: str | None) -> None:
    """Call so often."""
    named = {} if connection is None else {"connection": connection}
    answers = {
        invoke({"connector": "echo", "action": "say", "inputs": {}, **named}) for _ in range(_CALLS)
    }
    assert answers == {"Hello"}


@pytest.mark.parametrize("connection", ["hall", None], ids=["named", "omitted"])
@pytest.mark.parametrize(
    "caller",
    [
        LIBRARY,
        Caller("t", "invoke", Rules(allow=("echo/*",))),
        Caller("t", "invoke", Rules(allow=("echo/* & connection:hall",))),
    ],
    ids=["free", "with rules", "with rules of connections"],
)
def test_a_call_asks_for_nothing_that_stays(
    statements: Statements,
    open_runtime: Callable[..., Jackfield],
    caller: Caller,
    connection: str | None,
) -> None:
    """A call over a stored connection, named or the only one that fits, by anyone: no statement but
    the journal's and, on PostgreSQL, one for the epoch.
    """
    jackfield = open_runtime(connections=())
    store = table_of(jackfield.connections.known)
    assert store is not None
    store.add("hall", drafted("Hello"))

    def invoke(invocation: dict[str, Any]) -> str:
        result = jackfield.invoke(invocation, caller=caller)
        return str((result.output or {}).get("text", result.error))

    assert "connections" in statements.of(
        jackfield.storage.database, lambda: saying(invoke, connection)
    )
    found = statements.of_each(jackfield.storage.database, lambda: saying(invoke, connection))
    assert not _DECIDING & {*found}
    if jackfield.storage.database.dialect.name == "postgresql":
        assert found["epoch"] <= _CALLS


def test_what_one_token_has_found_serves_no_other(open_runtime: Callable[..., Jackfield]) -> None:
    """Equal calls of tokens of one scope: what is kept of the first one's call is judged by the
    rules of whoever comes next.
    """
    jackfield = open_runtime(connections=())
    store = table_of(jackfield.connections.known)
    assert store is not None
    store.add("hall", drafted("Hello"))
    free, bound = (
        Caller("free", "invoke", remote=True),
        Caller("bound", "invoke", Rules(block=("echo/say",)), remote=True),
    )
    call = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {}}
    codes = [
        None if (error := jackfield.invoke(call, caller=caller).error) is None else error.code
        for caller in (free, free, bound, free)
    ]
    assert codes == [None, None, "not_allowed", None]


def test_a_request_asks_for_nothing_that_stays(
    statements: Statements, database_url: str, tmp_path: Path
) -> None:
    """A call over HTTP: its token is not looked up either; on PostgreSQL the token and the call ask
    for the epoch once each.
    """
    with standing(tmp_path / "server", JACKFIELD_DATABASE_URL=database_url) as stand:
        client = stand.client("invoke")
        store = table_of(stand.host.runtime("default").connections.known)
        assert store is not None
        store.add("hall", drafted("Hello"))

        def invoke(invocation: dict[str, Any]) -> str:
            reply = client.post("/v1/invocations", invocation)
            return str(reply.json["output"]["text"] if reply.status == 200 else reply.json)

        assert {"connections", "tokens"} <= {
            *statements.of(stand.host.storage.database, lambda: saying(invoke, "hall"))
        }
        found = statements.of_each(stand.host.storage.database, lambda: saying(invoke, "hall"))
        assert not _DECIDING & {*found}
        if database_url.startswith("postgresql"):
            assert found["epoch"] <= 2 * _CALLS


def test_a_token_is_refused_once_its_revocation_is_answered(tmp_path: Path) -> None:
    """It was used a moment ago, and is revoked over HTTP: the next request with it gets 401, and
    one with another token is not affected.
    """
    with standing(tmp_path / "server") as stand:
        keeper, client = stand.client(), stand.client("invoke")
        assert client.token is not None
        for _ in range(3):
            assert client.get("/v1/connectors").status == 200
        tokens = {
            item["name"]: item["id"]
            for item in keeper.get("/v1/tokens").json["items"]
            if item["scope"] == "invoke"
        }
        (identifier,) = tokens.values()
        assert keeper.call("DELETE", f"/v1/tokens/{identifier}").status == 204
        assert (client.get("/v1/connectors").status, keeper.get("/v1/connectors").status) == (
            401,
            200,
        )
        assert Client(stand.port, client.token).get("/v1/connectors").status == 401
