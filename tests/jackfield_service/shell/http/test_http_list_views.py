"""Every list of the API is sorted by any member that has an order, and gives the members that are
asked for: one grammar for all.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from http_stand import Client, say
from jackfield_service.shell.http import list_views
from jackfield_service.shell.http.list_views import ListView
from jackfield_service.shell.http.shapes import shapes
from jackfield_service.shell.http.table import OPERATIONS

LISTS = {
    one.path: one
    for one in OPERATIONS
    if one.method == "GET" and one.answers.get(200, "").endswith("List")
}
OPEN = [
    path
    for path, one in LISTS.items()
    if "{" not in path and one.scope in ("read", "invoke", "manage") and "platform" not in path
]


@pytest.fixture(scope="module")
def things(client: Client) -> Client:
    """A client of a workspace that has several of each."""
    for name in ("hall", "attic", "lobby"):
        given = {"name": name, "type": "echo/token", "values": {"token": "t"}}
        assert client.post("/v1/connections?test=false", given).status == 201
    for number, name in enumerate(("hall", "attic", "lobby", "hall", "attic")):
        assert client.post("/v1/invocations", say("say", name, text=str(number))).status == 200
        body = {"connector": "echo", "action": "say", "inputs": {"text": "x"}, "connection": name}
        assert (
            client.post(
                "/v1/schedules",
                {"name": f"s{number}", "every": f"{5 - number}d", "invocation": body},
            ).status
            == 201
        )
        assert (
            client.post("/v1/callbacks", {"url": f"https://example.com/{number % 2}"}).status == 201
        )
        assert client.post("/v1/tokens", {"scope": "read", "name": f"t{number % 3}"}).status == 201
    return client


def pages(client: Client, path: str, query: str) -> list[dict[str, Any]]:
    """All rows, page by page."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{path}?{query}" + (f"&cursor={quote(cursor)}" if cursor else ""))
        assert page.status == 200, page.body
        found, cursor = found + page.json["items"], page.json["nextCursor"]
    return found


def test_all_lists_have_both() -> None:
    """Each list but the events, whose order is theirs, can be sorted; each whose rows have optional
    members lets them be chosen.
    """
    for path, operation in LISTS.items():
        row = (
            shapes(OPERATIONS)[operation.answers[200]]["properties"]["items"]["items"]
            .get("$ref", "")
            .rpartition("/")[2]
        )
        members = shapes(OPERATIONS).get(row, {})
        if not members.get("properties"):
            continue
        assert ("sort" in operation.query) == (path != "/v1/events"), path
        optional = members["properties"].keys() - {*members.get("required", ())}
        assert ("fields" in operation.query) == bool(optional), path


@pytest.mark.parametrize("path", OPEN)
def test_each_list_answers_each_order(things: Client, path: str) -> None:
    """Whatever its rows are: every order has the same rows as the list, in pages of two, upwards
    and downwards.
    """
    operation = LISTS[path]
    if "sort" not in operation.query or path in ("/v1/available", "/v1/outdated"):
        return
    whole = things.get(path)
    if whole.status != 200:
        assert (
            things.get(f"{path}?sort={operation.query['sort']['enum'][0]}").status == whole.status
        )
        return
    rows = pages(things, path, "limit=200") if "limit" in operation.query else whole.json["items"]
    if len(rows) > 500:
        rows = []
    for sort in operation.query["sort"]["enum"][:6]:
        got = pages(
            things, path, f"sort={sort}" + ("&limit=200" if "limit" in operation.query else "")
        )
        if rows and path not in ("/v1/tokens", "/v1/connectors"):
            assert sorted(map(json.dumps, got)) == sorted(map(json.dumps, rows)), sort


@pytest.mark.parametrize(
    ("path", "member"),
    [
        ("/v1/invocations", "connection"),
        ("/v1/connections", "name"),
        ("/v1/tokens", "name"),
        ("/v1/schedules", "createdAt"),
        ("/v1/callbacks", "url"),
        ("/v1/audit", "event"),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 200])
def test_rows_come_in_the_order_of_a_member(
    things: Client, path: str, member: str, limit: int
) -> None:
    """Small pages, both directions, and equal values: no row twice, none missing."""
    if path == "/v1/audit" and limit < 200:
        limit = 7
    up, down = (pages(things, path, f"sort={sign}{member}&limit={limit}") for sign in ("", "-"))
    values = [row.get(member) for row in up]
    assert [value for value in values if value is not None] == sorted(
        value for value in values if value is not None
    )
    assert up == down[::-1]
    assert len({json.dumps(row) for row in up}) == len(up)


def test_filters_hold_in_an_order(things: Client) -> None:
    """A filter chooses, then the order is applied."""
    found = pages(things, "/v1/invocations", "connection=hall&sort=createdAt&limit=1")
    assert [row["connection"] for row in found] == ["hall", "hall"]
    assert found[0]["createdAt"] < found[1]["createdAt"]


def test_members_are_chosen(things: Client) -> None:
    """Required members are always there, so that a typed client's types stay true; of the others,
    those that are asked for.
    """
    (row,) = things.get("/v1/invocations?limit=1&fields=connection,%20caller").json["items"]
    assert row.keys() == {
        "invocationId",
        "status",
        "connector",
        "action",
        "createdAt",
        "connection",
        "caller",
    }
    (row,) = things.get("/v1/invocations?limit=1&fields=status&sort=-createdAt").json["items"]
    assert row.keys() == {"invocationId", "status", "connector", "action", "createdAt"}
    (row,) = things.get("/v1/connectors?limit=1&fields=key&sort=title").json["items"]
    assert row.keys() == {"key", "title"}
    refused = things.get("/v1/invocations?fields=stauts")
    assert (refused.status, "did you mean 'status'" in refused.json["detail"]) == (400, True)


@pytest.mark.parametrize(
    "query",
    [
        "sort=colour",
        "sort=createdAt&cursor=1~x",
        "sort=createdAt&cursor=s-AAAA",
        "sort=--createdAt",
        "sort=createdAt&cursor=s-W10",
        "sort=createdAt&cursor=s-WyJjcmVhdGVkQXQiLDAsMSwwLDEsMl0",
    ],
)
def test_what_is_no_order_is_refused(things: Client, query: str) -> None:
    """Unknown members, and cursors of another order, of none, or made up."""
    assert things.get(f"/v1/invocations?{query}").status == 400


def test_a_cursor_belongs_to_its_order(things: Client) -> None:
    """Rows of another order would be skipped without a word."""
    cursor = things.get("/v1/invocations?sort=createdAt&limit=1").json["nextCursor"]
    assert things.get(f"/v1/invocations?sort=-createdAt&cursor={cursor}").status == 400
    assert things.get(f"/v1/invocations?cursor={cursor}").status == 400


def test_a_long_list_is_not_sorted(things: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has more rows than the limit is refused with what to do; an export has the list's own
    order.
    """
    monkeypatch.setattr(list_views, "MOST", 2)
    monkeypatch.setattr(list_views, "PAGE", 2)
    refused = things.get("/v1/invocations?sort=createdAt")
    assert (refused.status, "choose fewer by filters" in refused.json["detail"]) == (400, True)
    assert things.get("/v1/invocations?sort=createdAt", accept="text/csv").status == 400


def test_rows_without_the_member_come_last() -> None:
    """Of mixed kinds numbers come before texts, whose order ignores case; upwards, what has no
    value is at the end.
    """
    view = ListView(("x",), ("id",), ())
    rows: list[dict[str, Any]] = [
        {"id": "a"},
        {"id": "b", "x": "b"},
        {"id": "c", "x": "A"},
        {"id": "d", "x": 2},
        {"id": "e", "x": True},
        {"id": "f", "x": None},
    ]
    assert [row["id"] for row in sorted(rows, key=lambda row: view._key(row, "x"))] == [
        "e",
        "d",
        "c",
        "b",
        "a",
        "f",
    ]
