"""Withholding of members of a Result: of its output, of a provider's error, and of other members
that repeat withheld values.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Detail, JackfieldError, Provider
from jackfield.kernel.pointers import pointer
from jackfield.redaction.marks import leaves
from jackfield.redaction.redactor import Redactor

if TYPE_CHECKING:
    from jackfield.invocation import Result
    from jackfield.invocation.result import Meta

Place = tuple[str, tuple[str, ...]]
"""JSON Pointer, and its steps."""
ALL: Place = ("", ())
EACH = "*"
"""Step of a pointer that matches each item of a list."""


def without(
    result: Result, places: Iterable[Place], why: str, *, names_all: bool = False
) -> Result:
    """Return a Result without some members of its output, or of its error's ``provider.details``,
    and with a warning for each member.

    A failure with a withheld member, or without details, keeps its code and the runtime's own
    message: other texts may be the provider's. So does a failure for which a policy lists all
    permitted members (``names_all``). If ``meta`` repeats a withheld value, the value is masked; a
    page token with such a value is left out. A Result without withheld members is returned
    unchanged.
    """
    error, listed = result.error, [*places]
    if not listed and not (names_all and error is not None):
        return result
    content = result.output if error is None else error.provider and error.provider.details
    left, removed, warnings = _divided(content, listed, why)
    if not warnings and (error is None or (content is not None and not names_all)):
        return result
    everything = left is None
    meta = _meta(result.meta, None if everything else Redactor(leaves(removed)), removed)
    if error is None:
        return replace(
            result, output=left, meta=replace(meta, warnings=(*meta.warnings, *warnings))
        )
    warnings = warnings or [{"path": "", "message": f"the error is {why}"}]
    return replace(
        result,
        error=own_words(error, why, left),
        meta=replace(meta, warnings=(*meta.warnings, *warnings)),
    )


def missing(content: Any, places: Iterable[Place]) -> list[str]:
    """Return the pointers of a policy that match nothing in a content. They may refer to another
    form of it.
    """
    return sorted(
        text
        for text, steps in set(places)
        if steps and not any(True for _ in _meant(content, steps))
    )


def others(
    content: Any, kept: Collection[tuple[str, ...]], done: tuple[str, ...] = ()
) -> Iterator[Place]:
    """Yield the places of a content that no ``kept`` pointer contains or leads through."""
    if () in kept:
        return
    if not kept or not isinstance(content, Mapping | list):
        yield pointer(*done), done
        return
    members, each = (
        (content.items(), None) if isinstance(content, Mapping) else (enumerate(content), EACH)
    )
    for step, member in members:
        name = str(step)
        inner = {steps[1:] for steps in kept if steps[0] in (name, each)}
        if inner:
            yield from others(member, inner, (*done, name))
        else:
            yield pointer(*done, name), (*done, name)


def own_words(
    error: JackfieldError, why: str, details: Mapping[str, Any] | None = None
) -> JackfieldError:
    """Return an error without the provider's answer, except for ``details``; code, status and
    places stay.
    """
    found = copy.copy(error)
    found.__cause__ = found.__context__ = found.__traceback__ = None
    found.message = f"the call ended as '{error.code}'; the provider's answer is {why}"
    found.hint = (
        "The operator of jackfield knows what the policy shows." if error.hint else error.hint
    )
    found.details = tuple(
        Detail(one.path, f"is {why}", one.keyword) for one in error.details if one.path
    )
    if error.provider is not None:
        found.provider = Provider(None, None, error.provider.http_status, None, details)
    found.args = (found.message,)
    return found


def restored(result: Result, undecided: Mapping[str, Any]) -> Result:
    """Return a Result with its output, which was withheld as a whole."""
    request = undecided.get("requestId")
    meta = replace(
        result.meta,
        next=undecided["next"],
        request_id=request,
        warnings=tuple(undecided["warnings"]),
    )
    return replace(result, output=undecided["question"]["output"], meta=meta)


def remaining(content: Any, places: Iterable[Place]) -> Any:
    """Return a copy of a content without some places; None if nothing remains."""
    listed = [*places]
    return _divided(content, listed, "")[0] if listed else content


def _divided(
    content: Any, places: Iterable[Place], why: str
) -> tuple[Any, list[Any], list[Mapping[str, Any]]]:
    """Return a copy of a content without some members, the removed members, and a warning for each:
    the deepest and last first.
    """
    left, removed, warnings = copy.deepcopy(content), list[Any](), list[Mapping[str, Any]]()
    meant = {
        (pointer(*steps), steps) for _, place in set(places) for steps in _meant(content, place)
    }
    for text, steps in sorted(
        meant, key=lambda place: [(len(step), step) for step in place[1]], reverse=True
    ):
        if not steps:
            return None, [content], [{"path": "", "message": f"the output is {why}"}]
        if _taken(left, steps, removed):
            warnings.append({"path": text, "message": why})
    return left, removed, warnings


def _meant(
    content: Any, steps: tuple[str, ...], done: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """Yield the places that a pointer matches; ``*`` matches each item of a list."""
    if not steps:
        yield done
        return
    first, *rest = steps
    if isinstance(content, list):
        known = map(str, range(len(content))) if first == EACH else (first,)
        for step in known:
            with suppress(LookupError, ValueError):
                yield from _meant(content[_index(step)], (*rest,), (*done, step))
    elif isinstance(content, Mapping) and first in content:
        yield from _meant(content[first], (*rest,), (*done, first))


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
    """Return the list index in a step of a pointer, which has only digits (RFC 6901 §4)."""
    if not (step.isascii() and step.isdigit()) or (step[0] == "0" and len(step) > 1):
        raise ValueError("it is no index")
    return int(step)


def _meta(meta: Meta, redactor: Redactor | None, removed: list[Any]) -> Meta:
    """Return a ``meta`` that does not repeat removed values; ``redactor`` is None if everything was
    removed.
    """
    if redactor is None:
        return replace(meta, next=None, warnings=(), request_id=None)
    following, request = meta.next, meta.request_id
    repeats = following is not None and not {*leaves(removed)}.isdisjoint(leaves(following))
    if repeats or redactor.clean_json(following) != following:
        following = None
    request = request and redactor.clean(request)
    return replace(
        meta,
        next=following,
        request_id=request,
        warnings=tuple(redactor.clean_json([*meta.warnings])),
    )
