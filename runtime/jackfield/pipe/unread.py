"""Successes whose response could not be read: a warning takes the place of the output (contract of ``Call.unread``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jackfield.errors import JackfieldError
from jackfield.redaction.marks import hidden_values

if TYPE_CHECKING:
    from jackfield.connector.context import Call, Unread
    from jackfield.pipe.plan import Plan
    from jackfield.redaction.redactor import Redactor


def left(output: object, call: Call, plan: Plan, inputs: Mapping[str, Any], redactor: Redactor | None) -> Mapping[str, Any]:
    """Return the warning of a success whose response could not be read; store the body if it may be kept.

    :raises JackfieldError: if the action did not return what stands for the output: it went on, and came to something else.
    """
    unread = call.unread
    if unread is None or output is not unread.output or not call.takes_unread:
        raise unread.error if unread is not None else AssertionError
    file = _stored(call, unread) if _may_keep(unread, plan, inputs, redactor) else None
    kept = "" if file is None else ": its body is in 'file', as it was sent"
    message = f"the provider answered with success, and the output is missing: {unread.error.message}{kept}"
    return {"path": "", "message": message, **({} if file is None else {"file": file})}


def _may_keep(unread: Unread, plan: Plan, inputs: Mapping[str, Any], redactor: Redactor | None) -> bool:
    """Return whether a body may be stored: nothing can be masked in it, so nothing may be secret in inputs, output and connection."""
    if not unread.content or plan.secrets[0] or hidden_values(plan.action.inputs, inputs):
        return False
    return redactor is None or not redactor.holds(unread.content.decode("latin-1"))


def _stored(call: Call, unread: Unread) -> Mapping[str, Any] | None:
    if call.files is None or unread.content is None:
        return None
    try:
        return call.files.store([unread.content], unread.content_type or "application/octet-stream", None)
    except JackfieldError:  # the outcome is known, with or without the file
        return None
