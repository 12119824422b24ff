"""``jackfield connections``: list, show, test."""

from __future__ import annotations

from typing import Any

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture"]

HALL = {"name": "hall", "type": "echo/token", "source": "connections.yaml", "status": "untested"}


@pytest.mark.parametrize(
    ("files", "code", "rows", "told"),
    [
        ({}, 0, [HALL], ""),
        (None, 0, [], ""),
        (
            {"connections.yaml": "{hall: {type: echo/token}, 'no name!': {type: echo/token}}"},
            1,
            None,
            "connection 'no name!'",
        ),
        (
            {"more.yaml": "{hall: {type: echo/token}}"},
            1,
            None,
            "'hall' is defined more than once: in connections.yaml and more.yaml\n",
        ),
    ],
    ids=["a file", "none", "a file that cannot be read whole", "a name in two files"],
)
def test_list(
    shell: Shell, files: dict[str, str] | None, code: int, rows: list[Any] | None, told: str
) -> None:
    """``list`` names each connection, its type and where it comes from, and no values; what cannot
    be used is told on stderr and by exit code 1, and the rest is listed.
    """
    for name, content in (files or {}).items():
        shell.write(name, f"connections: {content}")
    shell.set(
        JACKFIELD_CONNECTIONS=""
        if files is None
        else ":".join(dict.fromkeys(["connections.yaml", *files]))
    )
    answer = shell.run("connections", "list")
    assert (answer.code, [row["name"] for row in answer.json]) == (
        code,
        ["hall"] if files is not None else [],
    )
    assert rows is None or answer.json == rows
    assert (told in answer.err, bool(answer.err)) == (True, code == 1)


def test_a_misspelt_type_is_told(shell: Shell) -> None:
    """A connection of a type that no installed connector has is listed, with the nearest name of
    one that is.
    """
    shell.write("connections.yaml", "connections: {den: {type: echo/tokne, values: {token: t}}}")
    answer = shell.run("connections", "list")
    assert (answer.code, [row["name"] for row in answer.json]) == (0, ["den"])
    assert "'echo/tokne' of the connection 'den'; did you mean 'echo/token'?" in answer.err


def test_show(shell: Shell) -> None:
    """``show`` prints a connection with its secrets masked; one that is not there is refused with
    the nearest name.
    """
    answer = shell.run("connections", "show", "hall")
    assert (answer.code, answer.json["name"], answer.json["values"]["greeting"]) == (
        0,
        "hall",
        "Hi",
    )
    assert "s3cret-token" not in answer.out
    missing = shell.run("connections", "show", "hal")
    assert (missing.code, missing.json["error"]["code"]) == (2, "unknown_connection")
    assert "did you mean 'hall'?" in missing.json["error"]["message"]


def test_test(shell: Shell) -> None:
    """``test`` says what each step found and whose the connection is; it exits 1, with what to do,
    where a step fails, and 2 where values that break the type's schema are not tried.
    """
    passed = shell.run("connections", "test", "hall")
    assert (passed.code, passed.json["status"]) == (0, "ok")
    assert passed.json["account"] == {"id": "echo-1", "label": "The echo in the hall"}
    assert [step["passed"] for step in passed.json["lastTest"]["steps"]] == [True]
    shell.write("connections.yaml", "connections: {hall: {type: echo/token, values: {token: bad}}}")
    failed = shell.run("connections", "test", "hall")
    assert (failed.code, failed.json["status"]) == (1, "failing")
    assert failed.json["lastTest"]["steps"][0]["hint"] == "Make up another one."
    shell.write("connections.yaml", "connections: {hall: {type: echo/token, values: {tokn: x}}}")
    refused = shell.run("connections", "test", "hall")
    assert (refused.code, refused.json["error"]["code"]) == (2, "invalid_connection")
