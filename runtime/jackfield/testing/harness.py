"""The connector of a project behind the real pipe, for tests: nothing needs to be installed, and nothing is stored."""

from __future__ import annotations

import sys
from pathlib import Path

from jackfield.catalog import Catalog
from jackfield.catalog.discovery import EntryPoint
from jackfield.errors import InvalidInvocation
from jackfield.runtime import Jackfield
from jackfield.testing.project import Project


def project_of(file: str) -> Project:
    """Read the project that a file belongs to, and put its package on ``sys.path``.

    :raises InvalidInvocation: if no folder above the file has a pyproject.toml with one connector.
    """
    for folder in Path(file).resolve().parents:
        if (folder / "pyproject.toml").is_file():
            project = Project.read(folder)
            place = str(project.package.parent)
            if place not in sys.path:
                sys.path.insert(0, place)
            return project
    raise InvalidInvocation(f"no folder above '{file}' has a pyproject.toml", hint="Put the tests into the connector's project.")


def open_project(file: str) -> Jackfield:
    """Open a runtime that knows the connector of the project that ``file`` belongs to, and nothing else: no database, journal or plugins.

    Pass ``__file__``, and connections inline: ``{"type": …, "values": …}``.
    """
    project = project_of(file)
    catalog = Catalog([EntryPoint(project.key, project.points[project.key], project.key)])
    return Jackfield(connections=[], database_url="none", catalog=catalog, environment={}, points=())
