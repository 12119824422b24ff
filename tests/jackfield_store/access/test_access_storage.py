"""Where a process keeps things: the home, the database's URL, what is opened when, and the master
key of a running process.
"""

from __future__ import annotations

import os
import stat
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from clocks import FakeClock
from jackfield.kernel.database_urls import database_url
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import home
from jackfield_store.database import DatabaseUnfit
from jackfield_store.keys import MasterKey
from jackfield_store.keys.master_key import KeyFile, live_master_key, new_key_text
from jackfield_store.resources.storage import Storage

pytest_plugins = ["postgres"]


@pytest.mark.parametrize(
    ("platform", "environment", "expected"),
    [
        ("linux", {}, "~/.local/share/jackfield"),
        ("linux", {"XDG_DATA_HOME": "/data/ada"}, "/data/ada/jackfield"),
        ("linux", {"XDG_DATA_HOME": "data"}, "~/.local/share/jackfield"),
        ("darwin", {}, "~/Library/Application Support/jackfield"),
        ("win32", {"LOCALAPPDATA": "/appdata"}, "/appdata/jackfield"),
        ("win32", {}, "~/AppData/Local/jackfield"),
        ("linux", {"JACKFIELD_HOME": "/srv/jackfield"}, "/srv/jackfield"),
        ("linux", {"JACKFIELD_HOME": "~/jf"}, "~/jf"),
        ("win32", {"JACKFIELD_HOME": "/srv/jackfield"}, "/srv/jackfield"),
    ],
)
def test_home(
    platform: str, environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The home is what JACKFIELD_HOME says, else the platform's folder for data of users."""
    monkeypatch.setattr(sys, "platform", platform)
    assert home(environment) == str(Path(expected).expanduser())


def test_database_url() -> None:
    """The database is what JACKFIELD_DATABASE_URL says, else SQLite's in the home."""
    assert (
        database_url({"JACKFIELD_HOME": "/srv/jackfield"})
        == "sqlite:////srv/jackfield/jackfield.db"
    )
    assert (
        database_url({"JACKFIELD_DATABASE_URL": "postgresql://host/name"})
        == "postgresql://host/name"
    )


def test_nothing_is_made_before_it_is_needed(home: Path, clock: FakeClock) -> None:
    """Neither folder nor database nor key exists before it is asked for; the database needs no
    key.
    """
    with Storage(None, {"JACKFIELD_HOME": str(home)}, clock) as storage:
        assert storage.enabled
        assert not home.exists()
        assert storage.database.version() > 0
        assert [path.name for path in home.iterdir() if path.suffix == ".key"] == []
        storage.vault.hmac("default", b"x")
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert {
        stat.S_IMODE((home / name).stat().st_mode) for name in ("jackfield.db", "master.key")
    } == {0o600}


@pytest.mark.parametrize("url", ["none", "None", " none "])
def test_no_database(url: str, clock: FakeClock) -> None:
    """With ``none`` there is no database, and to ask for it is refused with what to do."""
    storage = Storage(url, {}, clock)
    assert not storage.enabled
    for ask in (
        lambda: storage.database,
        lambda: storage.vault,
        lambda: storage.opened(migrate=None),
    ):
        with pytest.raises(InvalidInvocation, match="JACKFIELD_DATABASE_URL is 'none'"):
            ask()
    storage.close()


def test_threads_share_one_database(home: Path, clock: FakeClock) -> None:
    """Threads that ask at once get the same database and vault; after ``close`` it is opened
    again.
    """
    with (
        Storage(None, {"JACKFIELD_HOME": str(home)}, clock) as storage,
        ThreadPoolExecutor(8) as threads,
    ):
        found = list(threads.map(lambda _: (id(storage.database), id(storage.vault)), range(32)))
        assert len(set(found)) == 1
        storage.close()
        assert storage.database.version() > 0


def test_a_password_is_never_shown(clock: FakeClock) -> None:
    """The repr of a storage tells nothing of its URL."""
    assert "s3cret" not in repr(Storage("postgresql://ada:s3cret@host/name", {}, clock))


@pytest.mark.usefixtures("no_tables")
def test_tables_of_postgresql_must_be_there(
    postgres_url: str, home: Path, clock: FakeClock
) -> None:
    """On PostgreSQL no table is made by itself: the error says which command does."""
    with Storage(postgres_url, {"JACKFIELD_HOME": str(home)}, clock) as storage:
        with pytest.raises(DatabaseUnfit) as caught:
            storage.database  # noqa: B018 (to ask is to open)
        assert "jackfield db upgrade" in str(caught.value.hint)
        with storage.opened(migrate=True) as database:
            assert database.pending() == []
        assert storage.database.version() > 0


def test_a_running_process_follows_a_rotation(home: Path, clock: FakeClock) -> None:
    """A process that runs while the key file gets a new first key opens what is wrapped by it, and
    wraps by it from then on.
    """
    environment = {"JACKFIELD_HOME": str(home)}
    with (
        Storage(None, environment, clock) as running,
        Storage(None, environment, clock) as operator,
    ):
        sealed = running.vault.seal("acme", ("x",), b"secret")
        file = KeyFile.of(environment, str(home))
        assert file is not None
        text = new_key_text()
        operator.vault.verify()
        file.put_first(text)
        assert operator.vault.rotate(MasterKey.from_text(text)).count == 1
        assert running.vault.open("acme", ("x",), sealed) == b"secret"
        # a new workspace: nothing of its key is in memory
        running.vault.seal("globex", ("x",), b"secret")
        clock.advance(120)
        assert (
            running.vault.open("acme", ("x",), running.vault.seal("acme", ("x",), b"more"))
            == b"more"
        )
        with Storage(None, environment, clock) as fresh:
            assert fresh.vault.open("acme", ("x",), sealed) == b"secret"
        assert file.read().id == MasterKey.from_text(text).id
        assert len(file.read().ids) == 2


def test_calls_go_on_while_keys_are_rotated(
    database_url: str, home: Path, clock: FakeClock
) -> None:
    """While an operator rotates three times, a running process seals and opens without a single
    failure, in old and new workspaces.
    """
    environment = {"JACKFIELD_HOME": str(home)}
    rotated = Event()
    with (
        Storage(database_url, environment, clock) as running,
        Storage(database_url, environment, clock) as operator,
    ):
        running.opened(migrate=True).close()

        def call(thread: int) -> int:
            count = 0
            while not rotated.is_set() or count < 5:
                workspace = f"w{thread}-{count % 10}"
                sealed = running.vault.seal(workspace, ("x",), b"secret")
                assert running.vault.open(workspace, ("x",), sealed) == b"secret"
                count += 1
            return count

        with ThreadPoolExecutor(2) as threads:
            calls = [threads.submit(call, thread) for thread in range(2)]
            try:
                for data_keys in (False, True, False):
                    _rotate(operator, environment, home, data_keys=data_keys)
            finally:
                rotated.set()
            assert all(done.result() >= 5 for done in calls)
        operator.vault.verify()


def _rotate(operator: Storage, environment: dict[str, str], home: Path, *, data_keys: bool) -> None:
    file = KeyFile.of(environment, str(home))
    text = new_key_text()
    operator.vault.verify()
    assert file is not None
    file.put_first(text)
    operator.vault.rotate(MasterKey.from_text(text), data_keys=data_keys)


def test_a_key_file_that_goes_bad_is_not_taken(home: Path, clock: FakeClock) -> None:
    """A running process goes on with the key that it has where the file cannot be read any more."""
    environment = {"JACKFIELD_HOME": str(home)}
    with Storage(None, environment, clock) as running:
        sealed = running.vault.seal("acme", ("x",), b"secret")
        (home / "master.key").write_text("nonsense", encoding="ascii")
        assert running.vault.open("acme", ("x",), sealed) == b"secret"
        assert (
            running.vault.open("globex", ("x",), running.vault.seal("globex", ("x",), b"more"))
            == b"more"
        )


def test_a_key_in_the_environment_is_no_file() -> None:
    """Where JACKFIELD_MASTER_KEY holds the key there is no key file, and nothing is read again."""
    text = new_key_text()
    assert KeyFile.of({"JACKFIELD_MASTER_KEY": text}, "home") is None
    assert (
        live_master_key({"JACKFIELD_MASTER_KEY": text}, "home").id == MasterKey.from_text(text).id
    )


def test_keys_that_come_at_once_are_all_kept(home: Path) -> None:
    """Processes that put a key first at the same time lose none: every one stays in the file, which
    keeps its mode.
    """
    live_master_key({"JACKFIELD_HOME": str(home)}, str(home))
    file = KeyFile.of({}, str(home))
    assert file is not None
    texts = [new_key_text() for _ in range(8)]

    def put(text: str) -> None:
        with file.alone():
            file.put_first(text)

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, texts))
    assert {MasterKey.from_text(text).id for text in texts} < set(file.read().ids)
    assert len(file.read().ids) == 9
    assert [path.name for path in home.iterdir()] == ["master.key"]
    assert stat.S_IMODE((home / "master.key").stat().st_mode) == 0o600


def test_a_named_key_file_may_be_a_link(tmp_path: Path) -> None:
    """The file behind a link gets the new key, and the link stays one."""
    (tmp_path / "real.key").write_text(new_key_text(), encoding="ascii")
    (tmp_path / "real.key").chmod(0o640)
    (tmp_path / "link.key").symlink_to(tmp_path / "real.key")
    file = KeyFile.of({"JACKFIELD_MASTER_KEY_FILE": str(tmp_path / "link.key")}, str(tmp_path))
    assert file is not None
    file.put_first(new_key_text())
    assert (tmp_path / "link.key").is_symlink()
    assert len(file.read().ids) == 2
    assert stat.S_IMODE((tmp_path / "real.key").stat().st_mode) == 0o640


def test_a_key_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the key file cannot be written the error says what to do by hand, the file stays and no
    part of a new one is left.
    """
    path = tmp_path / "master.key"
    path.write_text(new_key_text(), encoding="ascii")
    before = path.read_bytes()

    def refuse(*_arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(DatabaseUnfit, match="cannot be written: Operation not permitted") as caught:
        KeyFile(str(path), private=False).put_first(new_key_text())
    assert "first line" in str(caught.value.hint)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir() if "key" in found.name] == ["master.key"]
