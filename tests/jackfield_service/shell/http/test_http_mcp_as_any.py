"""A live MCP server behaves as any connector does: one test for each thing that people do with
connectors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.jackfield_service.subjects.connect.connect_browser import Person

from http_stand import Client, Stand, standing
from jackfield.callers import Rules
from jackfield.callers.actor import Actor
from jackfield_service.subjects.mcp.tool_names import named, tool_name
from jackfield_store.access.platform_tokens import PlatformTokens
from mcp_rig import Talk, ToolServer, said, serving, tool
from mcp_talk import message

KEY = "mcp.notes"


@dataclass
class Scene:
    """A server of jackfield's, the MCP server that it has as a connector for all workspaces, and a
    client that may do everything.
    """

    stand: Stand
    notes: ToolServer
    client: Client

    def call(
        self, client: Client | None = None, connection: str = "main", **more: Any
    ) -> dict[str, Any]:
        """Call the tool."""
        body = {
            "connector": KEY,
            "action": "addNote",
            "connection": connection,
            "inputs": {"text": "hello"},
            **more,
        }
        found: dict[str, Any] = (client or self.client).post("/v1/invocations", body).json
        return found

    @property
    def calls(self) -> int:
        """How often the tool was called."""
        return self.notes.count("tools/call")

    def ended(self, identifier: str) -> dict[str, Any]:
        """The entry of an invocation, once it has ended."""
        self.stand.host.runtime("default").wait(identifier, 60.0)
        return dict(self.client.get(f"/v1/invocations/{identifier}").json)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """One place for all."""
    read = tool("list_notes", annotations={"readOnlyHint": True})
    with (
        serving(ToolServer(tool(), read)) as notes,
        standing(tmp_path_factory.mktemp("any")) as stand,
    ):
        client = stand.client()
        made = client.post(
            "/v1/mcp-servers",
            {"name": "notes", "url": notes.url, "trust": "annotations", "shared": True},
        )
        assert made.status == 201, made.body
        assert (
            client.post(
                "/v1/connections", {"name": "main", "type": f"{KEY}/anonymous", "values": {}}
            ).status
            == 201
        )
        yield Scene(stand, notes, client)


@pytest.fixture
def scene(place: Scene) -> Scene:
    """The place, whose server answers each call again."""
    place.notes.on_call = lambda talk: talk.result(said("done"))
    return place


def journal(scene: Scene) -> None:
    """The entry has connector, version, action, effect and Result."""
    identifier = scene.call()["meta"]["invocationId"]
    entry = scene.client.get(f"/v1/invocations/{identifier}").json
    assert (entry["connector"], entry["action"], entry["status"]) == (KEY, "addNote", "succeeded")
    assert entry["connectorVersion"].startswith("1.0.1+")


def keys(scene: Scene) -> None:
    """The same key gives the recorded Result; another request under it is refused."""
    first, before = scene.call(idempotencyKey="note-1"), scene.calls
    again = scene.call(idempotencyKey="note-1")
    assert (again["meta"]["replayed"], again["output"], scene.calls) == (
        True,
        first["output"],
        before,
    )
    assert (
        scene.call(idempotencyKey="note-1", inputs={"text": "other"})["error"]["code"]
        == "idempotency_conflict"
    )


def in_doubt(scene: Scene) -> None:
    """An answer that is lost leaves a write in doubt and keeps its key; a person resolves it."""
    scene.notes.on_call = Talk.hang_up
    before = scene.calls
    found = scene.call(idempotencyKey="note-2")
    assert (found["status"], scene.calls) == ("in_doubt", before + 1)
    assert (scene.call(idempotencyKey="note-2")["status"], scene.calls) == ("in_doubt", before + 1)
    place = f"/v1/invocations/{found['meta']['invocationId']}"
    assert scene.client.post(f"{place}/resolve", {"as": "failed"}).status == 200
    assert scene.client.get(place).json["status"] == "failed"


def reads(scene: Scene) -> None:
    """What the operator trusts to read is repeated, and told apart by its effect."""
    answers: list[Callable[[Talk], object]] = [Talk.hang_up, lambda talk: talk.result(said("done"))]

    def answered(talk: Talk) -> object:
        return answers.pop(0)(talk)

    scene.notes.on_call = answered
    before = scene.calls
    assert (scene.call(action="listNotes")["status"], scene.calls) == ("succeeded", before + 2)


def rules(scene: Scene) -> None:
    """By key, pattern and effect."""
    reader = scene.stand.client(rules=Rules(allow=("effect:read",)))
    assert scene.call(reader, action="listNotes")["status"] == "succeeded"
    for client in (reader, scene.stand.client(rules=Rules(block=("mcp.*/*",)))):
        assert scene.call(client)["error"]["code"] in (
            "not_allowed",
            "unknown_connector",
            "unknown_action",
        )


def approvals(scene: Scene) -> None:
    """A call waits, and is made once it is approved."""
    asker, approver = (
        scene.stand.client("invoke", rules=Rules(approve=(f"{KEY}/*",))),
        scene.stand.client("approve"),
    )
    before = scene.calls
    waiting = scene.call(asker)
    assert (waiting["status"], scene.calls) == ("waiting", before)
    identifier = waiting["meta"]["invocationId"]
    assert approver.get(f"/v1/approvals/{identifier}").json["inputs"] == {"text": "hello"}
    assert approver.post(f"/v1/approvals/{identifier}:approve", {}).status == 200
    assert (scene.ended(identifier)["status"], scene.calls) == ("succeeded", before + 1)


def events(scene: Scene) -> None:
    """Its end is an event."""
    identifier = scene.call(context={"notify": True})["meta"]["invocationId"]
    found = scene.client.get("/v1/events?types=invocation.*&limit=200").json["items"]
    assert KEY in {
        row["data"]["connector"] for row in found if row["data"]["invocationId"] == identifier
    }


def queue(scene: Scene) -> None:
    """A worker makes the call."""
    body = {
        "connector": KEY,
        "action": "addNote",
        "connection": "main",
        "inputs": {"text": "later"},
    }
    queued = scene.client.post("/v1/invocations", body, Prefer="respond-async")
    assert queued.status == 202
    assert scene.ended(queued.json["invocationId"])["status"] == "succeeded"


def schedules(scene: Scene) -> None:
    """A slot makes the call; a schedule of a tool that does not exist is refused."""
    call = {"connector": KEY, "action": "addNote", "connection": "main", "inputs": {"text": "slot"}}
    assert (
        scene.client.post(
            "/v1/schedules", {"name": "nightly", "every": "24h", "invocation": call}
        ).status
        == 201
    )
    run = scene.client.post("/v1/schedules/nightly:run", {})
    assert scene.ended(run.json["invocationId"])["status"] == "succeeded"
    assert (
        scene.client.post(
            "/v1/schedules", {"name": "x", "every": "24h", "invocation": {**call, "action": "x"}}
        ).status
        == 404
    )


def customers(scene: Scene) -> None:
    """A customer of a platform connects the server that the operator shares, by a connect session;
    the tenant's calls go over it.
    """
    storage = scene.stand.host.storage
    made = PlatformTokens(
        storage.database, storage.vault, scene.stand.host.clock, Actor("cli", "ada")
    ).create("acme-*", "The Shop")
    platform, base = Client(scene.stand.port, made.text), "/v1/workspaces/acme-1"
    assert platform.call("PUT", base, {}).status == 201
    begun = platform.post(
        f"{base}/connect-sessions",
        {
            "user": "ada",
            "returnTo": "https://shop.example/",
            "types": [f"{KEY}/bearer"],
            "connection": "notes",
        },
    )
    assert begun.status == 201, begun.body
    ada = Person(scene.stand.port).go(begun.json["url"])
    ada.begin()
    ada.press("Continue", token="secret-of-ada")
    ada.press("Connect")
    proof = parse_qs(urlsplit(ada.onward()).query)["proof"][0]
    assert (
        platform.post(
            f"{base}/connect-sessions/{begun.json['id']}:confirm", {"proof": proof, "user": "ada"}
        ).status
        == 200
    )
    tenant = Client(
        scene.stand.port, platform.post(f"{base}/tokens", {"scope": "invoke"}).json["token"]
    )
    assert scene.call(tenant, connection="notes")["status"] == "succeeded"
    assert scene.notes.requests[-1][1]["Authorization"] == "Bearer secret-of-ada"
    assert scene.call(connection="notes")["error"]["code"] == "unknown_connection"


def guides(scene: Scene) -> None:
    """Lists, search, schema and guide have its action."""
    assert KEY in {row["key"] for row in scene.client.get("/v1/connectors?limit=200").json["items"]}
    assert scene.client.get(f"/v1/connectors/{KEY}/actions/addNote/schema").json["required"] == [
        "text"
    ]
    assert (KEY, "addNote") in {
        (row["connector"], row["action"])
        for row in scene.client.get("/v1/actions?q=add+note").json["items"]
    }
    found = scene.client.get(f"/v1/actions?connector={KEY}&effect=read").json["items"]
    assert [row["action"] for row in found] == ["listNotes"]


def over_mcp(scene: Scene) -> None:
    """An MCP client finds it and calls it; the server's words stand where those of third parties
    do.
    """
    found = scene.client.post(
        "/mcp", message("tools/call", name="search_actions", arguments={"query": "add note"})
    )
    assert KEY in json.dumps(found.json)
    arguments = {
        "connector": KEY,
        "action": "addNote",
        "connection": "main",
        "inputs": {"text": "over mcp"},
    }
    called = scene.client.post(
        "/mcp", message("tools/call", name="execute_action", arguments=arguments)
    )
    assert "done" in json.dumps(called.json), called.body


def tools(scene: Scene) -> None:
    """A tool of its own has a name that clients take, and leads back to the action."""
    catalog = scene.stand.host.runtime("default").catalog.for_audience("mcp")
    name = tool_name(KEY, "addNote")
    found = named(catalog, name)
    assert found is not None
    assert (name, found[0], found[1].key) == ("mcp_notes_addNote", KEY, "addNote")


def dry_runs(scene: Scene) -> None:
    """A dry run sends nothing, and wrong inputs are refused before anything is sent."""
    before = scene.calls
    assert scene.call(dryRun=True)["meta"]["dryRun"] is True
    assert scene.call(inputs={"words": "x"})["error"]["code"] == "invalid_input"
    assert scene.calls == before


def connections(scene: Scene) -> None:
    """A test lists the tools and calls none; a name on an internal address is refused to those who
    are not let.
    """
    tested = scene.client.post("/v1/connections/main/test").json
    assert [(step["key"], step["passed"]) for step in tested["lastTest"]["steps"]] == [
        ("session", True),
        ("tools", True),
    ]
    assert "mcp.notes/oauth2Discovered" in {
        row["type"] for row in scene.client.get("/v1/connection-types?limit=200").json["items"]
    }


CASES: tuple[Callable[[Scene], None], ...] = (
    journal,
    keys,
    in_doubt,
    reads,
    rules,
    approvals,
    events,
    queue,
    schedules,
    customers,
    guides,
    over_mcp,
    tools,
    dry_runs,
    connections,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_as_any_connector(scene: Scene, case: Callable[[Scene], None]) -> None:
    """Each case says its own sentence."""
    case(scene)


def test_what_was_approved_is_what_was_accepted(tmp_path: Path) -> None:
    """A call that waits does not reach a tool that was accepted anew since: it is cancelled, and
    nothing is sent.
    """
    with serving(ToolServer()) as notes, standing(tmp_path) as stand:
        client = stand.client()
        client.post("/v1/mcp-servers", {"name": "notes", "url": notes.url})
        client.post("/v1/connections", {"name": "main", "type": f"{KEY}/anonymous", "values": {}})
        scene = Scene(stand, notes, client)
        waiting = scene.call(stand.client("invoke", rules=Rules(approve=(f"{KEY}/*",))))["meta"][
            "invocationId"
        ]
        notes.tools = [tool(description="Other words.")]
        assert client.post("/v1/mcp-servers/notes:accept", {}).json["version"] == 2
        decided = stand.client("approve").post(f"/v1/approvals/{waiting}:approve", {})
        assert (
            decided.status,
            "the version of the connector has changed" in decided.json["detail"],
        ) == (409, True)
        assert (client.get(f"/v1/invocations/{waiting}").json["status"], scene.calls) == (
            "failed",
            0,
        )
