"""Modules that a call loads: without a database, none of what keeps things."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from plugboard import make_echo

MOST = 136
"""Modules of ours that a call over an inline connection loads when the database is ``none``."""
ABSENT = tuple(
    f"jackfield.{name}"
    for name in (
        "access",
        "database",
        "files",
        "journal",
        "management",
        "recording",
        "resources",
        "store",
    )
)
CALL = """
import sys
from jackfield import Jackfield
call = {"connector": "echo", "action": "say", "connection": {"type": "echo/token", "values": {"token": "abc"}}, "inputs": {"text": "x"}}
with Jackfield(database_url="none") as jackfield:
    result = jackfield.invoke(call)
assert result.status == "succeeded", result
print(*sorted(name for name in sys.modules if name.split(".")[0] == "jackfield"))
"""


def test_a_call_without_a_database_loads_none_of_it(tmp_path: Path) -> None:
    """A call with ``database_url="none"`` imports no module of the database, and no more modules in
    all than the number says.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(make_echo(tmp_path))}
    done = subprocess.run(
        [sys.executable, "-c", CALL], env=environment, capture_output=True, text=True, check=True
    )
    names = done.stdout.split()
    assert [name for name in names if name.startswith(ABSENT)] == []
    assert 100 < len(names) <= MOST, names
