"""What a command that starts cold leaves undone; what it imports is in
`tests/costs/imports.json`.
"""

from __future__ import annotations

import gc
from unittest import mock

from shell import Shell

pytest_plugins = ["shell_fixture"]


def test_a_command_in_a_process_of_others_leaves_its_collector_alone(shell: Shell) -> None:
    """Only a process that ends with the command stops looking for garbage."""
    before = gc.get_threshold()
    with mock.patch.object(gc, "freeze") as freeze:
        assert shell.run("invoke", "echo", "say", "text=Hello", "--connection", "hall").code == 0
    assert (gc.get_threshold(), freeze.called) == (before, False)


def test_a_process_that_ends_looks_for_no_garbage(shell: Shell) -> None:
    """Where the command is all that the process is for, what it has made is left to the system."""
    code = (
        "import gc, sys\nfrom jackfield.cli.main import main\nsys.argv = ['jackfield', "
        "'--version']\nmain()\n"
    )
    assert shell.python(f"{code}print(gc.get_freeze_count() > 0)").out.endswith("\nTrue\n")


def test_pydantic_looks_for_no_plugins(shell: Shell) -> None:
    """The command keeps pydantic from scanning all distributions for plugins, unless the caller has
    said otherwise.
    """
    code = (
        "import os\nfrom jackfield.cli.main import "
        "main\nmain(['--version'])\nprint(os.environ['PYDANTIC_DISABLE_PLUGINS'])"
    )
    assert shell.python(
        f"import os\nos.environ.pop('PYDANTIC_DISABLE_PLUGINS')\n{code}"
    ).out.endswith("\n__all__\n")
    assert shell.python(
        f"import os\nos.environ['PYDANTIC_DISABLE_PLUGINS'] = 'some'\n{code}"
    ).out.endswith("\nsome\n")
