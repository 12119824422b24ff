"""What goes wrong with a PostgreSQL server is told in clear words, and nothing is lost, half done,
or told as done.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest
from tests.jackfield_store.database.workspace_rows import adding, names, rolled_back

from jackfield.kernel.errors import JackfieldError, Sent, Unavailable
from jackfield_store.database import (
    CommitUnknown,
    ConstraintViolation,
    Contended,
    DatabaseUnfit,
    StatementInvalid,
    Transaction,
    UniqueViolation,
    open_database,
)
from jackfield_store.database.postgres_connections import PostgresConnection
from jackfield_store.database.postgres_urls import options_of
from jackfield_store.database.transaction import Mode
from postgres import Server, missing, running_server
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]


WAIT = 30.0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server that may be stopped."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with running_server() as running:
        yield running


@pytest.fixture
def own_url(server: Server) -> str:
    """A database on that server."""
    return server.create()


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_a_restarted_server_is_not_noticed(server: Server, own_url: str, how: str) -> None:
    """Connections that a restart ended are replaced before anything is sent on them: the next calls
    work.
    """
    with open_database(own_url) as database:
        database.record(adding("a"))
        sessions = [database.dialect.begin(Mode.READ) for _ in range(3)]
        for session in sessions:
            session.pool.give_back(rolled_back(session))
        server.stop(how)
        server.start()
        assert names(database) == ["a"]
        assert database.record(adding("b")) == "b"
        assert names(database) == ["a", "b"]


def test_a_server_that_stops_in_mid_call(server: Server, own_url: str) -> None:
    """A transaction that the server's end cuts off is told as not done, is not there later, and
    after a restart all goes on.
    """
    with open_database(own_url) as database:
        with (  # noqa: PT012 (which call notices is open)
            pytest.raises(Unavailable, match="cannot be reached") as caught,
            database.write() as transaction,
        ):
            adding("half")(transaction)
            server.stop()
            adding("rest")(transaction)
        assert not isinstance(caught.value, CommitUnknown)
        assert (caught.value.sent, caught.value.retryable) == (Sent.NOTHING, True)
        for call in (lambda: names(database), lambda: database.record(adding("c"))):
            with pytest.raises(Unavailable, match="cannot be reached"):
                call()
        server.start()
        assert names(database) == []
        assert database.record(adding("d")) == "d"
        assert names(database) == ["d"]


def test_a_batch_survives_what_one_unit_loses(server: Server, own_url: str) -> None:
    """When the connection dies in one unit of a batch, that unit's caller is told, and the others
    are done on a new connection.
    """
    told: dict[str, Any] = {}
    done = threading.Semaphore(0)

    def tell(name: str) -> Callable[[Any, Exception | None], None]:
        def telling(value: object, error: Exception | None) -> None:
            told[name] = error or value
            done.release()

        return telling

    def dying(transaction: Transaction) -> None:
        with open_database(own_url, migrate=None) as other, other.write() as killer:
            (pid,) = transaction.execute("SELECT pg_backend_pid() AS pid")[0]
            killer.execute("SELECT pg_terminate_backend(:pid)", {"pid": pid})
        adding("dying")(transaction)

    def outer(transaction: Transaction) -> None:
        for name, unit in {"a": adding("a"), "dying": dying, "b": adding("b")}.items():
            database.submit(unit, tell(name))

    with open_database(own_url) as database:
        database.record(outer)
        for _ in range(3):
            assert done.acquire(timeout=WAIT)
        assert (told["a"], told["b"]) == ("a", "b")
        assert isinstance(told["dying"], Unavailable)
        assert names(database) == ["a", "b"]


def test_a_batch_whose_server_is_gone_fails_at_once(server: Server, own_url: str) -> None:
    """When the server is gone for good, one of a batch finds out, and the others are told the same
    without waiting each for itself.
    """
    told: list[object] = []
    done = threading.Semaphore(0)

    def tell(value: object, error: Exception | None) -> None:
        told.append(error or value)
        done.release()

    def stopping(transaction: Transaction) -> None:
        server.stop()
        adding("stopping")(transaction)

    def outer(transaction: Transaction) -> None:
        for unit in (adding("a"), stopping, adding("b"), adding("c")):
            database.submit(unit, tell)

    with open_database(own_url) as database:
        database.record(outer)
        for _ in range(4):
            assert done.acquire(timeout=WAIT)
        assert [type(found) for found in told] == [Unavailable] * 4
        assert len({id(found) for found in told}) == 4
        server.start()
        assert names(database) == []


def test_a_refused_commit_is_told(own_url: str) -> None:
    """What PostgreSQL checks at the commit only is told as what it is, and a failed transaction is
    never told as committed.
    """
    with open_database(own_url) as database:
        with database.write() as transaction:
            transaction.execute(
                "CREATE TABLE late (a TEXT REFERENCES workspaces DEFERRABLE INITIALLY DEFERRED)"
            )
        with (
            pytest.raises(ConstraintViolation, match="late_a_fkey"),
            database.write() as transaction,
        ):
            transaction.change("INSERT INTO late VALUES ('none')")
        session = database.dialect.begin(Mode.WRITE)
        session.execute("INSERT INTO workspaces (name, created_at) VALUES ('a', 1)", {})
        with pytest.raises(StatementInvalid):
            session.execute("SELECT nothing FROM nowhere", {})
        with pytest.raises(StatementInvalid, match="nothing of it is committed"):
            session.commit()
        session.pool.give_back(rolled_back(session))
        assert names(database) == []


class Proxy:
    """Passes bytes between a client and the server, and cuts the line at a COMMIT: at its request,
    or at the answer to it.
    """

    def __init__(self, port: int, *, at_request: bool) -> None:
        self._port = port
        self._at_request = at_request
        self.armed = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """End all lines."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._cut()
        for thread in self._threads:
            thread.join(WAIT)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [client, server]
            for source, target in ((client, server), (server, client)):
                thread = threading.Thread(
                    target=self._pump, args=(source, target, source is client), daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, from_client: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if self.armed and from_client is self._at_request and b"COMMIT\0" in data:
                    break
                target.sendall(data)
        self._cut()

    def _cut(self) -> None:
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def proxied(server: Server, url: str, *, at_request: bool) -> Iterator[tuple[Proxy, str]]:
    """A proxy before the server, and the database's URL through it."""
    proxy = Proxy(server.port, at_request=at_request)
    try:
        yield (
            proxy,
            url.replace(f":{server.port}/", f":{proxy.port}/")
            + "?sslmode=disable&gssencmode=disable",
        )
    finally:
        proxy.close()


def test_a_commit_whose_request_is_lost(server: Server, own_url: str) -> None:
    """When the line is cut as COMMIT is sent, the caller learns that nobody knows; here it was not
    done.
    """
    with proxied(server, own_url, at_request=True) as (proxy, url), open_database(url) as database:
        proxy.armed = True
        with pytest.raises(CommitUnknown, match="may have taken effect"):
            database.record(adding("a"))
    with open_database(own_url) as direct:
        assert names(direct) == []


def test_a_commit_whose_answer_is_lost(server: Server, own_url: str) -> None:
    """The same words when the commit was done and only its answer was lost: it is never told as not
    done.
    """
    with proxied(server, own_url, at_request=False) as (proxy, url), open_database(url) as database:
        proxy.armed = True
        with (
            pytest.raises(CommitUnknown, match="may have taken effect"),
            database.write() as transaction,
        ):
            adding("a")(transaction)
    with open_database(own_url) as direct:
        assert names(direct) == ["a"]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cr3t%21x@127.0.0.1:1/name",
        "postgresql://user@127.0.0.1:1/name?password=s3cr3t%21x",
        "postgresql://user:s3cr3t!x@127.0.0.1:port/name",
        "postgresql://user:s3cr3t!x@[::1/name",
        "postgresql://user:s3cr3t!x@127.0.0.1:1/name?s3cr3t!x=1",
        "postgresql://user:s3cr3t!x@/name?host=/nowhere&sslmode=s3cr3t!x",
        "postgres://:s3cr3t!x@127.0.0.1:1",
        "mysql://user:s3cr3t!x@127.0.0.1/name",
        "postgresql://user:a@s3cr3t9@127.0.0.1:1/name",
        "postgresql://user:a@b@s3cr3t@[::1]:1/name",
        "postgresql://user:a?s3cr3t=b@127.0.0.1:1/name",
        "postgresql://user:a/s3cr3t?x=b@127.0.0.1:1/name",
    ],
)
def test_a_password_is_never_quoted(url: str) -> None:
    """Whatever is wrong with a URL, no error, cause or text of it holds its password."""
    with pytest.raises(Unavailable) as caught:
        open_database(url, wait=1)
    fault: BaseException | None = caught.value
    while fault is not None:
        shown = (
            f"{fault} {fault!r} {getattr(fault, 'hint', '')} "
            f"{fault.__notes__ if hasattr(fault, '__notes__') else ''}"
        )
        assert "s3cr3t" not in shown
        fault = fault.__cause__ if fault.__suppress_context__ else fault.__context__


def test_a_short_password_masks_no_words() -> None:
    """A password of a letter or three is part of ordinary words, which stay readable."""
    with pytest.raises(Unavailable) as caught:
        open_database("postgresql://user:e@127.0.0.1:1/name", wait=1)
    assert "***" not in caught.value.message


def test_a_location_shows_no_password(own_url: str) -> None:
    """Where a database is can be shown."""
    with open_database(own_url.replace("postgres@", "postgres:s3cr3t@")) as database:
        assert re.fullmatch(r"postgresql://127\.0\.0\.1:\d+/t[0-9a-f]+", database.location)
        assert "s3cr3t" not in repr(database)


def test_a_database_that_is_not_there(server: Server) -> None:
    """The server's own words on a missing database or refused sign-in are passed on."""
    with pytest.raises(Unavailable, match='database "none" does not exist'):
        open_database(server.url("none"))


def test_a_missing_permission_is_told(server: Server, own_url: str) -> None:
    """An account that may only read the tables is told so when it writes."""
    with open_database(own_url) as database:
        with database.write() as transaction:
            transaction.execute("DROP ROLE IF EXISTS reader")
            transaction.execute("CREATE ROLE reader LOGIN")
            transaction.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        with open_database(own_url.replace("postgres@", "reader@"), migrate=False) as reading:
            assert names(reading) == []
            with pytest.raises(
                Unavailable,
                match="may not do what jackfield needs: 'reader': permission denied for table",
            ) as refused:
                reading.record(adding("a"))
        assert "GRANT" in str(refused.value.hint)
        with database.write() as transaction:
            transaction.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM reader")
            transaction.execute("DROP ROLE reader")


def test_waits_have_ends(postgres_url: str) -> None:
    """A statement that takes too long and a lock that does not come are told apart, and the
    connection is good afterwards.
    """
    with open_database(postgres_url) as database:
        with database.read() as transaction:
            assert transaction.execute("SHOW statement_timeout") == [("30s",)]
        with pytest.raises(Unavailable, match="in time"), database.write() as transaction:  # noqa: PT012 (both lines are one call)
            transaction.execute("SET LOCAL statement_timeout = '50ms'")
            transaction.execute("SELECT pg_sleep(5)")
        database.record(adding("a"))
        with database.write() as holding, open_database(postgres_url) as other:
            holding.change("UPDATE workspaces SET created_at = 2")
            with pytest.raises(Contended, match="locked"), other.write() as transaction:  # noqa: PT012 (both lines are one call)
                transaction.execute("SET LOCAL lock_timeout = '50ms'")
                transaction.change("UPDATE workspaces SET created_at = 3")
        assert names(database) == ["a"]


def test_connections_are_limited(postgres_url: str) -> None:
    """The eleventh caller waits for one of ten connections, and is told when none comes free in
    time.
    """
    with open_database(postgres_url, wait=0.1, connections=10) as database:
        sessions = [database.dialect.begin(Mode.READ) for _ in range(10)]
        with pytest.raises(Unavailable, match="busy"):
            names(database)
        sessions[0].pool.give_back(rolled_back(sessions.pop()))
        assert names(database) == []
        for session in sessions:
            session.pool.give_back(rolled_back(session))


def test_a_commit_is_never_weaker_than_a_sync(server: Server, own_url: str) -> None:
    """A server whose default is to answer before the disk has it is asked to wait."""
    with open_database(own_url) as database:
        with database.write() as transaction:
            transaction.execute(
                f"ALTER DATABASE {own_url.rpartition('/')[2]} SET synchronous_commit = off"
            )
        with open_database(own_url) as other, other.read() as transaction:
            assert transaction.execute("SHOW synchronous_commit") == [("on",)]


def test_nul_in_text_is_refused(postgres_url: str) -> None:
    """PostgreSQL's text has no NUL: a fault of ours, in our words."""
    with open_database(postgres_url) as database, pytest.raises(StatementInvalid):
        database.record(adding("a\0b"))


def test_a_row_of_many_that_is_refused(postgres_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """The refusal comes while further rows are sent, and is what is raised. psycopg warns of
    nothing that ends with it.
    """
    rows = [{"name": f"{'x' * 3000}-{number % 9}"} for number in range(1000)]
    with open_database(postgres_url) as database, pytest.raises(UniqueViolation):
        database.record(
            lambda transaction: transaction.change_many(
                "INSERT INTO workspaces (name, created_at) VALUES (:name, 1)", rows
            )
        )
    assert [record.name for record in caplog.records if record.name == "psycopg"] == []


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed the error says how to get it."""
    import sys

    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "jackfield_store.database.postgres", raising=False)
    with pytest.raises(DatabaseUnfit, match="extra 'postgres'") as caught:
        open_database("postgresql://127.0.0.1/x")
    assert isinstance(caught.value, JackfieldError)
    assert "pip install" in str(caught.value)


@pytest.mark.parametrize(
    "query",
    [
        "schema=public",
        "pgbouncer=true&pool_size=9",
        "sslmode=require&connection_limit=5",
        "pool_size=5",
    ],
)
def test_a_parameter_of_another_library_is_named(query: str) -> None:
    """What Prisma, SQLAlchemy and hosters append to a URL is named, so that nobody looks for a
    fault in his password.
    """
    with pytest.raises(DatabaseUnfit) as raised:
        open_database(f"postgresql://user:s3cr3t@127.0.0.1:1/name?{query}")
    assert f"the parameter '{query.rpartition('&')[2].partition('=')[0]}'" in raised.value.message


@pytest.mark.parametrize(
    "query", ["pgbouncer=1", "pgbouncer=true&pgbouncer=true", "pgbouncer=", "pgbouncer=true%20"]
)
def test_pgbouncer_is_true_or_false_once(query: str) -> None:
    """Prisma's parameter with another value is refused by its name; the password is not shown."""
    with pytest.raises(DatabaseUnfit, match="'pgbouncer'") as raised:
        open_database(f"postgresql://user:s3cr3t@127.0.0.1:1/name?{query}")
    assert "s3cr3t" not in f"{raised.value} {raised.value.hint}"


@pytest.mark.parametrize(
    ("url", "pooled"),
    [
        ("postgresql://u:p@h/db?pgbouncer=true", True),
        ("postgresql://u:p@h/db?pgbouncer=true&sslmode=require", True),
        ("postgresql://u:p@h/db?sslmode=require&pgbouncer=true", True),
        ("postgresql://u:p@h/db?pgbouncer=false", False),
        ("postgresql://u:%3Fpgbouncer=true@h/db", False),
        ("postgresql://postgres.ref:p@aws-0-eu-central-1.pooler.supabase.com:6543/postgres", True),
        ("postgresql://postgres.ref:p@aws-0-eu-central-1.pooler.supabase.com:5432/postgres", False),
        ("postgresql://postgres:p@db.ref.supabase.co:5432/postgres", False),
        (
            "postgresql://u:p@ep-cool-dew-123456-pooler.us-east-2.aws.neon.tech/neondb?sslmode=require",
            True,
        ),
        (
            "postgresql://u:p@ep-cool-dew-123456.us-east-2.aws.neon.tech/neondb?sslmode=require",
            False,
        ),
        (
            "postgresql://doadmin:p@db-postgresql-fra1-1-do-user-1-0.b.db.ondigitalocean.com:25061/pool?sslmode=require",
            True,
        ),
        (
            "postgresql://doadmin:p@db-postgresql-fra1-1-do-user-1-0.b.db.ondigitalocean.com:25060/defaultdb?sslmode=require",
            False,
        ),
        ("postgresql://u:p@name.postgres.database.azure.com:6432/db?sslmode=require", True),
        ("postgresql://u:p@name.postgres.database.azure.com/db?sslmode=require", False),
        ("postgresql://u:p@first.example,Name.postgres.database.azure.com:6432/db", True),
    ],
)
def test_the_url_of_a_pooler_is_known(url: str, pooled: bool) -> None:
    """Pooled URLs of hosters, and Prisma's parameter, are known before the server is asked; direct
    URLs of the same hosters are not.
    """
    given, found = options_of(url)
    assert found is pooled
    assert "pgbouncer" not in given
    assert given["user"] in url


@pytest.mark.parametrize("password", ["Sup3r@Secret9", "@", "a@b@c"])
def test_a_password_that_is_not_encoded_is_told(password: str) -> None:
    """A URL of which libpq takes a part of the password for the host is refused before anybody is
    asked for that host.
    """
    with pytest.raises(
        DatabaseUnfit, match="password in the database's URL contains '@'"
    ) as raised:
        open_database(f"postgresql://jf:{password}@db.example/x")
    assert "%40" in str(raised.value.hint)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1", "EUC_JP"])
def test_a_database_of_another_encoding_is_refused(server: Server, encoding: str) -> None:
    """It is told by its encoding, before anything is written: an upgrade of it would never end."""
    psycopg = pytest.importorskip("psycopg")
    name = f"encoded_{encoding.lower()}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(
            f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0".encode()
        )
    for migrate in (True, False):
        with pytest.raises(DatabaseUnfit, match=f"its encoding is {encoding}") as raised:
            open_database(server.url(name), migrate=migrate)
        assert "UTF8" in str(raised.value.hint)


def test_an_account_that_may_not_create_tables_is_told(server: Server) -> None:
    """PostgreSQL 15 gives nobody CREATE on the schema public: the account, the schema and the
    statement that helps are named.
    """
    psycopg = pytest.importorskip("psycopg")
    url = server.create()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE newcomer LOGIN")
    with pytest.raises(
        Unavailable, match="'newcomer': permission denied for schema public"
    ) as raised:
        open_database(url.replace("postgres@", "newcomer@"))
    assert "CREATE ON SCHEMA public" in str(raised.value.hint)


class _Deaf:
    """Connections on which the next wait fails as libpq does that cannot write: it leaves the
    connection open.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        waits = PostgresConnection.wait

        def wait(connection: PostgresConnection, gen: Any, *more: Any, **options: Any) -> Any:
            if self.left:
                self.left -= 1
                raise psycopg.OperationalError("flushing failed: could not send data to server")
            return waits(connection, gen, *more, **options)

        monkeypatch.setattr(PostgresConnection, "wait", wait)


def test_a_connection_that_cannot_be_written_to_is_replaced(
    own_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where libpq fails and leaves the connection open, a new transaction begins on another one,
    and nobody hears of it.
    """
    with open_database(own_url) as database:
        assert database.record(adding("a")) == "a"
        deaf = _Deaf(monkeypatch)
        deaf.left = 1
        assert database.record(adding("b")) == "b"
        deaf.left = 1
        assert (names(database), deaf.left) == (["a", "b"], 0)


def test_what_libpq_cannot_send_is_not_called_a_wrong_statement(
    own_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a transaction it is told as a lost connection, and at its commit as one that
    may have taken effect.
    """
    with open_database(own_url) as database:
        deaf = _Deaf(monkeypatch)

        def twice(before: int, after: int) -> None:
            with database.write() as transaction:
                adding("a")(transaction)
                deaf.left = before
                adding("b")(transaction)
                deaf.left = after

        with pytest.raises(Unavailable, match="connection was lost"):
            twice(1, 0)
        with pytest.raises(CommitUnknown):
            twice(0, 1)
        assert names(database) == []
