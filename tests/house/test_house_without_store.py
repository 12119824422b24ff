"""The framework without the package that keeps things: what it runs, and what it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from plugboard import make_echo

MISSING = """
import sys
sys.modules.update({"jackfield.store": None, "jackfield.management": None, "jackfield.database": None})
from jackfield import Jackfield, JackfieldError
CALL = {"connector": "echo", "action": "say", "connection": {"type": "echo/token", "values": {"token": "abc"}}, "inputs": {"text": "x"}}
"""
"""Beginning of a program in which those modules cannot be imported."""
METADATA = "jackfield-0.dist-info"
CALLS = """
with Jackfield() as first, Jackfield() as second:
    print(first.invoke(CALL).status, second.invoke(CALL).status, first.journal)
"""


def ran(folder: Path, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a process that has the connector ``echo``, and a distribution ``jackfield`` that brings no part of a runtime."""
    known = {name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")}
    (folder / METADATA).mkdir()
    (folder / METADATA / "METADATA").write_text("Metadata-Version: 2.1\nName: jackfield\nVersion: 0\n")
    environment = {
        **known,
        "JACKFIELD_HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join([str(folder), *make_echo(folder)]),
        **variables,
    }
    return subprocess.run([sys.executable, "-c", MISSING + program], env=environment, capture_output=True, text=True, check=False)


def test_without_a_store_no_url_means_none_and_is_said_once(tmp_path: Path) -> None:
    """Calls run, nothing is kept, and stderr says so once for the process."""
    done = ran(tmp_path, CALLS)
    assert done.stdout == "succeeded succeeded None\n", done.stderr
    assert done.stderr.count("nothing is kept") == len(done.stderr.splitlines()) == 1


def test_a_database_of_none_is_said_to_nobody(tmp_path: Path) -> None:
    """Who asked for no database knows it."""
    done = ran(tmp_path, CALLS, JACKFIELD_DATABASE_URL="none")
    assert (done.stdout, done.stderr) == ("succeeded succeeded None\n", "")


@pytest.mark.parametrize(
    "step",
    [
        'Jackfield(database_url="sqlite:////tmp/never-made.db")',
        'Jackfield(database_url="none").connections',
        'Jackfield(database_url="none").invoke({**CALL, "idempotencyKey": "k"}).error.to_json()',
    ],
)
def test_what_needs_a_store_names_the_extra(tmp_path: Path, step: str) -> None:
    """A database's URL, stored connections and idempotency keys are refused, each with what to install."""
    done = ran(tmp_path, f"try:\n    print({step})\nexcept JackfieldError as error:\n    print(error)\n")
    assert "jackfield[store]" in done.stdout, done


def test_a_database_in_the_data_folder_is_not_passed_over(tmp_path: Path) -> None:
    """Rules, guards and journal of a database must not seem to be gone: the runtime does not begin."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "jackfield.db").touch()
    done = ran(tmp_path, "try:\n    Jackfield()\nexcept JackfieldError as error:\n    print(error)\n")
    assert "there is a database at" in done.stdout, done
    assert "jackfield[store]" in done.stdout
