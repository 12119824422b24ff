"""One tool for each action: names, schemas, annotations, and what a call of it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import jsonschema
import jsonschema_rs
import pytest
from mcp import MCPError

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.callers import Authorizer, Rules
from jackfield.catalog import Catalog
from jackfield.manifest.manifest import Manifest
from jackfield_service.subjects.mcp.action_tools import action_tools, invocation_of
from mcp_talk import MODES, Server, called, remote, talked, tool_names
from plugboard import make_connector, plugged

DISCOVERY = [
    "search_actions",
    "get_action_guide",
    "list_connections",
    "read_events",
    "read_result",
    "execute_action",
]
AT_THE_TOP = {"allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$schema", "$id"}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """One server for all of them."""
    with standing(tmp_path_factory.mktemp("tools"), replace(SETTINGS, mcp_tools="all")) as found:
        yield found


@pytest.fixture(scope="module")
def client(stand: Stand) -> Client:
    """May do everything, and has two connections of the echo."""
    found = stand.client()
    for name in ("hall", "cellar"):
        assert (
            found.post(
                "/v1/connections",
                {"name": name, "type": "echo/token", "values": {"token": "t-4711"}},
            ).status
            == 201
        )
    return found


@pytest.fixture(scope="module")
def server(client: Client) -> Server:
    """The same for MCP."""
    return remote(client.port, client.token)


@pytest.fixture(scope="module")
def tools(server: Server) -> Mapping[str, Any]:
    """All tools by name, as the SDK's client reads them."""

    async def step(connected: Any) -> dict[str, Any]:
        return {tool.name: tool for tool in (await connected.list_tools()).tools}

    return talked(server, step)


def test_each_action_is_a_tool(tools: Mapping[str, Any]) -> None:
    """The five that find, read and run, then one for each action, by name."""
    actions = [
        *(f"aws-ses_{key}" for key in sorted(Catalog.installed().find("aws-ses").actions)),
        "echo_list",
        "echo_post",
        "echo_put",
        "echo_say",
        "echo_sayLater",
        "echo_wrong",
    ]
    listed = [name for name in tools if name.startswith(("aws-ses_", "echo_"))]
    assert [*tools][: len(DISCOVERY)] == [*DISCOVERY]
    assert listed == actions
    assert tools["echo_post"].title == "Echo: Post a Note"
    assert tools["echo_post"].description == "Post a note on the wall, where it stays: never twice."


@pytest.mark.parametrize(
    ("name", "hints"),
    [
        ("echo_say", (True, False, True, True)),
        ("echo_put", (False, True, True, True)),
        ("echo_post", (False, True, False, True)),
        ("execute_action", (False, True, False, True)),
        ("search_actions", (True, False, True, False)),
        ("get_action_guide", (True, False, True, False)),
        ("list_connections", (True, False, True, False)),
        ("read_events", (True, False, True, False)),
        ("read_result", (True, False, True, False)),
    ],
)
def test_annotations_are_those_of_the_effect(
    tools: Mapping[str, Any], name: str, hints: tuple[bool, ...]
) -> None:
    """Read only, destructive, idempotent, open world: the worst is said of what is not known to be
    harmless.
    """
    told = tools[name].annotations
    assert (
        told.read_only_hint,
        told.destructive_hint,
        told.idempotent_hint,
        told.open_world_hint,
    ) == hints


def test_schemas_are_good_for_models(tools: Mapping[str, Any]) -> None:
    """Each schema is one, an object at the top, without the rules there that providers of models
    refuse.
    """
    for tool in tools.values():
        for schema in (tool.input_schema, tool.output_schema or {"type": "object"}):
            jsonschema_rs.meta.validate(schema)
            assert schema["type"] == "object"
        assert not AT_THE_TOP & tool.input_schema.keys(), tool.name
        assert len(tool.description) <= 1024


def test_inputs_are_the_actions_own_and_ours(tools: Mapping[str, Any]) -> None:
    """The manifest's inputs, a connection, a key; what the connection may fill in is not
    required.
    """
    schema = tools["aws-ses_sendEmail"].input_schema
    assert {"connection", "idempotencyKey", "to", "subject", "attachments"} <= schema[
        "properties"
    ].keys()
    assert schema["required"] == ["subject"]
    assert tools["echo_put"].input_schema["required"] == ["key", "value"]
    output = tools["aws-ses_sendEmail"].output_schema["properties"]["output"]
    assert output["properties"]["MessageId"]["type"] == "string"


@pytest.mark.parametrize("mode", MODES)
def test_a_tool_runs_its_action(server: Server, mode: str) -> None:
    """The answer is the Result; a key replays it; the SDK's client finds it to fit the tool's
    ``outputSchema``.
    """
    given = {"text": "hello", "connection": "hall", "idempotencyKey": f"tool-{mode}"}
    first, again = (called(server, "echo_post", mode, **given) for _ in range(2))
    assert (first.is_error, first.structured_content["output"]["text"]) == (False, "hello")
    assert [found.structured_content["meta"]["replayed"] for found in (first, again)] == [
        False,
        True,
    ]
    assert "recorded Result" in again.content[0].text  # type: ignore[union-attr]


def test_faults_are_told_with_their_places(server: Server) -> None:
    """A pointer for each input; a connection that is missing is named as the invocation's."""
    found = called(server, "echo_say", text=5, times=0, connection="hall", nonsense=1)
    assert found.is_error
    assert {item["path"] for item in found.structured_content["error"]["details"]} == {
        "/text",
        "/times",
        "/nonsense",
    }
    missing = called(server, "echo_say", text="x").structured_content["error"]
    assert (missing["code"], missing["details"][0]["path"]) == ("invalid_invocation", "/connection")
    rule = called(
        server,
        "aws-ses_sendEmail",
        subject="x",
        sender="a@example.com",
        to="b@example.com",
        awsRegion="eu-west-1",
    )
    assert rule.is_error


def test_a_dry_run_is_said_to_be_one(server: Server) -> None:
    """Nothing was done, and the words say so."""
    found = called(
        server,
        "execute_action",
        connector="echo",
        action="post",
        connection="hall",
        inputs={"text": "x"},
        dryRun=True,
    )
    assert found.structured_content["meta"]["dryRun"]
    assert "Nothing was done" in found.content[0].text  # type: ignore[union-attr]


def test_many_faults_are_counted(server: Server) -> None:
    """Words name twenty faults; the structured content a hundred, and how many more."""
    given = {f"nonsense{number}": 1 for number in range(150)}
    found = called(server, "echo_say", connection="hall", text="x", **given)
    assert len(found.structured_content["error"]["details"]) == 101
    assert "and 81 more" in found.content[0].text  # type: ignore[union-attr]


def test_thousands_of_actions_come_page_by_page(tmp_path: Path) -> None:
    """Each once, by name, whatever their connectors are called."""
    keys = ("wide", "wide-b", "wide1")
    for key in keys:
        make_connector(tmp_path / "plugs", key, "", manifest(key, 150))
    make_connector(tmp_path / "plugs", "broken", "", {"manifestVersion": 99})
    with (
        plugged(tmp_path / "plugs"),
        standing(tmp_path, replace(SETTINGS, mcp_tools="all")) as stand,
    ):
        names = tool_names(remote(stand.port, stand.client().token))
    assert len(names) == len(set(names))
    assert names[len(DISCOVERY) :] == sorted(names[len(DISCOVERY) :])
    assert {name for name in names if name.startswith("wide")} == {
        f"{key}_act{number}" for key in keys for number in range(150)
    }


def test_a_tool_by_a_key_promises_no_repeat(tmp_path: Path) -> None:
    """It may be called without the key, and then takes effect twice."""
    for key, by in (("keyed", {"idempotentBy": "key"}), ("same", {})):
        make_connector(tmp_path / "plugs", key, "", manifest(key, 1, effect="idempotent", **by))

    async def step(connected: Any) -> dict[str, Any]:
        return {
            tool.name: tool.annotations.idempotent_hint
            for tool in (await connected.list_tools()).tools
        }

    with (
        plugged(tmp_path / "plugs"),
        standing(tmp_path, replace(SETTINGS, mcp_tools="all")) as stand,
    ):
        told = talked(remote(stand.port, stand.client().token), step)
    assert (told["keyed_act0"], told["same_act0"]) == (False, True)


def manifest(key: str, count: int, **action: Any) -> dict[str, Any]:
    """A connector of many alike actions."""
    usual = {"effect": "read", "inputs": {"type": "object"}, "output": {"type": "object"}}
    actions = [
        {"key": f"act{number}", "title": f"Act {number}", **usual, **action}
        for number in range(count)
    ]
    return {
        "manifestVersion": 1,
        "key": key,
        "title": key,
        "version": "1.0.0",
        "description": "",
        "connectionTypes": [],
        "actions": actions,
    }


def one(about: dict[str, Any]) -> Any:
    """A catalog of one connector."""
    only = Manifest.from_json(about)
    catalog = mock.MagicMock(spec=Catalog)
    catalog.__iter__.side_effect = lambda: iter([only.key])
    catalog.look.return_value, catalog.find.return_value = (None, only), only
    return catalog


def test_an_input_of_our_name_is_the_actions(tmp_path: Path) -> None:
    """An action with an input called ``connection`` keeps it; the runtime then finds the connection
    by itself.
    """
    inputs = {"type": "object", "properties": {"connection": {"type": "integer"}}}
    catalog = one(manifest("odd", 1, inputs=inputs))
    tool = next(action_tools(catalog))
    assert tool.input_schema["properties"]["connection"] == {"type": "integer"}
    found = invocation_of(catalog, "odd_act0", {"connection": 5, "idempotencyKey": "k"})
    assert found == {
        "connector": "odd",
        "action": "act0",
        "inputs": {"connection": 5},
        "idempotencyKey": "k",
    }


def test_definitions_of_an_output_are_found(tmp_path: Path) -> None:
    """References of an action's output lead somewhere in the tool's schema, too."""
    output = {
        "type": "object",
        "$defs": {"row": {"type": "string"}},
        "properties": {"rows": {"items": {"$ref": "#/$defs/row"}}},
    }
    tool = next(action_tools(one(manifest("odd", 1, output=output))))
    assert tool.output_schema is not None
    validator = jsonschema.Draft202012Validator(tool.output_schema)
    meta: dict[str, Any] = {}
    assert validator.is_valid({"status": "succeeded", "meta": meta, "output": {"rows": ["x"]}})
    assert not validator.is_valid({"status": "succeeded", "meta": meta, "output": {"rows": [5]}})


def test_a_bug_of_ours_is_not_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw is an error of the protocol without its words, which go to our log."""
    from jackfield_service.subjects.mcp import sdk_server as module

    def broken(*_given: object) -> Any:
        raise RuntimeError("a secret of the runtime")

    monkeypatch.setattr(module, "action_tools", broken)

    async def step(connected: Any) -> str:
        try:
            await connected.list_tools()
        except MCPError as error:
            return str(error)
        raise AssertionError

    for mode in MODES:
        assert "secret" not in talked(server, step, mode)
    assert "an unexpected RuntimeError" in caplog.text


def test_ten_thousand_connections_are_seen_as_few() -> None:
    """Rules that speak of connections are asked once for all that they cannot tell apart."""
    kinds = [
        {
            "key": "token",
            "title": "Token",
            "auth": "apiKey",
            "schema": {"type": "object"},
            "setup": "",
        }
    ]
    only = Manifest.from_json({**manifest("odd", 2), "connectionTypes": kinds})
    rows = tuple((f"c-{number}", "odd/token") for number in range(10_000))
    rules = Rules(
        ("connection:acme-*", "connection:@inline & odd/act1"),
        ("connection:@inline & effect:write", "connection:?", "nonsense:connection:"),
    )
    narrow = Authorizer(Rules(), rules, "invoke", lambda: rows)
    assert len(narrow._samples) == 1
    assert not narrow.sees_action(only, only.actions["act0"])
    assert not narrow.sees_connection("c-1", "odd/token", [only])
    wider = Authorizer(
        Rules(), Rules(rules.allow), "invoke", lambda: (*rows, ("acme-1", "odd/token"))
    )
    assert wider.sees_action(only, only.actions["act0"])
    assert wider.sees_connection("acme-1", "odd/token", [only])
    other = Authorizer(
        Rules(), Rules(rules.allow), "invoke", lambda: (*rows, ("acme-1", "other/token"))
    )
    assert not other.sees_action(only, only.actions["act0"])


def test_files_are_not_looked_for_where_nothing_takes_them(server: Server) -> None:
    """What names no known action is judged by the runtime, whatever its inputs name."""
    for connector, action in (("nope", "say"), ("echo", "nope")):
        given = {"connector": connector, "action": action, "inputs": {"x": {"file": "file_x"}}}
        found = called(server, "execute_action", **given)
        assert found.structured_content["error"]["code"] == (
            "unknown_connector" if connector == "nope" else "unknown_action"
        )
