"""Group commit in processes of their own: Ctrl-C while waiting or leading, and a fork."""

from __future__ import annotations

import subprocess
import sys
import threading

from tests.jackfield_store.database.workspace_rows import adding

from forking import alone, fork
from jackfield_store.database import Transaction, open_database

WAIT = 30.0


INTERRUPTED = """
import os, signal, sys, threading
from jackfield_store.database import open_database

def adding(name):
    return lambda transaction: transaction.change("INSERT INTO workspaces (name, created_at) VALUES (:name, 1)", {"name": name})

database = open_database(sys.argv[1])
inside, go = threading.Event(), threading.Event()

def leading(transaction):
    inside.set()
    go.wait(30)
    adding("leader")(transaction)

leader = threading.Thread(target=lambda: database.record(leading))
leader.start()
inside.wait(30)
waiting = database._process.batches._waiting

def interrupt():
    while not waiting:
        go.wait(0.001)
    others = [threading.Thread(target=lambda n=n: database.record(adding(f"other{n}"))) for n in range(3)]
    for other in others:
        other.start()
    while len(waiting) < 4:
        go.wait(0.001)
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    while len(waiting) > 3:
        go.wait(0.001)
    go.set()
    for other in others:
        other.join(30)

interrupting = threading.Thread(target=interrupt)
interrupting.start()
try:
    database.record(adding("left"))
except KeyboardInterrupt:
    print("interrupted")
interrupting.join(30)
leader.join(30)

# Ctrl-C in the thread that leads: its own unit is undone, the next ones go on
def killing(transaction):
    adding("undone")(transaction)
    raise KeyboardInterrupt

try:
    database.record(killing)
except KeyboardInterrupt:
    print("interrupted")
database.record(adding("after"))
with database.read() as transaction:
    print(*[row.name for row in transaction.execute("SELECT name FROM workspaces ORDER BY name")])
database.close()
"""


def run(script: str, *arguments: str) -> str:
    """What a Python script prints."""
    command = [sys.executable, "-W", "error", "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_ctrl_c_leaves_nobody_waiting(database_url: str) -> None:
    """Who presses Ctrl-C while waiting is gone with its unit, who presses it while leading undoes
    its own, and all others finish.
    """
    assert run(INTERRUPTED, database_url).splitlines() == [
        "interrupted",
        "interrupted",
        "after leader other0 other1 other2",
    ]


def test_a_fork_has_its_own_connections(database_url: str) -> None:
    """A forked process uses the database with connections of its own, and its parent's stay
    good.
    """
    assert alone(_recorded_by_both, database_url) == ["again", "child", "parent"]


def _recorded_by_both(database_url: str) -> list[str]:
    with open_database(database_url) as database:
        database.record(adding("parent"))

        def child() -> None:
            database.record(adding("child"))
            database.close()

        fork(child).answer()
        database.record(adding("again"))
        with database.read() as transaction:
            return [
                row.name
                for row in transaction.execute("SELECT name FROM workspaces ORDER BY name", {})
            ]


COST = """
import os, sys, time
from jackfield_store.database import open_database

SQL = "INSERT INTO workspaces (name, created_at) VALUES (:name, 1)"
best = float("inf")
with open_database(sys.argv[1]) as database:
    for turn in range(8):
        begin = time.thread_time()
        for number in range(500):
            values = {"name": f"{turn}-{number}"}
            database.record(lambda transaction: transaction.change(SQL, values))
        best = min(best, (time.thread_time() - begin) / 500)
print(best * 1e6)
"""


def test_a_lost_race_between_processes_is_run_again(postgres_url: str) -> None:
    """A unit that PostgreSQL ends to solve a deadlock with another process is run again, and
    succeeds.
    """
    runs: list[int] = []
    held, wanted = threading.Event(), threading.Event()

    def unit(transaction: Transaction) -> int:
        if runs:
            # else it may take "a" again before the other wakes, and lose once more
            thread.join(WAIT)
        runs.append(1)
        touch(transaction, "a")
        wanted.set()
        touch(transaction, "b")
        return len(runs)

    def touch(transaction: Transaction, name: str) -> None:
        transaction.change(
            "UPDATE workspaces SET created_at = created_at + 1 WHERE name = :name", {"name": name}
        )

    def other() -> None:
        with open_database(postgres_url) as second, second.write() as transaction:
            # so that the unit is the one to be ended
            transaction.execute("SET LOCAL deadlock_timeout = '20s'")
            touch(transaction, "b")
            held.set()
            assert wanted.wait(WAIT)
            touch(transaction, "a")

    with open_database(postgres_url) as database:
        for name in ("a", "b"):
            database.record(adding(name))
        thread = threading.Thread(target=other)
        thread.start()
        assert held.wait(WAIT)
        assert database.record(unit) == 2
        thread.join(WAIT)
        with database.read() as transaction:
            assert [
                row.created_at for row in transaction.execute("SELECT created_at FROM workspaces")
            ] == [3.0, 3.0]
