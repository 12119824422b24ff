"""Pages of what a caller sees of a list that the database returns by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar


class Named(Protocol):
    """Item of a list that is ordered by name."""

    @property
    def name(self) -> str:
        """The item's name, unique in its list."""


Item = TypeVar("Item", bound=Named)


def visible_page(
    read: Callable[[str, int], list[Item]], sees: Callable[[Item], bool], after: str | None, limit: int
) -> tuple[list[Item], str | None]:
    """Return up to ``limit`` items that ``sees`` shows, those after the name ``after``, and the cursor of the next page.

    ``read`` takes a name and a number, and returns as many items after that name, or all there are.
    """
    found: list[Item] = []
    name = after or ""
    while len(found) <= limit:
        page = read(name, limit + 1)
        found += [one for one in page if sees(one)]
        if len(page) <= limit:
            break
        name = page[-1].name
    return found[:limit], found[limit - 1].name if len(found) > limit else None
