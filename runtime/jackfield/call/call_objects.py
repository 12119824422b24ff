"""Python objects in an invocation that a caller of the library passes: dates, numbers and models,
where JSON has strings and numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from jackfield.invocation.request import unreadable
from jackfield.kernel.failures import Raised, attempt, value_of
from jackfield.schema.python_values import as_json, built_in, moment

_TEXTS = ("idempotencyKey", "notBefore", "notAfter")


def members(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of an invocation, which may be a mapping class of the host.

    :raises InvalidInvocation: if that class's own code raises.
    """
    found = attempt(dict, given)
    if isinstance(found, Raised) and not isinstance(found.error, (RecursionError, MemoryError)):
        raise unreadable(given)
    return value_of(found)


def plain(given: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return an invocation as JSON. Objects in its members, and in inputs that ``schema``
    describes, are converted.
    """
    found = {
        built_in(name): value if name == "inputs" else _plain(name, value)
        for name, value in given.items()
    }
    if "inputs" in found:
        found["inputs"] = as_json(found["inputs"], schema)
    return found


def _plain(name: str, value: Any) -> Any:
    if name in _TEXTS and issubclass(type(value), (UUID, datetime)):
        text = attempt(_text, value)
        return value if isinstance(text, Raised) else text
    return built_in(value)


def _text(value: UUID | datetime) -> Any:
    return str(value) if isinstance(value, UUID) else moment(value) or value
