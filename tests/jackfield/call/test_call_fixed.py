"""A value of the connection that decides: no input replaces it, whatever the surface, the form of
the inputs and the kind of connector.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.catalog import Catalog
from plugboard import make_connector, plugged

SOURCE = '''"""A house with rooms."""

from typing import ClassVar

from jackfield.connector import Connector, ConnectionType, Field, Inputs, OpenContext, Output


class Door(ConnectionType):
    """A door, perhaps to one room only."""

    key: ClassVar[str] = "door"
    title: ClassVar[str] = "Door"
    room: str | None = Field(None, title="Room", trim=True)

    def open(self, context: OpenContext) -> str:
        return "door"


class Thing(Inputs):
    """Thing, and the room."""

    room: str | None = Field(None, title="Room", from_connection="room", fixed=True, trim=True, lowercase=True, blank="absent")


class Seen(Output):
    """Room in which something was seen."""

    text: str = Field(description="The room.")


connector = Connector("house", title="House", version="1.0.0", connections=[Door])


@connector.action("look", effect="read")
def look(thing: Thing, client: str) -> Seen:
    """Look into a room."""
    return Seen(text=str(thing.room))
'''


@pytest.mark.parametrize(
    ("own", "given", "seen"),
    [
        ("hall", {}, "hall"),
        ("hall", {"room": "hall"}, "hall"),
        ("hall", {"room": "  HALL "}, "hall"),
        ("hall", {"room": ""}, "hall"),
        ("hall", {"room": None}, "hall"),
        ("hall", {"room": "attic"}, None),
        ("hall", {"Room": "attic"}, None),
        ({"$env": "ROOM"}, {"room": "hall"}, "hall"),
        ({"$env": "ROOM"}, {"room": "attic"}, None),
        (None, {"room": "attic"}, "attic"),
        (None, {}, "None"),
    ],
)
def test_an_input_does_not_replace_what_the_connection_decides(
    tmp_path: Path, own: Any, given: dict[str, Any], seen: str | None
) -> None:
    """The same value counts as none given; another is refused at its place, and the message does
    not tell the connection's.
    """
    make_connector(tmp_path, "house", SOURCE)
    values = {} if own is None else {"room": own}
    with (
        plugged(tmp_path),
        Jackfield(
            connections=[{"front": {"type": "house/door", "values": values}}],
            catalog=Catalog.installed(),
            database_url="none",
            environment={"ROOM": "hall"},
        ) as jackfield,
    ):
        asked = {"connector": "house", "action": "look", "connection": "front", "inputs": given}
        found = jackfield.invoke(asked).to_json()
        tried = jackfield.invoke({**asked, "dryRun": True}).to_json()
    if seen is not None:
        assert found["output"] == {"text": seen}
        return
    for result in (found, tried):
        assert result["error"]["code"] == "invalid_input"
        assert "hall" not in str(result["error"])
    if "room" in given:
        assert found["error"]["details"][0] == {
            "path": "/room",
            "keyword": "const",
            "message": (
                "is not the connection's own, which nobody may replace: omit it, or use "
                "another connection"
            ),
        }
