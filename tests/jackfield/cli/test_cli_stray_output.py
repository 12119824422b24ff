"""B5: stdout holds answers and nothing else, whatever connectors print."""

from __future__ import annotations

import json

import pytest

from plugboard import make_connector
from shell import Shell

pytest_plugins = ["shell_fixture"]

LOUD = '''
import os, subprocess, sys
from jackfield.connector import Connector, Inputs, Output

print("hello from import")
os.write(1, b"bytes from import\\n")
connector = Connector("loud", title="Loud", version="1.0.0", description="Prints.")


class Nothing(Inputs):
    """Nothing."""


class Done(Output):
    """Nothing."""


@connector.action("shout", effect="read", title="Shout")
def shout(_inputs: Nothing) -> Done:
    """Shout."""
    print("hello from action")
    sys.__stdout__.write("hello from the old object\\n")
    os.write(1, b"bytes from action\\n")
    subprocess.run(["echo", "hello from a child"], check=True)
    return Done()
'''
SHOUT = {"connector": "loud", "action": "shout"}
SAID = [
    "hello from import",
    "bytes from import",
    "hello from action",
    "hello from the old object",
    "bytes from action",
    "hello from a child",
]


@pytest.mark.parametrize(
    "words",
    [
        ("invoke", "loud", "shout"),
        ("invoke", "--lines", "--file", "-"),
        ("connectors", "list", "--check"),
    ],
)
def test_b5_stray_output_goes_to_stderr(shell: Shell, words: tuple[str, ...]) -> None:
    """Prints, bytes for descriptor 1 and the output of children land on stderr: every line of
    stdout is an answer.
    """
    make_connector(shell.plugs, "loud", LOUD)
    answer = shell.ended(shell.start(*words), f"{json.dumps(SHOUT)}\n".encode() * 2)
    assert answer.code == 0, answer.err
    assert len(answer.lines) == (2 if "--lines" in words else 1)
    assert "hello" not in answer.out
    said = SAID if words[0] == "invoke" else SAID[:2]
    assert all(text in answer.err for text in said)


def test_b5_stdout_comes_back(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """A process that runs the command and lives on has its stdout again afterwards."""
    make_connector(shell.plugs, "loud", LOUD)
    answer = shell.run("invoke", "loud", "shout")
    assert answer.json["status"] == "succeeded"
    assert "hello from action" in answer.err
    print("mine")  # noqa: T201 (to see where it goes)
    assert capsys.readouterr().out == "mine\n"


def test_b5_the_descriptor_comes_back(shell: Shell) -> None:
    """So it is where stdout is a real file, and answers stay between what the process writes
    itself.
    """
    make_connector(shell.plugs, "loud", LOUD)
    lines = [
        "import os, sys",
        "from jackfield.cli.main import main",
        "print('before')",
        "main(['invoke', 'loud', 'shout'])",
    ]
    code = "\n".join([*lines, "print('after')", "sys.stdout.flush()", "os.write(1, b'end\\n')"])
    first, result, *rest = shell.python(code).out.splitlines()
    assert (first, json.loads(result)["status"], rest) == ("before", "succeeded", ["after", "end"])
