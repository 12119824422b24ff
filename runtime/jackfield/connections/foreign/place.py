"""A foreign document with its place, and the surroundings in which readers resolve it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jackfield.catalog import entry_points
from jackfield.connections.foreign.aliases import Aliases
from jackfield.dataclass import dataclass
from jackfield.exports import late_hints
from jackfield.fork import at_fork
from jackfield.hooks import Plugins

if TYPE_CHECKING:
    from jackfield.catalog import Catalog


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """One document of a file. ``source`` is the file's name, ``place`` the position in it (``mail.yaml, document 2``), ``folder`` a
    start for relative paths, ``format`` its format if the source determines it."""

    content: Any
    source: str
    place: str
    folder: str = "."
    format: str | None = None

    @property
    def path(self) -> str:
        """Path of the file."""
        return os.path.join(self.folder, self.source)


@dataclass(frozen=True, slots=True)
class Problem:
    """Sentence about something that cannot be read, naming file, document and field. ``fatal`` if the other system would not start;
    ``path`` is that of the file, if the problem leaves out something that the file defines."""

    text: str
    fatal: bool = False
    path: str = ""

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Disabled:
    """Entry that a document switches off: its names there, and a sentence that says where and how to switch it on."""

    names: tuple[str, ...]
    text: str


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

    @cached_property
    def plugins(self) -> Plugins:
        """Installed plugins, which resolve the secrets of some stores."""
        return Plugins(entry_points().get("jackfield.plugins", ()))


for _name in ("aliases", "plugins"):
    at_fork(Surroundings.__dict__[_name])  # Python 3.11 holds one lock for all instances while it computes the value


late_hints(__name__)
