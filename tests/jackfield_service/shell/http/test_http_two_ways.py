"""The two ways into ``POST /v1/invocations`` and ``/mcp``: a caller cannot tell which one a request
went.
"""

from __future__ import annotations

import gzip
import json
import logging
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from tests.jackfield_service.shell.http.two_ways import PAST, THROUGH, WAYS, going

from gates import Gatekeeper
from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield_service.shell.http.middleware import LimitsMiddleware
from jackfield_store.database.shared_looks import SharedLooks
from mcp_talk import call_of, message
from replies import Reply
from waiting import until

_VOLATILE = re.compile(
    rb'"(invocationId|durationMs|key)\\*":(\\*"[^"]*"|[0-9.]+)|the request is [0-9a-f]{32}|of '
    rb"[0-9,]+ characters"
    rb"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
_NAMES = ("date", "x-request-id", "content-length", "ratelimit-remaining", "ratelimit-reset")
"""Headers that differ between any two answers."""


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that Starlette has got."""
    seen: list[str] = []
    init = Request.__init__

    def noted(self: Any, scope: Any, *rest: Any) -> None:
        seen.append(scope["path"])
        init(self, scope, *rest)

    monkeypatch.setattr(Request, "__init__", noted)
    return seen


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything, and has a connection ``hall``."""
    found = stand.client()
    assert (
        found.post(
            "/v1/connections", {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}}
        ).status
        == 201
    )
    return found


def both(
    client: Client, body: Any, path: str = "/v1/invocations", **headers: str
) -> Iterator[Reply]:
    """The answers of both ways to the same request."""
    for way in WAYS:
        with going(way):
            yield client.post(path, body, **headers)


def told(reply: Reply) -> tuple[int, dict[str, str], bytes]:
    """What an answer says, without what differs between any two."""
    headers = {name: value for name, value in reply.headers.items() if name not in _NAMES}
    body = (
        gzip.decompress(reply.body)
        if reply.headers.get("content-encoding") == "gzip"
        else reply.body
    )
    return reply.status, headers, _VOLATILE.sub(b"", body)


def test_a_plain_invocation_goes_past_starlette(client: Client, requests: list[str]) -> None:
    """Neither a request nor a route of Starlette takes part; a header with a meaning of its own
    brings them back.
    """
    with going(PAST):
        assert client.post("/v1/invocations", say("say", "hall", text="x")).status == 200
    assert "/v1/invocations" not in requests
    with going(THROUGH):
        assert client.post("/v1/invocations", say("say", "hall", text="x")).status == 200
    assert "/v1/invocations" in requests


def test_a_call_over_mcp_goes_past_starlettes_application(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its endpoint gets a request, but no route and no middleware takes part."""
    seen: list[str] = []
    serve = LimitsMiddleware.__call__

    async def noted(self: LimitsMiddleware, scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["path"])
        await serve(self, scope, receive, send)

    monkeypatch.setattr(LimitsMiddleware, "__call__", noted)
    for way, expected in ((PAST, 0), (THROUGH, 1)):
        with going(way):
            assert (
                client.post("/mcp", tool(say("say", "hall", text="x"))).json["result"]["isError"]
                is False
            )
        assert seen.count("/mcp") == expected


def tool(arguments: Any, name: str = "execute_action") -> dict[str, Any]:
    """A call of a tool."""
    return call_of(name, **arguments)


CALLS: list[Any] = [
    tool(say("say", "hall", text="x")),
    tool(say("say", "hall", text="x" * 5000)),
    tool({**say("say", "hall", text="x" * 5000, times=100), "maxBytes": 1_000_000}),
    tool(say("say", "hall", text=5)),
    tool({**say("post", "hall", text="x", fault={"kind": "reset"}), "repeat": True}),
    tool(say("say", "hall", text="x", picture={"file": "file_" + "x" * 22})),
    tool({"query": "say"}, "search_actions"),
    tool({}, "nothing"),
    message("tools/list"),
    message("nothing"),
    [],
    b"{",
    b"",
]
"""What is asked over MCP."""
HEADERS = [
    {},
    {"Accept_Encoding": "gzip"},
    {"Mcp_Protocol_Version": "2025-11-25"},
    {"Content_Type": "text/plain"},
]


def test_both_ways_answer_alike_over_mcp(client: Client) -> None:
    """Status, headers and body of MCP's answers are the same, those of the SDK's own methods
    too.
    """
    wrong = []
    for body, headers in product(CALLS, HEADERS):
        past, through = map(told, both(client, body, "/mcp", **headers))
        wrong += [] if past == through else [(body, headers, past, through)]
    assert wrong == []


def test_a_database_on_a_server_is_asked_once(
    stand: Stand, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reading of the epoch tells that the caller's token holds, and that the call's plan
    does.
    """
    looks: list[int] = []
    aread = SharedLooks.aread

    async def noted(self: SharedLooks) -> int:
        looks.append(await aread(self))
        return looks[-1]

    with going(PAST):
        client.post("/v1/invocations", say("say", "hall", text="x"))
    monkeypatch.setattr(SharedLooks, "aread", noted)
    assert client.post("/v1/invocations", say("say", "hall", text="x")).status == 200
    assert len(looks) == (0 if stand.host.storage.answers_locally else 1)


@pytest.mark.parametrize("path", ["/v1/invocations", "/mcp"])
def test_a_revoked_token_holds_on_no_way(stand: Stand, client: Client, path: str) -> None:
    """The first request after the revocation is refused, in the same words, although its token was
    good a moment before.
    """
    answers = []
    for way in WAYS:
        with going(way):
            made = client.post("/v1/tokens", {"scope": "invoke"}).json
            caller = replace(client, token=made["token"])
            body = say("say", text="x")
            assert caller.post(path, tool(body) if path == "/mcp" else body).status == 200
            assert client.call("DELETE", f"/v1/tokens/{made['id']}").status in {200, 204}
            answers.append(caller.post(path, tool(body) if path == "/mcp" else body))
    assert [answer.status for answer in answers] == [401, 401]
    assert told(answers[0]) == told(answers[1])
    until(lambda: stand.host.running == 0)


INVOCATIONS: list[tuple[Any, int]] = [
    (say("say", "hall", text="x"), 200),
    (say("sayLater", "hall", text="x"), 200),
    (say("say", "hall", text="é\ud800"), 422),
    (say("say", "hall", text="x" * 5000), 200),
    (say("say", "hall", text="x" * 5000, times=100), 200),
    (say("say", "hall", text=5), 422),
    (say("say", "nowhere", text="x"), 404),
    (say("post", "hall", text="x", fault={"kind": "reset"}), 504),
    (say("say", "hall", text="x", picture={"file": "file_" + "x" * 22}), 422),
    ([], 400),
    (b"{", 400),
    (b'{"connector": "echo", "connector": "echo"}', 400),
    (b"", 400),
]


def test_both_ways_answer_alike(client: Client) -> None:
    """Status, headers and body are the same, whatever comes of it, compressed or not."""
    wrong = []
    for (body, status), accepted in product(
        INVOCATIONS, (None, "gzip, br", "gzip;q=0, br", "identity")
    ):
        past, through = map(
            told, both(client, body, **({} if accepted is None else {"Accept-Encoding": accepted}))
        )
        wrong += [] if past == through and past[0] == status else [(body, accepted, past, through)]
    assert wrong == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/vnd.x+json; charset=utf-8"},
        {"Authorization": "Bearer nobody"},
        {"Authorization": "Basic eA=="},
        {"Idempotency-Key": "two-ways"},
        {"X-Request-Id": "mine-4711"},
        {"X-Request-Id": "not valid"},
        {"Origin": "https://page.example"},
        {"Connection": "close"},
    ],
)
def test_headers_mean_the_same(client: Client, headers: dict[str, str]) -> None:
    """Whatever a header does, it does it on both ways."""
    body = say("put", "hall", key="k", value="x")
    client.post("/v1/invocations", body, **headers)  # the key is known from here on
    past, through = both(client, body, **headers)
    assert told(past) == told(through)
    mine = headers.get("X-Request-Id") == "mine-4711"
    assert {reply.headers["x-request-id"] == "mine-4711" for reply in (past, through)} == {mine}


def test_scopes_and_rates_are_those_of_the_token(tmp_path: Path) -> None:
    """A token that may only read gets 403, and one that has used up its rate 429, on both ways."""
    with standing(tmp_path, replace(SETTINGS, rate=3.0)) as stand:
        both_told = [
            reply.headers["ratelimit-limit"]
            for reply in both(stand.client("invoke"), say("say", text="x"))
        ]
        assert both_told == ["3", "3"]
        reader = stand.client("read")
        past, through = both(reader, say("say", text="x"))
        assert (past.status, told(past)) == (403, told(through))
        with going(PAST):
            client = stand.client("invoke")
            statuses = {
                client.post("/v1/invocations", say("say", text="x")).status for _ in range(20)
            }
        assert statuses == {200, 429}


def test_what_is_counted_and_logged_is_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Metrics count the request and the invocation, and the access log names both, on both ways."""
    with standing(tmp_path) as stand, caplog.at_level(logging.INFO, "jackfield.http"):
        client = stand.client()
        seen = []
        for way in WAYS:
            with going(way):
                caplog.clear()
                identifier = client.invoke("say", text="x").json["meta"]["invocationId"]
            record = next(item for item in caplog.records if item.getMessage().startswith("POST"))
            assert record.invocationId == identifier  # type: ignore[attr-defined]
            seen.append({name for name in vars(record) if name != "taskName"})
            assert (record.status, record.workspace, record.path) == (  # type: ignore[attr-defined]
                200,
                "default",
                "/v1/invocations",
            )
        assert seen[0] == seen[1]
        metrics = client.get("/metrics").body.decode()
    assert 'jackfield_http_requests_total{method="POST",status="200"} 2.0' in metrics
    assert (
        'jackfield_invocations_total{action="say",connector="echo",status="succeeded"} 2.0'
        in metrics
    )
    assert "jackfield_invocations_running 0.0" in metrics


def head(client: Client, size: int, *more: str) -> bytes:
    """The head of an invocation."""
    lines = (
        "POST /v1/invocations HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {client.token}",
        f"Content-Length: {size}",
        *more,
        "",
        "",
    )
    return "\r\n".join(lines).encode()


def answers(connection: socket.socket, count: int) -> list[bytes]:
    """As many answers as are expected, their bodies."""
    found = []
    with connection.makefile("rb") as stream:
        for _ in range(count):
            lines = [line.lower() for line in iter(stream.readline, b"\r\n")]
            length = next(line for line in lines if line.startswith(b"content-length:"))
            found.append(stream.read(int(length.partition(b":")[2])))
    return found


def test_pipelined_requests_are_answered_in_order(client: Client) -> None:
    """Requests that arrive together, plain ones and others, are answered one after the other, each
    by its own answer.
    """
    client.get("/v1/queue")
    whole = b""
    for number in range(12):
        text = json.dumps(say("say", "hall", text=f"number {number}")).encode()
        whole += (
            head(client, len(text), *(["Prefer: handling=lenient"] if number % 3 == 2 else []))
            + text
        )
    with socket.create_connection(("127.0.0.1", client.port), timeout=120) as connection:
        connection.sendall(whole)
        found = [json.loads(body)["output"]["text"] for body in answers(connection, 12)]
    assert found == [f"number {number}" for number in range(12)]


def test_a_body_may_come_in_pieces(client: Client) -> None:
    """A plain request whose body arrives byte by byte is one request, and the connection goes on
    after it.
    """
    client.get("/v1/queue")
    text = json.dumps(say("say", "hall", text="slowly")).encode()
    with socket.create_connection(("127.0.0.1", client.port), timeout=120) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(2):
            for letter in head(client, len(text)) + text:
                connection.sendall(bytes([letter]))
            (found,) = answers(connection, 1)
            assert json.loads(found)["output"]["text"] == "slowly"


def test_a_caller_who_closes_is_answered_and_let_go(client: Client) -> None:
    """``Connection: close`` ends the connection after the answer, whichever of the two sides
    answers.
    """
    text = json.dumps(say("say", "hall", text="bye")).encode()
    for more in WAYS.values():
        client.get("/v1/queue")
        with socket.create_connection(("127.0.0.1", client.port), timeout=120) as connection:
            connection.sendall(
                head(
                    client,
                    len(text),
                    "Connection: close",
                    *(f"{name}: {value}" for name, value in more.items()),
                )
                + text
            )
            with connection.makefile("rb") as stream:
                whole = stream.read()  # until the server has closed
        assert b"connection: close\r\n" in whole
        assert b'"succeeded"' in whole


def test_a_bug_is_a_problem(
    stand: Stand, client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error is 500 with the request's id on both ways, and the log has it in full."""

    def broken(*_: object) -> None:
        raise ValueError("not for callers")

    monkeypatch.setattr(stand.host.metrics, "note", broken)
    replies = list(both(client, say("say", "hall", text="x")))
    for reply in replies:
        assert (reply.status, reply.headers["content-type"]) == (500, "application/problem+json")
        assert b"not for callers" not in reply.body
        assert reply.headers["x-request-id"] in reply.json["detail"]
    assert (
        sum(
            record.exc_info is not None
            for record in caplog.records
            if record.name == "jackfield.http"
        )
        >= 2
    )


def test_one_more_than_fit_is_refused(tmp_path: Path) -> None:
    """Requests in progress are counted together, whichever way they went."""
    with standing(tmp_path, replace(SETTINGS, concurrency=2)) as stand, Gatekeeper() as gate:
        client = stand.client()
        text = json.dumps(say("post", text="x", gate={"port": gate.port})).encode()
        client.get("/v1/queue")
        with (
            socket.create_connection(("127.0.0.1", client.port), timeout=120) as first,
            socket.create_connection(("127.0.0.1", client.port), timeout=120) as second,
        ):
            first.sendall(head(client, len(text)) + text)
            gate.wait()
            second.sendall(head(client, len(text), "Prefer: handling=lenient") + text)
            gate.wait()
            refused = client.post("/v1/invocations", say("say", text="x"))
            gate.open()
            assert [
                json.loads(answers(connection, 1)[0])["status"] for connection in (first, second)
            ] == ["succeeded"] * 2
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")


def test_answers_behind_a_proxy_vary(tmp_path: Path) -> None:
    """Behind a proxy the answers of both ways have the same headers, for the server's address in
    them may vary.
    """
    with standing(tmp_path, replace(SETTINGS, behind_proxy=True)) as stand:
        past, through = both(
            stand.client(),
            say("say", text="x" * 2000),
            X_Forwarded_For="192.0.2.1",
            Accept_Encoding="gzip",
        )
        assert past.headers["vary"] == "Accept-Encoding, X-Forwarded-Prefix"
        assert told(past) == told(through)
