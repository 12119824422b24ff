"""A database of the commit d8093255, the last one before the baseline: one step upgrades it, and
what waited in it goes on.
"""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_store.database.carried import Carried, carried
from tests.jackfield_store.doubts.doubt_stage import bureau
from tests.jackfield_store.jobs.job_stage import JobStage, furnace

from clocks import StillClock, look_while_due
from jackfield.callers import Caller
from jackfield.callers.actor import Actor
from jackfield_service.subjects.schedules.loop import Scheduler
from jackfield_store.database import open_database
from jackfield_store.database.migrations import declared, known_migrations
from jackfield_store.runtime.evidence_loop import EvidenceLoop
from plugboard import make_connector, plugged
from postgres import Server, use_programs
from processes import variables
from ready_database import migrated_for_real
from shell import Shell

__all__ = ["migrated_for_real"]
pytest_plugins = ["shell_fixture"]

LAST = known_migrations()[-1].version
NEW = [one.version for one in known_migrations()]
ADDED = {"invocations": ", None, '', None, None", "doubts": ", None"}
"""Ends of the rows of a table that have new: ``kept_for`` and ``key_space``, ``function``."""

_BELL = '''
"""Rings, and notes it."""
import os
from jackfield.connector import Connector, Field, Inputs, Output

class Ring(Inputs):
    """Which bell."""
    name: str = Field(title="Name")

class Rung(Output):
    """It was rung."""
    name: str

connector = Connector("bell", title="Bell", version="1.0.0")

def rung(name):
    with open(os.environ["BELLS"], "a") as log:
        log.write(name + "\\n")
    return Rung(name=name)

@connector.action("ring", effect="write")
def ring(given: Ring) -> Rung:
    """Ring a bell."""
    return rung(given.name)

@connector.action("toll", effect="write")
def toll(given: Ring) -> Rung:
    """Toll a bell, which needs an approval."""
    return rung(given.name)

@connector.action("hear", effect="read")
def hear(given: Ring) -> Rung:
    """Hear a bell."""
    return rung(given.name)
'''
_DIES = 600.0
"""Seconds after which the processes that had died count as dead on another machine, too."""


class Stage(JobStage):
    """Processes over such a database, and its providers as they were."""

    def __init__(
        self, environment: dict[str, str], provider: Any, found: Carried, folder: Path
    ) -> None:
        clock = StillClock()
        clock.advance(found.made + _DIES - clock.time())
        super().__init__(environment, provider, clock)
        self.found, self._bells = found, folder / "bells"

    @property
    def rung(self) -> list[str]:
        """Bells that were rung since."""
        return self._bells.read_text().split()[len(self.found.bells) :]

    def status(self, what: str) -> tuple[str, str | None]:
        """Status and error code of an invocation."""
        entry = self.entry(self.found.ids[what])
        return entry.status, entry.error_code

    def look(self, seconds: float) -> None:
        """Let time pass, then look for the evidence that is due."""
        self.move(seconds)
        look_while_due(EvidenceLoop(self.pool, lambda *_about: None))


@contextmanager
def standing(folder: Path, url: str, found: Carried) -> Iterator[Stage]:
    """The providers as they were, and a process of this version."""
    (folder / "bells").write_text("".join(f"{name}\n" for name in found.bells))
    make_connector(folder / "bell", "bell", _BELL)
    more = {
        "FURNACE": str(folder / "furnace"),
        "BELLS": str(folder / "bells"),
        "JACKFIELD_MASTER_KEY": found.master,
        "JACKFIELD_SETTLE": "on",
    }
    with (
        variables(folder, url, **more) as environment,
        furnace(folder) as provider,
        bureau(folder) as desk,
        plugged(folder / "bell"),
    ):
        for ticket in found.tickets:
            desk.file(ticket["id"], ticket["subject"], ticket["external_id"])
        with Stage(environment, provider, found, folder) as stage:
            yield stage


def test_what_waited_in_it_goes_on(shell: Shell, database_url: str, tmp_path: Path) -> None:
    """Once upgraded, each queued call runs once, what waits for a person or a time goes on waiting,
    what died with its process is found, evidence settles doubts, a job is polled to its end, and a
    schedule has its next slot. Nothing that had been sent is sent again.
    """
    found = carried(database_url)
    shell.set(
        JACKFIELD_HOME=str(tmp_path / "home"),
        JACKFIELD_DATABASE_URL=database_url,
        JACKFIELD_MASTER_KEY=found.master,
    )
    assert shell.run("db", "upgrade").json["applied"] == NEW
    assert shell.run("db", "check").json["problems"] == []
    with standing(tmp_path, database_url, found) as stage:
        stage.recover()
        assert [
            stage.status(what)[0]
            for what in ("done", "doubt", "running-bell", "running-bureau", "queued-read")
        ] == ["succeeded", "in_doubt", "in_doubt", "in_doubt", "queued"]
        stage.work()
        assert sorted(stage.rung) == ["approved", "queued"]
        stage.move(60.0)
        stage.work()
        assert stage.rung[2:] == ["dies-queued"]
        assert {stage.status(what)[0] for what in ("queued", "approved", "queued-read")} == {
            "succeeded"
        }
        again = stage.runtime.invoke(
            {
                "connector": "bell",
                "action": "ring",
                "inputs": {"name": "done"},
                "idempotencyKey": "once",
            }
        )
        assert (again.status, again.meta.replayed) == ("succeeded", True)
        assert [stage.status(what)[0] for what in ("waits", "later")] == ["waiting", "queued"]

        # of the queued job; the other one's was before
        assert len(stage.provider.reached("start")) == 1
        stage.provider.answers({"weight": 7})
        stage.poll(60.0)
        assert [stage.status(what)[0] for what in ("job", "queued-job")] == [
            "succeeded",
            "succeeded",
        ]
        assert sorted(stage.provider.reached("poll")) == ["melt-1", "melt-1"]

        stage.look(60.0)
        looked = ("evidence-found", "running-bureau", "evidence-lost", "doubt", "running-bell")
        assert [stage.status(what)[0] for what in looked] == [
            "succeeded",
            "succeeded",
            "in_doubt",
            "in_doubt",
            "in_doubt",
        ]

        bob = Caller("cli:bob", audience="operator")
        stage.runtime.approvals_of(bob, Actor("cli", "bob")).approve(found.ids["waits"])
        stage.work()
        assert stage.rung[3:] == ["waits"]
        stage.move(3600.0)
        look_while_due(Scheduler(stage.pool, lambda: None))
        stage.work()
        assert stage.rung[4:] == ["slot"]
        stage.move(3600.0)
        stage.work()
        assert "later" in stage.rung
        assert (
            stage.rung.count("done")
            == stage.rung.count("cut-doubt")
            == stage.rung.count("hangs-running")
            == 0
        )


def _rows(url: str, added: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """The rows of all tables that the first version of the schema has, without what a later one has
    ``added`` at the ends of those of some.
    """
    with open_database(url, migrate=None) as database, database.read() as transaction:
        tables = [
            name
            for name in declared("TABLE", known_migrations()[:1])
            if name != "schema_migrations"
        ]
        found = {
            name: sorted(map(repr, transaction.execute(f"SELECT * FROM {name}"))) for name in tables
        }
        ends = {} if added is None else added
        return {
            name: [f"{row[:-1].removesuffix(ends.get(name, ''))})" for row in rows]
            for name, rows in found.items()
        }


def _definitions(text: str) -> tuple[str, ...]:
    """The name, columns, constraints and options of a table of SQLite, which keeps the text of its
    statement, in any order.
    """
    head, _, rest = text.partition("(")
    body, _, tail = rest.rpartition(")")
    found, depth = [""], 0
    for letter in body:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return head.strip(), *sorted(" ".join(one.split()) for one in found), tail.strip()


def _shape(url: str) -> object:
    """All that a database has besides rows: tables with their columns in order, constraints,
    indexes, triggers, functions, settings.
    """
    if not url.startswith("sqlite"):
        text = subprocess.run(
            ["pg_dump", "--schema-only", "--dbname", url],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        return [line for line in text.splitlines() if not line.startswith("\\")]  # a random word
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        objects = connection.execute(
            "SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL"
        ).fetchall()
        columns = {
            name: connection.execute(f"PRAGMA table_xinfo({name})").fetchall()
            for name, kind, _ in objects
            if kind == "table"
        }
    return {
        name: (columns[name], _definitions(text)) if kind == "table" else text
        for name, kind, text in objects
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def two_urls(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[str]]:
    """The URLs of two databases without tables. The PATH has ``pg_dump``."""
    if request.param == "sqlite":
        yield [f"sqlite:///{tmp_path / name}" for name in ("carried.db", "new.db")]
        return
    use_programs(monkeypatch)
    server: Server = request.getfixturevalue("postgres_server")
    urls = [server.create() for _ in range(2)]
    yield urls
    for url in urls:
        server.drop(url)


def test_it_becomes_like_a_new_one(shell: Shell, two_urls: list[str], tmp_path: Path) -> None:
    """Upgraded without a key, it has each row as it was, and the columns, constraints, indexes and
    triggers of a new database. Its version is higher than that of d8093255, whose processes refuse
    it.
    """
    old, new = two_urls
    carried(old)
    before = _rows(old)
    kept = {
        "approvals",
        "callbacks",
        "doubts",
        "events",
        "instances",
        "invocations",
        "outbox",
        "schedules",
    }
    assert kept <= {name for name, rows in before.items() if rows}
    for url in two_urls:
        shell.set(JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL=url)
        assert shell.run("db", "upgrade").json == {
            "database": shell.run("db", "check").json["database"],
            "version": LAST,
            "applied": NEW,
        }
    assert _rows(old, ADDED) == before
    assert _shape(old) == _shape(new)
    assert LAST > 65


@pytest.mark.parametrize("version", [1, 64])
def test_an_older_one_is_refused_with_the_way(
    shell: Shell, database_url: str, tmp_path: Path, version: int
) -> None:
    """A database of before d8093255 is left as it is by every command and process; they say which
    jackfield upgrades it first.
    """
    carried(database_url)
    with open_database(database_url, migrate=None) as database, database.write() as transaction:
        transaction.change(
            "DELETE FROM schema_migrations WHERE version > :version", {"version": version}
        )
    before = _rows(database_url)
    shell.set(JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL=database_url)
    said = (
        f"the database belongs to an older jackfield: it has version {version}; this "
        "jackfield upgrades 65 or later"
    )
    for words in (
        ("db", "upgrade"),
        ("invocations", "list"),
        ("invoke", "echo", "say", "text=x"),
        ("worker", "--migrate"),
    ):
        answer = shell.run(*words)
        error = answer.json["error"]
        assert (answer.code, error["code"], error["message"]) == (1, "unavailable", said), words
        assert "of the commit d8093255, run its 'jackfield db upgrade'" in error["hint"]
    assert shell.run("db", "check").json["problems"] == [said]
    assert _rows(database_url) == before
