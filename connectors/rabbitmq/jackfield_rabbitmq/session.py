"""One connection to a broker with one channel: requests and answers in turn (AMQP 0-9-1), each
before the deadline of its call.

pika encodes and decodes frames and methods. Its own connections are not used: they wait without
jackfield's deadline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TypeVar

from pika import BasicProperties, spec
from pika.frame import Body, Header, Method, ProtocolHeader, decode_frame

from jackfield.connector import Deadline, Guard, JackfieldError, Sent
from jackfield.connector.servers import Address
from jackfield.connector.sessions import Login, Refusal, ServerSession
from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.failures import Raised, attempt
from jackfield_rabbitmq.faults import unfit

T = TypeVar("T")
_CHANNEL = 1
_FRAME = 131_072
"""Maximum bytes of a frame in both directions, RabbitMQ's own default."""
_CAPABILITIES = {
    "publisher_confirms": True,
    "basic.nack": True,
    "authentication_failure_close": True,
    "connection.blocked": True,
}
_NOTICES = (spec.Connection.Blocked, spec.Connection.Unblocked)
_CLOSINGS = (spec.Connection.Close, spec.Channel.Close)
_HEAD = 7
"""Bytes of a frame before its payload."""
_SIZE = slice(4, 12)
"""Bytes of a header frame's payload that hold the length of the body."""


@dataclass(frozen=True, slots=True)
class Message:
    """Message with its properties; ``method`` is the GetOk that delivered it."""

    method: Any
    properties: BasicProperties
    body: bytes


@dataclass(frozen=True, slots=True)
class Unfit:
    """Unreadable message and its error. ``properties`` is None if the properties are the unreadable
    part.
    """

    method: Any
    properties: BasicProperties | None
    error: JackfieldError


class Session(ServerSession):
    """Connection to one broker, signed in, with a channel in confirm mode."""

    login_sent = False

    def __init__(self, address: Address, login: Login, guard: Guard, deadline: Deadline) -> None:
        super().__init__(address, guard, deadline)
        self._login = login
        self._file = self._sock.makefile()
        self._closed = False
        self._longest = _FRAME
        self._published = 0

    @property
    def worn(self) -> bool:
        """True if the session is closed."""
        return self._closed

    def sign_in(self) -> None:
        """Sign in and open a channel in confirm mode.

        :raises Refusal: if the broker refuses the login or the channel; JackfieldError if the
            connection ends.
        """
        login = self._login
        with self.reading(Sent.NOTHING):
            self._sock.sendall(ProtocolHeader().marshal())
            self._wait_for(0, spec.Connection.Start)
            response = f"\0{login.username}\0{login.password}".encode()
            properties = {"product": "jackfield", "capabilities": _CAPABILITIES}
            self._send(0, spec.Connection.StartOk(properties, "PLAIN", response, "en_US"))
            self.login_sent = True
            tune = self._wait_for(0, spec.Connection.Tune)
            self.login_sent = False
            self._longest = min(tune.frame_max or _FRAME, _FRAME)
            self._send(
                0,
                spec.Connection.TuneOk(channel_max=_CHANNEL, frame_max=self._longest, heartbeat=0),
            )
            self._ask(0, spec.Connection.Open(login.database), spec.Connection.OpenOk)
            self._ask(_CHANNEL, spec.Channel.Open(), spec.Channel.OpenOk)
            self._ask(_CHANNEL, spec.Confirm.Select(), spec.Confirm.SelectOk)

    def stands(self) -> bool:
        """Return True if the server answers a request that changes nothing; False if unexpected
        bytes have arrived.
        """
        return (
            self.is_quiet
            and self.ask(spec.Basic.Qos(), spec.Basic.QosOk, sent=Sent.NOTHING) is not None
        )

    def ask(self, method: Any, *answers: Any, sent: Sent) -> Any:
        """Send a method and return its answer, of a type in ``answers``. ``sent`` is the state of
        the request if the answer is lost.

        :raises Refusal: if the broker closes the channel or connection; JackfieldError if the
            connection ends or the deadline passes.
        """
        with self.reading(sent):
            return self._ask(_CHANNEL, method, *answers)

    def publish(self, method: Any, properties: BasicProperties, body: bytes) -> tuple[bool, bool]:
        """Publish a message. Return whether the broker accepted it, and whether it was routed:
        False if the broker returned it.

        :raises Refusal: as ``ask`` does.
        """
        with self.reading(Sent.UNKNOWN):
            self._published += 1
            room = self._longest - _HEAD - 1
            pieces = (Body(_CHANNEL, body[at : at + room]) for at in range(0, len(body), room))
            frames = (Method(_CHANNEL, method), Header(_CHANNEL, len(body), properties), *pieces)
            self._sock.sendall(b"".join(frame.marshal() for frame in frames))
            routed = True
            while True:
                answer = self._wait_for(
                    _CHANNEL, spec.Basic.Ack, spec.Basic.Nack, spec.Basic.Return
                )
                if not isinstance(answer, spec.Basic.Return):
                    self._check_confirms(answer)
                    return isinstance(answer, spec.Basic.Ack), routed
                self._content()
                routed = False

    def get(self, queue: str, read: Callable[[Message], T]) -> tuple[Message, T] | Unfit | None:
        """Get a message without acknowledging it, and the value of ``read`` for it; None if the
        queue is empty.

        ``Unfit`` is returned for a message whose properties or headers, which its publisher writes,
        are unreadable.

        :raises Refusal: as ``ask`` does.
        """
        with self.reading(Sent.NOTHING):
            answer = self._ask(
                _CHANNEL, spec.Basic.Get(queue=queue), spec.Basic.GetOk, spec.Basic.GetEmpty
            )
            if not isinstance(answer, spec.Basic.GetOk):
                return None
            properties, body = self._content()
        if properties is None:
            return Unfit(answer, None, unfit("its properties are not as AMQP has them"))
        message = Message(answer, properties, body)
        found = attempt(read, message)
        if not isinstance(found, Raised):
            return message, found
        return Unfit(
            answer,
            properties,
            found.error
            if isinstance(found.error, JackfieldError)
            else unfit("it has values that JSON has not"),
        )

    def acknowledge(self, tag: int, left: Sequence[int]) -> None:
        """Acknowledge all messages up to a delivery tag, except ``left``, which return to the
        queue. The broker does not answer this, so a harmless request follows, whose answer confirms
        it.

        :raises JackfieldError: if that request is not answered: whether the messages are gone is
            unknown.
        """
        with self.reading(Sent.UNKNOWN):
            for one in left:
                self._send(_CHANNEL, spec.Basic.Nack(one, requeue=True))
            self._send(_CHANNEL, spec.Basic.Ack(tag, multiple=True))
            self._ask(_CHANNEL, spec.Basic.Qos(), spec.Basic.QosOk)

    def close(self) -> None:
        """Close the session. Unacknowledged messages return to the queue."""
        self._closed = True
        super().close()

    def leave(self) -> None:
        """Tell the broker that the connection ends, and close it."""
        if not self._closed:
            self._send(0, spec.Connection.Close(200, "", 0, 0))
        self.close()

    def _ask(self, channel: int, method: Any, *answers: Any) -> Any:
        self._send(channel, method)
        return self._wait_for(channel, *answers)

    def _send(self, channel: int, method: Any) -> None:
        self._sock.sendall(Method(channel, method).marshal())

    def _wait_for(self, channel: int, *wanted: Any) -> Any:
        while True:
            frame = self._frame()
            method = getattr(frame, "method", None)
            if isinstance(method, _CLOSINGS):
                self._refuse(method)
            if isinstance(method, wanted) and frame.channel_number == channel:
                return method
            if method is not None and not isinstance(method, _NOTICES):
                raise ValueError(method)

    def _check_confirms(self, answer: Any) -> None:
        """Check that a confirmation belongs to the last message; confirmations number the messages
        of a channel.

        :raises ValueError: if it belongs to another message.
        """
        if answer.delivery_tag != self._published and not (
            answer.multiple and answer.delivery_tag == 0
        ):
            raise ValueError(answer)

    def _refuse(self, method: Any) -> NoReturn:
        self.close()
        raise Refusal(str(method.reply_code), str(method.reply_text))

    def _content(self) -> tuple[BasicProperties | None, bytes]:
        """Read a message's properties, None if they are unreadable, and its body."""
        size, properties = self._header()
        body = bytearray()
        while len(body) < size:
            piece = self._frame()
            if not isinstance(piece, Body):
                raise TypeError(piece)
            body += piece.fragment
        return properties, bytes(body)

    def _header(self) -> tuple[int, BasicProperties | None]:
        raw = self._raw_frame()
        found = attempt(decode_frame, raw)
        if isinstance(found, Raised):
            if (
                raw[0] != spec.FRAME_HEADER
                or raw[-1] != spec.FRAME_END
                or len(raw) < _HEAD + _SIZE.stop
            ):
                raise found.error
            return int.from_bytes(raw[_HEAD:][_SIZE], "big"), None
        header = found[1]
        if not isinstance(header, Header):
            raise TypeError(header)
        return header.body_size, header.properties

    def _frame(self) -> Any:
        return decode_frame(self._raw_frame())[1]

    def _raw_frame(self) -> bytes:
        head = self._read(_HEAD)
        size = int.from_bytes(head[3:], "big")
        if size > self._longest:
            raise ValueError(size)
        return head + self._read(size + 1)

    def _read(self, size: int) -> bytes:
        found = self._file.read(size)
        if len(found) < size:
            raise EOFError
        return found
