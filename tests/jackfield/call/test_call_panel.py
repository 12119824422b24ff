"""What else a panel answers: connections shown and tested, choices of forms, searches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from jackfield.connector import (
    Account,
    Connector,
    JackfieldError,
    OpenContext,
    Option,
    Step,
    Unauthenticated,
)
from jackfield.kernel.errors import (
    InvalidConnection,
    InvalidInput,
    UnknownAction,
    UnknownConnection,
    UnknownConnector,
)
from scripted import Client, Key, Panel, Script, runtime, scripted


class Stepped(Key):
    """A key that is tested in steps."""

    key = "stepped"

    def test(self, context: OpenContext) -> Iterator[Step | Account]:
        """Two steps and an account; a token called bad fails the first, one called worse breaks the
        test.
        """
        client = self.open(context)
        assert client.context.inputs == {}
        if self.token == "worse":
            raise RuntimeError("boom worse")
        if self.token == "elsewhere":
            yield Step("sign", "Sign in", passed=False, message="Not checked.", mandatory=False)
            return
        passed = self.token != "bad"
        yield Step(
            "sign",
            "Sign in",
            passed=passed,
            message=f"The token {self.token} is known.",
            hint=f"Not {self.token}?",
        )
        yield Step("extra", "Look around", passed=False, message="Nothing to see.", mandatory=False)
        if passed:
            yield Account("1", "One")


def board_of(connector: Connector, token: str = "s3cret-token", **members: Any) -> Any:
    """The arguments of a panel with one connection of the type above."""
    return {
        "connections": {"front": {"type": "stage/stepped", "values": {"token": token, **members}}}
    }


def steps(found: dict[str, Any]) -> dict[str, bool]:
    """The steps of a test and whether they passed."""
    return {step["key"]: step["passed"] for step in found["lastTest"]["steps"]}


def test_show_masks_secrets(tmp_path: Path) -> None:
    """A connection is shown with its type, version and source, secrets masked and references as
    they are.
    """
    connector = scripted(Script(), kinds=(Stepped,))
    with runtime(
        tmp_path,
        connector,
        **board_of(connector, greeting="hello", sender={"$env": "SENDER"}, tokens=["a-s3cret"]),
    ) as board:
        shown = board.jackfield.show("front")
    assert {name: shown[name] for name in ("name", "type", "version", "source")} == {
        "name": "front",
        "type": "stage/stepped",
        "version": 1,
        "source": "given in code",
    }
    assert (shown["values"]["greeting"], shown["values"]["sender"]) == ("hello", {"$env": "SENDER"})
    assert "s3cret" not in json.dumps(shown)


def test_show_what_no_connector_takes(tmp_path: Path) -> None:
    """Without a schema nobody knows what is secret: all values are masked. A name that there is not
    is refused.
    """
    with runtime(
        tmp_path,
        scripted(Script()),
        connections={"old": {"type": "gone/token", "values": {"token": "t", "url": "u"}}},
    ) as board:
        assert board.jackfield.show("old")["values"] == {"token": "***", "url": "***"}
        with pytest.raises(UnknownConnection, match="did you mean 'old'"):
            board.jackfield.show("Old")


def test_a_test_that_passes(tmp_path: Path) -> None:
    """Mandatory steps that pass make a connection ok, whatever the others say; the account is told,
    and when it was, in UTC.
    """
    connector = scripted(Script(), kinds=(Stepped,))
    with runtime(tmp_path, connector, **board_of(connector)) as board:
        found = board.jackfield.test("front")
    assert (found["status"], found["account"], steps(found)) == (
        "ok",
        {"id": "1", "label": "One"},
        {"sign": True, "extra": False},
    )
    assert found["lastTest"]["at"].endswith("Z")
    first, second = found["lastTest"]["steps"]
    assert first == {
        "key": "sign",
        "title": "Sign in",
        "passed": True,
        "mandatory": True,
        "message": "The token *** is known.",
        "hint": "Not ***?",
    }
    assert "hint" not in second
    assert found["values"] == {"token": "***"}


def test_a_test_that_checks_nothing(tmp_path: Path) -> None:
    """Where no step passed and none was mandatory, as for AWS keys with an endpoint of their own,
    nothing is known: the connection is not called ok, and not failing.
    """
    connector = scripted(Script(), kinds=(Stepped,))
    with runtime(tmp_path, connector, **board_of(connector, "elsewhere")) as board:
        found = board.jackfield.test("front")
    assert (found["status"], steps(found), "account" in found) == (
        "untested",
        {"sign": False},
        False,
    )


def test_a_test_that_fails(tmp_path: Path) -> None:
    """A mandatory step that fails makes a connection failing, and what the connector would see of
    it is not asked.
    """
    connector = scripted(Script(), kinds=(Stepped,))
    asked: list[object] = []

    @connector.test
    def see(client: Client, _context: OpenContext) -> Iterable[Step]:
        asked.append(client)
        return ()

    with runtime(tmp_path, connector, **board_of(connector, "bad")) as board:
        found = board.jackfield.test("front")
    assert (found["status"], asked, "account" in found) == ("failing", [], False)


def test_connectors_see_more_of_a_connection(tmp_path: Path) -> None:
    """After the type's own test each connector of the family adds its steps, once, with an open
    client.
    """
    family = [scripted(Script(), key=key, kinds=(Stepped,)) for key in ("one", "two")]

    def seen(key: str) -> Any:
        def see(client: Client, context: OpenContext) -> Iterator[Step]:
            yield Step(
                key, key, passed=client.key.token == "s3cret-token", message=context.connector
            )

        return see

    for connector in family:
        connector.test(seen(connector.key))
    with runtime(tmp_path, *family, **board_of(family[0])) as board:
        found = board.jackfield.test("front")
    assert steps(found) == {"sign": True, "extra": False, "one": True, "two": True}
    assert [step["message"] for step in found["lastTest"]["steps"]][2:] == ["one", "two"]


def explain(error: Exception, _client: object, _inputs: object) -> JackfieldError | None:
    """An error map that knows KeyError."""
    return (
        Unauthenticated("the key is unknown: s3cret-token", hint="Get a new one.")
        if isinstance(error, KeyError)
        else None
    )


@pytest.mark.parametrize(
    ("raised", "message", "hint"),
    [
        (KeyError("x"), "the key is unknown: ***", "Get a new one."),
        (Unauthenticated("no s3cret-token", hint="Do."), "no ***", "Do."),
        (RuntimeError("boom s3cret-token"), "an unexpected RuntimeError", None),
    ],
)
def test_a_test_that_breaks(
    tmp_path: Path, raised: Exception, message: str, hint: str | None
) -> None:
    """A test that raises is a failed step, in the words of the connector's error map and without
    secrets.
    """
    connector = scripted(Script(), kinds=(Stepped,), explain=explain)

    @connector.test
    def see(_client: Client, _context: OpenContext) -> Iterable[Step]:
        raise raised

    with runtime(tmp_path, connector, **board_of(connector)) as board:
        found = board.jackfield.test("front")
    last = found["lastTest"]["steps"][-1]
    assert (found["status"], last["key"], last["title"]) == (
        "failing",
        "scripted",
        "Use the connection with Scripted",
    )
    assert (last["message"], last.get("hint")) == (message, hint)


def test_a_type_whose_test_breaks(tmp_path: Path) -> None:
    """Where the type's own test raises, opening is what failed."""
    connector = scripted(Script(), kinds=(Stepped,))
    with runtime(tmp_path, connector, **board_of(connector, "worse")) as board:
        found = board.jackfield.test("front")
    assert (found["status"], steps(found)) == ("failing", {"open": False})


def test_the_default_test_opens(tmp_path: Path) -> None:
    """A type without a test of its own stays untested where it opens: the provider has not been
    asked.
    """
    with runtime(tmp_path, scripted(Script())) as board:
        found = board.jackfield.test("front")
    assert (found["status"], steps(found)) == ("untested", {"open": False})


@pytest.mark.parametrize("entry", [{"type": "gone/token"}, {"type": "stage/key", "values": {}}])
def test_a_connection_that_cannot_be_tested(tmp_path: Path, entry: dict[str, Any]) -> None:
    """A type that nobody takes and values that are not valid are refused, and nothing is tried."""
    with runtime(tmp_path, scripted(Script()), connections={"front": entry}) as board:
        with pytest.raises(InvalidConnection):
            board.jackfield.test("front")
        with pytest.raises(UnknownConnection):
            board.jackfield.test("nobody")


def with_voices() -> Connector:
    """A connector with choices."""
    connector = scripted(Script())

    @connector.options("voices")
    def voices() -> list[Option]:
        """The voices."""
        return [Option("alto", "Alto"), Option("bass", "Bass")]

    return connector


def choices(board: Panel, connector: str, source: str) -> Any:
    """The choices of an option source."""
    return board.jackfield.options(connector, source)


def test_options(tmp_path: Path) -> None:
    """An option source gives its choices; unknown sources and connectors are refused with the
    nearest name.
    """
    with runtime(tmp_path, with_voices(), scripted(Script(), key="plain")) as board:
        assert choices(board, "scripted", "voices") == [
            {"value": "alto", "label": "Alto"},
            {"value": "bass", "label": "Bass"},
        ]
        with pytest.raises(UnknownAction, match="did you mean 'voices'") as caught:
            choices(board, "scripted", "voicse")
        assert caught.value.hint == "It has voices."
        with pytest.raises(UnknownAction) as none:
            choices(board, "plain", "voices")
        assert none.value.hint == "It has none."
        with pytest.raises(UnknownConnector, match="did you mean 'plain'"):
            choices(board, "plian", "voices")


def test_choices_follow_the_inputs_of_the_form(tmp_path: Path) -> None:
    """A source whose choices depend on another field is given what the form has so far, and its
    manifest names that field.
    """
    connector = scripted(Script())

    @connector.options("streets", depends_on=["town"])
    def streets(*, inputs: Mapping[str, Any]) -> list[Option]:
        """The streets of a town."""
        return [Option("high", f"High Street, {inputs.get('town', 'nowhere')}")]

    with runtime(tmp_path, connector) as board:
        assert board.jackfield.options("scripted", "streets", inputs={"town": "Bath"}) == [
            {"value": "high", "label": "High Street, Bath"}
        ]
        assert choices(board, "scripted", "streets")[0]["label"] == "High Street, nowhere"
        sources = board.jackfield.catalog.find("scripted").raw["optionSources"]
    assert [(row["key"], row["needsConnection"], row["dependsOn"]) for row in sources] == [
        ("streets", False, ["town"])
    ]


def test_a_missing_input_of_choices_is_named(tmp_path: Path) -> None:
    """A source that reads an input on which its choices depend, and which the form lacks, is
    refused by the input's name.
    """
    connector = scripted(Script())

    @connector.options("streets", depends_on=["town"])
    def streets(*, inputs: Mapping[str, Any]) -> list[Option]:
        """The streets of a town."""
        return [Option("high", inputs["town"])]

    with (
        runtime(tmp_path, connector) as board,
        pytest.raises(InvalidInput, match="needs 'town'") as refused,
    ):
        choices(board, "scripted", "streets")
    assert [(one.path, one.message) for one in refused.value.details] == [
        ("/town", "'town' is missing: the choices depend on it")
    ]


def test_search(tmp_path: Path) -> None:
    """A search goes over all connectors that are whole, or over one, and may keep to an effect."""
    manifests: dict[str, Any] = {"broken": {"manifestVersion": 0}}
    reading, broken = (
        scripted(Script(), key="reading", effect="read"),
        scripted(Script(), key="broken"),
    )
    with runtime(tmp_path, scripted(Script()), reading, broken, manifests=manifests) as board:
        found = board.jackfield.search
        assert [row["connector"] for row in found("ask")] == ["reading", "scripted"]
        assert [row["connector"] for row in found("ask", connector="scripted")] == ["scripted"]
        assert [row["connector"] for row in found("", effect="read")] == ["reading"]
        assert found("zebra") == []
        assert found("", connector="nobody") == []
