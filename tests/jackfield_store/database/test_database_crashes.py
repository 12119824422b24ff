"""kill -9 at any instant: what was told as done is there, nothing is half done, and the files are
whole.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from tests.jackfield_store.database.carried import carried

from forking import alone, fork
from jackfield_store.database import open_database
from jackfield_store.database.check import check
from jackfield_store.database.migrations import BASELINE
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]

WRITER = """
import sys, threading
from jackfield_store.database import open_database

database = open_database(sys.argv[1])
run = sys.argv[2]
lock = threading.Lock()

def record(thread):
    for turn in range(100000):
        name = f"{run}-{thread}-{turn}"
        def unit(transaction):
            for half in ("left", "right"):
                transaction.change("INSERT INTO workspaces (name, created_at) VALUES (:name, 1)", {"name": f"{name}-{half}"})
        database.record(unit)
        with lock:
            sys.stdout.write(name + "\\n")
            sys.stdout.flush()

for thread in range(6):
    threading.Thread(target=record, args=(thread,)).start()
"""


def told_before_kill(url: str, run: int, seconds: float) -> list[str]:
    """Start a process that writes, kill it ``seconds`` after its first word, and give what it told
    as done.
    """
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, url, str(run)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        first = writer.stdout.readline()
        killing = threading.Timer(seconds, writer.kill)
        killing.start()
        told = (first + writer.stdout.read()).split("\n")[:-1]  # the last line may be cut
        writer.wait(30)
    assert writer.returncode == -9
    return told


@pytest.mark.parametrize("kills", [3, pytest.param(20, marks=pytest.mark.campaign)])
def test_a_killed_writer_leaves_whole_batches(database_url: str, kills: int) -> None:
    """After each of many kills at random instants every unit that was told as done is there, every
    unit is whole, and the check passes.
    """
    seed = time.time_ns()
    chance = random.Random(seed)
    told: list[str] = []
    for run in range(kills):
        told += told_before_kill(database_url, run, chance.uniform(0.0, 0.12))
        with open_database(database_url) as database:
            with database.read() as transaction:
                rows = {row.name for row in transaction.execute("SELECT name FROM workspaces")}
            halves = {name.rpartition("-")[0] for name in rows}
            assert rows == {f"{name}-{half}" for name in halves for half in ("left", "right")}, seed
            assert halves.issuperset(told), seed
            assert check(database).problems == (), seed
    assert len(told) > 3


def _migrated(url: str) -> list[object]:
    """Open a database that may be new, and tell what is in it."""
    with open_database(url) as database:
        with database.read() as transaction:
            rows = transaction.execute(
                "SELECT version, name FROM schema_migrations ORDER BY version"
            )
        return [database.version(), database.pending(), [list(row) for row in rows]]


def _eight(url: str) -> list[object]:
    return [child.answer() for child in [fork(lambda: _migrated(url)) for _ in range(8)]]


@pytest.mark.parametrize("first", [BASELINE, 1])
def test_eight_processes_migrate_at_once(database_url: str, first: int) -> None:
    """Processes that open a new database, or one of d8093255, in the same moment all find it whole,
    and each version was applied once.
    """
    if first < BASELINE:
        carried(database_url)
    answers = alone(_eight, database_url)
    assert all(answer == answers[0] for answer in answers)
    version, pending, rows = answers[0]
    assert pending == []
    assert [row[0] for row in rows] == list(range(first, version + 1))


def _dies_migrating(url: str, seconds: float) -> None:
    # of its own CPU time, however busy the machine is; its signal ends a process at once
    signal.setitimer(signal.ITIMER_PROF, seconds)
    _migrated(url)
    os.kill(os.getpid(), signal.SIGKILL)


def _killed(urls: list[str]) -> list[int]:
    chance = random.Random(7)
    return [fork(partial(_dies_migrating, url, chance.uniform(0.001, 0.06))).dies() for url in urls]


def test_a_killed_migration_leaves_nothing_half(tmp_path: Path) -> None:
    """A process that is killed in its migration leaves the old version or the new one, and the next
    process finishes the work.
    """
    urls = [f"sqlite:///{tmp_path / f'{run}.db'}" for run in range(10)]
    assert {*alone(_killed, urls)} <= {-signal.SIGPROF, -signal.SIGKILL}
    for url in urls:
        with open_database(url) as database:
            assert check(database).problems == ()
