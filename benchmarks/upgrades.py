"""Upgrade of a journal of a million entries: ``python -m benchmarks.upgrades`` prints the seconds of each step of docs/tutorial/upgrade.md.

On SQLite and on PostgreSQL, from the tables of version 14, which had no sums: the longest way. The backup before it, an upgrade that is killed
halfway, the one that is run again, and the way back. ``ROWS`` is another number of entries.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping

from benchmarks.large_journal import fill_older
from benchmarks.scenes import database, databases
from jackfield_store.database import open_database
from postgres import path_with_programs

_COUNT = "SELECT count(*) AS number FROM invocations"
_ROWS = int(os.environ.get("ROWS") or 1_000_000)


def _run(environment: Mapping[str, str], *words: str, within: float | None = None) -> float:
    """Run a command, and return its seconds. With ``within`` it is killed after so many."""
    began = time.monotonic()
    running = subprocess.Popen([sys.executable, "-m", "jackfield", *words], env=environment, stdout=subprocess.DEVNULL)
    try:
        code = running.wait(within)
    except subprocess.TimeoutExpired:
        running.kill()
        code = running.wait() + 9  # killed: -9
    assert code == 0, words
    return time.monotonic() - began


def measure(kind: str) -> None:
    """Print the seconds of all steps on one kind of database."""
    with database(kind, has_tables=False) as (url, home), open_database("sqlite://") as sealing:
        environment = {**os.environ, "JACKFIELD_HOME": str(home), "JACKFIELD_DATABASE_URL": url, "PATH": path_with_programs()}
        with open_database(url, migrate=None, wait=3600.0) as made:
            fill_older(made, sealing, environment, _ROWS)
            before = made.look_up(_COUNT, {})
        said = {"backup": _run(environment, "db", "backup", str(home / "backup"))}
        began = time.monotonic()
        half = 5.0
        said["killed upgrade"] = _run(environment, "db", "upgrade", within=half)
        said["upgrade"] = _run(environment, "db", "upgrade")
        said["repeat"] = _run(environment, "db", "upgrade")
        with open_database(url, migrate=False) as done:
            assert done.look_up(_COUNT, {}) == before
        size = (home / "backup").stat().st_size / 1e9 if (home / "backup").is_file() else 0.0
        print(f"{kind}, {_ROWS:,} entries, backup {size:.2f} GB:", *(f"{name} {seconds:.0f} s," for name, seconds in said.items()))
        print(f"{kind}: {time.monotonic() - began:.0f} s from the first upgrade to the last", flush=True)


if __name__ == "__main__":
    for each in sys.argv[1:] or databases():
        measure(each)
