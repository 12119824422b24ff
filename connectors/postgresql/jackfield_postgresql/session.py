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
from jackfield.connector.timed_socket import TooMuchError
from jackfield.kernel.dataclass import dataclass
from jackfield_postgresql.faults import Flooded, Lost, Refusal
from jackfield_postgresql.relay import Relay, is_connected

_LOOK_SECONDS = 0.25
"""How often a wait looks whether the caller has left."""
_ROW, _TUPLES, _DONE = pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK
_UNTAKEN: dict[int, tuple[str, str]] = {
    pq.ExecStatus.EMPTY_QUERY: ("42601", "the statement is empty"),
    **dict.fromkeys((pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH), ("0A000", "COPY is not supported")),
}
"""Refusals of statements of which there is no answer; of COPY, the server waits for data."""
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
        self._deadline = deadline
        self._relay: Relay | None = None
        self.obeys = True
        """True if a wait ends when the caller leaves: not while an outcome is asked for."""
        self.login_sent = False
        """True from the login to a clear answer."""
        self.affected = 0
        """Rows that the last statement has changed or found."""
        self._tag: bytes | None = None
        self.types: dict[int, tuple[str, int]] = {}
        """Category and type of elements of types that are not built in, by OID; kept by those who look them up."""
        self._connection = pq.PGconn.connect_start(settings)
        self._connection.notice_handler = _ignore

    @property
    def deadline(self) -> Deadline:
        """Deadline of the current attempt."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._deadline = deadline
        if self._relay is not None:
            self._relay.renew()

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
        return self._relay is not None and self._relay.is_quiet

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
            if connection.status == pq.ConnStatus.STARTED and is_connected(connection.socket):
                self._part()
                self._relay = Relay(connection.socket)
            state = connection.connect_poll()
            self.login_sent = connection.used_password and connection.status != pq.ConnStatus.AUTH_OK
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
        return self._rows(theirs=True)

    def commit(self) -> None:
        """Commit. The server's tag is the confirmation: of a transaction that has failed, the same command says ROLLBACK.

        :raises Refusal: if the server has rolled the transaction back; ValueError if it says something else; otherwise as ``run`` does.
        """
        tag = self._tagged("COMMIT")
        if tag == b"ROLLBACK":
            raise Refusal("40000", "the server has rolled the transaction back", "")
        if tag != b"COMMIT" or self.worn:
            raise ValueError(tag)

    def _tagged(self, statements: str) -> bytes | None:
        self.run(statements)
        return self._tag

    def leave(self) -> None:
        """Tell the server that the session ends, and close it."""
        self._connection.finish()
        self._part()

    close = leave

    def _part(self) -> None:
        """Close the way to the server."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None

    def _do(self, send: Callable[[], None]) -> None:
        self._wrapped(send)
        while self._wrapped(self._connection.flush):
            self._wait(write=True)
            self._wrapped(self._connection.consume_input)

    def _rows(self, *, theirs: bool = False) -> Iterator[Row]:
        self._tag = None
        while (result := self._result()) is not None:
            if theirs and (untaken := _UNTAKEN.get(result.status)):
                raise Refusal(*untaken, "")
            if result.status not in (_ROW, _TUPLES, _DONE):
                self._drain_after(result)
            self.affected, self._tag = result.command_tuples or 0, result.command_status
            for row in range(result.ntuples):
                yield tuple(result.get_value(row, place) for place in range(result.nfields))
        if not self._tag:
            raise ValueError(self._tag)  # the server has not said what it has done

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
        if refused.status != pq.ExecStatus.FATAL_ERROR:
            raise ValueError(refused.status)
        fields = (pq.DiagnosticField.SQLSTATE, pq.DiagnosticField.MESSAGE_PRIMARY, pq.DiagnosticField.MESSAGE_HINT)
        state, message, hint = ((refused.error_field(one) or b"").decode("utf-8", "replace") for one in fields)
        position = (refused.error_field(pq.DiagnosticField.STATEMENT_POSITION) or b"").decode()
        if self._connection.status != pq.ConnStatus.OK and not state:
            raise Lost(message or self._said())
        while self._connection.status == pq.ConnStatus.OK and self._result() is not None:
            pass
        if not state:
            raise ValueError(
                message
            )  # the error is libpq's: what the server says is no answer, whether or not it has done what it was told
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
            try:
                if self._is_ready(min(left, _LOOK_SECONDS), write=write):
                    return
            except TooMuchError as error:
                raise Flooded(str(error)) from None

    def _is_ready(self, seconds: float, *, write: bool) -> bool:
        if self._relay is not None:
            return self._relay.wait(seconds, write=write)
        poll = select.poll()
        poll.register(self._connection.socket, select.POLLOUT if write else select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _failed(self) -> Lost | Refusal:
        """Return why no connection was made. libpq has no SQLSTATE for it, so the server's words say what it refused."""
        said = self._said()
        refusal = Refusal.of_login(said)
        self.login_sent = self.login_sent and refusal is None
        return refusal or Lost(said)

    def _said(self) -> str:
        return self._connection.get_error_message("utf-8").strip()


def _ignore(_result: object) -> None:
    """Take a notice of the server's, which would go to the standard error otherwise."""


def numeric(address: Sequence[object]) -> str:
    """Return the address that ``Guard.resolve`` has checked, for ``hostaddr``."""
    host = str(address[0])
    scope = address[3] if len(address) == 4 and address[3] else None
    return f"{host}%{socket.if_indextoname(int(str(scope)))}" if scope and "%" not in host else host
