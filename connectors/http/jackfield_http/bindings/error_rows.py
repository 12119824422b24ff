"""Error map of a bound connector, made from its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jackfield.connector import (
    Conflict,
    Forbidden,
    JackfieldError,
    NotFound,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Sent,
    Unauthenticated,
    Unavailable,
)
from jackfield_http.conditions import Condition, listed
from jackfield_http.errors import HTTP_ERRORS, Case, DoneBefore, Failed, HttpErrors, Key, Row
from jackfield_http.verdicts import Rule, strongest

KINDS: Mapping[str, type[JackfieldError]] = {
    kind.code: kind for kind in (Conflict, Forbidden, NotFound, QuotaExceeded, RateLimited, Rejected, Unauthenticated, Unavailable)
}
"""Errors that a row can name, by their codes."""
SENT: Mapping[str, Sent] = {"nothing": Sent.NOTHING, "refused": Sent.REFUSED, "unknown": Sent.UNKNOWN}
"""Values of ``sent`` that a row can declare, by name."""

_PLACES = {"code", "message"}

Json = Mapping[str, Any]


def errors_of(given: Json, base: HttpErrors = HTTP_ERRORS) -> HttpErrors:
    """Return the error map from the member ``errors`` of a manifest; missing parts come from ``base``.

    The first of several matching rows counts: a file's own rows precede the rows of the table that they refine.
    """
    plain = [each for each in given.get("rows", ()) if not _is_case(each)]
    rows = {key: row for each in reversed(plain) for key, row in _rows(each)}
    changes: dict[str, Any] = {name: tuple(listed(given[name])) for name in _PLACES & given.keys()}
    if len(plain) < len(given.get("rows", ())):
        changes["cases"] = tuple(_case(each) for each in given["rows"] if _is_case(each))
    if "messageHeader" in given:
        changes["message_header"] = given["messageHeader"]
    if "requestId" in given:
        changes["request_id"] = tuple(given["requestId"])
    rules = listed(given.get("failed", []))
    if in_body := [one for one in rules if "member" in one]:
        changes["failed"] = failing(in_body)
    if in_header := [one for one in rules if "header" in one]:
        changes["failed_by"] = tuple((one["header"], Condition.from_json({"member": "", **one})) for one in in_header)
    if "doneBefore" in given:
        changes["done_before"] = tuple(map(_done_before, given["doneBefore"]))
    return base.extended(rows, **changes)


def _done_before(given: Json) -> DoneBefore:
    return DoneBefore(given.get("status"), tuple(given.get("codes", ())), given.get("message", ""), tuple(given.get("actions", ())))


def _rows(given: Json) -> list[tuple[Key, Row]]:
    row = _row(given)
    status, codes = given.get("status"), given.get("codes", ())
    if not codes:
        return [] if status is None else [(status, row)]
    return [(code if status is None else (status, code), row) for code in codes]


def _row(given: Json) -> Row:
    wait = given.get("wait", {})
    kind, hint, sent = KINDS[given["error"]], given.get("hint"), SENT.get(given.get("sent", ""))
    return Row(kind, hint, sent, wait_at=wait.get("member"), wait=wait.get("seconds"), wait_in=wait.get("header"))


def _is_case(given: Json) -> bool:
    return not given.keys().isdisjoint(("when", "message"))


def _case(given: Json) -> Case:
    when = given.get("when")
    condition = None if when is None else Condition.from_json({"member": "", **when})
    header = None if when is None else when.get("header")
    return Case(_row(given), given.get("status"), tuple(given.get("codes", ())), condition, header, given.get("message", ""))


def failing(given: Json | list[Json]) -> Failed:
    """Return the function that judges the JSON of a successful response by the rules of a member ``failed``."""
    judges = [Rule.from_json(one).judged for one in listed(given)]
    return judges[0] if len(judges) == 1 else lambda body: strongest(judge(body) for judge in judges)
