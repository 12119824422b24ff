"""The benchmarks of a large journal work: they are run in campaigns only, and the tables under them
change. So does the baseline.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from benchmarks import journal_size, measure
from benchmarks.large_journal import fill

from jackfield_store.runtime import Jackfield

_ROWS = 100


def test_a_journal_is_filled(tmp_path: Path, database_url: str, no_tables: None) -> None:
    """Rows are made without triggers and then counted, and the journal can open those that are
    sealed.
    """
    environment = {"JACKFIELD_HOME": str(tmp_path)}
    fill(database_url, environment, _ROWS)
    with Jackfield(connections=[], database_url=database_url, environment=environment) as jackfield:
        assert jackfield.journal is not None
        with jackfield.storage.database.read() as transaction:
            assert (
                transaction.execute("SELECT COUNT(*) AS found FROM invocations")[0].found == _ROWS
            )
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


def test_a_baseline_without_a_part_is_named_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A part that is younger than the baseline is measured alone; any other fault of its code is
    shown whole.
    """
    monkeypatch.setattr(measure, "baseline", lambda: tmp_path)
    for fault, is_whole in (("import jackfield.nowhere", False), ("1 / 0", True)):
        side = measure.Command(
            [
                sys.executable,
                "-c",
                f"import os\nif os.environ['BENCH_TREE'] == {str(tmp_path)!r}:\n {fault}",
            ]
        )
        assert measure.compared(side, rounds=1).change is None
        said = capsys.readouterr().err
        assert (
            said.startswith("not against the baseline: "),
            "Traceback" in said,
            said.count("\n") > 1,
        ) == (True, is_whole, is_whole)
