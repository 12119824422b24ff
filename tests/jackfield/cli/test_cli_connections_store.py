"""``jackfield connections`` on a database: add, replace, rename, remove, import, export."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture"]


@pytest.fixture(autouse=True)
def _database(shell: Shell, tmp_path: Path) -> None:
    """A database of the test's own."""
    shell.set(
        JACKFIELD_HOME=str(tmp_path / "home"),
        JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path / 'jackfield.db'}",
    )


def test_add(shell: Shell) -> None:
    """``add`` tests and stores a connection; the answer is what ``show`` prints, without the
    secret. Values may come through a pipe, as YAML as well.
    """
    shell.run("db", "upgrade")
    shell.write("values.json", '{"token": "s3cret-4711", "greeting": "Hi"}')
    answer = shell.run(
        "connections", "add", "room", "--type", "echo/token", "--values", "values.json"
    )
    assert (answer.code, answer.err) == (0, "")
    assert answer.json["status"] == "ok"
    assert "s3cret" not in answer.out
    assert shell.run("connections", "show", "room").json == answer.json
    assert (
        shell.run("invoke", "echo", "say", "--connection", "room", "text=Hi").json["status"]
        == "succeeded"
    )
    for name, values in (("attic", "token: t\n"), ("yard", "{token: t}")):
        assert (
            shell.run(
                "connections", "add", name, "--type", "token", "--values", "-", stdin=values
            ).code
            == 0
        )
        assert shell.run("connections", "show", name).json["type"] == "echo/token"


@pytest.mark.parametrize(
    ("name", "stdin", "said"),
    [
        ("room", "[]", "must contain one object"),
        ("room", "{", "is not JSON"),
        ("room", "a: 1\n---\nb: 2\n", "must contain one object"),
        ("room", "a: [\n", "is not YAML"),
        ("room", "", "must contain"),
        ("room", '{"tokn": "x", "greeting": 5}', ["/greeting", "/token", "/tokn"]),
        ("hall", "token: t", ["/name"]),
        ("taken", "token: t", ["/name"]),
    ],
)
def test_add_refuses(shell: Shell, name: str, stdin: str, said: str | list[str]) -> None:
    """What holds no values, and each fault at its place, is refused with exit code 2; a name is
    taken once, by a file too.
    """
    words = ("--type", "echo/token", "--values", "-")
    shell.run("connections", "add", "taken", *words, "--no-test", stdin="token: t")
    answer = shell.run("connections", "add", name, *words, stdin=stdin)
    error = answer.json["error"]
    told = (
        error["message"]
        if isinstance(said, str)
        else sorted(detail["path"] for detail in error["details"])
    )
    assert (answer.code, said in told if isinstance(said, str) else told) == (
        2,
        True if isinstance(said, str) else said,
    )
    assert [row["name"] for row in shell.run("connections", "list").json] == ["hall", "taken"]


def test_a_failing_test(shell: Shell) -> None:
    """A connection whose test fails is refused with the reason; ``--force`` stores it,
    ``--no-test`` does not try.
    """
    words = ("connections", "add", "room", "--type", "echo/token", "--values", "-")
    answer = shell.run(*words, stdin='{"token": "bad"}')
    assert answer.code == 2
    assert "its test failed: The echo does not know the token" in answer.json["error"]["message"]
    assert "add '--force'; to save it without a test, '--no-test'" in answer.json["error"]["hint"]
    assert shell.run("connections", "show", "room").json["error"]["code"] == "unknown_connection"
    assert shell.run(*words, "--force", stdin='{"token": "bad"}').json["status"] == "failing"
    shell.run("connections", "remove", "room")
    assert shell.run(*words, "--no-test", stdin='{"token": "bad"}').json["status"] == "untested"


def test_nobody_to_ask(shell: Shell) -> None:
    """Without values and without a terminal the usage is told, and what the values are; of a wrong
    type, that it is wrong.
    """
    answer = shell.run("connections", "add", "room", "--type", "echo/token", stdin="")
    assert answer.code == 2
    assert "--values FILE" in answer.json["error"]["hint"]
    assert (
        "Required are: 'token'. 'jackfield schema echo --connection token' shows all."
        in answer.json["error"]["hint"]
    )
    wrong = shell.run("connections", "add", "room", "--type", "echo/tokne", stdin="")
    assert (wrong.code, "did you mean 'echo/token'?" in wrong.json["error"]["message"]) == (2, True)
    assert "usage: jackfield connections add" in answer.err


def test_replace(shell: Shell) -> None:
    """``replace`` keeps secrets that are left out, and refuses what somebody else has changed."""
    shell.run(
        "connections",
        "add",
        "room",
        "--type",
        "echo/token",
        "--values",
        "-",
        stdin='{"token": "s3cret"}',
    )
    words = ("connections", "replace", "room", "--values", "-", "--version", "1")
    answer = shell.run(*words, stdin="greeting: Hi")
    assert (answer.code, answer.json["version"], answer.json["values"]) == (
        0,
        2,
        {"greeting": "Hi", "token": "***"},
    )
    answer = shell.run(*words, stdin="greeting: Ho")
    assert (answer.code, answer.json["error"]["details"][0]["path"]) == (2, "/version")


def test_rename_and_remove(shell: Shell) -> None:
    """A stored connection can be renamed and removed; what is not there is unknown."""
    shell.run(
        "connections", "add", "room", "--type", "echo/token", "--values", "-", stdin="token: t"
    )
    assert shell.run("connections", "rename", "room", "chamber").json["name"] == "chamber"
    assert shell.run("connections", "remove", "chamber").json == {"removed": "chamber"}
    answer = shell.run("connections", "remove", "chamber")
    assert (answer.code, answer.json["error"]["code"]) == (2, "unknown_connection")
    assert shell.run("connections", "remove", "hall").json["error"]["code"] == "invalid_connection"


def test_list(shell: Shell) -> None:
    """``list`` shows stored connections beside those of files, narrowed and paged; what a file
    hides is told on stderr.
    """
    for name in ("room", "attic"):
        shell.run(
            "connections", "add", name, "--type", "echo/token", "--values", "-", stdin="token: t"
        )
    rows = shell.run("connections", "list").json
    assert [(row["name"], row["source"], row["status"]) for row in rows] == [
        ("attic", "store", "ok"),
        ("hall", "connections.yaml", "untested"),
        ("room", "store", "ok"),
    ]
    assert rows[0]["account"] == {"id": "echo-1", "label": "The echo in the hall"}
    assert [row["name"] for row in shell.run("connections", "list", "--search", "OO").json] == [
        "room"
    ]
    assert [
        row["name"]
        for row in shell.run("connections", "list", "--type", "token", "--limit", "1").json
    ] == ["attic"]
    page = shell.run("connections", "list", "--limit", "2")
    assert "--cursor hall" in page.err
    assert [row["name"] for row in shell.run("connections", "list", "--cursor", "hall").json] == [
        "room"
    ]
    shell.write("connections.yaml", "connections: {room: {type: echo/token, values: {token: t}}}")
    answer = shell.run("connections", "list")
    assert (answer.code, len(answer.json)) == (0, 2)
    assert "the connection 'room' (connections.yaml) hides the stored one" in answer.err


def test_import_and_export(shell: Shell) -> None:
    """What was exported from one workspace can be imported into another; faults are told for each
    connection.
    """
    shell.run(
        "connections",
        "add",
        "room",
        "--type",
        "echo/token",
        "--values",
        "-",
        stdin='{"token": "s3cret"}',
    )
    exported = shell.run("connections", "export", "room")
    assert exported.json["connections"]["room"]["values"] == {"token": {"$env": "ROOM_TOKEN"}}
    shell.write("backup.json", shell.run("connections", "export", "--secrets").out)
    shell.run("workspaces", "create", "other")
    shell.set(JACKFIELD_WORKSPACE="other", JACKFIELD_CONNECTIONS="")
    answer = shell.run("connections", "import", "backup.json")
    assert answer.code == 0
    assert sorted((row["name"], row["result"], row["status"]) for row in answer.json) == [
        ("hall", "added", "ok"),
        ("room", "added", "ok"),
    ]
    again = shell.run("connections", "import", "backup.json")
    assert (again.code, {row["result"] for row in again.json}) == (2, {"refused"})
    assert "room: the connection 'room' exists already" in again.err
    assert {
        row["result"]
        for row in shell.run("connections", "import", "backup.json", "--replace", "--no-test").json
    } == {"replaced"}
    piped = shell.run(
        "connections",
        "import",
        "-",
        stdin='{"connections": {"new": {"type": "echo/token", "values": {"token": "t"}}}}',
    )
    assert piped.json[0]["result"] == "added"
    assert shell.run("connections", "import", "none.yaml").code == 2


def test_relative_files(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative file reference starts at the folder of the values, wherever it is used from."""
    (shell.folder / "deep").mkdir()
    shell.write("deep/token", "from a file")
    shell.write("deep/values.yaml", "token: {$file: token}\n")
    assert (
        shell.run(
            "connections", "add", "room", "--type", "echo/token", "--values", "deep/values.yaml"
        ).json["status"]
        == "ok"
    )
    monkeypatch.chdir("/")
    assert shell.run("connections", "test", "room").json["status"] == "ok"


def test_completion(shell: Shell) -> None:
    """Names of stored connections are offered where a database is named."""
    shell.run(
        "connections", "add", "room", "--type", "echo/token", "--values", "-", stdin="token: t"
    )
    for verb in ("show", "test", "remove", "rename", "replace", "export", "policy"):
        assert (
            "room\techo/token"
            in shell.run("__complete", "--", "connections", verb, "").out.splitlines()
        )


def test_no_secret_is_written(shell: Shell, tmp_path: Path) -> None:
    """No file of the home holds the secret in the clear."""
    shell.run(
        "connections",
        "add",
        "room",
        "--type",
        "echo/token",
        "--values",
        "-",
        stdin=json.dumps({"token": "pl4nted-s3cret"}),
    )
    written = [
        path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file() and ("jackfield.db" in path.name or "home" in path.parts)
    ]
    assert written
    assert not any(b"pl4nted-s3cret" in content for content in written)
