"""Surfaces of subjects, found by the list of their folder: the shell names none, and a new subject is a folder."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import ModuleType

import jackfield_service

_FOLDER = "subjects"


def surfaces(*names: str) -> Iterator[ModuleType]:
    """Yield each subject's modules of fixed names, such as ``http`` or ``page``, in the order of their folders."""
    folders = [f"{path}/{_FOLDER}" for path in jackfield_service.__path__]
    for found in iter_modules(folders, f"{jackfield_service.__name__}.{_FOLDER}."):
        modules = [f"{found.name}.{name}" for name in names] if found.ispkg else []
        yield from (import_module(module) for module in modules if find_spec(module) is not None)
