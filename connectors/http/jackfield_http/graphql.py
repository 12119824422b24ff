"""GraphQL over HTTP: the meaning of an answer with ``errors``.

https://spec.graphql.org/October2021/, https://graphql.github.io/graphql-over-http/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import FailedEntry, Provider, Rejected, Sent, Unavailable, current_call
from jackfield.kernel.pointers import names
from jackfield.manifest.manifest import Effect
from jackfield_http.answers import NOT_THE_API, Answer
from jackfield_http.errors import HTTP_ERRORS, HttpErrors, Refusal
from jackfield_http.pointers import find


def is_refused(body: Any) -> bool:
    """Return whether an answer says that nothing was carried out: it has ``errors``, no data, and
    no error of an executed field.

    An error below a field of the operation comes after that field was executed: a null there climbs
    up to it (section 6.4.4).
    """
    return (
        _has_errors(body)
        and not _has_data(body)
        and not ("data" in body and any(len(path) > 1 for path in _paths(body)))
    )


def is_below(body: Any, place: str) -> bool:
    """Return whether an answer has an object at a JSON Pointer, and all its errors concern members
    of this object.
    """
    found, own = find(body, place), names(place)[1:]
    return isinstance(found, Mapping) and all(
        path[: len(own)] == own and len(path) > len(own) for path in _paths(body)
    )


def _paths(body: Any) -> list[list[Any]]:
    """Return the path of each error of an answer; empty for an error without one."""
    errors = body.get("errors")
    told = (
        error.get("path") if isinstance(error, Mapping) else None
        for error in (errors if isinstance(errors, list) else ())
    )
    return [path if isinstance(path, list) else [] for path in told]


def judge(
    answer: Answer,
    step: str,
    effect: Effect,
    errors: HttpErrors = HTTP_ERRORS,
    *,
    accepts_partial: bool = False,
) -> Any:
    """Return the body of an answer. With ``accepts_partial``, data with ``errors`` is accepted.

    :raises Rejected: if a query has errors.
    :raises Unavailable: if the answer is not in GraphQL's form, or a mutation has errors and data:
        part of it was carried out. Either puts a write in doubt.
    """
    body = answer.json()
    if not _is_response(body):
        text = (
            f"the response to '{step}' is not of GraphQL: it has no 'errors', and no 'data' "
            "that is an object or null"
        )
        raise Unavailable(text, hint=NOT_THE_API, sent=Sent.UNKNOWN, repeatable=False)
    if not _has_errors(body):
        return body
    if accepts_partial and _has_data(body):
        _tell_errors(body["errors"])
        return body
    failure = {name: value for name, value in body.items() if name != "data"}
    known = errors.explain(
        Refusal(step, answer.status, answer.headers, failure, safe=effect == "read")
    )
    said = known.provider or Provider(None, None, answer.status)
    if effect == "read" and not isinstance(known, Rejected):
        raise known
    if effect == "read":
        hint = "Correct the query, or accept partial data."
        raise Rejected(known.message, hint=known.hint or hint, provider=said, sent=Sent.REFUSED)
    text = f"the answer to '{step}' has errors after a part of the mutation was carried out"
    hint = "Look what has changed before you send it again."
    raise Unavailable(
        f"{text}: {said.message}" if said.message else text,
        hint=hint,
        provider=said,
        sent=Sent.UNKNOWN,
        repeatable=False,
    )


def _tell_errors(errors: Any) -> None:
    """Report to the caller the errors that accompany the data."""
    call = current_call()
    if call is not None and isinstance(errors, list):
        said = [
            str(error["message"]) if isinstance(error, Mapping) and "message" in error else "failed"
            for error in errors
        ]
        call.failed_in_part(
            [FailedEntry(f"/errors/{number}", text[:1000]) for number, text in enumerate(said)],
            path="/errors",
        )


def _is_response(body: Any) -> bool:
    """Return whether a body is a GraphQL response (section 7.1): it has errors or data."""
    return _has_errors(body) or (
        isinstance(body, Mapping) and isinstance(body.get("data", ""), Mapping | None)
    )


def _has_errors(body: Any) -> bool:
    return isinstance(body, Mapping) and bool(body.get("errors"))


def _has_data(body: Any) -> bool:
    """Return whether at least one member of the data is not null."""
    data = body.get("data")
    return isinstance(data, Mapping) and any(value is not None for value in data.values())
