"""Connectors and commands for tests, plugged into a folder as installed packages are: a package and
a ``.dist-info``.

Put the folder on ``sys.path`` (``plugged`` does, for one test) or on PYTHONPATH.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from jackfield.catalog.discovery import entry_points
from jackfield.connector import describe

ECHO = Path(__file__).parents[1] / "connectors" / "echo"
"""The folder that holds the package ``jackfield_echo``."""


def make_connector(
    folder: Path, key: str, module_source: str, manifest: Mapping[str, Any] | None = None
) -> Path:
    """Write the connector ``key`` into ``folder`` as an installed package, and give the package's
    folder.

    ``module_source`` is its module, which must define ``connector``. ``manifest`` is what goes into
    ``connector.json``; left out, the module is run and described. The package is called
    ``jackfield_<key>``, dashes as underscores.
    """
    name = "jackfield_" + key.replace("-", "_")
    package = folder / name
    package.mkdir(parents=True)
    module = package / "__init__.py"
    module.write_text(module_source, encoding="utf-8")
    found = describe(_executed(name, module).connector) if manifest is None else manifest
    (package / "connector.json").write_text(json.dumps(found, indent=2), encoding="utf-8")
    declare(folder, f"jackfield-{key}", "jackfield.connectors", {key: f"{name}:connector"})
    return package


def make_echo(folder: Path) -> list[str]:
    """Declare the echo connector in ``folder``; the two path entries that make it an installed
    one.
    """
    declare(folder, "jackfield-echo", "jackfield.connectors", {"echo": "jackfield_echo:connector"})
    return [str(folder), str(ECHO)]


def declare(folder: Path, distribution: str, group: str, points: Mapping[str, str]) -> None:
    """Write a distribution's metadata into ``folder``: a name, version 1.0.0, and entry points of
    one group.
    """
    info = folder / f"{distribution.replace('-', '_')}-1.0.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0.0\n", encoding="utf-8"
    )
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[{group}]\n{lines}", encoding="utf-8")


_KEPT = {
    "jackfield",
    "jackfield-celery",
    "jackfield-dapr",
    "jackfield-echo",
    "jackfield-formats",
    "jackfield-isolation",
    "jackfield-market",
    "jackfield-store",
    "jackfield-vault",
}


def hide_others(folder: Path) -> None:
    """Write into ``folder`` what hides all connectors, commands and plugins that this Python has
    installed but the echo and the runtime's.

    Of distributions with one name the first one on the path counts, so an empty one of each name,
    found earlier, is enough.
    """
    others = {point.distribution for points in entry_points().values() for point in points} - _KEPT
    for distribution in others:
        (folder / f"{distribution.replace('-', '_')}-0.dist-info").mkdir(parents=True)


@contextmanager
def plugged(*folders: Path | str) -> Iterator[None]:
    """Have ``folders`` first on ``sys.path``; afterwards nothing that was imported from them is
    left.
    """
    added = [str(folder) for folder in folders]
    before = set(sys.modules)
    sys.path[:0] = added
    echo = _KeptEcho()
    sys.meta_path.insert(0, echo)
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.meta_path.remove(echo)
        for folder in added:
            sys.path.remove(folder)
        for name in set(sys.modules) - before:
            if _place(sys.modules[name]).startswith(tuple(added)):
                echo.keep(name, sys.modules.pop(name))


@contextmanager
def provided(folder: Path, group: str, objects: Mapping[str, Any]) -> Iterator[None]:
    """Have an installed package declare objects of a test in a group of entry points, each under
    its name.
    """
    module = ModuleType(f"provided_{group.rpartition('.')[2]}")
    attributes = {f"object_{number}": found for number, found in enumerate(objects.values())}
    vars(module).update(attributes)
    declare(
        folder,
        "provided",
        group,
        {
            name: f"{module.__name__}:{found}"
            for name, found in zip(objects, attributes, strict=True)
        },
    )
    sys.modules[module.__name__] = module
    try:
        with plugged(folder):
            yield
    finally:
        del sys.modules[module.__name__]


class _KeptEcho(MetaPathFinder, Loader):
    """Imports the echo's modules as they were imported before: to make and describe its models
    takes 45 ms. It begins without what it was told.
    """

    _modules: ClassVar[dict[str, ModuleType]] = {}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Find what is kept, unless the path has another one of that name."""
        if name not in self._modules or (found := PathFinder.find_spec(name, path)) is None:
            return None
        if found.origin != self._modules[name].__file__:
            return None
        found.loader = self
        return found

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Give the module."""
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing; forget what hooks, polls and actions have left."""
        if module.__name__ == "jackfield_echo.watching":
            for name in ("REGISTERED", "NOTES", "BOARD"):
                getattr(module, name).clear()

    def keep(self, name: str, module: ModuleType) -> None:
        """Keep a module that nobody has any more, if it is the echo's."""
        if _place(module).startswith(str(ECHO)):
            self._modules[name] = module


def _place(module: object) -> str:
    """The file of a module, or the folder of a package without code."""
    return str(getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), ""))


def _executed(name: str, path: Path) -> Any:  # a module: whatever its source defines
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # pydantic looks annotations up there
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[name]
    return module
