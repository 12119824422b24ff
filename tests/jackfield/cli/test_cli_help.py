"""Small things that people try first: help, misspelt options, headings, and the schema of an
invocation (B12).
"""

from __future__ import annotations

import re

import pytest

from jackfield.cli.commands import BUILT_IN, plugged
from jackfield.cli.tables import heading as derived
from shell import Shell

pytest_plugins = ["shell_fixture"]


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "usage: jackfield COMMAND"), (["invoke"], "--concurrency"), (["db", "backup"], "PATH")],
)
def test_b12_help_is_a_command(shell: Shell, words: list[str], said: str) -> None:
    """``jackfield help``, and ``help`` of a command, say what ``--help`` says."""
    answer = shell.run("help", *words)
    assert (answer.code, said in answer.out) == (0, True)
    assert answer.out == shell.run(*words, "--help").out


def test_the_first_page_is_short(shell: Shell) -> None:
    """``--help`` shows at most 16 commands in three groups, and where the others stand."""
    said = shell.run("--help").out
    assert re.findall(r"(?m)^(\S.*)\n  \w", said) == ["Call", "Connect", "Run a server"]
    assert len(_commands(said)) <= 16
    assert all(topic in said for topic in ("operate", "make", "market", "ses", "aws", "all"))


@pytest.mark.parametrize(
    ("topic", "command"),
    [
        ("call", "invoke"),
        ("connect", "connections"),
        ("operate", "worker"),
        ("operate", "db"),
        ("make", "new"),
        ("market", "sign"),
        ("ses", "convert"),
        ("aws", "offers"),
    ],
)
def test_help_of_a_topic(shell: Shell, topic: str, command: str) -> None:
    """``help TOPIC`` shows the commands of one kind of reader, each with a line, and ``help all``
    shows each command once.
    """
    answer, all_of_them = shell.run("help", topic), _commands(shell.run("help", "all").out)
    assert (answer.code, command in _commands(answer.out)) == (0, True)
    assert {*_commands(answer.out)} < {*all_of_them}
    assert sorted(all_of_them) == sorted(
        {*all_of_them} | {name.replace(".", " ") for name in (*BUILT_IN, *plugged())}
    )


def _commands(said: str) -> list[str]:
    return re.findall(r"(?m)^  (\S+(?: \S+)?) {2,}\S", said)


def test_b12_a_misspelt_option(shell: Shell) -> None:
    """An option that is not known names the nearest one."""
    answer = shell.run("invoke", "echo", "say", "--conection", "hall")
    assert (answer.code, "did you mean '--connection'?" in answer.json["error"]["message"]) == (
        2,
        True,
    )


@pytest.mark.parametrize(
    ("given", "meant"),
    [("--key", "--idempotency-key"), ("--version", "--connector-version"), ("--on", None)],
)
def test_a_word_of_an_option_names_the_option(shell: Shell, given: str, meant: str | None) -> None:
    """A person remembers one word of it. A word that several options have, or none, names none."""
    message = shell.run("invoke", "echo", "say", f"{given}=1").json["error"]["message"]
    assert (f"did you mean '{meant}'?" in message) == (meant is not None)


@pytest.mark.parametrize("shape", ["invocation", "result"])
def test_b12_the_schema_of_an_invocation(shell: Shell, shape: str) -> None:
    """The schemas of invocations and Results are printed, beside no connector."""
    assert shell.run("schema", f"--{shape}").json["$id"].endswith(f"/{shape}/1")
    assert shell.run("schema", "echo", f"--{shape}").code == shell.run("schema").code == 2


@pytest.mark.parametrize(
    ("column", "heading"),
    [
        ("invocationId", "Invocation"),
        ("createdAt", "Created"),
        ("idempotencyKey", "Idempotency key"),
        ("id", "Id"),
        ("name", "Name"),
    ],
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
