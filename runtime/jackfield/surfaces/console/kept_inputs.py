"""What the journal kept of an invocation's inputs, to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.errors import JackfieldError
from jackfield.journal.kept_inputs import sealed_inputs

if TYPE_CHECKING:
    from jackfield.surfaces.console.visit import Visit

__all__ = ["kept_inputs"]


def kept_inputs(visit: Visit, identifier: str) -> Mapping[str, Any]:
    """``inputs`` and ``connection`` of an earlier invocation, as far as they were kept; a wrong id gives nothing."""
    journal = visit.journal
    try:
        entry = journal.find(identifier)
    except JackfieldError:
        return {}
    found: dict[str, Any] = {"connection": entry.connection} if entry.connection is not None else {}
    sealed = sealed_inputs(journal.database, visit.identity.workspace, identifier)
    if sealed is None:
        return found
    opened = journal.opened_inputs(identifier, sealed)
    inputs = opened.get("invocation", opened).get("inputs") if isinstance(opened, Mapping) else None
    return {**found, "inputs": inputs} if isinstance(inputs, Mapping) else found
