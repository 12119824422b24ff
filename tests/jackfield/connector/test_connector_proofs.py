"""Declarations of what proves something: the values of success and failure of a thing, and the
canary of an absence.
"""

from __future__ import annotations

from typing import Any

import pytest

from jackfield.connector import MARKER, Absent, Canary, Look, When
from jackfield.connector.evidence import EvidenceFault
from jackfield.connector.given_evidence import GivenEvidence
from jackfield.connector.proofs import PLAIN

_PLAIN: dict[str, Any] = {
    "key": "own",
    "action": "getTicket",
    "inputs": {"id": {"$marker": {}}},
    "match": [{"at": "/id", "is": {"$marker": {}}}],
}
_ABSENT: dict[str, Any] = {
    **_PLAIN,
    "absentAfter": 600,
    "page": "https://bureau.example/reads, 2026-11-28",
}
_CANARY: dict[str, Any] = {"action": "listTickets", "inputs": {"project": {"$input": "/project"}}}


@pytest.mark.parametrize(
    "row",
    [
        {
            **_PLAIN,
            "when": [
                {
                    "if": {"/confirm": [True]},
                    "took": {"/status": ["done"]},
                    "refused": {"/status": ["failed"]},
                    "code": "/error/code",
                },
                {},
            ],
        },
        {
            **_PLAIN,
            "when": [{"took": {"/status": ["done", 1], "/error": [None, "none"]}}],
            "id": "/ticket/id",
        },
        {**_ABSENT, "canary": _CANARY},
        {
            **_ABSENT,
            "canary": {"action": "listTickets"},
            "absent": {"status": [404], "code": ["no_such_ticket"]},
        },
        {**_ABSENT, "canary": _CANARY, "absent": {"code": ["no_such_ticket"]}},
    ],
)
def test_a_row_with_proofs_is_read_and_written(row: dict[str, Any]) -> None:
    """What a manifest says of proofs is read and written again as it was."""
    assert Look.from_json(row).to_json() == row


@pytest.mark.parametrize(
    ("row", "about"),
    [
        ({"when": [{"took": {"status": ["done"]}}]}, "JSON Pointers"),
        ({"when": [{"took": {"/status": []}}]}, "compares '/status'"),
        ({"when": [{"took": {"/status": {"is": "done"}}}]}, "compares '/status'"),
        ({"when": [{"refused": {"/status": ["failed"]}}]}, "needs 'took' beside"),
        ({"when": [{"took": {"/status": ["done"]}, "code": "/error"}]}, "no 'refused'"),
        ({"when": [{"took": {"/status": ["done"]}}, {"if": {"/mode": ["sync"]}}]}, "never count"),
        ({"when": [{}] * 9}, "at most 8"),
        ({"canary": _CANARY}, "are for 'absentAfter'"),
        ({**_ABSENT, "canary": {"action": ""}}, "'canary' needs 'action'"),
        (
            {**_ABSENT, "canary": {"action": "getTicket", "inputs": {"id": {"$marker": {}}}}},
            "without the call",
        ),
        (
            {**_ABSENT, "canary": {"action": "getTicket", "inputs": {"id": {"$key": {}}}}},
            "without the call",
        ),
        (
            {**_ABSENT, "canary": {"action": "getTicket", "inputs": {"id": {"$other": {}}}}},
            "is no placeholder",
        ),
        ({**_ABSENT, "absent": {"status": [404, 410]}}, "was there"),
        ({**_ABSENT, "absent": {"status": [200]}}, "from 400 to 499"),
        ({"when": [{"took": {"/error": [None]}}]}, "a member that is there"),
        (
            {"when": [{"took": {"/state": "done"}, "refused": {"/result": None}}]},
            "a member that is there",
        ),
        ({**_ABSENT, "absent": {}}, "a status or a code"),
        ({"id": "id"}, "'id' must be"),
    ],
)
def test_a_row_that_proves_nothing_is_refused(row: dict[str, Any], about: str) -> None:
    """What could not tell success, failure or absence is refused where it is declared, with its
    reason.
    """
    with pytest.raises(EvidenceFault, match="evidence 'own'") as refused:
        Look.from_json({**_PLAIN, **row})
    assert about in str(refused.value)


@pytest.mark.parametrize(
    ("absent", "status", "code", "fits"),
    [
        (PLAIN, 404, None, True),
        (PLAIN, 404, "no_such_ticket", True),
        (PLAIN, 410, None, False),
        (PLAIN, None, "not_found", False),
        (PLAIN, 400, None, False),
        (Absent(code=("gone",)), 410, "gone", False),
        (Absent(code=("none",)), 400, "none", True),
        (Absent(code=("none",)), 404, None, False),
        (Absent((404,), ("none",)), 400, "none", False),
        (Absent((404,), ("none",)), 404, "none", True),
    ],
)
def test_answers_of_a_thing_that_is_not_there(
    absent: Absent, status: int | None, code: str | None, *, fits: bool
) -> None:
    """A plain 404 is one, or what is declared, and 410 never is."""
    assert absent.fits(status, code) is fits


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        ({"status": "done"}, "took"),
        ({"status": "failed", "error": {"code": "no"}}, "refused"),
        ({"status": "processing"}, None),
        ({"status": None}, None),
        ({}, None),
        ({"status": "Done"}, None),
        ({"status": ["done"]}, None),
        ({"state": "done"}, None),
        ({"status": 1}, "took"),
        ({"status": True}, None),
        ({"status": "1"}, None),
        ([], None),
        ("done", None),
    ],
)
def test_what_a_thing_says(thing: Any, said: str | None) -> None:
    """Only the declared values say something: anything else, and what is not there, is no
    verdict.
    """
    row = When(
        {"/status": ["done", 1]}, {"/status": "failed", "/error/code": "no"}, code="/error/code"
    )
    assert row.said(thing)[0] == said


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        ({"at": {"state": "DONE"}}, "took"),
        ({"at": {"state": "DONE", "error": None}}, "took"),
        ({"at": {"error": None}}, None),
        ({"at": {"state": "DONE", "error": {"reason": "quota"}}}, "refused"),
        ({"at": {"state": "DONE", "error": {}}}, None),
        ({"at": {"state": "DONE", "error": "quota"}}, None),
        ({"at": {"state": "RUNNING"}}, None),
        ({"at": "DONE"}, None),
        ({"at": []}, None),
        ({}, None),
        ([], None),
    ],
)
def test_a_member_that_must_not_be_there(thing: Any, said: str | None) -> None:
    """Null is a member that its object does not have, or has as null; where there is no such
    object, it says nothing.
    """
    row = When(
        {"/at/state": ["DONE"], "/at/error": [None]},
        {"/at/state": ["DONE"], "/at/error/reason": ["quota"]},
    )
    row.check()
    assert row.said(thing)[0] == said


@pytest.mark.parametrize(
    ("thing", "said"),
    [
        ({"state": "DONE"}, "took"),
        ({"state": "DONE", "parts": {}}, "took"),
        ({"state": "DONE", "parts": {"children": {}}}, "took"),
        ({"state": "DONE", "parts": {"children": {"failed": 1}}}, None),
        ({"state": "DONE", "parts": "none"}, None),
        ({"state": "DONE", "parts": []}, None),
        ({"state": "DONE", "parts": {"children": 0}}, None),
        ({}, None),
        ({"parts": {}}, None),
    ],
)
def test_a_member_of_a_missing_one_is_missing(thing: Any, said: str | None) -> None:
    """Providers leave out whole objects; a value of another kind in their place proves nothing."""
    assert When({"/state": ["DONE"], "/parts/children/failed": [None]}).said(thing)[0] == said


def test_the_inputs_choose_the_row() -> None:
    """The first row whose inputs fit counts; null is an input that was not given."""
    rows = [When(if_={"/confirm": True}), When(if_={"/mode": ["a", None]})]
    counting = [
        [row.counts(inputs) for row in rows]
        for inputs in ({"confirm": True}, {"mode": "b"}, {"mode": "a"}, {"confirm": "true"})
    ]
    assert counting == [[True, True], [False, False], [False, True], [False, True]]


def test_a_caller_gives_proofs_with_his_own_pointers() -> None:
    """Pointers of a caller are within the answer's body, and his canary is a read of the same
    action.
    """
    given = {
        "url": "/t/{marker}",
        "pointer": "/ref",
        "canary": "/t",
        "canaryShows": "/things",
        "absentAfter": 600,
        "page": "p",
        "when": {"took": {"/status": "done"}},
    }
    [look] = GivenEvidence("request", {"method": "GET"}, within="/body").of({"evidence": given})
    assert look.canary == Canary("request", {"method": "GET", "url": "/t"}, "/body/things")
    assert (look.when, look.id, look.match) == (
        (When({"/body/status": "done"}),),
        "/body/id",
        {"/body/ref": MARKER},
    )
    with pytest.raises(EvidenceFault, match="canary"):
        GivenEvidence("request").of({"evidence": {**given, "canary": "/t/{marker}"}})
