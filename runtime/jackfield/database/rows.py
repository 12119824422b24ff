"""Rows with their columns as attributes, equal for all dialects."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ClassVar

__all__ = ["Row", "rows_from"]


class Row(tuple[Any, ...]):
    """One row: a tuple whose columns are attributes too (``row.name``).

    Text is ``str``, blobs are ``bytes``, booleans are ``int`` 0 or 1, times are ``float`` seconds since 1970 (UTC), NULL is ``None``.
    Rename a column in the statement if its name is a Python keyword or a method of tuples (``count``, ``index``).
    """

    __slots__ = ()
    _columns: ClassVar[tuple[str, ...]] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return values by column name."""
        return dict(zip(self._columns, self, strict=True))

    if TYPE_CHECKING:

        def __getattr__(self, column: str) -> Any: ...


@lru_cache(maxsize=1024)
def _row_type(columns: tuple[str, ...]) -> type[Row]:
    members: dict[str, Any] = {name: property(itemgetter(place)) for place, name in enumerate(columns)}
    return type("Row", (Row,), {**members, "__slots__": (), "_columns": columns})


def rows_from(description: Sequence[Any] | None, tuples: Iterable[tuple[Any, ...]]) -> list[Row]:
    """Return the rows of a cursor (PEP 249); none if the statement returns no rows."""
    if not description:
        return []
    kind = _row_type(tuple([column[0] for column in description]))
    return [kind(values) for values in tuples]
