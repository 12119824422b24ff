"""Upgrades of a database: killed at any statement and run again, and beside processes of the other
version, in both orders.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.jackfield_store.database.carried import carried

import jackfield
from http_stand import Client, say, standing
from jackfield_service.shell.process import readiness
from jackfield_store.database import open_database
from jackfield_store.database.backup import backup, check, restore
from jackfield_store.database.faults import DatabaseUnfit
from jackfield_store.database.migrations import BASELINE, Migration, Migrations, known_migrations
from jackfield_store.management.conditions import SAID
from postgres import Server, use_programs
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]

LAST = known_migrations()[-1].version
BEFORE = BASELINE - 1
"""Version of the older jackfield: the commit d8093255."""
PENDING = [one.version for one in known_migrations()]
LATER = Migration(
    LAST + 1,
    "later",
    "CREATE TABLE later (a {bigint_identity}, b {boolean} NOT NULL) {table}; CREATE INDEX "
    "later_b ON later (b);",
)

CALLS = 13
"""Invocations of that database."""
_KILLED = Path(__file__).with_name("killed_upgrades.py")


def _killed(*words: str) -> list[str]:
    return subprocess.run(
        [sys.executable, str(_KILLED), *words],
        check=True,
        capture_output=True,
        text=True,
        timeout=1800,
    ).stdout.split()


@pytest.mark.parametrize(
    ("before", "which"),
    [(BEFORE, "all"), (0, "some"), pytest.param(0, "all", marks=pytest.mark.campaign)],
)
def test_an_upgrade_that_is_killed_is_done_by_a_repeat(
    database_url: str, before: int, which: str
) -> None:
    """SIGKILL at a statement of the upgrade, or before its commit, leaves the older version whole,
    or no tables at all; a repeat upgrades it with all rows.
    """
    if before:
        carried(database_url)
    count = _killed(database_url, which)[0]
    assert int(count) >= (1 if before else 100)
    assert _killed(database_url, which, count) == [str(-signal.SIGKILL)]
    with open_database(database_url, migrate=None) as database:
        assert database.version() == before
        assert database.migrate() == PENDING
        assert check(database).problems == ()
        with database.read() as transaction:
            assert len(transaction.execute("SELECT id FROM invocations")) == (
                CALLS if before else 0
            )


def _newer(url: str, known: Sequence[Migration] = (*known_migrations(), LATER)) -> None:
    """Upgrade as a jackfield with one migration more does."""
    with open_database(url, migrate=None) as database:
        Migrations(database._process.dialect, database._process.begin, lambda: tuple(known)).apply()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_upgrade_beside_an_older_server(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """A server that runs while the database is upgraded serves what was stored before, but is not
    ready from then on, so that a load balancer leaves it; a process of its version that starts
    later is refused.
    """
    monkeypatch.setattr(readiness, "_FRESH", 0.0)
    url = (
        f"sqlite:///{tmp_path}/a.db"
        if engine == "sqlite"
        else postgres_server.create(postgres_server.template())
    )
    if engine == "sqlite":
        open_database(url).close()
    with standing(tmp_path, JACKFIELD_DATABASE_URL=url) as stand:
        client = stand.client()
        made = client.post(
            "/v1/connections?test=false",
            {"name": "hall", "type": "echo/token", "values": {"token": "t"}},
        )
        assert made.status == 201
        assert Client(stand.port).get("/readyz").status == 200
        _newer(url)
        assert (
            client.post("/v1/invocations", say("post", "hall", text="x")).json["status"]
            == "succeeded"
        )
        keyed = {**say("post", "hall", text="x"), "idempotencyKey": "k"}
        assert [
            client.post("/v1/invocations", keyed).json["meta"]["replayed"] for _ in range(2)
        ] == [False, True]
        found = Client(stand.port).get("/readyz")
        assert (found.status, found.json["kind"], found.json["detail"]) == (
            503,
            "schema",
            SAID["schema"],
        )
        assert "belongs to a newer jackfield" in client.get("/readyz").json["detail"]
    for migrate in (True, False):
        with pytest.raises(DatabaseUnfit, match="belongs to a newer jackfield"):
            open_database(url, migrate=migrate)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_an_older_database_under_a_newer_program(
    tmp_path: Path, postgres_server: Server, engine: str
) -> None:
    """A newer program on tables of the older version: a worker refuses PostgreSQL's until they are
    upgraded; the command does that once.
    """
    url = f"sqlite:///{tmp_path}/a.db" if engine == "sqlite" else postgres_server.create()
    carried(url)
    environment = {
        **os.environ,
        "JACKFIELD_HOME": str(tmp_path / "home"),
        "JACKFIELD_DATABASE_URL": url,
    }
    if engine == "postgresql":
        command = [sys.executable, "-m", "jackfield", "worker"]
        ended = subprocess.run(
            command, env=environment, check=False, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == 1
        assert "not up to date" in ended.stdout
    command = [sys.executable, "-m", "jackfield", "db", "upgrade"]
    for applied in (PENDING, []):  # a repeat has nothing to do
        ended = subprocess.run(
            command, env=environment, check=False, capture_output=True, text=True, timeout=120
        )
        assert ended.returncode == 0, ended
        assert json.loads(ended.stdout)["applied"] == applied
    with open_database(url, migrate=False) as database:
        assert database.version() == LAST


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_way_back(
    tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch, engine: str
) -> None:
    """A backup from before the upgrade becomes the database of the older version again, whole: the
    steps of the page.
    """
    use_programs(monkeypatch)
    url = f"sqlite:///{tmp_path}/a.db" if engine == "sqlite" else postgres_server.create()
    carried(url)
    with open_database(url, migrate=None) as database:
        backup(database, tmp_path / "backup")
        assert database.migrate() == PENDING
    if engine == "sqlite":
        for end in ("-wal", "-shm", "-epoch"):
            (tmp_path / f"a.db{end}").unlink(missing_ok=True)
        shutil.copy(tmp_path / "backup", tmp_path / "a.db")
    else:
        url = postgres_server.create()
        with open_database(url, migrate=None) as database:
            assert restore(database, tmp_path / "backup", lambda _database: []) == []
    with open_database(url, migrate=None) as database:
        assert database.version() == BEFORE
        with database.read() as transaction:
            assert len(transaction.execute("SELECT id FROM invocations")) == CALLS
        assert database.migrate() == PENDING


def test_replaced_files_are_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After ``pip install`` of another version under a running server, calls go on, and a probe
    says that a restart is due.
    """
    with standing(tmp_path) as stand:
        assert stand.client().get("/readyz").json == {"status": "ok"}
        monkeypatch.setattr(jackfield, "__file__", __file__)
        found = stand.client().get("/readyz")
        assert (found.status, found.json["kinds"]) == (200, ["packages"])
        assert "were replaced since this process began" in found.json["warnings"][0]
        assert (
            stand.client().post("/v1/invocations", say("say", text="x")).json["status"]
            == "succeeded"
        )
        monkeypatch.setattr(jackfield, "__file__", str(tmp_path / "gone"))
        assert stand.client().get("/readyz").json["kinds"] == ["packages"]
