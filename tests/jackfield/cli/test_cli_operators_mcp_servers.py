"""``jackfield mcp-servers``, on SQLite and PostgreSQL: from a URL to a journalled call, and from a
changed tool to an accepted one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from mcp_rig import ToolServer, serving, tool
from plugboard import declare
from shell import Shell

pytest_plugins = ["shell_fixture", "postgres", "operating", "warm"]
pytestmark = [pytest.mark.usefixtures("warm_python"), pytest.mark.above_sql]


@pytest.fixture(autouse=True)
def shown(operator: Shell) -> None:
    """The shell hides all packages but the echo; this one is for MCP servers."""
    declare(
        operator.plugs,
        "jackfield-mcp-shown",
        "jackfield.bindings",
        {"mcp.live": "jackfield_mcp.live:LIVE"},
    )


@pytest.fixture
def notes() -> Iterator[ToolServer]:
    """A server with one tool, whose list is never fresh for long."""
    with serving(ToolServer(ttl=0)) as server:
        yield server


def test_from_a_url_to_a_call(operator: Shell, notes: ToolServer) -> None:
    """Three commands; a changed tool is refused, reviewed and accepted; another workspace has no
    such connector.
    """
    made = operator.run("mcp-servers", "add", "notes", notes.url).json
    assert (made["connector"], [row["tool"] for row in made["tools"]]) == (
        "mcp.notes",
        ["add_note"],
    )
    assert (
        operator.run(
            "connections",
            "add",
            "main",
            "--type",
            "mcp.notes/anonymous",
            "--values",
            "-",
            stdin="{}",
        ).code
        == 0
    )
    call = ("invoke", "mcp.notes", "addNote", "--connection", "main", "text=hello")
    assert operator.run(*call).json["output"]["content"][0]["text"] == "done"
    assert operator.run("invocations", "list").json[0]["connector"] == "mcp.notes"
    assert operator.run("schema", "mcp.notes", "addNote").json["required"] == ["text"]
    assert operator.run("connectors", "show", "mcp.notes").json["servers"] == [{"url": notes.url}]
    assert "addNote" in operator.run("search", "add", "note").out
    assert "mcp.notes" in {row["key"] for row in operator.run("connectors", "list").json}
    said = operator.run("mcp-servers", "overlay", "notes", "--effect", "add_note=idempotent").json
    assert (
        said["tools"][0]["effect"],
        operator.run("search", "note", "--effect", "idempotent").json[0]["action"],
    ) == (
        "idempotent",
        "addNote",
    )
    file = ("mcp-servers", "overlay", "notes", "--file", "-")
    assert operator.run(*file, stdin='{"actions": {"addNote": {"toolError": "inDoubt"}}}').json[
        "tools"
    ][0]["overlay"] == {
        "effect": "idempotent",
        "toolError": "inDoubt",
    }
    assert (
        operator.run("mcp-servers", "overlay", "notes", "--effect", "add_note=default").json[
            "tools"
        ][0]["effect"]
        == "write"
    )
    for words in (("--effect", "add_note=safe"), ("--effect", "other=read"), ()):
        assert operator.run("mcp-servers", "overlay", "notes", *words).code == 2
    assert operator.run(*file, stdin='{"addNote": {}}').code == 2
    notes.tools = [tool(description="Other words.")]
    refused = operator.run(*call)
    assert (refused.code, "mcp-servers review notes" in refused.json["error"]["hint"]) == (2, True)
    assert [
        row["members"] for row in operator.run("mcp-servers", "review", "notes").json["changed"]
    ] == [["description"]]
    assert operator.run("mcp-servers", "accept", "notes", "add_note").json["version"] == 5
    assert operator.run(*call).code == 0
    operator.run("workspaces", "create", "acme")
    assert operator.run("mcp-servers", "list", "--workspace", "acme").json == []
    assert operator.run(*call, "--workspace", "acme").code == 2
    assert "mcp.notes" not in {
        row["key"] for row in operator.run("connectors", "list", "--workspace", "acme").json
    }
    assert operator.run("connectors", "show", "mcp.notes", "--workspace", "acme").code == 2
    assert operator.run("mcp-servers", "remove", "notes").code == 2
    assert operator.run("connections", "remove", "main").code == 0
    assert operator.run("mcp-servers", "remove", "notes").json == {"removed": "notes"}
    assert operator.run("mcp-servers", "list").json == []
    assert operator.run("db", "check").code == 0


def test_a_credential_is_not_kept(operator: Shell, notes: ToolServer) -> None:
    """It goes to the server, and into no row; words that are none exit with 2."""
    operator.set(NOTES_TOKEN="secret-4711")
    made = operator.run(
        "mcp-servers",
        "add",
        "notes",
        notes.url,
        "--token-env",
        "NOTES_TOKEN",
        "--trust",
        "annotations",
        "--shared",
    ).json
    assert {headers["Authorization"] for _, headers in notes.requests} == {"Bearer secret-4711"}
    assert (made["shared"], made["trust"], "secret-4711" in json.dumps(made)) == (
        True,
        "annotations",
        False,
    )
    operator.run("workspaces", "create", "acme")
    assert [
        row["inherited"] for row in operator.run("mcp-servers", "list", "--workspace", "acme").json
    ] == [True]
    for words in (
        ("add", "x", "npx"),
        ("add", "x", notes.url, "--token-env", "UNSET"),
        ("add", "x", notes.url, "--header-env", "X"),
        ("show", "x"),
    ):
        assert operator.run("mcp-servers", *words).code == 2
