"""Connectors that run in processes of their own, by the package jackfield-isolation, which is imported with the first of them."""

from __future__ import annotations

from jackfield.catalog.loading import declared

TYPE_CHECKING = False  # typing would cost a cold command as much as its own modules do
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Protocol

    from jackfield.catalog.discovery import EntryPoint
    from jackfield.manifest import Manifest

    class Children(Protocol):
        """Object that the package's ``children``, in the entry points ``jackfield.isolation``, makes from an environment."""

        def load(self, manifest: Manifest, point: EntryPoint) -> Any:
            """Return a stand-in for the connector that ``point`` names."""

        def processes(self) -> list[int]:
            """Return the numbers of the processes that live."""

        def ends(self) -> dict[str, int]:
            """Return how many have ended by themselves, or for what they did, by connector."""

        def close(self) -> None:
            """End all."""


_MISSING = "runs in a process of its own, which needs the package jackfield-isolation: pip install 'jackfield[isolation]'"


class Isolated:
    """Child processes of the isolated connectors of one catalog. Before the first of them is loaded, nothing is imported or started."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._made: dict[str, Children] = {}

    def load(self, manifest: Manifest, point: EntryPoint) -> Any:
        """Start the connector that ``point`` names in a child, and return its stand-in.

        :raises ImportError: if it cannot run, or jackfield-isolation is not installed.
        :raises Unavailable: if it cannot be started now.
        """
        return self._children(manifest).load(manifest, point)

    def _children(self, manifest: Manifest) -> Children:
        found = self._made.get("")
        if found is None:
            make = declared("jackfield.isolation", "children")
            if make is None:
                raise ImportError(f"'{manifest.key}' {manifest.version} {_MISSING}")
            found = self._made.setdefault("", make(self._environment))  # of two threads, the first one's
        return found

    def processes(self) -> list[int]:
        """Return the numbers of the child processes that live."""
        return [number for made in self._made.values() for number in made.processes()]

    def ends(self) -> dict[str, int]:
        """Return how many children have ended by themselves, or for what they did, by connector."""
        return {key: count for made in self._made.values() for key, count in made.ends().items()}

    def close(self) -> None:
        """End all children."""
        for made in self._made.values():
            made.close()
