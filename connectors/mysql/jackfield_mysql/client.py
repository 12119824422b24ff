"""Open client of a connection: transactions that read, and transactions that change, each of one
statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jackfield.connector import JackfieldError, Sent
from jackfield.connector.sessions import Refusal, SessionClient
from jackfield.kernel.dataclass import dataclass
from jackfield_mysql.faults import ENDS, MEANINGS, refused
from jackfield_mysql.reading import check_reads, check_stays
from jackfield_mysql.session import Row, Session
from jackfield_mysql.values import json_value, literal, size_of, text_literal
from jackfield_sql.rows import MOST_ROWS, Collected, Rows, unique_names
from jackfield_sql.statements import Unfit, bad_parameter, check_statement

_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""Strict SQL mode, the default of both servers: a value that does not fit is refused instead of
changed.
"""
_NOT_ROLLED_BACK = 1196
"""Warning ER_WARNING_NOT_COMPLETE_ROLLBACK: the rollback did not undo changes to a
non-transactional table.
"""
_KEPT = "; what it changed in tables that know no transactions stays"
_AHEAD = 0.1
"""Share of the remaining time, at most ``_MOST_AHEAD`` seconds, by which the server's time limit
lies before the deadline.
"""
_MOST_AHEAD = 0.5


@dataclass(frozen=True, slots=True)
class Committed:
    """Outcome of a committed statement, and the first ID that it generated (0 for none)."""

    rows: Rows
    last_id: int


class MysqlClient(SessionClient[Session]):
    """Client that runs statements over a pool's sessions."""

    __slots__ = ()
    meanings = MEANINGS

    def read(self, statement: str, parameters: Sequence[Any] = (), most: int = MOST_ROWS) -> Rows:
        """Run a statement in a transaction that cannot change data; return at most ``most`` rows.

        :raises JackfieldError: if the server refuses the statement or is not reached; nothing was
            changed.
        """
        check_statement(statement)
        check_reads(statement)
        variables = _variables(statement, parameters)

        def run(session: Session) -> Rows:
            _begin(session, "READ ONLY")
            found = _run(session, variables, len(parameters), most, drains=False)
            if not session.worn:
                session.run("ROLLBACK")
            return found

        return self.used("read", run, safe=True)

    def change(
        self, statement: str, parameters: Sequence[Any] = (), most: int = MOST_ROWS
    ) -> Committed:
        """Run a statement in a transaction of its own, and commit it.

        :raises JackfieldError: with ``sent`` unknown if the answer to the statement or its commit
            is lost. Tables without transactions change before the commit, and no server reports on
            a commit afterwards.
        """
        check_statement(statement)
        check_stays(statement)
        variables = _variables(statement, parameters)

        def run(session: Session) -> Committed:
            _begin(session, "READ WRITE")
            changed = Committed(
                _run(session, variables, len(parameters), most, drains=True), session.last_id
            )
            _commit(session)
            return changed

        return self.used("statement", run, safe=False, obeys=True)

    def refused(self, refusal: Refusal, session: Session) -> JackfieldError:
        """Roll back a refused statement and return its error. ``sent`` is unknown if some changes
        remain, or if the rollback's outcome is unknown.
        """
        try:
            with session.reading(Sent.UNKNOWN):
                session.run("ROLLBACK", Sent.UNKNOWN)
                left = session.warnings and any(
                    row[1] == _NOT_ROLLED_BACK for row in session.run("SHOW WARNINGS", Sent.UNKNOWN)
                )
        except (Refusal, JackfieldError):
            session.close()
            return refused(refusal, Sent.UNKNOWN)
        refusal.more = _KEPT if left else ""
        return refused(refusal, Sent.UNKNOWN if left else Sent.REFUSED)


def _begin(session: Session, mode: str) -> None:
    """Begin a transaction whose statements end shortly before the deadline.

    :raises JackfieldError: if the server refuses it; nothing was done.
    """
    left = session.deadline.remaining()
    left = max(0.001, left - min(left * _AHEAD, _MOST_AHEAD))
    limit = (
        f"max_statement_time = {left:.3f}"
        if session.is_mariadb
        else f"max_execution_time = {int(left * 1000) or 1}"
    )
    try:
        session.run(f"SET NAMES utf8mb4, time_zone = '+00:00', sql_mode = '{_MODE}', {limit}")
        session.run(f"START TRANSACTION {mode}")
    except Refusal as refusal:
        raise refused(refusal) from None


def _variables(statement: str, parameters: Sequence[Any]) -> str:
    """Return the SET statement that stores the caller's statement and parameters in user variables.

    :raises InvalidInput: if a parameter cannot be sent.
    """
    found = [f"@jackfield = {text_literal(statement)}"]
    for place, value in enumerate(parameters):
        try:
            found.append(f"@jackfield{place} = {literal(value)}")
        except Unfit as unfit:
            raise bad_parameter(place, unfit) from None
    return f"SET {', '.join(found)}"


def _run(session: Session, variables: str, count: int, most: int, *, drains: bool) -> Rows:
    """Let the server prepare and execute the caller's statement. Its parser distinguishes
    placeholders from strings and refuses a second statement.
    """
    session.run(variables)
    session.run("PREPARE jackfield FROM @jackfield")
    using = f" USING {', '.join(f'@jackfield{place}' for place in range(count))}" if count else ""
    session.obeys = not drains
    found: Collected[Row] = Collected(most)

    def keep(row: Row) -> bool:
        found.add(row, sum(size_of(value) for value in row), len(row))
        return found.full and not drains

    sent = Sent.UNKNOWN if drains else Sent.NOTHING
    names = session.execute(f"EXECUTE jackfield{using}", sent, keep)
    with session.reading(sent):
        columns = unique_names(names)
        rows = tuple(dict(zip(columns, map(json_value, row), strict=True)) for row in found.rows)
    return Rows(tuple(columns), rows, session.affected, found.full)


def _commit(session: Session) -> None:
    """Commit.

    :raises JackfieldError: with ``sent`` unknown if the answer is lost.
    """
    try:
        session.commit()
    except Refusal as refusal:
        raise refused(refusal, Sent.UNKNOWN if refusal.code in ENDS else Sent.REFUSED) from None
