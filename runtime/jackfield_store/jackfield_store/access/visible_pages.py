"""Pages of a filtered list: one loop over the pages of the whole list, for a caller's view and for
filters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

MOST_READ = 1_000
"""Number of rows read from the whole list after which a page ends. Such a page may be short, and
has a cursor to continue from.
"""


class Named(Protocol):
    """Item of a list that is ordered by name."""

    @property
    def name(self) -> str:
        """The item's name, unique in its list."""


Item = TypeVar("Item")
NamedItem = TypeVar("NamedItem", bound=Named)
Fetch = Callable[[str | None, int], tuple[Sequence[Item], str | None]]
"""Reader of a page: it gets a cursor and a limit, and returns the items and the next cursor."""


def visible_page(
    fetch: Fetch[Item], sees: Callable[[Item], bool], cursor: str | None, limit: int
) -> tuple[list[Item], str | None]:
    """Return up to ``limit`` items after ``cursor`` for which ``sees`` is True, and the cursor of
    the next page, None on the last page.
    """
    found: list[Item] = []
    read = 0
    while True:
        items, cursor = fetch(cursor, limit - len(found))
        found += [item for item in items if sees(item)]
        read += len(items)
        if cursor is None or len(found) == limit or read >= MOST_READ:
            return found, cursor


def by_name(read: Callable[[str, int], list[NamedItem]]) -> Fetch[NamedItem]:
    """Return the reader of a list whose cursors are names; ``read`` takes a name and a number, and
    returns as many items after it.
    """

    def fetch(after: str | None, limit: int) -> tuple[Sequence[NamedItem], str | None]:
        items = read(after or "", limit + 1)
        return items[:limit], items[limit - 1].name if len(items) > limit else None

    return fetch
