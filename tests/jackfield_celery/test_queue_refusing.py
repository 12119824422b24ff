"""A broker that is away, or answers and takes no messages: servers are ready with a warning, since
direct calls work; workers, which run nothing, are not ready.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from http_stand import Client, clean, say, standing
from jackfield.kernel.errors import Unavailable
from jackfield_celery.broker import QUEUE, new_app
from jackfield_celery.publisher import CeleryPublisher
from jackfield_store.queue import broker_warning
from plugboard import make_echo
from ports import free_port
from rabbitmq import Node
from redis_server import Redis
from waiting import until

_FULL = {"maxmemory": "1", "maxmemory-policy": "noeviction"}


def _fill(redis: Redis) -> None:
    for name, value in _FULL.items():
        redis.client.config_set(name, value)


def _empty(redis: Redis) -> None:
    redis.client.config_set("maxmemory", "0")


def _allow(command: str, redis: Redis) -> None:
    redis.client.execute_command("ACL", "SETUSER", "default", command)


_REFUSALS: dict[str, tuple[Callable[[Redis], object], Callable[[Redis], object], str]] = {
    "full": (_fill, _empty, "OOM|maxmemory"),
    "replica": (
        lambda redis: redis.client.execute_command("REPLICAOF", "127.0.0.1", "1"),
        lambda redis: redis.client.execute_command("REPLICAOF", "NO", "ONE"),
        "read only replica",
    ),
    "too few replicas": (
        lambda redis: redis.client.config_set("min-replicas-to-write", "1"),
        lambda redis: redis.client.config_set("min-replicas-to-write", "0"),
        "replicas",
    ),
    "may not publish": (partial(_allow, "-lpush"), partial(_allow, "+lpush"), "no permissions"),
    "may not take": (partial(_allow, "-brpop"), partial(_allow, "+brpop"), "no permissions"),
    "another's key": (
        lambda redis: redis.client.set(QUEUE, "x"),
        lambda redis: redis.client.delete(QUEUE),
        "wrong kind of value",
    ),
    "away": (Redis.stop, Redis.start, "unavailable"),
}


@contextmanager
def _worker(folder: Path, url: str) -> Iterator[Client]:
    """A worker with its probes, and the echo connector."""
    echo = os.pathsep.join(map(str, make_echo(folder / "echo")))
    environment, port = (
        clean(folder / "home", JACKFIELD_QUEUE_URL=url, PYTHONPATH=echo),
        free_port(),
    )
    command = [sys.executable, "-m", "jackfield", "worker", "--health-port", str(port)]
    with (
        (folder / "worker.log").open("w") as log,
        subprocess.Popen(command, env=environment, stderr=log) as process,
    ):
        try:
            yield Client(port, timeout=120.0)
        finally:
            process.terminate()
            process.wait(60)


def _says(client: Client) -> tuple[int, list[str]]:
    """Status and kinds of the process's readiness."""
    with suppress(OSError):  # a worker that begins does not listen yet, or has no time to answer
        found = client.get("/readyz")
        return found.status, [found.json["kind"]] if found.status == 503 else found.json.get(
            "kinds", []
        )
    return 0, []


def _are_well(server: Client, worker: Client) -> bool:
    return (_says(server), _says(worker)) == ((200, []), (200, []))


def _are_without_broker(server: Client, worker: Client) -> bool:
    return (_says(server), _says(worker)) == ((200, ["broker"]), (503, ["broker"]))


@pytest.mark.parametrize("refusal", _REFUSALS)
def test_a_redis_that_refuses_writes_or_is_away(refusal: str, tmp_path: Path, redis: Redis) -> None:
    """The server warns and the worker answers 503 as long as it lasts, with the same kind whatever
    the cause, and both are ready afterwards.
    """
    begin, end, cause = _REFUSALS[refusal]
    with (
        standing(tmp_path, JACKFIELD_QUEUE_URL=redis.url) as stand,
        _worker(tmp_path, redis.url) as worker,
    ):
        server = stand.client()
        until(partial(_are_well, server, worker))
        begin(redis)
        try:
            until(partial(_are_without_broker, server, worker))
            warning = broker_warning({"JACKFIELD_QUEUE_URL": redis.url})
            assert re.search(cause, warning or "")
        finally:
            end(redis)
        until(partial(_are_well, server, worker))
    assert not redis.client.exists("jackfield.trial")


def test_a_rabbitmq_whose_user_may_not_publish(tmp_path: Path, rabbitmq: Node) -> None:
    """The permission is taken away and given back: the server warns and the worker answers 503
    meanwhile.
    """
    with (
        standing(tmp_path, JACKFIELD_QUEUE_URL=rabbitmq.url) as stand,
        _worker(tmp_path, rabbitmq.url) as worker,
    ):
        server = stand.client()
        until(partial(_are_well, server, worker))
        for writes, holds in (("^$", _are_without_broker), (".*", _are_well)):
            rabbitmq.control("set_permissions", "-p", "/", "guest", ".*", writes, ".*")
            until(partial(holds, server, worker))


_ALARMS = {"memory": "set_vm_memory_high_watermark", "disk": "set_disk_free_limit"}
"""What of a node gives an alarm, and how its limit is set."""


@pytest.mark.parametrize("alarm", _ALARMS)
def test_a_rabbitmq_with_an_alarm(alarm: str, tmp_path: Path, rabbitmq: Node) -> None:
    """A node with an alarm about its memory or its disk confirms nothing: the server warns and the
    worker answers 503 as long as it lasts, and both are ready afterwards.
    """
    limits = {"memory": ("absolute", "1"), "disk": ("mem_relative", "100000")}
    usual = {"memory": ("absolute", "400MB"), "disk": ("10MB",)}
    with (
        standing(tmp_path, JACKFIELD_QUEUE_URL=rabbitmq.url) as stand,
        _worker(tmp_path, rabbitmq.url) as worker,
    ):
        server = stand.client()
        until(partial(_are_well, server, worker))
        rabbitmq.control(_ALARMS[alarm], *limits[alarm])
        try:
            until(partial(_are_without_broker, server, worker))
            warning = broker_warning({"JACKFIELD_QUEUE_URL": rabbitmq.url})
            assert "blocks who publishes" in (warning or "")
        finally:
            rabbitmq.control(_ALARMS[alarm], *usual[alarm])
        until(partial(_are_well, server, worker))


def test_a_rabbitmq_that_is_away(tmp_path: Path, rabbitmq: Node) -> None:
    """It is stopped and started again: the server warns and the worker answers 503 meanwhile."""
    with (
        standing(tmp_path, JACKFIELD_QUEUE_URL=rabbitmq.url) as stand,
        _worker(tmp_path, rabbitmq.url) as worker,
    ):
        server = stand.client()
        until(partial(_are_well, server, worker))
        rabbitmq.stop()
        try:
            until(partial(_are_without_broker, server, worker))
        finally:
            rabbitmq.start()
        until(partial(_are_well, server, worker))


def test_a_full_queue_of_rabbitmq_loses_no_call(tmp_path: Path, rabbitmq: Node) -> None:
    """A policy of the node refuses what is published to a full queue. Probes, which publish to no
    queue, stay ready; calls are accepted and stay in the journal, and each runs once as workers
    take what is there.
    """
    rabbitmq.control(
        "set_policy",
        "full",
        "^jackfield$",
        '{"max-length": 1, "overflow": "reject-publish"}',
        "--apply-to",
        "queues",
    )
    try:
        with standing(tmp_path, JACKFIELD_QUEUE_URL=rabbitmq.url) as stand:
            server = stand.client()
            stored = {"name": "hall", "type": "echo/token", "values": {"token": "secret-4711"}}
            assert server.post("/v1/connections?test=false", stored).status == 201
            calls = [
                server.post(
                    "/v1/invocations", say("say", "hall", text=str(number)), Prefer="respond-async"
                )
                for number in range(9)
            ]
            assert {call.status for call in calls} == {202}
            with closing(CeleryPublisher(new_app(rabbitmq.url), rabbitmq.url)) as broker:
                until(lambda: broker.ready() > 1)
                with pytest.raises(Unavailable):
                    broker.publish([("default", "no-room")])
            until(lambda: _says(server) == (200, []))
            paths = [f"/v1/invocations/{call.json['invocationId']}" for call in calls]
            with _worker(tmp_path, rabbitmq.url) as worker:
                until(lambda: _says(worker) == (200, []))
                until(lambda: all(server.get(path).json["status"] == "succeeded" for path in paths))
            assert [len(server.get(path).json["attempts"]) for path in paths] == [1] * len(paths)
    finally:
        rabbitmq.control("clear_policy", "full")
