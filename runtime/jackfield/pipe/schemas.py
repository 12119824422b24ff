"""Compiled schemas, each compiled once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from jackfield.errors import UnknownConnector
from jackfield.schema import CompiledSchema, SchemaError, compile_schema

__all__ = ["Schemas"]


class Schemas:
    """The compiled schemas of one runtime, bounded: the least recently used go first."""

    def __init__(self, limit: int = 512) -> None:
        self._limit = limit
        self._compiled: OrderedDict[tuple[str, ...], CompiledSchema] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: tuple[str, ...], schema: Mapping[str, Any], noun: str = "input") -> CompiledSchema:
        """The compiled form of ``schema``, which ``key`` names for good: connector, version, role, and the key of what plays it.

        :raises UnknownConnector: where it is no schema; the connector is broken then.
        """
        with self._lock:
            found = self._compiled.get(key)
            if found is None:
                found = self._compiled[key] = _compiled(key, schema, noun)
                if len(self._compiled) > self._limit:
                    self._compiled.popitem(last=False)
            else:
                self._compiled.move_to_end(key)
        return found


def _compiled(key: tuple[str, ...], schema: Mapping[str, Any], noun: str) -> CompiledSchema:
    try:
        return compile_schema(schema, noun=noun)
    except SchemaError as error:
        raise UnknownConnector(
            f"the connector '{key[0]}' has a broken manifest: the schema of {' '.join(key[2:])}: {error}",
            hint="Reinstall or upgrade the connector's package, or report it to its author.",
        ) from None
