"""Search for connectors and actions: the full index, filtered to the catalog that the caller may see."""

from __future__ import annotations

from jackfield.catalog import Catalog, Entry
from jackfield.catalog.found import Found
from jackfield.catalog.index import ActionIndex
from jackfield.catalog.offers import OfferedCatalog


def listed_connectors(index: ActionIndex, catalog: Catalog) -> list[Entry]:
    """Return the rows of the connectors in ``catalog``, sorted by key."""
    if index.covers(catalog):
        return index.entries()
    if isinstance(catalog, OfferedCatalog) and index.covers(catalog.whole):
        return sorted([*index.entries(), *catalog.offered_entries()], key=lambda entry: entry.key)
    return catalog.entries()


def found_actions(
    index: ActionIndex, catalog: Catalog, words: str, connector: str | None, effect: str | None, start: int, limit: int
) -> tuple[list[Found], int | None]:
    """Return at most ``limit`` matching actions in ``catalog``, best first, from position ``start`` of those; and the position to continue
    from, None at the end."""
    rows, more = index.find(words, connector, effect, start, limit, None if index.covers(catalog) and not index.has_offers else catalog.has)
    return rows, start + len(rows) if more else None
