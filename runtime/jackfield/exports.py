"""The public names of a package, imported when they are first asked for (PEP 562): whoever uses a part pays for that part."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own would cost a cold --help as much as Python's start
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

__all__ = ["exports"]


def exports(package: str, homes: Mapping[str, Iterable[str]]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of ``package``. ``homes`` says which names a module has; one that begins with a dot is the package's
    own."""
    found_in = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in found_in:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        import sys
        from importlib import import_module

        found = getattr(import_module(found_in[name], package), name)
        setattr(sys.modules[package], name, found)  # the next one who asks finds it at once
        return found

    def names() -> list[str]:
        import sys

        return sorted(sys.modules[package].__all__)

    return find, names
