"""Open client of a connection: transactions that read, and transactions that change, each of one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

from jackfield.connector import Call, Deadline, Detail, InvalidInput, JackfieldError, Sent, Unavailable, current_call
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.sessions import SessionPool
from jackfield_postgresql.faults import Lost, Refusal, explained, lost, reading, refused
from jackfield_postgresql.session import Column, Row, Session
from jackfield_postgresql.values import ARRAYS, BUILT_IN, Unfit, decoded, encoded
from jackfield_sql.rows import MOST_ROWS, Collected, Rows, unique_names
from jackfield_sql.statements import bad_parameter, check_statement

_SETTINGS = (
    "SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL TimeZone = 'UTC'; SET LOCAL bytea_output = 'hex'; "
    "SET LOCAL extra_float_digits = 1; "
)
"""In each transaction, since a pooler between us and the server keeps none that outlast it."""
_PAUSE_SECONDS = 0.2
"""Pause between two questions whether a transaction has ended."""


class PostgresClient(SecretHolder):
    """Client that runs statements over a pool's sessions. Created for each attempt, so it only references shared objects."""

    __slots__ = ("_call", "_place", "_pool")

    def __init__(self, pool: SessionPool[Session], call: Call, place: str) -> None:
        self._pool = pool
        self._call = call
        self._place = place

    def __repr__(self) -> str:
        return "PostgresClient()"

    def read(self, statement: str, parameters: Sequence[Any] = (), most: int = MOST_ROWS) -> Rows:
        """Run a statement in a transaction that cannot change data, and return its rows.

        :raises JackfieldError: if the server refuses it or is not reached; nothing was changed.
        """
        check_statement(statement)
        call = current_call() or self._call
        call.begin("read", safe=True)
        with self._in_transaction(call, "READ ONLY", "SELECT 1") as (session, _):  # with a snapshot, it can no longer be made writable
            found = self._run(session, statement, parameters, most, drains=False)
            if found.truncated:
                session.close()  # the rest of the rows is not worth reading
            else:
                session.run("ROLLBACK")
        return found

    def change(self, statement: str, parameters: Sequence[Any] = (), most: int = MOST_ROWS) -> Rows:
        """Run a statement in a transaction and commit it; return the rows of its RETURNING clause.

        If the answer to the commit is lost, the server is asked over another connection what became of the transaction.

        :raises JackfieldError: with ``sent``: nothing before the commit, unknown if neither the commit nor the question was answered.
        """
        check_statement(statement)
        call = current_call() or self._call
        call.begin("commit")
        with self._in_transaction(call, "READ WRITE", "SELECT txid_current()") as (session, answers):
            found = self._run(session, statement, parameters, most, drains=True)
            if not session.in_transaction:
                raise refused(Refusal("25000", "the statement ends the transaction, which only the action may", ""))
            call.check()
            self._commit(session, str(answers[0]), call.deadline)
        return found

    def _commit(self, session: Session, transaction: str, deadline: Deadline) -> None:
        session.obeys = False
        try:
            with reading(self._place, Sent.UNKNOWN):
                session.commit()
        except Refusal as refusal:
            if refusal.state[:2] in {"57", "08", "XX"}:  # the connection ends: what became of the transaction is not said
                self._settle(transaction, deadline, refused(refusal, Sent.UNKNOWN))
            else:
                raise refused(refusal) from None
        except Lost as error:
            self._settle(transaction, deadline, lost(error, self._place, Sent.UNKNOWN))
        except TimeoutError:
            raise deadline.passed(Sent.UNKNOWN) from None
        except JackfieldError as doubt:  # the answer cannot be read
            self._settle(transaction, deadline, doubt)

    def _settle(self, transaction: str, deadline: Deadline, doubt: JackfieldError) -> None:
        """Return if a transaction was committed whose commit was not answered.

        :raises JackfieldError: if it was not committed (nothing sent); ``doubt``, if the server does not know or cannot be asked.
        """
        state = self._outcome(transaction, deadline)
        if state == "aborted":
            raise Unavailable(f"{doubt.message}; the server has rolled the transaction back", sent=Sent.NOTHING, hint=doubt.hint)
        if state != "committed":
            raise doubt

    def _outcome(self, transaction: str, deadline: Deadline) -> str | None:
        try:
            while True:
                session = self._pool.fresh(deadline)
                session.obeys = False
                try:
                    with reading(self._place, Sent.UNKNOWN):
                        rows = session.run(f"SELECT txid_status({transaction})")
                        state = (rows[0][0] or b"").decode() if rows else ""
                finally:
                    session.close()
                if state != "in progress":
                    return state or None
                deadline.clock.sleep(min(_PAUSE_SECONDS, deadline.remaining()))
        except (JackfieldError, Refusal, Lost, TimeoutError):  # cannot be asked in time, or the server does not know it: it stays in doubt
            return None

    @contextmanager
    def _in_transaction(self, call: Call, mode: str, first: str) -> Iterator[tuple[Session, tuple[str, ...]]]:
        """Begin a transaction, over an idle session if there is one that still stands, and give the session back afterwards."""
        begin = f"BEGIN {mode}; {_SETTINGS}SET LOCAL statement_timeout = {max(1, int(call.remaining() * 1000))}; {first}"
        session, answers = self._begun(call.deadline, begin)
        with explained(self._place, call.deadline), ExitStack() as undo:
            undo.push(partial(self._put_back, session))
            yield session, answers

    def _put_back(self, session: Session, _: object, error: BaseException | None, _trace: object) -> None:
        """Return a session to the pool after a success or a refusal; after any other failure it is closed, and the server rolls back."""
        if error is None:
            self._pool.give(session)
        elif isinstance(error, Refusal):
            self._undo(session)
        else:
            session.close()

    def _begun(self, deadline: Deadline, begin: str) -> tuple[Session, tuple[str, ...]]:
        idle = self._pool.take(deadline)
        if idle is not None:
            idle.obeys = True
            with suppress(Lost, Refusal, TimeoutError), reading(self._place, Sent.NOTHING), OnFailure(idle.close):
                if idle.is_quiet:
                    return idle, _texts(idle.run(begin))
            idle.close()
        session = self._pool.fresh(deadline)
        with explained(self._place, deadline), OnFailure(session.close):
            return session, _texts(session.run(begin))

    def _undo(self, session: Session) -> None:
        session.obeys = False
        try:
            with reading(self._place, Sent.NOTHING):
                session.run("ROLLBACK")
        except (JackfieldError, Lost, Refusal, TimeoutError):
            session.close()
            return
        self._pool.give(session)

    def _run(self, session: Session, statement: str, parameters: Sequence[Any], most: int, *, drains: bool) -> Rows:
        prepared = session.prepare(statement)
        if len(prepared.parameters) != len(parameters):
            text = f"the statement has {len(prepared.parameters)} parameters ($1, $2, …), and {len(parameters)} are given"
            raise InvalidInput("the parameters do not fit the statement", details=[Detail("/parameters", text)], hint="Give one for each.")
        known = len(session.types)
        elements = _elements(session, (*prepared.parameters, *(column.type for column in prepared.columns)))
        if len(session.types) != known:
            session.prepare(statement)  # the question ended what was prepared: a simple query does
        values = [
            _encoded(place, value, oid, elements(oid))
            for place, (value, oid) in enumerate(zip(parameters, prepared.parameters, strict=True))
        ]
        found: Collected[Row] = Collected(most)
        for row in session.execute(values):
            found.add(row, sum(len(value) for value in row if value is not None), len(row))
            if found.full and not drains:
                break
        return _read(found, prepared.columns, session.affected, elements)


def _read(found: Collected[Row], described: Sequence[Column], affected: int, elements: Callable[[int], int | None]) -> Rows:
    names = unique_names([column.name for column in described])
    rows = tuple(
        {name: decoded(raw, column.type, elements(column.type)) for name, column, raw in zip(names, described, row, strict=True)}
        for row in found.rows
    )
    return Rows(tuple(names), rows, affected, found.full)


def _elements(session: Session, oids: Sequence[int]) -> Callable[[int], int | None]:
    """Return a function that tells the type of an array's elements; the server is asked for types that are not built in, once."""
    unknown = [oid for oid in {*oids} if oid >= BUILT_IN and oid not in session.types]
    if unknown:
        asked = ",".join(str(oid) for oid in unknown)
        rows = session.run(f"SELECT oid, typcategory, typelem FROM pg_catalog.pg_type WHERE oid IN ({asked})")
        for row in rows:
            oid, category, element = (value.decode() if value is not None else "" for value in row)
            session.types[int(oid)] = (category, int(element or 0))

    def of(oid: int) -> int | None:
        category, element = session.types.get(oid, ("", 0))
        return ARRAYS.get(oid) or (element if category == "A" else None)

    return of


def _encoded(place: int, value: Any, oid: int, elements: int | None) -> bytes | None:
    try:
        return encoded(value, oid, elements)
    except Unfit as unfit:
        raise bad_parameter(place, str(unfit)) from None


def _texts(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple((row[0] or b"").decode() for row in rows)
