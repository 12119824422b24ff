"""Connections in the form that people and programs may see: JSON with masked secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.connections.connection_page import ConnectionPage
from jackfield.connections.named_connection import STORE
from jackfield.redaction.marks import masked
from jackfield_store.management.visible_connections import table_of

if TYPE_CHECKING:
    from jackfield.connections.connection_lookup import Connections
    from jackfield.connections.connection_types import Kinds
    from jackfield.connections.named_connection import NamedConnection
    from jackfield_store.connections.connection_rows import ConnectionRow, LastOutcome


def shown_from_file(
    stored: NamedConnection, kinds: Kinds, outcome: LastOutcome | None = None
) -> dict[str, Any]:
    """Return a connection from a file with masked secrets and the outcome of its last test."""
    about = {
        "version": stored.version,
        "source": stored.source,
        **(outcome.to_json() if outcome else {"status": "untested"}),
    }
    return {**_masked_connection(stored.name, stored.type, stored.values, kinds), **about}


def renamed(shown: dict[str, Any], before: str) -> dict[str, Any]:
    """Return a displayed connection with warnings: about objects that still use the name
    ``before``, or about an unchanged name.
    """
    if shown["name"] == before:
        return {
            **shown,
            "warnings": [f"nothing was changed: the connection is named '{before}' already"],
        }
    calls = (
        f"calls by the name '{before}' fail from now on; those that wait for an approval end "
        "as cancelled"
    )
    keys = (
        f"idempotency keys stay with '{before}': with the new name they are answered with "
        "idempotency_conflict, and nothing is sent"
    )
    return {**shown, "warnings": [calls, keys]}


def shown_from_store(row: ConnectionRow, kinds: Kinds) -> dict[str, Any]:
    """Return a stored connection with masked secrets and the outcome of its last test."""
    about = {"version": row.version, "source": STORE, **row.outcome.to_json()}
    problem = {"problem": row.damage} if row.damage is not None else {}
    quotas = {"quotas": [*row.quotas]} if row.quotas else {}
    return {
        **_masked_connection(row.name, row.type, row.public, kinds),
        **about,
        **quotas,
        **problem,
    }


def _masked_connection(
    name: str, type_: str, values: Mapping[str, Any], kinds: Kinds
) -> dict[str, Any]:
    """Return a connection masked by the type's schema, or completely without one."""
    kind = kinds.known(type_)
    return {
        "name": name,
        "type": type_,
        "values": masked(kind.schema, values) if kind is not None else dict.fromkeys(values, "***"),
    }


_Maker = Callable[[], dict[str, Any]]


def page(
    known: Connections,
    kinds: Kinds,
    after: str,
    limit: int,
    full_name: str | None,
    text: str | None,
    sees: Callable[[str, str], bool],
) -> ConnectionPage:
    """List up to ``limit`` visible connections whose names follow ``after``. A connection in a file
    hides a stored connection of that name.
    """
    found: list[tuple[str, _Maker]] = []
    while True:
        rows, end = _page(known, kinds, after, limit, full_name, text, sees)
        found += rows
        if end is None or len(found) > limit:
            break
        after = end
    items = tuple(make() for _, make in found[:limit])
    more = len(found) > limit
    return ConnectionPage(items, found[limit - 1][0] if more else None)


def _page(
    known: Connections,
    kinds: Kinds,
    after: str,
    limit: int,
    full_name: str | None,
    text: str | None,
    sees: Callable[[str, str], bool],
) -> tuple[list[tuple[str, _Maker]], str | None]:
    """Read one page of the database with the connections of files merged in, and its last name if
    there may be more.
    """
    store = table_of(known)
    stored = (
        store.list(after=after, limit=limit + 1, type=full_name, text=text)
        if store is not None
        else []
    )
    end = stored[-1].name if len(stored) > limit else None
    filed = [
        item for item in known.files() if after < item.name and (end is None or item.name <= end)
    ]
    seen = [item for item in stored if sees(item.name, item.type)]
    rows: dict[str, _Maker] = {
        item.name: lambda item=item: shown_from_store(item, kinds)  # type: ignore[misc]
        for item in seen
    }
    tested = store.file_tests.find(filed) if store is not None else {}
    for item in filed:
        rows.pop(item.name, None)
        if _is_wanted(item, kinds, full_name, text) and sees(item.name, item.type):
            rows[item.name] = lambda item=item: shown_from_file(item, kinds, tested.get(item.name))  # type: ignore[misc]
    return sorted(rows.items(), key=lambda row: row[0]), end


def _is_wanted(
    item: NamedConnection, kinds: Kinds, full_name: str | None, text: str | None
) -> bool:
    kind = kinds.known(item.type)
    own = kind.full_name if kind is not None else item.type
    return full_name in (None, own) and (
        not text or text.lower() in item.name.lower() or text.lower() in own.lower()
    )
