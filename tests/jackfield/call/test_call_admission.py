"""What is refused before anything is sent: unknown names, connections that cannot be chosen, inputs
and values that are not valid.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import AfterValidator, model_validator

from jackfield import Jackfield, JackfieldError, Result
from jackfield.connector import Connector, Detail, Field, Inputs, OpenContext, describe
from jackfield.kernel.hints import worded
from scripted import Answer, Client, Key, Script, Silent, invocation, runtime, scripted


def refusal(result: Result, code: str) -> JackfieldError:
    """The error of a failed Result, whose code it must be; nothing was tried."""
    assert result.error is not None
    assert (result.status, result.error.code, result.meta.attempts, result.output) == (
        "failed",
        code,
        0,
        None,
    )
    assert result.error.hint
    assert result.exit_code == 2
    return result.error


def places(error: JackfieldError) -> dict[str, str]:
    """The faults by place."""
    return {detail.path: detail.message for detail in error.details}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("{", "not JSON"),
        (b"\xff", "not UTF-8"),
        (bytearray(b'{"connector": NaN}'), "NaN is not a JSON number"),
        ("[" * 500 + "]" * 500, "deeper than 100 levels"),
        (5, "must be a JSON object, not a number"),
        (None, "must be a JSON object, not null"),
        ({}, "2 members of the invocation are not valid"),
        (
            {"connector": "scripted", "action": "ask", "inputs": [[[]]]},
            "1 member of the invocation is not valid",
        ),
    ],
)
def test_what_is_no_invocation(tmp_path: Path, given: Any, words: str) -> None:
    """Bad input is a failed Result with an id, whatever it is; never an exception."""
    with runtime(tmp_path, scripted(Script())) as board:
        result = board.jackfield.invoke(given)
    assert result.error is not None
    assert (result.status, result.error.code) == ("failed", "invalid_invocation")
    assert words in result.error.message
    assert result.to_json()["meta"].keys() == {"invocationId", "attempts", "durationMs", "replayed"}


@pytest.mark.parametrize("given", [{"connector": "scripted"}, "{}", b"{}"])
def test_one_invocation_instead_of_a_list_is_refused(tmp_path: Path, given: Any) -> None:
    """``enqueue_many`` names what to call for one invocation; it does not take its members for
    invocations.
    """
    with (
        runtime(tmp_path, scripted(Script())) as board,
        pytest.raises(JackfieldError, match="takes a list of invocations") as caught,
    ):
        board.jackfield.enqueue_many(given)
    assert "'enqueue'" in (caught.value.hint or "")


def test_without_a_journal_each_of_many_is_refused_by_its_own_result() -> None:
    """``enqueue_many`` without a database returns a failed Result for each invocation, in order,
    and raises nothing.
    """
    with Jackfield(connections=[], database_url="none") as jackfield:
        found = jackfield.enqueue_many(one for one in (invocation(), "{}", b"no JSON"))
        none = jackfield.enqueue_many([])
    results = [one.to_json() for one in found if isinstance(one, Result)]
    assert [(one["status"], one["error"]["code"]) for one in results] == [
        ("failed", "invalid_invocation")
    ] * 3
    assert {one["error"]["message"] for one in results} == {"this runtime has no journal"}
    assert (len({one["meta"]["invocationId"] for one in results}), none) == (3, [])


def test_text_bytes_and_objects_are_the_same(tmp_path: Path) -> None:
    """An invocation may come as JSON text, as bytes, or as the object that it describes."""
    with runtime(tmp_path, scripted(Script("yes"))) as board:
        text = json.dumps(invocation())
        given: tuple[Any, ...] = (text, text.encode(), bytearray(text.encode()), invocation())
        outputs = [board.jackfield.invoke(one).output for one in given]
    assert outputs == [{"Text": "yes"}] * 4


def test_unknown_names_suggest_the_nearest(tmp_path: Path) -> None:
    """Connector, action and connection are looked for in this order, and each refusal suggests what
    was meant.
    """
    with runtime(tmp_path, scripted(Script())) as board:
        connector = refusal(board.ask(connector="scriptde", action="ak"), "unknown_connector")
        action = refusal(board.ask(action="aks", connection="none"), "unknown_action")
        connection = refusal(board.ask(connection="fornt"), "unknown_connection")
        version = refusal(board.ask(connectorVersion=">=2"), "unknown_connector")
    assert "did you mean 'scripted'?" in connector.message
    assert "did you mean 'ask'?" in action.message
    assert "'scripted' has ask" in (action.hint or "")
    assert "did you mean 'front'?" in connection.message
    assert "version 1.0.0 is installed" in version.message


def test_names_that_are_like_no_other(tmp_path: Path) -> None:
    """Where no name is near, none is suggested, and a long one is cut."""
    empty = Connector("empty", title="Empty", version="1.0.0")
    with runtime(tmp_path, scripted(Script()), empty) as board:
        action = refusal(board.ask(action="z" * 5000), "unknown_action")
        nothing = refusal(board.ask(connector="empty"), "unknown_action")
    assert "did you mean" not in action.message
    assert len(action.message) < 200
    assert nothing.hint == "'empty' has no actions."


def test_meta_tells_what_was_found(tmp_path: Path) -> None:
    """Connector and action are told as asked for; the version once the connector is found."""
    with runtime(tmp_path, scripted(Script())) as board:
        unknown = board.ask(connector="nobody").meta.to_json()
        found = board.ask(action="nothing").meta.to_json()
    assert (unknown["connector"], unknown["action"]) == ("nobody", "ask")
    assert "connectorVersion" not in unknown
    assert found["connectorVersion"] == "1.0.0"


KEY = {"type": "stage/key", "values": {"token": "t"}}


def test_the_only_connection_need_not_be_named(tmp_path: Path) -> None:
    """Where one connection fits, it is used; others of other types do not count."""
    script = Script()
    with runtime(
        tmp_path,
        scripted(script),
        connections={"mine": KEY, "other": {"type": "aws/awsDefault", "values": {}}},
    ) as board:
        result = board.jackfield.invoke({"connector": "scripted", "action": "ask"})
    assert result.status == "succeeded"
    assert script.clients[0].context.connection == "mine"


@pytest.mark.parametrize(
    ("connections", "words", "hint"),
    [
        (
            {},
            "no connection of the workspace fits 'scripted'",
            "supports connections of the types stage/key, stage/silent",
        ),
        (
            {"a": {"type": "aws/awsDefault"}},
            "no connection of the workspace fits 'scripted'",
            "Add a connection",
        ),
        (
            {"a": {"type": "stage/keys"}, "b": {"type": "aws/awsDefault"}},
            "no connection of the workspace fits 'scripted'",
            "cannot be used: 'a' has the type 'stage/keys', which 'scripted' does not have.",
        ),
        ({"a": KEY, "b": KEY}, "2 connections fit 'scripted'", "Set 'connection' to one of a, b."),
    ],
)
def test_a_connection_that_cannot_be_guessed(
    tmp_path: Path, connections: dict[str, Any], words: str, hint: str
) -> None:
    """Where none or several fit, the caller is told which there are."""
    with runtime(tmp_path, scripted(Script()), connections=connections) as board:
        error = refusal(
            board.jackfield.invoke({"connector": "scripted", "action": "ask"}), "invalid_invocation"
        )
    assert words in places(error)["/connection"]
    assert hint in (error.hint or "")
    if not connections:
        assert str(worded(error.hint, "cli")).startswith(
            "Add one: 'jackfield connections add NAME --type stage/key', or name a file "
        )


def test_connection_files_that_could_not_be_read_are_mentioned(tmp_path: Path) -> None:
    """Whoever misses a connection is told that a file of connections is broken."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("connections: [", encoding="utf-8")
    with runtime(tmp_path / "plugs", scripted(Script()), sources=[broken]) as board:
        missing = refusal(
            board.jackfield.invoke({"connector": "scripted", "action": "ask"}), "invalid_invocation"
        )
        unknown = refusal(board.ask(connection="mine"), "unknown_connection")
    assert "broken.yaml" in (missing.hint or "")
    assert "broken.yaml" in (unknown.hint or "")


def test_a_connector_without_connections(tmp_path: Path) -> None:
    """An action that needs no connection runs without one, and refuses one that is given."""
    with runtime(tmp_path, scripted(Script("alone"), kinds=())) as board:
        assert board.jackfield.invoke({"connector": "scripted", "action": "ask"}).output == {
            "Text": "alone"
        }
        named = refusal(board.ask(), "invalid_invocation")
        inline = refusal(board.ask(connection={"type": "key", "values": {}}), "invalid_invocation")
    assert places(named) == places(inline) == {"/connection": "'scripted' needs no connection"}


def test_inline_connections(tmp_path: Path) -> None:
    """Values may come with the invocation; equal ones share what is kept, others do not, and the
    name is not known.
    """
    script = Script()
    with runtime(tmp_path, scripted(script)) as board:
        for token in ("one", "one", "two"):
            for name in ("key", "stage/key", "scripted/key"):
                assert (
                    board.ask(connection={"type": name, "values": {"token": token}}).status
                    == "succeeded"
                )
    assert {client.context.connection for client in script.clients} == {None}
    leases = [client.lease for client in script.clients]
    assert len({id(lease) for lease in leases}) == 2
    assert {lease.value for lease in leases} == {"one", "two"}


@pytest.mark.parametrize(
    ("name", "close"), [("kee", "key"), ("other/key", "key"), ("aws/awsDefault", None)]
)
def test_an_unknown_inline_type(tmp_path: Path, name: str, close: str | None) -> None:
    """An inline type that the connector does not take is a fault of the invocation, at its
    place.
    """
    with runtime(tmp_path, scripted(Script())) as board:
        error = refusal(board.ask(connection={"type": name, "values": {}}), "invalid_invocation")
    message = places(error)["/connection/type"]
    assert f"has no connection type '{name}'" in message
    if close is None:
        assert "did you mean" not in message


def test_a_stored_connection_of_another_type(tmp_path: Path) -> None:
    """A connection that is there but cannot serve the connector is not valid for it."""
    with runtime(
        tmp_path,
        scripted(Script()),
        connections={"front": {"type": "aws/awsDefault", "values": {}}},
    ) as board:
        error = refusal(board.ask(), "invalid_connection")
    assert "of type 'aws/awsDefault', which cannot serve 'scripted'" in error.message


@pytest.mark.parametrize("inline", [True, False])
def test_values_that_are_not_valid(tmp_path: Path, inline: bool) -> None:
    """Every fault of the connection's values is told at once, at its place, without quoting a
    secret.
    """
    values = {"token": "", "greeting": 5, "tokenn": "s3cret-misspelt", "tokens": ["s3cret-a", 7]}
    connections = {"front": {"type": "stage/key", "values": values}}
    with runtime(tmp_path, scripted(Script()), connections=connections) as board:
        result = board.ask(connection={"type": "key", "values": values}) if inline else board.ask()
    error = refusal(result, "invalid_connection")
    assert places(error).keys() == {"/token", "/greeting", "/tokenn", "/tokens/1"}
    assert ("the inline connection" if inline else "the connection 'front'") in error.message
    assert "4 values" in error.message
    assert "s3cret" not in json.dumps(result.to_json())


def test_one_value_that_is_not_valid(tmp_path: Path) -> None:
    """One fault is told in the singular, and the hint says how to see what the connection takes."""
    with runtime(
        tmp_path, scripted(Script()), connections={"front": {"type": "stage/key", "values": {}}}
    ) as board:
        error = refusal(board.ask(), "invalid_connection")
    assert error.message == "1 value of the connection 'front' (key) is not valid"
    assert error.hint == "See the schema of the connection type scripted/key for its values."


class Paired(Key):
    """A key with a rule of its author's."""

    key = "paired"

    @model_validator(mode="after")
    def together(self) -> Paired:
        """Greeting and sender come together."""
        if (self.greeting is None) is not (self.sender is None):
            raise ValueError("greeting and sender come together")
        return self


@pytest.mark.parametrize(
    "connection", [{"type": "paired", "values": {"token": "s3cret", "greeting": "a"}}, "paired"]
)
def test_values_that_break_their_author_s_rule(tmp_path: Path, connection: Any) -> None:
    """What the schema lets through and the author's model refuses is not valid either, in the
    author's words.
    """
    stored = {"paired": {"type": "stage/paired", "values": {"token": "s3cret", "greeting": "a"}}}
    with runtime(tmp_path, scripted(Script(), kinds=(Paired,)), connections=stored) as board:
        result = board.ask(connection=connection)
    error = refusal(result, "invalid_connection")
    assert places(error) == {"": "greeting and sender come together"}
    assert "s3cret" not in json.dumps(result.to_json())


def lucky(number: int) -> int:
    """Refuse thirteen."""
    if number == 13:
        raise ValueError("13 brings bad luck")
    return number


class Ruled(Inputs):
    """Inputs with rules that a schema cannot say."""

    start: int = Field(schema={"minimum": 0})
    end: int = 10
    table: dict[str, Annotated[int, AfterValidator(lucky)]] = Field(default={})

    @model_validator(mode="after")
    def ordered(self) -> Ruled:
        """The end is behind the start."""
        if self.end < self.start:
            raise ValueError("the end must be behind the start")
        return self

    def rules(self) -> Iterable[Detail]:
        """Some numbers bring bad luck."""
        for name in ("start", "end"):
            if getattr(self, name) == 13:
                yield Detail(f"/{name}", "13 brings bad luck")


def ruled() -> Connector:
    """A connector whose action takes them."""
    connector = Connector("scripted", title="Ruled", version="1.0.0")

    @connector.action("ask", effect="write")
    def ask(inputs: Ruled) -> Answer:
        """Ask."""
        return Answer(text=f"{inputs.start} to {inputs.end}")

    return connector


@pytest.mark.parametrize(
    ("inputs", "faults"),
    [
        ({}, {"/start": "is missing"}),
        (
            {"start": -1, "end": "x", "other": 1},
            {"/start": "0", "/end": "whole number", "/other": "other"},
        ),
        ({"start": 20}, {"": "the end must be behind the start"}),
        ({"start": 13, "end": 13}, {"/start": "13 brings bad luck", "/end": "13 brings bad luck"}),
        ({"start": 1, "table": {"a/b": "x"}}, {"/table/a~1b": "whole number"}),
        ({"start": 1, "table": {"a/b~c": 13}}, {"/table/a~1b~0c": "13 brings bad luck"}),
        ({"start": float("nan")}, {"/start": "NaN"}),
        ({"start": 10**5000}, {"/start": "digits"}),
        ({5: 1, "start": 1}, {"": "the names of members are strings"}),
        ({"start": b"1"}, {"/start": "bytes"}),
    ],
)
def test_inputs_that_are_not_valid(
    tmp_path: Path, inputs: dict[Any, Any], faults: dict[str, str]
) -> None:
    """The schema's faults come first, all at once; then the model's, then the author's rules; what
    is no JSON is told as such.
    """
    with runtime(tmp_path, ruled()) as board:
        error = refusal(
            board.jackfield.invoke({"connector": "scripted", "action": "ask", "inputs": inputs}),
            "invalid_input",
        )
    found = places(error)
    assert found.keys() == faults.keys()
    assert all(words in found[path] for path, words in faults.items())
    assert error.message == (
        f"{len(faults)} inputs are not valid" if len(faults) > 1 else "1 input is not valid"
    )
    assert error.hint == "See the schema of scripted/ask for its inputs."


def test_strings_are_read_where_nothing_is_lost(tmp_path: Path) -> None:
    """Forms send strings: a whole number in a string is one, and the caller's own object is left as
    it was.
    """
    inputs = {"start": "3", "end": " 12 "}
    with runtime(tmp_path, ruled()) as board:
        result = board.jackfield.invoke(
            {"connector": "scripted", "action": "ask", "inputs": inputs}
        )
    assert result.output == {"Text": "3 to 12"}
    assert inputs == {"start": "3", "end": " 12 "}


@pytest.mark.parametrize("effect", ["read", "write"])
def test_a_dry_run_stops_before_the_action(tmp_path: Path, effect: Any) -> None:
    """A dry run opens the connection and leases its credentials; the action is not called, and
    there is no output.
    """
    script = Script()
    opened: list[OpenContext] = []

    class Watched(Key):
        """A key that is watched."""

        key = "watched"

        def open(self, context: OpenContext) -> Client:
            """Keep the context."""
            opened.append(context)
            return super().open(context)

    connections = {"watched": {"type": "stage/watched", "values": {"token": "t"}}}
    with runtime(
        tmp_path, scripted(script, effect=effect, kinds=(Watched,)), connections=connections
    ) as board:
        result = board.jackfield.invoke(
            {"connector": "scripted", "action": "ask", "dryRun": True, "idempotencyKey": "ignored"}
        )
    assert (result.status, result.output, result.error, script.tries) == (
        "succeeded",
        None,
        None,
        0,
    )
    assert (result.meta.dry_run, result.meta.attempts) == (True, 0)
    assert result.to_json().keys() == {"status", "meta"}
    assert len(opened) == 1
    assert (opened[0].workspace, opened[0].connector, opened[0].inputs["number"]) == (
        "default",
        "scripted",
        1,
    )


def test_a_dry_run_refuses_what_a_run_refuses(tmp_path: Path) -> None:
    """Inputs, connection and connector are judged as in a real run."""
    with runtime(tmp_path, ruled(), scripted(Script(), key="other")) as board:
        refusal(
            board.jackfield.invoke({"connector": "scripted", "action": "ask", "dryRun": True}),
            "invalid_input",
        )
        refusal(
            board.ask(connector="other", connection="nobody", dryRun=True), "unknown_connection"
        )


def test_a_dry_run_needs_no_connection(tmp_path: Path) -> None:
    """Where none fits, the inputs are checked all the same; what was not tried is told, and the
    next call is refused as ever.
    """
    script = Script()
    with runtime(tmp_path, scripted(script), connections={}) as board:
        asked = {"connector": "scripted", "action": "ask", "inputs": {"number": 2}}
        for _ in range(2):
            result = board.jackfield.invoke({**asked, "dryRun": True})
            assert (
                result.status,
                result.output,
                result.meta.attempts,
                len(result.meta.warnings),
            ) == ("succeeded", None, 0, 1)
            assert places(refusal(board.jackfield.invoke(asked), "invalid_invocation")).keys() == {
                "/connection"
            }
            refusal(
                board.jackfield.invoke({**asked, "dryRun": True, "inputs": {"number": "x"}}),
                "invalid_input",
            )
            refusal(
                board.jackfield.invoke({**asked, "dryRun": True, "connection": "nobody"}),
                "unknown_connection",
            )
    assert script.tries == 0


def test_a_key_needs_a_journal(tmp_path: Path) -> None:
    """Without a database an idempotency key cannot be kept, so it is refused."""
    with runtime(tmp_path, scripted(Script())) as board:
        error = refusal(board.ask(idempotencyKey="order-4711"), "invalid_invocation")
    assert places(error).keys() == {"/idempotencyKey"}


@pytest.mark.parametrize(
    ("inputs", "values", "text", "sender"),
    [
        ({}, {"greeting": "hello"}, "hello", None),
        ({"text": "mine"}, {"greeting": "hello"}, "mine", None),
        ({}, {}, "hi", None),
        ({}, {"sender": "me"}, "hi", "me"),
        ({"sender": "you"}, {"sender": "me", "greeting": "x"}, "x", "you"),
        ({}, {"sender": {"$env": "SENDER"}}, "hi", "from the environment"),
    ],
)
def test_inputs_that_the_connection_fills(
    tmp_path: Path, inputs: dict[str, Any], values: dict[str, Any], text: str, sender: str | None
) -> None:
    """A missing input comes from the connection's value that the action names, references included;
    what the caller gave stands.
    """
    script = Script()
    connections = {"front": {"type": "stage/key", "values": {"token": "t", **values}}}
    with runtime(
        tmp_path,
        scripted(script),
        connections=connections,
        environment={"SENDER": "from the environment"},
    ) as board:
        assert board.ask(inputs=inputs).status == "succeeded"
    assert (script.inputs[0].text, script.inputs[0].sender) == (text, sender)


def test_a_default_that_cannot_be_read(tmp_path: Path) -> None:
    """A connection's value behind a reference that cannot be read is the connection's fault."""
    connections = {
        "front": {"type": "stage/key", "values": {"token": "t", "sender": {"$env": "NOT_SET"}}}
    }
    with runtime(tmp_path, scripted(Script()), connections=connections, environment={}) as board:
        error = refusal(board.ask(), "invalid_connection")
    assert places(error) == {"/sender": "the environment variable 'NOT_SET' is not set"}


@pytest.mark.parametrize("given", ["plain", {"$env": "TOKEN"}, {"$file": "token"}])
@pytest.mark.parametrize("others", [{"token": "t"}, {}])
def test_a_value_that_does_not_exist_is_named_whatever_it_refers_to(
    tmp_path: Path, given: object, others: dict[str, str]
) -> None:
    """A wrong name of a connection value is told at once, with the right one, also where the value
    is a reference to a secret.
    """
    connections = {"front": {"type": "stage/key", "values": {**others, "tokn": given}}}
    with runtime(
        tmp_path, scripted(Script()), connections=connections, environment={"TOKEN": "t"}
    ) as board:
        error = refusal(board.ask(), "invalid_connection")
    named = {"/tokn": "'tokn' is not a value; did you mean 'token'?"}
    assert places(error) == (named if others else {**named, "/token": "'token' is missing"})


def test_a_schema_that_is_none_breaks_its_connector_only(tmp_path: Path) -> None:
    """A manifest whose schemas are none is a broken connector, told by role and key; the others
    work.
    """
    bad = scripted(Script(), key="bad")
    manifests: dict[str, Any] = {"bad": json.loads(json.dumps(describe(bad)))}
    manifests["bad"]["actions"][0]["inputs"]["pattern"] = "((("
    with runtime(tmp_path, scripted(Script()), bad, manifests=manifests) as board:
        error = refusal(board.ask(connector="bad"), "unknown_connector")
        assert board.ask().status == "succeeded"
    assert error.message.startswith(
        "the connector 'bad' has a broken manifest: the schema of inputs ask"
    )


def test_silent_keys_are_kinds_of_their_own(tmp_path: Path) -> None:
    """A connection is opened as the type that it is stored as."""
    script = Script()
    with runtime(
        tmp_path,
        scripted(script),
        connections={"front": {"type": "scripted/silent", "values": {"token": "t"}}},
    ) as board:
        assert board.ask().status == "succeeded"
    assert isinstance(script.clients[0].key, Silent)
