"""Open client of a connection: messages, and the queues that hold them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pika import BasicProperties, spec

from jackfield.connector import JackfieldError, NotFound, Sent, Unavailable, current_call
from jackfield.connector.session_client import SessionClient
from jackfield_rabbitmq.faults import CLEAR, Refusal, refused
from jackfield_rabbitmq.session import Message, Session

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of messages after which no further one is taken by a call."""
T = TypeVar("T")


class RabbitClient(SessionClient[Session]):
    """Client that sends and takes messages over a pool's sessions."""

    __slots__ = ()
    refusal = Refusal

    def stands(self, session: Session) -> bool:
        """Return True if an idle session answers a question that changes nothing."""
        return session.is_quiet and session.ask(spec.Basic.Qos(), spec.Basic.QosOk, sent=Sent.NOTHING) is not None

    def refused(self, refusal: Refusal) -> JackfieldError:
        """Return the error for a refusal: the channel is closed, and what it was asked for was not done."""
        return refused(refusal, Sent.REFUSED if refusal.code in CLEAR else Sent.UNKNOWN)

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
        def work(session: Session) -> T:
            session.obeys = safe if obeys is None else obeys
            return run(session)

        return self.used(step, work, safe=safe)
