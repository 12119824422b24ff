"""PostgreSQL through psycopg 3 (extra ``postgres``): a server that several processes share."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, ClassVar, NoReturn, TypeVar

import psycopg
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.types.numeric import IntDumper

from jackfield.kernel.clock import monotonic, patience
from jackfield.kernel.commits import CommitUnknown
from jackfield.kernel.errors import Unavailable
from jackfield.kernel.failures import OnFailure
from jackfield_store.database.faults import (
    ConstraintViolation,
    Contended,
    DatabaseUnfit,
    NoAnswer,
    StatementInvalid,
    Trouble,
    UniqueViolation,
    other_database,
    unavailable,
)
from jackfield_store.database.host_names import HostNames
from jackfield_store.database.postgres_connections import (
    SHORTEST_WAIT,
    Flag,
    Number,
    PostgresConnection,
    Unanswered,
    answers,
)
from jackfield_store.database.postgres_urls import options_of
from jackfield_store.database.shared_looks import SharedLooks
from jackfield_store.database.statements import Row, rows_from, translated
from jackfield_store.database.timelines import COLUMNS, PASSING, PLACE, Timelines
from jackfield_store.database.transaction import Dialect, Mode, Pool, Step

T = TypeVar("T")

_log = logging.getLogger("jackfield.database")
_SHORTEST_HIDDEN = 4
_BEGIN = {
    # one snapshot, like a reader of SQLite's WAL
    Mode.READ: b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    Mode.WRITE: b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
    Mode.VOLATILE: (
        b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL synchronous_commit TO OFF"
    ),
    Mode.MIGRATE: b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
}
_MIGRATION_LOCK = 0x6A61636B  # "jack"; any number that no other program uses in this database
_MIGRATION_SECONDS = 600
_AGAIN = 1.0
"""Seconds after an unanswered wait in which no other caller waits for the server."""
_STATEMENT = 30.0
"""Maximum seconds of a statement, after which the server ends it."""
_ROUND = 0.5
"""Additional seconds of a wait: a statement that the server itself ends leaves the connection
usable.
"""
# Detect a dead peer within a minute. Options in the URL take precedence.
_PATIENCE = {
    "connect_timeout": "10",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "40000",
    "application_name": "jackfield",
}
_SETTINGS = """SELECT pg_backend_pid() AS pid, set_config('statement_timeout', '{most}ms', pg_backend_pid() <> {pid}),
 set_config('idle_in_transaction_session_timeout', '60s', pg_backend_pid() <> {pid}),
 CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', pg_backend_pid() <> {pid}) END"""
"""Statement that sets up a session. Behind a pooler, which names a process of its own, the settings
end with this statement: the session is shared.
"""
_SYNC = (
    b"; SELECT CASE current_setting('synchronous_commit') WHEN 'off' THEN "
    b"set_config('synchronous_commit', 'on', true) END"
)
_LOCAL = (
    "; SET LOCAL statement_timeout = '{}ms'; SET LOCAL idle_in_transaction_session_timeout = '60s'"
)
"""Settings of each transaction behind a pooler."""
_STATEMENT_MODE = "statement pooling mode"
"""PgBouncer's message for a transaction if its sessions serve one statement only."""
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_STATES = {
    "53100": Trouble.FULL,
    "25006": Trouble.READ_ONLY,
    "42501": Trouble.DENIED,
    "40001": Trouble.LOCKED,
    "40P01": Trouble.LOCKED,
    "55P03": Trouble.LOCKED,
    "57014": Trouble.SLOW,
    "53300": Trouble.BUSY,
    "XX001": Trouble.DAMAGED,
    "XX002": Trouble.DAMAGED,
    "58030": Trouble.FAILING,
}
_UNREACHABLE_CLASSES = ("08", "57", "53", "58", "XX")


class PostgresSession:
    """One connection to the server."""

    pool: Pool[Any]

    def __init__(
        self, connect: Callable[[], PostgresConnection], lost: Callable[[], object], most: float
    ) -> None:
        self.lost = lost
        self._reads = False
        self._begins: bytes | None = None
        """Begin of a transaction that goes with its first statement."""
        self.holder: list[Any] | None = None
        self._connect, self._most = connect, most
        self.connection = connect()

    @property
    def usable(self) -> bool:
        """True if the connection is open and in no transaction."""
        return (
            not self.connection.closed
            and self.connection.info.transaction_status == TransactionStatus.IDLE
        )

    @property
    def in_transaction(self) -> bool:
        """True if the transaction is open, even if it has failed."""
        return self.connection.info.transaction_status in {
            TransactionStatus.INTRANS,
            TransactionStatus.INERROR,
        }

    def reopen(self) -> None:
        """Reconnect."""
        self.close()
        self.connection = self._connect()

    def look(self) -> None:
        """Begin no transaction: a single statement needs none."""
        self.connection.most = self._most

    def begin(self, mode: Mode) -> None:
        """Begin a transaction; an ordinary one begins with its first statement, which saves a round
        trip. Behind a pooler, a transaction begins with its settings: the next one may get another
        session of the server.
        """
        self._reads, local, self.connection.most = (
            mode is Mode.READ,
            self.connection.local,
            self._most,
        )
        if mode in (Mode.READ, Mode.WRITE) and not local:
            self._begins = _BEGIN[mode]
            return
        sync = _SYNC if local and mode is not Mode.VOLATILE else b""
        try:
            self.connection.execute(_BEGIN[mode] + sync + local, prepare=False)
            if mode is Mode.MIGRATE:
                self.connection.most = _MIGRATION_SECONDS
                self.connection.execute(
                    f"SET LOCAL statement_timeout = '{_MIGRATION_SECONDS}s'".encode()
                )
                self.connection.execute(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})".encode())
        except psycopg.Error as fault:
            self._refuse(fault)

    def execute(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Run a statement and return its rows."""
        cursor = self._ran(sql, params)
        return rows_from(cursor.description, cursor.fetchall() if cursor.description else ())

    def change(self, sql: str, params: Mapping[str, Any]) -> int:
        """Run a statement and return the number of affected rows."""
        return max(0, self._ran(sql, params).rowcount)

    def _ran(self, sql: str, params: Mapping[str, Any]) -> psycopg.Cursor[Any]:
        def ask(begins: bytes | None) -> psycopg.Cursor[Any]:
            if begins is None:
                return self.connection.execute(translated(sql), params)
            with self.connection.pipeline():
                self.connection.execute(begins, prepare=False)
                return self.connection.execute(translated(sql), params)

        return self._ask_server(ask, sql)

    def change_all(self, steps: Sequence[Step]) -> list[int]:
        """Run statements, each with several sets of parameters, without waiting for each answer;
        return their numbers of affected rows.
        """

        def ask(begins: bytes | None) -> list[psycopg.Cursor[Any]]:
            cursors = [self.connection.cursor() for _ in steps]
            with self.connection.pipeline():
                if begins is not None:
                    self.connection.execute(begins, prepare=False)
                for cursor, (sql, rows) in zip(cursors, steps, strict=True):
                    cursor.executemany(translated(sql), rows)
            return cursors

        cursors = self._ask_server(ask, "; ".join(sql for sql, _ in steps))
        return [max(0, cursor.rowcount) for cursor in cursors]

    def mark(self, *, again: bool) -> None:
        """Set the savepoint ``unit``. ``again`` replaces the present one, in one round trip."""

        def ask(begins: bytes | None) -> object:
            before = (
                b"RELEASE SAVEPOINT unit; " if again else b"" if begins is None else begins + b"; "
            )
            return self.connection.execute(before + b"SAVEPOINT unit", prepare=False)

        self._ask_server(ask, "SAVEPOINT unit")

    def _ask_server(self, ask: Callable[[bytes | None], T], sql: str) -> T:
        """Return the value of ``ask``, which also sends a postponed begin. If the connection was
        lost before the transaction began, reconnect and ask again.
        """
        begins, self._begins = self._begins, None
        try:
            return ask(begins)
        except (psycopg.Error, UnicodeError) as fault:
            if begins is not None and self._is_of_standby(fault):
                self.close()  # after a failover, another host of the URL may be the primary
            if begins is None or not self._is_closed_by(fault) or isinstance(fault, Unanswered):
                self._refuse(fault, sql)
        self.lost()
        self.reopen()
        try:
            return ask(begins)
        except (psycopg.Error, UnicodeError) as fault:
            self._refuse(fault, "" if self._is_of_standby(fault) else sql)

    def _is_of_standby(self, fault: Exception) -> bool:
        """Return whether a server refused a write, or the begin of a transaction that writes, as a
        standby does.
        """
        return not self._reads and getattr(fault, "sqlstate", None) in {"25006", "0A000"}

    def _is_closed_by(self, fault: Exception) -> bool:
        """Return whether the connection is closed; close it if libpq failed, and not the server.
        libpq itself leaves open a connection that cannot be written to, until it reads from it.
        """
        if isinstance(fault, psycopg.OperationalError) and fault.sqlstate is None:
            self.close()
        return bool(self.connection.closed)

    def commit(self) -> None:
        """Commit, and wait until the server has synced the commit to its disk."""
        if self._begins is not None:  # nothing was asked
            self._begins = None
            return
        try:
            answer = self.connection.execute(b"COMMIT", prepare=False).statusmessage
        except psycopg.Error as fault:
            if self._is_closed_by(fault):
                raise unavailable(
                    Trouble.UNREACHABLE,
                    "the connection was lost during the commit, which may have taken effect",
                    CommitUnknown,
                ) from None
            self._refuse(fault)
        if answer != "COMMIT":  # the server rolls a failed transaction back and reports success
            raise StatementInvalid(
                "a statement of the transaction has failed: nothing of it is committed"
            )

    def rollback(self) -> None:
        """Roll back the transaction; never raise."""
        self._begins = None
        with suppress(psycopg.Error):
            if self.connection.closed:
                return
            # an interrupt came while psycopg entered or left the pipeline
            if self.connection.info.pipeline_status != PipelineStatus.OFF:
                self.connection.close()
            elif self.connection.info.transaction_status != TransactionStatus.IDLE:
                self.connection.execute(b"ROLLBACK", prepare=False)

    def close(self) -> None:
        """Close the connection; never raise."""
        with suppress(psycopg.Error):
            self.connection.close()

    def _refuse(self, fault: Exception, sql: str = "") -> NoReturn:
        state = getattr(fault, "sqlstate", None) or ""
        if state == "23505" and isinstance(fault, psycopg.Error):
            raise UniqueViolation(fault.diag.constraint_name or "") from None
        if state.startswith("23") and isinstance(fault, psycopg.Error):
            raise ConstraintViolation(
                fault.diag.constraint_name or fault.diag.column_name or ""
            ) from None
        if state == "25006" and self._reads:
            raise StatementInvalid("a transaction that reads cannot write") from None
        trouble = _STATES.get(state)
        # a standby: after a failover, another host of the URL may be the primary
        if state == "25006" or (state == "0A000" and not sql):
            self.close()
            raise unavailable(Trouble.READ_ONLY) from None
        if isinstance(fault, Unanswered):
            raise unavailable(Trouble.SILENT, str(fault), NoAnswer) from None
        if _STATEMENT_MODE in str(fault):
            raise unavailable(Trouble.POOLED, "", DatabaseUnfit) from None
        if self._is_closed_by(fault) or (
            trouble is None and state.startswith(_UNREACHABLE_CLASSES)
        ):
            raise unavailable(
                Trouble.UNREACHABLE, "the connection was lost" if not state else f"it says {state}"
            ) from None
        if trouble is None:
            kind = state or type(fault).__name__
            _log.error("the database refused a statement: %s: %s", kind, sql)
            raise StatementInvalid(f"the database refused a statement ({kind})") from None
        detail = ""
        if trouble is Trouble.DENIED and isinstance(fault, psycopg.Error):
            detail = (
                f"'{self.connection.info.user}': "
                f"{fault.diag.message_primary or 'permission denied'}"
            )
        raise unavailable(
            trouble, detail, Contended if trouble is Trouble.LOCKED else Unavailable
        ) from None


class PostgresDialect(Dialect):
    """PostgreSQL server with at most ``connections`` connections to it."""

    name = "postgresql"
    now, place = "EXTRACT(EPOCH FROM clock_timestamp())::double precision", PLACE
    lateral = True
    locks = " FOR UPDATE"
    shares = " FOR SHARE"
    skips_locked = " FOR UPDATE SKIP LOCKED"
    types: ClassVar[Mapping[str, str]] = {
        "text": 'TEXT COLLATE "C"',  # sorts by code point, like SQLite
        "integer": "INTEGER",
        "bigint": "BIGINT",
        "bigint_identity": "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY",
        "boolean": "SMALLINT",
        "double": "DOUBLE PRECISION",
        "blob": "BYTEA",
        "table": "",
        "clustered": "",
        "floor": "FLOOR",
    }
    bounds_each = True
    batch = 60  # the server caches 64 subtransactions per backend; more slow down every snapshot
    tables = "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()"
    barred = (
        "SELECT relname AS name FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        "AND relkind = 'r' AND NOT ("
        "has_table_privilege(oid, 'SELECT') AND has_table_privilege(oid, 'INSERT')"
        " AND has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE'))"
    )
    indexes = "SELECT indexname AS name FROM pg_indexes WHERE schemaname = current_schema()"

    def __init__(self, url: str, *, wait: float, most: float = 0.0, connections: int = 1) -> None:
        given, self._pooled = options_of(url)
        self.options: Mapping[str, str] = {**_PATIENCE, **given}
        # shorter ones are parts of ordinary words, and libpq's messages do not contain passwords
        # intentionally
        self._hidden = [
            given[name]
            for name in ("password", "sslpassword")
            if len(given.get(name, "")) >= _SHORTEST_HIDDEN
        ]
        place = f"{given.get('host', '')}{':' + given['port'] if 'port' in given else ''}"
        self.location = f"postgresql://{place}/{given.get('dbname', '')}"
        self.wait = wait
        self._most = max(_STATEMENT, wait, most)
        self._milliseconds = round(1000 * self._most)
        self._timelines: Timelines | None = Timelines()
        self._names = HostNames()
        self._silent_until = self._asked_at = -math.inf
        self._asking, self._found_there = threading.Lock(), True
        self._place: tuple[str, int] | None = None
        """Address to which the newest connection goes."""
        connect = partial(PostgresSession, self._connected, self._lost, self._most + _ROUND)
        self._pool = Pool(connect, limit=connections, wait=wait, full=self._full)

    def begin(self, mode: Mode, held: list[Any] | None = None) -> PostgresSession:
        """Return a connection in a transaction."""
        self._check_answers()
        return self._pool.take(lambda session: self._begin(session, mode), held)

    def look_up(self, sql: str, params: Mapping[str, Any]) -> list[Row]:
        """Return the rows of a single reading statement, outside any transaction."""
        self._check_answers()
        session = self._pool.take(PostgresSession.look)
        try:
            return self._with_reconnect(session, lambda: session.execute(sql, params))
        finally:
            self._pool.give_back(session)

    def epoch(
        self, committed: Callable[[], int | None], _settle: Callable[[], object], /
    ) -> SharedLooks:
        """Return readings that each query the database's number."""
        return SharedLooks(committed)

    def close(self) -> None:
        """Close all connections."""
        self._pool.close()

    def renewed(self, url: str, /) -> Callable[[], None]:
        """Check another URL of this database, such as one with a new password; return a function
        that makes new connections use it.
        """
        other = PostgresDialect(url, wait=self.wait)
        if other.location != self.location:
            raise other_database()
        other._connected().close()

        def use() -> None:
            self.options, self._pooled, self._hidden = (
                other.options,
                other._pooled,
                [*self._hidden, *other._hidden],
            )
            self._pool.drop_idle()

        return use

    def _begin(self, session: PostgresSession, mode: Mode) -> None:
        self._with_reconnect(session, lambda: session.begin(mode))

    def _with_reconnect(self, session: PostgresSession, ask: Callable[[], T]) -> T:
        """Return the value of ``ask()``, which must not change anything. If a pooled connection has
        died, or leads to a standby, reconnect and ask again; a silent connection has used up the
        time for that.
        """
        try:
            return ask()
        except Unavailable as fault:
            if not session.connection.closed or isinstance(fault, NoAnswer):
                raise
            self._pool.drop_idle()
            session.reopen()
            return ask()

    def _check_answers(self) -> None:
        """Refuse at once a step that would wait for a server which has just given no answer: each
        of many callers would wait, and hold its thread.
        """
        if monotonic() < self._silent_until:
            raise unavailable(Trouble.SILENT, f"no answer within {self.wait:.1f} seconds", NoAnswer)

    def _full(self) -> Trouble:
        """Return why no connection became free in time: a server that gives no answer, or
        connections that are in use.
        """
        place = self._place
        return (
            Trouble.BUSY
            if place is None or self._is_there(place, SHORTEST_WAIT / 2)
            else Trouble.SILENT
        )

    def _is_there(self, place: tuple[str, int], seconds: float) -> bool:
        """Return whether the server at an address accepts a new connection in time; record it if
        not. One thread checks on behalf of all.
        """
        since = monotonic()
        with self._asking:
            if self._asked_at < since:
                self._found_there = answers(
                    *place, max(SHORTEST_WAIT / 2, min(seconds, self.wait / 2))
                )
                self._asked_at = monotonic()
            if not self._found_there:
                self._note_silence()
            return self._found_there

    def _lost(self) -> None:
        """Drop the idle connections after one was lost: its cause has probably ended them, too."""
        self._pool.drop_idle()

    def _note_silence(self) -> None:
        """Record that the server does not answer; its idle connections are unusable, too."""
        self._silent_until = monotonic() + _AGAIN
        self._pool.drop_idle()

    def _connected(self) -> PostgresConnection:
        seconds = patience(self.wait)
        options = self._connect_options(seconds)
        try:
            return self._prepared(PostgresConnection.connect("", autocommit=True, **options))
        except psycopg.errors.ConnectionTimeout as fault:
            if seconds >= self.wait:
                self._note_silence()
            raise unavailable(Trouble.SILENT, self._libpq_message(fault), NoAnswer) from None
        except Unanswered as fault:
            raise unavailable(Trouble.SILENT, str(fault), NoAnswer) from None
        except psycopg.Error as fault:
            raise unavailable(Trouble.UNREACHABLE, self._libpq_message(fault)) from None

    def _connect_options(self, seconds: float) -> dict[str, Any]:
        """Return the options of a connection that is made within ``seconds``, divided among the
        addresses to try.
        """
        began = monotonic()
        try:
            options = self._names.addressed(self.options, max(SHORTEST_WAIT, seconds))
        except TimeoutError as fault:
            if seconds >= self.wait:
                self._note_silence()
            raise unavailable(Trouble.SILENT, str(fault), NoAnswer) from None
        except OSError as fault:
            raise unavailable(
                Trouble.UNREACHABLE, f"the name of its host has no address: {fault}"
            ) from None
        given, left = options.get("connect_timeout", ""), seconds - (monotonic() - began)
        share = left / (1 + options.get("host", "").count(","))
        most = min(share, float(given) if given.isdigit() and int(given) else math.inf)
        return {**options, "connect_timeout": str(max(2, math.floor(most)))}

    def _prepared(self, connection: PostgresConnection) -> PostgresConnection:
        connection.silence, connection.most = self.wait / 2, self._most + _ROUND
        self._place = place = (
            connection.info.hostaddr or connection.info.host,
            connection.info.port,
        )
        connection.is_there = partial(self._is_there, place)
        connection.adapters.register_dumper(bool, IntDumper)
        connection.adapters.register_loader("bool", Flag)
        connection.adapters.register_loader("numeric", Number)
        with OnFailure(connection.close):
            encoding = connection.info.parameter_status("server_encoding")
            if encoding != "UTF8":
                raise unavailable(Trouble.ENCODED, f"its encoding is {encoding}", DatabaseUnfit)
            self._set_up(connection)
        return connection

    def _set_up(self, connection: PostgresConnection) -> None:
        """Set a connection up, and read the server's timeline with the same statement. Another
        maker's server that speaks PostgreSQL's protocol may have no timeline.
        """
        settings = _SETTINGS.format(
            most=self._milliseconds, pid=0 if self._pooled else connection.info.backend_pid
        )
        if self._timelines is not None:
            try:
                row = connection.execute(f"{settings}, {COLUMNS}".encode()).fetchone()
            except psycopg.DatabaseError as fault:
                if connection.closed or fault.sqlstate is None:
                    raise
                if fault.sqlstate != PASSING:
                    self._timelines, self.place = None, "''"
            else:
                self._timelines.note(row[-2], waits=bool(row[-1])) if row is not None else None
                self._share(connection, row)
                return
        self._share(connection, connection.execute(settings.encode()).fetchone())

    def _share(self, connection: PostgresConnection, row: Sequence[Any] | None) -> None:
        """Store nothing in the server's session if a pooler (PgBouncer, Supavisor, PgCat) gives
        each transaction another session. The URL says so, or the answer to the start of a
        connection, which names the pooler's own process.
        """
        if self._pooled or (row is not None and row[0] != connection.info.backend_pid):
            connection.local = _LOCAL.format(self._milliseconds).encode()
            connection.prepare_threshold = None

    @property
    def timeline(self) -> tuple[int, str | None]:
        """Number of times that new connections have found another timeline, and the possible effect
        of the last change.
        """
        return (
            (0, None)
            if self._timelines is None
            else (self._timelines.changes, self._timelines.told)
        )

    def _libpq_message(self, fault: psycopg.Error) -> str:
        """Return the last line of libpq's message, with passwords redacted. It names host, user and
        database.
        """
        lines = [line.strip() for line in str(fault).splitlines() if line.strip()]
        return self.without_secrets(lines[-1][:300] if lines else type(fault).__name__)

    def without_secrets(self, text: str) -> str:
        """Redact the passwords of the URL in a message of libpq or of PostgreSQL's programs."""
        for secret in self._hidden:
            text = text.replace(secret, "***")
        return text
