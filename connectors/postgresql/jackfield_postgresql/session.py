"""One connection to a server, signed in: every wait ends at the deadline of its current call.

libpq is driven without blocking (its documentation, "Asynchronous Command Processing"). The server
enforces a statement's time-out, but a server that stops answering would not.
"""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack

from psycopg import OperationalError, pq

from jackfield.connector import Deadline, Guard, Sent, current_call
from jackfield.connector.servers import Address, LibraryConnection
from jackfield.connector.sessions import Login, Refusal, ServerSession
from jackfield.connector.timed_socket import TooMuchError
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.failures import OnFailure
from jackfield_postgresql.conninfo import authority_file, settings
from jackfield_postgresql.faults import refusal_of, refused_login
from jackfield_postgresql.relay import Relay, is_connected

_LOOK_SECONDS = 0.25
"""Seconds between a wait's checks for a cancelled call."""
_ROW, _TUPLES, _DONE = pq.ExecStatus.SINGLE_TUPLE, pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK
_UNTAKEN: dict[int, tuple[str, str]] = {
    pq.ExecStatus.EMPTY_QUERY: ("42601", "the statement is empty"),
    **dict.fromkeys(
        (pq.ExecStatus.COPY_IN, pq.ExecStatus.COPY_OUT, pq.ExecStatus.COPY_BOTH),
        ("0A000", "COPY is not supported"),
    ),
}
"""Refusals of statements without a normal answer: after COPY, the server would wait for data."""
_READY = (pq.PollingStatus.OK, pq.PollingStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Column:
    """Column of a result: its name, and the OID of its type."""

    name: str
    type: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """Statement that the server has parsed: the types of its parameters, by their OIDs, and the
    columns of its rows.
    """

    parameters: tuple[int, ...]
    columns: tuple[Column, ...]


Row = tuple[bytes | None, ...]


class Session(ServerSession):
    """Connection to one server. Callers of ``run``, ``prepare`` and ``execute`` use them within
    ``reading``.
    """

    obeys = True
    login_sent = False
    failure: OSError | None = None
    ended = False
    _relay: Relay | None = None

    def __init__(self, address: Address, login: Login, guard: Guard, deadline: Deadline) -> None:
        self.address, self._deadline = address, deadline
        self.affected = 0
        """Rows that the last statement has changed or found."""
        self._tag: bytes | None = None
        self.types: dict[int, tuple[str, int]] = {}
        """Category and type of elements of types that are not built in, by OID; filled by the code
        that looks them up.
        """
        self._files = ExitStack()
        with self.reading(Sent.NOTHING), OnFailure(self._files.close):
            authority = self._files.enter_context(authority_file(address))
            self._connection = pq.PGconn.connect_start(settings(address, login, guard, authority))
        self._connection.notice_handler = _ignore

    @property
    def wire(self) -> LibraryConnection:
        """The session itself: libpq has no other wire."""
        return self

    @property
    def deadline(self) -> Deadline:
        """Deadline of the current attempt."""
        return self._deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._deadline, self.obeys = deadline, True
        if self._relay is not None:
            self._relay.renew()

    @property
    def worn(self) -> bool:
        """True if the session is closed, or in the middle of a command or transaction."""
        return (
            self._connection.status != pq.ConnStatus.OK
            or self._connection.transaction_status != pq.TransactionStatus.IDLE
        )

    @property
    def in_transaction(self) -> bool:
        """True within a transaction that has not failed."""
        return self._connection.transaction_status == pq.TransactionStatus.INTRANS

    @property
    def is_quiet(self) -> bool:
        """True if nothing has arrived since the last statement, not even the end of the
        connection.
        """
        return self._relay is not None and self._relay.is_quiet

    def sign_in(self) -> None:
        """Connect, encrypt and sign in.

        :raises Refusal: if the server refuses the login; JackfieldError if it is not reached.
        """
        with self.reading(Sent.NOTHING), self._files:
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
                self.login_sent = (
                    connection.used_password and connection.status != pq.ConnStatus.AUTH_OK
                )
            if state == pq.PollingStatus.FAILED:
                raise self._failed()
            connection.nonblocking = 1

    def run(self, statements: str) -> list[Row]:
        """Run one or more of jackfield's own statements, without parameters; return all their rows.

        :raises Refusal: if the server refuses a statement; OSError if the connection ends, or at
            the deadline.
        """
        self._do(lambda: self._connection.send_query(statements.encode()))
        return [*self._rows()]

    def prepare(self, statement: str) -> Prepared:
        """Let the server parse a statement; return its parameters' types and its columns.

        :raises Refusal: as ``run`` does.
        """
        self._do(lambda: self._connection.send_prepare(b"", statement.encode()))
        self._drain()
        self._do(lambda: self._connection.send_describe_prepared(b""))
        found = self._drain()
        if found is None:
            return Prepared((), ())
        columns = (
            Column((found.fname(place) or b"").decode("utf-8", "replace"), found.ftype(place))
            for place in range(found.nfields)
        )
        return Prepared(
            tuple(found.param_type(place) for place in range(found.nparams)), tuple(columns)
        )

    def execute(self, parameters: Sequence[bytes | None]) -> Iterator[Row]:
        """Execute the last prepared statement and yield its rows as they arrive.

        :raises Refusal: as ``run`` does.
        """
        self._do(lambda: self._connection.send_query_prepared(b"", parameters))
        self._connection.set_single_row_mode()
        return self._rows(theirs=True)

    def commit(self) -> None:
        """Commit, and check the server's command tag: after a failed transaction, COMMIT answers
        ROLLBACK.

        :raises Refusal: if the server has rolled the transaction back; JackfieldError if it does
            not confirm the commit.
        """
        with self.reading(Sent.UNKNOWN):
            self.run("COMMIT")
            if self._tag == b"ROLLBACK":
                raise refusal_of("40000", "the server has rolled the transaction back")
            if self._tag != b"COMMIT" or self.worn:
                raise ValueError(self._tag)

    def close(self) -> None:
        """Tell the server that the session ends, and close it."""
        self._files.close()
        self._connection.finish()
        self._part()

    def _part(self) -> None:
        """Close the relay."""
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
                raise refusal_of(*untaken)
            if result.status not in (_ROW, _TUPLES, _DONE):
                self._drain_after(result)
            self.affected, self._tag = result.command_tuples or 0, result.command_status
            for row in range(result.ntuples):
                yield tuple(result.get_value(row, place) for place in range(result.nfields))
        if not self._tag:
            raise ValueError(self._tag)  # the server has not said what it has done

    def _drain(self) -> pq.abc.PGresult | None:
        """Read all results of a statement; return the first, or None if the statement has no
        result.
        """
        first: pq.abc.PGresult | None = None
        while (result := self._result()) is not None:
            if result.status not in (_TUPLES, _DONE):
                self._drain_after(result)
            first = first or result
        return first

    def _drain_after(self, refused: pq.abc.PGresult) -> None:
        """Read the remaining messages after a refusal, so that the connection stays usable, and
        raise the refusal.
        """
        if refused.status != pq.ExecStatus.FATAL_ERROR:
            raise ValueError(refused.status)
        fields = (
            pq.DiagnosticField.SQLSTATE,
            pq.DiagnosticField.MESSAGE_PRIMARY,
            pq.DiagnosticField.MESSAGE_HINT,
        )
        state, message, hint = (
            (refused.error_field(one) or b"").decode("utf-8", "replace") for one in fields
        )
        position = (refused.error_field(pq.DiagnosticField.STATEMENT_POSITION) or b"").decode()
        if self._connection.status != pq.ConnStatus.OK and not state:
            raise self._lost(message or self._error_text())
        while self._connection.status == pq.ConnStatus.OK and self._result() is not None:
            pass
        if not state:
            raise ValueError(
                message
                # the error is libpq's: what the server says is no answer, whether or not it has
                # done what it was told
            )
        raise refusal_of(state, message or self._error_text(), hint, position)

    def _result(self) -> pq.abc.PGresult | None:
        connection = self._connection
        while connection.is_busy():
            self._wait()
            self._wrapped(connection.consume_input)
        return connection.get_result()

    def _wrapped(self, step: Callable[[], int | None]) -> int | None:
        """Call a function of libpq; raise the connection's error if it fails."""
        try:
            return step()
        except OperationalError as error:
            if (
                self._connection.status == pq.ConnStatus.OK
                and (found := self._connection.get_result()) is not None
            ):
                # the reason that the server gave before it closed the connection
                self._drain_after(found)
            raise self._lost(str(error)) from None

    def _wait(self, *, write: bool = False) -> None:
        while True:
            left = self.deadline.remaining()
            if left <= 0:
                self.failure = TimeoutError("the deadline passed")
                raise self.failure
            if self.obeys and (call := current_call()) is not None and call.cancelled.is_set():
                call.check()
            try:
                if self._is_ready(min(left, _LOOK_SECONDS), write=write):
                    return
            except TooMuchError as error:
                self.failure = error
                raise

    def _is_ready(self, seconds: float, *, write: bool) -> bool:
        if self._relay is not None:
            return self._relay.wait(seconds, write=write)
        poll = select.poll()
        poll.register(self._connection.socket, select.POLLOUT if write else select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def _failed(self) -> OSError | Refusal:
        """Return the error of a failed connection attempt. libpq has no SQLSTATE for it, so the
        server's message decides.
        """
        said = self._error_text()
        refusal = refused_login(said)
        self.login_sent = self.login_sent and refusal is None
        return refusal or self._lost(said)

    def _lost(self, said: str) -> OSError:
        """Record in ``failure`` why the connection is unusable, from libpq's message, and return
        the error.
        """
        text = (said.strip().splitlines()[-1:] or ["it ended"])[0]
        self.failure = (
            ssl.SSLError(0, text)
            if "certificate" in said or "SSL" in said
            else ConnectionError(text)
        )
        return self.failure

    def _error_text(self) -> str:
        return self._connection.get_error_message("utf-8").strip()


def _ignore(_result: object) -> None:
    """Ignore a notice of the server, which libpq would otherwise print to standard error."""
