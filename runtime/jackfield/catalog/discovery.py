"""Entry points of installed distributions, read without importing any code of theirs.

``importlib.metadata`` takes four times as long (it builds an object for each distribution and parses all groups), which every cold command
would pay; see docs/decisions/0003-discovery.md.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing and dataclasses would cost a cold --help more time than starting Python
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


RECEIPT = "jackfield-receipt.json"
"""File beside the environment of an installed connector, written by ``jackfield install``."""


class EntryPoint:
    """One name that a distribution declares in a group: ``aws-ses`` → ``jackfield_aws_ses:connector``.

    A connector of ``jackfield install`` also has its ``version`` and the ``paths`` that its imports search first: its own environment.
    """

    __slots__ = ("distribution", "name", "paths", "value", "version")

    def __init__(self, name: str, value: str, distribution: str, version: str = "", paths: tuple[str, ...] = ()) -> None:
        self.name = name
        self.value = value
        self.distribution = distribution
        self.version = version
        self.paths = paths

    def __repr__(self) -> str:
        return f"EntryPoint({self.name!r}, {self.value!r}, {self.distribution!r})"

    @property
    def identity(self) -> tuple[object, ...]:
        """Everything that tells this one from others."""
        return self.name, self.value, self.distribution, self.version, self.paths

    @property
    def module(self) -> str:
        """Module part of the value."""
        return self.value.partition(":")[0].strip()

    @property
    def attribute(self) -> str:
        """Attribute part of the value."""
        return self.value.partition(":")[2].partition("[")[0].strip()


def entry_points(paths: Iterable[str] | None = None, *, isolated: bool = False) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return all entry points in groups that start with ``jackfield.``, by group, in the order of ``paths`` (default ``sys.path``).

    Of duplicate distributions, the first on the path counts, as for imports. Environments of installed connectors are left out: what their
    dependencies declare would otherwise extend the host. ``isolated`` reads them too, in the process of such a connector.
    """
    found: dict[str, list[EntryPoint]] = {}
    seen: set[str] = set()
    for folder in sys.path if paths is None else paths:
        if not isolated and os.path.exists(os.path.join(os.path.dirname(folder), RECEIPT)):
            continue
        for name, path in _distributions(folder or "."):
            if name not in seen:
                seen.add(name)
                for group, point in _read(path, name):
                    found.setdefault(group, []).append(point)
    return {group: tuple(points) for group, points in found.items()}


def _distributions(folder: str) -> Iterator[tuple[str, str]]:
    try:
        names = sorted(os.listdir(folder))
    except OSError:  # a path entry that is not a folder has no distributions
        return
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            yield _normalised(name.rpartition(".")[0].partition("-")[0]), os.path.join(folder, name)


def _normalised(name: str) -> str:
    """Normalise a distribution's name: runs of ``-``, ``_`` and ``.`` become one hyphen (packaging specification, names)."""
    return "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)


def _read(path: str, distribution: str) -> Iterator[tuple[str, EntryPoint]]:
    try:
        with open(os.path.join(path, "entry_points.txt"), encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeDecodeError):  # most distributions declare no entry points
        return
    if "jackfield." not in text:
        return
    group = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("[") and line.endswith("]"):
            group = line[1:-1].strip()
        elif group.startswith("jackfield.") and "=" in line and line[0] not in "#;":
            name, _, value = line.partition("=")
            yield group, EntryPoint(name.strip(), value.strip(), distribution)
