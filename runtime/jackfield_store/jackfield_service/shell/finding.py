"""Search for the modules of the subjects' surfaces by folder, so that a new subject changes nothing
in the shell.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

import jackfield_service

_FOLDER = "subjects"


def surfaces(*names: str) -> Iterator[ModuleType]:
    """Yield each subject's modules of fixed names, such as ``http`` or ``page``, in the order of
    their folders.
    """
    # not by pkgutil, which finds no module in the single file: its importer lists none
    for folder in jackfield_service.__path__:
        for name in sorted(
            entry.name
            for entry in os.scandir(f"{folder}/{_FOLDER}")
            if entry.is_dir() and entry.name[0] != "_"
        ):
            modules = [
                f"{jackfield_service.__name__}.{_FOLDER}.{name}.{module}" for module in names
            ]
            yield from (
                import_module(module) for module in modules if find_spec(module) is not None
            )
