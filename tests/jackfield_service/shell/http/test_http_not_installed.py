"""Where the requirements of the extra ``server`` are not installed: its commands name the extra,
and all else works as ever.
"""

from __future__ import annotations

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture"]
COMMAND = """
import sys
sys.modules["starlette"] = None
from jackfield.cli.main import main

sys.exit(main({words}))
"""
MODULES = """
import sys
sys.modules.update(dict.fromkeys(("mcp", "orjson", "starlette", "uvicorn")))
import importlib
from pathlib import Path

import jackfield_service

folder = Path(jackfield_service.__file__).parent
serving = {"http", "page", "pages", "operations", "sweeps", "mcp"}
for path in sorted((folder / "subjects").rglob("*.py")):
    if not serving.isdisjoint(path.relative_to(folder).with_suffix("").parts):
        continue
    importlib.import_module(".".join(("jackfield_service", *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"))
"""


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_its_commands_name_the_extra(shell: Shell, command: str) -> None:
    """Who types one learns which extra has what it needs."""
    answer = shell.python(COMMAND.format(words=[command]))
    assert answer.code == 2, answer
    assert (
        answer.json["error"]["message"]
        == f"the command '{command}' needs the extra 'server', which is not installed"
    )
    assert answer.json["error"]["hint"] == "Install it: pip install 'jackfield[server]'."


@pytest.mark.parametrize(
    "words",
    [("schedules", "list"), ("events", "list"), ("callbacks", "list"), ("workspaces", "list")],
)
def test_subjects_are_managed_without_a_server(shell: Shell, words: tuple[str, ...]) -> None:
    """The commands of subjects need a database alone."""
    shell.set(JACKFIELD_DATABASE_URL=f"sqlite:///{shell.folder}/kept.db")
    answer = shell.python(COMMAND.format(words=list(words)))
    assert answer.code == 0, answer


def test_subjects_are_imported_without_a_server(shell: Shell) -> None:
    """No module of a subject imports what the extras bring, but those of fixed names that serve
    requests, and the MCP endpoint.
    """
    answer = shell.python(MODULES)
    assert answer.code == 0, answer.err


def test_search_and_calls_need_none(shell: Shell) -> None:
    """A new process that searches, calls and prints the published schemas imports nothing of the
    service's shell.
    """
    code = """
import sys
from jackfield.cli.main import main

for words in (["search", "say"], ["invoke", "echo", "say", "--connection", "hall", "text=hi"], ["schema", "--result"]):
    assert main(words) == 0, words
print([name for name in sys.modules if name.startswith("jackfield_service.shell")], file=sys.stderr)
"""
    answer = shell.python(code)
    assert answer.code == 0, answer
    assert answer.err.splitlines()[-1] == "[]"
