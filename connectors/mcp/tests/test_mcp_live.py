"""Live MCP servers: connectors of a workspace, whose tools are called as they were accepted, or not
at all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from jackfield.callers import LIBRARY, Caller, Rules
from jackfield.callers.actor import Actor
from jackfield.catalog import Catalog
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.errors import (
    InvalidInput,
    InvalidInvocation,
    JackfieldError,
    NotAllowed,
    UnknownConnector,
)
from jackfield.wire.guard import Guard
from jackfield_store.access import Audit, Workspaces
from jackfield_store.management.mcp_servers import (
    McpServers,
    ServerInUse,
    ServerTaken,
    ServerWish,
    mcp_servers,
)
from jackfield_store.resources.storage import Storage
from jackfield_store.runtime import Jackfield
from mcp_rig import Talk, ToolServer, serving, tool

pytest_plugins = ["postgres"]
ADA = Actor("cli", "ada")
KEY = "mcp.notes"


@contextmanager
def runtime(
    folder: Path, workspace: str = "default", url: str | None = None
) -> Iterator[Jackfield]:
    """A runtime of a workspace over a database in the folder."""
    environment = {"JACKFIELD_HOME": str(folder)}
    database = url or f"sqlite:///{folder}/jackfield.db"
    with Jackfield(
        workspace,
        database_url=database,
        environment=environment,
        catalog=Catalog.installed(environment=environment),
    ) as made:
        yield made


def servers(jackfield: Jackfield) -> McpServers:
    """Its MCP servers, as the operator manages them."""
    return mcp_servers(jackfield, ADA, "operator")


def tenant(folder: Path, name: str = "acme") -> None:
    """Create another workspace."""
    with Storage(
        f"sqlite:///{folder}/jackfield.db", {"JACKFIELD_HOME": str(folder)}, SystemClock()
    ) as storage:
        Workspaces(storage.database, storage.vault, SystemClock(), ADA).create(name)


def call(
    jackfield: Jackfield, action: str = "addNote", caller: Caller = LIBRARY, **more: Any
) -> Any:
    """Invoke an action."""
    return jackfield.invoke(
        {"connector": KEY, "action": action, "inputs": {"text": "hello"}, **more}, caller=caller
    )


@pytest.fixture
def notes() -> Iterator[ToolServer]:
    """A server with one tool."""
    with serving(ToolServer(ttl=0)) as server:
        yield server


@pytest.fixture
def jackfield(tmp_path: Path, notes: ToolServer) -> Iterator[Jackfield]:
    """A runtime that has the server, and a connection to it."""
    with runtime(tmp_path) as made:
        servers(made).add(ServerWish("notes", notes.url))
        made.connections.add("main", f"{KEY}/anonymous", {})
        yield made


def test_a_server_is_a_connector_at_once(tmp_path: Path, notes: ToolServer) -> None:
    """A process that runs sees it with the next call; the call is in the journal like any other."""
    with runtime(tmp_path) as one, runtime(tmp_path) as two:
        assert call(one).error.code == "unknown_connector"
        made = servers(two).add(ServerWish("notes", notes.url, title="Our notes"))
        assert (made["connector"], made["actions"], made["version"], made["trust"]) == (
            KEY,
            1,
            1,
            "none",
        )
        one.connections.add("main", f"{KEY}/anonymous", {})
        assert call(one, connection="main").unwrap() == {
            "content": [{"type": "text", "text": "done"}]
        }
        entry = one.journal_of().entries(connector=KEY)[0][0]
        assert (entry.action, entry.status) == ("addNote", "succeeded")
        assert one.catalog.find(KEY).title == "Our notes"
        assert KEY in list(one.catalog)
        assert [row["action"] for row in one.search("add note", connector=KEY)] == ["addNote"]


def test_a_changed_tool_is_refused_until_it_is_accepted(
    jackfield: Jackfield, notes: ToolServer
) -> None:
    """Nothing is sent to it; the review shows what has changed; accepting one tool leaves the
    others.
    """
    assert call(jackfield).status == "succeeded"
    notes.tools[0]["description"] = "Add a note. And send it to everybody."
    notes.tools.append(tool("drop_note"))
    with runtime(Path(jackfield.storage.environment["JACKFIELD_HOME"])) as fresh:
        before = notes.count("tools/call")
        refused = call(fresh)
        assert (refused.error.code, notes.count("tools/call")) == ("not_allowed", before)
        assert "description" in refused.error.message
        assert "notes" in refused.error.hint
        review = servers(fresh).review("notes")
        assert [(row["tool"], row["members"]) for row in review["changed"]] == [
            ("add_note", ["description"])
        ]
        assert review["changed"][0]["description"]["is"].endswith("to everybody.")
        assert ([row["tool"] for row in review["new"]], review["gone"]) == (["drop_note"], [])
        with pytest.raises(ServerInUse, match="not the reviewed one"):
            servers(fresh).accept("notes", digests={"add_note": "sha256:0"})
        shown = servers(fresh).accept("notes", ["add_note"])
        assert (shown["version"], [row["tool"] for row in shown["tools"]]) == (2, ["add_note"])
        assert call(fresh).status == "succeeded"
        assert call(fresh, "dropNote").error.code == "unknown_action"
        servers(fresh).accept("notes")
        assert call(fresh, "dropNote").status == "succeeded"
    assert call(jackfield, "dropNote").status == "succeeded"


def test_a_tool_that_is_gone_is_dropped_on_acceptance(
    jackfield: Jackfield, notes: ToolServer
) -> None:
    """Its key stays free of others: a tool of another name that would get it gets a number."""
    notes.tools = [tool("addNote")]
    review = servers(jackfield).review("notes")
    assert ([row["tool"] for row in review["new"]], [row["tool"] for row in review["gone"]]) == (
        ["addNote"],
        ["add_note"],
    )
    assert review["new"][0]["action"] == "addNote2"
    assert [row["tool"] for row in servers(jackfield).accept("notes")["tools"]] == ["addNote"]
    assert call(jackfield).error.code == "unknown_action"
    assert servers(jackfield).accept("notes")["version"] == 2


def test_other_workspaces_neither_see_nor_call_it(
    tmp_path: Path, jackfield: Jackfield, notes: ToolServer
) -> None:
    """Not by name, in lists, by search, nor by a connection of its type; unless it is shared."""
    tenant(tmp_path)
    with runtime(tmp_path, "acme") as other:
        assert (
            call(other, connection={"type": f"{KEY}/anonymous", "values": {}}).error.code
            == "unknown_connector"
        )
        assert KEY not in list(other.catalog)
        assert other.search("add note", connector=KEY) == []
        with pytest.raises(JackfieldError):
            other.connections.add("main", f"{KEY}/anonymous", {})
        for step in (
            servers(other).show,
            servers(other).review,
            servers(other).accept,
            servers(other).remove,
        ):
            with pytest.raises(InvalidInvocation, match="no MCP server is named"):
                step("notes")
        assert servers(other).page() == ([], None)
        servers(jackfield).add(ServerWish("shop", notes.url, shared=True))
        other.connections.add("shop", "mcp.shop/anonymous", {})
        assert (
            other.invoke(
                {"connector": "mcp.shop", "action": "addNote", "inputs": {"text": "x"}}
            ).status
            == "succeeded"
        )
        assert [row["name"] for row in servers(other).page()[0]] == ["shop"]
        with pytest.raises(NotAllowed, match="operator"):
            servers(other).accept("shop")
        with pytest.raises(ServerTaken):
            servers(other).add(ServerWish("shop", notes.url))
        with pytest.raises(NotAllowed):
            servers(other).add(ServerWish("all", notes.url, shared=True))
        with pytest.raises(ServerInUse, match="acme/shop"):
            servers(jackfield).remove("shop")


def test_a_connection_never_goes_to_another_server(jackfield: Jackfield, notes: ToolServer) -> None:
    """A server with connections is not removed, so that one of the same name never gets their
    credentials.
    """
    with pytest.raises(ServerInUse, match="main"):
        servers(jackfield).remove("notes")
    jackfield.connections.remove("main")
    assert servers(jackfield).remove("notes") == {"removed": "notes"}
    assert call(jackfield).error.code == "unknown_connector"
    with pytest.raises(UnknownConnector):
        jackfield.catalog.find(KEY)
    servers(jackfield).add(ServerWish("notes", notes.url))
    storage = jackfield.storage
    audit = Audit(storage.database, lambda: storage.vault, "default", jackfield.clock)
    events = [entry.to_json()["event"] for entry in audit.list()[0]]
    assert [one for one in reversed(events) if one.startswith("mcp_server")] == [
        "mcp_server.created",
        "mcp_server.removed",
        "mcp_server.created",
    ]


def test_rules_and_approvals_apply(jackfield: Jackfield) -> None:
    """As to any connector: by its key, a pattern, and the effect."""
    for rules in (
        Rules(block=("mcp.*/*",)),
        Rules(block=(f"{KEY}/addNote",)),
        Rules(allow=("effect:read",)),
        Rules(allow=("echo/*",)),
    ):
        found = call(jackfield, caller=Caller("eve", rules=rules, remote=True))
        assert found.error.code in ("not_allowed", "unknown_connector")
    assert (
        call(
            jackfield, caller=Caller("eve", rules=Rules(approve=(f"{KEY}/*",)), remote=True)
        ).status
        == "waiting"
    )
    assert (
        call(jackfield, caller=Caller("eve", rules=Rules(allow=(f"{KEY}/*",)), remote=True)).status
        == "succeeded"
    )


def test_a_changed_row_is_refused(jackfield: Jackfield) -> None:
    """Who writes to the database sends no credentials elsewhere."""
    with jackfield.storage.database.write() as transaction:
        transaction.change(
            "UPDATE mcp_servers SET url = 'https://evil.example.com/mcp', version = version + 1", {}
        )
    assert call(jackfield).error.code == "unknown_connector"
    assert jackfield.catalog.look(KEY)[0].error is not None
    with pytest.raises(UnknownConnector, match="changed in the database"):
        servers(jackfield).show("notes")


def test_one_that_wants_a_sign_in(tmp_path: Path, notes: ToolServer) -> None:
    """It is stored without tools; they are accepted over a connection."""

    def refuses(talk: Talk) -> bool:
        if is_stranger := talk.headers.get("Authorization") != "Bearer secret-4711":
            talk.json({}, 401)
        return is_stranger

    notes.before = refuses
    with runtime(tmp_path) as made:
        added = servers(made).add(ServerWish("notes", notes.url))
        assert (added["needsSignIn"], added["actions"]) == (True, 0)
        assert next(iter(made.catalog.find(KEY).connection_types)) == "oauth2Discovered"
        made.connections.add("main", f"{KEY}/bearer", {"token": "secret-4711"})
        with pytest.raises(InvalidInvocation, match="sign in"):
            servers(made).accept("notes")
        assert servers(made).accept("notes", connection="main")["actions"] == 1
        assert call(made).status == "succeeded"


@pytest.mark.parametrize(
    ("wish", "error"),
    [
        (ServerWish("Notes", "https://mcp.example.com/mcp"), InvalidInvocation),
        (ServerWish("notes", "npx server"), JackfieldError),
        (ServerWish("notes", "https://mcp.example.com/mcp", trust="all"), InvalidInvocation),
        (ServerWish("notes", "http://127.0.0.1:9/mcp"), JackfieldError),
    ],
)
def test_wrong_wishes(tmp_path: Path, wish: ServerWish, error: type[Exception]) -> None:
    """What is not valid, or cannot be reached, is told; nothing is stored."""
    with runtime(tmp_path) as made:
        with pytest.raises(error):
            servers(made).add(wish)
        assert servers(made).page() == ([], None)


def test_tenants_add_public_servers_only_where_they_may(tmp_path: Path, notes: ToolServer) -> None:
    """The setting of the operator decides; even then no internal address, and no plain http."""
    tenant(tmp_path)
    with runtime(tmp_path, "acme") as made:
        remote = mcp_servers(made, ADA, "remote", Guard())
        with pytest.raises(NotAllowed, match="may not add"):
            remote.add(ServerWish("notes", "https://mcp.example.com/mcp"))
    with Jackfield(
        "acme",
        database_url=f"sqlite:///{tmp_path}/jackfield.db",
        catalog=Catalog.installed(environment={"JACKFIELD_HOME": str(tmp_path)}),
        environment={"JACKFIELD_HOME": str(tmp_path), "JACKFIELD_MCP_SERVERS": "workspaces"},
    ) as made:
        remote = mcp_servers(made, ADA, "remote", Guard())
        for url in (notes.url, "http://mcp.example.com/mcp", "https://169.254.169.254/mcp"):
            with pytest.raises(NotAllowed, match="public https"):
                remote.add(ServerWish("notes", url))
    assert notes.requests == []


def test_many_accept_at_once(jackfield: Jackfield, notes: ToolServer) -> None:
    """One of them wins; the version counts each change once."""
    notes.tools[0]["description"] = "Other words."
    outcomes: list[object] = []

    def accept() -> None:
        try:
            outcomes.append(servers(jackfield).accept("notes")["version"])
        except ServerInUse:
            outcomes.append("again")

    threads = [threading.Thread(target=accept) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (servers(jackfield).show("notes")["version"], set(outcomes) <= {2, "again"}) == (2, True)


def effects(jackfield: Jackfield) -> dict[str, str]:
    """Effects of the server's actions, as callers see them."""
    return {key: action.effect for key, action in jackfield.catalog.find(KEY).actions.items()}


def test_what_the_operator_says_beats_the_server(jackfield: Jackfield, notes: ToolServer) -> None:
    """An effect decides what is repeated at once, stays when the tool is accepted anew, and can be
    taken back; the server is not asked.
    """
    answers: list[Any] = [Talk.hang_up, lambda talk: talk.result({"content": []})]

    def answer(talk: Talk) -> None:
        answers.pop(0)(talk)

    notes.on_call = answer
    asked = len(notes.requests)
    shown = servers(jackfield).overlay("notes", {"add_note": {"effect": "read"}})
    assert (shown["version"], shown["tools"][0]["effect"], shown["tools"][0]["overlay"]) == (
        2,
        "read",
        {"effect": "read"},
    )
    assert (len(notes.requests), effects(jackfield)) == (asked, {"addNote": "read"})
    assert (call(jackfield).status, answers) == ("succeeded", [])
    notes.tools[0]["description"] = "Other words."
    review = servers(jackfield).review("notes")
    assert [(row["members"], row["effect"]) for row in review["changed"]] == [
        (["description"], "read")
    ]
    servers(jackfield).accept("notes")
    assert effects(jackfield) == {"addNote": "read"}
    assert servers(jackfield).overlay("notes", {"addNote": {"effect": "read"}})["version"] == 3
    taken = servers(jackfield).overlay("notes", {"addNote": {"effect": None}})
    assert ("overlay" in taken["tools"][0], effects(jackfield)) == (False, {"addNote": "write"})
    storage = jackfield.storage
    audit = Audit(storage.database, lambda: storage.vault, "default", jackfield.clock)
    assert "'overlaid': {'addNote': {'effect': 'read'}}" in str(
        [entry.to_json() for entry in audit.list()[0]]
    )


def test_a_key_that_the_tool_has_lost_makes_nothing_safe(
    jackfield: Jackfield, notes: ToolServer
) -> None:
    """The overlay stays, and comes back with the input; until then a call is a write again."""
    inputs = notes.tools[0]["inputSchema"]
    with_key = {**inputs, "properties": {**inputs["properties"], "requestId": {"type": "string"}}}
    notes.tools = [tool(inputSchema=with_key)]
    servers(jackfield).accept("notes")
    servers(jackfield).overlay(
        "notes", {"add_note": {"effect": "idempotent", "idempotencyKey": "requestId"}}
    )
    assert call(jackfield, idempotencyKey="note-17").status == "succeeded"
    assert notes.requests[-1][0]["params"]["arguments"]["requestId"] == "note-17"
    notes.tools = [tool()]
    servers(jackfield).accept("notes")
    assert effects(jackfield) == {"addNote": "write"}
    notes.tools = [tool(inputSchema=with_key)]
    servers(jackfield).accept("notes")
    assert effects(jackfield) == {"addNote": "idempotent"}


PAGES = {
    "tokenInput": "text",
    "tokenOutput": "structuredContent.next",
    "items": "structuredContent.items",
}
WRONG: dict[str, dict[str, Any]] = {
    "an unknown member": {"add_note": {"title": "Mine"}},
    "an unknown effect": {"add_note": {"effect": "safe"}},
    "an input that is none": {"add_note": {"effect": "idempotent", "idempotencyKey": "key"}},
    "a write with pages": {"add_note": {"pagination": PAGES}},
    "pages outside of the content": {
        "add_note": {"effect": "read", "pagination": {**PAGES, "items": "items"}}
    },
    "pages that are none": {"add_note": {"effect": "read", "pagination": {"tokenInput": 1}}},
    "an unknown tool": {"other": {"effect": "read"}},
}


@pytest.mark.parametrize("name", WRONG)
def test_an_overlay_that_is_refused(jackfield: Jackfield, name: str) -> None:
    """Nothing changes."""
    with pytest.raises((InvalidInput, InvalidInvocation)):
        servers(jackfield).overlay("notes", WRONG[name])
    assert (servers(jackfield).show("notes")["version"], effects(jackfield)) == (
        1,
        {"addNote": "write"},
    )


def test_resources_are_an_action(jackfield: Jackfield, notes: ToolServer) -> None:
    """It is accepted like a tool, and reads one resource; a tool of the same key keeps its own."""
    notes.capabilities["resources"] = {}
    notes.tools.append(tool("read_resource"))
    review = servers(jackfield).review("notes")
    expected = {
        "read_resource": "readResource",
        "resources/list": "listResources",
        "resources/read": "readResource2",
    }
    assert {row["tool"]: row["action"] for row in review["new"]} == expected
    assert effects(jackfield) == {"addNote": "write"}
    servers(jackfield).accept("notes", ["resources/read"])
    assert effects(jackfield) == {"addNote": "write", "readResource2": "read"}
    contents = [{"uri": "notes://1", "mimeType": "text/plain", "text": "hello", "_meta": {"x": 1}}]
    notes.on_other = lambda talk: talk.result({"contents": contents})
    read = jackfield.invoke(
        {"connector": KEY, "action": "readResource2", "inputs": {"uri": "notes://1"}}
    )
    assert read.unwrap() == {
        "contents": [{"uri": "notes://1", "mimeType": "text/plain", "text": "hello"}]
    }
    assert notes.requests[-1][1]["Mcp-Name"] == "notes://1"
    notes.on_other = lambda talk: talk.error(-32002, "no such resource")
    missing = jackfield.invoke(
        {"connector": KEY, "action": "readResource2", "inputs": {"uri": "notes://2"}}
    )
    assert missing.error is not None
    assert missing.error.code == "not_found"
    with pytest.raises(InvalidInput, match="whatever anybody says"):
        servers(jackfield).overlay("notes", {"readResource2": {"effect": "write"}})
