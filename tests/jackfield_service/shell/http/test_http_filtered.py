"""Lists are filtered by members of their rows: all pages of each filter have exactly the rows of
the whole list that fit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from http_stand import Client
from jackfield_service.shell.http.endpoints import filtered

LISTS: Mapping[str, Sequence[str]] = {
    "/v1/schedules": ("status", "connector", "action", "connection"),
    "/v1/callbacks": ("status", "url"),
    "/v1/tokens": ("status", "scope", "name"),
    "/v1/connections": ("status", "type"),
}


@pytest.fixture(scope="module")
def things(client: Client) -> Client:
    """A client of a workspace that has several of each."""
    for name in ("hall", "lobby"):
        given = {"name": name, "type": "echo/token", "values": {"token": "t"}}
        assert (
            client.post(
                f"/v1/connections?test={'true' if name == 'hall' else 'false'}&force=true", given
            ).status
            == 201
        )
    for number, action in enumerate(("say", "post", "say", "say")):
        body = {
            "connector": "echo",
            "action": action,
            "inputs": {"text": "x"},
            "connection": ("hall", "lobby")[number % 2],
        }
        assert (
            client.post(
                "/v1/schedules", {"name": f"s{number}", "every": "1d", "invocation": body}
            ).status
            == 201
        )
        assert (
            client.post("/v1/callbacks", {"url": f"https://example.com/{number % 2}"}).status == 201
        )
        made = client.post(
            "/v1/tokens", {"scope": ("read", "invoke")[number % 2], "name": f"t{number % 3}"}
        ).json
        if number < 2:
            assert client.call("POST", f"/v1/schedules/s{number}:pause").status == 200
            assert client.call("DELETE", f"/v1/tokens/{made['id']}").status == 204
    callback = client.get("/v1/callbacks").json["items"][0]["id"]
    assert client.call("PATCH", f"/v1/callbacks/{callback}", {"status": "paused"}).status == 200
    return client


def _all(client: Client, path: str, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{path}?{query}" + (f"&cursor={cursor}" if cursor else "")).json
        found, cursor = found + page["items"], page["nextCursor"]
    return found


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("limit", [1, 2, 200])
def test_each_filter_chooses_what_its_member_says(things: Client, path: str, limit: int) -> None:
    """Platform-user, F13: also with small pages, and by two members at once."""
    whole = _all(things, path, "limit=200")
    assert whole
    for name in LISTS[path]:
        for value in {row[name] for row in whole if name in row}:
            fitting = [row for row in whole if row.get(name) == value]
            assert _all(things, path, f"limit={limit}&{name}={quote(value)}") == fitting
            both = (
                f"limit={limit}&{name}={quote(value)}&status={fitting[0]['status']}"
                if name != "status"
                else f"limit={limit}&status={value}"
            )
            assert _all(things, path, both) == [
                row for row in fitting if row["status"] == fitting[0]["status"]
            ]


@pytest.mark.parametrize("path", [*LISTS, "/v1/subscriptions"])
def test_a_filter_that_cannot_fit_is_refused(client: Client, path: str) -> None:
    """A status that there is not is a mistake, and a member that is no filter, too."""
    refused = [client.get(f"{path}?{query}") for query in ("status=sleeping", "colour=red")]
    assert [reply.status for reply in refused] == [
        400 if path != "/v1/callbacks" else refused[0].status,
        400,
    ]


def test_a_page_reads_at_most_a_thousand_rows() -> None:
    """Where nothing fits, the page is empty, and its cursor leads on."""
    asked: list[int] = []

    def fetch(cursor: str | None, limit: int) -> tuple[list[dict[str, Any]], str | None]:
        asked.append(limit)
        start = int(cursor or 0)
        return [
            {"status": "a" if number == 1_500 else "b"} for number in range(start, start + limit)
        ], str(start + limit)

    request = SimpleNamespace(query_params={"status": "a", "limit": "200"})
    assert filtered(fetch, dict, request, ("status",)) == {"items": [], "nextCursor": "1000"}  # type: ignore[arg-type]
    assert sum(asked) == 1_000
