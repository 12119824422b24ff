"""Open client of a connection: messages, and the queues that hold them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pika import BasicProperties, spec

from jackfield.connector import JackfieldError, NotFound, Sent, Unavailable
from jackfield.connector.sessions import Refusal, SessionClient
from jackfield_rabbitmq.faults import CLEAR, MEANINGS
from jackfield_rabbitmq.session import Message, Session, Unfit

MOST_BYTES = 4 * 1024 * 1024
"""Bytes of messages after which no further one is taken by a call."""
MOST_UNFIT = 1000
"""Messages that cannot be read after which a call looks no further."""
T = TypeVar("T")


class RabbitClient(SessionClient[Session]):
    """Client that sends and takes messages over a pool's sessions."""

    __slots__ = ()
    meanings = MEANINGS

    def refused(self, refusal: Refusal, _session: Session) -> JackfieldError:
        """Return the error for a refusal: the channel is closed, and the request was not carried out."""
        return MEANINGS.explain(refusal, Sent.REFUSED if refusal.code in CLEAR else Sent.UNKNOWN)

    @property
    def invocation_id(self) -> str:
        """ID of the invocation; empty outside of one."""
        return self.call.invocation_id

    def ask(self, method: Any, answer: Any, *, safe: bool) -> Any:
        """Send a method, and return its answer.

        :raises JackfieldError: if the broker refuses it or is not reached.
        """
        sent = Sent.NOTHING if safe else Sent.UNKNOWN
        return self.used(type(method).__name__, lambda session: session.ask(method, answer, sent=sent), safe=safe)

    def publish(self, exchange: str, key: str, properties: BasicProperties, body: bytes, *, mandatory: bool) -> bool:
        """Publish a message, wait until the broker has confirmed it, and return whether a queue has taken it.

        :raises JackfieldError: with ``sent``: unknown if it is not confirmed, since one of several queues may have taken it.
        """
        method = spec.Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)
        taken, routed = self.used("publish", lambda session: session.publish(method, properties, body), safe=False)
        if not taken:
            raise Unavailable("the broker did not take the message for all queues", sent=Sent.UNKNOWN, hint="A queue may be full.")
        if not routed:
            text = f"no queue takes messages of the exchange '{exchange}' with the routing key '{key[:200]}'"
            raise NotFound(text, sent=Sent.REFUSED, hint="Bind a queue, or set 'mandatory' to false.")
        return routed

    def take(self, queue: str, most: int, read: Callable[[Message], T]) -> tuple[list[T], list[Unfit]]:
        """Take messages out of a queue, and return the values of ``read``, and the messages that it cannot read.

        Unreadable messages stay in the queue, at their place, and the ones behind them are taken.

        :raises JackfieldError: with ``sent``: nothing before they are acknowledged; unknown if that is not answered. If none can be read,
            the first message's error.
        """

        def run(session: Session) -> tuple[list[T], list[Unfit]]:
            found: list[T] = []
            unfit: list[Unfit] = []
            tag, size = 0, 0
            while len(found) < most and len(unfit) < MOST_UNFIT and size < MOST_BYTES and (got := session.get(queue, read)) is not None:
                if isinstance(got, Unfit):
                    unfit.append(got)
                else:
                    message, one = got
                    found.append(one)
                    tag, size = message.method.delivery_tag, size + len(message.body)
            if unfit and not found:
                session.close()  # it has none of them then
                raise unfit[0].error
            if found:
                self.call.check()
                session.obeys = False
                session.acknowledge(tag, [one.method.delivery_tag for one in unfit])
            return found, unfit

        return self.used("take", run, safe=False, obeys=True)
