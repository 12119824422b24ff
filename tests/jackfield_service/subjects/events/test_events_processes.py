"""Deliveries by several processes, of which some are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from jackfield.callers.actor import Actor
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.callbacks import Callbacks
from jackfield_service.subjects.callbacks.dispatcher import IN_FLIGHT
from jackfield_store.database.outbox import record
from jackfield_store.resources.storage import Storage
from receiver import receiving

pytest_plugins = ["warm"]

_DISPATCH = """
import os, sys, threading
from jackfield.kernel.clock import SystemClock
from jackfield_service.subjects.callbacks.dispatcher import Dispatcher
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_store.resources.storage import Storage
storage = Storage(sys.argv[1], os.environ, SystemClock())
Dispatcher(lambda: storage.database, lambda: storage.vault, SystemClock(), Sender()).start()
print("ready", flush=True)
threading.Event().wait()
"""


@pytest.mark.parametrize(
    ("rounds", "each"), [(2, 60), pytest.param(4, 150, marks=pytest.mark.campaign)]
)
@pytest.mark.usefixtures("warm_python")
def test_nothing_is_lost_when_the_dispatcher_is_killed(
    database_url: str, tmp_path: Path, rounds: int, each: int
) -> None:
    """Two processes dispatch; the one that leads is killed again and again while events come: each
    event arrives under one id, and twice little more than what was in flight: a thread records a
    delivery before it begins the next one.
    """
    environment = {**os.environ, "JACKFIELD_HOME": str(tmp_path)}
    with ExitStack() as stack:
        storage = stack.enter_context(Storage(database_url, environment, SystemClock()))
        storage.opened(migrate=True).close()
        database = storage.database
        receiver = stack.enter_context(receiving())
        callbacks = Callbacks(
            database, storage.vault, "default", SystemClock(), Actor("library"), origin="operator"
        )
        callbacks.create({"url": receiver.url, "types": ["quota.low"]})
        processes: list[subprocess.Popen[str]] = []

        def begin() -> None:
            command = [sys.executable, "-c", _DISPATCH, database_url]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
            stack.callback(process.wait)
            stack.callback(process.kill)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            stack.callback(process.stdout.close)
            processes.append(process)

        begin()
        for number in range(rounds):
            begin()
            for _ in range(each):
                with database.write() as transaction:
                    record(transaction, "default", "quota.low", f"round-{number}", 1.0, {})
            receiver.wait(number * each + 20)
            processes.pop(0).send_signal(signal.SIGKILL)
        while len({got.id for got in receiver.got}) < rounds * each:
            receiver.wait(len(receiver.got) + 1)
        often = Counter(got.id for got in receiver.got)
        assert len(often) == rounds * each
        assert sum(often.values()) - len(often) <= rounds * 2 * IN_FLIGHT
