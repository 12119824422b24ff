"""Mapping of known keys whose values are made when they are first asked for, such as actions of a manifest with thousands."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from typing import TypeVar

    V = TypeVar("V")


class LazyMapping(Mapping[str, "V"]):
    """Mapping of ``keys`` to what ``make`` returns for them: once for each key, or every time unless ``kept``."""

    __slots__ = ("_kept", "_keys", "_make")

    def __init__(self, keys: Collection[str], make: Callable[[str], V], *, kept: bool = True) -> None:
        self._keys = keys
        self._make = make
        self._kept: dict[str, V] | None = {} if kept else None

    def __getitem__(self, key: str) -> V:
        if self._kept is not None and key in self._kept:
            return self._kept[key]
        if key not in self._keys:
            raise KeyError(key)
        made = self._make(key)
        # of two threads that make it at once, both get the first
        return made if self._kept is None else self._kept.setdefault(key, made)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
