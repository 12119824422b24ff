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
"""Bytes of messages after which a call takes no further message."""
MOST_UNFIT = 1000
"""Number of unreadable messages after which a call takes no further message."""
T = TypeVar("T")


class RabbitClient(SessionClient[Session]):
    """Client that publishes and takes messages over a pool's sessions."""

    __slots__ = ()
    meanings = MEANINGS

    def refused(self, refusal: Refusal, _session: Session) -> JackfieldError:
        """Return the error for a refusal. ``sent`` is unknown if the broker's code does not prove
        that the request was not carried out.
        """
        return MEANINGS.explain(refusal, Sent.REFUSED if refusal.code in CLEAR else Sent.UNKNOWN)

    @property
    def invocation_id(self) -> str:
        """ID of the invocation; empty outside an invocation."""
        return self.call.invocation_id

    def ask(self, method: Any, answer: Any, *, safe: bool) -> Any:
        """Send an AMQP method and return its answer. A ``safe`` method may be repeated.

        :raises JackfieldError: if the broker refuses the method or is not reached.
        """
        sent = Sent.NOTHING if safe else Sent.UNKNOWN
        return self.used(
            type(method).__name__, lambda session: session.ask(method, answer, sent=sent), safe=safe
        )

    def publish(
        self, exchange: str, key: str, properties: BasicProperties, body: bytes, *, mandatory: bool
    ) -> bool:
        """Publish a message, wait until the broker confirms it, and return True.

        :raises NotFound: if the message is ``mandatory`` and no queue receives it.
        :raises JackfieldError: with ``sent`` unknown if it is not confirmed, since one of several
            queues may have accepted it.
        """
        method = spec.Basic.Publish(exchange=exchange, routing_key=key, mandatory=mandatory)
        taken, routed = self.used(
            "publish", lambda session: session.publish(method, properties, body), safe=False
        )
        if not taken:
            raise Unavailable(
                "the broker did not take the message for all queues",
                sent=Sent.UNKNOWN,
                hint="A queue may be full.",
            )
        if not routed:
            text = (
                f"no queue takes messages of the exchange '{exchange}' with the routing key "
                f"'{key[:200]}'"
            )
            raise NotFound(
                text, sent=Sent.REFUSED, hint="Bind a queue, or set 'mandatory' to false."
            )
        return routed

    def take(
        self, queue: str, most: int, read: Callable[[Message], T]
    ) -> tuple[list[T], list[Unfit]]:
        """Take up to ``most`` messages out of a queue; return the values of ``read`` and the
        unreadable messages.

        Unreadable messages keep their place in the queue; readable ones behind them are taken.

        :raises JackfieldError: with ``sent`` nothing before messages are acknowledged, unknown if
            the acknowledgement is not answered. The first message's error, if no message is
            readable.
        """

        def run(session: Session) -> tuple[list[T], list[Unfit]]:
            found: list[T] = []
            unfit: list[Unfit] = []
            tag, size = 0, 0
            while (
                len(found) < most
                and len(unfit) < MOST_UNFIT
                and size < MOST_BYTES
                and (got := session.get(queue, read)) is not None
            ):
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
