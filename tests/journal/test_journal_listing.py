"""The journal's list: what one page of it reads, whatever its filters."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.database import Transaction, open_database
from jackfield.invocation import new_invocation_id
from jackfield.journal import Draft, Journal, listing
from jackfield.journal import journal as journal_module

MADE = 1_800_000_000.0
ROWS = 23


def made(moment: float, **more: Any) -> Draft:
    """Describe an invocation that runs."""
    about: dict[str, Any] = {
        "connector_version": "1.0.0",
        "effect": "write",
        "connection": None,
        "caller": None,
        "started_at": MADE,
        **more,
    }
    return Draft(new_invocation_id(), "echo", action="say", created_at=moment, expires_at=MADE + 1e9, **about)


@pytest.fixture
def journal(database_url: str) -> Iterator[Journal]:
    """23 running invocations, in which every fifth has a label and a caller of its own, and of which two times two share a moment."""
    open_database(database_url, migrate=True).close()
    with Jackfield(connections=[], database_url=database_url) as jackfield:
        found = jackfield.journal
        assert found is not None
        for number in range(ROWS):
            fifth = number % 5 == 0
            labels = {"labels": {"team": "red" if fifth else "blue"}}
            draft = made(MADE + number - number % 11 // 10, caller="clerk" if fifth else "robot", context=labels)
            found.database.record(found.starting(draft))
        yield found


def pages(journal: Journal, limit: int, **filters: Any) -> list[list[str]]:
    """The ids of all pages, until there is no cursor."""
    found, cursor = list[list[str]](), None
    while True:
        entries, cursor = journal.entries(cursor=cursor, limit=limit, **filters)
        found.append([entry.id for entry in entries])
        if cursor is None:
            return found


def test_h_a_filtered_page_looks_at_a_bounded_number_of_entries(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that fits little or nothing gives short pages with a cursor, and together they are the whole list (second review)."""
    every = journal.entries(limit=100)[0]
    clerks = [entry.id for entry in every if entry.caller == "clerk"]
    assert len(clerks) == 5
    for filters in ({"caller": "clerk"}, {"label": "team=red"}, {"q": "clerk"}, {"caller": "clerk", "status": "running", "since": MADE}):
        assert pages(journal, 50, **filters) == [clerks]
        with monkeypatch.context() as patch:
            patch.setattr(listing, "_FILTERED", 4)
            for limit in (1, 3, 50):
                found = pages(journal, limit, **filters)
                assert list(chain.from_iterable(found)) == clerks
                assert len(found) > len(clerks) // limit
    monkeypatch.setattr(listing, "_FILTERED", 4)
    assert pages(journal, 50, q="nothing of that") == [[]] * (ROWS // 4 + 1)
    assert pages(journal, 50, status="running", since=MADE) == [[entry.id for entry in every]]


@pytest.mark.parametrize(
    "filters", [{"q": "x"}, {"label": "x"}, {"caller": "x", "since": 1.0}, {"status": "running", "errorCode": "x", "until": 9.0}]
)
def test_h_a_page_is_read_from_an_index(tmp_path: Path, filters: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite begins at the cursor and ends at the bound, in an index that has the order of the list (second review)."""
    monkeypatch.setattr(listing, "_FILTERED", 2)
    plans = list[str]()
    with Jackfield(connections=[], database_url=f"sqlite:///{tmp_path}/jackfield.db") as jackfield:
        journal = jackfield.journal
        assert journal is not None
        for moment in (5.0, 6.0, 7.0, 8.0):
            journal.database.record(journal.starting(made(moment)))
        execute = Transaction.execute

        def explained(transaction: Transaction, statement: str, values: Any) -> Any:
            if "LIMIT :limit" in statement:
                plans.extend(row.detail for row in execute(transaction, f"EXPLAIN QUERY PLAN {statement}", values))
            return execute(transaction, statement, values)

        monkeypatch.setattr(Transaction, "execute", explained)
        assert journal.entries(cursor="8.0~x", **filters)[1] is not None
    (line,) = plans
    assert "(created_at,id)>(?,?) AND (created_at,id)<(?,?)" in line


def test_a_page_of_large_entries_ends_early(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Entries that take more bytes than a page may hold come on further pages, each with at least one, in order and complete."""
    whole = [identifier for page in pages(journal, 50) for identifier in page]
    monkeypatch.setattr(journal_module, "PAGE_BYTES", 60)
    monkeypatch.setattr(listing, "PAGE_BYTES", 60)
    found = pages(journal, 50)
    assert [identifier for page in found for identifier in page] == whole
    assert {len(page) for page in found} == {2, 1}
    seen, cursor = journal.seen_entries(lambda _row: True, limit=50)
    assert ([entry.id for entry in seen], cursor is None) == (found[0], False)
