"""MySQL: reading, changing, and what is told of statements and commits whose answer is lost;
against a real MariaDB.
"""

from __future__ import annotations

import base64
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database_proxy import DatabaseProxy
from jackfield import Jackfield, Result
from jackfield.connector import Deadline, Guard, InvalidConnection, JackfieldError
from jackfield.kernel.clock import SystemClock
from jackfield_mysql.connection_type import Password
from jackfield_mysql.reading import check_reads, check_stays
from jackfield_mysql.values import json_value, literal
from mariadb import MariaDb, mariadb
from tls_trials import only_the_known_server, trials
from waiting import until

__all__ = ["mariadb"]
CLOCK = SystemClock()
_TABLES = """
CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer INT NOT NULL UNIQUE, total DECIMAL(12,2), note TEXT, data JSON);
CREATE TABLE kinds (id INT PRIMARY KEY, raw BLOB, at DATETIME(1), stamp TIMESTAMP(1) NULL, day DATE, t TIME, f DOUBLE, i BIGINT,
  b BIT(9), y YEAR, u BIGINT UNSIGNED, one ENUM('fine', 'bad'), flag BOOLEAN, d DECIMAL(30,10),
  text VARCHAR(100) COLLATE utf8mb4_unicode_ci);
CREATE TABLE loose (id INT PRIMARY KEY) ENGINE=Aria TRANSACTIONAL=0;
CREATE SEQUENCE numbers"""
_PROCEDURE = (
    "CREATE PROCEDURE add_order(IN c INT) BEGIN COMMIT; INSERT INTO orders (customer) VALUES "
    "(c); SELECT c AS added; END"
)


class Rig:
    """A runtime with the connector, and a database with a user."""

    def __init__(self, server: MariaDb, database: str, jackfield: Jackfield) -> None:
        self.server, self.database, self.jackfield = server, database, jackfield
        self.port, self.user = server.port, f"u{database[1:20]}"

    def values(self, **changed: Any) -> dict[str, Any]:
        """Values of a connection."""
        login = {
            "hostname": "127.0.0.1",
            "port": self.port,
            "database": self.database,
            "username": self.user,
            "password": "s3cret-of-ada",
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
                "connector": "mysql",
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": timeout,
                "connection": {"type": "password", "values": values or self.values()},
            }
        )

    def rows(self, *statements: str) -> list[tuple[Any, ...]]:
        """Read rows by another client."""
        return self.server.run(*statements, database=self.database)


@pytest.fixture
def rig(mariadb: MariaDb) -> Iterator[Rig]:
    """A database of its own with tables, and a user for it."""
    database = mariadb.create()
    mariadb.run(*_TABLES.split(";"), _PROCEDURE, database=database)
    with Jackfield(database_url="none") as jackfield:
        found = Rig(mariadb, database, jackfield)
        mariadb.run(
            f"CREATE USER {found.user} IDENTIFIED BY 's3cret-of-ada'",
            f"GRANT ALL ON {database}.* TO {found.user}",
        )
        yield found
    mariadb.run(f"DROP USER {found.user}", f"DROP DATABASE {database}")


def _code(result: Result) -> str | None:
    return result.error.code if result.error is not None else None


def test_a_row_comes_back_as_it_was_written(rig: Rig) -> None:
    """Values of all kinds, as parameters, in JSON's terms."""
    row = {
        "id": 1,
        "raw": {"base64": base64.b64encode(b"\0\xff'").decode()},
        "at": "2026-11-27T10:00:00.5",
        "stamp": "2026-11-27 10:00:00.5",
        "day": "2026-11-27",
        "t": "12:30:00",
        "f": 0.1,
        "i": -(2**62),
        "b": 257,
        "y": 2026,
        "u": 2**64 - 1,
        "one": "fine",
        "flag": True,
        "d": "12345678901234567890.1",
        "text": "Ä 'q' \\ ☃ 😀",
    }
    assert rig.call("insertRows", table="kinds", rows=[row]).unwrap()["affected"] == 1
    sql = "SELECT * FROM kinds WHERE i = ? AND text = ? AND f = ? AND d > ?"
    found = rig.call("runQuery", sql=sql, parameters=[-(2**62), row["text"], 0.1, 1]).unwrap()[
        "rows"
    ]
    expected = {
        "raw": base64.b64encode(b"\0\xff'").decode(),
        "stamp": "2026-11-27T10:00:00.5Z",
        "flag": 1,
        "d": "12345678901234567890.1000000000",
    }
    assert found == [{**row, **expected}]


def test_json_and_nothing(rig: Rig) -> None:
    """Lists and objects become JSON, which MariaDB keeps as text; NULL is null, and a default is
    used where a column is not given.
    """
    rows = [
        {"customer": 1, "data": {"a": [1, None, "é"]}, "total": "1.10"},
        {"customer": 2, "note": None},
    ]
    made = rig.call("insertRows", table="orders", rows=rows).unwrap()
    assert (made["affected"], made["lastId"]) == (2, 1)
    found = rig.call("runQuery", sql="SELECT data, note, total FROM orders ORDER BY id").unwrap()[
        "rows"
    ]
    assert found == [
        {"data": '{"a": [1, null, "é"]}', "note": None, "total": "1.10"},
        {"data": None, "note": None, "total": None},
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM orders",
        "INSERT INTO orders (customer) VALUES (2)",
        "SELECT nextval(numbers)",
        "TRUNCATE orders",
        "DROP TABLE orders",
        "CALL add_order(2)",
        "COMMIT",
        "SET SESSION TRANSACTION READ WRITE",
        "SET @@session.autocommit = 1",
        "SELECT 1; DELETE FROM orders",
        "SELECT 1 INTO OUTFILE 'x'",
        "SELECT 1 INTO/**/DUMPFILE 'x'",
        "/*! DELETE FROM orders */",
        "SELECT 1 /*!, SLEEP(1) */",
        "USE mysql",
        "/* SELECT */ DELETE FROM orders",
        "-- SELECT\nDELETE FROM orders",
        "# SELECT\nDELETE FROM orders",
        "REPLACE INTO orders VALUES ()",
        "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE orders",
        "HANDLER orders OPEN",
        "LOCK TABLES orders WRITE",
        "FLUSH TABLES",
        "DO SLEEP(0)",
        "PREPARE x FROM 'DELETE FROM orders'",
        "EXECUTE IMMEDIATE 'DELETE FROM orders'",
        "",
        "--",
        "'",
        "BEGIN NOT ATOMIC DELETE FROM orders; END",
        "EXPLAIN DELETE FROM orders",
        "ANALYZE DELETE FROM orders",
        "CREATE TABLE x (a INT)",
        "XA START 'x'",
        "SELECT * FROM orders FOR UPDATE",
    ],
)
def test_a_query_changes_nothing(rig: Rig, sql: str) -> None:
    """Whatever the statement is, the rows stay, and so does the next call's answer."""
    rig.call("executeStatement", sql="INSERT INTO orders (customer) VALUES (1)").unwrap()
    rig.call("runQuery", sql=sql)
    assert (
        _code(
            rig.call(
                "runQuery", sql="WITH x AS (SELECT 1) INSERT INTO orders (customer) VALUES (3)"
            )
        )
        == "rejected"
    )
    assert rig.rows("SELECT customer FROM orders") == [(1,)]
    assert rig.rows("SELECT next_not_cached_value FROM numbers") == [(1,)]
    assert rig.call("runQuery", sql="SELECT count(*) AS n FROM orders").unwrap()["rows"] == [
        {"n": 1}
    ]


def test_answers_are_bounded(rig: Rig) -> None:
    """Rows beyond the limit are not read, and a change is made whole, however much it returns."""
    many = "SELECT seq AS n, REPEAT('x', 1000) AS text FROM seq_1_to_1000000"
    assert [
        rig.call("runQuery", sql=many, maxRows=3).unwrap()[name]
        for name in ("truncated", "columns")
    ] == [True, ["n", "text"]]
    found = rig.call("runQuery", sql=many, maxRows=10_000).unwrap()
    assert found["truncated"]
    assert 4000 < len(found["rows"]) < 4200
    insert = "INSERT INTO orders (customer) SELECT seq FROM seq_1_to_5000 RETURNING id"
    changed = rig.call("executeStatement", sql=insert, maxRows=2).unwrap()
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
    whole = rig.call(
        "runQuery", sql="SELECT REPEAT('x', 15000000) AS a UNION ALL SELECT REPEAT('y', 15000000)"
    )
    assert (whole.status, whole.unwrap()["truncated"]) == ("succeeded", True)


@pytest.mark.parametrize(
    ("sql", "parameters", "code"),
    [
        ("SELECT * FROM nowhere", [], "not_found"),
        ("SELECT nothing FROM orders", [], "not_found"),
        ("SELEC 1", [], "rejected"),
        ("CALL nothing()", [], "not_found"),
        ("INSERT INTO orders (customer) VALUES (1), (1)", [], "conflict"),
        ("INSERT INTO orders (customer) VALUES (NULL)", [], "rejected"),
        ("INSERT INTO orders (customer) VALUES (?)", ["x"], "rejected"),
        ("SELECT ?", [], "invalid_input"),
        ("SELECT 1", [1], "invalid_input"),
        ("SELECT ?", [{"base64": "?"}], "invalid_input"),
        ("SELECT ?", ["\ud800"], "invalid_input"),
        ("SELECT '\0'", [], "invalid_input"),
        ("SELECT '\ud800'", [], "invalid_input"),
        ("INSERT INTO orders (customer) VALUES (1); DELETE FROM orders", [], "rejected"),
        ("USE mysql", [], "rejected"),
        ("SELECT * FROM mysql.user", [], "forbidden"),
        ("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE orders (note)", [], "rejected"),
        ("INSERT INTO orders (customer) SELECT SLEEP(60)", [], "timeout"),
        ("INSERT INTO orders (customer) VALUES (2/0)", [], "rejected"),
        ("/*! INSERT INTO orders (customer) VALUES (1) */", [], "rejected"),
    ],
)
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
    assert (result.status, _code(result)) == ("failed", code), result.error
    assert rig.rows("SELECT count(*) FROM orders") == [(0,)]
    assert (
        rig.call("executeStatement", sql="INSERT INTO orders (customer) VALUES (1)").status
        == "succeeded"
    )


def test_a_conflict_can_be_skipped_or_replaced(rig: Rig) -> None:
    """Rows with a key that exists: refused, skipped, changed."""
    rows = [{"customer": 1, "note": "a"}, {"customer": 2}]
    assert rig.call("insertRows", table="orders", rows=rows).unwrap()["affected"] == 2
    assert _code(rig.call("insertRows", table="orders", rows=rows)) == "conflict"
    assert (
        rig.call(
            "insertRows", table="orders", rows=[*rows, {"customer": 3}], onConflict="skip"
        ).unwrap()["affected"]
        == 1
    )
    assert (
        rig.call("upsertRows", table="orders", rows=[{"customer": 1, "note": "b"}]).unwrap()[
            "affected"
        ]
        == 2
    )
    assert rig.rows("SELECT customer, note FROM orders ORDER BY customer") == [
        (1, "b"),
        (2, None),
        (3, None),
    ]


def test_names_are_names(rig: Rig) -> None:
    """What stands for a table or a column is never a part of the statement."""
    for name in ("orders`; DROP TABLE orders; -- ", "orders; DROP TABLE orders", "a`b", "a\\"):
        assert rig.call("insertRows", table=name, rows=[{"customer": 1}]).status == "failed"
        assert rig.call("insertRows", table="orders", rows=[{name: 1}]).status == "failed"
    assert rig.rows("SELECT count(*) FROM orders") == [(0,)]


def test_tables_are_listed_and_described(rig: Rig) -> None:
    """Every page, with kinds; columns with types, defaults and keys; and the same in the choices of
    forms.
    """
    rig.rows(
        "CREATE VIEW seen AS SELECT 1 AS one",
        *(f"CREATE TABLE many_{number:03} (x INT)" for number in range(105)),
    )
    found = rig.call("listTables", fetchAll=True).unwrap()["tables"]
    assert len(found) == 105 + 5
    assert {"name": "seen", "kind": "view"} in found
    columns = rig.call("describeTable", table="orders").unwrap()["columns"]
    assert columns[0] == {"name": "id", "type": "int(11)", "nullable": False, "key": True}
    assert columns[2] == {
        "name": "total",
        "type": "decimal(12,2)",
        "nullable": True,
        "default": "NULL",
        "key": False,
    }
    assert _code(rig.call("describeTable", table="nowhere")) == "not_found"
    connections = {"db": {"type": "mysql/password", "values": rig.values()}}
    with Jackfield(connections=[connections], database_url="none") as jackfield:
        assert len(jackfield.options("mysql", "tables", connection="db", inputs={})) == 110
        offered = jackfield.options("mysql", "columns", connection="db", inputs={"table": "orders"})
    assert offered[2] == {"value": "total", "label": "total (decimal(12,2))"}


def test_nothing_of_a_call_is_left_to_the_next(rig: Rig) -> None:
    """Variables, locks, temporary tables and settings are gone."""
    rig.call("executeStatement", sql="SET @x = 1, SESSION sql_mode = 'ANSI_QUOTES'").unwrap()
    assert rig.call("runQuery", sql='SELECT @x AS x, "q" AS q').unwrap()["rows"] == [
        {"x": None, "q": "q"}
    ]
    rig.call("executeStatement", sql="CREATE TEMPORARY TABLE mine (a INT)").unwrap()
    assert _code(rig.call("runQuery", sql="SELECT * FROM mine")) == "not_found"
    rig.call("executeStatement", sql="SET NAMES latin1").unwrap()
    assert rig.call("runQuery", sql="SELECT ? AS a, 'ü' AS b", parameters=["ü"]).unwrap()[
        "rows"
    ] == [{"a": "ü", "b": "ü"}]


def test_a_procedure_may_return_rows(rig: Rig) -> None:
    """The rows of its first result."""
    found = rig.call("executeStatement", sql="CALL add_order(?)", parameters=[7]).unwrap()
    assert (found["rows"], rig.rows("SELECT customer FROM orders")) == ([{"added": 7}], [(7,)])


def test_what_cannot_be_rolled_back_is_in_doubt(rig: Rig) -> None:
    """A statement that is refused after it has changed a table that knows no transactions."""
    result = rig.call("executeStatement", sql="INSERT INTO loose VALUES (1), (1)")
    assert (result.status, rig.rows("SELECT * FROM loose")) == ("in_doubt", [(1,)])
    assert result.error is not None
    assert "stays" in result.error.message


_INSERT = "INSERT INTO orders (customer) VALUES (1)"


@pytest.mark.parametrize("loss", ["cut", "silent"])
@pytest.mark.parametrize("command", [b"COMMIT", b"EXECUTE jackfield"])
def test_a_change_without_an_answer_is_in_doubt_and_sent_once(
    rig: Rig, command: bytes, loss: str
) -> None:
    """Of the statement or of its commit: the server does not tell what became of it, and it is not
    sent again.
    """
    with DatabaseProxy(rig.server.port, command) as proxy:
        rig.port = proxy.port
        rig.call("listTables").unwrap()
        before = _sent(rig)
        if command == b"COMMIT":
            proxy.swallow(1, then_silent=loss == "silent")
        else:
            proxy.swallow(1, b"READ WRITE", then_silent=loss == "silent")
        result = rig.call("executeStatement", sql=_INSERT, timeout=4.0)
        sent = _sent(rig) - before
        swallowed = proxy.swallowed
    assert (result.status, sent, swallowed) == ("in_doubt", 1, 1), result.error
    until(
        lambda: (
            not rig.rows(
                f"SELECT 1 FROM information_schema.processlist WHERE user = '{rig.user}' AND "
                "command <> 'Sleep'"
            )
        )
    )
    assert rig.rows("SELECT count(*) FROM orders") == [(1 if command == b"COMMIT" else 0,)]


def _sent(rig: Rig) -> int:
    """Inserts that the server has carried out, for anybody."""
    ((_, count),) = rig.rows("SHOW GLOBAL STATUS LIKE 'Com_insert'")
    return int(count)


def test_a_server_that_ends_an_idle_connection_costs_nothing(rig: Rig) -> None:
    """The change goes over a new one, once; a statement that ends its own connection is in
    doubt.
    """
    rig.call("listTables").unwrap()
    for (number,) in rig.rows(
        f"SELECT id FROM information_schema.processlist WHERE user = '{rig.user}'"
    ):
        rig.rows(f"KILL {number}")
    result = rig.call("executeStatement", sql=_INSERT)
    assert (result.status, result.meta.attempts) == ("succeeded", 1)
    ended = rig.call("executeStatement", sql="KILL CONNECTION_ID()")
    assert ended.status == "in_doubt", ended.error
    assert rig.rows("SELECT count(*) FROM orders") == [(1,)]


def test_an_idle_connection_that_was_cut_off_does_not_use_up_the_deadline(rig: Rig) -> None:
    """The change goes over a new one, once."""
    with DatabaseProxy(rig.server.port) as proxy:
        rig.port = proxy.port
        rig.call("listTables").unwrap()
        proxy.drop("client")
        late = rig.call("executeStatement", sql=_INSERT, timeout=2.5)
        proxy.deliver()
        last = rig.call("executeStatement", sql=_INSERT)
    assert (late.status, _code(late)) == ("failed", "timeout"), late.error
    assert (last.status, rig.rows("SELECT count(*) FROM orders")) == ("succeeded", [(1,)])


def test_a_lock_is_waited_for_until_the_deadline(rig: Rig) -> None:
    """And no longer; the lock of another transaction is told as a time-out, and nothing is
    changed.
    """
    rig.rows("INSERT INTO orders (customer) VALUES (1)")
    import pymysql

    with pymysql.connect(
        host="127.0.0.1", port=rig.port, user="root", database=rig.database, ssl_disabled=True
    ) as other:
        other.cursor().execute("UPDATE orders SET note = 'theirs'")
        result = rig.call("executeStatement", sql="UPDATE orders SET note = 'ours'", timeout=1.0)
        other.commit()
    assert (result.status, _code(result)) == ("failed", "timeout"), result.error
    assert rig.rows("SELECT note FROM orders") == [("theirs",)]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"database": "nowhere"}, "forbidden"),
        ({"username": "nobody"}, "unauthenticated"),
        ({"password": "s3cret-of-e"}, "unauthenticated"),
        ({"port": 1}, "unavailable"),
        ({"hostname": "does-not-exist.invalid"}, "unavailable"),
        ({"tls": "verify"}, "unavailable"),
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
    """The error names the cause and no secret."""
    result = rig.call("executeStatement", sql=_INSERT, values=rig.values(**changed), timeout=5.0)
    assert (result.status, _code(result)) == ("failed", code), result.error
    assert "s3cret-of" not in str(result.error)


def test_a_connection_test_tells_whose_account_it_is(rig: Rig) -> None:
    """The login is tried, and the account is named."""
    named = {"good": rig.values(), "bad": rig.values(password="no")}
    connections = {
        name: {"type": "mysql/password", "values": values} for name, values in named.items()
    }
    with Jackfield(connections=[connections], database_url="none") as jackfield:
        good, bad = (jackfield.connections.test(name) for name in named)
    assert (good["status"], good["account"]["label"]) == (
        "ok",
        f"{rig.user} at 127.0.0.1, database {rig.database}",
    )
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


def test_a_certificate_is_checked_by_authority_and_name(rig: Rig, tmp_path: Path) -> None:
    """Only the server that its authority and name are known of gets the login."""
    tried = trials(rig.server.bundle, tmp_path)
    rig.server.run(f"ALTER USER {rig.user} REQUIRE SSL")
    results = {
        why: rig.call("runQuery", sql="SHOW STATUS LIKE 'Ssl_cipher'", values=rig.values(**one))
        for why, one in tried.items()
    }
    only_the_known_server(results)
    assert _code(rig.call("listTables")) == "unauthenticated"


class _Imitator:
    """A server that greets as the real one does, says that it speaks no TLS, and asks for the
    password itself.
    """

    def __init__(self, port: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as real:
            self._greeting = bytearray(real.recv(4096))
        # Protocol::HandshakeV10: capabilities follow version, thread and salt
        low = self._greeting.index(b"\0", 5) + 1 + 4 + 8 + 1
        self._greeting[low + 1] &= ~0x08 & 0xFF  # CLIENT_SSL
        self.heard = b""

    def serve(self, listener: socket.socket) -> None:
        """Serve one client."""
        client, _ = listener.accept()
        with client:
            client.sendall(self._greeting)
            self.heard = client.recv(4096)
            if self.heard:
                client.sendall(b"\x16\0\0\x02\xfemysql_clear_password\0")
                self.heard += client.recv(4096)


@pytest.mark.parametrize("tls", ["verify", "encrypt", "disable"])
def test_a_server_without_a_certificate_never_gets_the_password(rig: Rig, tls: str) -> None:
    """It gets nothing where TLS is wanted, and no password that can be read where it is not."""
    server = _Imitator(rig.port)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.serve, args=(listener,), daemon=True)
        thread.start()
        result = rig.call(
            "listTables", values=rig.values(port=listener.getsockname()[1], tls=tls), timeout=5.0
        )
        thread.join(30)
    assert (result.status, b"s3cret" in server.heard, bool(server.heard)) == (
        "failed",
        False,
        tls == "disable",
    )
    assert _code(result) == ("unauthenticated" if tls == "disable" else "unavailable"), result.error


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'INTO OUTFILE'",
        "(SELECT 1)",
        "SELECT `into outfile`",
        "WITH x AS (SELECT 1) TABLE x",
        "show tables",
        "/* a */desc t",
        "SELECT 'it''s \\' USE', \"/*!\" -- /*! x",
        "VALUES (1)",
    ],
)
def test_statements_that_read_are_let_through(sql: str) -> None:
    """Words in strings, quoted names and comments are none."""
    check_reads(sql)
    check_stays(sql)


@given(st.text())
def test_any_text_is_judged(text: str) -> None:
    """Within a time that grows with its length, and without an error of ours."""
    for check in (check_reads, check_stays):
        try:
            check(text * 50)
        except JackfieldError as error:
            assert error.code == "rejected"


@given(st.text(st.characters(exclude_categories=["Cs"])) | st.binary())
def test_no_value_is_a_part_of_a_statement(value: str | bytes) -> None:
    """A literal of a text or of bytes is hexadecimal, whatever they have."""
    written = literal(value if isinstance(value, str) else {"base64": json_value(value)})
    digits = written.partition("'")[2].rpartition("'")[0]
    assert bytes.fromhex(digits) == (value.encode() if isinstance(value, str) else value)
