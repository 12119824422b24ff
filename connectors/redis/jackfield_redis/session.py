"""One connection to a server, signed in. redis-py writes commands and reads answers over
jackfield's own socket.
"""

# mypy: allow-subclassing-any
from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from typing import Any, NoReturn, TypeVar

from redis._parsers.resp2 import _RESP2Parser
from redis._parsers.socket import SocketBuffer
from redis.connection import Connection
from redis.exceptions import RedisError, ResponseError

from jackfield.connector import Deadline, Guard, Sent
from jackfield.connector.servers import Address
from jackfield.connector.sessions import Login, Refusal, ServerSession
from jackfield.connector.timed_socket import TimedSocket
from jackfield_redis import answers
from jackfield_redis.faults import FULL

Argument = str | bytes | int
T = TypeVar("T")
MOST_VALUES = 1_000_000
"""Maximum number of values in an answer: each becomes an object, however few bytes it has."""
_CLIENT = "jackfield"
_MOST_CLIENTS = "max number of clients reached"


def _refuse_values(sock: TimedSocket) -> NoReturn:
    """Refuse an answer with too many values.

    :raises TooMuchError: always.
    """
    sock.refuse(f"the server sent more than {MOST_VALUES:,} values for one call")


class _Buffer(SocketBuffer):
    """redis-py's buffer with a limit: without it, redis-py waits for as many bytes as the server
    announces.
    """

    def read(self, length: int, *given: Any, **named: Any) -> Any:
        """Read a value.

        :raises ValueError: if its length is negative.
        :raises TooMuchError: if it exceeds the limit of a call.
        """
        if length < 0:
            raise ValueError(length)
        self._sock.expect(length)
        return super().read(length, *given, **named)

    def readline(self, *given: Any, **named: Any) -> bytes:
        """Read the first line of an answer.

        :raises TooMuchError: if the line announces more than ``MOST_VALUES`` values.
        """
        line: bytes = super().readline(*given, **named)
        if line.startswith(b"*") and int(line[1:]) > MOST_VALUES:
            _refuse_values(self._sock)
        return line


class _Parser(_RESP2Parser):
    """redis-py's parser with a limit: without it, redis-py creates as many values as arrive."""

    _room = 0

    def on_connect(self, connection: Any) -> None:
        """Attach the bounded buffer to a connection."""
        super().on_connect(connection)
        self._buffer = _Buffer(self._sock, self.socket_read_size, connection.socket_timeout)

    def read_response(self, *given: Any, **named: Any) -> Any:
        """Read an answer of at most ``MOST_VALUES`` values."""
        self._room = MOST_VALUES
        return super().read_response(*given, **named)

    def _read_response(self, *given: Any, **named: Any) -> Any:
        self._room -= 1
        if self._room < 0:
            _refuse_values(self._sock)
        return super()._read_response(*given, **named)


class _Link(Connection):
    """redis-py's connection over an already open socket."""

    def __init__(self, sock: TimedSocket, address: Address, login: Login) -> None:
        super().__init__(
            host=address.hostname,
            port=address.port,
            db=int(login.database),
            username=login.username,
            password=login.password,
            protocol=2,
            client_name=_CLIENT,
            driver_info=None,
            socket_timeout=None,
            parser_class=_Parser,
        )
        self._open = sock

    login_sent = False
    """True from sending the login until the next command is sent."""

    def _connect(self) -> TimedSocket:
        return self._open

    def send_command(self, *command: Any, **named: Any) -> None:
        """Send a command, and set ``login_sent`` if it is the login."""
        self.login_sent = command[0] == "AUTH"
        super().send_command(*command, **named)


class Session(ServerSession):
    """Connection to one server, signed in."""

    def __init__(self, address: Address, login: Login, guard: Guard, deadline: Deadline) -> None:
        super().__init__(address, guard, deadline)
        self._link = _Link(self._sock, address, login)

    @property
    def worn(self) -> bool:
        """True if the session is closed. redis-py closes it after any failure, since a late answer
        could be mistaken for another command's.
        """
        return not self._link.is_connected

    @property
    def login_sent(self) -> bool:
        """True from sending the login until the next command is sent."""
        return self._link.login_sent

    def sign_in(self) -> None:
        """Sign in and select the database.

        :raises Refusal: if the server refuses the login or the database; JackfieldError if the
            connection ends.
        """
        with self.reading(Sent.NOTHING):
            self._link.connect()
        self.ask(answers.value, "PING", sent=Sent.NOTHING)

    def stands(self) -> bool:
        """Return True if the server echoes a random string, which proves that no late answer is
        outstanding.
        """
        nonce = token_hex(8)
        return self.is_quiet and self.ask(answers.value, "PING", nonce) == nonce.encode()

    def ask(self, answered: Callable[[Any], T], *command: Argument, sent: Sent = Sent.UNKNOWN) -> T:
        """Send a command; return its answer as ``answered`` reads it.

        :raises Refusal: if the server refuses it.
        :raises JackfieldError: with ``sent``, if the connection ends, the deadline passes or the
            answer cannot be read.
        """
        with self.reading(sent):
            self._link.send_command(*command, check_health=False)
            return answered(self._link.read_response(disable_decoding=True))

    def refusal(self, error: Exception) -> Refusal | None:
        """Return the server's refusal in an error of redis-py; None if the error holds none."""
        code = error.status_code if isinstance(error, RedisError) else None
        if code is None and not isinstance(error, ResponseError):
            return None
        text = str(error)
        word, _, rest = text.partition(" ")
        if code is None:
            code, text = (word, rest) if word.isupper() else ("", text)
        return Refusal(code, text, FULL if _MOST_CLIENTS in text else "")

    def close(self) -> None:
        """Close the session."""
        self._link.disconnect()
        super().close()
