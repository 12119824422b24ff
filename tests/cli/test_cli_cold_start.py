"""A cold command imports what it needs and no more."""

from __future__ import annotations

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture"]

DEAR = ("pydantic", "jsonschema_rs", "pluggy", "cryptography", "yaml", "rich", "logging", "importlib.metadata", "boto3", "jackfield_echo")


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


def test_pydantic_looks_for_no_plugins(shell: Shell) -> None:
    """The command keeps pydantic from scanning all distributions for plugins, unless the caller has said otherwise."""
    code = "import os\nfrom jackfield.cli.main import main\nmain(['--version'])\nprint(os.environ['PYDANTIC_DISABLE_PLUGINS'])"
    assert shell.python(f"import os\nos.environ.pop('PYDANTIC_DISABLE_PLUGINS')\n{code}").out.endswith("\n__all__\n")
    assert shell.python(f"import os\nos.environ['PYDANTIC_DISABLE_PLUGINS'] = 'some'\n{code}").out.endswith("\nsome\n")
