"""What tests of other systems' files look at: the connections in a file, and what is wrong with
it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jackfield.connections.connection_lookup import Connections
from jackfield.connections.named_connection import NamedConnection


def loaded(*sources: object, **environment: str) -> Connections:
    """The connections of files (and variables, and mappings) in an environment that holds nothing
    else.
    """
    return Connections(
        [source if isinstance(source, Mapping) else str(source) for source in sources],
        environment=environment,
    )


def connection(*sources: object, **environment: str) -> NamedConnection:
    """The only connection there is, in files with nothing wrong."""
    found = loaded(*sources, **environment)
    assert found.problems == ()
    (only,) = found.files()
    return only


def problem(*sources: object, **environment: str) -> str:
    """The only thing that is wrong."""
    (only,) = loaded(*sources, **environment).problems
    return only


def inputs(stored: NamedConnection) -> Mapping[str, Any]:
    """The default inputs for sending mail that came along."""
    return stored.foreign.inputs.get("aws-ses/sendEmail", {}) if stored.foreign is not None else {}


def write(folder: Path, name: str, text: str) -> Path:
    """A file in a folder."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
