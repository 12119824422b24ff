"""URLs with passwords in files: JACKFIELD_DATABASE_URL_FILE and JACKFIELD_QUEUE_URL_FILE."""

from __future__ import annotations

from pathlib import Path

import pytest

from jackfield.kernel.clock import SystemClock
from jackfield.kernel.database_urls import database_url
from jackfield.kernel.errors import InvalidInvocation
from jackfield_store.queue.engine import queue_url
from jackfield_store.resources.renewal import renew
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import Jackfield
from ready_database import migrated_for_real
from shell import Shell

pytest_plugins = ["shell_fixture"]

__all__ = ["migrated_for_real"]


def test_the_database_is_the_one_that_the_file_names(shell: Shell, tmp_path: Path) -> None:
    """A command uses the database whose URL is in the file; white space around it does not
    count.
    """
    file = tmp_path / "url"
    file.write_text(f"  sqlite:///{tmp_path / 'mine.db'}\n", encoding="utf-8")
    shell.set(JACKFIELD_DATABASE_URL="", JACKFIELD_DATABASE_URL_FILE=str(file))
    assert shell.run("db", "upgrade").code == 0
    assert (tmp_path / "mine.db").exists()


def test_the_variable_wins(tmp_path: Path) -> None:
    """A URL in the environment is used before a file, which is not read."""
    assert (
        database_url(
            {
                "JACKFIELD_DATABASE_URL": "none",
                "JACKFIELD_DATABASE_URL_FILE": str(tmp_path / "none"),
            }
        )
        == "none"
    )


def test_the_queue_may_be_named_in_a_file(tmp_path: Path) -> None:
    """The broker's URL is read in the same way."""
    file = tmp_path / "url"
    file.write_text("amqp://jackfield:s3cret@broker:5672/jackfield\n", encoding="utf-8")
    assert (
        queue_url({"JACKFIELD_QUEUE_URL_FILE": str(file)})
        == "amqp://jackfield:s3cret@broker:5672/jackfield"
    )
    assert queue_url({}) is None


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "not text")],
)
def test_a_file_without_a_url(
    shell: Shell, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    """A file that is missing, empty or not text is refused with its name and the variable's, not
    replaced by the default.
    """
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInvocation, match="JACKFIELD_DATABASE_URL_FILE"):
        database_url({"JACKFIELD_DATABASE_URL_FILE": str(file)})
    shell.set(JACKFIELD_DATABASE_URL="", JACKFIELD_DATABASE_URL_FILE=str(file))
    answer = shell.run("db", "check")
    assert answer.code == 2
    assert reason in answer.json["error"]["message"]
    assert str(file) in answer.json["error"]["message"]


def test_a_process_without_a_database_has_no_file_to_read_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """SIGHUP renews what a runtime without a database has, which is nothing, and warns of
    nothing.
    """
    with Jackfield(database_url="none") as runtime:
        assert renew(runtime.storage)
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


def test_what_the_file_names_is_renewed_whole_or_not_at_all(
    postgres_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Another account of the same database is used by new connections after a renewal. An account
    that is not let in, another database, and a file that cannot be read leave the one before in
    use, and one line of the log says so.
    """
    file, key = tmp_path / "url", tmp_path / "key"
    place = postgres_url.partition("@")[2]
    file.write_text(postgres_url, encoding="utf-8")
    key.write_text("A" * 43 + "=", encoding="ascii")
    key.chmod(0o600)
    environment = {
        "JACKFIELD_DATABASE_URL_FILE": str(file),
        "JACKFIELD_HOME": str(tmp_path),
        "JACKFIELD_MASTER_KEY_FILE": str(key),
    }
    with Storage(None, environment, SystemClock()) as storage:
        storage.opened(migrate=True).close()
        assert storage.vault.ring.ids

        def account() -> str:
            row = storage.database.look_up("SELECT current_user AS name", {})
            return "" if row is None else str(row.name)

        before = account()
        with storage.database.write() as transaction:
            transaction.execute("DROP ROLE IF EXISTS renewed")
            transaction.execute("CREATE ROLE renewed LOGIN SUPERUSER")
        broken = (
            f"postgresql://nobody-there@{place}",
            postgres_url.rpartition("/")[0] + "/another",
            "",
            "sqlite:////tmp/x.db",
        )
        for number, text in enumerate(broken, 1):
            file.write_text(text, encoding="utf-8")
            assert not renew(storage)
            assert (account(), len(caplog.records)) == (before, number)
        file.write_text(f"postgresql://renewed@{place}\n", encoding="utf-8")
        key.write_text("not a key", encoding="ascii")
        assert (renew(storage), account()) == (False, before)
        key.write_text("A" * 43 + "=", encoding="ascii")
        assert (renew(storage), account()) == (True, "renewed")
        file.write_text(postgres_url, encoding="utf-8")
        assert (renew(storage), account()) == (True, before)
        with storage.database.write() as transaction:
            transaction.execute("DROP ROLE renewed")
