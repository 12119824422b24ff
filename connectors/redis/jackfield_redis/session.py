"""One connection to a server, signed in. redis-py writes commands and reads answers; the socket under it is ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from redis._parsers.resp2 import _RESP2Parser
from redis._parsers.socket import SocketBuffer
from redis.connection import Connection
from redis.exceptions import RedisError, ResponseError

from jackfield.connector import Deadline, Guard, Sent
from jackfield.connector.servers import Address, Reading, tried_once
from jackfield.connector.timed_socket import SocketSession, TimedSocket
from jackfield.kernel.dataclass import dataclass, field
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield_redis import answers
from jackfield_redis.faults import Refusal, refused_login

Argument = str | bytes | int
T = TypeVar("T")
MOST_VALUES = 1_000_000
"""Values of an answer that a call takes: each is an object, however short it is sent."""
_CLIENT = "jackfield"


@dataclass(frozen=True, slots=True, repr=False)
class Login(SecretHolder):
    """User, password and number of the database."""

    username: str | None
    password: str | None = field(repr=False)
    database: int


def _refuse_values(sock: TimedSocket) -> NoReturn:
    """Take no more values of an answer.

    :raises TooMuchError: always.
    """
    sock.refuse(f"the server sent more than {MOST_VALUES:,} values for one call")


class _Buffer(SocketBuffer):
    """redis-py's buffer, which waits for as many bytes as a server names."""

    def read(self, length: int, *given: Any, **named: Any) -> Any:
        """Read a value.

        :raises ValueError: if it has no length; ``TooMuchError`` if it is longer than a call takes.
        """
        if length < 0:
            raise ValueError(length)
        self._sock.expect(length)
        return super().read(length, *given, **named)

    def readline(self, *given: Any, **named: Any) -> bytes:
        """Read the line that begins an answer.

        :raises TooMuchError: if it names more values than a call takes: they are not waited for.
        """
        line: bytes = super().readline(*given, **named)
        if line.startswith(b"*") and int(line[1:]) > MOST_VALUES:
            _refuse_values(self._sock)
        return line


class _Parser(_RESP2Parser):
    """redis-py's parser, which makes as many values as arrive."""

    _room = 0

    def on_connect(self, connection: Any) -> None:
        """Begin to read what a connection has."""
        super().on_connect(connection)
        self._buffer = _Buffer(self._sock, self.socket_read_size, connection.socket_timeout)

    def read_response(self, *given: Any, **named: Any) -> Any:
        """Read an answer."""
        self._room = MOST_VALUES
        return super().read_response(*given, **named)

    def _read_response(self, *given: Any, **named: Any) -> Any:
        self._room -= 1
        if self._room < 0:
            _refuse_values(self._sock)
        return super()._read_response(*given, **named)


class _Link(Connection):
    """redis-py's connection over a socket that is open already."""

    def __init__(self, sock: TimedSocket, address: Address, login: Login) -> None:
        super().__init__(
            host=address.hostname, port=address.port, db=login.database, username=login.username, password=login.password, protocol=2,
            client_name=_CLIENT, driver_info=None, socket_timeout=None, parser_class=_Parser,
        )  # fmt: skip
        self._open = sock

    login_sent = False
    """True from the login to the command after it."""

    def _connect(self) -> TimedSocket:
        return self._open

    def send_command(self, *command: Any, **named: Any) -> None:
        """Send a command."""
        self.login_sent = command[0] == "AUTH"
        super().send_command(*command, **named)


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
            with tried_once(lambda: self._link.login_sent), self._reading(Sent.NOTHING):
                self._link.connect()
            self.ask(answers.value, "PING", safe=True, sent=Sent.NOTHING)
        except Refusal as refusal:
            raise refused_login(refusal) from None

    def ask(self, answered: Callable[[Any], T], *command: Argument, safe: bool, sent: Sent = Sent.UNKNOWN) -> T:
        """Send a command and return its answer, as ``answered`` takes it. A wait for the answer to a command that is not ``safe`` does not
        end when the caller leaves.

        :raises Refusal: if the server refuses it.
        :raises JackfieldError: with ``sent``, if the connection ends, the deadline passes or the answer cannot be read.
        """
        self.obeys = safe
        with self._reading(sent):
            self._link.send_command(*command, check_health=False)
            return answered(self._link.read_response(disable_decoding=True))

    @contextmanager
    def _reading(self, sent: Sent) -> Iterator[None]:
        with Reading(self._sock, self._place, sent, passes=(Refusal,)):
            try:
                yield
            except RedisError as error:
                if _is_refusal(error):
                    raise _refusal(error) from None
                raise

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
