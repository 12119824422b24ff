"""Invocations in another system's form: translated if, and only if, their native reading is refused.

A valid invocation never gets here, so the translation costs it nothing and cannot change its meaning. If a translation does not help, the
caller sees the faults of the translated invocation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jackfield.errors import InvalidInvocation, UnknownName
from jackfield.manifest import Manifest


def translated(given: object, find: Callable[[str, str | None], Manifest]) -> dict[str, Any] | None:
    """Return an invocation's JSON in our form; None if it is in no other form. ``find`` finds the manifests that the caller may see."""
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
