"""Streams of AWS's events are handed on as they come: in the library, over HTTP and on the command
line.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from event_server import (
    CONVERSE,
    INVOKE,
    KEYS,
    SELECT,
    STOP,
    EventServer,
    connections,
    event,
    event_server,
    text,
)
from http_stand import standing
from jackfield import Jackfield
from moto_rig import offer

WORDS = [text(f"word {number} ") for number in range(199)]
SECRET = KEYS["secretAccessKey"]


@contextlib.contextmanager
def over(server: EventServer, database_url: str = "none") -> Iterator[Jackfield]:
    """A runtime with a connection to a server."""
    with Jackfield(connections=[connections(server.url)], database_url=database_url) as jackfield:
        yield jackfield


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_each_event_is_at_the_caller_before_the_next_is_sent(framing: str) -> None:
    """The server sends an event only after the caller has the one before; the Result at the end has
    all 200.
    """
    with event_server([*WORDS, STOP], framing) as server, over(server) as jackfield:
        stream = jackfield.stream(CONVERSE)
        server.let(1)
        seen = []
        for one in stream:
            seen.append(one)
            server.let(1)
        result = stream.result
    assert [one["contentBlockDelta"]["delta"]["text"] for one in seen[:-1]] == [
        f"word {number} " for number in range(199)
    ]
    assert (result.status, result.output) == ("succeeded", {"stream": seen})


def test_a_task_reads_the_same(tmp_path: Path) -> None:
    """``async for`` takes the events without a thread of its own; the journal has the call."""
    del tmp_path

    async def read(jackfield: Jackfield, server: EventServer) -> tuple[int, str]:
        stream, count = jackfield.stream(CONVERSE), 0
        server.let(1)
        async for _ in stream:
            count += 1
            server.let(1)
        return count, stream.result.status

    with event_server([*WORDS[:20], STOP]) as server, over(server) as jackfield:
        assert asyncio.run(read(jackfield, server)) == (21, "succeeded")


def _served(response: http.client.HTTPResponse) -> Iterator[tuple[str, Any]]:
    name = ""
    while line := response.readline().decode():
        if line.startswith("event: "):
            name = line[7:].strip()
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def test_each_event_is_at_the_client_before_the_next_is_sent_over_http(tmp_path: Path) -> None:
    """``Accept: text/event-stream``: 200 events, each before the next is sent, then the Result."""
    path = tmp_path / "connections.json"
    offer(tmp_path / "home", {"default": {"services": ["bedrock-runtime"]}})
    with event_server([*WORDS, STOP]) as server:
        path.write_text(json.dumps(connections(server.url)))
        with standing(tmp_path, JACKFIELD_CONNECTIONS=str(path)) as stand:
            client = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=120)
            headers = {
                "Authorization": f"Bearer {stand.client('invoke').token}",
                "Content-Type": "application/json",
            }
            client.request(
                "POST",
                "/v1/invocations",
                json.dumps(CONVERSE),
                {**headers, "Accept": "text/event-stream"},
            )
            server.let(1)
            response, seen = client.getresponse(), []
            for name, data in _served(response):
                seen.append((name, data))
                server.let(1)
            client.close()
    assert (response.status, response.headers["content-type"].partition(";")[0]) == (
        200,
        "text/event-stream",
    )
    assert [name for name, _ in seen] == ["event"] * 200 + ["result"]
    assert (seen[-1][1]["status"], seen[-1][1]["output"]["stream"]) == (
        "succeeded",
        [data for _, data in seen[:-1]],
    )


def test_a_client_who_disconnects_ends_a_read(tmp_path: Path) -> None:
    """The connection to the provider is closed, though that sends nothing more, and the journal
    says how many events there were.
    """
    path, records = tmp_path / "connections.json", event("Records", b'{"a":1}\n')
    offer(tmp_path / "home", {"default": {"services": ["s3"]}})
    with event_server([records, records]) as server:
        path.write_text(json.dumps(connections(server.url)))
        with standing(tmp_path, JACKFIELD_CONNECTIONS=str(path)) as stand:
            client = http.client.HTTPConnection("127.0.0.1", stand.port, timeout=120)
            headers = {
                "Authorization": f"Bearer {stand.client('invoke').token}",
                "Content-Type": "application/json",
            }
            client.request(
                "POST",
                "/v1/invocations",
                json.dumps(SELECT),
                {**headers, "Accept": "text/event-stream"},
            )
            server.let(1)
            assert next(_served(client.getresponse()))[0] == "event"
            client.close()
            assert server.left.wait(60)
            ended = stand.host.runtimes.find("default")
            assert ended.pipeline.calls.wait_for_others(60)
            (entry,) = ended.journal_of().entries()[0]
    assert entry.result is not None
    assert (entry.status, entry.result["error"]["message"]) == (
        "failed",
        "the caller left after 1 event",
    )


def test_each_event_is_a_line_before_the_next_is_sent(tmp_path: Path) -> None:
    """``jackfield invoke --stream`` prints each event when it comes, then the Result."""
    path = tmp_path / "connections.json"
    with event_server([*WORDS[:5], STOP]) as server:
        path.write_text(json.dumps(connections(server.url)))
        (tmp_path / "call.json").write_text(json.dumps(CONVERSE))
        words = [
            sys.executable,
            "-m",
            "jackfield",
            "invoke",
            "--file",
            str(tmp_path / "call.json"),
            "--stream",
        ]
        own = {
            "JACKFIELD_CONNECTIONS": str(path),
            "JACKFIELD_DATABASE_URL": "none",
            "JACKFIELD_HOME": str(tmp_path / "home"),
        }
        with subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, env={**os.environ, **own}
        ) as process:
            assert process.stdout is not None
            server.let(1)
            lines = []
            for line in process.stdout:
                lines.append(json.loads(line))
                server.let(1)
    assert [list(line) for line in lines[:-1]] == [["event"]] * 6
    assert (lines[-1]["status"], len(lines[-1]["output"]["stream"]), process.returncode) == (
        "succeeded",
        6,
        0,
    )


def test_a_caller_who_leaves_ends_a_read(tmp_path: Path) -> None:
    """The provider sends nothing more, and yet the read ends at once: cancelled, with the number of
    events; the connection is closed.
    """
    records = event("Records", b'{"a":1}\n')
    with (
        event_server([records, records, records]) as server,
        over(server, f"sqlite:///{tmp_path / 'j.db'}") as jackfield,
    ):
        stream = jackfield.stream(SELECT)
        server.let(1)
        next(stream)
        stream.close()
        result = stream.result
        assert server.left.wait(60)
        entry = jackfield.journal_of().find(stream.invocation_id)
    assert result.error is not None
    assert (result.status, result.error.code, result.error.message) == (
        "failed",
        "cancelled",
        "the caller left after 1 event",
    )
    assert (entry.status, server.requests) == ("failed", 1)


def test_a_write_runs_to_its_end_whatever_its_caller_does(tmp_path: Path) -> None:
    """A caller who drops the stream after one event does not stop a function; the journal says that
    it succeeded.
    """
    chunks = [event("PayloadChunk", b"part ") for _ in range(3)]
    with (
        event_server([*chunks, event("InvokeComplete", {})]) as server,
        over(server, f"sqlite:///{tmp_path / 'j.db'}") as jackfield,
    ):
        stream = jackfield.stream(INVOKE)
        server.let(1)
        next(stream)
        stream.close()
        server.let(3)
        result = stream.result
        entry = jackfield.journal_of().find(stream.invocation_id)
    assert (result.status, entry.status) == ("succeeded", "succeeded")
    assert result.output is not None
    assert len(result.output["EventStream"]) == 4


@pytest.mark.parametrize("cut", [1, 4, 20, 39])
def test_a_secret_that_is_split_over_two_events_is_masked(cut: int) -> None:
    """In the events and in the Result; of a part of 3 characters or fewer that was handed on
    already, only the rest is.
    """
    with (
        event_server(
            [text("the key is " + SECRET[:cut]), text(SECRET[cut:] + " and on"), STOP]
        ) as server,
        over(server) as jackfield,
    ):
        stream = jackfield.stream(CONVERSE)
        server.let(3)
        seen = list(stream)
        output = stream.result.output
    assert output == {"stream": seen} if cut > 3 else output is not None
    shown = "".join(
        one.get("contentBlockDelta", {}).get("delta", {}).get("text", "") for one in seen
    )
    assert shown == ("the key is *** and on" if cut > 3 else f"the key is {SECRET[:cut]}*** and on")
    assert SECRET[cut:] not in json.dumps([seen, output])


def test_a_secret_that_is_split_over_bytes_is_withheld() -> None:
    """Bytes that hold a part of a secret are withheld whole: nobody can cut it out of Base64."""
    parts = [b"key " + SECRET[:13].encode(), SECRET[13:].encode() + b" on", b" and on"]
    with (
        event_server(
            [*(event("PayloadChunk", part) for part in parts), event("InvokeComplete", {})]
        ) as server,
        over(server) as jackfield,
    ):
        stream = jackfield.stream(INVOKE)
        server.let(4)
        seen = list(stream)
        output = stream.result.output or {}
    assert [one["PayloadChunk"]["Payload"]["data"] for one in seen[:3]] == [
        "***",
        "***",
        base64.b64encode(b" and on").decode(),
    ]
    assert output["EventStream"] == seen


def test_nothing_is_repeated_once_an_event_was_handed_on() -> None:
    """The stream fails after an event: the caller would get the first one twice. Before the first
    event it is repeated, as without him.
    """
    throttled = event("throttlingException", {"message": "Too many"}, "exception")
    with event_server([text("a"), throttled]) as server, over(server) as jackfield:
        stream = jackfield.stream(CONVERSE)
        server.let(2)
        assert len(list(stream)) == 1
        assert (stream.result.status, server.requests) == ("failed", 1)


def test_a_tail_of_logs_only_reads() -> None:
    """A live tail changes nothing, whatever its verb says: who leaves it ends it."""
    call = {
        "connector": "aws.logs",
        "action": "startLiveTail",
        "connection": "m",
        "timeoutSeconds": 120,
    }
    update = event(
        "sessionUpdate",
        {"sessionMetadata": {"sampled": False}, "sessionResults": [{"message": "a line"}]},
    )
    events = [
        event("initial-response", {}),
        event("sessionStart", {"sessionId": "s"}),
        update,
        update,
    ]
    with event_server(events) as server, over(server) as jackfield:
        stream = jackfield.stream(
            {
                **call,
                "inputs": {
                    "logGroupIdentifiers": ["arn:aws:logs:eu-west-1:111122223333:log-group:app"]
                },
            }
        )
        server.let(3)
        seen = [next(stream), next(stream)]
        stream.close()
        error = stream.result.error
    assert [list(one) for one in seen] == [["sessionStart"], ["sessionUpdate"]]
    assert error is not None
    assert error.message == "the caller left after 2 events"
