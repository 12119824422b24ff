"""Small things that people try first: help, misspelt options, headings, and the schema of an invocation (B12)."""

from __future__ import annotations

import pytest

from jackfield.cli.tables import heading as derived
from shell import Shell

pytest_plugins = ["shell_fixture"]


@pytest.mark.parametrize(("words", "said"), [([], "usage: jackfield COMMAND"), (["invoke"], "--concurrency"), (["db", "backup"], "PATH")])
def test_b12_help_is_a_command(shell: Shell, words: list[str], said: str) -> None:
    """``jackfield help``, and ``help`` of a command, say what ``--help`` says."""
    answer = shell.run("help", *words)
    assert (answer.code, said in answer.out) == (0, True)
    assert answer.out == shell.run(*words, "--help").out


def test_b12_a_misspelt_option(shell: Shell) -> None:
    """An option that is not known names the nearest one."""
    answer = shell.run("invoke", "echo", "say", "--conection", "hall")
    assert (answer.code, "did you mean '--connection'?" in answer.json["error"]["message"]) == (2, True)


@pytest.mark.parametrize("shape", ["invocation", "result"])
def test_b12_the_schema_of_an_invocation(shell: Shell, shape: str) -> None:
    """The schemas of invocations and Results are printed, beside no connector."""
    assert shell.run("schema", f"--{shape}").json["$id"].endswith(f"/{shape}/1")
    assert shell.run("schema", "echo", f"--{shape}").code == shell.run("schema").code == 2


@pytest.mark.parametrize(
    ("column", "heading"),
    [("invocationId", "Invocation"), ("createdAt", "Created"), ("idempotencyKey", "Idempotency key"), ("id", "Id"), ("name", "Name")],
)
def test_b12_headings_are_words(column: str, heading: str) -> None:
    """Headings of tables are words, not the names of members."""
    assert derived(column) == heading


def test_b12_connections_of_a_broken_file(shell: Shell) -> None:
    """Where no connection can be read the list is an error object, as in every other command."""
    shell.write("connections.yaml", "connections: [")
    answer = shell.run("connections", "list")
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_connection")
    assert "connections.yaml" in answer.json["error"]["details"][0]["message"]
