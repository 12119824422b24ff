"""Check of an overlay's values by the schemas that declare its words."""

from __future__ import annotations

from typing import Any

import jsonschema_rs

from jackfield.connector import InvalidInput
from jackfield_http.words import POINTER

_LONGEST = 200
"""Maximum number of characters of a validator's message."""

Json = dict[str, Any]


class Judge:
    """Check of values by one schema."""

    def __init__(self, schema: Json) -> None:
        self._schema = jsonschema_rs.Draft202012Validator(schema)

    def fault(self, given: Any, *place: str) -> str | None:
        """Return the first fault of a value, with its place below ``place``; None for a valid
        value.
        """
        found = next(self._schema.iter_errors(given), None)
        return (
            None
            if found is None
            else f"'{'/'.join(map(str, (*place, *found.instance_path)))}' {_said(found)}"
        )

    def check(self, given: Any, *place: str) -> None:
        """Check a value at ``place`` in the document's ``x-jackfield``.

        :raises InvalidInput: if the value is not valid.
        """
        if (fault := self.fault(given, *place)) is not None:
            raise refused(f"'x-jackfield' of the document is not valid: {fault}")


def _said(found: jsonschema_rs.ValidationError) -> str:
    kind = found.kind
    if (
        isinstance(kind, jsonschema_rs.ValidationErrorKind.Pattern)
        and kind.pattern == POINTER["pattern"]
    ):
        return "must be a JSON Pointer, such as /meta/next"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Enum):
        return f"must be one of {', '.join(map(str, kind.options))}"
    return f"is not valid: {found.message[:_LONGEST]}"


def refused(reason: str) -> InvalidInput:
    """Return the error for an invalid overlay."""
    return InvalidInput(
        reason,
        hint=(
            "Correct the overlay, or the shelf's file: docs/tutorial/openapi.md and shelf.md "
            "list the members."
        ),
    )
