"""One connection to a server, signed in. PyMySQL speaks the protocol over jackfield's own socket;
every wait ends at the deadline.
"""

# mypy: allow-subclassing-any
from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from pymysql._auth import scramble_caching_sha2
from pymysql.connections import Connection, MySQLResult
from pymysql.err import Error

from jackfield.connector import Deadline, Guard, Sent
from jackfield.connector.servers import DISABLE, VERIFY, Address, no_tls
from jackfield.connector.sessions import Login, Refusal, ServerSession
from jackfield.connector.timed_socket import TimedSocket
from jackfield_mysql.values import READERS

_CLIENT_ERRORS = range(2000, 3000)
"""Error numbers of client errors (MySQL's documentation, "Client Error Message Reference")."""
_NO_TLS = "SSL is required"
_MOST_COLUMNS = 4096
"""Maximum columns of a result, the servers' own limit (MySQL's documentation, "Column Count
Limits"). Each column becomes an object.
"""
_RESET = 0x1F
"""Command COM_RESET_CONNECTION, which discards variables, transactions, locks and temporary tables
of the previous call.
"""
Row = tuple[Any, ...]
_QUICK, _QUICK_DONE = "caching_sha2_password", b"\x01\x03"
_PROOFS = ("mysql_native_password", "client_ed25519")
"""Authentication plugins that prove knowledge of the password without sending it. An unverified
server gets only these and the fast path of ``caching_sha2_password``; every other plugin of PyMySQL
is refused.
"""
_UNNAMED = ""
"""Plugin name of a greeting that names none: PyMySQL answers it as it does
``mysql_native_password``.
"""


class _Refuse:
    """Authentication plugin that refuses: it may show the password to an unverified server."""

    def __init__(self, link: Any) -> None:
        self._link = link

    def authenticate(self, _packet: Any) -> Any:
        """Refuse the login.

        :raises Refusal: always.
        """
        raise Refusal(
            "1251",
            "it asks for the password itself, which only a server with a checked certificate "
            "gets (tls: verify)",
        )


class _Quick(_Refuse):
    """Fast path of ``caching_sha2_password``, which proves knowledge of the password. A server
    without a cached hash asks for the password.
    """

    def authenticate(self, packet: Any) -> Any:
        """Answer the server's challenge with the proof, and return the packet that ends the login.

        :raises Refusal: if the server asks for the password.
        """
        link = self._link
        if packet.is_auth_switch_request():
            link.salt = packet.read_all().removesuffix(b"\0")
            link.write_packet(scramble_caching_sha2(link.password, link.salt))
            packet = link._read_packet()
        if packet.is_ok_packet():
            return packet
        return link._read_packet() if packet._data == _QUICK_DONE else super().authenticate(packet)


class _Unverified(dict[str, type[_Refuse] | None]):
    """PyMySQL's authentication plugins by name, for an unverified server; None for plugins that
    PyMySQL implements safely.
    """

    def __init__(self) -> None:
        super().__init__({_QUICK: _Quick, **dict.fromkeys(_PROOFS)})

    # PyMySQL asks for bytes, and for text then
    def get(self, name: str | bytes, _default: Any = None) -> Any:
        """Return a plugin's class; ``_Refuse`` for an unknown name."""
        return dict.get(
            self, name.decode("ascii", "replace") if isinstance(name, bytes) else name, _Refuse
        )


class _Tls:
    """PyMySQL's TLS context, which encrypts jackfield's socket in place."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def wrap_socket(self, sock: TimedSocket, server_hostname: str) -> TimedSocket:
        """Begin TLS and return the socket."""
        sock.encrypt(self._context, server_hostname)
        return sock


class _Result(MySQLResult):
    """PyMySQL's result with a limit: without it, PyMySQL creates as many columns as the server
    announces.
    """

    def _get_descriptions(self) -> None:
        if not 0 < self.field_count <= _MOST_COLUMNS:
            raise ValueError(self.field_count)
        super()._get_descriptions()


class _Link(Connection):
    """PyMySQL's connection over an already open socket."""

    def __init__(self, address: Address, login: Login) -> None:
        verified, trust = address.tls == VERIFY, address.trust()
        super().__init__(
            host=address.hostname,
            port=address.port,
            user=login.username,
            password=login.password.encode(),
            database=login.database,
            charset="utf8mb4",
            conv=dict(READERS),
            autocommit=None,
            defer_connect=True,
            program_name="jackfield",
            auth_plugin_map={} if verified else _Unverified(),
            ssl_disabled=address.tls == DISABLE,
            ssl=trust,
        )
        self.ctx: Any = None if address.tls == DISABLE else _Tls(trust)
        self._verified = verified

    _auth_plugin_name: str

    def _read_query_result(self, unbuffered: bool = False) -> Any:
        self._result: Any = None
        result = _Result(self)
        (result.init_unbuffered_query if unbuffered else result.read)()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
        return result.affected_rows

    _asked = False

    @property
    def login_sent(self) -> bool:
        """True from sending the login until its final answer."""
        return self._asked and (self.ctx is None or self._secure)

    def _get_server_information(self) -> None:
        super()._get_server_information()
        if not self._verified and self._auth_plugin_name not in {_QUICK, *_PROOFS}:
            # it may send the password at once; so the server has to ask for it, or for another
            # login
            self._auth_plugin_name = _UNNAMED

    def _request_authentication(self) -> None:
        self._asked = True
        super()._request_authentication()
        self._asked = False


class Session(ServerSession):
    """Connection to one server, signed in. ``warnings`` is the number of the last statement's
    warnings.
    """

    def __init__(self, address: Address, login: Login, guard: Guard, deadline: Deadline) -> None:
        self._link = _Link(address, login)
        super().__init__(address, guard, deadline, encrypted=False)
        self.warnings = 0
        self.affected = 0
        self.last_id = 0

    @property
    def worn(self) -> bool:
        """True if the session is closed."""
        return not self._link.open

    @property
    def is_mariadb(self) -> bool:
        """True for MariaDB, whose time limit is another variable."""
        return "mariadb" in str(self._link.server_version).lower()

    @property
    def login_sent(self) -> bool:
        """True from sending the login until its final answer."""
        return self._link.login_sent

    def sign_in(self) -> None:
        """Encrypt and sign in.

        :raises Refusal: if the server refuses the login; JackfieldError if the connection ends.
        """
        with self.reading(Sent.NOTHING):
            self._link.connect(self._sock)

    def stands(self) -> bool:
        """Reset the server's state of the session (variables, locks, temporary tables) and return
        True; return False if unexpected bytes have arrived.
        """
        if not self.is_quiet:
            return False
        with self.reading(Sent.NOTHING):
            self._link._execute_command(_RESET, "")
            self._link._read_ok_packet()
        return True

    def refusal(self, error: Exception) -> Refusal | None:
        """Return the server's refusal in an error of PyMySQL; None if the error makes the session
        unusable.

        :raises JackfieldError: if the server does not support TLS.
        """
        if not isinstance(error, Error):
            return None
        number, text = (*error.args, 0, "")[:2]
        if isinstance(number, int) and number and number not in _CLIENT_ERRORS:
            return Refusal(str(number), str(text))
        if _NO_TLS in str(text):
            raise no_tls("the server does not speak it", self.address.place)
        return None

    def run(self, statement: str, sent: Sent = Sent.NOTHING) -> list[Row]:
        """Run one of jackfield's own statements and return its rows. ``sent`` is the state of the
        request if the answer is lost.

        :raises Refusal: if the server refuses it; JackfieldError if the connection ends or the
            deadline passes.
        """
        rows: list[Row] = []
        self.execute(statement, sent, rows.append)
        return rows

    def commit(self) -> None:
        """Commit.

        :raises Refusal: if the server refuses the commit; JackfieldError, with ``sent`` unknown, if
            its answer is lost.
        """
        with self.reading(Sent.UNKNOWN):
            if self.execute("COMMIT", Sent.UNKNOWN, _ignored):
                raise ValueError  # rows confirm nothing

    def execute(
        self, statement: str, sent: Sent, keep: Callable[[Row], bool | None]
    ) -> tuple[str, ...]:
        """Run a statement, pass its rows to ``keep`` as they arrive, and return the names of its
        columns. The session closes once ``keep`` returns True. Of several results, the first one
        with columns counts.

        :raises Refusal: as ``run`` does.
        """
        with self.reading(sent):
            self._link.query(statement, unbuffered=True)
            result = self._link._result
            self.affected, self.last_id, self.warnings = (
                result.affected_rows,
                result.insert_id or 0,
                result.warning_count,
            )
            names: tuple[str, ...] = ()
            while True:
                counts = not names and result.description is not None
                if counts:
                    names, self.affected = tuple(column[0] for column in result.description), 0
                while (
                    result.unbuffered_active
                    and (row := result._read_rowdata_packet_unbuffered()) is not None
                ):
                    self.affected += counts
                    if counts and keep(row):
                        self.close()
                        return names
                if not result.has_next:
                    return names
                self._link.next_result(unbuffered=True)
                result = self._link._result

    def close(self) -> None:
        """Close the session."""
        if self._link._result is not None:
            # it would read the rest of its rows when it is deleted
            self._link._result.unbuffered_active = False
        self._link._force_close()  # ``close`` says goodbye first, which may wait
        super().close()

    def leave(self) -> None:
        """Tell the server that the session ends, and close it."""
        if self._link.open:
            self._link.close()
        self.close()


def _ignored(_row: Row) -> None:
    """Ignore a row."""
