"""Messages that somebody forges on the broker, RabbitMQ or Redis: they run nothing, fill nothing
and end nobody.
"""

from __future__ import annotations

import base64
import json
import resource
import time
import uuid
import zlib
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from tests.jackfield_celery.engine_stand import EngineStand, engine_stand, published

from jackfield_celery.broker import QUEUE, TASK, new_app
from jackfield_celery.publisher import CeleryPublisher
from jackfield_celery.transport import DEAD
from jackfield_store.queue import Engine
from ports import free_port
from redis_server import Redis

OURS = {
    "lang": "py",
    "task": TASK,
    "id": "1",
    "root_id": "1",
    "retries": 0,
    "timelimit": [None, None],
    "ignore_result": True,
}


@cache
def bomb() -> bytes:
    """200 MiB in 200 kB, made piece by piece: what is made at once would raise the peak below which
    the memory of the test must stay.
    """
    pack, piece = zlib.compressobj(9), b" " * (1024 * 1024)
    return pack.compress(b"[") + b"".join(pack.compress(piece) for _ in range(200)) + pack.flush()


def forged(identifier: str) -> list[tuple[bytes, Mapping[str, Any], str]]:
    """Bodies, headers and content types; ``identifier`` is an invocation that has ended."""
    named = [
        ["default", identifier],
        {},
        {"callbacks": None, "errbacks": None, "chain": None, "chord": None},
    ]
    body = json.dumps(named).encode()
    padded = json.dumps([*named, " " * 4096]).encode()
    return [
        (bomb(), {**OURS, "compression": "application/x-gzip"}, "application/json"),
        (zlib.compress(body), {**OURS, "compression": "application/x-gzip"}, "application/json"),
        (body, {**OURS, "compression": "nonsense"}, "application/json"),
        (padded, OURS, "application/json"),
        (b"[" * 100_000 + b"]" * 100_000, OURS, "application/json"),
        (b"cos\nsystem\n(S'false'\ntR.", OURS, "application/x-python-serialize"),
        (b"!!python/object/apply:os.system ['false']", OURS, "application/x-yaml"),
        (b"garbage", {}, "application/json"),
        (body, {**OURS, "task": "celery.accumulate"}, "application/json"),
        (
            json.dumps(
                {"task": "celery.accumulate", "id": "1", "args": [1], "kwargs": {}}
            ).encode(),
            {},
            "application/json",
        ),
        (body, {**OURS, "eta": "2999-01-01T00:00:00"}, "application/json"),
        (body, {**OURS, "shadow": "a name of its own, which Celery remembers"}, "application/json"),
        (json.dumps([["../../x' OR 1=1", "a\n"], {}, {}]).encode(), OURS, "application/json"),
    ]


def dead_letters(stand: EngineStand, count: int) -> int:
    """The number of dead letters, once the broker has taken back what those who left had not
    acknowledged.
    """
    found, end = -1, time.monotonic() + 30
    with (
        new_app(stand.queue_url).connection_for_read() as connection,
        closing(connection.channel()) as channel,
    ):
        while found != count and time.monotonic() < end:
            Event().wait(0.05)
            found = channel.queue_declare(
                DEAD, passive=stand.queue_url.startswith("amqp")
            ).message_count
    return found


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dispatcher that leaves the dead letters where they are."""
    monkeypatch.setattr(CeleryPublisher, "dead", lambda _publisher, _most: ())


@pytest.mark.parametrize("broker", ["rabbitmq", "redis"])
@pytest.mark.usefixtures("quiet")
def test_forged_messages_become_dead_letters(
    broker: str, tmp_path: Path, request: pytest.FixtureRequest, caplog: pytest.LogCaptureFixture
) -> None:
    """Security-2, holes 6 and 7: Redis lost what was refused, while the log said that it was moved,
    and 400 kB filled 900 MB. The broker is the second of two: the first one does not answer.
    """
    url = request.getfixturevalue(broker).url
    urls = f"{url.partition(':')[0]}://127.0.0.1:{free_port()};{url}"
    with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", urls) as stand:

        def step(_engine: Engine) -> int:
            first = stand.queue("first")
            stand.ended(first)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            messages = forged(first)
            with (
                new_app(stand.queue_url).connection_for_write() as connection,
                closing(connection.channel()) as channel,
            ):
                for body, headers, kind in messages:
                    message = channel.prepare_message(
                        body,
                        content_type=kind,
                        content_encoding="utf-8",
                        headers=dict(headers),
                        properties={
                            "delivery_info": {"exchange": "", "routing_key": QUEUE},
                            "delivery_mode": 2,
                            "correlation_id": "1",
                        },
                    )
                    published(channel, message, QUEUE)
            stand.ended(*[stand.queue(f"order-{number}") for number in range(10)])
            assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024
            # while the engine works: calls may overtake messages that other threads refuse
            dead_letters(stand, len(messages))
            return len(messages)

        count = stand.work(step)
        assert dead_letters(stand, count) == count
        assert stand.calls == dict.fromkeys(stand.calls, 1)
    assert (
        caplog.text.count("an unreadable message was moved to the broker's queue 'jackfield.dead'")
        == count
    )


@pytest.mark.usefixtures("quiet")
def test_what_is_no_message_does_not_end_the_consumer_of_redis(
    tmp_path: Path, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Security-2, hole 6: what was no JSON or no envelope ended the connection, and was lost; the
    dead letters have it now, readable.
    """
    about = {
        "delivery_tag": str(uuid.uuid4()),
        "delivery_info": {"exchange": "", "routing_key": QUEUE},
        "body_encoding": "base64",
    }
    whole = {
        "body": base64.b64encode(b"[]").decode(),
        "content-type": "application/json",
        "headers": {},
        "properties": about,
    }
    garbage: list[Any] = [
        b"{not json",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"7",
        b"[" * 50_000,
        b"x" * 1_000_000,
        {"body": "x"},
        {**whole, "headers": []},
        {**whole, "headers": 7},
        {**whole, "body": 7},
        {**whole, "body": "é"},
        {**whole, "properties": {}},
        {**whole, "properties": {**about, "delivery_tag": [1]}},
        {**whole, "content-type": ["a"]},
        {**whole, "properties": {**about, "body_encoding": "zip"}},
        {**whole, "properties": {**about, "delivery_info": {}}},
    ]
    with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", redis.url) as stand:

        def step(_engine: Engine) -> None:
            stand.ended(stand.queue("first"))
            for item in garbage:
                redis.client.lpush(QUEUE, item if isinstance(item, bytes) else json.dumps(item))
            stand.ended(*[stand.queue(f"order-{number}") for number in range(10)])

        stand.work(step)
        assert dead_letters(stand, len(garbage)) == len(garbage)
        with (
            new_app(redis.url).connection_for_read() as connection,
            closing(connection.channel()) as channel,
        ):
            bodies = [channel.basic_get(DEAD).body for _ in garbage]
        assert b"{not json" in bodies
        assert stand.calls == dict.fromkeys(stand.calls, 1)
    assert "the connection to the broker is lost" not in caplog.text
    assert "Celery's worker ended by itself" not in caplog.text
