"""Error map of a bound connector, made from its manifest: the words of the member ``errors``, and
their reading.
"""

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
from jackfield_http.conditions import CONDITION, TESTS, Condition, listed
from jackfield_http.errors import HTTP_ERRORS, Case, DoneBefore, Failed, HttpErrors, Key, Row
from jackfield_http.outcomes import OUTCOMES
from jackfield_http.verdicts import BESIDE, BY_STATUS, IN_HEADER, RULE, Rule, Rules
from jackfield_http.words import (
    POINTER,
    STATUS,
    TEXT,
    TEXTS,
    closed,
    needs_one,
    one_or_more,
    read,
    some,
    word,
)

KINDS: Mapping[str, type[JackfieldError]] = {
    kind.code: kind
    for kind in (
        Conflict,
        Forbidden,
        NotFound,
        QuotaExceeded,
        RateLimited,
        Rejected,
        Unauthenticated,
        Unavailable,
    )
}
"""Errors that a row can name, by their codes."""
SENT: Mapping[str, Sent] = {
    "nothing": Sent.NOTHING,
    "refused": Sent.REFUSED,
    "unknown": Sent.UNKNOWN,
}
"""Values of ``sent`` that a row can declare, by name."""

_CODES = some(TEXT)
_ROW = closed(
    {
        "status": STATUS,
        "codes": word(_CODES, "Codes of the provider; left out, the row is for the status."),
        "error": word({"enum": [*KINDS]}, "Code of the error."),
        "when": closed(
            {"header": word(TEXT, "Header field, in place of a member of the body."), **CONDITION},
            [],
            "Member of the body by which this refusal differs from others of the status or the "
            "codes.",
            allOf=[needs_one("member", "header"), needs_one(*TESTS)],
        ),
        "message": word(
            TEXT,
            "Text that its message has, in whatever case, where others of the status have another.",
        ),
        "wait": closed(
            {
                "member": word(POINTER, "Place of the seconds to wait in the body."),
                "header": word(
                    TEXT, "Header field of the provider's own that has the seconds to wait."
                ),
                "seconds": word(
                    {"type": "number", "exclusiveMinimum": 0},
                    "Seconds to wait where nothing says how many.",
                ),
            },
            [],
            "Wait before a repeat, where no usual header field says it.",
            **needs_one("header", "member", "seconds"),
        ),
        "hint": word(TEXT, "What to do next."),
        "sent": word(
            {"enum": [*SENT]},
            "What the refusal implies, where its status does not: 'unknown' is in doubt.",
        ),
    },
    ["error"],
    "Meaning of a status, of codes, or of both together.",
)
_DONE_BEFORE = closed(
    {
        "status": word(
            STATUS,
            "Its status. Alone, it needs a body that an API sends, or none: a page or a text is "
            "a proxy's.",
        ),
        "codes": word(_CODES, "Codes of the provider."),
        "message": word(TEXT, "Text that its message has, in whatever case."),
        "unless": word(
            _CODES, "Texts of which its message has none, such as those for a missing parent."
        ),
        "actions": word(_CODES, "Actions that it is about; left out, all."),
    },
    [],
    "Refusal that says that the request had been carried out before. If an earlier attempt of the "
    "call may have taken effect, it is a"
    " success with a warning.",
    **needs_one("status", "codes", "message"),
)
_SAID = "What a response with a success status says of a failure: a rule, or several."
FAILED = one_or_more(RULE, IN_HEADER, description=_SAID)
"""Member ``failed`` of an error map."""
FAILED_HERE = one_or_more(RULE, OUTCOMES, BY_STATUS, BESIDE, description=_SAID)
"""Member ``failed`` of an action. Its rules precede those of the error map."""
_PLACES = {
    "code": word(
        one_or_more(POINTER),
        "Place of the provider's code in the body of an error, or places of which the first that "
        "is there counts.",
    ),
    "message": word(
        one_or_more(POINTER), "Place of its message, or places whose texts together are it."
    ),
}
ERRORS = closed(
    {
        **_PLACES,
        "messageHeader": word(TEXT, "Header field that has the message where the body has none."),
        "requestId": word(TEXTS, "Header fields with the provider's request ID."),
        "failed": FAILED,
        "rows": {"type": "array", "items": _ROW},
        "doneBefore": {"type": "array", "items": _DONE_BEFORE},
    },
    [],
    "Error map: what it lacks is taken from the meaning of the statuses of HTTP.",
)

Json = Mapping[str, Any]


def errors_of(given: Json, base: HttpErrors = HTTP_ERRORS) -> HttpErrors:
    """Return the error map from the member ``errors`` of a manifest; missing parts come from
    ``base``.

    The first of several matching rows counts: a file's own rows precede the rows of the table that
    they refine.
    """
    plain = [each for each in given.get("rows", ()) if not _is_case(each)]
    rows = {key: row for each in reversed(plain) for key, row in _rows(each)}
    changes: dict[str, Any] = {
        name: tuple(listed(given[name])) for name in _PLACES.keys() & given.keys()
    }
    if len(plain) < len(given.get("rows", ())):
        changes["cases"] = tuple(_case(each) for each in given["rows"] if _is_case(each))
    changes |= read(("messageHeader", "requestId"), given)
    rules = listed(given.get("failed", []))
    if in_body := [one for one in rules if "member" in one]:
        changes["failed"] = failing(in_body)
    if in_header := [one for one in rules if "header" in one]:
        changes["failed_by"] = tuple(
            (one["header"], Condition.from_json({"member": "", **one})) for one in in_header
        )
    if "doneBefore" in given:
        changes["done_before"] = tuple(map(_done_before, given["doneBefore"]))
    return base.extended(rows, **changes)


def _done_before(given: Json) -> DoneBefore:
    return DoneBefore(
        **read(("status", "codes", "message", "unless"), given),
        steps=tuple(given.get("actions", ())),
    )


def _rows(given: Json) -> list[tuple[Key, Row]]:
    row = _row(given)
    status, codes = given.get("status"), given.get("codes", ())
    if not codes:
        return [] if status is None else [(status, row)]
    return [(code if status is None else (status, code), row) for code in codes]


def _row(given: Json) -> Row:
    wait = given.get("wait", {})
    kind, hint, sent = KINDS[given["error"]], given.get("hint"), SENT.get(given.get("sent", ""))
    return Row(
        kind,
        hint,
        sent,
        wait_at=wait.get("member"),
        wait=wait.get("seconds"),
        wait_in=wait.get("header"),
    )


def _is_case(given: Json) -> bool:
    return not given.keys().isdisjoint(("when", "message"))


def _case(given: Json) -> Case:
    when = given.get("when", {})
    condition = Condition.from_json({"member": "", **when}) if when else None
    return Case(
        _row(given),
        when=condition,
        header=when.get("header"),
        **read(("status", "codes", "message"), given),
    )


def failing(given: Json | list[Json]) -> Failed:
    """Return the function that judges the JSON of a successful response by the rules of a member
    ``failed``.
    """
    rules = [Rule.from_json(one) for one in listed(given)]
    return Rules(tuple(rule.judged for rule in rules), all(rule.is_harmless for rule in rules))
