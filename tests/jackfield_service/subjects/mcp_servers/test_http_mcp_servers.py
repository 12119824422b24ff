"""``/v1/mcp-servers``: MCP servers as connectors of a workspace, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from http_stand import Client, Stand, say, standing
from jackfield.callers import Rules
from mcp_rig import ToolServer, serving, tool


@pytest.fixture
def notes() -> Iterator[ToolServer]:
    """A server with one tool."""
    with serving(ToolServer(ttl=0)) as server:
        yield server


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A server of its own, which reaches this machine as it is a local one."""
    with standing(tmp_path) as found:
        yield found


def call(client: Client, connection: str = "main") -> dict[str, object]:
    """Call the tool."""
    body = {
        "connector": "mcp.notes",
        "action": "addNote",
        "connection": connection,
        "inputs": {"text": "hello"},
    }
    found: dict[str, object] = client.post("/v1/invocations", body).json
    return found


def test_a_server_is_added_called_reviewed_and_removed(stand: Stand, notes: ToolServer) -> None:
    """Its connector is in the lists, its actions are found, and a review's digests are what is
    accepted.
    """
    client = stand.client()
    made = client.post(
        "/v1/mcp-servers",
        {"name": "notes", "url": notes.url, "headers": {"Authorization": "Bearer s-4711"}},
    )
    assert (made.status, made.headers["location"], made.json["actions"]) == (
        201,
        "/v1/mcp-servers/notes",
        1,
    )
    assert b"s-4711" not in made.body
    assert client.post("/v1/mcp-servers", {"name": "notes", "url": notes.url}).status == 409
    assert (
        client.post(
            "/v1/connections", {"name": "main", "type": "mcp.notes/anonymous", "values": {}}
        ).status
        == 201
    )
    assert call(client)["status"] == "succeeded"
    assert "mcp.notes" in {
        row["key"] for row in client.get("/v1/connectors?limit=200").json["items"]
    }
    assert client.get("/v1/connectors/mcp.notes").json["key"] == "mcp.notes"
    assert client.get("/v1/connectors/mcp.notes/actions/addNote/schema").json["required"] == [
        "text"
    ]
    assert [
        row["connector"]
        for row in client.get("/v1/actions?q=add+note&connector=mcp.notes").json["items"]
    ] == ["mcp.notes"]
    assert "mcp.notes/anonymous" in {
        row["type"] for row in client.get("/v1/connection-types?limit=200").json["items"]
    }
    overlay = {"actions": {"add_note": {"effect": "read"}}}
    assert client.post("/v1/mcp-servers/notes:overlay", overlay).json["tools"][0]["overlay"] == {
        "effect": "read"
    }
    assert client.get("/v1/connectors/mcp.notes").json["actions"][0]["effect"] == "read"
    assert (
        client.post("/v1/mcp-servers/notes:overlay", {"actions": {"add_note": {}}}).json["version"]
        == 3
    )
    bad: list[tuple[object, int]] = [
        ({}, 400),
        ({"add_note": 1}, 400),
        ({"add_note": {"effect": ["read"]}}, 400),
        ({"add_note": {"pagination": {"items": {}}}}, 400),
        ({"other": {}}, 404),
    ]
    for wrong, status in bad:
        answer = client.post("/v1/mcp-servers/notes:overlay", {"actions": wrong})
        assert answer.status == status, wrong
    notes.tools[0]["title"] = "Other"
    # lists the tools anew
    client.post("/v1/connections", {"name": "other", "type": "mcp.notes/anonymous", "values": {}})
    assert call(client, "other")["error"]["code"] == "not_allowed"  # type: ignore[index]
    review = client.get("/v1/mcp-servers/notes/review").json
    assert [row["members"] for row in review["changed"]] == [["title"]]
    tools = {row["tool"]: row["digest"] for row in review["changed"]}
    assert (
        client.post(
            "/v1/mcp-servers/notes:accept", {"tools": dict.fromkeys(tools, "sha256:0")}
        ).status
        == 409
    )
    assert client.post("/v1/mcp-servers/notes:accept", {"tools": tools}).json["version"] == 4
    assert call(client, "other")["status"] == "succeeded"
    assert client.call("DELETE", "/v1/mcp-servers/notes").status == 409
    assert {
        client.call("DELETE", f"/v1/connections/{name}").status for name in ("main", "other")
    } == {204}
    assert client.call("DELETE", "/v1/mcp-servers/notes").json == {"removed": "notes"}
    assert client.get("/v1/mcp-servers/notes").status == 404
    assert client.get("/v1/connectors/mcp.notes").status == 404


def test_what_is_missing_is_shown(stand: Stand, notes: ToolServer) -> None:
    """Tools that were left out stay in what is shown, and so do the notes of others; where none is
    left, the reasons come first.
    """
    client = stand.client()
    odd = tool(
        "odd",
        inputSchema={"type": "object", "properties": {"x": {"type": "string", "pattern": "("}}},
    )
    twice = {
        "type": "object",
        "properties": {name: {"type": "string", "x-mcp-header": "H"} for name in "ab"},
    }
    notes.tools += [odd, tool("none", inputSchema=twice)]
    made = client.post("/v1/mcp-servers", {"name": "notes", "url": notes.url}).json
    shown = client.get("/v1/mcp-servers/notes").json
    assert (
        [row["tool"] for row in shown["leftOut"]]
        == [row["tool"] for row in made["leftOut"]]
        == ["none"]
    )
    assert {row["tool"]: len(row.get("notes", ())) for row in shown["tools"]} == {
        "add_note": 0,
        "odd": 1,
    }
    notes.tools = notes.tools[2:]
    assert [
        row["tool"] for row in client.post("/v1/mcp-servers/notes:accept", {}).json["leftOut"]
    ] == ["none"]
    refused = client.post("/v1/mcp-servers", {"name": "none", "url": notes.url})
    assert (
        refused.status,
        "'none' is left out: it names the header field" in refused.json["detail"],
    ) == (422, True)


def test_tenants_see_their_own_alone(stand: Stand, notes: ToolServer) -> None:
    """A tenant adds none unless the operator lets it; it sees no other's; a token with rules
    manages none and sees what it may.
    """
    client = stand.client()
    tenant = stand.client(workspace="acme")
    client.post("/v1/mcp-servers", {"name": "notes", "url": notes.url})
    assert (
        tenant.post(
            "/v1/mcp-servers", {"name": "mine", "url": "https://mcp.example.com/mcp"}
        ).status
        == 403
    )
    assert tenant.get("/v1/mcp-servers").json["items"] == []
    assert (
        tenant.post(
            "/v1/mcp-servers/notes:overlay", {"actions": {"add_note": {"effect": "read"}}}
        ).status
        == 404
    )
    assert {
        answer.status
        for answer in (tenant.get("/v1/mcp-servers/notes"), tenant.get("/v1/connectors/mcp.notes"))
    } == {404}
    assert "mcp.notes" not in {
        row["key"] for row in tenant.get("/v1/connectors?limit=200").json["items"]
    }
    ruled = stand.client(rules=Rules(allow=("mcp.notes/*",)))
    assert ruled.get("/v1/mcp-servers").status == 403
    assert [row["key"] for row in ruled.get("/v1/connectors").json["items"]] == ["mcp.notes"]
    assert [row["action"] for row in ruled.get("/v1/actions?q=note").json["items"]] == ["addNote"]
    blind = stand.client(rules=Rules(allow=("echo/*",)))
    assert "mcp.notes" not in {
        row["key"] for row in blind.get("/v1/connectors?limit=200").json["items"]
    }
    assert blind.get("/v1/actions?q=add+note&connector=mcp.notes").json["items"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "Notes!", "url": "https://mcp.example.com/mcp"}, 400),
        ({"name": "notes", "url": "http://mcp.example.com/mcp"}, 403),
        ({"name": "notes", "url": "stdio:server"}, 422),
        ({"name": "notes"}, 400),
        ({"name": "notes", "url": "https://mcp.example.com/mcp", "headers": {}}, 400),
        ({"name": "notes", "url": "https://mcp.example.com/mcp", "headers": {"X-Key": ""}}, 400),
        ({"name": "notes", "url": "https://mcp.example.com/mcp", "title": 7}, 400),
        ({"name": "notes", "url": "https://mcp.example.com/mcp", "trust": None}, 400),
        ({"name": "notes", "url": "https://mcp.example.com/mcp", "shared": "yes"}, 400),
    ],
)
def test_wrong_servers(stand: Stand, body: dict[str, object], status: int) -> None:
    """Each fault has its status, and nothing is stored."""
    client = stand.client()
    assert client.post("/v1/mcp-servers", body).status == status
    assert client.get("/v1/mcp-servers").json["items"] == []


def test_the_corpus_of_other_calls_is_not_touched(stand: Stand) -> None:
    """Without any server, all is as before."""
    client = stand.client()
    assert client.post("/v1/invocations", say("say", text="hi")).json["status"] in (
        "succeeded",
        "failed",
    )


def test_the_document_of_the_client(stand: Stand) -> None:
    """Providers read it without a token; there is none without a public address, whatever the
    request says.
    """
    client, at = Client(stand.port, None), "/oauth2/client-metadata.json"
    assert client.get(at, Host="evil.example.com").status in (403, 404)
    for url in ("http://jackfield.example.com", "https://10.1.2.3", "https://localhost"):
        stand.host.storage.shared.take("publicUrl", url)
        assert client.get(at).status == 404
    stand.host.storage.shared.take("publicUrl", "https://jackfield.example.com/panel")
    found = client.get(at)
    assert (found.status, found.json["client_id"]) == (
        200,
        f"https://jackfield.example.com/panel{at}",
    )
    assert found.json["redirect_uris"] == ["https://jackfield.example.com/panel/oauth2/callback"]
