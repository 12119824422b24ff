"""A worker that is stopped for so long that others take its work over, and then goes on."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from http_stand import clean
from jackfield import Jackfield
from jackfield_celery import dispatcher
from jackfield_store.database import open_database
from jackfield_store.queue import open_engine
from jackfield_store.runtime.runtime_pool import RuntimePool
from plugboard import hide_others, make_connector, plugged
from queue_campaign import _Worker
from rabbitmq import Node

_WITHIN = 60.0
_ASKING = '''
"""Asks the test what to answer."""
import os
import socket
from jackfield.connector import Connector, Field, Inputs, Output

class Question(Inputs):
    """What to ask."""
    name: str = Field(title="Name")

class Answer(Output):
    """The answer."""
    text: str

connector = Connector("asking", title="Asking", version="1.0.0")

def _asked(question):
    with socket.create_connection(("127.0.0.1", int(os.environ["ASKING_PORT"])), 120) as connection:
        connection.sendall(question.name.encode() + b"\\n")
        return Answer(text=connection.recv(100).decode())

@connector.action("write", effect="write")
def write(question: Question) -> Answer:
    """Ask once."""
    return _asked(question)

@connector.action("put", effect="idempotent")
def put(question: Question) -> Answer:
    """Ask again and again."""
    return _asked(question)
'''


class _Oracle:
    """Endpoint that counts the questions of each name, and answers each when it is told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.port: int = self._listener.getsockname()[1]
        self.asked: Counter[str] = Counter()
        self._open: queue.SimpleQueue[tuple[str, socket.socket]] = queue.SimpleQueue()
        self._taken: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def next(self) -> tuple[str, socket.socket]:
        """Wait for the next question: its name, and where to answer."""
        return self._open.get(timeout=_WITHIN)

    def close(self) -> None:
        """Hang up on everybody."""
        self._listener.close()
        for connection in self._taken:
            connection.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._taken.append(connection)
            name = connection.recv(100).decode().strip()
            self.asked[name] += 1
            self._open.put((name, connection))


@contextmanager
def _worker(environment: dict[str, str], log: Path) -> Iterator[_Worker]:
    worker = _Worker(environment, log, None)
    try:
        yield worker
    finally:
        worker.stop()


def _beside_an_engine(environment: dict[str, str], step: Callable[[], None]) -> None:
    """Run an engine of this process while ``step`` runs."""

    async def run() -> None:
        runtimes = RuntimePool(environment)
        engine = open_engine(runtimes, 4)
        engine.start()
        try:
            await asyncio.to_thread(step)
        finally:
            await engine.stop(10.0)
            runtimes.close()

    asyncio.run(run())


def test_a_worker_that_lost_its_lease_is_not_believed(
    rabbitmq: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a stopped worker ran is settled without it: a write as in doubt, anything else by a
    second delivery. When it goes on, its outcome does not replace that of the second delivery; it
    corrects the doubt, of which it alone knows the truth. Nothing is sent again, and the worker
    takes further work.
    """
    # the broker hands the stopped worker messages, too, until its heartbeat fails
    monkeypatch.setattr(dispatcher, "_LOST", 0.5)
    url = f"sqlite:///{tmp_path / 'queue.db'}"
    open_database(url, migrate=True).close()
    make_connector(tmp_path / "plugs", "asking", _ASKING)
    hide_others(tmp_path / "plugs")
    with ExitStack() as stack:
        oracle = _Oracle()
        stack.callback(oracle.close)
        paths = os.pathsep.join(
            filter(None, [str(tmp_path / "plugs"), os.environ.get("PYTHONPATH")])
        )
        environment = clean(
            tmp_path / "home",
            JACKFIELD_DATABASE_URL=url,
            JACKFIELD_QUEUE_URL=rabbitmq.url,
            PYTHONPATH=paths,
            ASKING_PORT=str(oracle.port),
        )
        monkeypatch.setenv("ASKING_PORT", str(oracle.port))
        stack.enter_context(plugged(tmp_path / "plugs"))
        jackfield = stack.enter_context(Jackfield(database_url=url, environment=environment))
        journal = jackfield.journal
        assert journal is not None

        def queued(action: str, name: str) -> str:
            return str(
                jackfield.enqueue(
                    {
                        "connector": "asking",
                        "action": action,
                        "inputs": {"name": name},
                        "timeoutSeconds": 600,
                    }
                )
            )

        def until(identifier: str, status: str) -> dict[str, object]:
            pause = threading.Event()
            for _ in range(int(_WITHIN / 0.05)):
                entry = journal.find(identifier)
                if entry.status == status:
                    return dict((entry.result or {}).get("output") or {})
                pause.wait(0.05)
            raise AssertionError(entry.to_json())

        write, put = queued("write", "write"), queued("put", "put")
        stopped = stack.enter_context(_worker(environment, tmp_path / "stopped.log"))
        first = dict([oracle.next(), oracle.next()])
        os.killpg(stopped.process.pid, signal.SIGSTOP)

        def take_over() -> None:
            name, second = oracle.next()
            assert name == "put"
            second.sendall(b"second")
            assert until(put, "succeeded") == {"text": "second"}
            until(write, "in_doubt")

        _beside_an_engine(environment, take_over)
        for connection in first.values():
            connection.sendall(b"late")
        os.killpg(stopped.process.pid, signal.SIGCONT)
        assert until(write, "succeeded") == {"text": "late"}
        after = queued("put", "after")
        _name, last = oracle.next()
        last.sendall(b"last")
        assert until(after, "succeeded") == {"text": "last"}
        assert until(put, "succeeded") == {"text": "second"}
        assert [item["outcome"] for item in journal.find(put).deliveries] == ["lost"]
    assert oracle.asked == {"write": 1, "put": 2, "after": 1}
