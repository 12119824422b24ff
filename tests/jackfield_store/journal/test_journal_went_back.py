"""Marks by which a process notices that its database went back to an earlier state."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from jackfield.kernel.clock import SystemClock
from jackfield_store.access import Audit
from jackfield_store.database import open_database
from jackfield_store.journal.instance import Instance
from jackfield_store.journal.went_back import Marks, return_warning
from jackfield_store.runtime import Jackfield

_LOWER = {
    "epoch": "UPDATE epoch SET number = 1",
    "lease": "UPDATE instances SET seen_at = seen_at - 60",
    "lease gone": "DELETE FROM instances",
    "events": "UPDATE event_heads SET last = last - 1",
}
_RAISE = "UPDATE epoch SET number = number + 5"
_EVENT = "INSERT INTO event_heads (workspace, last, purged, size) VALUES ('default', 7, 0, 0)"

_QUOTA = ("quota.low",)


@pytest.mark.parametrize("mark", _LOWER)
def test_a_lower_mark_is_told_once(
    database_url: str, mark: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each mark that is lower than before is noticed at the next renewal, said once, recorded once,
    and warned of by probes.
    """
    with Jackfield(database_url=database_url) as jackfield, open_database(database_url) as other:
        jackfield.open()
        database = jackfield.storage.database
        instance = Instance.of(database)
        with other.write() as transaction:
            transaction.change(_RAISE)
            transaction.change(_EVENT)
        database.epoch()
        instance.renew()
        assert return_warning(database) is None
        with other.write() as transaction:
            transaction.change(_LOWER[mark])
        for _ in range(3):
            instance.renew()
        entries, _ = Audit(
            database, lambda: jackfield.storage.vault, "default", SystemClock()
        ).list(event="database.wentBack")
        assert len(entries) == 1
        assert "went back" in (return_warning(database) or "")
        said = [
            record
            for record in caplog.records
            if record.levelno == logging.ERROR and "went back" in record.getMessage()
        ]
        assert len(said) == 1


def test_an_epoch_that_rises_during_a_renewal_is_no_return(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What others commit between a renewal's reading of the marks and their comparison is above
    them, in a database that goes on.
    """
    with Jackfield(database_url=database_url) as jackfield, open_database(database_url) as other:
        jackfield.open()
        database = jackfield.storage.database
        instance = Instance.of(database)
        instance.renew()
        commit = database.record

        def raised_after(*given: Any, **named: Any) -> Any:
            found = commit(*given, **named)
            with other.write() as transaction:
                transaction.change(_RAISE)
            database.epoch()
            return found

        monkeypatch.setattr(database, "record", raised_after)
        for _ in range(2):
            instance.renew()
        assert database.highest_epoch > 5
        assert return_warning(database) is None
        assert [record for record in caplog.records if "went back" in record.getMessage()] == []


def test_no_reading_of_an_older_database_is_trusted(database_url: str) -> None:
    """While the epoch is lower than it was, each reading is unlike all others; then it is raised
    above all that was seen.
    """
    with Jackfield(database_url=database_url) as jackfield, open_database(database_url) as other:
        jackfield.open()
        database = jackfield.storage.database
        with other.write() as transaction:
            transaction.change(_RAISE)
        highest = database.epoch()
        assert database.epoch() == highest
        with other.write() as transaction:
            transaction.change(_LOWER["epoch"])
        # SQLite's file tells the old number for a tenth of a second
        if database.dialect.name == "postgresql":
            assert database.epoch() != database.epoch()
        Instance.of(database).renew()
        with other.read() as transaction:
            found = transaction.find("SELECT number FROM epoch WHERE name = 'shared'")
        assert found is not None
        assert found.number > database.highest_epoch or found.number > 6
        assert database.epoch() == database.epoch()


def test_marks_of_a_database_that_went_on() -> None:
    """A workspace that was purged, or created anew, and a lease that another process took for
    expired, are no return; another event that has the number of the last one is.
    """
    seen = Marks(5, 100.0, {("acme", 1.0): (40, "a"), ("default", None): (9, "b")})
    assert "another event" in str(
        seen.lower(Marks(6, 101.0, {("default", None): (9, "c")}), lately=True)
    )
    assert (
        seen.lower(
            Marks(5, 100.0, {("acme", 2.0): (1, "c"), ("default", None): (9, None)}), lately=True
        )
        is None
    )
    assert seen.lower(Marks(6, None, {}), lately=False) is None
    assert seen.lower(Marks(6, 101.0, {}), lately=True) is None
