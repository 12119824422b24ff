"""Pins of tools: what has no order in a schema has none in its digest, whatever else changes is a
change, and older pins still hold.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from jackfield.callers.actor import Actor
from jackfield.catalog import Catalog
from jackfield.kernel.canonical import canonical
from jackfield_mcp.pins import MEMBERS
from jackfield_store.management.mcp_servers import ServerWish, asked, mcp_servers
from jackfield_store.runtime import Jackfield
from mcp_rig import ToolServer, call, generate, installed, said, serving, stage, tool

TEXT = {"type": "string"}
BOTH = {"a": TEXT, "b": TEXT}
SETS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "required": (
        {"properties": BOTH, "required": ["b", "a"]},
        {"properties": BOTH, "required": ["a", "b"]},
    ),
    "a name twice": (
        {"properties": BOTH, "required": ["b", "a", "b"]},
        {"properties": BOTH, "required": ["a", "b"]},
    ),
    "types": (
        {"properties": {"a": {"type": ["string", "null"]}}},
        {"properties": {"a": {"type": ["null", "string"]}}},
    ),
    "deeper": (
        {"properties": {"x": {"items": {"anyOf": [{"required": ["b", "a"]}]}}}},
        {"properties": {"x": {"items": {"anyOf": [{"required": ["a", "b"]}]}}}},
    ),
    "of a definition": (
        {"$defs": {"default": {"required": ["b", "a"]}}},
        {"$defs": {"default": {"required": ["a", "b"]}}},
    ),
    "of an input with a keyword's name": (
        {"properties": {"enum": {"required": ["b", "a"]}, "required": {"required": ["b", "a"]}}},
        {"properties": {"enum": {"required": ["a", "b"]}, "required": {"required": ["a", "b"]}}},
    ),
    "what another needs": (
        {"dependentRequired": {"a": ["c", "b"]}},
        {"dependentRequired": {"a": ["b", "c"]}},
    ),
    "in older words": ({"dependencies": {"a": ["c", "b"]}}, {"dependencies": {"a": ["b", "c"]}}),
    "members": ({"properties": {"b": TEXT, "a": TEXT}}, {"properties": BOTH}),
}
ORDERS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "choices": (
        {"properties": {"a": {"enum": ["b", "a"]}}},
        {"properties": {"a": {"enum": ["a", "b"]}}},
    ),
    "a default": (
        {"properties": {"a": {"default": {"type": ["b", "a"]}}}},
        {"properties": {"a": {"default": {"type": ["a", "b"]}}}},
    ),
    "a constant": (
        {"properties": {"a": {"const": ["b", "a"]}}},
        {"properties": {"a": {"const": ["a", "b"]}}},
    ),
    "a tuple": (
        {"properties": {"a": {"prefixItems": [TEXT, {}]}}},
        {"properties": {"a": {"prefixItems": [{}, TEXT]}}},
    ),
    "one name less": (
        {"properties": BOTH, "required": ["b", "a"]},
        {"properties": BOTH, "required": ["a"]},
    ),
}


def _schema(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", **schema}


def _inputs() -> dict[str, Any]:
    return {"inputs": {"a": "x", "b": "y"}}


@pytest.mark.parametrize("member", ["inputSchema", "outputSchema"])
@pytest.mark.parametrize("name", SETS)
def test_sets_have_no_order(tmp_path: Path, name: str, member: str) -> None:
    """A server that lists them in another order has the same tool."""
    accepted, now = SETS[name]
    server = ToolServer(tool() | {"inputSchema": {}, member: _schema(accepted)})
    server.on_call = lambda talk: talk.result(said("done", structuredContent={}))
    with stage(tmp_path, server) as jackfield:
        server.tools[0][member] = _schema(now)
        result = call(jackfield, inputs={})
    assert result.error is None or result.error.code == "invalid_input", result.error


@pytest.mark.parametrize("name", ORDERS)
def test_orders_count(tmp_path: Path, name: str) -> None:
    """What is shown or sent in an order is changed by another one, and so is a set by another
    member: nothing is called.
    """
    accepted, now = ORDERS[name]
    server = ToolServer(tool(inputSchema=_schema(accepted)))
    with stage(tmp_path, server) as jackfield:
        server.tools[0]["inputSchema"] = _schema(now)
        error = call(jackfield, **_inputs() if "required" in accepted else {"inputs": {}}).error
    assert (error.code, server.count("tools/call"), "inputSchema" in error.message) == (
        "not_allowed",
        0,
        True,
    )


def test_a_server_that_shuffles(tmp_path: Path) -> None:
    """Each list has another order: each call runs."""
    names = ["a", "b", "c", "d"]
    schema = _schema({"properties": dict.fromkeys(names, TEXT), "required": names})
    server = ToolServer(tool(inputSchema=schema), ttl=1)

    def shuffled(*_: object) -> bool:
        names.append(names.pop(0))
        return False

    server.before = shuffled
    clock = FakeClock()
    with stage(tmp_path, server, clock=clock) as jackfield:
        listed = server.count("tools/list")
        for number in range(4):
            assert call(jackfield, inputs=dict.fromkeys("abcd", str(number))).status == "succeeded"
            clock.advance(400)
    assert server.count("tools/list") == listed + 4


def _pinned_earlier(manifest: dict[str, Any], one: dict[str, Any]) -> None:
    """Give the only action of a manifest the digests that were made before sets were sorted."""
    members = {name: one[name] for name in MEMBERS if name in one}
    hashed = {
        name: hashlib.sha256(b"".join(canonical(value))).hexdigest()
        for name, value in [*members.items(), ("", members)]
    }
    about = manifest["actions"][0]["mcp"]
    older = f"sha256:{hashed.pop('')}"
    assert about["digest"] != older
    about.update(digest=older, parts={name: value[:16] for name, value in hashed.items()})


def test_an_older_pin(tmp_path: Path) -> None:
    """It holds while the order is the one that was accepted; a change of another member is
    located.
    """
    server = ToolServer(tool(inputSchema=_schema({"properties": BOTH, "required": ["b", "a"]})))
    with serving(server):
        generate(tmp_path, server.url)
        place = next((tmp_path / "made").glob("*/connector.json"))
        manifest = json.loads(place.read_bytes())
        _pinned_earlier(manifest, server.tools[0])
        place.write_text(json.dumps(manifest))
        clock = FakeClock()
        with installed(tmp_path, clock=clock) as jackfield:
            assert call(jackfield, **_inputs()).status == "succeeded"
            server.tools[0]["description"] = "Adds another note."
            clock.advance(400)
            message = call(jackfield, **_inputs()).error.message
    assert message.endswith("since it was accepted: description")
    assert server.count("tools/call") == 1


def test_an_older_pin_of_a_live_server(tmp_path: Path) -> None:
    """A review sees no change in it, and keeps it; what is accepted anew is pinned anew."""
    environment = {"JACKFIELD_HOME": str(tmp_path)}
    url = f"sqlite:///{tmp_path}/jackfield.db"
    with (
        serving(
            ToolServer(tool(inputSchema=_schema({"properties": BOTH, "required": ["b", "a"]})))
        ) as server,
        Jackfield(
            database_url=url,
            environment=environment,
            catalog=Catalog.installed(environment=environment),
        ) as jackfield,
    ):
        wish, managed = (
            ServerWish("notes", server.url),
            mcp_servers(jackfield, Actor("cli", "ada"), "operator"),
        )
        found = asked(wish, None)
        now = found.manifest["actions"][0]["mcp"]["digest"]
        _pinned_earlier(found.manifest, server.tools[0])
        older = managed.add(wish, found)["tools"][0]["digest"]
        assert managed.review("notes")["changed"] == []
        assert managed.accept("notes")["tools"][0]["digest"] == older != now
        server.tools[0]["inputSchema"]["required"] = ["a", "b"]
        assert [(row["members"], row["digest"]) for row in managed.review("notes")["changed"]] == [
            (["inputSchema"], now)
        ]
        assert managed.accept("notes")["tools"][0]["digest"] == now
        server.tools[0]["inputSchema"]["required"] = ["b", "a"]
        assert managed.review("notes")["changed"] == []
