"""The benchmarks of a large journal work: they are run in campaigns only, and the tables under them change."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks import journal_size
from benchmarks.large_journal import fill

from jackfield_store.runtime import Jackfield

_ROWS = 100


def test_a_journal_is_filled(tmp_path: Path, database_url: str, no_tables: None) -> None:
    """Rows are made before the upgrade that counts them, and the journal can open those that are sealed."""
    environment = {"JACKFIELD_HOME": str(tmp_path)}
    fill(database_url, environment, _ROWS)
    with Jackfield(connections=[], database_url=database_url, environment=environment) as jackfield:
        assert jackfield.journal is not None
        with jackfield.storage.database.read() as transaction:
            assert transaction.execute("SELECT COUNT(*) AS found FROM invocations")[0].found == _ROWS
        entries, _ = jackfield.journal.entries(limit=200)
        assert entries


def test_a_journal_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list, statistic, insert and purge that the benchmark measures runs."""
    monkeypatch.setattr(journal_size, "_INSERTS", 16)
    monkeypatch.setattr(journal_size, "_ROUNDS", 1)
    found = [*journal_size.measured("SQLite", f"sqlite:///{tmp_path}/journal.db", tmp_path, 1000)]
    assert len(found) > 20
    for is_before in (False, True):
        with journal_size.record(is_before) as record:
            record()
