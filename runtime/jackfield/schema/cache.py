"""Cache of compiled schemas."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel import pointers
from jackfield.kernel.errors import UnknownConnector
from jackfield.kernel.fork import ProcessLocal
from jackfield.schema import CompiledSchema, SchemaError, compile_schema
from jackfield.schema.steps import steps_of
from jackfield.schema.wording import name_of

if TYPE_CHECKING:
    from jackfield.manifest.manifest import Manifest


class Schemas(ProcessLocal):
    """Compiled schemas of one runtime: a bounded LRU cache."""

    def __init__(self, limit: int = 512) -> None:
        self._limit = limit
        self._compiled: OrderedDict[tuple[str, ...], CompiledSchema] = OrderedDict()
        self._lock = threading.Lock()

    def find(
        self, key: tuple[str, ...], schema: Mapping[str, Any], noun: str = "input"
    ) -> CompiledSchema:
        """Return the compiled ``schema``. ``key`` identifies it permanently: connector, version,
        role, and the key of the action or type.

        :raises UnknownConnector: if it is not a valid schema, which means that the connector is
            broken.
        """
        with self._lock:
            found = self._compiled.get(key)
            if found is not None:
                self._compiled.move_to_end(key)
                return found
        made = _compiled(key, schema, noun)  # may take long, so others need not wait
        with self._lock:
            found = self._compiled.setdefault(key, made)
            if len(self._compiled) > self._limit:
                self._compiled.popitem(last=False)
        return found

    def takes_long(self, key: tuple[str, ...], value: Any) -> bool:
        """Return True if judging a value by a schema may take long, or if the schema is not
        compiled yet.
        """
        found = self._compiled.get(key)
        return found is None or steps_of(value, found.brief) > found.brief


def check_schemas(manifest: Manifest) -> None:
    """Check every schema of a manifest. This takes a millisecond, so listing all connectors skips
    it.

    :raises UnknownConnector: if a schema is invalid, which means that the connector is broken.
    """
    version = manifest.version
    from jackfield.kernel.patterns import dear_patterns

    dear = dear_patterns(_patterns(manifest.raw))
    if dear is not None:
        reason = (
            "its patterns with look-around or back-references are too many or too large: "
            f"write {name_of(dear)} without them"
        )
        raise _broken((manifest.key, version, "patterns"), SchemaError("", reason))
    for action in () if _are_sound(manifest) else manifest.actions.values():
        _check((manifest.key, version, "inputs", action.key), action.inputs)
        _check((manifest.key, version, "output", action.key), action.output)
    for kind in manifest.connection_types.values():
        _check((manifest.key, version, "connection", kind.key), kind.schema)


def _patterns(raw: Any) -> Iterator[str]:
    """Yield all strings that may be a pattern, wherever they are."""
    left = [raw]
    for part in left:  # a list that grows meanwhile
        if isinstance(part, Mapping):
            pattern, names = part.get("pattern"), part.get("patternProperties")
            yield from (
                one
                for one in (pattern, *(names if isinstance(names, Mapping) else ()))
                if isinstance(one, str)
            )
            left += part.values()
        elif isinstance(part, list):
            left += part


def _are_sound(manifest: Manifest) -> bool:
    """Return True if the schemas of all actions are valid together, each of their shared
    definitions checked once.

    If 400 actions share 700 definitions, checking each action with all its definitions takes a
    minute. False is no verdict: the schemas are then checked one by one, as they are used.
    """
    from jackfield.schema.compiling import checked_schema
    from jackfield.schema.engine import DIALECT

    shared = manifest.raw.get("$defs")
    if not shared:
        return False
    owns = [
        schema
        for action in manifest.actions.values()
        for schema in (action.own_inputs, action.own_output)
    ]
    if any("$defs" in own or own.get("$schema", DIALECT) != DIALECT for own in owns):
        return False
    try:
        found = checked_schema(
            {"$defs": shared, "properties": {str(number): own for number, own in enumerate(owns)}}
        )
    except SchemaError:
        return False
    return all(_shared_name(reference) in shared for reference in found.targets)


def _shared_name(reference: str) -> str | None:
    """Return the name of the shared definition that a reference leads to; None for any other
    reference.
    """
    names = pointers.names(reference.removeprefix("#")) if reference.startswith("#/$defs/") else ()
    return names[1] if len(names) == 2 else None


def _compiled(key: tuple[str, ...], schema: Mapping[str, Any], noun: str) -> CompiledSchema:
    try:
        return compile_schema(schema, noun=noun)
    except SchemaError as error:
        raise _broken(key, error) from None


def _check(key: tuple[str, ...], schema: Mapping[str, Any]) -> None:
    from jackfield.schema.compiling import checked_schema

    _compiled(key, schema, "input")
    try:
        checked_schema(schema)
    except SchemaError as error:
        raise _broken(key, error) from None


def _broken(key: tuple[str, ...], error: SchemaError) -> UnknownConnector:
    return UnknownConnector(
        f"the connector '{key[0]}' has a broken manifest: the schema of {' '.join(key[2:])}: "
        f"{error}",
        hint="Reinstall or upgrade the connector's package, or report it to its author.",
    )
