"""A call and a cold command cost what the committed tables say: who adds to them changes a number
in the diff.
"""

from __future__ import annotations

from pathlib import Path

from tests.costs.cost_tables import (
    AGAIN,
    CALLS,
    IMPORTS,
    changed_calls,
    changed_imports,
    committed,
    functions,
    imports,
)


def test_a_call_makes_as_many_calls_of_functions_as_the_table_says(tmp_path: Path) -> None:
    """Each kind of invocation calls exactly as many of our functions as ``calls.json`` says, module
    by module.
    """
    changed = list(changed_calls(committed(CALLS), functions(tmp_path)))
    assert not changed, "\n".join([*changed, AGAIN])


def test_a_cold_command_imports_what_the_table_says(tmp_path: Path) -> None:
    """Each command imports exactly those modules of ours, packages of others and dear modules of
    Python that ``imports.json`` lists.
    """
    changed = list(changed_imports(committed(IMPORTS), imports(tmp_path)))
    assert not changed, "\n".join([*changed, AGAIN])
