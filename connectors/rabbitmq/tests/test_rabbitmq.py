"""RabbitMQ: publishing, taking, and what is told of messages whose confirm is lost; against a real
broker.
"""

from __future__ import annotations

import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest

from database_proxy import DatabaseProxy
from jackfield import Jackfield, Result
from jackfield.connector import Deadline, Guard, InvalidConnection
from jackfield.kernel.clock import SystemClock
from jackfield_rabbitmq.connection_type import LoginType
from rabbitmq import Secured, missing, secured_node
from tls_trials import only_the_known_server, trials
from waiting import until

CLOCK = SystemClock()


class Rig:
    """A runtime with the connector, and a broker with a queue."""

    def __init__(self, secured: Secured, jackfield: Jackfield, channel: Any) -> None:
        self.secured, self.jackfield, self.channel = secured, jackfield, channel
        self.port = self.broker_port = secured.node.port
        self.queue = f"q{uuid.uuid4().hex}"
        channel.queue_declare(self.queue, durable=True)

    def values(self, **changed: Any) -> dict[str, Any]:
        """Values of a connection."""
        return {
            "hostname": "127.0.0.1",
            "port": self.port,
            "username": "guest",
            "password": "guest",
            "tls": "disable",
            **changed,
        }

    def call(
        self,
        action: str,
        *,
        timeout: float = 30.0,
        values: dict[str, Any] | None = None,
        **inputs: Any,
    ) -> Result:
        """Call an action."""
        return self.jackfield.invoke(
            {
                "connector": "rabbitmq",
                "action": action,
                "inputs": inputs,
                "timeoutSeconds": timeout,
                "connection": {"type": "login", "values": values or self.values()},
            }
        )

    def publish(self, **inputs: Any) -> Result:
        """Publish a message to the queue."""
        return self.call("publishMessage", **{"routingKey": self.queue, "body": "m", **inputs})

    def count(self) -> int:
        """Messages that wait in the queue, by another client."""
        found: int = self.channel.queue_declare(self.queue, passive=True).method.message_count
        return found


@pytest.fixture(scope="module")
def secured() -> Secured:
    """The broker of this process; skips where RabbitMQ is not installed."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    return secured_node()


@pytest.fixture
def rig(secured: Secured) -> Iterator[Rig]:
    """A broker with an empty queue."""
    login = pika.PlainCredentials("guest", "guest")
    other = pika.BlockingConnection(
        pika.ConnectionParameters("127.0.0.1", secured.node.port, "/", login)
    )
    with Jackfield(database_url="none") as jackfield:
        found = Rig(secured, jackfield, other.channel())
        found.channel.confirm_delivery()  # A publication returns when its queue has the message.
        yield found
        found.channel.queue_delete(found.queue)
    other.close()


def _code(result: Result) -> str | None:
    return result.error.code if result.error is not None else None


def test_a_message_comes_back_as_it_was_published(rig: Rig) -> None:
    """With its properties, which another client sees, too; oldest first, and each one once."""
    headers = {"n": 7, "who": "ada", "yes": True, "none": None}
    given = {
        "headers": headers,
        "contentType": "text/plain",
        "correlationId": "c",
        "replyTo": "r",
        "type": "t",
        "priority": 3,
        "expireSeconds": 60,
        "messageId": "m-1",
    }
    assert rig.publish(body="ä", **given).unwrap() == {"messageId": "m-1"}
    assert rig.publish(body="/w==", encoding="base64").unwrap()["messageId"]
    method, properties, body = rig.channel.basic_get(rig.queue)
    assert (
        body.decode(),
        properties.expiration,
        properties.delivery_mode,
        properties.priority,
    ) == ("ä", "60000", 2, 3)
    rig.channel.basic_nack(method.delivery_tag)
    first, second = rig.call("takeMessages", queue=rig.queue, count=10).unwrap()["messages"]
    assert first == {
        "body": "ä",
        "encoding": "text",
        "exchange": "",
        "routingKey": rig.queue,
        "redelivered": True,
        "headers": headers,
        "contentType": "text/plain",
        "messageId": "m-1",
        "correlationId": "c",
        "replyTo": "r",
        "type": "t",
    }
    assert (second["body"], second["encoding"]) == ("/w==", "base64")
    assert rig.call("takeMessages", queue=rig.queue).unwrap()["messages"] == []
    assert rig.count() == 0


@pytest.mark.parametrize("size", [0, 1, 131_063, 131_064, 131_065, 1_000_000])
def test_a_message_may_have_any_length(rig: Rig, size: int) -> None:
    """In as many frames as it needs."""
    rig.publish(body="x" * size).unwrap()
    (message,) = rig.call("takeMessages", queue=rig.queue).unwrap()["messages"]
    assert message["body"] == "x" * size


def test_a_call_takes_what_it_can_hold(rig: Rig) -> None:
    """No further message after 4 MiB: the others stay."""
    for _ in range(6):
        rig.channel.basic_publish("", rig.queue, b"x" * 1_500_000)
    taken = rig.call("takeMessages", queue=rig.queue, count=100).unwrap()["messages"]
    assert (len(taken), rig.count()) == (3, 3)
    rig.channel.queue_purge(rig.queue)
    rig.channel.basic_publish("", rig.queue, b"x" * 17_000_000)
    assert _code(rig.call("takeMessages", queue=rig.queue)) == "rejected"
    until(lambda: rig.count() == 1)


def test_queues_are_declared_and_bound(rig: Rig) -> None:
    """Again without harm; with other settings, it is a conflict."""
    name = f"{rig.queue}-new"
    try:
        for _ in range(2):
            assert rig.call("declareQueue", queue=name, kind="quorum", maxLength=3).unwrap() == {
                "messages": 0,
                "consumers": 0,
            }
        assert _code(rig.call("declareQueue", queue=name)) == "conflict"
        assert rig.call(
            "bindQueue", queue=name, exchange="amq.topic", routingKey="orders.#"
        ).unwrap() == {"bound": True}
        rig.call("publishMessage", exchange="amq.topic", routingKey="orders.eu", body="m").unwrap()
        assert rig.call("describeQueue", queue=name).unwrap() == {"messages": 1, "consumers": 0}
    finally:
        rig.channel.queue_delete(name)


def test_refusals_are_told_and_nothing_is_in_doubt(rig: Rig) -> None:
    """Each has its code, and the next call succeeds."""
    worker = rig.values(username="worker", password="a-secret")
    refused = {
        "not_found": rig.call("publishMessage", exchange="nowhere", routingKey="x", body=""),
        "not_found ": rig.call("publishMessage", routingKey=f"{rig.queue}-none", body=""),
        "not_found  ": rig.call("takeMessages", queue="nowhere"),
        "not_found   ": rig.call("describeQueue", queue="nowhere"),
        "forbidden": rig.call(
            "publishMessage", exchange="amq.topic", routingKey="x", body="", values=worker
        ),
        "forbidden ": rig.call("takeMessages", queue=rig.queue, values=worker),
        "invalid_input": rig.publish(body="?", encoding="base64"),
        "invalid_input ": rig.publish(headers={"n": 2**63}),
        "invalid_input  ": rig.publish(body="\ud800"),
    }
    assert {name: (one.status, _code(one)) for name, one in refused.items()} == {
        name: ("failed", name.strip()) for name in refused
    }
    assert (
        rig.call("publishMessage", routingKey=f"{rig.queue}-none", body="", mandatory=False).status
        == "succeeded"
    )
    assert rig.publish().status == "succeeded"
    assert rig.count() == 1


def test_a_full_queue_leaves_a_message_in_doubt(rig: Rig) -> None:
    """The broker says that it was not taken, but not by which of several queues."""
    name = f"{rig.queue}-full"
    rig.channel.queue_declare(name, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    assert rig.call("publishMessage", routingKey=name, body="1").status == "succeeded"
    assert rig.call("publishMessage", routingKey=name, body="2").status == "in_doubt"
    rig.channel.queue_delete(name)


@pytest.mark.parametrize("loss", ["cut", "silent"])
def test_a_message_without_a_confirm_is_in_doubt_and_sent_once(rig: Rig, loss: str) -> None:
    """The broker has it; nobody says so, and it is not sent again."""
    with DatabaseProxy(rig.broker_port, b"lost-message") as proxy:
        rig.port = proxy.port
        rig.call("describeQueue", queue=rig.queue).unwrap()
        proxy.swallow(1, then_silent=loss == "silent")
        result = rig.publish(body="lost-message", timeout=3.0)
        swallowed = proxy.swallowed
    assert (result.status, swallowed, rig.count()) == ("in_doubt", 1, 1), result.error


_ACKNOWLEDGE = b"\x00\x3c\x00\x50"  # Basic.Ack (60, 80)
_GET = b"\x00\x3c\x00\x46"  # Basic.Get (60, 70)


@pytest.mark.parametrize("loss", ["cut", "silent"])
def test_an_acknowledgement_without_an_answer_is_in_doubt(rig: Rig, loss: str) -> None:
    """The message is gone; nobody says so."""
    with DatabaseProxy(rig.broker_port, _ACKNOWLEDGE) as proxy:
        rig.port = proxy.port
        rig.publish().unwrap()
        proxy.swallow(1, then_silent=loss == "silent")
        result = rig.call("takeMessages", queue=rig.queue, timeout=3.0)
        swallowed = proxy.swallowed
    assert (result.status, swallowed) == ("in_doubt", 1), result.error
    assert rig.count() == 0


def test_a_message_that_was_not_acknowledged_was_not_taken(rig: Rig) -> None:
    """It is asked for again, and comes once."""
    with DatabaseProxy(rig.broker_port, _GET) as proxy:
        rig.port = proxy.port
        rig.publish().unwrap()
        proxy.swallow(1)
        result = rig.call("takeMessages", queue=rig.queue)
        swallowed = proxy.swallowed
    assert (result.status, len(result.unwrap()["messages"]), swallowed) == ("succeeded", 1, 1)
    assert rig.count() == 0


def test_an_idle_connection_that_has_ended_is_not_used(rig: Rig) -> None:
    """Reset, or silently cut off: the message goes over a new one, once."""
    with DatabaseProxy(rig.broker_port) as proxy:
        rig.port = proxy.port
        rig.publish().unwrap()
        proxy.reset()
        again = rig.publish()
        proxy.drop("client")
        late = rig.publish(timeout=2.5)
        proxy.deliver()
        last = rig.publish()
    assert [(one.status, one.meta.attempts) for one in (again, last)] == [("succeeded", 1)] * 2
    assert (late.status, _code(late)) == ("failed", "timeout")
    assert rig.count() == 3


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"password": "s3cret-of-eve"}, "unauthenticated"),
        ({"username": "nobody"}, "unauthenticated"),
        ({"virtualHost": "none"}, "forbidden"),
        ({"port": 1}, "unavailable"),
        ({"hostname": "does-not-exist.invalid"}, "unavailable"),
        ({"tls": "verify"}, "unavailable"),
        (
            {
                "tls": "verify",
                "caCertificate": "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
            },
            "invalid_connection",
        ),
    ],
)
def test_a_login_that_fails_says_why(rig: Rig, changed: dict[str, Any], code: str) -> None:
    """The error names the cause and no secret."""
    result = rig.publish(values=rig.values(**changed), timeout=5.0)
    assert (result.status, _code(result)) == ("failed", code), result.error
    assert "s3cret-of" not in str(result.error)


def test_a_connection_test_tells_whose_account_it_is(rig: Rig) -> None:
    """The login is tried, and the account is named."""
    named = {"good": rig.values(), "bad": rig.values(password="no")}
    connections = {
        name: {"type": "rabbitmq/login", "values": values} for name, values in named.items()
    }
    with Jackfield(connections=[connections], database_url="none") as jackfield:
        good, bad = (jackfield.connections.test(name) for name in named)
    assert (good["status"], good["account"]["label"]) == (
        "ok",
        "guest at 127.0.0.1, virtual host /",
    )
    assert (bad["status"], bad["lastTest"]["steps"][0]["passed"]) == ("failing", False)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "::ffff:127.0.0.1"]
)
def test_only_allowed_addresses_are_reached(rig: Rig, host: str) -> None:
    """A connection of somebody who may not reach the operator's network does not, by name or
    address.
    """
    login = LoginType.model_validate(rig.values(hostname=host))
    with pytest.raises(InvalidConnection):
        login.connect(Guard(), Deadline.after(30.0, CLOCK))


def test_a_certificate_is_checked_by_authority_and_name(rig: Rig, tmp_path: Path) -> None:
    """Only the broker that its authority and name are known of gets the login."""
    tried = trials(rig.secured.bundle, tmp_path)
    rig.port = rig.secured.tls_port
    results = {why: rig.publish(values=rig.values(**one)) for why, one in tried.items()}
    only_the_known_server(results)
    assert rig.count() == 2


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x01\0\0\xff\xff\xff\xff",
        b"\x01\0\0\0\0\0\x04????\xce",
        b"AMQP\0\0\x09\x01",
        b"",
    ],
)
def test_what_is_no_broker_is_told(rig: Rig, said: bytes) -> None:
    """Bytes that are no frame, frames that are too long, and nothing at all."""

    def serve(listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client:
                client.recv(8)
                client.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        result = rig.publish(values=rig.values(port=listener.getsockname()[1]), timeout=2.0)
        listener.shutdown(socket.SHUT_RDWR)
    assert (result.status, _code(result)) == ("failed", "unavailable"), result.error
