"""Refusals of a later page that end its list, identified by their status and, for an ambiguous
status, by the provider's code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jackfield.connector import JackfieldError
from jackfield_http.answers import Answer
from jackfield_http.errors import HttpErrors, Refusal
from jackfield_http.parsing import error_body

End = int | tuple[int, str]
"""Error response that marks the end of a list: an HTTP status, or a status and the provider's
code.
"""
CLEAR = frozenset({404, 410, 416})
"""Client errors whose status alone means that a page does not exist; any other client error needs a
code.
"""
NEEDS_CODE = (
    "name the code by which the provider says that there is no such page, as {status: 400, codes: "
    "[no_such_page]}: a status other than "
    "404, 410 and 416 has other reasons, too"
)


def ends_of(given: Iterable[Any]) -> tuple[End, ...]:
    """Return refusals from their form in a manifest: statuses, or objects with ``status`` and
    ``codes``.
    """
    return tuple(
        end
        for one in given
        for end in (
            [(one["status"], code) for code in one["codes"]] if isinstance(one, Mapping) else [one]
        )
    )


def is_vague(end: End) -> bool:
    """Return whether a refusal does not identify a missing page: it is a client error without a
    code.
    """
    return isinstance(end, int) and 400 <= end < 500 and end not in CLEAR


def statuses(ends: Iterable[End]) -> tuple[int, ...]:
    """Return the statuses of refusals."""
    return tuple(end if isinstance(end, int) else end[0] for end in ends)


def refusal_of(answer: Answer, errors: HttpErrors, *, safe: bool = True) -> JackfieldError:
    """Return the error for a response whose status was expected."""
    content = answer.content
    body = (
        (errors.read or error_body)(content, answer.headers.get("content-type", ""))
        if content
        else None
    )
    return errors.explain(
        Refusal(answer.step, answer.status, answer.headers, body, safe=safe, content=content)
    )


def is_named(answer: Answer, ends: tuple[End, ...], error: JackfieldError) -> bool:
    """Return whether a response is one of the refusals in ``ends``."""
    code = None if error.provider is None else error.provider.code
    return answer.status in ends or (answer.status, code) in ends
