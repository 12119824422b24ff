"""A connection: a name, a type, and values that may refer to secrets elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from jackfield.kernel.dataclass import dataclass
from jackfield.kernel.secrecy import SecretHolder

if TYPE_CHECKING:
    from jackfield.kernel.errors import InvalidConnection

NAME = re.compile(r"(?=[._-]*[A-Za-z0-9])[A-Za-z0-9._-]{1,100}\Z")
"""Regular expression of valid connection names. Punctuation alone is not valid: ``.`` and ``..``
could not be part of a URL.
"""
NAME_EXPECTED = (
    "a name is 1 to 100 letters, digits, dots, underscores or hyphens, including at least "
    "one letter or digit"
)

Origin = Literal["operator", "remote"]
"""Origin of the values: the operator (files, command line, library), or a remote caller."""

STORE = "store"
"""Value of ``source`` for connections that are stored in the database."""
IN_CODE = "given in code"
"""Value of ``source`` for connections that a program passes."""
_STORED = ("name", "type", "values", "version", "id", "origin")


@dataclass(frozen=True, slots=True, repr=False)
class Foreign:
    """Facts about a connection in another system's file, apart from its values. ``type`` is the
    alias by which it was read, ``names`` are its names in the file (the closest first), and
    ``inputs`` default inputs by action (``aws-ses/sendEmail``).
    """

    format: str
    type: str
    names: tuple[str, ...]
    inputs: Mapping[str, Mapping[str, Any]]
    lacks: str = ""
    """Sentence about values that the file is known to lack; ``cure`` says what to do."""
    cure: str = ""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class NamedConnection(SecretHolder):
    """One named set of values. ``type`` is the full name of a connection type, ``source`` the
    origin (such as a file's name), ``folder`` the start of relative ``$file`` references. ``id`` is
    None unless the database stores the connection, ``foreign`` is None unless another system's file
    defines it. ``place`` is the exact position in the source, if known. ``quotas`` limit the
    effects over a stored connection.
    """

    name: str
    type: str
    values: Mapping[str, Any]
    source: str
    folder: str = "."
    version: int = 1
    id: str | None = None
    origin: Origin = "operator"
    foreign: Foreign | None = None
    place: str | None = None
    quotas: Sequence[Mapping[str, Any]] = ()

    def explain(self, error: InvalidConnection) -> InvalidConnection:
        """Add to a refusal of the values the sentence about values that the connection's file
        lacks; return the error.
        """
        if self.foreign is not None and self.foreign.lacks:
            error.message = f"{error.message}: {self.foreign.lacks}"
            error.hint = self.foreign.cure
        return error

    def to_json(self) -> dict[str, Any]:
        """Return the contents of a stored connection, which are stored sealed after the connection
        is removed.
        """
        return {name: getattr(self, name) for name in _STORED}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> NamedConnection:
        """Read an object that ``to_json`` has returned."""
        return cls(source=STORE, **{name: kept[name] for name in _STORED})

    @property
    def where(self) -> str:
        """Place of the definition, for display."""
        return self.place or self.source

    def is_of(self, source: str, folder: str) -> bool:
        """Return whether the file ``source`` of a folder defines the connection."""
        return self.source == source and os.path.realpath(self.folder) == os.path.realpath(folder)

    def __repr__(self) -> str:  # values stay out of logs
        return f"<NamedConnection {self.name} {self.type}>"


Source = str | os.PathLike[str] | Mapping[str, Any]
"""Source of connections: a file, the files of a folder, an environment variable (``$NAME``) or a
mapping.
"""


def listed(sources: Iterable[Source] | Source) -> Sequence[Source]:
    """Return the sources as a sequence. A string and a mapping are iterable themselves, but each is
    a single source.
    """
    return [sources] if isinstance(sources, str | os.PathLike | Mapping) else [*sources]
