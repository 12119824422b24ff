"""Successes whose response could not be read: a warning takes the place of the output (contract of ``Call.unread``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.errors import JackfieldError
from jackfield.redaction.marks import hidden_values

if TYPE_CHECKING:
    from jackfield.connector.context import Call, Unread
    from jackfield.json_tools.walk import Schema
    from jackfield.redaction.redactor import Redactor


def left(
    output: object, call: Call, schema: Schema, inputs: Mapping[str, Any], redactor: Redactor | None, *, is_secret: bool
) -> Mapping[str, Any]:
    """Return the warning of a success whose response could not be read, and store its body.

    Nothing can be masked in it, so it is not stored if the output ``is_secret`` in part, if an input is by its ``schema``, or if the body
    repeats a secret of the connection.

    :raises JackfieldError: if the action did not return what stands for the output: it went on, and came to something else.
    """
    unread = call.unread
    if unread is None or output is not unread.output or not call.takes_unread:
        raise unread.error if unread is not None else AssertionError
    file = None if is_secret or not _may_keep(unread, schema, inputs, redactor) else _stored(call, unread)
    kept = "" if file is None else ": its body is in 'file', as it was sent"
    message = f"the provider answered with success, and the output is missing: {unread.error.message}{kept}"
    return {"path": "", "message": message, **({} if file is None else {"file": file})}


def _may_keep(unread: Unread, schema: Schema, inputs: Mapping[str, Any], redactor: Redactor | None) -> bool:
    """Return whether a body repeats no secret, as far as is known."""
    if not unread.content or hidden_values(schema, inputs):
        return False
    return redactor is None or not redactor.holds(unread.content.decode("latin-1"))


def _stored(call: Call, unread: Unread) -> Mapping[str, Any] | None:
    if call.files is None or unread.content is None:
        return None
    try:
        return call.files.store([unread.content], unread.content_type or "application/octet-stream", None)
    except JackfieldError:  # the outcome is known, with or without the file
        return None
