"""Connections to RabbitMQ as operators set them up: with TLS, and with a user of limited
permissions.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.jackfield_celery.engine_stand import engine_stand

from authority import Authority
from jackfield.kernel.errors import Unavailable
from jackfield_celery.broker import new_app
from jackfield_celery.publisher import CeleryPublisher
from jackfield_store.queue import Engine
from rabbitmq import Node, Secured, secured_node


@pytest.fixture
def secured(rabbitmq: Node) -> Secured:
    """The node, with a certificate for ``localhost`` by an authority of our own."""
    assert secured_node().node is rabbitmq
    return secured_node()


def test_the_documented_permissions_suffice_over_tls(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Invocations run over ``amqps://`` as a user with the permissions of the documentation, and
    the worker answers remote control and sends events, as Flower asks for.
    """
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.bundle))
    with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", secured.url()) as stand:

        def step(_engine: Engine) -> None:
            stand.ended(*[stand.queue(f"order-{number}") for number in range(20)])
            app = new_app(secured.url())
            assert [list(reply.values()) for reply in app.control.ping(timeout=60.0, limit=1)] == [
                [{"ok": "pong"}]
            ]
            with app.connection_for_read() as connection, connection.channel() as channel:
                events = app.events.Receiver(
                    channel,
                    handlers={"worker-heartbeat": lambda event: heard.append(event["hostname"])},
                )
                app.control.enable_events()
                events.capture(limit=1, timeout=120)

        heard: list[str] = []
        stand.work(step)
        assert len(heard) == 1
        assert heard[0].startswith("jackfield-")
        assert stand.calls == {f"order-{number}": 1 for number in range(20)}


@pytest.mark.parametrize(("host", "believes"), [("localhost", False), ("127.0.0.1", True)])
def test_a_certificate_that_cannot_be_verified_is_refused(
    secured: Secured, host: str, believes: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A broker with a certificate of an unknown authority, or for another name, gets no message."""
    other = Authority(tmp_path, "Another Authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(secured.bundle if believes else other.bundle))
    publisher = CeleryPublisher(new_app(secured.url(host)), secured.url(host))
    with pytest.raises(Unavailable, match=r"the broker is unavailable"):
        publisher.publish([("default", "order-1")])
