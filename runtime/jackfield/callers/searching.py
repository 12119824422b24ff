"""Search for connectors and actions: the full index, filtered to the catalog that the caller may
see.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from operator import attrgetter

from jackfield.callers import SeenCatalog
from jackfield.catalog.found import FoundTrigger, Match
from jackfield.catalog.index import ActionIndex, found_stored
from jackfield.catalog.installed import Catalog, CatalogRow
from jackfield.catalog.offers import OfferedCatalog
from jackfield.kernel.errors import UnknownName


def listed_connectors(
    index: ActionIndex, catalog: Catalog, after: str = "", *, folded: bool = False
) -> Iterable[CatalogRow]:
    """Return the rows of the connectors in ``catalog`` whose keys follow ``after``, sorted by key.
    Rules are applied row by row.

    ``folded`` leaves out the connectors of sources that are offered as a whole, which
    ``offered_whole`` of the catalog lists.
    """
    if isinstance(catalog, SeenCatalog) and catalog.by_names and index.has_all_of(catalog.base):
        return catalog.narrowed(
            listed_connectors(index, catalog.base, after, folded=folded),
            _names(index, catalog.base),
        )
    rows = _all(index, catalog, folded=folded)
    return rows[bisect_right(rows, after, key=attrgetter("key")) :] if after else rows


def _names(index: ActionIndex, catalog: Catalog) -> Callable[[str], Iterable[tuple[str, str]]]:
    """Return a function that finds keys and effects of a connector's actions, also of connectors
    without an index.
    """
    stored = {
        manifest.key: [(row.key, row.effect) for row in manifest.rows()]
        for manifest in catalog.stored_manifests()
    }
    return lambda key: stored[key] if key in stored else index.names(key)


def _all(index: ActionIndex, catalog: Catalog, *, folded: bool) -> list[CatalogRow]:
    offers = catalog if isinstance(catalog, OfferedCatalog) else None
    if not index.covers(catalog if offers is None else offers.whole):
        return catalog.entries()
    more = [catalog.look(one.name)[0] for one in Catalog.own]
    if offers is not None and offers.has_offers:
        more += offers.offered_entries(folded=folded)
    return sorted([*index.entries(), *more], key=attrgetter("key")) if more else index.entries()


def found_actions(
    index: ActionIndex,
    catalog: Catalog,
    words: str,
    connector: str | None,
    effect: str | None,
    start: int,
    limit: int,
    tag: str | None = None,
) -> tuple[list[Match], int | None]:
    """Return at most ``limit`` matching actions in ``catalog``, best first, from position
    ``start``; and the position to continue from, None at the end.
    """
    keep = None if index.covers(catalog.whole) and not index.has_offers else catalog.has
    stored = found_stored(catalog, words, connector, effect, tag)
    first = stored[start : start + limit]
    if len(first) == limit:
        return first, start + limit
    rows, more = index.find(
        words, connector, effect, max(0, start - len(stored)), limit - len(first), keep, tag
    )
    rows = [*first, *(rows if not stored or not rows or rows[0].exact else [])]
    return rows, start + len(rows) if more and len(rows) > len(first) else None


def found_triggers(
    index: ActionIndex, catalog: Catalog, words: str | None, connector: str | None = None
) -> list[FoundTrigger]:
    """Return the triggers in ``catalog`` that match every word, best first; all triggers if
    ``words`` is None.
    """

    def is_seen(row: FoundTrigger) -> bool:
        try:
            return row.trigger in catalog.find(row.connector).triggers
        except UnknownName:
            return False

    return [
        row for row in index.triggers(words) if connector in (None, row.connector) and is_seen(row)
    ]
