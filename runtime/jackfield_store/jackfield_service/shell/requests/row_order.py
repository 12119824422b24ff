"""Order of a list's rows by one of their members, with cursors that name the row before a page.

The API's lists and the console's have the same order: added and removed rows shift nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jackfield_service.shell.requests.problem import Problem

Key = tuple[Any, ...]
MOST = 1_000
"""Maximum number of rows of a sorted list."""
PAGE = 200
"""Number of rows that are read at a time."""
MOST_PAGES = 20
_TAG = "s-"
CURSOR = f"{_TAG}[A-Za-z0-9_-]{{1,4000}}"
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class RowOrder:
    """Order by the member in ``sort``, descending if it begins with ``-``."""

    sort: str

    @property
    def member(self) -> str:
        """Name of the member."""
        return self.sort.removeprefix("-")

    @property
    def falls(self) -> bool:
        """True for descending order."""
        return self.sort.startswith("-")

    def page(
        self, keys: Sequence[Key], cursor: str | None, limit: int
    ) -> tuple[list[int], str | None]:
        """Return the indexes of the rows of a page, by their ``keys``, and the cursor of the next
        page; None on the last page.

        :raises Problem: 400 if the cursor belongs to another order.
        """
        keyed = sorted(((key, place) for place, key in enumerate(keys)), reverse=self.falls)
        after = None if cursor is None else self._after(cursor)
        if after is not None:
            keyed = [pair for pair in keyed if (pair[0] < after if self.falls else pair[0] > after)]
        found = keyed[:limit]
        return [place for _, place in found], self._cursor(found[-1][0]) if len(
            keyed
        ) > limit else None

    def _cursor(self, key: Key) -> str:
        return _TAG + base64.urlsafe_b64encode(
            json.dumps([self.sort, *key]).encode()
        ).decode().rstrip("=")

    def _after(self, text: str) -> Key:
        try:
            padded = text.removeprefix(_TAG) + "=" * (-len(text.removeprefix(_TAG)) % 4)
            named, without, kind, number, *texts = (
                json.loads(base64.urlsafe_b64decode(padded))
                if text.startswith(_TAG)
                else ("", 0, 0, 0)
            )
        except (ValueError, TypeError, RecursionError):
            named, without, kind, number, texts = "", 0, 0, 0, []
        fits = (
            all(isinstance(one, int | float) for one in (without, kind, number))
            and len(texts) == 2
            and all(isinstance(one, str) for one in texts)
        )
        if named != self.sort or not fits:
            raise Problem(
                400,
                "the parameter 'cursor' must be a cursor that the list returned with the same "
                "'sort'",
            )
        return without, kind, number, *texts


def key_of(value: Any, names: str) -> Key:
    """Return the sort key of a row: by the value, and for equal values by ``names``. Rows without a
    value come last.
    """
    if value is None:
        return 1, 0, 0, "", names[: 2 * _LONGEST]
    if isinstance(value, str):
        return 0, 1, 0, f"{value.casefold()[:_LONGEST]}\0{value[:_LONGEST]}", names[: 2 * _LONGEST]
    return 0, 0, value if isinstance(value, int | float) else 0, "", names[: 2 * _LONGEST]
