"""What is installed: ``connectors``, ``schema``, ``search``, ``options``."""

from __future__ import annotations

import json

import pytest

from plugboard import ECHO, make_connector
from shell import Shell

pytest_plugins = ["shell_fixture"]

MANIFEST = json.loads((ECHO / "jackfield_echo" / "connector.json").read_text())
GOOD = """
from jackfield.connector import Connector, Inputs, Output
connector = Connector("good", title="Good", version="2.0")
class Nothing(Inputs):
    "Nothing."
class Done(Output):
    "Nothing."
@connector.action("nap", effect="read")
def nap(inputs: Nothing) -> Done:
    "Do nothing for a while."
    return Done()
"""


def test_list(shell: Shell) -> None:
    """``connectors list`` is an array of rows, one for each connector, with the number of its
    actions.
    """
    answer = shell.run("connectors", "list")
    assert answer.code == 0
    assert answer.json == [
        {"key": "echo", "title": "Echo", "version": "1.0.0", "actions": 6, "status": "ok"}
    ]


def test_a_broken_connector_breaks_nothing_else(shell: Shell) -> None:
    """A connector whose manifest is broken is listed as such, and the others work."""
    make_connector(shell.plugs, "torn", "connector = None", {"manifestVersion": 1})
    answer = shell.run("connectors", "list")
    assert answer.code == 0
    by_key = {row["key"]: row for row in answer.json}
    assert by_key["torn"]["status"] == "broken"
    assert "broken manifest" in by_key["torn"]["error"]
    assert by_key["echo"]["status"] == "ok"
    assert "broken manifest" in shell.run("connectors", "show", "torn").json["error"]["message"]
    table = shell.on_terminal("connectors", "list").out
    assert "broken" in table
    assert "Error" in table


def test_check_imports_connectors(shell: Shell) -> None:
    """``--check`` imports each connector, and exits 1 where one cannot be; without it nothing is
    imported.
    """
    make_connector(shell.plugs, "good", GOOD)
    assert shell.run("connectors", "list", "--check").code == 0
    make_connector(
        shell.plugs, "sick", "raise OSError('no such library')", {**MANIFEST, "key": "sick"}
    )
    assert {row["key"]: row["status"] for row in shell.run("connectors", "list").json} == {
        "echo": "ok",
        "good": "ok",
        "sick": "ok",
    }
    answer = shell.run("connectors", "list", "--check")
    assert answer.code == 1
    by_key = {row["key"]: row for row in answer.json}
    assert by_key["sick"]["status"] == "broken"
    assert "no such library" in by_key["sick"]["error"]
    assert by_key["good"]["status"] == "ok"


@pytest.mark.parametrize(
    ("place", "schema"),
    [
        ("inputs", {"pattern": "((("}),
        ("inputs", {"$ref": "#"}),
        ("output", {"items": {"type": "objekt"}}),
        ("schema", {"$ref": "#/$defs/none"}),
    ],
    ids=str,
)
def test_a_schema_that_is_none(shell: Shell, place: str, schema: object) -> None:
    """A schema that no value could be judged by breaks its connector: ``--check`` says so, and
    whoever looks closer is told.
    """
    manifest = {"manifestVersion": 1, "key": "torn", "version": "1", "title": "Torn"}
    parts = (
        {"actions": [{"key": "nap", place: schema}]}
        if place != "schema"
        else {"connectionTypes": [{"key": "key", place: schema}]}
    )
    make_connector(
        shell.plugs,
        "torn",
        "class connector:\n    actions = {'nap': 1}\n    connections = {'key': 1}\n",
        manifest | parts,
    )
    assert (
        "has a broken manifest: the schema of"
        in shell.run("connectors", "show", "torn").json["error"]["message"]
    )
    answer = shell.run("connectors", "list", "--check")
    assert answer.code == 1
    rows = {row["key"]: row for row in answer.json}
    assert (rows["echo"]["status"], rows["torn"]["status"]) == ("ok", "broken")
    assert "has a broken manifest: the schema of" in rows["torn"]["error"]


def test_a_connector_without_connections_is_invoked(shell: Shell) -> None:
    """A connector that needs no connection is invoked without one."""
    make_connector(shell.plugs, "good", GOOD)
    assert shell.run("invoke", "good", "nap").json["status"] == "succeeded"


def test_show(shell: Shell) -> None:
    """``connectors show`` prints the manifest as published."""
    assert shell.run("connectors", "show", "echo").json == MANIFEST
    error = shell.run("connectors", "show", "ecco").json["error"]
    assert error["code"] == "unknown_connector"
    assert (
        "'pip install --editable FOLDER'"
        in shell.run("connectors", "show", "my-own").json["error"]["hint"]
    )
    assert "did you mean 'echo'?" in error["message"]


@pytest.mark.parametrize(
    ("words", "schema"),
    [
        (["say"], MANIFEST["actions"][0]["inputs"]),
        (["say", "--output"], MANIFEST["actions"][0]["output"]),
        (["--connection", "token"], MANIFEST["connectionTypes"][0]["schema"]),
        (["--connection", "echo/token"], MANIFEST["connectionTypes"][0]["schema"]),
    ],
)
def test_schema(shell: Shell, words: list[str], schema: object) -> None:
    """``schema`` prints the schema of inputs, output or a connection type as the manifest has
    it.
    """
    assert shell.run("schema", "echo", *words).json == schema


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["ecco", "say"], "unknown_connector", "did you mean 'echo'?"),
        (["echo", "sai"], "unknown_action", "'echo' has no action 'sai'; did you mean 'say'?"),
        (
            ["echo", "--connection", "tokens"],
            "invalid_invocation",
            "'echo' has no connection type 'tokens'; did you mean 'token'?",
        ),
        (
            ["echo", "token"],
            "unknown_action",
            "'jackfield schema echo --connection token' shows the schema of its values.",
        ),
        (
            ["echo", "say", "--connection", "token"],
            "invalid_invocation",
            "give either an ACTION or --connection TYPE",
        ),
        (
            ["echo", "--connection", "token", "--output"],
            "invalid_invocation",
            "give either an ACTION or --connection TYPE",
        ),
    ],
)
def test_schema_of_nothing(shell: Shell, words: list[str], code: str, said: str) -> None:
    """A schema that is not there is refused with the nearest name."""
    answer = shell.run("schema", *words)
    assert answer.code == 2
    assert answer.json["error"]["code"] == code
    assert said in f"{answer.json['error']['message']} {answer.json['error'].get('hint')}"


def test_search(shell: Shell) -> None:
    """``search`` finds actions by words, best first, of one connector or effect where asked."""
    rows = shell.run("search", "say").json
    assert rows[0]["action"] == "say"
    assert set(rows[0]) == {"connector", "action", "title", "description", "effect"}
    assert [
        row["action"] for row in shell.run("search", "post", "note", "--effect", "write").json
    ] == ["post"]
    assert shell.run("search", "say", "--connector", "other").json == []
    assert shell.run("search", "zebra").json == []


def test_search_by_tag(shell: Shell) -> None:
    """``--tag`` keeps the actions of a group, with words and without; without any of them, words
    are missing.
    """
    _make_tagged(shell, 60)
    assert [
        row["action"] for row in shell.run("search", "dust", "--tag", "Odd", "--limit", "2").json
    ] == ["dust1", "dust11"]
    found = shell.run("search", "--tag", "Odd")
    assert (found.code, len(found.json), found.err) == (0, 30, "")
    assert shell.run("search", "dust", "--tag", "odd").json == []
    assert len(shell.run("search", "--connector", "tagged").json) == 60


def test_search_says_how_many_more_there_are(shell: Shell) -> None:
    """A table has 50 actions, or as many as ``--limit`` says, and a line with the number of the
    others; JSON has all of them.
    """
    _make_tagged(shell, 60)
    shell.set(NO_COLOR="1", COLUMNS="100")
    for limit, more in (((), 10), (("--limit", "7"), 53), (("--limit", "60"), 0)):
        shown = shell.on_terminal("search", "dust", *limit)
        assert shown.out.count("Dust ") == 60 - more
        assert ("… 10 more; --limit N" in shown.out + shown.err) == (more == 10)
        assert ("more; --limit N" in shown.out + shown.err) == (more > 0)
    whole = shell.run("search", "dust")
    assert (len(whole.json), whole.err) == (60, "")
    assert shell.run("search", "dust", "--limit", "0").code == 2


def _make_tagged(shell: Shell, count: int) -> None:
    rows = [
        {
            "key": f"dust{number}",
            "title": f"Dust {number}",
            "description": "Clean it.",
            "effect": "read",
            "group": ("Even", "Odd")[number % 2],
        }
        for number in range(count)
    ]
    make_connector(
        shell.plugs,
        "tagged",
        "",
        {**MANIFEST, "key": "tagged", "title": "Tagged", "connectionTypes": [], "actions": rows},
    )


def test_options(shell: Shell) -> None:
    """``options`` lists the choices of an option source."""
    assert shell.run("options", "echo", "voices").json == [
        {"value": "alto", "label": "Alto"},
        {"value": "bass", "label": "Bass"},
    ]
    answer = shell.run("options", "echo", "voice")
    assert answer.code == 2
    assert "did you mean 'voices'?" in answer.json["error"]["message"]


def test_options_that_the_provider_knows(shell: Shell) -> None:
    """They are asked for over a connection that is named."""
    shell.set(
        JACKFIELD_CONNECTIONS=str(
            shell.write("hall.yaml", "connections: {hall: {type: echo/token, values: {token: t}}}")
        )
    )
    assert [
        item["value"] for item in shell.run("options", "echo", "rooms", "--connection", "hall").json
    ] == ["hall", "attic"]
    answer = shell.run("options", "echo", "rooms")
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")
    assert (
        shell.run("options", "echo", "rooms", "--connection", "cellar").json["error"]["code"]
        == "unknown_connection"
    )
