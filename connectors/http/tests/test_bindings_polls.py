"""Polls of connectors without code: a list with times, with a cursor, or compared; nothing that
comes meanwhile is missed.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from http_rig import attempt
from jackfield.connector import Gone, JackfieldError, NotFound, Since
from jackfield.testing import Answer, Provider, Request
from jackfield_http.bindings.connector import BoundInputs, bound
from polled_source import missed

_LIST = {
    "key": "list",
    "title": "List",
    "description": "List.",
    "effect": "read",
    "inputs": {"properties": {"cursor": {"type": "string"}}},
    "output": {},
    "pagination": {"tokenInput": "cursor", "tokenOutput": "next", "items": "items"},
    "http": {
        "method": "GET",
        "path": "/items",
        "response": {"read": "json"},
        "paging": {"kind": "token"},
        "parameters": [{"input": name, "in": "query"} for name in ("cursor", "since", "kind")],
    },
}
_TRIGGER = {"title": "T", "description": "T", "kind": "poll", "inputs": {}, "event": {}}
_TRIGGERS = [
    {
        **_TRIGGER,
        "key": "changed",
        "interval": {"defaultSeconds": 60},
        "http": {
            "poll": {
                "action": "list",
                "items": "/items",
                "key": ["/id"],
                "at": "/at",
                "since": {"input": "since"},
                "inputs": {"kind": "all"},
            }
        },
    },
    {
        **_TRIGGER,
        "key": "logged",
        "http": {
            "poll": {
                "action": "list",
                "items": "/items",
                "key": ["/id"],
                "cursor": {"input": "cursor", "output": "/next", "more": "/more"},
            }
        },
    },
    {
        **_TRIGGER,
        "key": "item",
        "compares": True,
        "http": {"poll": {"action": "list", "items": "/items", "id": "/id"}},
    },
]
_ROWS = [{"codes": ["tooLongAgo", "cursorGone"], "error": "rejected", "hint": "Ask later."}]
"""Codes that mean another error to who calls the action."""


class Clients:
    """The clients of one attempt, of which there is one."""

    def __init__(self, api: Any) -> None:
        self._api = api

    def of(self, _number: int) -> Any:
        """The client."""
        return self._api


def _steps(script: Any, key: str, *places: Any) -> tuple[list[Any], list[dict[str, str]]]:
    """Read a page at each place; the pages, and the queries of their requests."""
    about = {
        "key": "x",
        "title": "X",
        "version": "1.0.0",
        "connectionTypes": [],
        "http": {"errors": {"code": "/reason", "rows": _ROWS}},
        "actions": [_LIST],
        "triggers": _TRIGGERS,
    }
    trigger = bound(about).triggers[key]
    assert trigger.function is not None
    with Provider(script) as server, attempt(f"{server.url}/v1") as (api, _):
        pages = [
            trigger.function(BoundInputs.model_validate({}), Clients(api), place)
            for place in places
        ]
        queries = [
            {name: values[0] for name, values in parse_qs(urlsplit(one.path).query).items()}
            for one in server.requests
        ]
    return pages, queries


def test_a_list_with_times_is_read_from_where_it_was() -> None:
    """The time is passed as the provider takes it, older items are left out, and the time moves on
    after the last page only.
    """
    answers = [
        Answer({"items": [{"id": 1, "at": 90}, {"id": 2, "at": 120}], "next": "p2"}),
        Answer({"items": [{"id": 3, "at": 110}]}),
        Answer({"items": []}),
    ]
    half = {"at": 100.0, "high": 120.0, "began": 500.0, "page": {"cursor": "p2"}}
    (first, second), _ = _steps(
        answers[:2],
        "changed",
        Since(100.0, {}, 500.0),
        Since(100.0, half, 501.0),
    )
    assert ([event.key for event in first.events], first.more, first.next["page"]) == (
        ["2"],
        True,
        {"cursor": "p2"},
    )
    assert ([event.key for event in second.events], second.more, second.next) == (
        ["3"],
        False,
        {"at": 120.0},
    )
    _, (query,) = _steps(answers[2:], "changed", Since(100.0, {"at": 120.0}, 600.0))
    assert query == {"since": "1970-01-01T00:02:00.000Z", "kind": "all"}


@pytest.mark.parametrize("said", [{}, {"reason": "tooLongAgo"}, {"reason": "another"}])
def test_a_time_that_is_too_old_is_left_behind(said: dict[str, str]) -> None:
    """The provider refuses it for good, whatever its code means elsewhere: what changed since is
    lost, which is told once, and the next poll begins now. Refused again, it is not about the time.
    """
    (page,), _ = _steps([Answer(said, 410)], "changed", Since(100.0, {"at": 120.0}, 500.0))
    assert (page.events, "what changed until now is lost" in str(page.unknown)) == ([], True)
    (after,), (query,) = _steps([Answer({"items": []})], "changed", Since(100.0, page.next, 600.0))
    assert (after.unknown, query["since"]) == (None, "1970-01-01T00:08:20.000Z")
    with pytest.raises(JackfieldError):
        _steps([Answer(said, 410)], "changed", Since(100.0, page.next, 600.0))
    with pytest.raises(NotFound):
        _steps([Answer({}, 404)], "changed", Since(100.0, {"at": 120.0}, 500.0))


@pytest.mark.parametrize(
    "refusal", [Answer({}, 404), Answer({}, 410), Answer({"reason": "cursorGone"}, 410)]
)
def test_a_cursor_begins_with_what_comes(refusal: Answer) -> None:
    """What was before the subscription is read over; a cursor that the provider does not know any
    more is ``Gone``.
    """

    def script(_number: int, request: Request) -> Answer:
        cursor = parse_qs(urlsplit(request.path).query).get("cursor", ["0"])[0]
        if cursor == "old":
            return refusal
        return Answer(
            {"items": [{"id": cursor}], "next": str(int(cursor) + 1), "more": cursor == "0"}
        )

    (first, second, third), _ = _steps(
        script,
        "logged",
        Since(1.0, {}),
        Since(1.0, {"cursor": "1", "begun": False}),
        Since(1.0, {"cursor": "2", "begun": True}),
    )
    assert [
        ([event.key for event in page.events], page.next, page.more)
        for page in (first, second, third)
    ] == [
        ([], {"cursor": "1", "begun": False}, True),
        ([], {"cursor": "2", "begun": True}, False),
        (["2"], {"cursor": "3", "begun": True}, False),
    ]
    with pytest.raises(Gone):
        _steps(script, "logged", Since(1.0, {"cursor": "old", "begun": True}))


def test_a_list_is_read_to_be_compared() -> None:
    """Each page is returned with the inputs of the next one."""
    (first, last), _ = _steps(
        [Answer({"items": [{"id": 7}], "next": "p2"}), Answer({"items": []})],
        "item",
        None,
        {"cursor": "p2"},
    )
    assert ([(item.id, item.data) for item in first.items], first.next, last.next) == (
        [("7", {"id": 7})],
        {"cursor": "p2"},
        None,
    )


_OPEN: list[Any] = [{"items": [{"id": 7, "at": 130}], "next": 0}, {"error": "busy"}]


@pytest.mark.parametrize("body", _OPEN)
def test_a_list_that_may_go_on_is_read_from_the_same_time_again(body: Any) -> None:
    """Its events count, but the time does not move on: what it has left out would be missed. The
    reason is returned.
    """
    (page,), _ = _steps(
        [Answer(body)],
        "changed",
        Since(100.0, {"at": 120.0, "high": 125.0, "began": 500.0, "page": {"cursor": "p2"}}, 501.0),
    )
    assert ([event.key for event in page.events], page.next, page.more) == (
        ["7"] if "items" in body else [],
        {"at": 120.0},
        False,
    )
    assert "the list may go on" in str(page.unknown)


@pytest.mark.parametrize("body", _OPEN)
def test_a_list_that_may_go_on_is_not_compared_as_a_whole(body: Any) -> None:
    """Whoever compares it is told so: what it lacks may be on a page that nobody has seen."""
    (page,), _ = _steps([Answer(body)], "item", None)
    assert (page.next, "the list may go on" in str(page.unknown)) == (None, True)


@pytest.mark.parametrize(
    "seed",
    [pytest.param(seed, marks=() if seed < 6 else pytest.mark.campaign) for seed in range(20)],
)
def test_nothing_that_comes_while_a_list_is_read_is_missed(seed: int) -> None:
    """Equal times, unsorted pages, items that change while they are read, and items that appear
    late, within the lookback.
    """
    versions, lost = missed(seed, 600)
    assert (versions > 600, lost) == (True, 0)


@pytest.mark.parametrize("seed", range(3))
def test_an_ascending_list_whose_items_move_to_its_end_is_read_whole(seed: int) -> None:
    """Ten pages of a list in the order of its changes, of which some happen while it is read; pages
    by position would leave items out.
    """
    versions, lost = missed(seed, 6_000, every=14_400.0, is_ascending=True)
    assert (versions > 6_000, lost) == (True, 0)
