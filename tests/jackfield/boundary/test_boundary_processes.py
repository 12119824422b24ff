"""``once`` in processes of a program: declared at module level, bound to the environment, killed at
any point.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jackfield_store.runtime import Jackfield
from stage import clean_environment
from waiting import until

PATIENCE = 600.0
_HERE = Path(__file__).parent
_ROUNDS = 25
"""Of ten points, three functions and a block, so that a campaign kills 2,000 times, 1,000 on each
database.
"""
_PROGRAM = """
import sys
from jackfield import once

@once("charge", key=lambda order: order)
def charge(order: str) -> str:
    "Charge a card."
    print("effect", flush=True)
    return f"ch_{order}"

print(charge(sys.argv[1]))
"""


_COMMAND = "import sys; sys.path.pop(0); from jackfield.cli.main import main; sys.exit(main())"
"""The command as it is installed: its folder of modules is not the present one."""
_SHOP = """
import os, signal
from jackfield import once

def find(key: str) -> str:
    return f"found {key}"

@once("charge-in-shop", key=lambda order: order, look=find)
def charge(order: str) -> str:
    os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    charge("a")
"""


def start(url: str, *words: str, folder: Path | None = None) -> subprocess.Popen[str]:
    """Start a program whose environment names the database."""
    environment = {**os.environ, "JACKFIELD_DATABASE_URL": url}
    return subprocess.Popen(
        [sys.executable, *words], env=environment, cwd=folder, stdout=subprocess.PIPE, text=True
    )


def said(program: subprocess.Popen[str], patience: float = PATIENCE) -> list[str]:
    """What a program has said, once it has ended well."""
    out, _ = program.communicate(timeout=patience)
    assert program.returncode == 0
    return out.split("\n")[:-1]


def killed(url: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Kill a program at each point."""
    (line,) = said(start(url, str(_HERE / "killing.py"), str(folder), str(rounds)), 3600.0)
    found: dict[str, Any] = json.loads(line)
    return found


def test_a_module_s_function_is_bound_to_the_environment(
    upgraded: str, jackfield: Jackfield
) -> None:
    """No runtime is made by the program; of processes that call at the same time one runs the
    function, and all have its value.
    """
    programs = [start(upgraded, "-c", _PROGRAM, "a") for _ in range(3)]
    found = [said(program) for program in programs]
    assert sorted(map(len, found)) == [1, 1, 2]
    assert {lines[-1] for lines in found} == {"ch_a"}
    assert jackfield.journal is not None
    (entry,), _ = jackfield.journal.entries(connector="host")
    assert (entry.status, entry.action) == ("succeeded", "charge")


def test_a_new_database_is_told_before_anything_is_done(tmp_path: Path) -> None:
    """A container without a volume begins with another one at each start: it would do all again. A
    program says where a new one is, once, or makes none.
    """

    def ran(home: str, **more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "JACKFIELD_HOME": str(tmp_path / home), **more}
        environment.pop("JACKFIELD_DATABASE_URL", None)
        return subprocess.run(
            [sys.executable, "-c", f"{_PROGRAM}\ncharge('b')", "a"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    first, again = ran("one"), ran("one")
    assert (first.returncode, again.returncode, again.stderr) == (0, 0, "")
    assert first.stderr.splitlines() == [
        f"there was no database: a new one begins at '{tmp_path}/one/jackfield.db'"
    ]
    refused = ran("two", JACKFIELD_NEW_DATABASE="refuse")
    assert refused.returncode == 1
    assert f"there is no database at '{tmp_path}/two/jackfield.db'" in refused.stderr
    assert refused.stdout == ""


@pytest.mark.parametrize("command", ["worker --processes 2", "serve --port 0"])
def test_a_worker_that_imports_the_module_looks(
    upgraded: str, jackfield: Jackfield, tmp_path: Path, command: str
) -> None:
    """The program was killed and never comes back. What its function's look finds is the value from
    then on.
    """
    (tmp_path / "shop.py").write_text(_SHOP, encoding="utf-8")
    program = start(upgraded, "shop.py", folder=tmp_path)
    program.communicate(timeout=PATIENCE)
    assert program.returncode == -signal.SIGKILL
    assert jackfield.journal is not None
    working = start(upgraded, "-c", _COMMAND, *command.split(), "--import", "shop", folder=tmp_path)
    try:
        entry = until(
            lambda: next(iter(jackfield.journal_of().entries(status="succeeded")[0]), None)
        )
    finally:
        working.terminate()
        working.communicate(timeout=PATIENCE)
    assert entry is not None
    entry = jackfield.journal.find(entry.id)
    assert (entry.resolved_by, entry.to_json()["output"]) == ("evidence", {"value": "found a"})
    assert [look["result"] for look in entry.looks] == ["matched"]


def test_a_module_that_cannot_be_imported_is_named(upgraded: str, tmp_path: Path) -> None:
    """A worker does not start without it."""
    words = ["-c", _COMMAND, "worker", "--import", "shop"]
    environment = {**os.environ, "JACKFIELD_DATABASE_URL": upgraded}
    found = subprocess.run(
        [sys.executable, *words],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert found.returncode == 2
    assert "--import shop failed" in found.stdout


def test_a_killed_process_leaves_the_truth(upgraded: str, tmp_path: Path) -> None:
    """At each of ten points, nothing happens twice, no success is told without one, and what is
    lost is a doubt or settled by its look.
    """
    assert killed(upgraded, tmp_path, 0) == {"calls": 10, "twice": [], "false": [], "other": []}


@pytest.mark.campaign
def test_many_killed_processes_leave_the_truth(upgraded: str, tmp_path: Path) -> None:
    """The same, 1,000 times on each database."""
    assert killed(upgraded, tmp_path, _ROUNDS) == {
        "calls": 40 * _ROUNDS,
        "twice": [],
        "false": [],
        "other": [],
    }


_AT_ONCE = """
import asyncio, os, threading
from jackfield import once

@once("plain", key=lambda order: order)
def plain(order: str) -> str:
    return order

@once("acted", key=lambda order: order, effect="write")
def acted(order: str) -> str:
    return order

@once("looped", key=lambda order: order)
async def looped(order: str) -> str:
    return order

def run(call):
    together.wait()
    try:
        call(str(os.getpid()))
    except Exception as error:
        found.append(f"{type(error).__name__}: {error}")

found = []
calls = [plain, acted, lambda order: asyncio.run(looped(order))]
together = threading.Barrier(len(calls))
threads = [threading.Thread(target=run, args=(call,)) for call in calls]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(*found, end="")
"""


def test_first_calls_in_threads_import_whole_modules(tmp_path: Path) -> None:
    """Threads whose first calls are of other kinds import the modules of one circle in two orders,
    and see no half of them.
    """
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    environment = {**clean_environment(tmp_path), "JACKFIELD_DATABASE_URL": url}
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", _AT_ONCE],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, "")
