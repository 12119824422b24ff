"""Lists that a reader sorts by the heads of their columns, in the order of the API's ``sort``.

The heads are links, which work without scripts and by keyboard; with scripts only the list is
reloaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode

from jackfield.kernel.markup import Attribute, Markup, Node, table
from jackfield_service.shell.pages.layout.components import FILTERS, h, more, notice
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.shell.requests.problem import Problem
from jackfield_service.shell.requests.row_order import MOST, MOST_PAGES, PAGE, RowOrder, key_of

Row = TypeVar("Row")
Pages = Callable[[str | None, int], tuple[Sequence[Row], str | None]]
"""Function that reads a page of a list: it gets a cursor and a number of rows, and returns rows and
the cursor of the next page, None on the last page.
"""
_WHOLE: Mapping[str, Attribute] = {
    "hx_target": "#sorted",
    "hx_select": "#sorted",
    "hx_swap": "outerMorph",
}
_FOUND: Mapping[str, Attribute] = {"hx_target": "#found", "hx_swap": "innerMorph"}
_TOO_LONG = (
    f"More than {MOST:,} rows match, which is the limit of a sorted list: choose fewer by "
    "filters. These are in the list's own order."
)
_CAPITAL = re.compile("[A-Z]")


def member_of(row: Any, member: str) -> Any:
    """Return a member of a row by its name in the API; of an object, the attribute of the
    corresponding name.
    """
    if isinstance(row, Mapping):
        return row.get(member)
    return getattr(row, _CAPITAL.sub(lambda found: f"_{found[0].lower()}", member))


@dataclass(frozen=True, slots=True)
class Sorts:
    """Columns of a list by which a reader may sort, each with its member of the API's rows.

    ``names`` is the member that orders rows with equal values. ``value`` returns a member of a row.
    """

    columns: Mapping[str, str]
    names: str
    value: Callable[[Any, str], Any] = member_of

    def read(self, request: PageRequest, list_: Pages[Row], limit: int) -> SortedList[Row]:
        """Read a page of the list, in the order of ``?sort=`` or in the list's own.

        A list that is too long to be sorted has its own order, and ``is_too_long`` is True.

        :raises Problem: 400 if the list cannot be sorted by ``?sort=``.
        """
        sort, cursor = request.query.get("sort", ""), request.query.get("cursor") or None
        if sort.removeprefix("-") not in ("", *self.columns.values()):
            raise Problem(
                400, f"'sort' must be one of {', '.join(self.columns.values())}, downwards with '-'"
            )
        if not sort:
            return SortedList(self, "", *list_(cursor, limit))
        rows = _whole(list_)
        if rows is None:
            return SortedList(self, sort, *list_(None, limit), is_too_long=True)
        order = RowOrder(sort)
        keys = [
            key_of(self.value(row, order.member), str(self.value(row, self.names))) for row in rows
        ]
        places, following = order.page(keys, cursor, limit)
        return SortedList(self, sort, [rows[place] for place in places], following)


@dataclass(frozen=True, slots=True)
class SortedList(Generic[Row]):
    """A page of a list that its reader sorts, and the cursor of the next page."""

    sorts: Sorts
    sort: str
    rows: Sequence[Row]
    cursor: str | None
    is_too_long: bool = False

    def table(
        self,
        address: str,
        caption: str,
        columns: Sequence[str],
        cells: Sequence[Sequence[Node]],
        *,
        empty: Node,
        older: str = "Older",
        whole: bool = True,
        kind: str = "rows",
        kept: Mapping[str, str | None] | None = None,
        numbers: Container[str] = (),
        picks: Markup | None = None,
    ) -> Markup:
        """Render the page, whose further query parameters are ``kept``, and the link to the next
        page. ``picks`` selects all rows.

        With ``whole``, the address answers scripts with the whole page; else with the content of
        ``#found``.
        """
        given = {name: value for name, value in (kept or {}).items() if value is not None}
        partly = _WHOLE if whole else _FOUND
        heads: dict[str, tuple[Node, str | None]] = {
            title: (self._link(address, title, member, given, partly), self._direction(member))
            for title, member in self.sorts.columns.items()
        }
        if picks is not None:
            first, order = heads.get(columns[0], (columns[0], None))
            heads[columns[0]] = (h.div(picks, first), order)
        further = {
            **given,
            **({"sort": self.sort} if self.sort and not self.is_too_long else {}),
            "cursor": self.cursor,
        }
        return h.div(
            notice(_TOO_LONG, tone="warn") if self.is_too_long else None,
            h.input(type="hidden", name="sort", value=self.sort, form=FILTERS)
            if self.sort
            else None,
            table(caption, columns, cells, empty=empty, kind=kind, sorts=heads, numbers=numbers),
            more(address, older, **further),
            id="sorted",
        )

    def _link(
        self,
        address: str,
        title: str,
        member: str,
        given: Mapping[str, str],
        partly: Mapping[str, Attribute],
    ) -> Markup:
        """Render the link that sorts by a column: first ascending, then descending, then in the
        list's own order.
        """
        following = {member: f"-{member}", f"-{member}": ""}.get(self.sort, member)
        query = urlencode({**given, **({"sort": following} if following else {})})
        href = f"{address}?{query}" if query else address
        return h.a(title, href=href, id=f"sort-{member}", hx_get=href, hx_push_url="true", **partly)

    def _direction(self, member: str) -> str | None:
        if self.is_too_long or self.sort.removeprefix("-") != member:
            return None
        return "descending" if self.sort.startswith("-") else "ascending"


def _whole(list_: Pages[Row]) -> list[Row] | None:
    """Read a list to its end; None if it is too long to be sorted."""
    rows: list[Row] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        found, cursor = list_(cursor, PAGE)
        rows += found
        if cursor is None:
            return rows if len(rows) <= MOST else None
        if len(rows) >= MOST:
            break
    return None
