"""A call and a cold command cost what the committed tables say: who adds to them changes a number in the diff."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cost_tables import AGAIN, CALLS, IMPORTS, changed_calls, changed_imports, committed, functions, imports


def test_a_call_makes_as_many_calls_of_functions_as_the_table_says(tmp_path: Path) -> None:
    """Each kind of invocation calls exactly as many of our functions as ``calls.json`` says, module by module."""
    changed = list(changed_calls(committed(CALLS), functions(tmp_path)))
    assert not changed, "\n".join([*changed, AGAIN])


_EACH_COMMIT = ("help", "schema", "search", "invoke", "invoke, first journal", "sendEmail")
"""Commands of each kind; campaigns have the others, each of which takes a process, too."""


@pytest.mark.parametrize("commands", [_EACH_COMMIT, pytest.param(None, marks=pytest.mark.campaign)], ids=["some", "all"])
def test_a_cold_command_imports_what_the_table_says(tmp_path: Path, commands: Sequence[str] | None) -> None:
    """Each command imports exactly those modules of ours, packages of others and dear modules of Python that ``imports.json`` lists."""
    table = committed(IMPORTS)
    rows = {name: table[name] for name in commands or table}
    changed = list(changed_imports(rows, imports(tmp_path, rows) if commands else imports(tmp_path)))
    assert not changed, "\n".join([*changed, AGAIN])
