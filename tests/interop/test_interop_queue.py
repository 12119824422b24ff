"""Queued calls beside RabbitMQ's consumer timeout, Redis Sentinel, and a standby of PostgreSQL that
is promoted.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from redis import Redis as Client
from redis.exceptions import RedisError
from tests.jackfield_celery.engine_stand import EngineStand, engine_stand

from ports import free_ports
from postgres import Server, running_server
from rabbitmq import Node
from redis_server import Redis

pytestmark = pytest.mark.interop
_WITHIN = 120.0
_PAUSE = threading.Event()


def _until(holds: Callable[[], object]) -> None:
    end = time.monotonic() + _WITHIN
    while not holds():
        assert time.monotonic() < end
        _PAUSE.wait(0.05)


def _once(stand: EngineStand, count: int) -> None:
    assert stand.calls == dict.fromkeys(stand.calls, 1)
    assert len(stand.calls) == count


def test_a_call_outlasts_the_consumer_timeout(tmp_path: Path, rabbitmq: Node) -> None:
    """RabbitMQ closes the channel of a worker that keeps a message for longer, and delivers it
    again: the call goes on and ends once, and the worker takes further messages.
    """
    for name, milliseconds in (("channel_tick_interval", 500), ("consumer_timeout", 2_000)):
        rabbitmq.control("eval", f"application:set_env(rabbit, {name}, {milliseconds}).")
    try:
        with engine_stand(
            tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", rabbitmq.url
        ) as stand:

            def step(_engine: object) -> None:
                long = stand.queue("long", inputs={"wait": True})
                assert stand.begun.acquire(timeout=_WITHIN)
                for number in range(3):
                    _PAUSE.wait(4)  # longer than the timeout and the tick
                    stand.ended(stand.queue(f"beside-{number}"), within=_WITHIN)
                stand.gate.set()
                assert stand.ended(long, within=_WITHIN)[0].status == "succeeded"
                stand.ended(stand.queue("afterwards"), within=_WITHIN)

            stand.work(step)
            _once(stand, 5)
            assert any(
                "timed out" in log.read_text(encoding="utf-8", errors="replace")
                for log in (rabbitmq.folder / "log").iterdir()
            )
    finally:
        for name, milliseconds in (
            ("channel_tick_interval", 60_000),
            ("consumer_timeout", 1_800_000),
        ):
            rabbitmq.control("eval", f"application:set_env(rabbit, {name}, {milliseconds}).")


@contextmanager
def _sentinel(folder: Path, primary: Redis) -> Iterator[Client]:
    """Redis Sentinel that watches a primary."""
    (port,) = free_ports(1)
    about = f"port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {primary.port} 1\n"
    (folder / "sentinel.conf").write_text(
        f"{about}sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n"
    )
    program = shutil.which("redis-server")
    assert program is not None
    with subprocess.Popen(
        [program, str(folder / "sentinel.conf"), "--sentinel"], stdout=subprocess.DEVNULL
    ) as process:
        client = Client(port=port)
        try:
            yield client
        finally:
            client.close()
            process.kill()


def _is_primary(server: Redis) -> bool:
    with suppress(RedisError, OSError):
        return bool(server.client.info("replication")["role"] == "master")
    return False


def test_sentinel_promotes_a_replica(tmp_path: Path) -> None:
    """A primary that is killed, comes back as a replica, and is made the primary again by order:
    each call runs once.
    """
    first, second = Redis(), Redis()
    second.client.execute_command("REPLICAOF", "127.0.0.1", first.port)
    url = f"{first.url};{second.url}"
    try:
        with (
            _sentinel(tmp_path, first) as sentinel,
            engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", url) as stand,
        ):
            _until(lambda: dict(sentinel.sentinel_master("main")).get("num-slaves") == 1)

            def step(_engine: object) -> None:
                stand.ended(stand.queue("first"), within=_WITHIN)
                first.stop()
                ids = [stand.queue(f"meanwhile-{number}") for number in range(5)]
                _until(lambda: _is_primary(second))
                stand.ended(*ids, within=_WITHIN)
                first.start()
                _until(lambda: not _is_primary(first))
                stand.ended(stand.queue("back"), within=_WITHIN)

                def ordered() -> bool:
                    with suppress(RedisError):  # the one before is not over
                        sentinel.execute_command("SENTINEL", "FAILOVER", "main")
                    return _is_primary(first)

                _until(ordered)
                stand.ended(
                    *[stand.queue(f"ordered-{number}") for number in range(5)], within=_WITHIN
                )

            stand.work(step)
            _once(stand, 12)
            stand.work(lambda _engine: stand.ended(stand.queue("started later"), within=_WITHIN))
            _once(stand, 13)
    finally:
        first.close()
        second.close()


def test_a_standby_is_promoted_under_workers(tmp_path: Path, rabbitmq: Node) -> None:
    """The primary of a synchronous pair is killed while calls wait, run and are queued: what was
    accepted ends, and nothing runs twice.
    """
    with running_server() as primary:
        standby = Server.standby_of(primary, primary.folder.parent / "standby")
        try:
            with psycopg.connect(primary.url(), autocommit=True) as admin:
                admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
                admin.execute("SELECT pg_reload_conf()")
                _until(
                    lambda: (
                        admin.execute(
                            "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
                        ).fetchone()
                        is not None
                    )
                )
            name = primary.create().rpartition("/")[2]
            hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
            url = f"postgresql://postgres@{hosts}/{name}?target_session_attrs=read-write"
            with engine_stand(tmp_path, url, rabbitmq.url) as stand:

                def step(_engine: object) -> None:
                    running = [
                        stand.queue(f"running-{number}", inputs={"wait": True})
                        for number in range(2)
                    ]
                    for _ in running:
                        assert stand.begun.acquire(timeout=_WITHIN)
                    ids = [stand.queue(f"waiting-{number}") for number in range(20)]
                    primary.kill()
                    standby.promote()
                    stand.gate.set()
                    _until(lambda: _queued(stand, ids))
                    assert {
                        entry.status for entry in stand.ended(*running, *ids, within=_WITHIN)
                    } == {"succeeded"}

                stand.work(step)
                _once(stand, 23)
        finally:
            standby.stop()


def _queued(stand: EngineStand, ids: list[str]) -> bool:
    with suppress(Exception):
        ids.append(stand.queue(f"later-{len(ids)}"))
        return True
    return False
