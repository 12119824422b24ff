"""Queued invocations through Celery and a real RabbitMQ, with the engine in this process;
test_queue_redis.py does the same with Redis.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.worker import state
from tests.jackfield_celery.engine_stand import EngineStand, engine_stand, published

from clocks import StillClock
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.rate_limiter import Lines
from jackfield_celery import dispatcher, worker
from jackfield_celery.broker import QUEUE, TASK, new_app
from jackfield_celery.outbox import Outbox
from jackfield_celery.publisher import CeleryPublisher
from jackfield_celery.transport import DEAD
from jackfield_celery.worker import Consumer, Worker
from jackfield_store.queue import Engine, check_queue
from ports import free_port
from rabbitmq import Node
from tls_front import pump


@pytest.fixture
def stand(tmp_path: Path, rabbitmq: Node) -> Iterator[EngineStand]:
    """An engine on SQLite, and RabbitMQ: for what lies between the engine and the broker."""
    with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", rabbitmq.url) as found:
        yield found


@pytest.fixture
def each_stand(tmp_path: Path, database_url: str, rabbitmq: Node) -> Iterator[EngineStand]:
    """An engine on SQLite or PostgreSQL, whose claims differ, and RabbitMQ."""
    with engine_stand(tmp_path, database_url, rabbitmq.url) as found:
        yield found


@pytest.mark.above_sql
def test_queued_invocations_run_through_the_broker(each_stand: EngineStand) -> None:
    """Each invocation runs once, and its message is gone from the broker when the engine has
    stopped.
    """
    ids = [each_stand.queue(f"order-{number}") for number in range(40)]
    entries = each_stand.work(lambda _engine: each_stand.ended(*ids))
    assert {entry.status for entry in entries} == {"succeeded"}
    assert each_stand.calls == {f"order-{number}": 1 for number in range(40)}
    assert _waiting(each_stand) == {QUEUE: 0, DEAD: 0}


def test_duplicate_messages_are_harmless(each_stand: EngineStand) -> None:
    """A message that arrives again while its invocation runs, or after it has ended, runs
    nothing.
    """

    def step(_engine: Engine) -> None:
        first = each_stand.queue("first", inputs={"wait": True})
        assert each_stand.begun.acquire(timeout=60)
        _publish(each_stand, [first] * 5)
        each_stand.ended(each_stand.queue("second"))
        each_stand.gate.set()
        each_stand.ended(first)
        _publish(each_stand, [first] * 5)
        each_stand.ended(each_stand.queue("third"))

    each_stand.work(step)
    assert each_stand.calls == {"first": 1, "second": 1, "third": 1}


def test_garbage_goes_to_the_dead_letters(
    stand: EngineStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a worker cannot run is moved to the dead letters, and it goes on. What names no
    invocation stays there after the dispatcher.
    """
    monkeypatch.setattr(CeleryPublisher, "dead", lambda _publisher, _most: ())
    ours = {"task": TASK, "id": "1"}
    garbage: list[tuple[bytes, dict[str, Any], str]] = [
        (b"garbage", {}, "application/json"),
        (b"\xff\xfe", ours, "application/json"),
        (b'[["default"], {}, {}]', ours, "application/json"),
        (b'[["default", 7], {}, {}]', ours, "application/json"),
        (b'[["default", "x"], {}, {}]', {**ours, "eta": "2999-01-01T00:00:00"}, "application/json"),
        (b'[["default", "x"], {}, {}]', {"task": ["a"], "id": "1"}, "application/json"),
        (b'[["default", "x"], {}, {}]', {"task": "another", "id": "1"}, "application/json"),
        (b"cposix", ours, "application/x-python-serialize"),
        (b'[["default", "\\u0000"], {}, {}]', ours, "application/json"),
        (b'[["\\ud800", "x"], {}, {}]', ours, "application/json"),
    ]

    def step(_engine: Engine) -> None:
        stand.ended(stand.queue("first"))
        with _channel(stand) as channel:
            for body, headers, content in garbage:
                message = channel.prepare_message(
                    body, content_type=content, content_encoding="utf-8", headers=headers
                )
                published(channel, message, QUEUE)
        stand.ended(*[stand.queue(f"order-{number}") for number in range(10)])

    stand.work(step)
    assert _waiting(stand, dead=len(garbage)) == {QUEUE: 0, DEAD: len(garbage)}
    monkeypatch.undo()
    publisher = CeleryPublisher(new_app(stand.queue_url), stand.queue_url)
    named = list(publisher.dead(100))
    publisher.close()
    assert named == [("default", "x")] * 3
    assert _waiting(stand, dead=len(garbage) - 3) == {QUEUE: 0, DEAD: len(garbage) - 3}


class _Away:
    """A connection whose broker does not answer for a hundred tries."""

    def ensure_connection(
        self, lost: Callable[[Exception, float], None], *_given: Any, **_named: Any
    ) -> None:
        for _ in range(100):
            lost(ConnectionRefusedError(), 1.0)


class _Ending:
    """Celery's worker whose broker is away, and which ends at once."""

    starts = 0

    def __init__(self, worker: worker.Worker, clock: StillClock) -> None:
        self._worker, self._clock = worker, clock
        consumer = self._consumer = object.__new__(Consumer)
        consumer._lines, consumer.connection = worker._lines, None

    def start(self) -> None:
        """Fail as the hundredth of a second, of which the fiftieth takes a minute."""
        _Ending.starts += 1
        self._consumer.ensure_connected(_Away())
        self._consumer.on_connection_error_after_connected(ConnectionResetError())
        self._clock.advance(60.0 if _Ending.starts == 50 else 0.0)
        if _Ending.starts == 100:
            self._worker._stopped.set()


def test_a_broker_that_is_away_fills_no_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker tries each second, and says each thing once a minute, also where connections and
    Celery's workers come and go.
    """
    clock = StillClock()
    made = Worker(
        new_app("redis://127.0.0.1:1/0"),
        "one@localhost",
        1,
        lambda _message: None,
        Lines(logging.getLogger("jackfield.queue"), clock),
    )
    monkeypatch.setattr(worker, "_LONGEST_RETRY", 0.0)
    monkeypatch.setattr(made, "_new_controller", lambda: _Ending(made, clock))
    made._consume(made._new_controller())
    assert Counter(record.getMessage() for record in caplog.records) == {
        "the broker is unavailable: ConnectionRefusedError": 2,
        "the connection to the broker is lost: ConnectionResetError": 2,
        "Celery's worker ended by itself and is started again": 2,
    }


def test_what_the_broker_lost_or_gave_up_is_released_again(
    each_stand: EngineStand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An invocation whose message is lost, or lies in the dead letters, is released again by the
    journal.
    """
    monkeypatch.setattr(dispatcher, "_LOST", 0.1)
    lost, given_up = each_stand.queue("lost"), each_stand.queue("given up")
    Outbox(each_stand.journal.database, SystemClock()).mark(
        [("default", lost), ("default", given_up)]
    )
    _publish(each_stand, [])
    with _channel(each_stand) as channel:
        body = f'[["default", "{given_up}"], {{}}, {{}}]'
        published(channel, channel.prepare_message(body, content_encoding="utf-8"), DEAD)
    each_stand.work(lambda _engine: each_stand.ended(lost, given_up))
    assert each_stand.calls == {"lost": 1, "given up": 1}
    assert _waiting(each_stand) == {QUEUE: 0, DEAD: 0}


def test_queued_and_running_invocations_are_cancelled(stand: EngineStand) -> None:
    """A queued invocation is cancelled and never runs; one that was sent runs to its end, and its
    entry notes the request.
    """

    def step(engine: Engine) -> tuple[str, str]:
        running = stand.queue("running", inputs={"wait": True})
        assert stand.begun.acquire(timeout=60)
        waiting = stand.queue("waiting")
        assert engine.depth() == {"default": 1}
        assert engine.cancel("default", waiting)
        assert engine.cancel("default", running)
        stand.gate.set()
        stand.ended(stand.queue("last"))
        return running, waiting

    entries = stand.ended(*stand.work(step, slots=1))
    assert [
        (entry.status, entry.error_code, entry.cancel_requested_at is not None) for entry in entries
    ] == [
        ("succeeded", None, True),
        ("failed", "cancelled", False),
    ]
    assert stand.calls == {"running": 1, "last": 1}


def test_what_is_due_later_waits_in_the_journal(stand: EngineStand) -> None:
    """An invocation with ``notBefore`` holds neither a message nor a slot until then."""
    at = datetime.now(UTC) + timedelta(seconds=1.5)

    def step(_engine: Engine) -> str:
        later = stand.queue("later", notBefore=at.isoformat())
        stand.ended(stand.queue("now"))
        assert stand.journal.find(later).status == "queued"
        stand.ended(later)
        return later

    entry = stand.journal.find(stand.work(step, slots=1))
    assert entry.started_at is not None
    assert entry.started_at >= at.timestamp()


@pytest.mark.above_sql
def test_an_engine_that_stops_leaves_the_rest_to_others(each_stand: EngineStand) -> None:
    """Whoever stops begins nothing new: what waits stays queued, unclaimed, and the next engine
    runs it. What runs is settled by effect.
    """

    def step(_engine: Engine) -> list[str]:
        running = each_stand.queue("running", inputs={"wait": True})
        assert each_stand.begun.acquire(timeout=60)
        return [running, *[each_stand.queue(f"order-{number}") for number in range(20)]]

    running, *others = each_stand.work(step, slots=1, within=0.2)
    assert each_stand.journal.find(running).status == "in_doubt"
    assert {(entry.status, entry.owner) for entry in map(each_stand.journal.find, others)} == {
        ("queued", None)
    }
    each_stand.gate.set()
    assert {
        entry.status
        for entry in each_stand.work(lambda _engine: each_stand.ended(*others), slots=1)
    } == {"succeeded"}
    assert set(each_stand.calls.values()) == {1}
    each_stand.until(running, holds=lambda entry: entry.status == "succeeded")


class Line:
    """The line to a broker, which can be cut: then all connections end, and nobody gets through
    until it is mended.
    """

    def __init__(self, port: int) -> None:
        self._broker, self._lock = port, threading.Lock()
        self._connections: list[socket.socket] = []
        self.port = free_port()
        self.mend()

    def mend(self) -> None:
        """Let connections through, at the same port as ever."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """End all connections, and let nobody through."""
        with self._lock:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            for one in self._connections:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                outside, _ = listener.accept()
                inside = socket.create_connection(("127.0.0.1", self._broker))
                with self._lock:
                    self._connections += [outside, inside]
                    cut = listener.fileno() < 0
                threading.Thread(
                    target=self._pass_on, args=(outside, inside, cut), daemon=True
                ).start()

    @staticmethod
    def _pass_on(outside: socket.socket, inside: socket.socket, cut: bool) -> None:
        with suppress(OSError), outside, inside:
            if not cut:
                pump(outside, inside)


def test_a_broker_that_goes_away_loses_nothing(tmp_path: Path, rabbitmq: Node) -> None:
    """Without the broker, invocations are accepted and wait; what runs goes on. With its return all
    are run, each once.

    Only the line to it is cut: RabbitMQ itself is restarted by the campaigns, which takes it 8 s of
    CPU time.
    """
    line = Line(rabbitmq.port)
    url = rabbitmq.url.replace(f":{rabbitmq.port}/", f":{line.port}/")
    with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", url) as stand:

        def step(_engine: Engine) -> list[str]:
            ids = [
                stand.queue("running", inputs={"wait": True}),
                *[stand.queue(f"before-{number}") for number in range(20)],
            ]
            assert stand.begun.acquire(timeout=60)
            line.cut()
            ids += [stand.queue(f"without-{number}") for number in range(20)]
            line.mend()
            ids += [stand.queue(f"after-{number}") for number in range(20)]
            stand.ended(*ids[1:])
            stand.gate.set()
            stand.ended(ids[0])
            return ids

        ids = stand.work(step)
        assert {entry.status for entry in map(stand.journal.find, ids)} == {"succeeded"}
        assert stand.calls == dict.fromkeys(stand.calls, 1)
        assert len(stand.calls) == len(ids) == 61
    line.cut()


def test_remote_commands_stop_nothing(stand: EngineStand) -> None:
    """Commands that would stop a worker, or make it drop messages, are refused with what to do
    instead; those that ask are answered.
    """

    def step(_engine: Engine) -> None:
        stand.ended(stand.queue("first"))
        app = new_app(stand.queue_url)
        blocked = stand.queue("blocked", inputs={"wait": True})
        commands: list[tuple[str, dict[str, Any]]] = [
            ("revoke", {"task_id": blocked}),
            ("hello", {"from_node": "x@y", "revoked": {blocked: 0}}),
            ("rate_limit", {"task_name": TASK, "rate_limit": "1/h"}),
            ("cancel_consumer", {"queue": QUEUE}),
            ("shutdown", {}),
        ]
        with app.connection_for_write() as connection:
            for name, arguments in commands:
                replies = app.control.broadcast(
                    name,
                    arguments=arguments,
                    reply=True,
                    limit=1,
                    timeout=60,
                    connection=connection,
                )
                assert [
                    "refuse" in reply["error"] for found in replies for reply in found.values()
                ] == [True], name
            assert app.control.inspect(limit=1, timeout=60, connection=connection).ping()
        app.amqp.producer_pool.force_close_all()
        app.pool.force_close_all()
        stand.gate.set()
        stand.ended(blocked, *[stand.queue(f"order-{number}") for number in range(6)])

    stand.work(step)
    assert stand.calls == dict.fromkeys(stand.calls, 1)


def test_a_worker_of_celery_that_ends_is_started_again(
    tmp_path: Path, rabbitmq: Node, caplog: pytest.LogCaptureFixture
) -> None:
    """An error that Celery does not recover from ends its worker, but not ours."""
    with engine_stand(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", rabbitmq.url) as stand:

        def step(_engine: Engine) -> None:
            stand.ended(stand.queue("first"))
            state.should_stop = 1
            deadline = time.monotonic() + 60.0
            while "Celery's worker ended by itself" not in caplog.text:
                assert time.monotonic() < deadline
                threading.Event().wait(0.02)
            stand.ended(*[stand.queue(f"order-{number}") for number in range(6)])

        stand.work(step)
        assert stand.calls == dict.fromkeys(stand.calls, 1)


@pytest.mark.parametrize(
    "url", ["http://broker", "amqp://", "amqp:broker", "sqs://user:secret@broker"]
)
def test_a_url_of_no_broker_is_refused(url: str, tmp_path: Path) -> None:
    """The error names the variable and the forms that it takes, and no password."""
    with pytest.raises(InvalidInvocation, match="JACKFIELD_QUEUE_URL") as caught:
        check_queue({"JACKFIELD_HOME": str(tmp_path), "JACKFIELD_QUEUE_URL": url})
    assert "secret" not in str(caught.value)
    with pytest.raises(InvalidInvocation, match="needs a database"):
        check_queue({"JACKFIELD_DATABASE_URL": "none", "JACKFIELD_QUEUE_URL": "amqp://127.0.0.1"})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("AMQP://u:secret@h/v", "lower case"),
        ("amqp://u:secret/x@h:5672/v", "%2F"),
        ("amqp://u:secret#x@h:5672/v", "%23"),
        ("amqp://u:secret?x@h:5672/v", "%3F"),
        ("amqp://u:secret;x@h:5672/v", "%3B"),
        ("amqp://u:12#secret@h/v", "%23"),
        ("redis://:secret/x@h:6379/0", "%2F"),
        ("amqp://h:rabbit/v", "not the URL of a broker"),
        ("redis://h:99999/0", "not the URL of a broker"),
        ("redis://h ost/0", "not the URL of a broker"),
        ("redis://h/x", "number of a database"),
        ("redis://h/-1", "number of a database"),
        ("redis://h?db=3", "parameter 'db'"),
        ("redis://h/0?socket_timeout=3", "parameter 'socket_timeout'"),
        ("redis://h/0?ssl_cert_reqs=none", "parameter 'ssl_cert_reqs'"),
        ("amqp://h/v?heartbeat=30", "parameter 'heartbeat'"),
        ("amqp://h/v?ssl=true", "TLS is amqps://"),
        ("amqps://h/v?ssl_ca_certs=/ca.pem", "parameter 'ssl_ca_certs'"),
        ("amqp://a/v;http://b", "not the URL of a broker"),
    ],
)
def test_a_url_that_a_driver_reads_as_something_else_is_refused(url: str, said: str) -> None:
    """Each ended with a traceback of the driver, at the start or at a probe, in part with a piece
    of the password, or was misread.
    """
    with pytest.raises(InvalidInvocation) as caught:
        check_queue(
            {
                "JACKFIELD_DATABASE_URL": "sqlite:////nowhere/jackfield.db",
                "JACKFIELD_QUEUE_URL": url,
            }
        )
    text = f"{caught.value} {caught.value.hint}"
    assert said in text
    assert "secret" not in text


@pytest.mark.parametrize(
    "url",
    [
        "amqp://h",
        "amqp://h/",
        "amqp://h//",
        "amqp://h/%2F",
        "amqp://u:p%2Fw@h:5672/v",
        "amqp://u:p@w@h/v",
        "amqp://[::1]:5672/v",
        "amqps://u@h",
        "amqp://a/v;amqp://u:p@b:5673/v",
        "redis://h",
        "redis://:p@h:6379/5",
        "redis://u:p@[::1]/0",
        "rediss://h/0",
        "rediss://h/0?ssl_ca_certs=/ca.pem&ssl_check_hostname=true",
    ],
)
def test_each_form_of_a_url_makes_an_application(url: str) -> None:
    """Each form that hosters print, and each host of a list, is read by the driver as it was by
    us.
    """
    check_queue(
        {"JACKFIELD_DATABASE_URL": "sqlite:////nowhere/jackfield.db", "JACKFIELD_QUEUE_URL": url}
    )
    with new_app(url).connection_for_write() as connection:
        assert connection.as_uri()


def _publish(stand: EngineStand, ids: list[str]) -> None:
    publisher = CeleryPublisher(new_app(stand.queue_url), stand.queue_url)
    publisher.publish([("default", identifier) for identifier in ids])
    publisher.close()


@contextmanager
def _channel(stand: EngineStand) -> Iterator[Any]:
    with (
        new_app(stand.queue_url).connection_for_read() as connection,
        closing(connection.channel()) as channel,
    ):
        yield channel


def _waiting(stand: EngineStand, dead: int = 0) -> dict[str, int]:
    """Return the lengths of the queues once the broker has taken back what consumers that left had
    not acknowledged.
    """
    found: dict[str, int] = {}
    pause, end = threading.Event(), time.monotonic() + 20
    with _channel(stand) as channel:
        while found != {QUEUE: 0, DEAD: dead} and time.monotonic() < end:
            pause.wait(0.02)
            found = {
                name: channel.queue_declare(name, passive=True).message_count
                for name in (QUEUE, DEAD)
            }
    return found
