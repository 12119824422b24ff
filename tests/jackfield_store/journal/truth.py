"""What the journal says of invocations, against what the endpoint counted."""

from __future__ import annotations

from jackfield.invocation.entry import Entry
from jackfield_store.journal import Journal


def entries_by_key(journal: Journal) -> dict[str | None, Entry]:
    """All entries of a journal, by idempotency key."""
    found: list[Entry] = []
    cursor = None
    while True:
        page, cursor = journal.entries(cursor=cursor, limit=50)
        found.extend(page)
        if cursor is None:
            return {entry.idempotency_key: entry for entry in found}


def check_truth(entry: Entry | None, sent: int) -> None:
    """An invocation without an entry was never sent; one that has ended says what happened, or that
    nobody knows.
    """
    assert sent <= 1
    if entry is None:
        assert sent == 0
        return
    assert entry.status in ("succeeded", "failed", "in_doubt")
    if entry.status == "succeeded":
        assert sent == 1
    if entry.status == "failed":
        assert sent == 0
