"""What a command that starts cold leaves undone; what it imports is in
`tests/costs/imports.json`.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from jackfield_store.database import open_database
from shell import Shell
from stage import clean_environment

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


_OPENED = """
import collections, json, sys
opened = collections.Counter()
sys.addaudithook(lambda event, given: opened.update([str(given[0])]) if event == "open" else None)
from jackfield.cli.main import main
main(["connectors", "list"])
points = {name: count for name, count in opened.items() if name.endswith("entry_points.txt")}
sys.stderr.write(f"\\n{max(points.values())} {sum(opened.values()) - sum(points.values())}")
"""


def test_a_list_beside_a_database_opens_few_files(tmp_path: Path) -> None:
    """The connectors that a workspace has stored are looked for once, not once for each connector
    that is installed: an environment has hundreds of both.
    """

    def opened(url: str) -> list[int]:
        environment = {**clean_environment(tmp_path), "JACKFIELD_DATABASE_URL": url}
        done = subprocess.run(
            [sys.executable, "-c", _OPENED],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return [int(number) for number in done.stderr.rpartition("\n")[2].split()]

    url = f"sqlite:///{tmp_path / 'journal.db'}"
    open_database(url, migrate=True).close()
    (alone, few), (beside, more) = opened("none"), opened(url)
    assert alone == 1
    assert beside <= 3
    assert more <= few + 500


@pytest.mark.parametrize(
    "noun",
    ["callbacks", "mcp-servers", "oauth-clients", "schedules", "subscriptions", "suppressions"],
)
def test_a_list_of_a_declared_noun_loads_no_model(shell: Shell, tmp_path: Path, noun: str) -> None:
    """The verbs of a declared noun open the runtime where the noun needs it, and pydantic, which
    costs a third of such a command, is loaded with the first connector.
    """
    url = f"sqlite:///{tmp_path / 'journal.db'}"
    open_database(url, migrate=True).close()
    answer = shell.python(
        f"import os, sys\nos.environ['JACKFIELD_DATABASE_URL'] = {url!r}\n"
        "from jackfield.cli.main import main\n"
        f"main(['{noun}', 'list'])\nprint(sorted(sys.modules), file=sys.stderr)"
    )
    assert answer.out.startswith("[]")
    assert "'jackfield.cli.main'" in answer.err
    assert "'pydantic'" not in answer.err
