"""Actions for queues."""

from __future__ import annotations

from typing import Any, Literal

from pika import spec

from jackfield.connector import Field, Inputs, Output
from jackfield_rabbitmq.client import RabbitClient
from jackfield_rabbitmq.connector import connector
from jackfield_rabbitmq.fields import NAME, exchange_field, queue_field


class QueueName(Inputs):
    """Queue to describe."""

    queue: str = queue_field()


class NewQueue(Inputs):
    """Queue to declare."""

    queue: str = queue_field()
    kind: Literal["classic", "quorum"] = Field(
        "classic",
        title="Kind",
        blank="absent",
        description="'quorum' keeps copies on several nodes of a cluster.",
    )
    max_length: int | None = Field(
        None,
        title="Max Length",
        blank="absent",
        description="Messages that it holds at most: the oldest are dropped.",
        schema={"minimum": 1, "maximum": 2**40},
    )
    dead_letter_exchange: str | None = Field(
        None,
        title="Dead Letter Exchange",
        blank="absent",
        description="Where messages go that expire or are refused.",
        schema=NAME,
    )

    @property
    def arguments(self) -> dict[str, Any] | None:
        """Optional arguments (RabbitMQ's documentation, "Queues")."""
        given = {
            "x-max-length": self.max_length,
            "x-dead-letter-exchange": self.dead_letter_exchange,
        }
        kind = {"x-queue-type": self.kind} if self.kind != "classic" else {}
        return {
            **kind,
            **{name: value for name, value in given.items() if value is not None},
        } or None


class QueueState(Output):
    """Queue, as the broker describes it."""

    messages: int = Field(
        title="Messages", description="Messages that wait for somebody to take them."
    )
    consumers: int = Field(title="Consumers", description="Programs that listen to it.")


class Binding(Inputs):
    """Queue and the messages that it gets."""

    queue: str = queue_field()
    exchange: str = exchange_field(..., "The exchange's name.")
    routing_key: str = Field(
        "",
        title="Routing Key",
        blank="absent",
        description="The key or pattern of the messages.",
        examples=["orders.#"],
        secret=False,
        schema={"maxLength": 255},
    )


class Bound(Output):
    """Outcome of a binding."""

    bound: bool = Field(title="Bound", description="True: the queue gets these messages.")


@connector.action(
    "describeQueue",
    effect="read",
    examples=[("How many wait", {"queue": "orders"}, {"messages": 3, "consumers": 1})],
    keywords=("queue length",),
)
def describe_queue(asked: QueueName, client: RabbitClient) -> QueueState:
    """Return how many messages and consumers a queue has."""
    told = client.ask(
        spec.Queue.Declare(queue=asked.queue, passive=True), spec.Queue.DeclareOk, safe=True
    )
    return QueueState(messages=told.message_count, consumers=told.consumer_count)


@connector.action(
    "declareQueue",
    effect="idempotent",
    examples=[("A queue for orders", {"queue": "orders"}, {"messages": 0, "consumers": 0})],
    keywords=("create a queue",),
)
def declare_queue(new: NewQueue, client: RabbitClient) -> QueueState:
    """Create a queue that lasts, unless it exists with the same settings."""
    method = spec.Queue.Declare(queue=new.queue, durable=True, arguments=new.arguments)
    told = client.ask(method, spec.Queue.DeclareOk, safe=False)
    return QueueState(messages=told.message_count, consumers=told.consumer_count)


@connector.action(
    "bindQueue",
    effect="idempotent",
    examples=[
        (
            "All orders",
            {"queue": "orders", "exchange": "shop", "routingKey": "orders.#"},
            {"bound": True},
        )
    ],
)
def bind_queue(binding: Binding, client: RabbitClient) -> Bound:
    """Let a queue get messages of an exchange."""
    method = spec.Queue.Bind(
        queue=binding.queue, exchange=binding.exchange, routing_key=binding.routing_key
    )
    client.ask(method, spec.Queue.BindOk, safe=False)
    return Bound(bound=True)
