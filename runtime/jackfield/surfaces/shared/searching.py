"""Search for connectors and actions: the full index, filtered to the catalog that the caller may see."""

from __future__ import annotations

from jackfield.access import SeenCatalog
from jackfield.catalog import Catalog, Entry
from jackfield.catalog.found import Found
from jackfield.catalog.index import ActionIndex


def listed_connectors(index: ActionIndex, catalog: Catalog) -> list[Entry]:
    """Return the rows of the connectors in ``catalog``, sorted by key."""
    return catalog.entries() if isinstance(catalog, SeenCatalog) else index.entries()


def found_actions(
    index: ActionIndex, catalog: Catalog, words: str, connector: str | None, effect: str | None, start: int, limit: int
) -> tuple[list[Found], int | None]:
    """Return at most ``limit`` matching actions in ``catalog``, best first, from position ``start`` of the full index; and the position to
    continue from, None at the end."""
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
