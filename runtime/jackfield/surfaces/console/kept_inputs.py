"""What the journal kept of an invocation's inputs, to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.errors import JackfieldError

if TYPE_CHECKING:
    from jackfield.surfaces.console.page_request import Visit

__all__ = ["kept_inputs", "still_in_doubt"]


def still_in_doubt(visit: Visit, identifier: str) -> bool:
    """Tell whether nobody knows yet if an earlier invocation took effect."""
    try:
        return visit.journal.find(identifier).status == "in_doubt"
    except JackfieldError:
        return False


def kept_inputs(visit: Visit, identifier: str) -> Mapping[str, Any]:
    """``inputs`` and ``connection`` of an earlier invocation, as far as they were kept; a wrong id gives nothing."""
    try:
        entry = visit.journal.find(identifier)
    except JackfieldError:
        return {}
    found: dict[str, Any] = {} if entry.connection is None else {"connection": entry.connection}
    return found if entry.inputs is None else {**found, "inputs": entry.inputs}
