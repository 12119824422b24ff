"""A connection type may serve some actions only, and waive inputs: declared in the manifest, kept
by the pipe.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.catalog import Catalog
from jackfield.manifest.manifest import Manifest
from jackfield.manifest.reading import ManifestError
from plugboard import make_connector, plugged

SOURCE = '''
from typing import ClassVar

from jackfield.connector import ConnectionType, Connector, Field, Inputs, Output, Serves


class Door(ConnectionType):
    """The front door."""

    key: ClassVar[str] = "door"
    title: ClassVar[str] = "Door"

    room: str | None = Field(None, title="Room")

    def open(self, context):
        return "door"


class Hatch(Door):
    """A hatch, through which things are passed."""

    key: ClassVar[str] = "hatch"
    title: ClassVar[str] = "Hatch"
    serves: ClassVar[Serves | None] = Serves(("pass",), "a hatch is too small to look through")
    waives: ClassVar[tuple[str, ...]] = ("room", "colour")


class Thing(Inputs):
    """What goes through, and whereto."""

    room: str | None = Field(title="Room", from_connection="room", schema={"minLength": 2})
    what: str = Field(title="What")


class Seen(Output):
    """What was seen."""

    text: str = Field(title="Text", description="What was seen.")


connector = Connector("house", title="House", version="1.0.0", connections=[Door, Hatch])


@connector.action("pass", effect="write")
def pass_on(thing: Thing, client: str) -> Seen:
    """Pass a thing on."""
    return Seen(text=f"{thing.what} to {thing.room} by {client}")


@connector.action("look", effect="read")
def look(thing: Thing, client: str) -> Seen:
    """Look into a room."""
    return Seen(text=f"{thing.what} in {thing.room}")
'''
CONNECTIONS = {
    "front": {"type": "house/door", "values": {}},
    "small": {"type": "house/hatch", "values": {}},
}


def _invoke(
    folder: Path, connections: dict[str, Any], action: str, **invocation: Any
) -> dict[str, Any]:
    make_connector(folder, "house", SOURCE)
    with (
        plugged(folder),
        Jackfield(
            connections=[connections], catalog=Catalog.installed(), database_url="none"
        ) as jackfield,
    ):
        return jackfield.invoke({"connector": "house", "action": action, **invocation}).to_json()


def test_the_manifest_says_both(tmp_path: Path) -> None:
    """What the author declares stands in connector.json, and only where it is declared."""
    package = make_connector(tmp_path, "house", SOURCE)
    door, hatch = json.loads((package / "connector.json").read_text(encoding="utf-8"))[
        "connectionTypes"
    ]
    assert not {"serves", "waives"} & set(door)
    assert hatch["serves"] == {
        "actions": ["pass"],
        "reason": "a hatch is too small to look through",
    }
    assert hatch["waives"] == ["room", "colour"]
    kinds = Manifest.from_json(
        json.loads((package / "connector.json").read_text(encoding="utf-8"))
    ).connection_types
    assert [kinds[key].can_serve("look") for key in ("door", "hatch")] == [True, False]


@pytest.mark.parametrize(
    "wrong",
    [
        {"waives": "room"},
        {"waives": [1]},
        {"serves": []},
        {"serves": {"actions": "pass", "reason": "x"}},
        {"serves": {"actions": ["pass"]}},
        {"serves": {"actions": ["pass"], "reason": ""}},
    ],
)
def test_a_manifest_of_another_shape_is_refused(wrong: dict[str, Any]) -> None:
    """The fault names the connection type."""
    kind = {
        "key": "hatch",
        "title": "Hatch",
        "description": "",
        "auth": "custom",
        "schema": {"type": "object"},
        "setup": "",
        **wrong,
    }
    with pytest.raises(ManifestError, match="'hatch'"):
        Manifest.from_json(
            {"manifestVersion": 1, "key": "house", "version": "1.0.0", "connectionTypes": [kind]}
        )


def test_a_waived_input_may_be_left_out(tmp_path: Path) -> None:
    """Over the hatch no room is needed: the action gets None."""
    result = _invoke(tmp_path, CONNECTIONS, "pass", connection="small", inputs={"what": "tea"})
    assert result["output"] == {"text": "tea to None by door"}


def test_a_waived_input_is_passed_on_and_judged_where_it_is_given(tmp_path: Path) -> None:
    """Given, it is an input as any other."""
    assert _invoke(
        tmp_path, CONNECTIONS, "pass", connection="small", inputs={"what": "tea", "room": "study"}
    )["output"] == {"text": "tea to study by door"}
    refused = _invoke(
        tmp_path / "again", CONNECTIONS, "pass", connection="small", inputs={"room": "x"}
    )
    assert [detail["path"] for detail in refused["error"]["details"]] == ["/room", "/what"]


def test_a_connections_own_value_still_fills_in(tmp_path: Path) -> None:
    """What is not needed may be there all the same."""
    connections = {"small": {"type": "house/hatch", "values": {"room": "attic"}}}
    assert _invoke(tmp_path, connections, "pass", inputs={"what": "tea"})["output"] == {
        "text": "tea to attic by door"
    }


def test_over_other_types_it_is_required(tmp_path: Path) -> None:
    """Nothing changes for the other connection types."""
    result = _invoke(tmp_path, CONNECTIONS, "pass", connection="front", inputs={"what": "tea"})
    assert [detail["path"] for detail in result["error"]["details"]] == ["/room"]


@pytest.mark.parametrize("connection", ["small", {"type": "hatch", "values": {}}])
def test_a_type_is_refused_where_it_cannot_serve(tmp_path: Path, connection: Any) -> None:
    """The reason is the author's, the hint names the types that can; nothing was begun."""
    result = _invoke(
        tmp_path,
        CONNECTIONS,
        "look",
        connection=connection,
        inputs={"what": "tea", "room": "study"},
    )
    assert result["error"]["code"] == "invalid_connection"
    assert result["error"]["message"] == (
        "connections of the type 'house/hatch' cannot serve 'look': a hatch is too small "
        "to look through"
    )
    assert result["error"]["hint"] == "Use a connection of the type house/door."
    assert result["meta"]["attempts"] == 0


def test_the_only_one_that_can_serve_is_the_only_one(tmp_path: Path) -> None:
    """Without a name the connection that can serve the action is used, and the other is not
    counted.
    """
    result = _invoke(tmp_path, CONNECTIONS, "look", inputs={"what": "tea", "room": "study"})
    assert result["output"] == {"text": "tea in study"}


def test_the_only_one_there_is_is_refused_with_the_reason(tmp_path: Path) -> None:
    """A workspace with nothing but a hatch hears why it will not do."""
    result = _invoke(
        tmp_path, {"small": CONNECTIONS["small"]}, "look", inputs={"what": "tea", "room": "study"}
    )
    assert "too small to look through" in result["error"]["message"]
