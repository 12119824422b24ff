"""Entry points of installed distributions, read without importing their code.

``importlib.metadata`` takes four times as long, in every cold command: it builds an object for each
distribution and parses all groups. See docs/decisions/0003-discovery.md.
"""

from __future__ import annotations

import os
import sys

# typing and dataclasses would cost a cold --help more time than starting Python
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any


RECEIPT = "jackfield-receipt.json"
"""Name of the file next to an installed connector's environment, written by its installer."""


class EntryPoint:
    """One name that a distribution declares in a group: ``aws-ses`` →
    ``jackfield_aws_ses:connector``.

    An installed connector also has its ``version`` and the ``paths`` of its own environment, which
    its imports search first.
    """

    __slots__ = ("distribution", "name", "paths", "value", "version")

    def __init__(
        self,
        name: str,
        value: str,
        distribution: str,
        version: str = "",
        paths: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.value = value
        self.distribution = distribution
        self.version = version
        self.paths = paths

    def __repr__(self) -> str:
        return f"EntryPoint({self.name!r}, {self.value!r}, {self.distribution!r})"

    @property
    def identity(self) -> tuple[object, ...]:
        """Return the facts that distinguish this entry point from others."""
        return self.name, self.value, self.distribution, self.version, self.paths

    @property
    def module(self) -> str:
        """Module part of the value."""
        return self.value.partition(":")[0].strip()

    @property
    def attribute(self) -> str:
        """Attribute part of the value."""
        return self.value.partition(":")[2].partition("[")[0].strip()


def entry_points(
    paths: Iterable[str] | None = None, *, isolated: bool = False
) -> Mapping[str, tuple[EntryPoint, ...]]:
    """Return all entry points in groups that start with ``jackfield.``, by group, in the order of
    ``paths`` (default ``sys.path``).

    Of duplicate distributions, the first on the path counts, as for imports. Environments of
    installed connectors are left out, since entry points of their dependencies would extend the
    host. ``isolated`` includes them, for the process of such a connector.
    """
    found: dict[str, list[EntryPoint]] = {}
    seen: set[str] = set()
    for folder in sys.path if paths is None else paths:
        if not isolated and os.path.exists(os.path.join(os.path.dirname(folder), RECEIPT)):
            continue
        for name, path in _distributions(folder or "."):
            if name not in seen:
                seen.add(name)
                for group, point in _entry_points_of(path, name):
                    found.setdefault(group, []).append(point)
    return {group: tuple(points) for group, points in found.items()}


def metadata_fault(distribution: str) -> str | None:
    """Return why the entry points of a distribution on ``sys.path`` cannot be read, an empty string
    if they can be read; None if there is no such distribution.
    """
    wanted = _normalised(distribution)
    path = next(
        (
            path
            for folder in sys.path
            for name, path in _distributions(folder or ".")
            if name == wanted
        ),
        None,
    )
    try:
        return None if path is None else _text(path)[:0]
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        return getattr(error, "strerror", None) or type(error).__name__


def _distributions(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the distributions of an entry of ``sys.path``, each with its metadata folder. An entry
    may be an archive (a wheel, an egg), or a folder in an archive, as for imports.
    """
    try:
        names = sorted(os.listdir(folder))
    except NotADirectoryError:
        names = _archived_names(folder)
    except OSError:  # a path entry that is not there has no distributions
        return
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            yield _normalised(name.rpartition(".")[0].partition("-")[0]), os.path.join(folder, name)
    if folder.endswith(".egg") and "EGG-INFO" in names:
        yield (
            _normalised(os.path.basename(folder).partition("-")[0]),
            os.path.join(folder, "EGG-INFO"),
        )


def _normalised(name: str) -> str:
    """Normalise a distribution's name: runs of ``-``, ``_`` and ``.`` become one hyphen (packaging
    specification, names).
    """
    return "-".join(
        part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part
    )


def _text(path: str) -> str:
    return read_bytes(os.path.join(path, "entry_points.txt")).decode("utf-8")


def _entry_points_of(path: str, distribution: str) -> Iterator[tuple[str, EntryPoint]]:
    try:
        text = _text(path)
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


def in_archive(path: str) -> tuple[str, str]:
    """Return the archive that a path leads into, and the rest of the path; two empty strings if it
    leads into none.
    """
    archive, rest = path, ""
    while archive and not os.path.exists(archive):
        archive, _, name = archive.rpartition(os.sep)
        rest = f"{name}/{rest}" if rest else name
    return (archive, rest) if rest and os.path.isfile(archive) else ("", "")


def read_bytes(path: str, offset: int = 0, length: int = -1) -> bytes:
    """Read a file, or a part of it.

    :raises OSError: if the file cannot be read.
    """
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(length)
    except NotADirectoryError:
        archive, name = in_archive(path)
        if not archive:
            raise
    try:
        with _zip(archive) as found:
            content: bytes = found.read(name)
    except KeyError:
        raise FileNotFoundError(2, "No such file in the archive", path) from None
    return content[offset:] if length < 0 else content[offset : offset + length]


def _archived_names(path: str) -> list[str]:
    """Return the names in an archive, or in a folder of an archive; an empty list if the path leads
    into no readable archive.
    """
    archive, below = (path, "") if os.path.isfile(path) else in_archive(path)
    if not archive:
        return []
    try:
        with _zip(archive) as found:
            names = found.namelist()
    except OSError:  # imports pass over it, too
        return []
    prefix = f"{below}/" if below else ""
    return sorted(
        {name[len(prefix) :].partition("/")[0] for name in names if name.startswith(prefix)} - {""}
    )


def _zip(archive: str) -> Any:
    from zipfile import BadZipFile, ZipFile

    try:
        return ZipFile(archive)
    except (BadZipFile, NotImplementedError, ValueError) as error:
        raise OSError(5, f"the archive is damaged: {error}", archive) from None
