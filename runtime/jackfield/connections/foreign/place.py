"""A foreign document with its place, and the surroundings in which readers resolve it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jackfield.connections.foreign.aliases import Aliases
from jackfield.fork import at_fork

if TYPE_CHECKING:
    from jackfield.catalog import Catalog

__all__ = ["Document", "Problem", "Surroundings"]


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """One document of a file. ``source`` is the file's name, ``place`` the position in it (``mail.yaml, document 2``), ``folder`` a
    start for relative paths, ``format`` its format if the source determines it."""

    content: Any
    source: str
    place: str
    folder: str = "."
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Sentence about something that cannot be read, naming file, document and field. ``fatal`` if the other system would not start."""

    text: str
    fatal: bool = False

    def __str__(self) -> str:
        return self.text


class Surroundings:
    """Surroundings in which readers resolve names: the environment, and the aliases of the installed connectors, read at first use.

    ``app_id`` is the application that a Dapr sidecar would serve; if None, components of all applications are read. ``strict`` accepts
    only what the other system's program accepts. ``reads_files`` allows documents to name files of this host.
    """

    def __init__(
        self,
        catalog: Callable[[], Catalog],
        environment: Mapping[str, str],
        *,
        app_id: str | None = None,
        strict: bool = False,
        reads_files: bool = True,
    ) -> None:
        self._catalog = catalog
        self.environment = environment
        self.app_id = app_id
        self.strict = strict
        self.reads_files = reads_files

    @cached_property
    def aliases(self) -> Aliases:
        """Aliases that translate foreign names."""
        return Aliases.installed(self._catalog())


at_fork(Surroundings.__dict__["aliases"])  # Python 3.11 holds one lock for all instances while it computes the value
