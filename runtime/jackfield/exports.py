"""Lazy exports of a package (PEP 562): each public name is imported on first use, so that a program loads only the parts it uses."""

from __future__ import annotations

TYPE_CHECKING = False  # importing typing for it would double the start-up time of a cold --help
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


def exports(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Build ``__getattr__`` and ``__dir__`` for ``package``.

    ``homes`` maps each module to the names that it defines, separated by spaces. A module that begins with a dot is relative to the
    package.
    """
    found_in = {name: home for home, names in homes.items() for name in names.split()}

    def find(name: str) -> Any:
        if name not in found_in:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import sys
        from importlib import import_module

        found = getattr(import_module(found_in[name], package), name)
        setattr(sys.modules[package], name, found)  # so that the next access does not come here
        return found

    def names() -> list[str]:
        import sys

        return sorted(sys.modules[package].__all__)

    return find, names
