"""Search for connectors and actions: the full index, filtered to the catalog that the caller may see."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from operator import attrgetter

from jackfield.callers import SeenCatalog
from jackfield.catalog import Catalog, Entry
from jackfield.catalog.found import Found, FoundTrigger
from jackfield.catalog.index import ActionIndex
from jackfield.catalog.offers import OfferedCatalog
from jackfield.kernel.errors import UnknownName


def listed_connectors(index: ActionIndex, catalog: Catalog, after: str = "", *, folded: bool = False) -> Iterable[Entry]:
    """Return the rows of the connectors in ``catalog`` whose keys follow ``after``, sorted by key. Rules are applied row by row.

    ``folded`` leaves out the connectors of sources that are offered as a whole, which ``offered_whole`` of the catalog names.
    """
    if isinstance(catalog, SeenCatalog) and catalog.by_names and index.has_all_of(catalog.base):
        return catalog.narrowed(listed_connectors(index, catalog.base, after, folded=folded), index.names)
    rows = _all(index, catalog, folded=folded)
    return rows[bisect_right(rows, after, key=attrgetter("key")) :] if after else rows


def _all(index: ActionIndex, catalog: Catalog, *, folded: bool) -> list[Entry]:
    if index.covers(catalog):
        return index.entries()
    if isinstance(catalog, OfferedCatalog) and index.covers(catalog.whole):
        offered = catalog.offered_entries(folded=folded) if catalog.has_offers else []
        return sorted([*index.entries(), *offered], key=attrgetter("key")) if offered else index.entries()
    return catalog.entries()


def found_actions(
    index: ActionIndex,
    catalog: Catalog,
    words: str,
    connector: str | None,
    effect: str | None,
    start: int,
    limit: int,
    tag: str | None = None,
) -> tuple[list[Found], int | None]:
    """Return at most ``limit`` matching actions in ``catalog``, best first, from position ``start`` of those; and the position to continue
    from, None at the end."""
    keep = None if index.covers(catalog.whole) and not index.has_offers else catalog.has
    rows, more = index.find(words, connector, effect, start, limit, keep, tag)
    return rows, start + len(rows) if more else None


def found_triggers(index: ActionIndex, catalog: Catalog, words: str | None, connector: str | None = None) -> list[FoundTrigger]:
    """Return the triggers in ``catalog`` that match every word, best first; all of them for None."""

    def is_seen(row: FoundTrigger) -> bool:
        try:
            return row.trigger in catalog.find(row.connector).triggers
        except UnknownName:
            return False

    return [row for row in index.triggers(words) if connector in (None, row.connector) and is_seen(row)]
