"""Open client of a connection: messages, and the queues that hold them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from pika import BasicProperties, spec

from jackfield.connector import Call, NotFound, Sent, Unavailable, current_call
from jackfield.kernel.failures import OnFailure
from jackfield.kernel.secrecy import SecretHolder
from jackfield.wire.sessions import SessionPool
from jackfield_rabbitmq.faults import CLEAR, Refusal, refused
from jackfield_rabbitmq.session import Message, Session

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of messages after which no further one is taken by a call."""
T = TypeVar("T")


class RabbitClient(SecretHolder):
    """Client over a pool's sessions. Created for each attempt, so it only references shared objects."""

    __slots__ = ("_call", "_pool")

    def __init__(self, pool: SessionPool[Session], call: Call) -> None:
        self._pool = pool
        self._call = call

    def __repr__(self) -> str:
        return "RabbitClient()"

    @property
    def invocation_id(self) -> str:
        """ID of the invocation; empty outside of one."""
        return (current_call() or self._call).invocation_id

    def ask(self, method: Any, answer: Any, *, safe: bool) -> Any:
        """Send a method, and return its answer.

        :raises JackfieldError: if the broker refuses it or is not reached.
        """
        sent = Sent.NOTHING if safe else Sent.UNKNOWN
        return self._with_session(type(method).__name__, safe, lambda session: session.ask(method, answer, sent=sent))

    def publish(self, exchange: str, key: str, properties: BasicProperties, body: bytes, *, mandatory: bool) -> bool:
        """Publish a message, wait until the broker has confirmed it, and return whether a queue has taken it.

        :raises JackfieldError: with ``sent``: unknown if it is not confirmed, since one of several queues may have taken it.
        """
        method = spec.Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)

        taken, routed = self._with_session("publish", False, lambda session: session.publish(method, properties, body))
        if not taken:
            raise Unavailable("the broker did not take the message for all queues", sent=Sent.UNKNOWN, hint="A queue may be full.")
        if not routed:
            text = f"no queue takes messages of the exchange '{exchange}' with the routing key '{key[:200]}'"
            raise NotFound(text, sent=Sent.REFUSED, hint="Bind a queue, or set 'mandatory' to false.")
        return routed

    def take(self, queue: str, most: int) -> list[Message]:
        """Take messages out of a queue.

        :raises JackfieldError: with ``sent``: nothing before they are acknowledged; unknown if that is not answered.
        """

        def run(session: Session) -> list[Message]:
            found: list[Message] = []
            while len(found) < most and sum(len(one.body) for one in found) < MOST_BYTES:
                message = session.get(queue)
                if message is None:
                    break
                found.append(message)
            if found:
                (current_call() or self._call).check()
                session.obeys = False
                session.acknowledge(found[-1].method.delivery_tag)
            return found

        return self._with_session("take", False, run, obeys=True)

    def _with_session(self, step: str, safe: bool, run: Callable[[Session], T], *, obeys: bool | None = None) -> T:
        call = current_call() or self._call
        call.begin(step, safe=safe)
        session = self._pool.proven(call.deadline, _stands)
        session.obeys = safe if obeys is None else obeys
        with OnFailure(session.close):
            call.check()
            with _refusals():
                found = run(session)
        self._pool.give(session)
        return found


def _stands(session: Session) -> bool:
    """Return True if an idle session answers a question that changes nothing."""
    with suppress(Refusal):
        return session.is_quiet and session.ask(spec.Basic.Qos(), spec.Basic.QosOk, sent=Sent.NOTHING) is not None
    return False


@contextmanager
def _refusals() -> Iterator[None]:
    """Convert refusals: the channel is closed, and what it was asked for was not done."""
    try:
        yield
    except Refusal as refusal:
        raise refused(refusal, Sent.REFUSED if refusal.code in CLEAR else Sent.UNKNOWN) from None
