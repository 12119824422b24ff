"""What names a database, and what does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import jackfield_store.database
from jackfield_store.database import DatabaseUnfit, open_database
from ready_database import migrated_for_real

__all__ = ["migrated_for_real"]


def test_a_relative_path_starts_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three slashes name a file relative to the current folder, also when that changes later; four
    an absolute one.
    """
    monkeypatch.chdir(tmp_path)
    with open_database("sqlite:///sub/a.db") as database:
        monkeypatch.chdir("/")
        assert database.version() > 0
        assert database.location == f"sqlite:///{tmp_path}/sub/a.db"
    with open_database(f"sqlite:////{str(tmp_path)[1:]}/sub/a.db", migrate=False) as database:
        assert repr(database) == f"<Database sqlite:///{tmp_path}/sub/a.db>"


def test_odd_characters_in_a_path_are_taken_as_they_are(tmp_path: Path) -> None:
    """A path is not decoded: what a program puts behind sqlite:/// is the file's name."""
    file = tmp_path / "a b%20#ü'.db"
    open_database(f"sqlite:///{file}").close()
    assert file.stat().st_size > 0
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_database_in_memory_is_its_owner_s_alone() -> None:
    """Two databases without a path have nothing in common, and nothing is left of them."""
    first, second = open_database("sqlite://"), open_database("sqlite://")
    path = Path(first.dialect.path)  # type: ignore[attr-defined]  # SQLite's
    with first.write() as transaction:
        transaction.change("INSERT INTO workspaces (name, created_at) VALUES ('a', 1)")
    with second.read() as transaction:
        assert transaction.execute("SELECT name FROM workspaces") == []
    assert path.exists()
    first.close()
    second.close()
    assert not path.parent.exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "none",
        "x.db",
        "sqlite:",
        "sqlite:///",
        "sqlite://host/x.db",
        "sqlite:///x.db?mode=ro",
        "oracle://h/x",
        "sqlite:///a\0b",
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """What names no database is refused with the forms that do, and can never be retried."""
    with pytest.raises(DatabaseUnfit) as caught:
        open_database(url)
    assert "postgresql://" in str(caught.value)
    assert not caught.value.retryable


def test_memory_has_a_url_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What other libraries call ':memory:' is refused with our word for it, rather than made as a
    file.
    """
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DatabaseUnfit, match="':memory:'") as caught:
        open_database("sqlite:///:memory:")
    assert "'sqlite://'" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


def test_a_forgotten_slash_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An absolute path with one slash too few is refused, and no folder of that name made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    with pytest.raises(DatabaseUnfit, match="is a relative path") as caught:
        open_database(f"sqlite:///{str(tmp_path / 'there')[1:]}/a.db")
    assert f"sqlite:////{str(tmp_path)[1:]}" in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_exports_are_complete() -> None:
    """Everything that is exported is there."""
    assert all(hasattr(jackfield_store.database, name) for name in jackfield_store.database.__all__)


def test_nothing_heavy_is_imported_unasked() -> None:
    """To read from SQLite neither psycopg nor cryptography is imported."""
    script = (
        "import sys; from jackfield_store.database import open_database; from "
        "jackfield_store.keys import MasterKey, Vault;"
        "d = open_database('sqlite://'); Vault(d, MasterKey([b'x' * 32])); d.close();"
        "print(*sorted({'psycopg', 'cryptography'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
