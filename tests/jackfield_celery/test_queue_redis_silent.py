"""Queued invocations through a Redis that a network cuts off: each runs once, and all goes on by
itself once the network is back.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.jackfield_celery.engine_stand import engine_stand

from database_proxy import DatabaseProxy
from http_stand import say, standing
from jackfield_store.queue import broker_warning
from redis_server import Redis

_WITHIN = 60.0
_BACK = 30.0
"""Seconds after the network's return within which all has run: a machine that does nothing else
needs three.
"""
_FAULT = 6.0
"""Seconds that a fault lasts: longer than any wait for Redis, and than a lost message waits."""
_PAUSE = threading.Event()
FAULTS: dict[str, tuple[Callable[[DatabaseProxy], object], Callable[[DatabaseProxy], object]]] = {
    "hold, deliver": (DatabaseProxy.hold, DatabaseProxy.deliver),
    "hold, reset": (DatabaseProxy.hold, DatabaseProxy.reset),
    "hold answers, deliver": (lambda proxy: proxy.hold("client"), DatabaseProxy.deliver),
    "hold answers, reset": (lambda proxy: proxy.hold("client"), DatabaseProxy.reset),
    "hold questions, reset": (lambda proxy: proxy.hold("server"), DatabaseProxy.reset),
    "drop, deliver": (DatabaseProxy.drop, DatabaseProxy.deliver),
    "drop answers, deliver": (lambda proxy: proxy.drop("client"), DatabaseProxy.deliver),
    "drop questions, deliver": (lambda proxy: proxy.drop("server"), DatabaseProxy.deliver),
    "late": (lambda proxy: proxy.delay(0.3), lambda proxy: proxy.delay(0.0)),
}
"""How each fault begins, and how it ends; after one that drops bytes, connections stay whose far
side knows nothing of them.
"""
ONCE = ("hold, deliver", "drop answers, deliver")
"""Cases that are no campaign."""


@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=() if name in ONCE else pytest.mark.campaign) for name in FAULTS],
)
def test_all_run_once_beside_a_redis_that_is_cut_off(
    fault: str, tmp_path: Path, redis: Redis
) -> None:
    """What is queued before, during and after the fault runs once, and all goes on by itself."""
    begin, end = FAULTS[fault]
    port = int(redis.url.rpartition(":")[2].partition("/")[0])
    with (
        DatabaseProxy(port) as proxy,
        engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", _url(proxy)) as stand,
    ):

        def step(_engine: object) -> None:
            stand.ended(stand.queue("first"), within=_WITHIN)
            ids = [stand.queue(f"before-{number}") for number in range(8)]
            begin(proxy)
            until, number = time.monotonic() + _FAULT, 0
            while time.monotonic() < until:
                ids.append(stand.queue(f"meanwhile-{number}"))
                number += 1
                _PAUSE.wait(0.2)
            end(proxy)
            ids += [stand.queue(f"after-{number}") for number in range(8)]
            entries = stand.ended(*ids, within=_BACK)
            assert {entry.status for entry in entries} == {"succeeded"}

        stand.work(step)
        assert stand.calls == dict.fromkeys(stand.calls, 1)
        assert len(stand.calls) > 16


def _url(proxy: DatabaseProxy) -> str:
    return f"redis://127.0.0.1:{proxy.port}/0"


def test_probes_warn_of_a_broker_that_does_not_answer(tmp_path: Path, redis: Redis) -> None:
    """A server with a silent broker stays ready and says so, takes what is to be queued, and says
    nothing once the broker is back.
    """
    port = int(redis.url.rpartition(":")[2].partition("/")[0])
    with DatabaseProxy(port) as proxy, standing(tmp_path, JACKFIELD_QUEUE_URL=_url(proxy)) as stand:
        client = stand.client()
        connected = client.post(
            "/v1/connections",
            {"name": "stored", "type": "echo/token", "values": {"token": "secret-4711"}},
        )
        assert connected.status == 201, connected.json

        def warned() -> bool:
            reply = client.get("/readyz")
            assert reply.status == 200, reply.json
            return any(
                text.startswith("the broker is unavailable")
                for text in json.loads(reply.body).get("warnings", ())
            )

        assert not warned()
        proxy.hold()
        _until(warned, "the broker is silent, and no probe says so")
        reply = client.post(
            "/v1/invocations", say("say", "stored", text="later"), Prefer="respond-async"
        )
        assert reply.status == 202, reply.json
        proxy.deliver()
        _until(lambda: not warned(), "the broker is back, and probes warn of it")


def test_a_probe_of_a_broker_takes_a_second(redis: Redis) -> None:
    """A broker that answers is no warning; one that is silent, or refuses connections, is one after
    a second.
    """
    port = int(redis.url.rpartition(":")[2].partition("/")[0])
    with DatabaseProxy(port) as proxy:
        environment = {"JACKFIELD_QUEUE_URL": _url(proxy)}
        assert broker_warning({}) is None
        assert broker_warning(environment) is None
        proxy.hold()
        assert "unavailable" in (broker_warning(environment) or "")
        proxy.deliver()
        assert broker_warning(environment) is None
        proxy.point_at(1)
        assert "unavailable" in (broker_warning(environment) or "")


def _until(holds: Callable[[], object], message: str) -> None:
    deadline = time.monotonic() + _WITHIN
    while not holds():
        assert time.monotonic() < deadline, message
        _PAUSE.wait(0.1)
