"""A connection as it is kept: a name, a type, and values that may refer to secrets elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn

__all__ = ["NAME", "NAME_EXPECTED", "STORE", "Foreign", "Origin", "StoredConnection"]

NAME = re.compile(r"(?=[._-]*[A-Za-z0-9])[A-Za-z0-9._-]{1,100}\Z")
"""What a connection may be called (contract §1). Nothing but marks is no name: ``.`` and ``..`` could not stand in an address."""
NAME_EXPECTED = "a name is 1 to 100 letters, digits, dots, underscores or hyphens, with a letter or a digit among them"

Origin = Literal["operator", "remote"]
"""Who gave the values: whoever runs jackfield (files, command line, library), or somebody over HTTP or MCP."""

STORE = "store"
"""The ``source`` of connections that the database keeps."""


@dataclass(frozen=True, slots=True, repr=False)
class Foreign:
    """What another system's file says of a connection besides its values. ``type`` is the alias that it was read by, ``names`` are what
    it is called there (the closest first), and ``inputs`` default inputs by action (``aws-ses/sendEmail``)."""

    format: str
    type: str
    names: tuple[str, ...]
    inputs: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class StoredConnection:
    """One named set of values. ``type`` is the full name of a connection type, ``source`` says where it comes from (a file's name), and
    ``folder`` is what relative ``$file`` references start from. ``id`` is None for one that the database does not keep, ``foreign`` for one
    that is not of another system's file. ``place`` says where in the source it stands, where that is known more closely."""

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

    @property
    def where(self) -> str:
        """Where it stands, for people."""
        return self.place or self.source

    def is_of(self, source: str, folder: str) -> bool:
        """Whether it stands in that file of that folder."""
        return self.source == source and os.path.realpath(self.folder) == os.path.realpath(folder)

    def __repr__(self) -> str:  # values stay out of logs
        return f"<StoredConnection {self.name} {self.type}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a connection is not pickled: it holds secrets")
