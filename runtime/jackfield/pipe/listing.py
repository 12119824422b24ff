"""Pages of connections: those of files and those of the database, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jackfield.pipe.shown import ConnectionPage, shown_from_file, shown_from_store

if TYPE_CHECKING:
    from jackfield.connections import Connections, StoredConnection
    from jackfield.pipe.kinds import Kinds

__all__ = ["page"]

_Maker = Callable[[], dict[str, Any]]


def page(
    known: Connections, kinds: Kinds, after: str, limit: int, full_name: str | None, text: str | None, sees: Callable[[str, str], bool]
) -> ConnectionPage:
    """At most ``limit`` connections whose names follow ``after``, of those that are seen by name and type. A file's connection hides a
    stored one of its name."""
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
    known: Connections, kinds: Kinds, after: str, limit: int, full_name: str | None, text: str | None, sees: Callable[[str, str], bool]
) -> tuple[list[tuple[str, _Maker]], str | None]:
    """One page of the database with what files have in between; and its last name, where there may be more."""
    store = known.store
    kept = store.list(after=after, limit=limit + 1, type=full_name, text=text) if store is not None else []
    end = kept[-1].name if len(kept) > limit else None
    filed = [item for item in known.files() if after < item.name and (end is None or item.name <= end)]
    seen = [item for item in kept if sees(item.name, item.type)]
    rows: dict[str, _Maker] = {item.name: lambda item=item: shown_from_store(item, kinds) for item in seen}  # type: ignore[misc]
    tested = store.file_tests.find(filed) if store is not None else {}
    for item in filed:
        rows.pop(item.name, None)
        if _is_wanted(item, kinds, full_name, text) and sees(item.name, item.type):
            rows[item.name] = lambda item=item: shown_from_file(item, kinds, tested.get(item.name))  # type: ignore[misc]
    return sorted(rows.items(), key=lambda row: row[0]), end


def _is_wanted(item: StoredConnection, kinds: Kinds, full_name: str | None, text: str | None) -> bool:
    kind = kinds.known(item.type)
    own = kind.full_name if kind is not None else item.type
    return full_name in (None, own) and (not text or text.lower() in item.name.lower() or text.lower() in own.lower())
