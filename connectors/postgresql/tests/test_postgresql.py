"""PostgreSQL: reading, changing, and what is told of commits whose answer is lost; against a real
server.
"""

from __future__ import annotations

import base64
import math
import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authority import Authority
from database_proxy import DatabaseProxy
from jackfield import Jackfield, Result
from jackfield.connector import ANYWHERE, Call, Deadline, Guard, InvalidConnection, Polled, Since
from jackfield.kernel.clock import SystemClock
from jackfield.wire.sessions import SessionPool
from jackfield_postgresql.client import PostgresClient
from jackfield_postgresql.connection_type import Password
from jackfield_postgresql.values import decoded, encoded
from jackfield_postgresql.watching import Watched, new_rows
from postgres import Server
from tls_front import fronting
from tls_trials import only_the_known_server, trials
from waiting import until

pytest_plugins = ("postgres",)

CLOCK = SystemClock()
_TABLES = """
CREATE TABLE orders (id serial PRIMARY KEY, customer int NOT NULL, total numeric(12,2), note text, data jsonb, tags text[]);
CREATE UNIQUE INDEX ON orders (customer);
CREATE TYPE mood AS ENUM ('fine', 'bad');
CREATE TABLE moods (id int PRIMARY KEY, one mood, many mood[], raw bytea, at timestamptz, day date, f float8, i bigint, j json, t interval);
"""


class Rig:
    """A runtime with the connector, and a database."""

    def __init__(self, server: Server, url: str, jackfield: Jackfield) -> None:
        self.server, self.url, self.jackfield = server, url, jackfield
        self.port = server.port

    def values(self, **changed: Any) -> dict[str, Any]:
        """Values of a connection."""
        database = self.url.rpartition("/")[2]
        login = {
            "hostname": "127.0.0.1",
            "port": self.port,
            "database": database,
            "username": "postgres",
            "password": "unused",
        }
        return {**login, "tls": "disable", **changed}

    def call(
        self,
        action: str,
        *,
        timeout: float = 30.0,
        values: dict[str, Any] | None = None,
        **inputs: Any,
    ) -> Result:
        """Call an action."""
        return self.jackfield.invoke(
            {
                "connector": "postgresql",
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": timeout,
                "connection": {"type": "password", "values": values or self.values()},
            }
        )

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """Read rows by another client."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(sql, parameters).fetchall()


@pytest.fixture
def rig(postgres_server: Server) -> Iterator[Rig]:
    """A database of its own with two tables."""
    url = postgres_server.create()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_TABLES.encode())
    with Jackfield(database_url="none") as jackfield:
        yield Rig(postgres_server, url, jackfield)
    postgres_server.drop(url)


def test_a_row_comes_back_as_it_was_written(rig: Rig) -> None:
    """Values of all kinds, as parameters, in JSON's terms."""
    row = {
        "id": 1,
        "one": "fine",
        "many": ["bad", None, "fine"],
        "raw": base64.b64encode(b"\0\xff").decode(),
        "at": "2026-11-27T10:00:00.5Z",
        "day": "2026-11-27",
        "f": 0.1,
        "i": 2**62,
        "j": {"a": [1, None, "é"]},
        "t": "P1DT2H",
    }
    assert rig.call("insertRows", table="moods", rows=[row]).unwrap()["affected"] == 1
    assert rig.call(
        "runQuery", sql="SELECT * FROM moods WHERE i = $1", parameters=[2**62]
    ).unwrap()["rows"] == [row]


def test_a_part_of_the_rows_reads_as_all_do(rig: Rig) -> None:
    """Arrays of the database's own types are lists, too, where further rows are left out."""
    rows = [{"id": number, "many": ["bad", "fine"]} for number in range(3)]
    rig.call("insertRows", table="moods", rows=rows).unwrap()
    found = rig.call("runQuery", sql="SELECT id, many FROM moods ORDER BY id", maxRows=1).unwrap()
    assert (found["rows"], found["truncated"]) == (rows[:1], True)


def test_choices_of_forms_are_what_the_database_has(rig: Rig) -> None:
    """Schemas, tables and columns are offered by name; a column's choice shows its type."""
    connections = {"db": {"type": "postgresql/password", "values": rig.values()}}
    with Jackfield(connections=[connections], database_url="none") as jackfield:
        asked: dict[str, dict[str, str]] = {
            "schemas": {},
            "tables": {},
            "columns": {"table": "moods"},
        }
        found = {
            source: jackfield.options("postgresql", source, connection="db", inputs=inputs)
            for source, inputs in asked.items()
        }
    assert [one["value"] for one in found["schemas"]] == ["public"]
    assert [one["value"] for one in found["tables"]] == ["moods", "orders"]
    assert found["columns"][2] == {"value": "many", "label": "many (mood[])"}


def test_lists_are_arrays_or_json_as_the_column_is(rig: Rig) -> None:
    """A parameter has the type that the server tells."""
    inputs: dict[str, Any] = {
        "table": "orders",
        "rows": [
            {
                "customer": 1,
                "data": ["a", 1],
                "tags": ["a,b", 'q"\\', "NULL", "", "{x}"],
                "total": "1.10",
            }
        ],
    }
    assert rig.call("insertRows", **inputs, returning=["data", "tags", "total"]).unwrap()[
        "rows"
    ] == [{"data": ["a", 1], "tags": ["a,b", 'q"\\', "NULL", "", "{x}"], "total": "1.10"}]
    found = rig.call(
        "runQuery", sql="SELECT customer FROM orders WHERE customer = ANY($1)", parameters=[[1, 2]]
    ).unwrap()
    assert found["rows"] == [{"customer": 1}]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "INSERT INTO orders (customer) VALUES (2) RETURNING id",
        "SELECT nextval('orders_id_seq')",
        "TRUNCATE orders",
        "WITH gone AS (DELETE FROM orders RETURNING *) SELECT * FROM gone",
        "DO $$ BEGIN DELETE FROM orders; END $$",
        "COMMIT",
        "SET TRANSACTION READ WRITE",
        "SELECT set_config('transaction_read_only', 'off', false)",
        "DROP TABLE orders",
        "CALL nothing()",
        "DO $$ BEGIN SET TRANSACTION READ WRITE; DELETE FROM orders; END $$",
        "SELECT 1; DELETE FROM orders",
        "ROLLBACK; DELETE FROM orders",
        "DO $$ BEGIN COMMIT; DELETE FROM orders; END $$",
        "COPY orders TO STDOUT",
        "COPY orders FROM STDIN",
        "LISTEN x",
        "VACUUM orders",
        "PREPARE TRANSACTION 'x'",
        "LOCK TABLE orders",
        "SELECT * FROM orders FOR UPDATE",
        "SAVEPOINT x",
        "START TRANSACTION READ WRITE",
    ],
)
def test_a_query_changes_nothing(rig: Rig, sql: str) -> None:
    """Whatever the statement is, the rows stay, and so does the next call's answer."""
    rig.call("executeStatement", sql="INSERT INTO orders (customer) VALUES (1)").unwrap()
    rig.call("runQuery", sql=sql)
    again = rig.call("runQuery", sql="INSERT INTO orders (customer) VALUES (3)")
    assert (again.status, again.error and again.error.code) == ("failed", "rejected")
    assert rig.rows("SELECT customer FROM orders") == [(1,)]
    assert rig.rows("SELECT last_value FROM orders_id_seq") == [(1,)]
    assert rig.call("runQuery", sql="SELECT count(*) AS n FROM orders").unwrap()["rows"] == [
        {"n": 1}
    ]


def test_answers_are_bounded(rig: Rig) -> None:
    """Rows beyond the limit are not read, and a change is made whole, however much it returns."""
    many = "SELECT n, repeat('x', 1000) AS text FROM generate_series(1, 1000000) AS n"
    assert [
        rig.call("runQuery", sql=many, maxRows=3).unwrap()[name]
        for name in ("truncated", "columns")
    ] == [True, ["n", "text"]]
    found = rig.call("runQuery", sql=many, maxRows=10_000).unwrap()
    assert found["truncated"]
    assert 4000 < len(found["rows"]) < 4200
    changed = rig.call(
        "executeStatement",
        sql="INSERT INTO orders (customer) SELECT generate_series(1, 5000) RETURNING id",
        maxRows=2,
    ).unwrap()
    assert (changed["affected"], len(changed["rows"]), changed["truncated"]) == (5000, 2, True)
    assert rig.rows("SELECT count(*) FROM orders") == [(5000,)]
    assert rig.call("runQuery", sql="SELECT 1 AS a, 2 AS a, 3 AS a_2").unwrap()["rows"] == [
        {"a": 1, "a_2": 2, "a_2_2": 3}
    ]
    assert rig.call("runQuery", sql="SELECT id FROM orders WHERE false").unwrap() == {
        "rows": [],
        "columns": ["id"],
        "truncated": False,
    }


_REFUSED = [
    ("SELECT * FROM nowhere", [], "not_found"),
    ("SELECT nothing FROM orders", [], "not_found"),
    ("SELEC 1", [], "rejected"),
    ("SELECT 1/0", [], "rejected"),
    ("INSERT INTO orders (customer) VALUES (1), (1)", [], "conflict"),
    ("INSERT INTO orders (customer) VALUES (NULL)", [], "rejected"),
    ("SELECT $1::int", ["x"], "rejected"),
    ("SELECT $1::int", [], "invalid_input"),
    ("SELECT 1", [1], "invalid_input"),
    ("SELECT $1::bytea", ["?"], "invalid_input"),
    ("SELECT $1::text", ["a\0b"], "invalid_input"),
    ("SELECT $1::text", ["\ud800"], "invalid_input"),
    ("SELECT '\0'", [], "invalid_input"),
    ("COMMIT", [], "rejected"),
    ("COPY orders FROM STDIN", [], "rejected"),
    ("SELECT pg_sleep(60)", [], "timeout"),
]


@pytest.mark.parametrize(("sql", "parameters", "code"), _REFUSED)
def test_refusals_are_told_and_nothing_is_left(
    rig: Rig, sql: str, parameters: list[Any], code: str
) -> None:
    """Each has its code, nothing is in doubt, and the next call succeeds."""
    result = rig.call(
        "executeStatement",
        sql=sql,
        parameters=parameters,
        timeout=1.0 if code == "timeout" else 30.0,
    )
    assert (result.status, result.error and result.error.code) == ("failed", code), result.error
    assert rig.rows("SELECT count(*) FROM orders") == [(0,)]
    assert (
        rig.call("executeStatement", sql="INSERT INTO orders (customer) VALUES (1)").status
        == "succeeded"
    )


def test_a_conflict_can_be_skipped_or_replaced(rig: Rig) -> None:
    """Rows with a key that exists: refused, skipped, changed."""
    rows = [{"customer": 1, "note": "a"}, {"customer": 2}]
    assert rig.call("insertRows", table="orders", rows=rows).unwrap()["affected"] == 2
    refused = rig.call("insertRows", table="orders", rows=rows)
    assert refused.error is not None
    assert refused.error.code == "conflict"
    assert (
        rig.call(
            "insertRows", table="orders", rows=[*rows, {"customer": 3}], onConflict="skip"
        ).unwrap()["affected"]
        == 1
    )
    changed: dict[str, Any] = {
        "table": "orders",
        "rows": [{"customer": 1, "note": "b"}],
        "keyColumns": ["customer"],
        "returning": ["note"],
    }
    assert rig.call("upsertRows", **changed).unwrap()["rows"] == [{"note": "b"}]
    assert (
        rig.call(
            "upsertRows", table="orders", rows=[{"customer": 1}], keyColumns=["customer"]
        ).unwrap()["affected"]
        == 0
    )
    assert rig.rows("SELECT customer, note FROM orders ORDER BY customer") == [
        (1, "b"),
        (2, None),
        (3, None),
    ]


def test_names_are_names(rig: Rig) -> None:
    """What stands for a table or a column is never a part of the statement."""
    for name in ('orders" CASCADE; DROP TABLE orders; --', "orders; DROP TABLE orders", 'a"b'):
        assert rig.call("insertRows", table=name, rows=[{"customer": 1}]).status == "failed"
        assert rig.call("insertRows", table="orders", rows=[{name: 1}]).status == "failed"
    assert rig.rows("SELECT count(*) FROM orders") == [(0,)]


def test_tables_are_listed_and_described(rig: Rig) -> None:
    """Every page, with kinds; columns with types, defaults and keys."""
    with psycopg.connect(rig.url, autocommit=True) as connection:
        connection.execute(
            'CREATE VIEW seen AS SELECT 1 AS one; CREATE SCHEMA "Odd"; CREATE TABLE "Odd"."T a" '
            "(x int)"
        )
        for number in range(205):
            connection.execute(f"CREATE TABLE many_{number:03} (x int)".encode())
    found = rig.call("listTables", fetchAll=True).unwrap()["tables"]
    assert len(found) == 205 + 4
    assert found[0] == {"schema": "Odd", "name": "T a", "kind": "table"}
    assert {"schema": "public", "name": "seen", "kind": "view"} in found
    assert rig.call("listTables", nextToken="?").error.code == "invalid_input"  # type: ignore[union-attr]
    columns = rig.call("describeTable", table="orders").unwrap()["columns"]
    assert columns[0]["key"]
    assert columns[0]["default"] == "nextval('orders_id_seq'::regclass)"
    assert columns[2] == {"name": "total", "type": "numeric(12,2)", "nullable": True, "key": False}
    missing = rig.call("describeTable", table="nowhere").error
    assert missing is not None
    assert missing.code == "not_found"


_LOSSES = ["cut", "silent"]


@pytest.mark.parametrize("loss", _LOSSES)
def test_a_commit_without_an_answer_is_asked_for(rig: Rig, loss: str) -> None:
    """The change is made once: another connection tells that it was committed, so the call
    succeeds.
    """
    with DatabaseProxy(rig.server.port) as proxy:
        rig.port = proxy.port
        rig.call("runQuery", sql="SELECT 1").unwrap()
        proxy.swallow(1, then_silent=loss == "silent")
        result = rig.call(
            "executeStatement", sql="INSERT INTO orders (customer) VALUES (1)", timeout=5.0
        )
        rows = rig.rows("SELECT count(*) FROM orders")
    assert rows == [(1,)]
    assert result.status == ("in_doubt" if loss == "silent" else "succeeded"), result.error


def test_a_server_that_dies_before_the_commit_has_done_nothing(rig: Rig) -> None:
    """An idle connection that was ended is not used; one that ends during a statement has changed
    nothing, and nothing is in doubt.
    """
    kill = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
        "application_name = 'jackfield'"
    )
    rig.call("runQuery", sql="SELECT 1").unwrap()
    rig.rows(kill)
    result = rig.call("executeStatement", sql="INSERT INTO orders (customer) VALUES (1)")
    assert (result.status, result.meta.attempts) == ("succeeded", 1)
    ended = rig.call("executeStatement", sql="SELECT pg_terminate_backend(pg_backend_pid())")
    assert (ended.status, ended.error and ended.error.code) == ("failed", "unavailable")
    assert rig.rows("SELECT count(*) FROM orders") == [(1,)]


def test_a_refusal_has_the_servers_hint_and_place(rig: Rig) -> None:
    """What the server says of its refusal helps more than what is known of its code."""
    error = rig.call("runQuery", sql="SELECT nothing(1)").error
    assert error is not None
    assert (error.code, error.message[-30:]) == ("not_found", "(character 8 of the statement)")
    assert "No function matches" in (error.hint or "")


def test_an_idle_connection_that_is_silent_does_not_use_up_the_deadline(rig: Rig) -> None:
    """The change goes over a new one, once."""
    with DatabaseProxy(rig.server.port) as proxy, ThreadPoolExecutor(1) as pool:
        rig.port = proxy.port
        rig.call("runQuery", sql="SELECT 1").unwrap()
        proxy.hold("client")
        late = pool.submit(
            rig.call,
            "executeStatement",
            sql="INSERT INTO orders (customer) VALUES (1)",
            timeout=60.0,
        )
        until(lambda: proxy.accepted > 1)
        proxy.deliver()
        result = late.result(60)
    assert (result.status, result.meta.attempts) == ("succeeded", 1), result.error
    assert rig.rows("SELECT count(*) FROM orders") == [(1,)]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"database": "nowhere"}, "not_found"),
        ({"username": "nobody"}, "unauthenticated"),
        ({"port": 1}, "unavailable"),
        ({"hostname": "does-not-exist.invalid"}, "unavailable"),
        ({"tls": "verify"}, "unavailable"),
        ({"tls": "encrypt"}, "unavailable"),
        (
            {
                "tls": "verify",
                "caCertificate": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
            },
            "invalid_connection",
        ),
    ],
)
def test_a_login_that_fails_says_why(rig: Rig, changed: dict[str, Any], code: str) -> None:
    """The error names the cause, and a server without TLS gets no login."""
    result = rig.call("runQuery", sql="SELECT 1", values=rig.values(**changed), timeout=5.0)
    assert (result.status, result.error and result.error.code) == ("failed", code), result.error
    assert "unused" not in str(result.error)


def test_a_connection_test_tells_whose_account_it_is(rig: Rig) -> None:
    """The login is tried, and the account is named."""
    named = {"good": rig.values(), "bad": rig.values(username="nobody")}
    connections = {
        name: {"type": "postgresql/password", "values": values} for name, values in named.items()
    }
    with Jackfield(connections=[connections], database_url="none") as jackfield:
        good, bad = (jackfield.connections.test(name) for name in named)
    assert good["status"] == "ok"
    assert good["account"]["label"].startswith("postgres at 127.0.0.1, database ")
    assert (bad["status"], bad["lastTest"]["steps"][0]["passed"]) == ("failing", False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "::ffff:127.0.0.1"]
)
def test_only_allowed_addresses_are_reached(rig: Rig, host: str) -> None:
    """A connection of somebody who may not reach the operator's network does not, by name or
    address.
    """
    login = Password.model_validate(rig.values(hostname=host))
    with pytest.raises(InvalidConnection):
        login.connect(Guard(), Deadline.after(30.0, CLOCK))


def _agreed(connection: socket.socket) -> None:
    """Agree to TLS, as a server does ("SSL Session Encryption")."""
    assert connection.recv(8, socket.MSG_WAITALL) == bytes.fromhex("0000000804d2162f")
    connection.sendall(b"S")


def test_a_certificate_is_checked_by_authority_and_name(rig: Rig, tmp_path: Path) -> None:
    """Only the server that its authority and name are known of gets the login."""
    authority = Authority(tmp_path)
    pem = tmp_path / "server.pem"
    pem.write_bytes(authority.pem("localhost"))
    tried = trials(authority.bundle, tmp_path)
    with fronting(rig.server.port, pem, begins=_agreed) as front:
        rig.port = front.port
        results = {
            why: rig.call("runQuery", sql="SELECT 1", values=rig.values(**changed))
            for why, changed in tried.items()
        }
    only_the_known_server(results)


def _polled(rig: Rig, mark: dict[str, Any]) -> Polled:
    """Poll the orders once, as the runtime does."""
    pool = SessionPool(partial(Password.model_validate(rig.values()).connect, ANYWHERE), CLOCK)
    client = PostgresClient(pool, Call(Deadline.after(30.0, CLOCK)))
    try:
        return new_rows(
            Watched.model_validate({"table": "orders", "column": "id"}), client, Since(0, mark)
        )
    finally:
        pool.close()


def _pages(rig: Rig, mark: Mapping[str, Any], count: int) -> list[Polled]:
    """Poll until so many rows were told: transactions of other tests, in other databases of the
    server, hold rows back as well.
    """
    pages: list[Polled] = []
    while sum(len(page.events) for page in pages) < count:
        pages.append(_polled(rig, dict(pages[-1].next if pages else mark)))
    return pages


def test_rows_are_told_once_and_in_order(rig: Rig) -> None:
    """What was there is not told; a row whose transaction still runs holds back those behind it, so
    that none is skipped.
    """
    add = "INSERT INTO orders (customer) VALUES (%s)"
    with psycopg.connect(rig.url) as early, psycopg.connect(rig.url, autocommit=True) as late:
        late.execute(add, [1])
        page = _polled(rig, {})
        assert page.events == []
        early.execute(add, [2])
        late.execute(add, [3])
        held = _polled(rig, dict(page.next))
        assert held.events == []
        early.commit()
        found = _pages(rig, held.next, 2)
    events = [one for page in found for one in page.events]
    rows = [
        one.data.model_dump()["row"]["customer"]
        for one in events
        if not isinstance(one.data, Mapping)
    ]
    assert (rows, [one.key for one in events]) == ([2, 3], ["2", "3"])
    assert _polled(rig, dict(found[-1].next)).events == []


def test_an_empty_table_can_be_watched(rig: Rig) -> None:
    """Its first row is told; more than a page of them, page by page."""
    page = _polled(rig, {})
    rig.call(
        "executeStatement", sql="INSERT INTO orders (customer) SELECT generate_series(1, 450)"
    ).unwrap()
    found = [(len(page.events), page.more) for page in _pages(rig, page.next, 450) if page.events]
    assert found == [(200, True), (200, True), (50, False)]


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.lists,
)


@settings(max_examples=200)
@given(st.lists(_JSON.filter(lambda value: not isinstance(value, list | dict)), max_size=6))
def test_an_array_survives(values: list[Any]) -> None:
    """What is written as an array's text is read again, whatever its texts have."""
    texts = [None if value is None else str(value) for value in values]
    written = encoded(texts, 1009, 25)
    assert written is not None
    assert decoded(written, 1009, 25) == texts


@settings(max_examples=200)
@given(st.binary())
def test_any_bytes_can_be_read(raw: bytes) -> None:
    """No text of a server raises anything."""
    for oid in (25, 1184, 1114, 3802, 114):
        decoded(raw, oid, None)
    decoded(raw, 1009, 25)


def test_numbers_that_json_lacks_are_text() -> None:
    """Infinities and NaN, and JSON that cannot be held."""
    assert [decoded(text, 701, None) for text in (b"NaN", b"Infinity", b"-Infinity", b"1.5")] == [
        "NaN",
        "Infinity",
        "-Infinity",
        1.5,
    ]
    assert decoded(b"[" * 100_000, 3802, None) == "[" * 100_000
    assert decoded(b"2026-11-27 10:00:00+05:30", 1184, None) == "2026-11-27T10:00:00+05:30"
    assert decoded(b"infinity", 1184, None) == "infinity"
    assert math.isclose(decoded(b"0.1", 701, None), 0.1)
