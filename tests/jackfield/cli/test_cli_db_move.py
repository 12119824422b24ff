"""``jackfield db move``: everything that an operator has on one machine is there afterwards, and
works.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from shutil import rmtree

import pytest

from file_places import KEYS, bucket, s3_server
from jackfield.invocation.stored_file import StoredFile
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import Unavailable
from jackfield_store.database import open_database
from jackfield_store.files import FileLimits, Files
from jackfield_store.files.blobs import Blobs
from jackfield_store.resources.storage import Storage
from operating import journalled
from shell import Answer, Shell

pytest_plugins = ["shell_fixture", "postgres"]

SECRET = '{"token": "secret-4711"}'


@pytest.fixture
def one_machine(shell: Shell, tmp_path: Path) -> str:
    """The URL of a SQLite database with some of everything."""
    url = f"sqlite:///{tmp_path / 'one.db'}"
    shell.set(JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL=url)
    assert (
        shell.run(
            "workspaces", "create", "acme", "--allow", "echo/*", "--retention-days", "90"
        ).code
        == 0
    )
    assert (
        shell.run(
            "connections",
            "add",
            "annex",
            "--type",
            "echo/token",
            "--values",
            "-",
            "--no-test",
            stdin=SECRET,
        ).code
        == 0
    )
    assert said(shell, "text=once").json["meta"]["replayed"] is False
    journalled("succeeded", "failed", "in_doubt", "running")
    return url


def said(shell: Shell, text: str) -> Answer:
    """Call the connector with a key."""
    return shell.run(
        "invoke", "echo", "say", "--connection", "annex", "--idempotency-key", "order-1", text
    )


def test_everything_works_after_the_move(
    shell: Shell, one_machine: str, postgres_url: str, tmp_path: Path
) -> None:
    """Connections open, keys replay, tokens and rules hold, the audit log's chain goes on: on
    PostgreSQL, and back on SQLite.
    """
    token = shell.run(
        "tokens", "create", "--scope", "invoke", "--workspace", "acme", "--name", "shop"
    ).json
    before = {words: shell.run(*words).json for words in LISTS}
    there = shell.run("db", "move", one_machine, postgres_url)
    assert (there.code, there.json["ok"], there.json["problems"], there.json["resumed"]) == (
        0,
        True,
        [],
        False,
    ), there.err
    assert there.json["tables"]["tokens"]["rows"] == 1
    assert "jackfield: invocations: 5 of 5 rows" in there.err.splitlines()
    back = f"sqlite:///{tmp_path / 'back.db'}"
    returned = shell.run("db", "move", postgres_url, back)
    assert returned.json["tables"] == there.json["tables"]
    for url in (postgres_url, back):
        shell.set(JACKFIELD_DATABASE_URL=url)
        assert {words: shell.run(*words).json for words in LISTS} == before
        assert said(shell, "text=once").json["meta"]["replayed"] is True
        assert said(shell, "text=twice").json["error"]["code"] == "idempotency_conflict"
        assert shell.run("connections", "test", "annex").code == 0
        assert shell.run("audit", "verify").code == 0
        assert shell.run("tokens", "revoke", token["id"], "--workspace", "acme").code == 0
        assert shell.run("audit", "verify").code == 0
        assert shell.run("db", "check").json["problems"] == []


LISTS = (
    ("connections", "list"),
    ("workspaces", "list"),
    ("tokens", "list", "--workspace", "acme"),
    ("invocations", "list"),
    ("audit", "list"),
    ("queue", "stats"),
)


CONTENTS = (b"", b"invoice 4711", bytes(range(256)) * 20_000)
"""Contents of files: an empty one, a small one, and one of two segments."""


def uploaded(url: str) -> list[str]:
    """Store files in a database, and give their IDs."""
    with Storage(url, os.environ, SystemClock()) as storage:
        files = Files(storage, FileLimits(), SystemClock())
        return [
            files.store("default", [content], "text/plain", name=f"{len(content)}.txt").id
            for content in CONTENTS
        ]


def read(url: str, identifiers: list[str]) -> tuple[bytes, ...]:
    """The contents of files, as one who downloads them gets them."""
    with Storage(url, os.environ, SystemClock()) as storage:
        files = Files(storage, FileLimits(), SystemClock())
        found = []
        for identifier in identifiers:
            with files.open_by_id("default", identifier) as stream:
                found.append(stream.read())
        return tuple(found)


def test_the_content_of_files_moves_to_s3_and_back(
    shell: Shell, one_machine: str, postgres_url: str, tmp_path: Path
) -> None:
    """What lies in the data folder of one machine is in the store that many share, and read there;
    then in a folder again.
    """
    identifiers = uploaded(one_machine)
    back = f"sqlite:///{tmp_path / 'back.db'}"
    with s3_server() as port:
        shell.set(**{**KEYS, "JACKFIELD_FILES_URL": ""})
        bucket_url = bucket(port, "moved").environment["JACKFIELD_FILES_URL"]
        there = shell.run("db", "move", one_machine, postgres_url, "--files-to", bucket_url)
        assert there.code == 0, there.out + there.err
        about = {"files": 3, "bytes": sum(map(len, CONTENTS)), "copied": 3}
        assert there.json["files"] == {"location": "s3://shelf/moved", **about}
        rmtree(tmp_path / "home" / "files")
        shell.set(JACKFIELD_FILES_URL=bucket_url)
        assert read(postgres_url, identifiers) == CONTENTS
        returned = shell.run(
            "db", "move", postgres_url, back, "--files-to", f"file://{tmp_path / 'other'}"
        )
        assert returned.json["files"] == {"location": str(tmp_path / "other"), **about}
    shell.set(JACKFIELD_FILES_URL=f"file://{tmp_path / 'other'}")
    assert read(back, identifiers) == CONTENTS


def test_a_file_that_is_damaged_is_named(shell: Shell, one_machine: str, tmp_path: Path) -> None:
    """Without another store files stay where they are, and are read: what is missing or changed is
    a problem, and all else has moved.
    """
    missing, changed, whole = uploaded(one_machine)
    folder = tmp_path / "home" / "files" / "default"
    (folder / missing).unlink()
    (folder / changed).write_bytes(b"x" * 28)
    moved = shell.run("db", "move", one_machine, f"sqlite:///{tmp_path / 'two.db'}")
    assert (moved.code, moved.json["ok"], moved.json["files"]["copied"]) == (1, False, 0)
    damaged = {
        (
            f"damaged: the content of the file {name} of the workspace 'default' is missing or "
            "was changed"
        )
        for name in (missing, changed)
    }
    assert set(moved.json["problems"]) == damaged
    assert read(f"sqlite:///{tmp_path / 'two.db'}", [whole]) == (CONTENTS[2],)


def test_an_interrupted_move_of_files_goes_on(
    shell: Shell, one_machine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that goes away in between, or a half-written file, is no reason to begin anew; until
    then the new database is refused.
    """
    identifiers = uploaded(one_machine)
    target, other = f"sqlite:///{tmp_path / 'two.db'}", tmp_path / "other"
    copy = Files.copy

    def some(files: Files, file: StoredFile, blobs: Blobs) -> None:
        if file.id == identifiers[1]:
            (other / "default").mkdir(parents=True, exist_ok=True)
            (other / "default" / f"{file.id}.part").write_bytes(b"half")
            raise Unavailable("the store is away")
        copy(files, file, blobs)

    words = ("db", "move", one_machine, target, "--files-to", f"file://{other}")
    with monkeypatch.context() as patch:
        patch.setattr(Files, "copy", some)
        assert shell.run(*words).json["error"]["code"] == "unavailable"
    shell.set(JACKFIELD_DATABASE_URL=target)
    assert "incomplete" in shell.run("connections", "list").json["error"]["message"]
    went_on = shell.run(*words)
    assert (went_on.code, went_on.json["resumed"], went_on.json["files"]["copied"] < 3) == (
        0,
        True,
        True,
    ), went_on.out
    shell.set(JACKFIELD_FILES_URL=f"file://{other}")
    assert read(target, identifiers) == CONTENTS
    assert sorted(path.name for path in (other / "default").iterdir()) == sorted(identifiers)


def test_a_database_in_use_is_not_moved(shell: Shell, one_machine: str, tmp_path: Path) -> None:
    """A process that runs invocations is named, and what to do; one that was killed long ago does
    not count.
    """
    with open_database(one_machine) as database, database.write() as transaction:
        values = {"now": 4_000_000_000.0}
        transaction.change(
            "INSERT INTO instances (id, host, pid, started_at, seen_at) VALUES ('i', 'alpha', "
            "41, 1, :now)",
            values,
        )
    target = f"sqlite:///{tmp_path / 'two.db'}"
    refused = shell.run("db", "move", one_machine, target)
    assert (
        refused.code,
        "the process 41 on alpha uses sqlite:///" in refused.json["error"]["message"],
    ) == (2, True)
    with open_database(one_machine) as database, database.write() as transaction:
        transaction.change("UPDATE instances SET seen_at = 1")
    assert shell.run("db", "move", one_machine, target).code == 0


def test_a_killed_move_is_continued_by_the_same_command(
    shell: Shell, one_machine: str, postgres_url: str
) -> None:
    """Until then no other command uses the target, and each says how to continue."""
    with open_database(postgres_url) as database, database.write() as transaction:
        transaction.execute("CREATE TABLE unfinished_move (source TEXT NOT NULL)")
        transaction.change(
            "INSERT INTO unfinished_move (source) VALUES (:source)", {"source": one_machine}
        )
    shell.set(JACKFIELD_DATABASE_URL=postgres_url)
    refused = shell.run("connections", "list")
    assert (refused.code, "jackfield db move" in refused.json["error"]["hint"]) == (1, True)
    moved = shell.run("db", "move", one_machine, postgres_url)
    assert (moved.code, moved.json["resumed"]) == (0, True)
    assert shell.run("connections", "list").json[0]["name"] == "annex"


def test_urls_that_cannot_be_moved(shell: Shell, one_machine: str, tmp_path: Path) -> None:
    """A missing source is not created, a database in memory is no target, and another master key is
    told before anything is copied.
    """
    missing, target = (f"sqlite:///{tmp_path / name}" for name in ("missing.db", "two.db"))
    assert "does not exist" in shell.run("db", "move", missing, target).json["error"]["message"]
    assert not (tmp_path / "missing.db").exists()
    assert "in memory" in shell.run("db", "move", one_machine, "sqlite://").json["error"]["message"]
    assert shell.run("db", "move", "oracle://x", target).code == 2
    shell.set(JACKFIELD_MASTER_KEY="A" * 43 + "=")
    refused = shell.run("db", "move", one_machine, target)
    assert (refused.code, "does not decrypt this database" in refused.json["error"]["message"]) == (
        1,
        True,
    )


def test_a_password_stays_out_of_the_command(
    shell: Shell, one_machine: str, tmp_path: Path
) -> None:
    """``@FILE`` reads a URL from a file."""
    shell.write("from", f"{one_machine}\n")
    shell.write("to", f"sqlite:///{tmp_path / 'two.db'}\n")
    assert shell.run("db", "move", "@from", "@to").code == 0
    with closing(sqlite3.connect(tmp_path / "two.db")) as moved:
        assert moved.execute("SELECT COUNT(*) FROM invocations").fetchone() == (5,)
    assert "cannot be read" in shell.run("db", "move", "@nowhere", "@to").json["error"]["message"]
