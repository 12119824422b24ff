"""Search in the content of entries: recorded inputs, and texts of errors. Both are sealed, so the
newest entries are decrypted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from jackfield.connector.evidence import texts_in
from jackfield.kernel.errors import Internal
from jackfield_store.journal.entry import is_shown

if TYPE_CHECKING:
    from jackfield.invocation.entry import Entry
    from jackfield_store.journal.journal import Journal

MOST = 500
"""Maximum number of entries that are decrypted, newest first."""
_AT_ONCE = 100
_LONGEST = 65_536
"""Maximum size of sealed inputs that are decrypted, in bytes."""
_INPUTS = f"""
SELECT id, inputs FROM invocations
WHERE workspace = :workspace AND inputs IS NOT NULL AND status <> 'queued' AND LENGTH(inputs) <= {_LONGEST} AND id IN ({{ids}})
"""
_ALL = _INPUTS.replace(" AND status <> 'queued'", "")
_QUEUED = _INPUTS.replace("status <> 'queued'", "status = 'queued'")


class Called(Protocol):
    """Call whose inputs are read: an entry, or its row in a list."""

    @property
    def id(self) -> str:
        """ID of the invocation."""

    @property
    def status(self) -> str:
        """State of the invocation."""

    @property
    def connector(self) -> str:
        """Key of the connector."""

    @property
    def action(self) -> str:
        """Key of the action."""


class Contents(NamedTuple):
    """Entries that contain a text, newest first; the number of entries read; and whether older ones
    were not read.
    """

    entries: list[Entry]
    looked_at: int
    is_cut: bool


def containing(journal: Journal, text: str, **filters: Any) -> Contents:
    """Find entries whose recorded inputs or error contain a text, ignoring case, among the newest
    entries that match the filters.
    """
    found, looked_at, cursor, wanted = list[Any](), 0, None, text.casefold()
    while True:
        entries, cursor = journal.entries(cursor=cursor, limit=_AT_ONCE, **filters)
        inputs = recorded_inputs(journal, entries)
        found += [
            entry
            for entry in entries
            if any(wanted in one.casefold() for one in _texts(entry, inputs.get(entry.id)))
        ]
        looked_at += len(entries)
        if cursor is None or looked_at >= MOST:
            return Contents(found, looked_at, cursor is not None)


def recorded_inputs(journal: Journal, entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the recorded inputs of entries by ID; queued, large and damaged ones are left out."""
    statuses = {entry.id: entry.status for entry in entries}
    return {
        identifier: one.get("inputs")
        for identifier, one in _opened(journal, entries, _INPUTS).items()
        if is_shown(one, statuses[identifier])
    }


def sealed_inputs(journal: Journal, calls: Sequence[Called]) -> dict[str, Mapping[str, Any]]:
    """Return the sealed content of the calls' inputs, by ID: ``inputs`` if they were recorded, else
    the whole request to run, with secrets. Large and damaged ones are left out.
    """
    return _opened(journal, calls, _ALL)


def queued_connections(journal: Journal, entries: Sequence[Entry]) -> dict[str, str]:
    """Return the ID of the stored connection for each queued entry, by the entry's ID; large and
    damaged entries are left out.
    """
    opened = _opened(
        journal,
        [entry for entry in entries if entry.connection and entry.status in ("queued", "waiting")],
        _QUEUED,
    )
    return {
        identifier: one["connectionId"]
        for identifier, one in opened.items()
        if isinstance(one.get("connectionId"), str)
    }


def _opened(
    journal: Journal, entries: Sequence[Called], statement: str
) -> dict[str, Mapping[str, Any]]:
    named = {f"id_{place}": entry.id for place, entry in enumerate(entries)}
    if not named:
        return {}
    with journal.database.read() as transaction:
        rows = transaction.execute(
            statement.format(ids=", ".join(f":{name}" for name in named)),
            {"workspace": journal.workspace, **named},
        )
    opened = {}
    for row in rows:
        with suppress(Internal, ValueError):
            opened[row.id] = journal.opened_inputs(row.id, row.inputs)
    return {identifier: one for identifier, one in opened.items() if isinstance(one, Mapping)}


def _texts(entry: Entry, inputs: Any) -> Iterator[str]:
    """Yield the texts of an entry: of its inputs, and of its error, including the provider's
    message.
    """
    yield from texts_in(inputs)
    yield from texts_in((entry.result or {}).get("error"))
