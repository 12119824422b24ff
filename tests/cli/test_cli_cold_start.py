"""A cold command imports what it needs and no more."""

from __future__ import annotations

import gc
import json

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture"]

DEAR = (
    "pydantic",
    "jsonschema_rs",
    "pluggy",
    "cryptography",
    "yaml",
    "rich",
    "logging",
    "importlib.metadata",
    "boto3",
    "mcp",
    "jackfield_echo",
)


@pytest.mark.parametrize(
    ("words", "not_imported"),
    [
        (["--help"], (*DEAR, "argparse", "jackfield.cli.output", "jackfield.pipe")),
        (["--version"], (*DEAR, "argparse", "json", "dataclasses", "jackfield.catalog")),
        (["connectors", "list"], (*DEAR, "jackfield.pipe", "jackfield.connections")),
        (["schema", "echo", "say"], (*DEAR, "jackfield.pipe")),
        (["nonsense"], (*DEAR, "jackfield.pipe")),
        (["invoke", "ecco", "say"], ("pydantic", "rich", "boto3", "jackfield_echo")),
    ],
)
def test_imports(shell: Shell, words: list[str], not_imported: tuple[str, ...]) -> None:
    """Modules that a command does not need are not imported by it."""
    answer = shell.python(f"import sys\nfrom jackfield.cli.main import main\nmain({words})\nprint(*sys.modules, file=sys.stderr)")
    imported = answer.err.splitlines()[-1].split()
    assert "jackfield.cli.main" in imported
    assert [name for name in not_imported if name in imported] == []


CALL = {"connector": "echo", "action": "say", "inputs": {"text": "Hello"}, "connection": "hall"}
LEFT_OUT = (
    "asyncio",
    "concurrent.futures",
    "rich",
    "yaml",
    "pluggy",
    "jackfield.cli.arguments",
    "jackfield.access.tokens",
    "jackfield.management.connections",
)
"""What a whole invocation from a file, of a synchronous action, never needs."""


@pytest.mark.parametrize(
    ("database", "not_imported"),
    [
        (
            "none",
            (
                *LEFT_OUT,
                "sqlite3",
                "cryptography",
                "jackfield.access.rules",
                "jackfield.database",
                "jackfield.journal",
                "jackfield.connections.shared_leases",
            ),
        ),
        ("", (*LEFT_OUT, "psycopg", "jackfield.database.postgres", "jackfield.connections.connection_table")),
    ],
    ids=["no database", "the default one"],
)
def test_imports_of_an_invocation(shell: Shell, database: str, not_imported: tuple[str, ...]) -> None:
    """A synchronous invocation drives its steps by itself; without a database there are no rules, no journal and nothing to decrypt."""
    connection = {"type": "echo/token", "values": {"token": "s3cret-token"}}
    connections = shell.write("connections.json", json.dumps({"connections": {"hall": connection}}))
    shell.write("call.json", json.dumps(CALL))
    shell.set(JACKFIELD_CONNECTIONS=str(connections), JACKFIELD_DATABASE_URL=database, JACKFIELD_HOME=str(shell.folder / "home"))
    answer = shell.python(
        "import sys\nfrom jackfield.cli.main import main\nmain(['invoke', '--file', 'call.json'])\nprint(*sys.modules, file=sys.stderr)"
    )
    imported = answer.err.splitlines()[-1].split()
    assert answer.json["status"] == "succeeded"
    assert "jackfield_echo" in imported
    assert [name for name in not_imported if name in imported] == []


def test_a_command_in_a_process_of_others_leaves_its_collector_alone(shell: Shell) -> None:
    """Only a process that ends with the command stops looking for garbage."""
    before = gc.get_threshold(), gc.get_freeze_count()
    assert shell.run("invoke", "echo", "say", "text=Hello", "--connection", "hall").code == 0
    assert (gc.get_threshold(), gc.get_freeze_count()) == before


def test_a_process_that_ends_looks_for_no_garbage(shell: Shell) -> None:
    """Where the command is all that the process is for, what it has made is left to the system."""
    code = "import gc, sys\nfrom jackfield.cli.main import main\nsys.argv = ['jackfield', '--version']\nmain()\n"
    assert shell.python(f"{code}print(gc.get_freeze_count() > 0)").out.endswith("\nTrue\n")


def test_pydantic_looks_for_no_plugins(shell: Shell) -> None:
    """The command keeps pydantic from scanning all distributions for plugins, unless the caller has said otherwise."""
    code = "import os\nfrom jackfield.cli.main import main\nmain(['--version'])\nprint(os.environ['PYDANTIC_DISABLE_PLUGINS'])"
    assert shell.python(f"import os\nos.environ.pop('PYDANTIC_DISABLE_PLUGINS')\n{code}").out.endswith("\n__all__\n")
    assert shell.python(f"import os\nos.environ['PYDANTIC_DISABLE_PLUGINS'] = 'some'\n{code}").out.endswith("\nsome\n")
