"""``/mcp`` in ``jackfield serve``: both protocols, who may do what, files, keys, callers who
leave.
"""

from __future__ import annotations

import http.client
import json
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fake_aws import FakeAws
from gates import Gatekeeper
from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield.invocation.entry import Entry
from leaks import leaks
from mcp_talk import MODES, Server, call_of, called, message, remote, talked, tool_names, trying

DISCOVERY = [
    "search_actions",
    "get_action_guide",
    "list_connections",
    "read_events",
    "read_result",
    "execute_action",
]


@pytest.fixture(scope="module")
def aws() -> Iterator[FakeAws]:
    """The fake AWS."""
    with FakeAws() as fake:
        yield fake


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, aws: FakeAws) -> Iterator[Stand]:
    """One server for all of them."""
    with standing(tmp_path_factory.mktemp("mcp"), AWS_ENDPOINT_URL=aws.url) as found:
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


@pytest.fixture(scope="module")
def server(client: Client) -> Server:
    """The same for MCP."""
    return remote(client.port, client.token)


def entries(stand: Stand, workspace: str = "default") -> list[Entry]:
    """List invocations, newest first."""
    journal = stand.host.runtime(workspace).journal
    assert journal is not None
    return journal.entries()[0]


def settled(stand: Stand, key: str) -> Entry:
    """The entry with this idempotency key, once it has ended."""
    pause = threading.Event()
    for _ in range(500):
        found = next(
            (entry for entry in entries(stand) if entry.to_json().get("idempotencyKey") == key),
            None,
        )
        if found is not None and found.status not in ("running", "queued"):
            return found
        pause.wait(0.02)
    raise AssertionError(found)


@pytest.mark.parametrize("mode", MODES)
def test_an_action_is_found_and_run(stand: Stand, server: Server, mode: str) -> None:
    """Search, guide, connections, execution; the journal names the token, and the connection's
    values are not told.
    """

    async def step(client: Any) -> list[Any]:
        names = [tool.name for tool in (await client.list_tools()).tools]
        found = await client.call_tool(
            "search_actions", {"query": "say", "connector": "echo", "limit": 1}
        )
        rows = await client.call_tool("list_connections", {"connector": "echo"})
        result = await client.call_tool("execute_action", say("say", "hall", text="hello"))
        return [names, found, rows, result]

    names, found, rows, result = talked(server, step, mode)
    assert names == DISCOVERY
    assert [row["action"] for row in found.structured_content["items"]] == ["say"]
    account = {"id": "echo-1", "label": "The echo in the hall"}
    about = {
        "name": "hall",
        "type": "echo/token",
        "connectors": ["echo"],
        "status": "ok",
        "account": account,
    }
    assert rows.structured_content["items"] == [about]
    assert result.structured_content["output"]["text"] == "hello"
    entry = entries(stand)[0]
    assert entry.id == result.structured_content["meta"]["invocationId"]
    assert entry.to_json()["caller"]


def test_events_are_read_by_cursor(client: Client, server: Server) -> None:
    """A model that has queued something reads its end, and goes on from there; an unknown type is
    refused.
    """
    body = {**say("say", "hall", text="hello"), "context": {"notify": True}}
    identifier = client.post("/v1/invocations", body).json["meta"]["invocationId"]
    page = called(server, "read_events", types=["invocation.finished"], limit=50).structured_content
    assert [item["subject"] for item in page["items"]][-1] == identifier
    after = called(
        server, "read_events", after=page["nextCursor"], types=["invocation.*"], wait=1
    ).structured_content
    assert after["items"] == []
    for last in page["items"][-1:]:
        assert (
            called(
                server, "read_events", after=last["sequence"], types=["invocation.*"]
            ).structured_content["items"]
            == []
        )
    refused = called(server, "read_events", types=["invocation.finishd"])
    assert refused.is_error
    assert "did you mean 'invocation.finished'" in refused.content[0].text  # type: ignore[union-attr]


def test_search_is_paged(server: Server) -> None:
    """``nextCursor`` leads through all rows, each once; a cursor that is none is refused with its
    place.
    """

    async def step(client: Any) -> list[str]:
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = (
                await client.call_tool(
                    "search_actions", {"connector": "echo", "limit": 2, **cursor}
                )
            ).structured_content
            found += [row["action"] for row in page["items"]]
            if page["nextCursor"] is None:
                return found
            cursor = {"cursor": page["nextCursor"]}

    assert sorted(talked(server, step)) == ["list", "post", "put", "say", "sayLater", "wrong"]
    refused = called(server, "search_actions", cursor="x")
    assert refused.is_error
    assert refused.structured_content["error"]["details"][0]["path"] == "/cursor"


def test_the_guide_is_that_of_the_api(client: Client, server: Server) -> None:
    """The Markdown is what ``Accept: text/markdown`` gives; an action that is not there is an error
    that suggests another.
    """
    guide = called(server, "get_action_guide", connector="echo", action="post")
    ours = client.get("/v1/connectors/echo/actions/post", Accept="text/markdown").body.decode()
    assert guide.content[0].text.partition("\n\n")[2] == ours  # type: ignore[union-attr]
    missing = called(server, "get_action_guide", connector="echo", action="pots")
    assert missing.is_error
    assert "did you mean 'post'" in missing.content[0].text  # type: ignore[union-attr]
    assert (
        called(server, "list_connections", connector="ecco").structured_content["error"]["code"]
        == "unknown_connector"
    )


def test_one_key_means_one_effect_over_all_surfaces(
    stand: Stand, aws: FakeAws, client: Client, server: Server
) -> None:
    """The same key and request over HTTP and MCP at once is one mail; each further one replays it.
    MCP waits for the first one's Result.
    """
    values = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s", "region": "eu-west-1"}
    connection = {"type": "apiKeySecret", "values": values}
    inputs = {
        "to": ["ada@example.com"],
        "sender": "a@example.com",
        "subject": "Hello",
        "text": "Hello",
    }
    mail = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": connection,
        "inputs": inputs,
        "idempotencyKey": "mixed-1",
    }

    def by_http() -> Any:
        return client.post("/v1/invocations", mail).json

    def by_mcp() -> Any:
        return called(server, "execute_action", **mail).structured_content

    with ThreadPoolExecutor(8) as threads:
        first = [
            future.result() for future in [threads.submit(way) for way in (by_http, by_mcp) * 4]
        ]
    assert {
        result["status"] if result["status"] == "succeeded" else result["error"]["code"]
        for result in first
    } <= {
        "succeeded",
        "idempotency_conflict",
    }
    assert [result["status"] for result in first[1::2]] == ["succeeded"] * 4
    assert len(aws.messages) == 1
    again = [by_http(), by_mcp()]
    assert [result["meta"]["replayed"] for result in again] == [True, True]
    assert again[0]["output"] == again[1]["output"]
    other = called(server, "execute_action", **{**mail, "inputs": {**inputs, "subject": "Other"}})
    assert (other.is_error, other.structured_content["error"]["code"]) == (
        True,
        "idempotency_conflict",
    )
    assert len(aws.messages) == 1


@pytest.mark.parametrize(("before", "status"), [(True, "failed"), (False, "succeeded")])
@pytest.mark.parametrize("mode", MODES)
def test_a_cancelled_call_is_cancelled_until_it_is_sent(
    stand: Stand, server: Server, mode: str, before: bool, status: str
) -> None:
    """An older client says ``notifications/cancelled``, a newer one hangs up: what was not sent is
    not sent; what was runs to its end, and the same key replays it.
    """
    key = f"cancel-{mode}-{before}"
    with Gatekeeper() as gate:
        given = {
            **say("post", "hall", text="hello", gate={"port": gate.port, "before": before}),
            "idempotencyKey": key,
        }

        async def step(client: Any) -> Any:
            await trying(client, "execute_action", given, gate.wait)
            return await client.list_tools()

        talked(server, step, mode)
        if before:  # it ends although the gate is shut: nobody waits for it any more
            wait_for_cancel(stand)
        gate.open()
    entry = settled(stand, key)
    assert entry.status == status
    if before:
        assert entry.to_json()["error"]["code"] == "cancelled"
    else:
        again = called(server, "execute_action", mode, **given)
        assert again.structured_content["meta"]["replayed"]


def wait_for_cancel(stand: Stand) -> None:
    """Until no invocation that runs is left uncancelled."""
    pause = threading.Event()
    for _ in range(500):
        live = stand.host.runtime("default").pipeline.live
        if all(event.is_set() for event in list(live.values())):
            return
        pause.wait(0.02)
    raise AssertionError("nothing was cancelled")


def test_a_cancellation_is_of_ones_own_session(stand: Stand, client: Client) -> None:
    """Another session's cancellation of the same request id, or another token's in the same
    session, changes nothing.
    """
    session, other = "a" * 32, stand.client()
    with Gatekeeper() as gate, ThreadPoolExecutor(1) as threads:
        given = say("post", "hall", text="hello", gate={"port": gate.port, "before": True})
        call = threads.submit(
            client.post, "/mcp", call_of("execute_action", 5, **given), Mcp_Session_Id=session
        )
        gate.wait()
        for who, where, identifier in (
            (client, "b" * 32, 5),
            (other, session, 5),
            (client, session, "5"),
            (client, session, 6),
            (client, "x", 5),
        ):
            note = message("notifications/cancelled", None, requestId=identifier)
            assert who.post("/mcp", note, Mcp_Session_Id=where).status == 202
        gate.open()
        text = json.loads(call.result().json["result"]["content"][0]["text"])
    assert text["status"] == "succeeded"


def test_who_hangs_up_before_it_is_sent_has_cancelled(stand: Stand, client: Client) -> None:
    """A closed connection is a caller who leaves, whatever the protocol's version."""
    with Gatekeeper() as gate:
        given = {
            **say("post", "hall", text="x", gate={"port": gate.port, "before": True}),
            "idempotencyKey": "hang-up",
        }
        body = json.dumps(call_of("execute_action", **given)).encode()
        head = (
            "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer "
            f"{client.token}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        with socket.create_connection(("127.0.0.1", client.port), timeout=60) as connection:
            connection.sendall(head.encode() + body)
            gate.wait()
        wait_for_cancel(stand)
        gate.open()
    assert settled(stand, "hang-up").to_json()["error"]["code"] == "cancelled"


@pytest.mark.parametrize("mode", MODES)
def test_a_doubt_is_an_error_with_a_hint(server: Server, mode: str) -> None:
    """A write that was cut is in doubt: ``isError``, the status, and words that say what to do."""
    found = called(
        server, "execute_action", mode, **say("post", "hall", text="x", fault={"kind": "reset"})
    )
    assert (found.is_error, found.structured_content["status"]) == (True, "in_doubt")
    assert found.structured_content["error"]["hint"] in found.content[0].text  # type: ignore[union-attr]


def test_uploaded_files_are_files(stand: Stand, client: Client, server: Server) -> None:
    """``{"file": id}`` is what was uploaded; an id that is none is refused with its place, as a
    Result.
    """
    file = client.post("/v1/files", b"a picture", Content_Type="image/png").json["file"]
    found = called(server, "execute_action", **say("say", "hall", text="x", picture={"file": file}))
    assert found.structured_content["output"]["inputs"]["picture"] == {
        "data": "YSBwaWN0dXJl",
        "contentType": "image/png",
    }
    refused = called(
        server,
        "execute_action",
        **say("say", "hall", text="x", picture={"file": "file_" + "x" * 22}),
    )
    assert refused.is_error
    assert refused.structured_content["error"]["details"][0]["path"] == "/picture/file"
    assert refused.structured_content["meta"]["action"] == "say"


def test_an_inline_connection_may_not_read_the_host(server: Server) -> None:
    """Over MCP a connection is a stranger's: no secret references."""
    given = say("say", {"type": "token", "values": {"token": {"$env": "HOME"}}}, text="x")
    found = called(server, "execute_action", **given)
    assert found.structured_content["error"]["code"] == "invalid_connection"


def test_the_trace_is_kept(stand: Stand, client: Client) -> None:
    """``traceparent`` of ``_meta`` goes before that of the header, and the invocation's own before
    both.
    """
    parents = [f"00-{digit * 32}-{digit * 16}-01" for digit in "123"]
    given = call_of("execute_action", **say("say", "hall", text="x"))
    client.post("/mcp", given, traceparent=parents[0])
    assert entries(stand)[0].to_json()["context"]["traceparent"] == parents[0]
    given["params"]["_meta"] = {"traceparent": parents[1]}
    client.post("/mcp", given, traceparent=parents[0])
    assert entries(stand)[0].to_json()["context"]["traceparent"] == parents[1]
    given["params"]["arguments"]["context"] = {"traceparent": parents[2]}
    client.post("/mcp", given, traceparent=parents[0])
    assert entries(stand)[0].to_json()["context"]["traceparent"] == parents[2]


@pytest.mark.parametrize("mode", MODES)
def test_no_log_has_what_clients_send(
    server: Server, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No record of any logger of the server's has the secret of an inline connection, not the SDK's
    either; nor has the answer.
    """
    before = logging.getLogger("mcp").level
    caplog.set_level(logging.DEBUG)
    secret = "s3cret-of-the-caller"
    good = say("say", {"type": "token", "values": {"token": secret}}, text="x", reveal=True)
    bad = say("say", {"type": "token", "values": {"token": [secret]}}, text="x")
    told = [
        called(server, "execute_action", mode, **given).model_dump_json() for given in (good, bad)
    ]
    ours = [record for record in caplog.records if record.threadName != "MainThread"]
    assert logging.getLogger("mcp").level == before
    assert ours
    assert not leaks(
        [secret], [*told, *(f"{record.getMessage()} {record.__dict__}" for record in ours)]
    )


def test_calls_are_counted(client: Client, server: Server) -> None:
    """The metrics have what ran over MCP."""
    called(server, "execute_action", **say("put", "hall", key="k", value="v"))
    lines = client.get("/metrics").body.decode().splitlines()
    assert any('action="put"' in line and "echo" in line for line in lines)


def test_serving_does_not_import_the_sdk(client: Client) -> None:
    """The application is built without it; only a request to ``/mcp`` imports it."""
    code = (
        "import sys, os\nfrom jackfield_service.shell.commands.serve import mounts\n"
        "from jackfield_service.shell.http.app import build_app\n"
        "from jackfield_service.shell.process.server_context import ServerContext\n"
        "from jackfield_service.shell.process.settings import ServerSettings\n"
        "import jackfield_service.shell.commands.serve, jackfield_service.subjects.mcp.command\n"
        "build_app(ServerContext(ServerSettings(), os.environ), mounts())\n"
        "print(*sorted({'mcp', 'mcp_types', 'sse_starlette', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""


def test_a_server_without_the_extra_says_what_to_install(
    stand: Stand, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """501, as a problem, with a token; 401 without."""
    from jackfield_service.shell.commands.serve import mounts
    from jackfield_service.shell.http.app import build_app
    from jackfield_service.subjects.mcp import http_route

    def missing() -> Any:
        raise ModuleNotFoundError("gone", name="mcp")

    monkeypatch.setattr(http_route, "_load", missing)
    app = build_app(stand.host, mounts())
    for _ in range(2):
        status, body = answered(app, client)
        assert status == 501
        assert "pip install 'jackfield[mcp]'" in body["detail"]


def answered(app: Any, client: Client) -> tuple[int, Any]:
    """What an application answers to a ping, without a server."""
    import asyncio

    sent: list[Any] = []

    async def receive() -> Any:
        return {
            "type": "http.request",
            "body": json.dumps(message("ping")).encode(),
            "more_body": False,
        }

    async def send(told: Any) -> None:
        sent.append(told)

    headers = [
        (b"authorization", f"Bearer {client.token}".encode()),
        (b"content-type", b"application/json"),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "root_path": "",
        "server": ("127.0.0.1", client.port),
        "client": ("127.0.0.1", 1),
        "http_version": "1.1",
        "asgi": {"version": "3.0"},
    }
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(b"".join(item.get("body", b"") for item in sent))


def test_many_talk_at_once(server: Server) -> None:
    """Eight conversations at a time get their own answers."""

    def talk(number: int) -> bool:
        found = called(
            server, "execute_action", MODES[number % 2], **say("say", "hall", text=f"n-{number}")
        )
        return bool(found.structured_content["output"]["text"] == f"n-{number}")

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(talk, range(8)))


def test_a_connection_is_kept_open(client: Client) -> None:
    """Requests follow each other on one connection, refused ones too."""
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=60)
    head = {"Authorization": f"Bearer {client.token}", "Content-Type": "application/json"}
    for body, status in (
        (b"{", 400),
        (json.dumps(message("ping")).encode(), 200),
        (b"[]", 400),
        (json.dumps(message("ping")).encode(), 200),
    ):
        connection.request("POST", "/mcp", body, head)
        answer = connection.getresponse()
        answer.read()
        assert answer.status == status
    connection.close()


def test_a_read_only_token_sees_no_tool_that_runs(stand: Stand, client: Client) -> None:
    """The scope ``read`` lists and looks; a call that would run something is forbidden, and says
    why.
    """
    server = remote(client.port, stand.client("read").token)
    assert tool_names(server) == DISCOVERY[:-1]
    assert called(server, "search_actions", query="say").structured_content["items"]
    guide = called(server, "get_action_guide", connector="echo", action="say")
    assert not guide.structured_content["verdict"]["allowed"]
    refused = called(server, "execute_action", **say("say", "hall", text="x"))
    assert (refused.is_error, refused.structured_content["error"]["code"]) == (True, "not_allowed")
    assert "scope 'read'" in refused.content[0].text  # type: ignore[union-attr]


def test_files_that_are_named_take_room(tmp_path: Path) -> None:
    """A small message that names a large file has the file's room, and is told to come again where
    there is none.
    """
    mega = 1024 * 1024
    with (
        standing(tmp_path, replace(SETTINGS, max_bodies=5 * mega)) as stand,
        Gatekeeper() as gate,
        ThreadPoolExecutor(1) as pool,
    ):
        client = stand.client()
        server = remote(client.port, client.token)
        picture = {"file": client.post("/v1/files", b"x" * (3 * mega)).json["file"]}
        held = say("say", text="x", picture=picture, gate={"port": gate.port})
        running = pool.submit(called, server, "execute_action", **held)
        gate.wait()
        refused = called(
            server, "execute_action", **say("say", text="x", picture=picture)
        ).structured_content
        assert refused is not None
        assert (refused["status"], refused["error"]["code"], refused["error"]["retryable"]) == (
            "failed",
            "unavailable",
            True,
        )
        gate.open()
        assert not running.result(30).is_error
        assert not called(
            server, "execute_action", **say("say", text="x", picture=picture)
        ).is_error
