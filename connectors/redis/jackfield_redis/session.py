"""One connection to a server, signed in. redis-py writes commands and reads answers; the socket under it is ours."""

from __future__ import annotations

from typing import Any

from redis.connection import Connection
from redis.exceptions import RedisError, ResponseError

from jackfield.connector import Deadline, Guard, Sent
from jackfield.connector.servers import Address, broken
from jackfield.connector.timed_socket import SocketSession, TimedSocket
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield_redis.faults import Refusal, refused_login

Argument = str | bytes | int
_CLIENT = "jackfield"


@dataclass(frozen=True, slots=True, repr=False)
class Login(SecretHolder):
    """User, password and number of the database."""

    username: str | None
    password: str | None = field(repr=False)
    database: int


class _Link(Connection):
    """redis-py's connection over a socket that is open already."""

    def __init__(self, sock: TimedSocket, address: Address, login: Login) -> None:
        super().__init__(
            host=address.hostname, port=address.port, db=login.database, username=login.username, password=login.password, protocol=2,
            client_name=_CLIENT, driver_info=None, socket_timeout=None,
        )  # fmt: skip
        self._open = sock

    def _connect(self) -> TimedSocket:
        return self._open


class Session(SocketSession):
    """Connection to one server, signed in."""

    def __init__(self, sock: TimedSocket, address: Address, login: Login) -> None:
        self._sock = sock
        self._place = address.place
        self._link = _Link(sock, address, login)

    @property
    def worn(self) -> bool:
        """True if it is closed, as redis-py does after any failure: a late answer would be taken for that of another command."""
        return not self._link.is_connected

    def sign_in(self) -> None:
        """Sign in and choose the database.

        :raises JackfieldError: if the server refuses that, or the connection ends.
        """
        try:
            self._link.connect()
            self.ask("PING", safe=True)
        except Refusal as refusal:
            raise refused_login(refusal) from None
        except RedisError as error:
            if _is_refusal(error):
                raise refused_login(_refusal(error)) from None
            raise broken(self._sock, self._place, Sent.NOTHING) from None

    def ask(self, *command: Argument, safe: bool) -> Any:
        """Send a command and return its answer: bytes, an integer, a list of them, or None. A wait for the answer to a command that is not
        ``safe`` does not end when the caller leaves.

        :raises Refusal: if the server refuses it.
        :raises JackfieldError: if the connection ends or the deadline passes; whether the command was carried out is unknown.
        """
        self.obeys = safe
        try:
            self._link.send_command(*command, check_health=False)
            return self._link.read_response(disable_decoding=True)
        except RedisError as error:
            if _is_refusal(error):
                raise _refusal(error) from None
            raise broken(self._sock, self._place, Sent.UNKNOWN) from None

    def close(self) -> None:
        """Close it."""
        self._link.disconnect()
        self._sock.close()

    leave = close


def _is_refusal(error: RedisError) -> bool:
    """Return True for an error that the server sent. Some of its errors are redis-py's for connections, with a code."""
    return isinstance(error, ResponseError) or error.status_code is not None


def _refusal(error: RedisError) -> Refusal:
    text = str(error)
    word, _, rest = text.partition(" ")
    if error.status_code is not None:
        return Refusal(error.status_code, text)
    return Refusal(word, rest) if word.isupper() else Refusal("", text)


def connect(address: Address, login: Login, guard: Guard, deadline: Deadline) -> Session:
    """Open a session, signed in, to an address that the guard has checked.

    :raises JackfieldError: if the server is not reached or refuses the login.
    """
    session = Session(address.reach(guard, deadline), address, login)
    with OnFailure(session.close):
        session.sign_in()
    return session
