"""Open client of a connection: transactions that read, and transactions that change, each of one
statement.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from jackfield.connector import Deadline, Detail, InvalidInput, JackfieldError, Sent, Unavailable
from jackfield.connector.sessions import Refusal, SessionClient
from jackfield_postgresql.faults import ENDS, MEANINGS, refusal_of
from jackfield_postgresql.session import Column, Row, Session
from jackfield_postgresql.values import ARRAYS, BUILT_IN, decoded, encoded
from jackfield_sql.rows import MOST_ROWS, Collected, Rows, unique_names
from jackfield_sql.statements import Unfit, bad_parameter, check_statement

_SETTINGS = (
    "SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL IntervalStyle = 'iso_8601'; SET LOCAL TimeZone = "
    "'UTC'; SET LOCAL bytea_output = 'hex'; "
    "SET LOCAL extra_float_digits = 1; "
)
"""SQL for each transaction's settings: a pooler between jackfield and the server may drop settings
of a session.
"""
T = TypeVar("T")
_PAUSE_SECONDS = 0.2
"""Seconds between two queries for the state of a transaction."""


class PostgresClient(SessionClient[Session]):
    """Client that runs statements over a pool's sessions."""

    __slots__ = ()
    meanings = MEANINGS

    def read(self, statement: str, parameters: Sequence[Any] = (), most: int = MOST_ROWS) -> Rows:
        """Run a statement in a transaction that cannot change data; return at most ``most`` rows.

        :raises JackfieldError: if the server refuses the statement or is not reached; nothing was
            changed.
        """
        check_statement(statement)

        def run(session: Session, _first: str) -> Rows:
            found = self._run(session, statement, parameters, most, drains=False)
            if found.truncated:
                session.close()  # the rest of the rows is not worth reading
            else:
                session.run("ROLLBACK")
            return found

        # with a snapshot, it can no longer be made writable
        return self._in_transaction("read", "READ ONLY", "SELECT 1", run)

    def change(self, statement: str, parameters: Sequence[Any] = (), most: int = MOST_ROWS) -> Rows:
        """Run a statement in a transaction and commit it; return the rows of its RETURNING clause.

        If the answer to the commit is lost, a query over another connection finds the outcome of
        the transaction.

        :raises JackfieldError: with ``sent`` nothing before the commit; unknown if neither the
            commit nor the query for its outcome was answered.
        """
        check_statement(statement)

        def run(session: Session, transaction: str) -> Rows:
            found = self._run(session, statement, parameters, most, drains=True)
            if not session.in_transaction:
                raise refusal_of(
                    "25000", "the statement ends the transaction, which only the action may"
                )
            self.call.check()
            self._commit(session, transaction)
            return found

        return self._in_transaction("commit", "READ WRITE", "SELECT txid_current()", run)

    def _commit(self, session: Session, transaction: str) -> None:
        session.obeys = False
        try:
            session.commit()
        except Refusal as refusal:
            if refusal.code[:2] not in ENDS:
                raise MEANINGS.explain(refusal) from None
            self._settle(transaction, session.deadline, MEANINGS.explain(refusal, Sent.UNKNOWN))
        except JackfieldError as doubt:
            self._settle(transaction, session.deadline, doubt)

    def _settle(self, transaction: str, deadline: Deadline, doubt: JackfieldError) -> None:
        """Return normally if the transaction of an unanswered commit was committed.

        :raises JackfieldError: with ``sent`` nothing if it was rolled back; ``doubt`` if the server
            does not know the outcome or does not answer.
        """
        state = self._outcome(transaction, deadline)
        if state == "aborted":
            raise Unavailable(
                f"{doubt.message}; the server has rolled the transaction back",
                sent=Sent.NOTHING,
                hint=doubt.hint,
            )
        if state != "committed":
            raise doubt

    def _outcome(self, transaction: str, deadline: Deadline) -> str:
        """Return PostgreSQL's state of a transaction (``committed``, ``aborted``); empty if the
        server does not know it or does not answer in time.
        """
        state = ""
        try:
            while deadline.remaining() > 0:
                session = self._pool.fresh(deadline)
                session.obeys = False
                try:
                    with session.reading(Sent.UNKNOWN):
                        (state,) = _texts(session.run(f"SELECT txid_status({transaction})")) or (
                            "",
                        )
                finally:
                    session.close()
                if state != "in progress":
                    break
                deadline.clock.sleep(min(_PAUSE_SECONDS, deadline.remaining()))
        except (JackfieldError, Refusal):
            return ""
        return state

    def _in_transaction(
        self, step: str, mode: str, first: str, work: Callable[[Session, str], T]
    ) -> T:
        """Run ``work`` in a transaction, with the value of the query ``first``. Beginning it also
        checks whether an idle session is alive.
        """
        begun: list[str] = []

        def begin(session: Session) -> bool:
            limit = f"SET LOCAL statement_timeout = {max(1, int(self.call.remaining() * 1000))}; "
            with session.reading(Sent.NOTHING):
                begun[:] = _texts(session.run(f"BEGIN {mode}; {_SETTINGS}{limit}{first}"))
            return True

        def run(session: Session) -> T:
            with session.reading(Sent.NOTHING):
                if not session.in_transaction:
                    begin(session)
                return work(session, begun[0])

        return self.used(
            step,
            run,
            safe=mode == "READ ONLY",
            obeys=True,
            stands=lambda session: session.is_quiet and begin(session),
        )

    def refused(self, refusal: Refusal, session: Session) -> JackfieldError:
        """Roll back a refused transaction, and return the error. Nothing of the transaction takes
        effect.
        """
        session.obeys = False
        try:
            with session.reading(Sent.NOTHING):
                session.run("ROLLBACK")
        except (JackfieldError, Refusal):
            session.close()
        return MEANINGS.explain(refusal)

    def _run(
        self,
        session: Session,
        statement: str,
        parameters: Sequence[Any],
        most: int,
        *,
        drains: bool,
    ) -> Rows:
        prepared = session.prepare(statement)
        if len(prepared.parameters) != len(parameters):
            text = (
                f"the statement has {len(prepared.parameters)} parameters ($1, $2, …), and "
                f"{len(parameters)} are given"
            )
            raise InvalidInput(
                "the parameters do not fit the statement",
                details=[Detail("/parameters", text)],
                hint="Give one for each.",
            )
        known = len(session.types)
        elements = _elements(
            session, (*prepared.parameters, *(column.type for column in prepared.columns))
        )
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


def _read(
    found: Collected[Row],
    described: Sequence[Column],
    affected: int,
    elements: Callable[[int], int | None],
) -> Rows:
    names = unique_names([column.name for column in described])
    rows = tuple(
        {
            name: decoded(raw, column.type, elements(column.type))
            for name, column, raw in zip(names, described, row, strict=True)
        }
        for row in found.rows
    )
    return Rows(tuple(names), rows, affected, found.full)


def _elements(session: Session, oids: Sequence[int]) -> Callable[[int], int | None]:
    """Return a function from an array type to its element type, None for another type. Types that
    are not built in are read from the server once.
    """
    unknown = [oid for oid in {*oids} if oid >= BUILT_IN and oid not in session.types]
    if unknown:
        asked = ",".join(str(oid) for oid in unknown)
        rows = session.run(
            f"SELECT oid, typcategory, typelem FROM pg_catalog.pg_type WHERE oid IN ({asked})"
        )
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
        raise bad_parameter(place, unfit) from None


def _texts(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple((row[0] or b"").decode() for row in rows)
