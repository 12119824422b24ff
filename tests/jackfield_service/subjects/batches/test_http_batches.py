"""``POST /v1/invocations:batch``: one outcome for each line, in order, whatever the other lines
are.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield.callers import Rules
from replies import Reply

PATH = "/v1/invocations:batch"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server without workers, so that what is queued stays queued."""
    with standing(tmp_path_factory.mktemp("batches"), replace(SETTINGS, queue_workers=0)) as found:
        yield found


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


def lines(*items: Any) -> bytes:
    """JSON Lines; bytes are lines as they are."""
    return b"\n".join(
        item if isinstance(item, bytes) else json.dumps(item).encode() for item in items
    )


def send(client: Client, *items: Any) -> Reply:
    """Send a batch as JSON Lines."""
    return client.post(PATH, lines(*items), Content_Type="application/jsonl")


def outcomes(reply: Reply) -> list[Any]:
    """The lines of an answer."""
    assert (reply.status, reply.headers["content-type"]) == (202, "application/jsonl"), reply.body
    return [json.loads(line) for line in reply.body.splitlines()]


@pytest.mark.parametrize("count", [1_500, pytest.param(10_000, marks=pytest.mark.campaign)])
def test_each_line_of_a_large_batch_has_an_id(client: Client, count: int) -> None:
    """As many outcomes as lines, in their order, each with an id of its own that the journal
    knows.
    """
    patient = replace(client, timeout=300.0)
    found = outcomes(
        send(patient, *(say("post", "hall", text=f"line {number}") for number in range(count)))
    )
    assert {line["status"] for line in found} == {"queued"}
    assert len({line["invocationId"] for line in found}) == count
    newest = client.get("/v1/invocations?limit=2").json["items"]
    assert {item["invocationId"] for item in newest} <= {
        line["invocationId"] for line in found[-250:]
    }


def test_a_bad_line_does_not_stop_the_others(client: Client) -> None:
    """Each refusal stands on its own line with the code that the single call answers; blank lines
    do not count.
    """
    found = outcomes(
        send(
            client,
            say("post", "hall", text="first"),
            b"{",
            b"",
            b'"echo"',
            say("post", "hall"),
            say("nope", "hall", text="x"),
            say("post", text="inline"),
            b" \r",
            {**say("post", "hall", text="x"), "color": 1},
            say("post", "hall", text="last"),
        )
    )
    codes = [line.get("error", {}).get("code") for line in found]
    bad = "invalid_invocation"
    assert codes == [None, bad, bad, "invalid_input", "unknown_action", bad, bad, None]
    assert [("invocationId" in line, line["status"]) for line in found[:2]] == [
        (True, "queued"),
        (False, "failed"),
    ]
    assert found[4]["meta"]["action"] == "nope"


@pytest.mark.parametrize("size", [6_000_000, pytest.param(60_000_000, marks=pytest.mark.campaign)])
def test_a_batch_of_blank_lines_delays_nobody(client: Client, size: int) -> None:
    """White space is skipped in few steps, wherever it is: 60 MB of it once held the whole server
    for half a minute.
    """
    line = json.dumps(say("post", "hall", text="last")).encode()
    for blank in (b"\n", b" ", b"\r\n \t\n"):
        body = blank * (size // len(blank)) + b"\n" + line
        found = outcomes(client.post(PATH, body, Content_Type="application/jsonl"))
        assert [item["status"] for item in found] == ["queued"]
    assert client.post(PATH, b"\n" * size, Content_Type="application/jsonl").status == 400


def test_keys_hold_within_a_batch_and_between_batches(client: Client) -> None:
    """A key that occurs twice is queued once: the second line has the first one's id. A batch sent
    again answers the same ids.
    """
    keyed = [
        {**say("post", "hall", text=key), "idempotencyKey": f"batch-{key}"}
        for key in ("a", "b", "a")
    ]
    other = {**say("post", "hall", text="other"), "idempotencyKey": "batch-a"}
    first = outcomes(send(client, *keyed, other))
    assert first[2] == {**first[0], "replayed": True}
    assert first[0]["invocationId"] != first[1]["invocationId"]
    assert (first[3]["error"]["code"], first[3]["status"]) == ("idempotency_conflict", "failed")
    again = outcomes(send(client, *keyed))
    assert [line["invocationId"] for line in again] == [line["invocationId"] for line in first[:3]]
    assert all(line["replayed"] for line in again)


def test_a_key_of_an_ended_invocation_is_answered_by_its_outcome(client: Client) -> None:
    """The line names the invocation that had the key, and how it ended."""
    done = client.post(
        "/v1/invocations", {**say("say", "hall", text="done"), "idempotencyKey": "batch-done"}
    ).json
    found = outcomes(
        send(client, {**say("say", "hall", text="done"), "idempotencyKey": "batch-done"})
    )
    assert found == [
        {"invocationId": done["meta"]["invocationId"], "status": "succeeded", "replayed": True}
    ]


def test_an_array_is_answered_by_an_array(client: Client) -> None:
    """The same batch as JSON: the outcomes are the items of an array."""
    reply = client.post(
        PATH, [say("post", "hall", text="one"), 17, say("post", "hall", text="two")]
    )
    assert (reply.status, reply.headers["content-type"]) == (202, "application/json")
    assert [item["status"] for item in reply.json] == ["queued", "failed", "queued"]


@pytest.mark.parametrize(
    ("kind", "body", "status", "says"),
    [
        ("application/jsonl", b"", 400, "empty"),
        ("application/jsonl", b"\n \n", 400, "empty"),
        ("application/json", b"[]", 400, "empty"),
        ("application/json", b"{}", 400, "application/jsonl"),
        ("application/json", b"[", 400, "JSON"),
        ("text/csv", b"a,b", 415, "application/jsonl"),
        ("application/x-ndjson", b"{}\n" * 10_001, 413, "10,000"),
        ("application/json", b"[" + b"1," * 10_000 + b"1]", 413, "10,000"),
    ],
)
def test_what_is_no_batch_is_refused_as_a_whole(
    client: Client, kind: str, body: bytes, status: int, says: str
) -> None:
    """Nothing of it is queued, and the problem says what to send."""
    reply = client.post(PATH, body, Content_Type=kind)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    assert says in reply.json["detail"]


def test_a_batch_has_no_key_of_its_own(client: Client) -> None:
    """A key in the header would be that of every line."""
    reply = client.post(PATH, [say("post", "hall", text="x")], Idempotency_Key="k")
    assert (reply.status, "each invocation" in reply.json["detail"]) == (400, True)


def test_rules_and_files_are_those_of_each_line(stand: Stand, client: Client) -> None:
    """A token's rules refuse single lines; a file of the token's own is read for the line that
    names it, and another's is unknown.
    """
    ruled = stand.client("invoke", rules=Rules(("echo/say",)))
    file, theirs = (one.post("/v1/files", b"ours").json["file"] for one in (ruled, client))
    found = outcomes(
        send(
            ruled,
            say("say", "hall", text="x", picture={"file": file}),
            say("post", "hall", text="x"),
            say("say", "hall", text="x", picture={"file": "file_" + "A" * 22}),
            say("say", "hall", text="x", picture={"file": theirs}),
        )
    )
    assert [line.get("error", {}).get("code") for line in found] == [
        None,
        "not_allowed",
        "invalid_input",
        "invalid_input",
    ]
    assert found[2]["error"]["details"][0]["path"] == "/picture/file"
    assert found[3]["error"] == found[2]["error"]


def test_workers_run_a_batch(tmp_path: Path) -> None:
    """What was queued by a batch is run as if each line had been sent alone."""
    with standing(tmp_path, SETTINGS) as stand:
        client = stand.client()
        assert (
            client.post(
                "/v1/connections",
                {"name": "hall", "type": "echo/token", "values": {"token": "t-4711"}},
            ).status
            == 201
        )
        ids = [
            line["invocationId"]
            for line in outcomes(
                send(client, *(say("say", "hall", text=str(number)) for number in range(5)))
            )
        ]
        pause = threading.Event()
        for _ in range(500):
            entries = [client.get(f"/v1/invocations/{identifier}").json for identifier in ids]
            if all(entry["status"] == "succeeded" for entry in entries):
                break
            pause.wait(0.02)
        assert [entry["output"]["text"] for entry in entries] == ["0", "1", "2", "3", "4"]
