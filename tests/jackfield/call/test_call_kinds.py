"""Connection types that serve some actions only, or make an input needless; and what the log tells
of large inputs.
"""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any, ClassVar

import pytest

from jackfield.call.admit import Targets
from jackfield.connections.connection_lookup import Connections
from jackfield.connections.named_connection import NamedConnection
from jackfield.connector import (
    Connector,
    Field,
    Inputs,
    OpenContext,
    Output,
    Sent,
    TimedOut,
    Unauthenticated,
    describe,
)
from jackfield.kernel.clock import Clock, Deadline, SystemClock
from jackfield.manifest.manifest import Manifest, Serves
from jackfield.schema.cache import Schemas
from scripted import Answer, Client, Key, Script, invocation, runtime, scripted


class Narrow(Key):
    """A key for one action only, over which a place is not needed."""

    key = "narrow"
    title = "Narrow Key"
    serves: ClassVar[Serves | None] = Serves(("tell",), "it only tells")
    waives: ClassVar[tuple[str, ...]] = ("place",)


class Placed(Inputs):
    """Something at a place."""

    place: str | None
    text: str = "hi"


def placed() -> Connector:
    """A connector with two actions and two types."""
    connector = Connector("scripted", title="Placed", version="1.0.0", connections=[Key, Narrow])

    @connector.action("tell", effect="read")
    def tell(inputs: Placed, _client: Client) -> Answer:
        """Tell."""
        return Answer(text=f"{inputs.text} at {inputs.place}")

    @connector.action("ask", effect="read")
    def ask(inputs: Placed, _client: Client) -> Answer:
        """Ask."""
        return Answer(text=f"{inputs.text} at {inputs.place}")

    return connector


CONNECTIONS = {
    "wide": {"type": "stage/key", "values": {"token": "t"}},
    "thin": {"type": "stage/narrow", "values": {"token": "t"}},
}


def told(result: Any) -> Any:
    """The text of a success, or the code of a failure."""
    return result.output["Text"] if result.output else result.error.code


def test_a_type_that_cannot_serve_an_action(tmp_path: Path) -> None:
    """A connection whose type does not serve the action is not valid for it, and the reason is
    told; others are.
    """
    with runtime(tmp_path, placed(), connections=CONNECTIONS) as board:
        refused = board.ask(connection="thin", inputs={"place": "x"})
        assert refused.error is not None
        assert (refused.error.code, refused.meta.attempts) == ("invalid_connection", 0)
        assert "it only tells" in refused.error.message
        assert refused.error.hint
        inline = board.ask(
            connection={"type": "narrow", "values": {"token": "t"}}, inputs={"place": "x"}
        )
        assert told(inline) == "invalid_connection"
        assert told(board.ask(connection="wide", inputs={"place": "x"})) == "hi at x"
        assert told(board.ask(action="tell", connection="thin", inputs={"place": "x"})) == "hi at x"


def test_a_connection_that_can_serve_is_chosen(tmp_path: Path) -> None:
    """Where the connection is left out, those that cannot serve the action do not count, unless
    there is no other.
    """
    given = {"connector": "scripted", "action": "ask", "inputs": {"place": "x"}}
    with runtime(tmp_path / "both", placed(), connections=CONNECTIONS) as board:
        assert told(board.jackfield.invoke(given)) == "hi at x"
        assert told(board.jackfield.invoke({**given, "action": "tell"})) == "invalid_invocation"
    with runtime(tmp_path / "thin", placed(), connections={"thin": CONNECTIONS["thin"]}) as board:
        assert told(board.jackfield.invoke(given)) == "invalid_connection"


def test_an_input_that_a_type_waives(tmp_path: Path) -> None:
    """What the type waives may be left out over it, and over no other; where it is given it
    counts.
    """
    with runtime(tmp_path, placed(), connections=CONNECTIONS) as board:
        assert told(board.ask(action="tell", connection="thin")) == "hi at None"
        assert (
            told(board.ask(action="tell", connection="thin", inputs={"place": "home"}))
            == "hi at home"
        )
        assert (
            told(board.ask(action="tell", connection="thin", inputs={"place": 5}))
            == "invalid_input"
        )
        assert told(board.ask(action="tell", connection="wide")) == "invalid_input"


def test_an_input_that_a_type_of_inline_values_waives(tmp_path: Path) -> None:
    """Calls over inline values share what their type decides, and nothing of another type, in
    whichever order they come.
    """
    thin, wide = ({"type": name, "values": {"token": "t"}} for name in ("narrow", "key"))
    with runtime(tmp_path, placed(), connections={}) as board:
        for _ in range(2):
            assert told(board.ask(action="tell", connection=wide)) == "invalid_input"
            assert told(board.ask(action="tell", connection=thin)) == "hi at None"
            assert (
                told(board.ask(action="tell", connection=wide, inputs={"place": "home"}))
                == "hi at home"
            )
            assert told(board.ask(connection=thin, inputs={"place": "x"})) == "invalid_connection"


def test_nothing_of_the_inputs_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An exception that quotes what the caller sent is logged without it, however much that was."""
    with caplog.at_level(logging.ERROR, "jackfield"):
        for number, text in enumerate(("ada@example.com", "ada@example.com " * 5000)):
            script = Script(ValueError(f"cannot send to {text}"))
            with runtime(tmp_path / str(number), scripted(script, effect="read")) as board:
                board.ask(inputs={"text": text})
    assert len(caplog.records) == 2
    assert "ValueError" in caplog.text
    # "ada" alone may be a part of an identifier
    assert not any(part in caplog.text for part in ("ada@", "example.com"))
    assert len(caplog.text) < 2000


def test_refused_credentials_have_secrets_read_anew(tmp_path: Path) -> None:
    """After a refusal of the credentials a reference to a secret is read again: a rotated one is
    found without a restart.
    """
    environment = {"TOKEN": "old"}
    connections = {"front": {"type": "stage/key", "values": {"token": {"$env": "TOKEN"}}}}
    script = Script(Unauthenticated("unknown key", sent=Sent.REFUSED), "done")
    with runtime(
        tmp_path, scripted(script), connections=connections, environment=environment
    ) as board:
        assert told(board.ask()) == "unauthenticated"
        environment["TOKEN"] = "new"
        assert told(board.ask()) == "done"
    assert [client.key.token for client in script.clients] == ["old", "new"]


class Free(Output):
    """Any text, in lists within lists."""

    table: list[list[str]] = Field(alias="Table")


def test_lists_within_lists_are_masked(tmp_path: Path) -> None:
    """Secrets are masked wherever in the output they are, in the names of members too; an output
    without a schema is not judged.
    """
    connector = Connector("scripted", title="Free", version="1.0.0", connections=[Key])

    @connector.action("ask", effect="read")
    def ask(_inputs: Placed, client: Client) -> Free:
        """Ask."""
        return Free(table=[["a", client.key.token], [f"the {client.key.token}"]])

    manifest = json.loads(json.dumps(describe(connector)))
    del manifest["actions"][0]["output"]
    with runtime(tmp_path, connector, manifests={"scripted": manifest}) as board:
        assert board.ask(inputs={"place": "x"}).output == {"Table": [["a", "***"], ["the ***"]]}


class Named(Output):
    """Texts by name."""

    texts: dict[str, list[str]] = Field(alias="Texts")


def test_a_member_whose_name_has_a_secret_is_withheld(tmp_path: Path) -> None:
    """A provider that answers with a secret as the name of a member tells it no less than one that
    answers with it as a value.
    """
    connector = Connector("scripted", title="Named", version="1.0.0", connections=[Key])

    @connector.action("ask", effect="read")
    def ask(_inputs: Placed, client: Client) -> Named:
        """Ask."""
        return Named(texts={client.key.token: ["a"]})

    with runtime(tmp_path, connector) as board:
        result = board.ask(inputs={"place": "x"})
    assert result.output == {"Texts": {}}
    assert [warning["path"] for warning in result.meta.warnings] == ["/Texts/***"]


def test_what_is_compiled_and_judged_is_bounded() -> None:
    """More schemas and connections than are kept in memory are judged all the same."""
    schemas = Schemas(limit=2)
    compiled = [
        schemas.find(
            ("c", "1", "inputs", str(number % 3)), {"type": "object", "maxProperties": number % 3}
        )
        for number in range(9)
    ]
    assert [bool(schema.check({"a": 1, "b": 2}).details) for schema in compiled] == [
        number % 3 < 2 for number in range(9)
    ]
    again = Schemas(limit=2)
    assert again.find(("c", "1", "x"), {}) is again.find(("c", "1", "x"), {})
    manifest = Manifest.from_json(describe(scripted(Script())))
    stored = [
        NamedConnection(str(number), "stage/key", {"token": str(number)}, "test")
        for number in range(5)
    ]
    targets = Targets(Schemas(), Connections().oauth_client, limit=2)
    assert [targets.find(item, manifest).values["token"] for item in stored * 2] == list(
        "0123401234"
    )
    assert targets.find(stored[4], manifest) is targets.find(stored[4], manifest)


class Patient(Key):
    """A key that waits for its turn."""

    key = "patient"

    def open(self, context: OpenContext) -> Client:
        """Look at the deadline of the opening."""
        seen.append(context.call.deadline.remaining())
        return super().open(context)


seen: list[float] = []


def test_opening_has_the_invocation_s_deadline(tmp_path: Path) -> None:
    """Opening may take no longer than the invocation may."""
    seen.clear()
    connections = {"front": {"type": "stage/patient", "values": {"token": "t"}}}
    with runtime(tmp_path, scripted(Script(), kinds=(Patient,)), connections=connections) as board:
        board.jackfield.invoke(invocation(timeoutSeconds=20))
        board.jackfield.test("front", timeout_seconds=10)
    assert 0 < seen[0] <= 20
    assert 0 < seen[1] <= 10


def test_the_system_s_clock() -> None:
    """The clock of real life tells both times and waits, in threads and in tasks; deadlines are
    told by it.
    """
    clock: Clock = SystemClock()
    before = clock.monotonic(), clock.time()
    clock.sleep(0.001)
    asyncio.run(clock.asleep(0.001))
    assert clock.monotonic() - before[0] >= 0.002
    assert clock.time() >= before[1] > 1_700_000_000
    deadline = Deadline.after(60, clock)
    deadline.check()
    assert 59 < deadline.remaining() <= 60
    assert isinstance(deadline.passed(Sent.UNKNOWN), TimedOut)
