"""What catalogs are made of, made once for each process of pytest: entry points of the environment,
manifests, schemas of models and their compiled forms, the comparison of code and manifest, search
indexes, botocore's models, indexes of all actions of AWS.

Each test has catalogs of its own. To look through the environment's 250 distributions takes 3 ms,
to read the manifests 6 ms, to make the index 60 ms, to compile the schema of an action 10 ms, and
the schema of a model takes a millisecond, of which a catalog has hundreds. Nothing that these are
made from changes with the test.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache, wraps
from pathlib import Path
from typing import Any
from unittest import mock
from weakref import WeakKeyDictionary

from pydantic import BaseModel

import jackfield.schema.cache
from jackfield.catalog import Catalog, discovery, index, index_file, installed
from jackfield.catalog.comparing import mismatch
from jackfield.catalog.discovery import EntryPoint
from jackfield.catalog.index import make
from jackfield.catalog.index_file import IndexFile
from jackfield.catalog.indexed import read_manifest
from jackfield.catalog.offers import OfferedCatalog
from jackfield.catalog.postings import Table
from jackfield.connector import manifests
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.reading import INDEX, MANIFEST
from jackfield.schema import CompiledSchema, compile_schema

_SCHEMA, _DISTRIBUTIONS, _POINTS, _TABLE = (
    manifests.model_schema,
    discovery._distributions,
    discovery._entry_points_of,
    index._table,
)
_FOLDERS = installed._package_folders
_ENVIRONMENT = sysconfig.get_path("purelib")
_PATH = {*sys.path}
_SHIPPED = tuple(
    str(Path(__file__).parents[2] / folder) + os.sep
    for folder in ("connectors", "runtime", "tests/connectors")
)
_FOUND: dict[str, list[str]] = {}
"""Folders of this repository's packages."""
_SMALL = 65_536
"""Bytes of a manifest that is compared with others."""


@contextmanager
def parts_kept(folder: Path) -> Iterator[None]:
    """Let catalogs be made of parts that were made before, unless a file has changed; ``folder``
    keeps large indexes of actions.
    """
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(index_file, "made_elsewhere", _kept_indexes(folder)))
        stack.enter_context(mock.patch.object(manifests, "model_schema", _kept_schemas()))
        stack.enter_context(mock.patch.object(discovery, "_distributions", _distributions))
        stack.enter_context(mock.patch.object(discovery, "_entry_points_of", _points))
        stack.enter_context(mock.patch.object(installed, "read_manifest", _manifest))
        stack.enter_context(mock.patch.object(installed, "mismatch", _kept_comparisons()))
        stack.enter_context(mock.patch.object(installed, "_package_folders", _folders))
        stack.enter_context(mock.patch.object(jackfield.schema.cache, "compile_schema", _compiled))
        stack.enter_context(mock.patch.object(index, "_table", _kept_tables()))
        stack.enter_context(mock.patch.object(OfferedCatalog, "_virtual_with_type", _kept_types()))
        # a test of this run has imported it
        if (loaders := sys.modules.get("botocore.loaders")) is not None:
            stack.enter_context(
                mock.patch.object(loaders.JSONFileLoader, "load_file", _kept_models(loaders))
            )
        yield


def _kept_indexes(folder: Path) -> Any:
    """Copy an index of 20,000 actions, which takes 2 s to make, to where another home wants it. It
    is made here, since a process of its own does not know what a test has plugged in; programs that
    tests start have such processes.
    """

    def made(catalog: Catalog, *, for_operator: bool) -> bool:
        file = IndexFile.of(catalog, for_operator=for_operator)
        kept = folder / str(file._stamp)
        if kept.is_dir():
            os.makedirs(os.path.dirname(file._path), exist_ok=True)
            for ending in ("", index_file._PLACES):
                # its name is another one with another PYTHONPATH
                shutil.copy(kept / f"index{ending}", file._path + ending)
        else:
            make(catalog, file, for_operator=for_operator)
            if file.read() is not None:
                kept.mkdir()
                for ending in ("", index_file._PLACES):
                    shutil.copy(file._path + ending, kept / f"index{ending}")
        return True

    return made


def _kept_schemas() -> Any:
    kept: WeakKeyDictionary[type[BaseModel], dict[bytes, bytes]] = WeakKeyDictionary()

    def model_schema(
        model: type[BaseModel], extra: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        known, key = kept.setdefault(model, {}), pickle.dumps(extra)
        if key not in known:
            known[key] = pickle.dumps(_SCHEMA(model, extra))
        found: dict[str, Any] = pickle.loads(known[key])
        return found

    return model_schema


def _distributions(folder: str) -> Iterator[tuple[str, str]]:
    try:
        return (
            iter(_known_distributions(folder, os.stat(folder).st_mtime_ns))
            if folder in _PATH
            else _DISTRIBUTIONS(folder)
        )
    except OSError:  # an archive of the standard library that is not there
        return iter(())


@cache
def _known_distributions(folder: str, _changed: int) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, path)
        for name, path in _DISTRIBUTIONS(folder)
        if folder != _ENVIRONMENT or _known_points(path, name)
    )


def _points(path: str, distribution: str) -> Iterator[tuple[str, EntryPoint]]:
    is_ours = os.path.dirname(path) == _ENVIRONMENT
    return iter(_known_points(path, distribution)) if is_ours else _POINTS(path, distribution)


@cache
def _known_points(path: str, distribution: str) -> tuple[tuple[str, EntryPoint], ...]:
    return tuple(_POINTS(path, distribution))


def _manifest(folder: str) -> Manifest:
    path = os.path.join(folder, MANIFEST)
    try:
        changed = os.stat(path)
    except OSError:
        return read_manifest(folder)
    if changed.st_size < _SMALL and not os.path.exists(os.path.join(folder, INDEX)):
        return _same_manifest(Path(path).read_bytes())
    return _known_manifest(folder, changed.st_ino, changed.st_mtime_ns, changed.st_size)


@lru_cache(500)
def _same_manifest(content: bytes) -> Manifest:
    """Read the manifest of a connector that many tests write, each into its own folder."""
    return Manifest.from_json(json.loads(content.decode("utf-8")))


@cache
def _known_manifest(folder: str, *_changed: int) -> Manifest:
    return read_manifest(folder)


def _folders(package: str) -> list[str]:
    """Look for a package again where a test has changed what is imported, and it may be in a folder
    of the test's own.
    """
    is_changed = not {*sys.path} >= _PATH or any(
        os.path.exists(os.path.join(path, package)) for path in {*sys.path} - _PATH
    )
    if is_changed or sys.modules.get(package, "") is None:
        return _FOLDERS(package)
    if package not in _FOUND:
        found = _FOLDERS(package)
        if not found or any(not folder.startswith(_SHIPPED) for folder in found):
            return found  # a test has put it among the modules, and the next one another
        _FOUND[package] = found
    return [*_FOUND[package]]


def _kept_comparisons() -> Any:
    agreed: dict[tuple[int, int, frozenset[str]], object] = {}

    def compared(found: object, manifest: Manifest, actions: set[str], **more: Any) -> str | None:
        about = (id(found), id(manifest), frozenset(actions))
        if more or about not in agreed:
            difference = mismatch(found, manifest, actions, **more)
            if more or difference is not None:
                return difference
            agreed[about] = found, manifest  # whose ids are theirs as long as they are kept
        return None

    return compared


def _kept_tables() -> Any:
    """Keep the index of what is installed as long as all manifests are those that were read
    before.
    """
    kept: dict[tuple[str, tuple[int, ...]], tuple[Table, list[Manifest | None]]] = {}

    def table(catalog: Catalog, *, for_operator: bool) -> Table:
        if catalog.offering is not None and catalog.offering.has_any(for_operator=for_operator):
            return _TABLE(catalog, for_operator=for_operator)
        rows, kinds = list[Any](), list[Any]()
        found = [manifest for _, manifest in index._installed(catalog, rows, kinds)]
        about = repr((rows, kinds)), tuple(map(id, found))
        if about not in kept:
            if len(kept) == 20:
                kept.clear()
            # whose ids are theirs as long as they are kept
            kept[about] = _TABLE(catalog, for_operator=for_operator), found
        return kept[about][0]

    return table


def _kept_types() -> Any:
    """Keep the 400 manifests of one source that take connections of a type, as long as it has the
    same services and offers.
    """
    find = OfferedCatalog._virtual_with_type
    kept: dict[tuple[Any, ...], list[Manifest]] = {}

    def found(catalog: OfferedCatalog, name: str) -> Sequence[Manifest]:
        now = catalog._now
        if "." in name.partition("/")[0] or name in now.by_type or not now.offers:
            return find(catalog, name)
        source = catalog._offering.source
        about = (
            name,
            repr(now.offers),
            *(
                (type(source(key)), source(key).stamp(), tuple(source(key).keys()))
                for key in now.offers
            ),
        )
        if about in kept:
            now.by_type[name] = kept[about]
        elif manifests := find(catalog, name):
            kept[about] = [*manifests]
        return find(catalog, name)

    return found


def _compiled(schema: Mapping[str, Any], *, noun: str = "input") -> CompiledSchema:
    try:
        text = pickle.dumps(schema)
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError):
        return compile_schema(schema, noun=noun)
    return _known_schema(text, noun)


@lru_cache(2_000)
def _known_schema(text: bytes, noun: str) -> CompiledSchema:
    return compile_schema(pickle.loads(text), noun=noun)


def _kept_models(loaders: Any) -> Any:
    read = loaders.JSONFileLoader.load_file
    shipped = os.path.join(os.path.dirname(loaders.__file__), "data") + os.sep
    known = lru_cache(40)(lambda path: read(loaders.JSONFileLoader(), path))

    @wraps(read)
    def load_file(loader: Any, path: str) -> Any:
        return known(path) if path.startswith(shipped) else read(loader, path)

    return load_file
