"""One connection to a server, signed in: every wait ends at the deadline of the call that it serves.

libpq is driven without blocking (its documentation, "Asynchronous Command Processing"): a statement's time-out is the server's to keep, and
a server that is silent keeps none.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator, Sequence

from psycopg import OperationalError, pq

from jackfield.connector import Deadline, current_call
from jackfield.kernel.dataclass import dataclass
from jackfield_postgresql.faults import Lost, Refusal

_LOOK_SECONDS = 0.25
"""How often a wait looks whether the caller has left."""
_ROW, _TUPLES, _DONE = pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK
_READY = (pq.PollingStatus.OK, pq.PollingStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Column:
    """Column of a result: its name, and the OID of its type."""

    name: str
    type: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """Statement that the server has parsed: the types of its parameters, by their OIDs, and the columns of its rows."""

    parameters: tuple[int, ...]
    columns: tuple[Column, ...]


Row = tuple[bytes | None, ...]


class Session:
    """Connection to one server. ``deadline`` is that of the current attempt."""

    def __init__(self, settings: bytes, deadline: Deadline) -> None:
        self.deadline = deadline
        self.obeys = True
        """True if a wait ends when the caller leaves: not while an outcome is asked for."""
        self.affected = 0
        """Rows that the last statement has changed or found."""
        self.types: dict[int, tuple[str, int]] = {}
        """Category and type of elements of types that are not built in, by OID; kept by those who look them up."""
        self._connection = pq.PGconn.connect_start(settings)
        self._connection.notice_handler = _ignore

    @property
    def worn(self) -> bool:
        """True if it is closed, or in the midst of something."""
        return self._connection.status != pq.ConnStatus.OK or self._connection.transaction_status != pq.TransactionStatus.IDLE

    @property
    def in_transaction(self) -> bool:
        """True within a transaction that has not failed."""
        return self._connection.transaction_status == pq.TransactionStatus.INTRANS

    @property
    def is_quiet(self) -> bool:
        """True if nothing has arrived since the last statement: a server that has closed the connection says so."""
        return not select.select([self._connection.socket], [], [], 0)[0]

    def sign_in(self) -> None:
        """Connect, encrypt and sign in.

        :raises Refusal: if the server refuses the login; ``Lost`` if it is not reached; TimeoutError at the deadline.
        """
        connection = self._connection
        if connection.status == pq.ConnStatus.BAD:
            raise self._failed()
        state = int(pq.PollingStatus.WRITING)
        while state not in _READY:
            self._wait(write=state == pq.PollingStatus.WRITING)
            state = connection.connect_poll()
        if state == pq.PollingStatus.FAILED:
            raise self._failed()
        connection.nonblocking = 1

    def run(self, statements: str) -> list[Row]:
        """Run statements of our own, without parameters; return the rows of all of them.

        :raises Refusal: if the server refuses one; ``Lost`` if the connection ends; TimeoutError at the deadline.
        """
        self._do(lambda: self._connection.send_query(statements.encode()))
        return [*self._rows()]

    def prepare(self, statement: str) -> Prepared:
        """Let the server parse a statement, and return what it says of its parameters and columns.

        :raises Refusal: as ``run`` does.
        """
        self._do(lambda: self._connection.send_prepare(b"", statement.encode()))
        self._drain()
        self._do(lambda: self._connection.send_describe_prepared(b""))
        found = self._drain()
        if found is None:
            return Prepared((), ())
        columns = (Column((found.fname(place) or b"").decode("utf-8", "replace"), found.ftype(place)) for place in range(found.nfields))
        return Prepared(tuple(found.param_type(place) for place in range(found.nparams)), tuple(columns))

    def execute(self, parameters: Sequence[bytes | None]) -> Iterator[Row]:
        """Execute what was prepared last, and yield its rows as they arrive.

        :raises Refusal: as ``run`` does.
        """
        self._do(lambda: self._connection.send_query_prepared(b"", parameters))
        self._connection.set_single_row_mode()
        return self._rows()

    def leave(self) -> None:
        """Tell the server that the session ends, and close it."""
        self._connection.finish()

    close = leave

    def _do(self, send: Callable[[], None]) -> None:
        self._wrapped(send)
        while self._wrapped(self._connection.flush):
            self._wait(write=True)
            self._wrapped(self._connection.consume_input)

    def _rows(self) -> Iterator[Row]:
        while (result := self._result()) is not None:
            if result.status not in (_ROW, _TUPLES, _DONE):
                self._drain_after(result)
            self.affected = result.command_tuples or 0
            for row in range(result.ntuples):
                yield tuple(result.get_value(row, place) for place in range(result.nfields))

    def _drain(self) -> pq.abc.PGresult | None:
        """Read the results of a statement to their end; return the first."""
        first: pq.abc.PGresult | None = None
        while (result := self._result()) is not None:
            if result.status not in (_TUPLES, _DONE):
                self._drain_after(result)
            first = first or result
        return first

    def _drain_after(self, refused: pq.abc.PGresult) -> None:
        """Read what follows a refusal, so that the connection can be used again, and raise it."""
        if refused.status != pq.ExecStatus.FATAL_ERROR:  # COPY: the server waits for data
            raise Refusal("0A000", "COPY is not supported", "")
        fields = (pq.DiagnosticField.SQLSTATE, pq.DiagnosticField.MESSAGE_PRIMARY, pq.DiagnosticField.MESSAGE_HINT)
        state, message, hint = ((refused.error_field(one) or b"").decode("utf-8", "replace") for one in fields)
        position = (refused.error_field(pq.DiagnosticField.STATEMENT_POSITION) or b"").decode()
        if self._connection.status != pq.ConnStatus.OK and not state:
            raise Lost(message or self._said())
        while self._connection.status == pq.ConnStatus.OK and self._result() is not None:
            pass
        raise Refusal(state, message or self._said(), hint, int(position) if position.isdigit() else None)

    def _result(self) -> pq.abc.PGresult | None:
        connection = self._connection
        while connection.is_busy():
            self._wait()
            self._wrapped(connection.consume_input)
        return connection.get_result()

    def _wrapped(self, step: Callable[[], int | None]) -> int | None:
        """Take a step of libpq. It fails only where the connection does."""
        try:
            return step()
        except OperationalError as error:
            if self._connection.status == pq.ConnStatus.OK and (found := self._connection.get_result()) is not None:
                self._drain_after(found)  # the reason that the server gave before it closed the connection
            raise Lost(str(error)) from None

    def _wait(self, *, write: bool = False) -> None:
        while True:
            left = self.deadline.remaining()
            if left <= 0:
                raise TimeoutError
            if self.obeys and (call := current_call()) is not None and call.cancelled.is_set():
                call.check()
            file = self._connection.socket
            ready = select.select([] if write else [file], [file] if write else [], [], min(left, _LOOK_SECONDS))
            if any(ready):
                return

    def _failed(self) -> Lost | Refusal:
        """Return why no connection was made. libpq has no SQLSTATE for it, so the server's words say what it refused."""
        said = self._said()
        return Refusal.of_login(said) or Lost(said)

    def _said(self) -> str:
        return self._connection.get_error_message("utf-8").strip()


def _ignore(_result: object) -> None:
    """Take a notice of the server's, which would go to the standard error otherwise."""


def numeric(address: Sequence[object]) -> str:
    """Return the address that ``Guard.resolve`` has checked, for ``hostaddr``."""
    host = str(address[0])
    scope = address[3] if len(address) == 4 and address[3] else None
    return f"{host}%{socket.if_indextoname(int(str(scope)))}" if scope and "%" not in host else host
