"""One connection to a server, signed in. PyMySQL speaks the protocol; the socket under it is ours, and every wait ends at the deadline."""

from __future__ import annotations

import ssl
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from pymysql.connections import Connection
from pymysql.err import Error

from jackfield.connector import Deadline, Guard, Sent
from jackfield.connector.servers import DISABLE, VERIFY, Address, broken, no_tls
from jackfield.connector.timed_socket import SocketSession, TimedSocket
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield_mysql.faults import Refusal, refused
from jackfield_mysql.values import READERS

_FAILURES = (Error, OSError, RuntimeError, AssertionError, LookupError, ValueError, struct.error)
"""Errors of PyMySQL's own, and those with which it stops at bytes that are no answer."""
_CLIENT_ERRORS = range(2000, 3000)
"""Error numbers that clients give (MySQL's documentation, "Client Error Message Reference")."""
_NO_TLS = "SSL is required"
_RESET = 0x1F
"""COM_RESET_CONNECTION: variables, transactions, locks and temporary tables of the call before are gone."""
Row = tuple[Any, ...]
_SHOWS_PASSWORD = ("mysql_clear_password", "dialog", "sha256_password")
"""Logins for which the password itself is sent: only to a server that was verified."""


@dataclass(frozen=True, slots=True, repr=False)
class Login(SecretHolder):
    """User, password and database."""

    username: str
    password: str = field(repr=False)
    database: str


class _Refuse:
    """Login that shows the password to a server that was not verified."""

    def __init__(self, _connection: Any) -> None:
        pass

    def authenticate(self, _packet: Any) -> None:
        """Refuse it.

        :raises Refusal: always.
        """
        raise Refusal(1251, "it asks for the password itself, which only a server with a checked certificate gets (tls: verify)")


class _Tls:
    """PyMySQL's TLS context: it encrypts our socket in place."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, sock: TimedSocket, server_hostname: str) -> TimedSocket:
        """Begin TLS."""
        sock.encrypt(self._context, server_hostname)
        return sock


class _Link(Connection):
    """PyMySQL's connection, over a socket that is open already."""

    def __init__(self, address: Address, login: Login) -> None:
        verified, trust = address.tls == VERIFY, address.trust()
        super().__init__(
            host=address.hostname, port=address.port, user=login.username, password=login.password.encode(), database=login.database,
            charset="utf8mb4", conv=dict(READERS), autocommit=None, defer_connect=True, program_name="jackfield",
            auth_plugin_map={} if verified else dict.fromkeys(_SHOWS_PASSWORD, _Refuse),
            ssl_disabled=address.tls == DISABLE, ssl=trust,
        )  # fmt: skip
        self.ctx: Any = None if address.tls == DISABLE else _Tls(trust)
        self._verified = verified

    _auth_plugin_name: str

    def _get_server_information(self) -> None:
        super()._get_server_information()
        if not self._verified and self._auth_plugin_name in _SHOWS_PASSWORD:
            self._auth_plugin_name = "mysql_native_password"  # it would send the password at once; so the server has to ask for it


class Session(SocketSession):
    """Connection to one server. ``warnings`` are those of the last statement."""

    def __init__(self, address: Address, login: Login, guard: Guard, deadline: Deadline) -> None:
        self._place = address.place
        self._link = _Link(address, login)
        self._sock = address.reach(guard, deadline, encrypted=False)
        self.warnings = 0
        self.affected = 0
        self.last_id = 0

    @property
    def worn(self) -> bool:
        """True if it is closed."""
        return not self._link.open

    @property
    def is_mariadb(self) -> bool:
        """True for MariaDB, whose variables have other names."""
        return "mariadb" in str(self._link.server_version).lower()

    def sign_in(self) -> None:
        """Encrypt and sign in.

        :raises JackfieldError: if the server refuses the login, or is lost.
        """
        try:
            with self._failing(Sent.NOTHING):
                self._link.connect(self._sock)
        except Refusal as refusal:
            raise refused(refusal) from None

    def reset(self) -> None:
        """Forget what the call before has left: variables, locks, temporary tables.

        :raises JackfieldError: if the connection has ended.
        """
        with self._failing(Sent.NOTHING):
            self._link._execute_command(_RESET, "")
            self._link._read_ok_packet()

    def run(self, statement: str, sent: Sent = Sent.NOTHING) -> list[Row]:
        """Run a statement of our own, and return its rows. ``sent`` is what a lost answer means.

        :raises Refusal: if the server refuses it; JackfieldError if the connection ends or the deadline passes.
        """
        rows: list[Row] = []
        self.execute(statement, sent, rows.append)
        return rows

    def execute(self, statement: str, sent: Sent, keep: Callable[[Row], bool | None]) -> tuple[str, ...]:
        """Run a statement, and return the names of its columns. Its rows go to ``keep`` as they arrive, which returns True once it wants no
        more of them: the session is closed then. Of several results, the first one with columns counts.

        :raises Refusal: as ``run`` does.
        """
        with self._failing(sent):
            self._link.query(statement, unbuffered=True)
            result = self._link._result
            self.affected, self.last_id, self.warnings = result.affected_rows, result.insert_id or 0, result.warning_count
            names: tuple[str, ...] = ()
            while True:
                counts = not names and result.description is not None
                if counts:
                    names, self.affected = tuple(column[0] for column in result.description), 0
                while result.unbuffered_active and (row := result._read_rowdata_packet_unbuffered()) is not None:
                    self.affected += counts
                    if counts and keep(row):
                        self.close()
                        return names
                if not result.has_next:
                    return names
                self._link.next_result(unbuffered=True)
                result = self._link._result

    def close(self) -> None:
        """Close it."""
        if self._link._result is not None:
            self._link._result.unbuffered_active = False  # it would read the rest of its rows when it is deleted
        self._link._force_close()  # ``close`` says goodbye first, which may wait
        self._sock.close()

    def leave(self) -> None:
        """Tell the server that the session ends, and close it."""
        if self._link.open:
            self._link.close()
        self.close()

    @contextmanager
    def _failing(self, sent: Sent) -> Iterator[None]:
        """Convert PyMySQL's errors: those that a server sends are refusals, after all others the connection is of no use."""
        try:
            yield
        except _FAILURES as error:
            number, text = (*error.args, 0, "")[:2]
            if isinstance(error, Error) and isinstance(number, int) and number and number not in _CLIENT_ERRORS:
                raise Refusal(number, str(text)) from None
            self.close()
            if _NO_TLS in str(text):
                raise no_tls("the server does not speak it", self._place) from None
            raise broken(self._sock, self._place, sent) from None


def connect(address: Address, login: Login, guard: Guard, deadline: Deadline) -> Session:
    """Open a session, signed in, to an address that the guard has checked.

    :raises JackfieldError: if the server is not reached or refuses the login.
    """
    session = Session(address, login, guard, deadline)
    with OnFailure(session.close):
        session.sign_in()
    return session
