"""Queued invocations through Celery and a real Redis, which forgets messages, and a dispatcher
whose broker says nothing useful.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.jackfield_celery.engine_stand import EngineStand, engine_stand

from jackfield.invocation.entry import Entry
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import Unavailable
from jackfield.kernel.rate_limiter import Lines
from jackfield_celery import dispatcher
from jackfield_celery.broker import new_app
from jackfield_celery.dispatcher import Dispatcher
from jackfield_celery.outbox import Message, Outbox
from jackfield_celery.publisher import CeleryPublisher
from jackfield_store.queue import Engine, broker_warning
from redis_server import Redis

_WITHIN = 60.0


def _restart(redis: Redis) -> None:
    redis.stop()
    redis.start()


_FAULTS: dict[str, Callable[[Redis], object]] = {
    "flush": Redis.flush,
    "restart": _restart,
    "a stopped worker": Redis.take,
}


def test_redis_is_a_broker(tmp_path: Path, redis: Redis) -> None:
    """Each invocation runs once, duplicate messages run nothing."""
    with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", redis.url) as stand:

        def step(_engine: Engine) -> None:
            ids = [stand.queue(f"order-{number}") for number in range(20)]
            stand.ended(*ids)
            publisher = CeleryPublisher(new_app(stand.queue_url), stand.queue_url)
            publisher.publish([("default", identifier) for identifier in ids])
            publisher.close()
            stand.ended(stand.queue("last"))

        stand.work(step)
        assert stand.calls == dict.fromkeys(stand.calls, 1)
        assert len(stand.calls) == 21


def test_of_several_servers_a_replica_is_passed_over(tmp_path: Path, redis: Redis) -> None:
    """A server and a worker whose first URLs name replicas work with the primary, also after the
    two have changed, as by Sentinel.
    """
    other = Redis()
    with closing(other):
        other.client.execute_command("REPLICAOF", "127.0.0.1", redis.port)
        urls = f"{other.url};{other.url};{redis.url}"
        with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", urls) as stand:

            def step(_engine: Engine) -> None:
                stand.ended(stand.queue("before"), within=_WITHIN)
                other.client.execute_command("REPLICAOF", "NO", "ONE")
                redis.client.execute_command("REPLICAOF", "127.0.0.1", other.port)
                stand.ended(stand.queue("afterwards"), within=_WITHIN)

            try:
                assert broker_warning({"JACKFIELD_QUEUE_URL": urls}) is None
                stand.work(step)
            finally:
                redis.client.execute_command("REPLICAOF", "NO", "ONE")
            assert stand.calls == {"before": 1, "afterwards": 1}


@pytest.mark.parametrize("fault", _FAULTS)
def test_r1_messages_that_redis_has_lost_stop_nobody(
    fault: str, tmp_path: Path, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that was queued before and after a flush, a restart, or a stopped worker that took the
    messages, runs once.

    The list of messages is empty then, which is no list at all to Redis.
    """
    monkeypatch.setattr(dispatcher, "_LOST", 0.2)
    with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", redis.url) as stand:

        def step(_engine: Engine) -> list[Entry]:
            ids = [stand.queue("running", inputs={"wait": True})]
            assert stand.begun.acquire(timeout=_WITHIN)
            ids += [stand.queue(f"before-{number}") for number in range(12)]
            _until(lambda: redis.client.exists("jackfield"), "no message was published")
            _FAULTS[fault](redis)
            ids += [stand.queue(f"after-{number}") for number in range(12)]
            stand.gate.set()
            return stand.ended(*ids, within=_WITHIN)

        entries = stand.work(step, slots=1)
        assert {entry.status for entry in entries} == {"succeeded"}
        assert stand.calls == dict.fromkeys(stand.calls, 1)
        assert len(stand.calls) == 25


def test_r1_nothing_waits_behind_a_lost_message(tmp_path: Path, redis: Redis) -> None:
    """While one invocation is released and its message is gone, others are handed over beside
    it.
    """
    with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", redis.url) as stand:
        lost = stand.queue("lost")
        Outbox(stand.journal.database, SystemClock()).mark([("default", lost)])
        stand.work(lambda _engine: stand.ended(stand.queue("other")))
        assert stand.journal.find(lost).status == "queued"
        assert stand.calls == {"other": 1}


class _Publisher:
    """A broker that takes messages and drops them; ``waiting`` is its answer to a look, None for an
    error.
    """

    def __init__(self, waiting: int | None) -> None:
        self._waiting = waiting
        self.published: list[str] = []
        self.looks = threading.Semaphore(0)

    def publish(self, messages: Sequence[Message]) -> None:
        """Note the ids."""
        self.published += [identifier for _, identifier in messages]

    def ready(self) -> int:
        """Answer as told."""
        self.looks.release()
        if self._waiting is None:
            raise Unavailable("the broker is unavailable")
        return self._waiting

    def dead(self, _most: int) -> Iterable[Message]:
        """Return nothing."""
        return ()

    def close(self) -> None:
        """Do nothing."""


@pytest.mark.parametrize("waiting", [None, 1_000_000], ids=["no answer", "a wrong answer"])
def test_r1_no_answer_of_a_broker_stops_recall_or_release(
    waiting: int | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A dispatcher that cannot count the broker's messages, or counts others' too, releases what is
    due and recalls what was lost.
    """
    monkeypatch.setattr(dispatcher, "_LOST_ANYWAY", 0.2, raising=False)
    with engine_stand(
        tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", "redis://127.0.0.1:1/0"
    ) as stand:
        lost, other = stand.queue("lost"), stand.queue("other")
        Outbox(stand.journal.database, SystemClock()).mark([("default", lost)])
        _has_slots(stand)
        publisher = _Publisher(waiting)
        found = Dispatcher(stand.runtimes, publisher, Lines(logging.getLogger("jackfield.queue")))
        found.start()
        _until(lambda: set(publisher.published) >= {lost, other}, "not all was published")
        found.stop()
    assert ("the broker's queues cannot be read" in caplog.text) == (waiting is None)
    assert "cannot be handed to the broker" not in caplog.text


def test_r1_without_workers_messages_do_not_add_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While no worker lives, nothing is recalled from a broker that holds its message."""
    monkeypatch.setattr(dispatcher, "_LOST_ANYWAY", 0.0, raising=False)
    with engine_stand(
        tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", "redis://127.0.0.1:1/0"
    ) as stand:
        held = stand.queue("held")
        outbox = Outbox(stand.journal.database, SystemClock())
        outbox.mark([("default", held)])
        publisher = _Publisher(1)
        found = Dispatcher(stand.runtimes, publisher, Lines(logging.getLogger("jackfield.queue")))
        found.start()
        for _ in range(3):
            assert publisher.looks.acquire(timeout=_WITHIN)
        found.stop()
        assert publisher.published == []
        assert outbox.released() == 1


def _has_slots(stand: EngineStand) -> None:
    """Register this process as a worker that can run invocations."""
    from jackfield_store.journal.instance import Instance

    Instance.of(stand.runtimes.storage.database).slots = 4
    stand.runtimes.watch()


def _until(holds: Callable[[], object], message: str) -> None:
    deadline = time.monotonic() + _WITHIN
    while not holds():
        assert time.monotonic() < deadline, message
        threading.Event().wait(0.01)
