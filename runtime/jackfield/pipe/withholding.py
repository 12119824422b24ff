"""Withholding of members of a Result: of its output, or of what the provider told about a failure, and of what else repeats them."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import replace
from jackfield.pipe.masking import masked_error
from jackfield.redaction.marks import leaves
from jackfield.redaction.redactor import Redactor

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield.invocation.result import Meta
    from jackfield.kernel.errors import JackfieldError

Place = tuple[str, tuple[str, ...]]
"""A JSON Pointer, and its steps."""
ALL: Place = ("", ())
_LEAST = 4
"""Characters of a value by which it is found elsewhere: shorter ones stand in much that has nothing to do with it."""


def without(result: Result, places: Iterable[Place], why: str) -> Result:
    """Return a Result without some members of its output, or of its error's ``provider.details``, and with a warning for each.

    Where ``meta`` or the error repeats a value that is withheld, that is masked; a page token that does is left out. A Result of which
    nothing is withheld is returned as it is.
    """
    error = result.error
    content = result.output if error is None else error.provider and error.provider.details
    left, removed, warnings = _divided(content, places, why)
    if not warnings:
        return result
    meta = _meta(result.meta, None if left is None else Redactor(leaves(removed)), removed)
    meta = replace(meta, warnings=(*meta.warnings, *warnings))
    if error is None:
        return replace(result, output=left, meta=meta)
    return replace(result, error=_error(error, left, removed), meta=meta)


def restored(result: Result, undecided: Mapping[str, Any]) -> Result:
    """Return a Result as it was before all of its output was withheld."""
    meta = replace(result.meta, next=undecided["next"], warnings=tuple(undecided["warnings"]))
    return replace(result, output=undecided["question"]["output"], meta=meta)


def _divided(content: Any, places: Iterable[Place], why: str) -> tuple[Any, list[Any], list[Mapping[str, Any]]]:
    """Return a copy of a content without some members, those members, and a warning for each: the deepest and last first."""
    left, removed, warnings = copy.deepcopy(content), list[Any](), list[Mapping[str, Any]]()
    for text, steps in sorted(set(places), key=lambda place: [(len(step), step) for step in place[1]], reverse=True):
        if not steps:
            return None, [content], [{"path": "", "message": f"the output is {why}"}]
        if _taken(left, steps, removed):
            warnings.append({"path": text, "message": why})
    return left, removed, warnings


def _taken(owner: Any, steps: tuple[str, ...], removed: list[Any]) -> bool:
    *way, last = steps
    try:
        for step in way:
            owner = owner[_index(step)] if isinstance(owner, list) else owner[step]
        removed.append(owner.pop(_index(last) if isinstance(owner, list) else last))
    except (LookupError, ValueError, TypeError, AttributeError):
        return False
    return True


def _index(step: str) -> int:
    """Return the index that a step of a pointer names, which has digits alone (RFC 6901 §4)."""
    if not (step.isascii() and step.isdigit()) or (step[0] == "0" and len(step) > 1):
        raise ValueError("it is no index")
    return int(step)


def _meta(meta: Meta, redactor: Redactor | None, removed: list[Any]) -> Meta:
    """Return a ``meta`` that does not repeat what was removed; without a ``redactor``, that was all there was."""
    if redactor is None:
        return replace(meta, next=None, warnings=())
    following = meta.next
    if following is not None:
        values = {text for text in leaves(removed) if len(text) >= _LEAST}
        if not values.isdisjoint(leaves(following)) or redactor.clean_json(following) != following:
            following = None
    return replace(meta, next=following, warnings=tuple(redactor.clean_json([*meta.warnings])))


def _error(error: JackfieldError, left: Any, removed: list[Any]) -> JackfieldError:
    found = masked_error(copy.copy(error), Redactor(leaves(removed)))
    if found.provider is not None:
        found.provider = replace(found.provider, details=left)
    return found
