"""A foreign document, where it stands, and what is around it while it is read."""

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
    """One document of a file. ``source`` is the file's name, ``place`` says where in it (``mail.yaml, document 2``), ``folder`` is what
    relative paths in it may start from, ``format`` is known where the source says it."""

    content: Any
    source: str
    place: str
    folder: str = "."
    format: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A sentence about what could not be read, naming file, document and field. ``fatal`` where the other system would not start."""

    text: str
    fatal: bool = False

    def __str__(self) -> str:
        return self.text


class Surroundings:
    """What readers look things up in: the environment, and the aliases of the installed connectors, read when they are first needed.

    ``app_id`` is the application that a Dapr sidecar would serve; None where nobody says: its components are then not told apart by it.
    ``strict`` keeps to what the other systems' programs take. ``reads_files`` allows documents to name files of this host.
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
        """What foreign names stand for."""
        return Aliases.installed(self._catalog())


at_fork(Surroundings.__dict__["aliases"])  # Python 3.11 holds one lock for all while it is made
