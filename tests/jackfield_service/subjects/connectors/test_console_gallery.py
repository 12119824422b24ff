"""What a workspace uses comes first: connectors, actions and connection types; and all can be
searched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.shell.pages.console_client import Client, Place, placed

from plugboard import declare

INLINE = {"type": "token", "values": {"token": "t"}}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A host with the echo, a mail connector and a shop, whose connection types are both called
    "Token".
    """
    for key, category in (("mail", "messages"), ("shop", "payments"), ("till", "payments")):
        _put(tmp_path / "site", key, category)
    with placed(tmp_path) as found:
        yield found


def _put(site: Path, key: str, category: str) -> None:
    declare(site, f"jackfield-{key}", "jackfield.connectors", {key: f"jackfield_{key}:http"})
    (site / f"jackfield_{key}").mkdir()
    schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"token": {"type": "string"}},
    }
    bearer, get = (
        {"credentials": [{"kind": "bearer", "scheme": "s"}]},
        {"method": "GET", "path": "/x", "security": [["s"]]},
    )
    kind = {
        "key": "token",
        "title": "Token",
        "description": "A token.",
        "auth": "bearer",
        "schema": schema,
        "http": bearer,
    }
    actions = [
        {"key": name, "title": name.title(), "description": "Acts.", "http": get}
        for name in ("create", "list", "remove")
    ]
    raw = {
        "manifestVersion": 1,
        "key": key,
        "title": key.title(),
        "version": "1",
        "description": f"A {key}.",
        "categories": [category],
    }
    whole = {
        **raw,
        "connectionTypes": [kind],
        "actions": actions,
        "servers": [{"url": "https://a.example"}],
    }
    (site / f"jackfield_{key}" / "connector.json").write_text(json.dumps(whole), encoding="utf-8")


@pytest.fixture
def client(place: Place) -> Client:
    """Somebody who is signed in."""
    return place.signed_in()


def _cards(client: Client, path: str) -> list[str]:
    return re.findall(
        r'class="whole"[^>]*>([^<]+)</a>', client.get(path).text.partition("<main")[2]
    )


def test_m3_connectors_in_use_come_first_and_the_others_by_category(
    place: Place, client: Client
) -> None:
    """M3: a connector that is called or has a connection is above the others, which can be narrowed
    to a category.
    """
    assert "In use" not in client.get("/connectors").words
    runtime = place.host.runtime("default")
    runtime.connections.add("till-1", "till/token", {"token": "t"}, test=False)
    runtime.invoke(
        {"connector": "echo", "action": "say", "connection": INLINE, "inputs": {"text": "Hi"}}
    )
    shown = client.get("/connectors").text
    in_use, _, others = shown.partition("All others")
    assert (">Echo</a>" in in_use, ">Till</a>" in in_use, ">Mail</a>" in in_use) == (
        True,
        True,
        False,
    )
    assert (">Mail</a>" in others, ">Shop</a>" in others, ">Till</a>" in others) == (
        True,
        True,
        False,
    )
    narrowed = client.get("/connectors?category=payments").text.partition("All others")[2]
    assert (">Shop</a>" in narrowed, ">Mail</a>" in narrowed) == (True, False)


def test_actions_that_are_used_come_first(place: Place, client: Client) -> None:
    """The actions that this workspace has called are on top of the connector's list."""
    keys = re.findall(r'href="/connectors/echo/actions/(\w+)"', client.get("/connectors/echo").text)
    assert keys[-1] != keys[0] != "put"
    call = {"connector": "echo", "action": keys[-1], "connection": INLINE, "inputs": {}}
    place.host.runtime("default").invoke(call)
    assert (
        re.findall(r'href="/connectors/echo/actions/(\w+)"', client.get("/connectors/echo").text)[0]
        == keys[-1]
    )


def test_m3_connection_types_are_searched_named_and_those_in_use_first(
    place: Place, client: Client
) -> None:
    """M3: a card names its connector, for many types are called "Token"; a search narrows them; the
    types in use come first.
    """
    assert {"Mail: Token", "Shop: Token", "Till: Token"} <= set(_cards(client, "/new-connection"))
    assert _cards(client, "/new-connection?q=sho") == ["Shop: Token"]
    assert "No system matches." in client.get("/new-connection?q=nothing").words
    place.host.runtime("default").connections.add(
        "till-1", "till/token", {"token": "t"}, test=False
    )
    assert _cards(client, "/new-connection")[0] == "Till: Token"
    assert "<html" not in client.get("/new-connection?q=till", **{"hx-request": "true"}).text
