"""Functions with ``once`` in processes that are killed at random: none takes effect twice, and none
is told or recorded otherwise than it went.

``make campaign once-kills`` runs it: at least ``KILLS`` (2,000) kills on SQLite, and a quarter of
them on PostgreSQL. Three processes of three threads each call a function, one with an effect, a
coroutine function and a block under few keys. Each fails at times before its effect and at times
after it, and the look lags. Some processes are suspended in between, for less than ``absent_after``
seconds.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from jackfield import ABSENT, InvocationFailed, once
from jackfield.kernel.failures import Raised, attempt
from jackfield_store.runtime import Jackfield
from postgres import own_database

KILLS = int(os.environ.get("KILLS", "2000"))
_PROCESSES, _THREADS = 3, 3
_LAG = 0.3
"""Seconds after which the look finds an effect."""
_PATIENCE = 30.0
"""Seconds for which a kill waits for a call that has ended since the last one."""
_KEYS = 40
"""Keys that are called at a time; six new ones each second."""


class Declined(Exception):
    """A provider's word that nothing took effect."""


class Worker:
    """Process that calls the functions until it is killed."""

    def __init__(self, folder: Path) -> None:
        self.ledger = folder / "ledger"
        self.told = folder / "told"
        shared: dict[str, Any] = {
            "refusals": Declined,
            "look": self.look,
            "absent_after": 4.0,
            "timeout": 8.0,
        }
        self.shared = shared
        plain = once("plain", key=lambda key: key, **shared)(self.charge)
        acted = once("acted", key=lambda key: key, effect="write", **shared)(self.charge)
        looped = once("looped", key=lambda key: key, **shared)(self.acharge)
        self.kinds: dict[str, Callable[[str], Any]] = {
            "plain": plain,
            "acted": acted,
            "block": self.block,
            "looped": lambda key: asyncio.run(looped(key)),
        }

    def look(self, key: str) -> Any:
        """Look into the ledger."""
        return next(
            (
                value
                for found, value, at in rows(self.ledger)
                if found == key and time.time() - float(at) > _LAG
            ),
            ABSENT,
        )

    def charge(self, key: str) -> str:
        """Take effect, and fail at times."""
        way = random.random()
        time.sleep(random.choice((0.0, 0.002, 0.02)))
        if way < 0.1:
            raise Declined
        if way < 0.2:
            raise TimeoutError
        value = f"{os.getpid()}-{random.randrange(10**6)}"
        put(self.ledger, f"{key} {value} {time.time()}")
        time.sleep(random.choice((0.0, 0.002, 0.05)))
        if way < 0.3:
            raise TimeoutError
        if way < 0.32:
            os.kill(os.getpid(), signal.SIGKILL)
        return value

    async def acharge(self, key: str) -> str:
        """Charge in a thread."""
        return await asyncio.to_thread(self.charge, key)

    def block(self, key: str) -> Any:
        """Charge in a block."""
        with once("block", key=key, **self.shared) as call:
            call.sending()
            call.value = self.charge(key)
        return call.value

    def work(self) -> None:
        """Call without an end, and write down what was told."""
        while True:
            name, function = random.choice([*self.kinds.items()])
            key = f"{name}-{int(time.time() * 6) - random.randrange(_KEYS)}"
            found = attempt(function, key)
            said = f"ok {found}"
            if isinstance(found, Raised):
                said = f"foreign {type(found.error).__name__}"
            if isinstance(found, Raised) and isinstance(found.error, InvocationFailed):
                said = f"{found.error.result.status} -"
            elif isinstance(found, Raised) and isinstance(found.error, Declined):
                said = "declined -"
            put(self.told, f"{key} {said}")


def put(path: Path, line: str) -> None:
    """Add a line, which is on the disk then."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(file, f"{line}\n".encode())
        os.fsync(file)
    finally:
        os.close(file)


def rows(path: Path) -> list[list[str]]:
    """Read the lines of a file."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [found for line in text.splitlines() if len(found := line.split()) == 3]


def killed(folder: Path, url: str, kills: int) -> None:
    """Kill one process after the other, or suspend it."""
    environment = {**os.environ, "JACKFIELD_DATABASE_URL": url, "JACKFIELD_HOME": str(folder)}
    command = [sys.executable, __file__, str(folder)]

    def started() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment)

    workers = [started() for _ in range(_PROCESSES)]
    told = folder / "told"
    while kills > 0:
        before, since = len(rows(told)), time.monotonic()
        time.sleep(random.uniform(0.3, 1.5))
        while len(rows(told)) == before and time.monotonic() - since < _PATIENCE:
            time.sleep(0.1)  # no process has called anything yet
        for number, worker in enumerate(workers):
            if worker.poll() is not None:
                kills -= 1
                workers[number] = started()
        number = random.randrange(_PROCESSES)
        if random.random() < 0.1:
            workers[number].send_signal(signal.SIGSTOP)
            time.sleep(random.uniform(0.2, 2.0))
            workers[number].send_signal(signal.SIGCONT)
        else:
            workers[number].kill()
    for worker in workers:
        worker.kill()
        worker.wait()


def judged(folder: Path, url: str) -> dict[str, Any]:
    """Compare what was told and recorded with what took effect."""
    took: dict[str, list[str]] = defaultdict(list)
    for key, value, _ in rows(folder / "ledger"):
        took[key].append(value)
    told = rows(folder / "told")
    recorded: dict[str, set[str]] = defaultdict(set)
    environment = {"JACKFIELD_HOME": str(folder)}
    with Jackfield(connections=[], database_url=url, environment=environment) as jackfield:
        cursor = None
        while True:
            page, cursor = jackfield.journal_of().entries(cursor=cursor, limit=200)
            for entry in page:
                recorded[(entry.idempotency_key or "").rpartition("/")[2]].add(entry.status)
            if cursor is None:
                break
    return {
        "calls": len(told),
        "effects": sum(map(len, took.values())),
        "twice": [key for key, values in took.items() if len(values) > 1],
        "told without an effect": [
            key for key, status, value in told if status == "ok" and value not in took.get(key, [])
        ],
        "foreign": [f"{key}: {value}" for key, status, value in told if status == "foreign"],
        "recorded without an effect": [
            key for key, found in recorded.items() if "succeeded" in found and key not in took
        ],
        "recorded as failed": [
            key for key, found in recorded.items() if found == {"failed"} and key in took
        ],
    }


def _main() -> int:
    if sys.argv[1:]:
        worker = Worker(Path(sys.argv[1]))
        for _ in range(_THREADS - 1):
            threading.Thread(target=worker.work, daemon=True).start()
        worker.work()
    wrong = False
    with ExitStack() as stack:
        for name, kills in (("sqlite", KILLS), ("postgresql", KILLS // 4)):
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            )
            url = stack.enter_context(own_database(name, folder))
            killed(folder, url, kills)
            found = judged(folder, url)
            wrong = wrong or any(isinstance(one, list) and one for one in found.values())
            sys.stdout.write(json.dumps({"database": name, "kills": kills, **found}) + "\n")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(_main())
