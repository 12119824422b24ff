"""Limits of a workspace are counted where things begin: each way in over HTTP meets the same limit,
with 429 and its name.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_dapr.sidecars import component
from tests.jackfield_service.subjects.connect.connect_browser import Person

from dead_letters import give_up
from fake_aws import FakeAws
from gates import Gatekeeper
from http_stand import SETTINGS, Client, Stand, say, standing
from jackfield.callers.actor import Actor
from jackfield.kernel.clock import iso
from jackfield_dapr.sidecar import Components
from jackfield_service.shell.process.request_shares import READERS, TOKEN_READERS
from jackfield_store.access.platform_tokens import PlatformTokens
from mcp_talk import call_of
from replies import Reply
from waiting import until

BACK = "https://shop.example/back"
_NUMBERS = count()


@dataclass
class Tenant:
    """A workspace of its own, with a platform that sets its limits."""

    stand: Stand
    name: str
    platform: Client
    client: Client

    def limit(self, **limits: float | None) -> None:
        """Set limits."""
        assert (
            self.platform.call("PATCH", f"/v1/workspaces/{self.name}", {"limits": limits}).status
            == 200
        )

    def entries(self) -> list[dict[str, Any]]:
        """What the journal has."""
        found: list[dict[str, Any]] = self.client.get("/v1/invocations?limit=200").json["items"]
        return found

    def later(self, **more: Any) -> dict[str, Any]:
        """An invocation that waits in the queue for a day."""
        return {
            **say("say", "hall", text="x"),
            "notBefore": iso(self.stand.host.clock.time() + 86_400),
            **more,
        }

    def queue(self) -> Reply:
        """Queue one."""
        return self.client.post("/v1/invocations", self.later(), Prefer="respond-async")

    def begin(self, **body: Any) -> Reply:
        """Begin a connect session."""
        given = {
            "user": "ada",
            "returnTo": BACK,
            "types": ["echo/token"],
            "verify": "link",
            "connection": f"c{next(_NUMBERS)}",
            **body,
        }
        return self.platform.post(f"/v1/workspaces/{self.name}/connect-sessions", given)

    def connect(self) -> Reply:
        """Store a connection."""
        given = {
            "name": f"c{next(_NUMBERS)}",
            "type": "echo/token",
            "values": {"token": "secret-4711"},
        }
        return self.client.post("/v1/connections", given)


@pytest.fixture
def tenant(stand: Stand) -> Tenant:
    """A new one, whose connection is ``hall``."""
    storage, name = stand.host.storage, f"lim-{next(_NUMBERS)}"
    made = PlatformTokens(
        storage.database, storage.vault, stand.host.clock, Actor("cli", "ada")
    ).create("lim-*", "The Shop")
    platform = Client(stand.port, made.text)
    assert platform.call("PUT", f"/v1/workspaces/{name}", {}).status == 201
    client = stand.client(workspace=name)
    values = {"name": "hall", "type": "echo/token", "values": {"token": "secret-4711"}}
    assert client.post("/v1/connections?test=false", values).status == 201
    return Tenant(stand, name, platform, client)


def refused(reply: Reply, limit: str) -> bool:
    """Whether a request was refused for a limit: with 429, its name, and when to try again."""
    named = (
        f"'{limit}'" in reply.body.decode()
        if reply.json.get("jsonrpc")
        else reply.json["limit"] == limit
    )
    return (
        (reply.status, reply.headers["retry-after"]) == (429, "1")
        and "rate_limited" in reply.body.decode()
        and named
    )


@contextmanager
def held(tenant: Tenant) -> Iterator[Future[Reply]]:
    """A call of the tenant that runs until left."""
    with ThreadPoolExecutor(1) as pool:
        with Gatekeeper() as gate:
            running = pool.submit(
                tenant.client.post,
                "/v1/invocations",
                say("say", "hall", text="first", gate={"port": gate.port}),
            )
            gate.wait()
            yield running
        assert running.result().status == 200


def _mcp(client: Client, **more: str) -> Reply:
    return client.post(
        "/mcp",
        call_of(
            "execute_action",
            connector="echo",
            action="say",
            connection="hall",
            inputs={"text": "x"},
        ),
        **more,
    )


DIRECT: dict[str, Callable[[Client], Reply]] = {
    "plain": lambda client: client.post("/v1/invocations", say("say", "hall", text="x")),
    "through Starlette": lambda client: client.post(
        "/v1/invocations", say("say", "hall", text="x"), Prefer="wait=1"
    ),
    "with a key": lambda client: client.post(
        "/v1/invocations", say("post", "hall", text="x"), Idempotency_Key="k-1"
    ),
    "inline": lambda client: client.invoke("say", text="x"),
    "large": lambda client: client.post(
        "/v1/invocations", say("say", "hall", text="x" * 2_000_000)
    ),
    "dry run": lambda client: client.post(
        "/v1/invocations", {**say("say", "hall", text="x"), "dryRun": True}
    ),
    "MCP": _mcp,
    "MCP with progress": lambda client: _mcp(client, Accept="application/json, text/event-stream"),
}


@pytest.mark.parametrize("entry", DIRECT)
def test_calls_beyond_concurrent_are_429_on_every_way(tenant: Tenant, entry: str) -> None:
    """One that runs leaves no room for a second one, whichever way that comes; what was refused is
    not in the journal, and may be sent again.
    """
    tenant.limit(concurrent=1)
    with held(tenant):
        assert refused(DIRECT[entry](tenant.client), "concurrent")
    assert len(tenant.entries()) == 1
    assert DIRECT[entry](tenant.client).status == 200


def test_a_call_that_ends_leaves_its_place_however_it_ends(tenant: Tenant) -> None:
    """Refused inputs, a failure of the provider, an unknown action: as many calls as before may run
    afterwards.
    """
    tenant.limit(concurrent=1)
    for _ in range(3):
        assert tenant.client.post("/v1/invocations", say("say", "hall", text=1)).status == 422
        assert tenant.client.post("/v1/invocations", say("nothing", "hall")).status == 404
        assert (
            tenant.client.post(
                "/v1/invocations", say("say", "hall", text="x", fault="rejected")
            ).status
            >= 400
        )
    assert tenant.client.post("/v1/invocations", say("say", "hall", text="x")).status == 200


def test_other_workspaces_are_not_counted(stand: Stand, tenant: Tenant) -> None:
    """What one runs takes no other's place."""
    tenant.limit(concurrent=1)
    with held(tenant):
        assert stand.client().invoke("say", text="x").status == 200


def test_queued_calls_wait_for_a_place(tenant: Tenant) -> None:
    """A queued call is accepted while as many run as may, waits, and runs then."""
    tenant.limit(concurrent=1)
    with held(tenant):
        replies = [
            tenant.client.post(
                "/v1/invocations", say("say", "hall", text="x"), Prefer="respond-async"
            )
            for _ in range(3)
        ]
        assert [reply.status for reply in replies] == [202] * 3
        ids = [reply.json["invocationId"] for reply in replies]
        until(lambda: tenant.stand.host.storage.limits.free(tenant.name, 0, 14) == 0)
        assert {entry["status"] for entry in tenant.entries() if entry["invocationId"] in ids} == {
            "queued"
        }
    until(
        lambda: (
            {entry["status"] for entry in tenant.entries() if entry["invocationId"] in ids}
            == {"succeeded"}
        ),
        60,
    )


def _schedule(tenant: Tenant) -> Reply:
    given = {"name": "daily", "invocation": say("say", "hall", text="x"), "every": "24h"}
    assert tenant.client.post("/v1/schedules", given).status in (201, 409)
    return tenant.client.post("/v1/schedules/daily:run")


def _redrive(tenant: Tenant) -> Reply:
    found = [entry["invocationId"] for entry in tenant.entries() if entry["status"] == "failed"]
    if not found:
        tenant.limit(queued=None)
        found = [tenant.queue().json["invocationId"]]
        journal = tenant.stand.host.runtime(tenant.name).journal
        assert journal is not None
        give_up(journal, tenant.name, found[0])
        tenant.limit(queued=0)
    return tenant.client.post(f"/v1/invocations/{found[0]}/redrive")


QUEUES: dict[str, Callable[[Tenant], Reply]] = {
    "asynchronous": lambda tenant: tenant.queue(),
    "batch": lambda tenant: tenant.client.post(
        "/v1/invocations:batch", [tenant.later(), tenant.later(idempotencyKey="k-1")]
    ),
    "schedule run": _schedule,
    "redrive": _redrive,
}


@pytest.mark.parametrize("entry", QUEUES)
def test_what_is_queued_beyond_the_limit_is_429_on_every_way(tenant: Tenant, entry: str) -> None:
    """With no room nothing is queued; with room again the same request is accepted."""
    tenant.limit(queued=0)
    assert refused(QUEUES[entry](tenant), "queued")
    assert "queued" not in {entry["status"] for entry in tenant.entries()}
    tenant.limit(queued=2)
    assert QUEUES[entry](tenant).status == 202


def test_a_batch_fills_the_queue_to_its_limit(tenant: Tenant) -> None:
    """The first are queued, the rest are refused one by one; a key that is held takes no room."""
    tenant.limit(queued=3)
    assert (
        tenant.client.post(
            "/v1/invocations", tenant.later(idempotencyKey="k-0"), Prefer="respond-async"
        ).status
        == 202
    )
    bodies = [
        tenant.later(idempotencyKey=f"k-{number}") if number < 2 else tenant.later()
        for number in range(6)
    ]
    reply = tenant.client.post("/v1/invocations:batch", bodies)
    assert reply.status == 202
    found = [item.get("error", {}).get("code", item["status"]) for item in reply.json]
    assert found == ["queued", "queued", "queued", "rate_limited", "rate_limited", "rate_limited"]
    assert reply.json[0]["replayed"] is True
    assert sum(entry["status"] == "queued" for entry in tenant.entries()) == 3


def test_many_at_once_do_not_pass_the_limit(tenant: Tenant) -> None:
    """Requests that come together are counted one after the other: no more than the limit are
    queued.
    """
    tenant.limit(queued=5)
    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: tenant.queue().status, range(40)))
    assert (statuses.count(202), statuses.count(429)) == (5, 35)


def test_connections_beyond_the_limit_are_429_on_every_way(tenant: Tenant) -> None:
    """Created, connected by a person in a session that was begun before, or in one that begins: no
    further one is stored; a session that could not be finished can be when there is room.
    """
    tenant.limit(connections=3)
    begun = [tenant.begin().json for _ in range(3)]
    people = [
        Person(tenant.stand.port).go(one["url"]).begin().press("Continue", token="a-secret-token")
        for one in begun
    ]
    ends = [person.press("Connect").page for person in people]
    assert [end.status for end in ends if end is not None] == [200, 200, 429]
    assert refused(tenant.connect(), "connections")
    assert refused(tenant.begin(), "connections")
    assert len(tenant.client.get("/v1/connections").json["items"]) == 3
    tenant.limit(connections=4)
    again = people[2].press("Continue").press("Connect").page
    assert again is not None
    assert again.status == 200
    assert len(tenant.client.get("/v1/connections").json["items"]) == 4


def test_a_confirmed_session_keeps_its_proof_while_there_is_no_room(tenant: Tenant) -> None:
    """A platform that confirms gets 429, and confirms again with the same proof when there is
    room.
    """
    begun = tenant.begin(verify="confirm").json
    person = (
        Person(tenant.stand.port)
        .go(begun["url"])
        .begin()
        .press("Continue", token="a-secret-token")
        .press("Connect")
    )
    proof = person.onward().partition("proof=")[2]
    tenant.limit(connections=1)
    confirm = f"/v1/workspaces/{tenant.name}/connect-sessions/{begun['id']}:confirm"
    assert refused(tenant.platform.post(confirm, {"proof": proof, "user": "ada"}), "connections")
    tenant.limit(connections=2)
    done = tenant.platform.post(confirm, {"proof": proof, "user": "ada"})
    assert (done.status, done.json["status"]) == (200, "granted")


def _announced(client: Client, size: int) -> Reply:
    return client.call("POST", "/v1/files", b"x" * size, Content_Type="application/octet-stream")


def _chunked(client: Client, size: int) -> Reply:
    connection = http.client.HTTPConnection(client.host, client.port, timeout=120)
    headers = {
        "Authorization": f"Bearer {client.token}",
        "Content-Type": "application/octet-stream",
    }
    with closing(connection):
        pieces = (b"x" * min(65_536, size - start) for start in range(0, size, 65_536))
        connection.request("POST", "/v1/files", pieces, headers, encode_chunked=True)
        return Reply.read(connection.getresponse())


def _form(client: Client, size: int) -> Reply:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.bin"\r\n\r\n'
    body = head + b"x" * size + b"\r\n--b--\r\n"
    return client.call("POST", "/v1/files", body, Content_Type="multipart/form-data; boundary=b")


UPLOADS = {"announced": _announced, "chunked": _chunked, "form": _form}


@pytest.mark.parametrize("entry", UPLOADS)
@pytest.mark.parametrize("size", [11, 300_000])
def test_uploads_beyond_the_limit_are_429_and_store_nothing(
    tenant: Tenant, entry: str, size: int
) -> None:
    """The size counts, not only what is there already: one that does not fit is refused, one that
    fits exactly is stored.
    """
    tenant.limit(storageBytes=size - 1)
    assert refused(UPLOADS[entry](tenant.client, size), "storageBytes")
    assert tenant.client.get("/v1/files").json["items"] == []
    tenant.limit(storageBytes=size)
    assert UPLOADS[entry](tenant.client, size).status == 201
    assert refused(UPLOADS[entry](tenant.client, 1), "storageBytes")


def test_uploads_at_once_do_not_pass_the_limit(tenant: Tenant) -> None:
    """Of many that would fit alone, as many are stored as fit together."""
    tenant.limit(storageBytes=350)
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda _: _announced(tenant.client, 100).status, range(8)))
    assert (statuses.count(201), statuses.count(429)) == (3, 5)


def test_an_announced_upload_is_refused_before_its_body(tenant: Tenant) -> None:
    """Nobody has to send what will not be stored."""
    tenant.limit(storageBytes=1000)
    connection = http.client.HTTPConnection("127.0.0.1", tenant.stand.port, timeout=120)
    with closing(connection):
        connection.putrequest("POST", "/v1/files")
        for name, value in {
            "Authorization": f"Bearer {tenant.client.token}",
            "Content-Length": "100000000",
        }.items():
            connection.putheader(name, value)
        connection.endheaders()
        assert refused(Reply.read(connection.getresponse()), "storageBytes")


def test_a_full_queue_is_told_before_the_invocation_is_recorded(tenant: Tenant) -> None:
    """What is refused for a limit leaves no entry: a tenant at its limit writes nothing."""
    tenant.limit(queued=0)
    for _ in range(5):
        assert refused(tenant.queue(), "queued")
    assert tenant.entries() == []


def test_no_statement_is_made_for_a_read_within_limits(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that only reads begins and ends without any statement for the limits, which are in
    memory.
    """
    from jackfield_store.database.transaction import Transaction

    seen: list[str] = []
    call = say("say", "hall", text="x")
    tenant.limit(concurrent=5, queued=5, connections=5, storageBytes=1000, requestsPerSecond=1000)
    for _ in range(3):
        assert tenant.client.post("/v1/invocations", call).status == 200
    there = Transaction.execute

    def execute(self: Transaction, statement: str, *rest: Any) -> Any:
        # which looks at all workspaces now and then
        if threading.current_thread().name != "jackfield-lease":
            seen.append(statement)
        return there(self, statement, *rest)

    monkeypatch.setattr(Transaction, "execute", execute)
    for _ in range(3):
        assert tenant.client.post("/v1/invocations", call).status == 200
    tables = ("FROM file_usage", "FROM invocation_counts", "FROM connections", "FROM workspaces")
    assert [text for text in seen if any(table in text for table in tables)] == []


def _waiting(tenant: Tenant, token: Client, number: int) -> list[socket.socket]:
    """Readers that wait for events."""
    after = token.get("/v1/events").json["nextCursor"]
    found = []
    for _ in range(number):
        reader = socket.create_connection(("127.0.0.1", tenant.stand.port), timeout=120)
        head = (
            f"GET /v1/events?after={after}&wait=30 HTTP/1.1\r\nHost: a\r\nAuthorization: "
            f"Bearer {token.token}\r\n\r\n"
        )
        reader.sendall(head.encode())
        found.append(reader)
    return found


def _close(readers: list[socket.socket]) -> None:
    for reader in readers:
        reader.close()


def test_waiting_readers_have_a_budget_by_token_and_by_workspace(tenant: Tenant) -> None:
    """A token has some, the workspace has more, and others have their own; whoever stops waiting
    leaves a place.
    """
    requests = tenant.stand.host.requests
    tokens = [tenant.stand.client("read", tenant.name) for _ in range(3)]
    readers = [reader for token in tokens[:2] for reader in _waiting(tenant, token, TOKEN_READERS)]
    until(lambda: requests.readers(tenant.name) == READERS)
    after = tokens[0].get("/v1/events").json["nextCursor"]
    for token in tokens:
        assert refused(token.get(f"/v1/events?after={after}&wait=30"), "waitingReaders")
    assert tokens[2].get(f"/v1/events?after={after}").status == 200
    assert tenant.stand.client().get("/v1/events?wait=1").status == 200
    _close(readers)
    until(lambda: requests.readers(tenant.name) == 0)
    assert tokens[2].get(f"/v1/events?after={after}&wait=1").status == 200


def test_waiting_readers_are_no_requests_in_progress(tmp_path: Path) -> None:
    """As many wait as would fill the server; requests of others, and of the workspace itself, are
    served meanwhile.
    """
    with standing(tmp_path, replace(SETTINGS, concurrency=4)) as stand:
        tenant = Tenant(stand, "default", stand.client(), stand.client())
        readers = _waiting(tenant, tenant.client, 10)
        until(lambda: stand.host.requests.readers("default") == 10 and stand.host.running == 0)
        assert tenant.client.invoke("say", text="x").status == 200
        assert tenant.client.get("/v1/connections").status == 200
        _close(readers)
        until(lambda: stand.host.requests.readers("default") == 0 and stand.host.running == 0)


def test_no_workspace_holds_more_than_its_share_of_the_requests(tmp_path: Path) -> None:
    """One that takes what it can leaves places for another, and gets 429 beyond three quarters."""
    with (
        standing(tmp_path, replace(SETTINGS, concurrency=8)) as stand,
        ThreadPoolExecutor(8) as pool,
        Gatekeeper() as gate,
    ):
        stand.workspaces.create("other")
        client, other = stand.client(), stand.client(workspace="other")
        running = [
            pool.submit(client.invoke, "say", text="x", gate={"port": gate.port}) for _ in range(6)
        ]
        for _ in range(6):
            gate.wait()
        assert refused(client.invoke("say", text="x"), "requestsInProgress")
        assert refused(client.get("/v1/connections"), "requestsInProgress")
        assert other.invoke("say", text="x").status == 200
        gate.open()
        assert [one.result().status for one in running] == [200] * 6
        assert client.invoke("say", text="x").status == 200


def test_no_workspace_holds_more_than_its_share_of_the_connections(tmp_path: Path) -> None:
    """Connections of a token beyond three quarters are closed after a refusal, so that others can
    connect; each counts for whose token came last on it.
    """
    with standing(tmp_path, replace(SETTINGS, max_connections=8)) as stand:
        tenant = Tenant(stand, "default", stand.client(), stand.client())
        held = [http.client.HTTPConnection("127.0.0.1", stand.port, timeout=120) for _ in range(7)]
        replies = []
        for connection in held:
            connection.request(
                "GET", "/v1/connections", headers={"Authorization": f"Bearer {tenant.client.token}"}
            )
            replies.append(Reply.read(connection.getresponse()))
        assert [reply.status for reply in replies] == [200] * 6 + [429]
        assert (replies[6].headers["connection"], replies[6].json["limit"]) == (
            "close",
            "openConnections",
        )
        for connection in held:
            connection.close()
        until(lambda: tenant.client.get("/v1/connections").status == 200)


def test_bindings_of_dapr_are_counted_with_the_other_calls(tmp_path: Path) -> None:
    """A binding beyond the limit is 429 in Dapr's own format, and its caller may repeat it."""
    folder = tmp_path / "components"
    folder.mkdir()
    (folder / "outbox.yaml").write_text(component(), encoding="utf-8")
    with (
        FakeAws() as aws,
        standing(
            tmp_path, components=Components((str(folder),), "billing"), AWS_ENDPOINT_URL=aws.url
        ) as stand,
    ):
        workspaces = stand.workspaces
        request = {
            "operation": "create",
            "data": "<p>late</p>",
            "metadata": {"emailTo": "a@rcpt.test"},
        }
        workspaces.set("default", {"limits": {"concurrent": 0}})
        reply = Client(stand.port).post("/v1.0/bindings/outbox", request)
        assert (reply.status, reply.json["errorCode"]) == (429, "ERR_INVOKE_OUTPUT_BINDING")
        assert "'concurrent' of 0" in reply.json["message"]
        workspaces.set("default", {"limits": {"concurrent": 1}})
        assert Client(stand.port).post("/v1.0/bindings/outbox", request).status == 204
        assert len(aws.messages) == 1
