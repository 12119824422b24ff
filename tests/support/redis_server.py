"""A real Redis for tests: a private one on loopback that stores nothing on disk, so that a restart
forgets everything.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import suppress
from tempfile import gettempdir

import pytest
from redis import Redis as Client

from jackfield_celery.broker import QUEUE
from ports import free_port

_WITHIN = 60.0


def missing() -> str | None:
    """Why there can be no server here; ``None`` where there can."""
    return (
        None
        if shutil.which("redis-server")
        else "Redis is not installed (Debian's package redis-server)"
    )


class Redis:
    """A server; ``stop`` and ``start`` keep its port."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client: Client = Client(port=self.port)
        self.start()

    def start(self) -> None:
        """Start the server, and wait until it accepts connections."""
        program = shutil.which("redis-server")
        assert program is not None
        command = [
            program,
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
            "--dir",
            gettempdir(),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        until = time.monotonic() + _WITHIN
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1.0):
                return
            assert self._process.poll() is None
            assert time.monotonic() < until
            threading.Event().wait(0.02)

    def stop(self) -> None:
        """Kill the server: it forgets everything."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_WITHIN)

    def flush(self) -> None:
        """Delete everything."""
        self.client.flushall()

    def take(self) -> int:
        """Take all waiting messages and do nothing with them, as a worker that is stopped; return
        their number.
        """
        return len(self.client.lpop(QUEUE, 1_000_000) or ())

    def close(self) -> None:
        """Stop for good."""
        self.client.close()
        self.stop()


@pytest.fixture(scope="session")
def redis_process() -> Iterator[Redis]:
    """The server of this process; skips where Redis is not installed."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    server = Redis()
    yield server
    server.close()


@pytest.fixture
def redis(redis_process: Redis) -> Iterator[Redis]:
    """The server, without messages.

    Kombu leaves a connection that it makes while a channel ends, or after a restart, to the garbage
    collector, which warns of its socket or does not, by the order in which it comes upon the two.
    What a test leaves is taken here, so that no later test is told of it.
    """
    redis_process.flush()
    yield redis_process
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
