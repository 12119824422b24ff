"""``jackfield connections``: list, show, test."""

from __future__ import annotations

from shell import Shell

pytest_plugins = ["shell_fixture"]


def test_list(shell: Shell) -> None:
    """``list`` names each connection, its type and where it comes from, and no values."""
    answer = shell.run("connections", "list")
    assert (answer.code, answer.err) == (0, "")
    assert answer.json == [{"name": "hall", "type": "echo/token", "source": "connections.yaml", "status": "untested"}]


def test_list_with_a_broken_file(shell: Shell) -> None:
    """A file that cannot be read whole is told on stderr and by exit code 1; the rest is listed."""
    shell.write("connections.yaml", "connections: {hall: {type: echo/token}, 'no name!': {type: echo/token}}")
    answer = shell.run("connections", "list")
    assert answer.code == 1
    assert [row["name"] for row in answer.json] == ["hall"]
    assert "connections.yaml: connection 'no name!'" in answer.err


def test_list_with_a_name_in_two_files(shell: Shell) -> None:
    """A name that two files define is listed, and told on stderr and by exit code 1: nothing can be done with it."""
    shell.write("more.yaml", "connections: {hall: {type: echo/token}}")
    shell.set(JACKFIELD_CONNECTIONS="connections.yaml:more.yaml")
    answer = shell.run("connections", "list")
    assert answer.code == 1
    assert [row["name"] for row in answer.json] == ["hall"]
    assert answer.err == "jackfield: the connection 'hall' is defined more than once: in connections.yaml and more.yaml\n"


def test_list_without_any(shell: Shell) -> None:
    """Without connection files there are no connections."""
    shell.set(JACKFIELD_CONNECTIONS="")
    assert shell.run("connections", "list").json == []


def test_show(shell: Shell) -> None:
    """``show`` prints a connection with its secrets masked."""
    answer = shell.run("connections", "show", "hall")
    assert answer.code == 0
    assert answer.json["name"] == "hall"
    assert answer.json["values"]["greeting"] == "Hi"
    assert "s3cret-token" not in answer.out


def test_show_nothing(shell: Shell) -> None:
    """A connection that is not there is refused with the nearest name."""
    answer = shell.run("connections", "show", "hal")
    assert answer.code == 2
    assert answer.json["error"]["code"] == "unknown_connection"
    assert "did you mean 'hall'?" in answer.json["error"]["message"]


def test_a_test_that_passes(shell: Shell) -> None:
    """``test`` says what each step found and whose the connection is."""
    answer = shell.run("connections", "test", "hall")
    assert answer.code == 0
    assert answer.json["status"] == "ok"
    assert answer.json["account"] == {"id": "echo-1", "label": "The echo in the hall"}
    assert [step["passed"] for step in answer.json["lastTest"]["steps"]] == [True]


def test_a_test_that_fails(shell: Shell) -> None:
    """A connection that fails its test exits 1, with what to do."""
    shell.write("connections.yaml", "connections: {hall: {type: echo/token, values: {token: bad}}}")
    answer = shell.run("connections", "test", "hall")
    assert answer.code == 1
    assert answer.json["status"] == "failing"
    assert answer.json["lastTest"]["steps"][0]["hint"] == "Make up another one."


def test_a_connection_that_breaks_its_schema(shell: Shell) -> None:
    """Values that break the type's schema are refused before anything is tried."""
    shell.write("connections.yaml", "connections: {hall: {type: echo/token, values: {tokn: x}}}")
    answer = shell.run("connections", "test", "hall")
    assert answer.code == 2
    assert answer.json["error"]["code"] == "invalid_connection"


def test_a_table(shell: Shell) -> None:
    """The list is a table on a terminal."""
    shell.set(NO_COLOR="1", COLUMNS="80")
    assert "echo/token" in shell.on_terminal("connections", "list").out
