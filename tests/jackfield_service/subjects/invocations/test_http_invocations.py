"""``/v1/invocations``: run, queue, look up, cancel, resolve, and what becomes of callers who
leave.
"""

from __future__ import annotations

import csv
import io
import json
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gates import Gatekeeper
from http_stand import Client, Stand, say
from replies import Reply


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


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """To call from."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


def until(client: Client, identifier: str, done: Callable[[Any], bool]) -> Any:
    """The journal's entry once it is as wanted."""
    pause = threading.Event()
    for _ in range(500):
        entry = client.get(f"/v1/invocations/{identifier}").json
        if done(entry):
            return entry
        pause.wait(0.02)
    raise AssertionError(entry)


def is_settled(entry: Any) -> bool:
    """Whether it has ended."""
    return entry["status"] not in ("queued", "running")


def test_a_result_is_in_the_journal(client: Client) -> None:
    """What was answered can be looked up by the invocation's id."""
    result = client.invoke("say", text="hello").json
    entry = until(client, result["meta"]["invocationId"], is_settled)
    assert (entry["status"], entry["output"], entry["meta"]) == (
        result["status"],
        result["output"],
        result["meta"],
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_invocation"),
        (b'"echo"', 400, "invalid_invocation"),
        (b"[]", 400, "invalid_invocation"),
        (b"", 400, "invalid_invocation"),
        (b"[" * 200, 400, "invalid_invocation"),
        (b'{"connector": 1, "action": {}, "inputs": []}', 400, "invalid_invocation"),
        (b'{"connector": "nope", "action": "say", "inputs": {}}', 404, "unknown_connector"),
        (b'{"connector": "echo", "action": "nope", "inputs": {}}', 404, "unknown_action"),
        (
            b'{"connector": "echo", "action": "say", "connection": "nope", "inputs": {}}',
            404,
            "unknown_connection",
        ),
        (
            b'{"connector": "echo", "action": "say", "connection": "hall", "inputs": {}}',
            422,
            "invalid_input",
        ),
    ],
)
@pytest.mark.parametrize("prefer", ["wait=1", "respond-async"])
def test_what_cannot_run_is_a_failed_result(
    client: Client, body: bytes, status: int, code: str, prefer: str
) -> None:
    """Bad invocations are answered by a Result with the status of its code, queued or not."""
    answer = client.post("/v1/invocations", body, Content_Type="application/json", Prefer=prefer)
    assert (answer.status, answer.headers["content-type"]) == (status, "application/json")
    assert (answer.json["status"], answer.json["error"]["code"]) == ("failed", code)


def test_a_key_in_the_header_replays(client: Client) -> None:
    """``Idempotency-Key`` is the member of that name, from which it must not differ: the second
    request is answered by the first one's Result, and ``Idempotency-Replayed`` says so, and only
    then.
    """
    first = client.post("/v1/invocations", say("post", text="once"), Idempotency_Key="k-1")
    again = client.post("/v1/invocations", {**say("post", text="once"), "idempotencyKey": "k-1"})
    assert again.json["meta"] == {**first.json["meta"], "replayed": True}
    assert [reply.headers.get("idempotency-replayed") for reply in (first, again)] == [None, "true"]
    differs = client.post(
        "/v1/invocations",
        {**say("post", text="once"), "idempotencyKey": "k-2"},
        Idempotency_Key="k-1",
    )
    assert (differs.status, differs.json["error"]["details"][0]["path"]) == (400, "/idempotencyKey")
    other = client.post("/v1/invocations", say("post", text="other"), Idempotency_Key="k-1")
    assert (other.status, other.json["error"]["code"]) == (422, "idempotency_conflict")


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "respond-async"}])
@pytest.mark.parametrize(
    ("field", "key"),
    [
        ('"{}"', "{}"),
        (r'"{}\"b\\c"', r'{}"b\c'),
        ('" {} 1 "', " {} 1 "),
        # none is a string of RFC 8941: each stays as it is
        ('"{}', '"{}'),
        ('"{}"b"', '"{}"b"'),
        (r'"{}\b"', r'"{}\b"'),
        ('"{}"; v=1', '"{}"; v=1'),
        ("'{}'", "'{}'"),
    ],
)
def test_a_key_in_quotes_is_the_text_within(
    client: Client, field: str, key: str, prefer: dict[str, str]
) -> None:
    """A key in the header and the text within its double quotes are one key, which the body may
    name beside it or alone. An escaped quote or backslash is one character.
    """
    name = uuid.uuid4().hex
    field, key = field.format(name), key.format(name)
    body = say("post", "hall", text="quoted")
    first = client.post("/v1/invocations", body, Idempotency_Key=field, **prefer)
    body = {**body, "idempotencyKey": key}
    beside = client.post("/v1/invocations", body, Idempotency_Key=field, **prefer)
    alone = client.post("/v1/invocations", body, **prefer)
    replayed = [one.headers.get("idempotency-replayed") for one in (first, beside, alone)]
    assert replayed == [None, "true", "true"]


def test_an_empty_key_in_quotes_is_blank(client: Client) -> None:
    """It is refused as any blank key is."""
    found = client.post("/v1/invocations", say("post", text="x"), Idempotency_Key='""')
    assert found.json["error"]["code"] == "invalid_invocation"


def test_a_key_that_runs_is_waited_for_as_preferred(
    client: Client, threads: ThreadPoolExecutor
) -> None:
    """The same key again while it runs: 409 at once or after the seconds of ``wait``, the Result
    where it comes in time.
    """
    with Gatekeeper() as gate:
        body = say("post", text="slow", gate={"port": gate.port})
        running = threads.submit(client.post, "/v1/invocations", body, Idempotency_Key="slow")
        gate.wait()
        for prefer in ({}, {"Prefer": "wait=1"}):
            asked = time.monotonic()
            refused = client.post("/v1/invocations", body, Idempotency_Key="slow", **prefer)
            # L28: never before the second that was asked for
            assert time.monotonic() - asked >= len(prefer)
            assert (refused.status, refused.json["error"]["code"]) == (409, "idempotency_conflict")
            assert refused.headers["retry-after"] == "1"
        waiting = threads.submit(
            client.post, "/v1/invocations", body, Idempotency_Key="slow", Prefer="wait=20"
        )
        gate.open()
        first, second = running.result(30), waiting.result(30)
        assert second.headers["preference-applied"] == "wait=20"
        assert second.json["meta"] == {**first.json["meta"], "replayed": True}


def test_async_is_queued_and_run(client: Client) -> None:
    """``respond-async``: 202 with the place to look, then the workers run it. Inline values are
    never stored, so they cannot wait.
    """
    answer = client.post(
        "/v1/invocations", say("post", "hall", text="later"), Prefer="respond-async"
    )
    assert (answer.status, answer.json["status"]) == (202, "queued")
    assert answer.headers["location"] == f"/v1/invocations/{answer.json['invocationId']}"
    entry = until(client, answer.json["invocationId"], is_settled)
    assert (entry["status"], entry["output"]["text"]) == ("succeeded", "later")
    inline = client.post("/v1/invocations", say("post", text="later"), Prefer="respond-async")
    assert (inline.status, inline.json["error"]["details"][0]["path"]) == (400, "/connection")


def test_a_repeat_of_what_is_queued_is_accepted_again(
    client: Client, threads: ThreadPoolExecutor
) -> None:
    """The key again before the end: 202 with the same ID, the Result where ``wait`` brings it in
    time or it has ended. Another request, and one that is not queued, are refused.
    """
    with Gatekeeper() as gate:
        body = say("post", "hall", text="later", gate={"port": gate.port})

        def repeat(prefer: str = "respond-async", **changed: Any) -> Reply:
            return client.post(
                "/v1/invocations", {**body, **changed}, Idempotency_Key="later", Prefer=prefer
            )

        first = repeat()
        gate.wait()
        again, waited = repeat(), repeat("respond-async, wait=1")
        for answer in (again, waited):
            assert (answer.status, answer.json) == (
                202,
                {**first.json, "status": "running", "replayed": True},
            )
            assert answer.headers["location"] == first.headers["location"]
        assert [
            answer.headers.get("idempotency-replayed") for answer in (first, again, waited)
        ] == [None, "true", "true"]
        assert [repeat(inputs={"text": "other"}).status, repeat("wait=0").status] == [422, 409]
        waiting = threads.submit(repeat, "respond-async, wait=20")
        gate.open()
        ended = waiting.result(30)
    for answer in (ended, repeat()):
        assert (answer.status, answer.headers["idempotency-replayed"], answer.json["status"]) == (
            200,
            "true",
            "succeeded",
        )
        assert answer.json["meta"]["invocationId"] == first.json["invocationId"]


def test_a_running_one_is_cancelled_before_it_is_sent(
    client: Client, threads: ThreadPoolExecutor
) -> None:
    """Cancelling answers 202; what had not been sent ends as cancelled."""
    with Gatekeeper() as gate:
        body = say("post", "hall", text="cancel me", gate={"port": gate.port, "before": True})
        running = threads.submit(client.post, "/v1/invocations", body)
        gate.wait()
        items = client.get("/v1/invocations?status=running").json["items"]
        assert client.post(f"/v1/invocations/{items[0]['invocationId']}/cancel").status == 202
        gate.open()
        answer = running.result(30)
    assert (answer.status, answer.json["error"]["code"]) == (409, "cancelled")
    late = client.post(f"/v1/invocations/{answer.json['meta']['invocationId']}/cancel")
    assert (late.status, late.headers["content-type"]) == (409, "application/problem+json")


def test_l27_a_cancellation_that_comes_too_late_says_so(
    client: Client, threads: ThreadPoolExecutor
) -> None:
    """What has been sent runs to its end: 202 says that it runs and that the cancellation was asked
    for, and the Result tells the truth.
    """
    with Gatekeeper() as gate:
        running = threads.submit(
            client.post,
            "/v1/invocations",
            say("post", "hall", text="sent", gate={"port": gate.port}),
        )
        gate.wait()
        identifier = client.get("/v1/invocations?status=running").json["items"][0]["invocationId"]
        asked = client.post(f"/v1/invocations/{identifier}/cancel")
        assert (asked.status, asked.json["status"], asked.json["cancelRequested"]) == (
            202,
            "running",
            True,
        )
        shown = client.get(f"/v1/invocations/{identifier}").json
        assert (shown["status"], shown["cancelRequested"]) == ("running", True)
        gate.open()
        assert running.result(30).json["status"] == "succeeded"
    shown = client.get(f"/v1/invocations/{identifier}").json
    assert (shown["status"], shown["cancelRequested"]) == ("succeeded", True)
    listed = client.get("/v1/invocations?limit=1").json["items"][0]
    assert (listed["invocationId"], listed["cancelRequested"]) == (identifier, True)


def test_l26_the_journal_is_searched(client: Client) -> None:
    """Time, key, correlation id, label, error code, caller and text narrow the list; what they hold
    is quoted, not a pattern.
    """
    context = {"correlationId": "order_4711", "labels": {"team": "blue%", "kind": 'a"b'}}
    made = client.post(
        "/v1/invocations",
        {
            **say("put", "hall", key="l26", value="x"),
            "idempotencyKey": "key-l26",
            "context": context,
        },
    )
    identifier, failed = (
        made.json["meta"]["invocationId"],
        client.invoke("say", text=5).json["meta"]["invocationId"],
    )
    entry = until(client, identifier, is_settled)
    until(client, failed, is_settled)

    def found(query: str) -> list[str]:
        return [
            item["invocationId"] for item in client.get(f"/v1/invocations?{query}").json["items"]
        ]

    for query in (
        "idempotencyKey=key-l26",
        "correlationId=order_4711",
        "label=team",
        "label=team%3Dblue%25",
        "label=kind%3Da%22b",
        "q=ORDER_47",
    ):
        assert found(query) == [identifier], query
    for query in (
        "correlationId=orderX4711",
        "label=team%3Dblue",
        "label=blue",
        "q=zzz",
        f"until={entry['createdAt']}&idempotencyKey=key-l26",
    ):
        assert found(query) == [], query
    assert found(f"since={entry['createdAt']}&idempotencyKey=key-l26") == [identifier]
    assert failed in found("errorCode=invalid_input")
    assert identifier in found(f"caller={entry['caller']}&since=1h")
    assert found("status=cancelled&errorCode=invalid_input") == []
    assert found("action=put&limit=1") == [identifier]
    assert client.get("/v1/invocations?since=soon").status == 400


def test_a_list_is_exported_page_by_page(client: Client) -> None:
    """``Accept`` asks for CSV or JSON Lines: all that match, a limit, and a link to the rest, which
    continues where the export ends.
    """
    labels = {"export": "=1+1"}
    made = [
        client.post(
            "/v1/invocations",
            {
                **say("put", "hall", key=f"export-{number}", value="x"),
                "context": {"labels": labels},
            },
        )
        for number in range(5)
    ]
    identifiers = [one.json["meta"]["invocationId"] for one in made]
    for identifier in identifiers:
        until(client, identifier, is_settled)
    found: list[str] = []
    address = "/v1/invocations?label=export&limit=2"
    while address:
        part = client.get(address, accept="application/jsonl")
        assert (part.status, part.headers["content-type"]) == (
            200,
            "application/jsonl; charset=utf-8",
        )
        found += [json.loads(line)["invocationId"] for line in part.body.splitlines()]
        link = part.headers.get("link", "")
        assert not link or link.endswith('>; rel="next"')
        address = link.partition(">")[0].removeprefix("<")
    assert found == identifiers[::-1]
    sheet = client.get("/v1/invocations?label=export", accept="text/csv, application/json;q=0.5")
    rows = list(csv.DictReader(io.StringIO(sheet.body.decode())))
    assert [row["invocationId"] for row in rows] == identifiers[::-1]
    assert {row["labels"] for row in rows} == {'{"export": "=1+1"}'}
    assert "link" not in sheet.headers
    assert client.get("/v1/invocations?limit=1", accept="application/json").json["items"]
    assert client.get("/v1/invocations?since=soon", accept="text/csv").status == 400


def test_m15_hints_are_requests_over_http(client: Client) -> None:
    """A refused invocation says which request shows more, not which command; problem documents
    likewise.
    """
    assert (
        client.invoke("say", text=5)
        .json["error"]["hint"]
        .startswith("GET /v1/connectors/echo/actions/say/schema")
    )
    assert (
        client.get("/v1/connections/nowhere").json["hint"]
        == "GET /v1/connections lists the connections."
    )
    assert (
        "/openapi.json"
        in client.post("/v1/invocations", {"connector": "echo"}).json["error"]["hint"]
    )


def test_h4_a_running_invocation_shows_its_try(client: Client, threads: ThreadPoolExecutor) -> None:
    """While the request is on the wire the entry lists the try that is under way, and its step."""
    with Gatekeeper() as gate:
        running = threads.submit(
            client.post,
            "/v1/invocations",
            say("post", "hall", text="on the wire", gate={"port": gate.port}),
        )
        gate.wait()
        (entry,) = client.get("/v1/invocations?status=running").json["items"]
        assert [(item["step"], item["outcome"]) for item in entry["attempts"]] == [
            ("post", "running")
        ]
        gate.open()
        assert running.result(30).status == 200


def test_a_doubt_is_resolved_once(client: Client) -> None:
    """A person's word settles a doubt; it is no doubt any more then. Who repeats the call under its
    key before reads the same hint.
    """
    call = {**say("post", text="x", fault={"kind": "reset"}), "idempotencyKey": "doubt-1"}
    doubt, again = (client.post("/v1/invocations", call) for _ in range(2))
    assert (doubt.status, doubt.json["status"], again.json["status"]) == (
        504,
        "in_doubt",
        "in_doubt",
    )
    path = f"/v1/invocations/{doubt.json['meta']['invocationId']}/resolve"
    assert f'POST {path} with {{"as": "succeeded"}}, or "failed"' in doubt.json["error"]["hint"]
    assert again.json["error"]["hint"] == doubt.json["error"]["hint"]
    assert again.json["meta"]["replayed"] is True
    wrong = [
        ("as", "maybe"),
        *(("note", note) for note in (7, None, "x" * 1_001)),
        *(("because", look) for look in (None, True, 1.0, 1.5, "1")),
    ]
    for name, value in wrong:
        assert client.post(path, {"as": "failed", name: value}).status == 400
    resolved = client.post(path, {"as": "succeeded", "note": "order 7 is there"})
    assert (
        resolved.status,
        resolved.json["status"],
        resolved.json["meta"]["resolution"]["note"],
    ) == (200, "succeeded", "order 7 is there")
    assert client.post(path, {"as": "failed"}).status == 409


def test_the_trace_of_the_header_is_kept(client: Client) -> None:
    """``traceparent`` goes into the invocation's context, unless it has one."""
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    result = client.post("/v1/invocations", say("say", text="x"), traceparent=parent).json
    assert until(client, result["meta"]["invocationId"], is_settled)["context"] == {
        "traceparent": parent
    }


def test_an_inline_connection_may_not_read_the_host(client: Client) -> None:
    """Secret references, and the host's own identity, are refused over HTTP (contract §2)."""
    reference = say("say", {"type": "token", "values": {"token": {"$env": "HOME"}}}, text="x")
    mail = {
        "awsRegion": "eu-west-1",
        "to": "a@example.com",
        "sender": "b@example.com",
        "subject": "s",
        "text": "t",
    }
    ambient = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": {"type": "awsDefault", "values": {}},
        "inputs": mail,
    }
    for body in (reference, ambient):
        answer = client.post("/v1/invocations", body)
        assert (answer.status, answer.json["error"]["code"]) == (422, "invalid_connection")


def hang_up(client: Client, body: Any, before: Callable[[], None]) -> None:
    """Send an invocation, and close the connection after ``before``."""
    text = json.dumps(body).encode()
    head = (
        "POST /v1/invocations HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "
        f"{client.token}\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", client.port), timeout=120) as connection:
        connection.sendall(head.encode() + text)
        before()


def test_who_leaves_before_it_is_sent_has_cancelled(stand: Stand, client: Client) -> None:
    """A caller who hangs up before the first byte went out has cancelled."""
    with Gatekeeper() as gate:
        hang_up(
            client,
            say("post", "hall", text="gone early", gate={"port": gate.port, "before": True}),
            gate.wait,
        )
        identifier = client.get("/v1/invocations?status=running").json["items"][0]["invocationId"]
        # the server has heard of it
        assert stand.host.runtime("default").pipeline.live[identifier].wait(30)
        gate.open()
        entry = until(client, identifier, is_settled)
    assert (entry["status"], entry["error"]["code"]) == ("failed", "cancelled")


def test_who_leaves_after_it_was_sent_has_sent(client: Client) -> None:
    """After the first byte it runs to its end, and the same key replays what it came to."""
    with Gatekeeper() as gate:
        body = {
            **say("post", "hall", text="gone late", gate={"port": gate.port}),
            "idempotencyKey": "gone-late",
        }
        hang_up(client, body, gate.wait)
        identifier = client.get("/v1/invocations?status=running").json["items"][0]["invocationId"]
        gate.open()
        assert until(client, identifier, is_settled)["status"] == "succeeded"
        again = client.post("/v1/invocations", body).json
    assert (again["status"], again["meta"]["invocationId"], again["meta"]["replayed"]) == (
        "succeeded",
        identifier,
        True,
    )


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; q=0.5", True),
        ("text/event-stream, application/json;q=0.9", True),
        ("application/json, text/event-stream", False),
        ("application/json, text/event-stream;q=0.5", False),
        ("text/event-stream;q=0", False),
        ("text/event-streams", False),
        ("*/*", False),
    ],
)
def test_a_stream_is_the_answer_only_if_it_is_preferred(
    client: Client, accept: str, streams: bool
) -> None:
    """Weights are weighed; JSON is the answer to who wants both equally."""
    reply = client.post("/v1/invocations", say("say", text="x"), Accept=accept)
    kind = "text/event-stream" if streams else "application/json"
    assert (reply.status, reply.headers["content-type"].partition(";")[0]) == (200, kind)
