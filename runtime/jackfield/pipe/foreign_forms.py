"""Invocations in another system's form: translated if, and only if, their native reading is refused.

A valid invocation never gets here, so the translation costs it nothing and cannot change its meaning. If a translation does not help, the
caller sees the faults of the translated invocation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jackfield.errors import InvalidInput, InvalidInvocation, UnknownName
from jackfield.invocation import Invocation
from jackfield.manifest import Manifest
from jackfield.pipe.admit import Admitted
from jackfield.pipe.check import check
from jackfield.schema.cache import Schemas


def parsed(given: object, find: Callable[[str, str | None], Manifest]) -> Invocation:
    """Parse an invocation's JSON; ``find`` finds the manifests that the caller may see, by connector and version.

    :raises InvalidInvocation: with all faults at once.
    """
    try:
        return Invocation.from_json(given)
    except InvalidInvocation:
        members = _translated_members(given, find)
        if members is None:
            raise
    return Invocation.from_json(members)


def checked(admitted: Admitted, defaults: Callable[[Admitted], Mapping[str, Any]], schemas: Schemas) -> Mapping[str, Any]:
    """Check the inputs of an admitted invocation; ``defaults`` finds the connection's.

    :raises InvalidInput: with all faults at once.
    """
    try:
        return check(admitted, defaults(admitted), schemas)
    except InvalidInput as error:
        from jackfield.connections.foreign.prismatic_forms import native_inputs

        invocation = admitted.invocation
        refused = {detail.path.split("/")[1].replace("~1", "/").replace("~0", "~") for detail in error.details if "/" in detail.path}
        inputs = native_inputs(invocation.inputs, refused, admitted.manifest, admitted.action.key)
        if inputs is None:
            raise
    translated = replace(admitted, invocation=replace(invocation, inputs=inputs))
    return check(translated, defaults(translated), schemas)


def _translated_members(given: object, find: Callable[[str, str | None], Manifest]) -> dict[str, Any] | None:
    from jackfield.connections.foreign.prismatic_forms import native_members

    if not isinstance(given, Mapping):
        return None
    connector, version = given.get("connector"), given.get("connectorVersion")
    if not isinstance(connector, str) or not isinstance(version, str | None):
        return None
    try:
        manifest = find(connector, version)
    except (UnknownName, InvalidInvocation):
        return None
    return native_members(given, manifest)
