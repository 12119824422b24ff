"""Terms by which ``invocation_terms`` finds entries: the correlation ID and the labels of their
context.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from jackfield.invocation.entry import Draft
from jackfield.kernel.stored_values import parsed_object
from jackfield_store.database import Row, Transaction

_INSERT = (
    "INSERT INTO invocation_terms (workspace, term, created_at, id) VALUES (:workspace, :t0, "
    ":a0, :i0){more} ON CONFLICT DO NOTHING"
)
_ONE = "(workspace = :workspace AND term = :t{place} AND created_at = :a{place} AND id = :i{place})"
_DELETE = (
    "DELETE FROM invocation_terms WHERE (workspace = :workspace AND term = :t0 AND "
    "created_at = :a0 AND id = :i0){more}"
)
"""Statement that deletes terms. With OR, SQLite finds each row by the index; with IN and a list of
rows, it would read all terms of the workspace.
"""
_AT_ONCE = 100
_LONGEST = 200
"""Maximum characters of a stored term; the rest is compared with the entry itself."""

_Key = tuple[str, float, str]


def correlation_term(value: str) -> str:
    """Return the term of a correlation ID."""
    return f"c:{_storable_text(value)}"


def label_term(value: str) -> str:
    """Return the term of a label's name, or of ``name=value``."""
    return f"l:{_storable_text(value)}"


def insert(transaction: Transaction, statement: str, row: Mapping[str, Any], draft: Draft) -> int:
    """Insert an entry with a statement, and the terms of its context."""
    inserted = transaction.change(statement, row)
    if inserted and draft.context:
        add(transaction, row["workspace"], [draft])
    return inserted


def with_terms(
    unit: Callable[[Transaction], int], workspace: str, draft: Draft
) -> Callable[[Transaction], int]:
    """Return a unit that also inserts the terms of the entry that another unit records."""

    def joint(transaction: Transaction) -> int:
        changed = unit(transaction)
        add(transaction, workspace, [draft])
        return changed

    return joint


def add(transaction: Transaction, workspace: str, drafts: Iterable[Draft]) -> None:
    """Insert the terms of new entries."""
    _run(
        transaction,
        _INSERT,
        workspace,
        (
            (term, draft.created_at, draft.id)
            for draft in drafts
            for term in _terms(draft.context or {})
        ),
    )


def remove(transaction: Transaction, workspace: str, rows: Sequence[Row]) -> None:
    """Delete the terms of entries that are deleted: rows with id, created_at and context."""
    found = (
        (term, row.created_at, row.id)
        for row in rows
        if row.context is not None
        for term in _terms(_parsed(row.context))
    )
    _run(transaction, _DELETE, workspace, found)


def _run(transaction: Transaction, statement: str, workspace: str, keys: Iterator[_Key]) -> None:
    while part := list(islice(keys, _AT_ONCE)):
        values: dict[str, Any] = {"workspace": workspace}
        for place, (term, at, identifier) in enumerate(part):
            values |= {f"t{place}": term, f"a{place}": at, f"i{place}": identifier}
        one = (
            ", (:workspace, :t{place}, :a{place}, :i{place})"
            if statement is _INSERT
            else f" OR {_ONE}"
        )
        more = "".join(one.format(place=place) for place in range(1, len(part)))
        transaction.change(statement.format(more=more), values)


def _terms(context: Mapping[str, Any]) -> Iterable[str]:
    correlation, labels = context.get("correlationId"), context.get("labels")
    found = [correlation_term(correlation)] if isinstance(correlation, str) else []
    if isinstance(labels, dict):
        for name, value in labels.items():
            found += [label_term(name), label_term(f"{name}={value}")]
    return dict.fromkeys(found)


def _parsed(context: str) -> Mapping[str, Any]:
    try:
        return parsed_object(context)
    except (ValueError, TypeError):  # damaged
        return {}


def _storable_text(text: str) -> str:
    """Shorten a text, and replace characters that PostgreSQL cannot store."""
    return (
        text[:_LONGEST]
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
        .encode("utf-8", "replace")
        .decode()
    )
