"""Folder of a connector's project: its settings in pyproject.toml, and the place of its package."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jackfield.kernel.errors import InvalidInvocation

_GROUP = "jackfield.connectors"
_REQUEST = re.compile(r"[A-Z]+ /[!-~]*")
_HINT = "Give the folder of a connector's pyproject.toml; 'jackfield new NAME' makes one."
_OPTIONS = {
    "connection": str,
    "values": dict,
    "headers": dict,
    "safe-posts": list,
    "left-out": dict,
    "answers": dict,
}
"""Members of ``tool.jackfield.check`` and their types."""


@dataclass(frozen=True)
class Project:
    """Folder of one connector, with its pyproject.toml parsed."""

    root: Path
    pyproject: Mapping[str, Any]

    @classmethod
    def read(cls, root: Path) -> Project:
        """Read the project in a folder.

        :raises InvalidInvocation: if pyproject.toml cannot be read, or does not declare exactly one
            connector.
        """
        try:
            pyproject = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidInvocation(
                f"'{root}' has no pyproject.toml that can be read: {error.strerror}", hint=_HINT
            ) from None
        except ValueError as error:
            raise InvalidInvocation(
                f"pyproject.toml of '{root}' is not TOML: {error}", hint=_HINT
            ) from None
        found = cls(root, pyproject)
        points = found.points
        if len(points) != 1 or not all(
            isinstance(value, str) and ":" in value for value in points.values()
        ):
            text = (
                f"pyproject.toml of '{root}' must declare one connector as MODULE:ATTRIBUTE "
                f'in project.entry-points."{_GROUP}"'
            )
            raise InvalidInvocation(text, hint=_HINT)
        found.check  # noqa: B018 (refuses unknown options here, where the caller expects it)
        return found

    @property
    def about(self) -> Mapping[str, Any]:
        """Return the table ``project``."""
        return _table(self.pyproject, "project")

    @property
    def points(self) -> Mapping[str, Any]:
        """Return the entry points of connectors: key → ``module:attribute``."""
        return _table(self.about, "entry-points", _GROUP)

    @property
    def key(self) -> str:
        """Return the key of the connector, by its entry point."""
        return next(iter(self.points))

    @property
    def module(self) -> str:
        """Return the module of the entry point."""
        module: str = self.points[self.key].partition(":")[0].strip()
        return module

    @property
    def attribute(self) -> str:
        """Return the attribute of the entry point."""
        attribute: str = self.points[self.key].partition(":")[2].strip()
        return attribute

    @property
    def package(self) -> Path:
        """Return the folder of the package, in the project's folder or in its ``src``."""
        name = self.module.partition(".")[0]
        inner = self.root / "src" / name
        return inner if inner.is_dir() else self.root / name

    def manifest(self) -> Any:
        """Read connector.json of the package."""
        return json.loads((self.package / "connector.json").read_text(encoding="utf-8"))

    @cached_property
    def check(self) -> dict[str, Any]:
        """Return the table ``tool.jackfield.check`` as arguments of a Subject.

        :raises InvalidInvocation: for an unknown option or one of the wrong type.
        """
        given = _table(self.pyproject, "tool", "jackfield", "check")
        for name, value in given.items():
            if name not in _OPTIONS or not isinstance(value, _OPTIONS[name]):
                known = ", ".join(_OPTIONS)
                raise InvalidInvocation(
                    f"tool.jackfield.check.{name} in pyproject.toml is unknown or has the wrong "
                    f"type; known are {known}"
                )
        found = {name.replace("-", "_"): value for name, value in given.items()}
        return {
            **found,
            "safe_posts": tuple(found.get("safe_posts", ())),
            "answers": _answers(found.get("answers", {})),
        }

    def text(self, *names: str) -> str | None:
        """Return the content of the first file of the root folder with one of these names, in any
        case; None if no file has one.
        """
        wanted = {name.lower() for name in names}
        for path in sorted(self.root.iterdir()):
            if path.name.lower() in wanted and path.is_file():
                return path.read_text(encoding="utf-8", errors="replace")
        return None


def _answers(given: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Return the responses of ``tool.jackfield.check.answers`` by method and path.

    :raises InvalidInvocation: if a name does not consist of method and path.
    """
    for name in given:
        if _REQUEST.fullmatch(name) is None:
            text = f"'{name[:80]}' in tool.jackfield.check.answers of pyproject.toml is no request"
            raise InvalidInvocation(
                text, hint='Write the method and the path, such as "GET /projects" = {data = []}.'
            )
    return {
        (method, path): value
        for (method, _, path), value in (
            (name.partition(" "), value) for name, value in given.items()
        )
    }


def _table(data: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
    found: Any = data
    for name in names:
        found = found.get(name, {}) if isinstance(found, dict) else {}
    return found if isinstance(found, dict) else {}
