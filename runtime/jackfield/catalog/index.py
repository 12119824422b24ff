"""Index of the actions of a catalog: built once, and stored in a file for the next process if there
are thousands.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from jackfield.catalog.found_triggers import matching_triggers, trigger_rows
from jackfield.catalog.postings import PostingsDraft, Table
from jackfield.catalog.words import Keep, Words
from jackfield.kernel.dataclass import replace
from jackfield.kernel.fork import ProcessLocal
from jackfield.manifest.manifest import Manifest

if TYPE_CHECKING:
    from jackfield.catalog.found import FoundTrigger, Match
    from jackfield.catalog.index_file import IndexFile
    from jackfield.catalog.installed import Catalog, CatalogRow


_MANY = 2_000
"""Minimum number of actions for which the index is stored in a file, since building it takes more
than a tenth of a second.
"""
_NOT_OFFERED = 5
"""Maximum number of actions that the operator's search finds although they are not offered."""
_CONNECTORS = 200
"""Number of connectors above which another process builds the index, so that this process does not
use the memory.
"""


class ActionIndex(ProcessLocal):
    """Index of the actions of a catalog, without broken connectors. Searches block until ``build``
    has finished.

    ``for_operator`` includes actions offered only to the operator's own surfaces.
    """

    def __init__(self, catalog: Catalog, *, for_operator: bool = False) -> None:
        self.catalog = catalog.whole
        """All connectors that are installed or offered to any workspace."""
        self._for_operator = for_operator
        self.on_wait: Callable[[], None] = _nothing
        """Callback for the time when another process begins to make the index."""
        self._built: int | None = None
        self._known: tuple[Words, list[CatalogRow]] | None = None
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Discard an index that the parent of a fork has only partly built."""
        self._lock = threading.Lock()
        if self._built is None:
            self._words = Words()

    def find(
        self,
        words: str,
        connector: str | None = None,
        effect: str | None = None,
        start: int = 0,
        limit: int | None = None,
        keep: Keep | None = None,
        tag: str | None = None,
    ) -> tuple[list[Match], bool]:
        """Return at most ``limit`` matching actions from ``start`` on, best first, and whether
        there are more.

        ``connector``, ``effect``, ``keep`` and ``tag`` narrow the search. The index also has
        actions that are offered to any workspace.
        """
        self.build()
        return self._words.find(words, connector, effect, start, limit, keep, tag)

    def covers(self, catalog: Catalog) -> bool:
        """Return whether ``catalog`` has all installed connectors."""
        return catalog is self.catalog

    def has_all_of(self, catalog: Catalog) -> bool:
        """Return whether the index has all actions of ``catalog``."""
        return self.covers(catalog) or self.covers(catalog.whole)

    @property
    def has_offers(self) -> bool:
        """True if the index also has actions that are offered only to some workspaces."""
        return self.catalog.offering is not None and self.catalog.offering.has_any(
            for_operator=self._for_operator
        )

    def entries(self) -> list[CatalogRow]:
        """Return the rows of the installed connectors."""
        self.build()
        words, known = self._words, self._known
        if known is None or known[0] is not words:
            known = self._known = (words, [_entry(row) for row in words.table.about["entries"]])
        return known[1]

    def triggers(self, words: str | None) -> list[FoundTrigger]:
        """Return the triggers of installed connectors that match ``words``, best first; all
        triggers if ``words`` is None.
        """
        self.build()
        return matching_triggers(self._words.table.about["triggers"], words)

    def found_for_operator(
        self,
        catalog: Catalog,
        words: str,
        connector: str | None,
        effect: str | None,
        tag: str | None,
    ) -> list[Match]:
        """Return the matching actions, best first. With words, up to five of them may be actions
        that are not offered in ``catalog``.
        """
        missing: dict[tuple[str, str], str] = {}

        def keep(key: str, action: str, effect: str) -> bool:  # asked about the best rows first
            if catalog.has(key, action, effect):
                return True
            offer = (
                catalog.missing_offer(key, action)
                if words and len(missing) < _NOT_OFFERED
                else None
            )
            if offer is not None:
                missing[key, action] = offer
            return offer is not None

        rows, _ = self.find(
            words, connector, effect, keep=keep if self.has_offers else None, tag=tag
        )
        stored = found_stored(catalog, words, connector, effect, tag)
        if stored:
            rows = [*stored, *(rows if rows and rows[0].exact else [])]
        return (
            [replace(row, offer=missing.get((row.connector, row.action), "")) for row in rows]
            if missing
            else rows
        )

    def names(self, connector: str) -> Iterator[tuple[str, str]]:
        """Yield the keys and effects of a connector's actions."""
        self.build()
        return self._words.table.names(connector)

    def build(self) -> None:
        """Read all manifests, once for each change of the catalog, or the index file that another
        process has written for this catalog.
        """
        if self._built == self.catalog.generation:
            return
        with self._lock:
            generation = self.catalog.generation
            if self._built != generation:
                self._take(
                    _indexed(self.catalog, self.on_wait, for_operator=self._for_operator),
                    generation,
                )

    def kept(self) -> bool:
        """Read the index file. Return False if it was not built from this catalog."""
        from jackfield.catalog.index_file import IndexFile

        with self._lock:
            table = IndexFile.of(self.catalog, for_operator=self._for_operator).read()
            if table is not None:
                self._take(table, self.catalog.generation)
        return table is not None

    def _take(self, table: Table, generation: int) -> None:
        self._words, self._built = Words(table), generation
        self.catalog.kinds = (
            [(key, kind, family) for key, kind, family in table.about["kinds"]],
            generation,
        )


def _indexed(catalog: Catalog, on_wait: Callable[[], None], *, for_operator: bool) -> Table:
    from jackfield.catalog.index_file import IndexFile, made_elsewhere

    file = IndexFile.of(catalog, for_operator=for_operator)
    table = file.read()
    is_large = catalog.offering is not None and catalog.offering.has_any(for_operator=for_operator)
    if table is None and (is_large or len(list(catalog)) > _CONNECTORS):
        on_wait()
        table = file.read() if made_elsewhere(catalog, for_operator=for_operator) else None
    return make(catalog, file, for_operator=for_operator) if table is None else table


def _nothing() -> None:
    """Do nothing."""


def make(catalog: Catalog, file: IndexFile, *, for_operator: bool = False) -> Table:
    """Build the index from all manifests, and write the file if there are many actions. Its stamp
    is computed before the manifests are read, so that a manifest that changes meanwhile makes the
    index stale.
    """
    from jackfield.catalog.index_file import free_memory

    table = _table(catalog, for_operator=for_operator)
    if len(table) >= _MANY:
        table = file.write(table)
        free_memory()
    return table


def _table(catalog: Catalog, *, for_operator: bool) -> Table:
    draft, rows, kinds, triggers = PostingsDraft(), list[Any](), list[Any](), list[Any]()
    offered = (
        catalog.offering.offered(for_operator=for_operator) if catalog.offering is not None else ()
    )
    for _, manifest in merge(
        _installed(catalog, rows, kinds), ((one.key, one) for one in offered), key=itemgetter(0)
    ):
        if manifest is not None:
            draft.add(manifest)
            # connectors of catalog sources have none
            triggers += () if "." in manifest.key else trigger_rows(manifest)
    return draft.table({"entries": rows, "kinds": kinds, "triggers": triggers})


def _installed(
    catalog: Catalog, rows: list[Any], kinds: list[Any]
) -> Iterator[tuple[str, Manifest | None]]:
    """Yield the key and the manifest of each installed connector; the manifest is None if the
    connector is broken. Collect a row for each connector, broken ones included, and the connection
    types.
    """
    for key in dict.fromkeys(point.name for point in catalog.packaged()):
        entry, manifest = catalog.look(key)
        rows.append(
            [
                entry.key,
                entry.title,
                entry.version,
                list(entry.actions),
                entry.error,
                list(entry.versions),
            ]
        )
        if manifest is not None:
            kinds += [[key, kind.key, kind.family] for kind in manifest.connection_types.values()]
        yield key, manifest


def _entry(row: Any) -> CatalogRow:
    from jackfield.catalog.installed import CatalogRow

    key, title, version, actions, error, versions = row
    return CatalogRow(key, title, version, tuple(actions), error, tuple(versions))


def found_stored(
    catalog: Catalog, words: str, connector: str | None, effect: str | None, tag: str | None
) -> list[Match]:
    """Return the actions that match all words in manifests without an index, best first. Each
    workspace or program has its own such manifests.
    """
    stored = catalog.stored_manifests()
    if not stored:
        return []
    index = Words()
    for manifest in stored:
        index.add(manifest)
    return [row for row in index.find(words, connector, effect, tag=tag)[0] if row.exact]


def search(manifests: Iterable[Manifest], words: str, *, effect: str | None = None) -> list[Match]:
    """Return the actions in which every word of the query occurs, best first; without words, all
    actions.

    Case, stop words ("to", "a") and endings ("sending", "emails") are ignored. A match at the
    beginning of a word weighs more, and words of one or two letters match only there. If no action
    contains every word, the nearest few are returned, marked as not exact.
    """
    index = Words()
    for manifest in manifests:
        index.add(manifest)
    return index.find(words, effect=effect)[0]
