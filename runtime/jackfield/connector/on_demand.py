"""Parts of a connector that modules of their own declare: imported when one of them is called or described."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from jackfield.connector.models import DeclarationError

T = TypeVar("T")


class OnDemand(Mapping[str, T]):
    """Actions or triggers of a connector by key (``noun`` says which). The module that declares one is imported on first access."""

    def __init__(self, noun: str, on_demand: Mapping[str, str], declared: Mapping[str, T]) -> None:
        self._noun = noun
        self._on_demand = on_demand
        self._declared = declared

    def __getitem__(self, key: str) -> T:
        if key not in self._declared and key in self._on_demand:
            importlib.import_module(self._on_demand[key])
            if key not in self._declared:
                raise DeclarationError(f"the module '{self._on_demand[key]}' declares no {self._noun} '{key}'")
        return self._declared[key]

    def __contains__(self, key: object) -> bool:
        return key in self._declared or key in self._on_demand

    def __iter__(self) -> Iterator[str]:
        return iter({**self._on_demand, **self._declared})

    def __len__(self) -> int:
        return len({**self._on_demand, **self._declared})


def by_key(noun: str, modules: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the module of each key.

    :raises DeclarationError: for a key that is listed twice.
    """
    found: dict[str, str] = {}
    for module, keys in modules.items():
        for key in keys:
            if key in found:
                raise DeclarationError(f"{noun} '{key}' is listed twice in 'modules'")
            found[key] = module
    return found
