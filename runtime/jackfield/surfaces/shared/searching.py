"""Connectors and actions as one caller finds them: the index over all of them, cut to the catalog that the caller sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.access import SeenCatalog

if TYPE_CHECKING:
    from jackfield.catalog import Catalog, Entry
    from jackfield.catalog.found import Found
    from jackfield.catalog.index import ActionIndex

__all__ = ["found_actions", "listed_connectors"]


def listed_connectors(index: ActionIndex, catalog: Catalog) -> list[Entry]:
    """Return the rows of the connectors in ``catalog``, by key."""
    return catalog.entries() if isinstance(catalog, SeenCatalog) else index.entries()


def found_actions(
    index: ActionIndex, catalog: Catalog, words: str, connector: str | None, effect: str | None, start: int, limit: int
) -> tuple[list[Found], int | None]:
    """Return at most ``limit`` actions that fit and are in ``catalog``, best first, from place ``start`` of the whole index on; and the
    place to go on from, None behind the last."""
    found: list[Found] = []
    while True:
        rows, more = index.find(words, connector, effect, start, limit)
        for row in rows:
            if len(found) == limit:
                return found, start
            start += 1
            if not isinstance(catalog, SeenCatalog) or catalog.has(row.connector, row.action):
                found.append(row)
        if not more:
            return found, None
        if len(found) == limit:
            return found, start
