"""Where jackfield-server is not installed: its commands name the extra, and those of the framework and the store work as ever."""

from __future__ import annotations

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture"]


@pytest.fixture(autouse=True)
def _without_the_server(shell: Shell) -> None:
    (shell.plugs / "jackfield_server-0.dist-info").mkdir()


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_its_commands_name_the_extra(shell: Shell, command: str) -> None:
    """Who types one learns which package has it."""
    answer = shell.run(command)
    assert answer.code == 2
    assert answer.json["error"]["message"] == f"the command '{command}' is part of jackfield-server, which is not installed"
    assert answer.json["error"]["hint"] == "Install it: pip install 'jackfield[server]'."


def test_search_and_calls_need_none(shell: Shell) -> None:
    """A new process that searches, calls and prints the published schemas imports nothing of the server."""
    code = """
import sys
from jackfield.cli.main import main

for words in (["search", "say"], ["invoke", "echo", "say", "--connection", "hall", "text=hi"], ["schema", "--result"]):
    assert main(words) == 0, words
print([name for name in sys.modules if name.startswith("jackfield_server")], file=sys.stderr)
"""
    answer = shell.python(code)
    assert answer.code == 0, answer
    assert answer.err.splitlines()[-1] == "[]"
