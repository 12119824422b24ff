"""Where jackfield-platform is not installed: its commands name the extra, and so does what the library would ask of it."""

from __future__ import annotations

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture"]
COMMANDS = ("audit", "callbacks", "connect-sessions", "deliveries", "events", "schedules", "subscriptions", "triggers", "workspaces")
EVENTS = """
from jackfield import Jackfield, JackfieldError

call = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "x"}}
with Jackfield() as jackfield:
    print(jackfield.invoke(call).status, len(jackfield.journal.entries(limit=9)[0]))
    jackfield.connections.add("mine", "echo/token", {"token": "t"}, test=False)
    jackfield.connections.remove("mine")
    try:
        jackfield.events()
    except JackfieldError as error:
        print(error)
"""


@pytest.fixture(autouse=True)
def _without_the_platform(shell: Shell) -> None:
    (shell.plugs / "jackfield_platform-0.dist-info").mkdir()


@pytest.mark.parametrize("command", COMMANDS)
def test_its_commands_name_the_extra(shell: Shell, command: str) -> None:
    """Who types one learns which package has it."""
    answer = shell.run(command, "list")
    assert answer.code == 2
    assert answer.json["error"]["hint"] == "Install it: pip install 'jackfield[platform]'."


def test_calls_and_connections_need_none(shell: Shell) -> None:
    """A call is kept in the journal, a connection is stored and removed; only events are refused."""
    shell.set(JACKFIELD_DATABASE_URL=f"sqlite:///{shell.folder}/kept.db")
    answer = shell.python(EVENTS)
    assert answer.out.splitlines()[0] == "succeeded 1", answer.err
    assert "jackfield-platform, which is not installed" in answer.out
