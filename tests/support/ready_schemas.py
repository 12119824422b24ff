"""Schemas of models, made once for each process of pytest: each test's catalog compares the code of its connectors with their manifests.

To make a schema takes pydantic a millisecond, and a catalog has hundreds. Nothing that a schema is made from changes with the test.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from unittest import mock
from weakref import WeakKeyDictionary

from pydantic import BaseModel

from jackfield.connector import manifests

_REAL = manifests.model_schema


@contextmanager
def schemas_kept() -> Iterator[None]:
    """Let the schema of a model be a copy of the one that was made first."""
    kept: WeakKeyDictionary[type[BaseModel], dict[bytes, bytes]] = WeakKeyDictionary()

    def model_schema(model: type[BaseModel], extra: Mapping[str, Any] | None = None) -> dict[str, Any]:
        known, key = kept.setdefault(model, {}), pickle.dumps(extra)
        if key not in known:
            known[key] = pickle.dumps(_REAL(model, extra))
        found: dict[str, Any] = pickle.loads(known[key])
        return found

    with mock.patch.object(manifests, "model_schema", model_schema):
        yield
