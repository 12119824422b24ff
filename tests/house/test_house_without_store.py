"""The framework without the package that keeps things: what it runs, and what it refuses."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from jackfield.kernel.packages import DECLARED
from plugboard import make_echo

ROOT = Path(__file__).parents[2]
MISSING = """
import sys
sys.modules.update({"jackfield_store": None})
from jackfield import Jackfield, JackfieldError
CALL = {"connector": "echo", "action": "say", "connection": {"type": "echo/token", "values": {"token": "abc"}}, "inputs": {"text": "x"}}
"""
"""Beginning of a program in which that package cannot be imported."""
LACKING = ("jackfield-store", "jackfield-vault")
"""Distributions that a process of these tests finds without what they bring."""
CALLS = """
with Jackfield() as first, Jackfield() as second:
    print(first.invoke(CALL).status, second.invoke(CALL).status, first.journal)
"""


def ran(folder: Path, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of a process that has the connector ``echo``, and distributions that bring
    nothing.
    """
    known = {name: value for name, value in os.environ.items() if not name.startswith("JACKFIELD_")}
    for name in LACKING:
        metadata = folder / f"{name.replace('-', '_')}-0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")
    environment = {
        **known,
        "JACKFIELD_HOME": str(folder / "home"),
        "PYTHONPATH": os.pathsep.join([str(folder), *make_echo(folder)]),
        **variables,
    }
    return subprocess.run(
        [sys.executable, "-c", MISSING + program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_the_market_its_suite_names_the_extra(tmp_path: Path) -> None:
    """``jackfield.testing`` can be imported; its names say which extra brings them."""
    (tmp_path / "jackfield_market-0.dist-info").mkdir()
    (tmp_path / "jackfield_market-0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: jackfield-market\nVersion: 0\n"
    )
    done = ran(tmp_path, "from jackfield.testing import Provider")
    assert "ModuleNotFoundError" in done.stderr
    assert "pip install 'jackfield[testing]'" in done.stderr


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
        'Jackfield().invoke({**CALL, "connection": "acme"}).error.to_json()',
        "Jackfield().enqueue(CALL)",
    ],
)
def test_what_needs_a_store_names_the_extra(tmp_path: Path, step: str) -> None:
    """A database's URL, stored connections and idempotency keys are refused, each with what to
    install.
    """
    done = ran(
        tmp_path, f"try:\n    print({step})\nexcept JackfieldError as error:\n    print(error)\n"
    )
    assert "jackfield[store]" in done.stdout, done


def test_a_database_in_the_data_folder_is_not_passed_over(tmp_path: Path) -> None:
    """Rules, guards and journal of a database must not seem to be gone: the runtime does not
    begin.
    """
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "jackfield.db").touch()
    done = ran(
        tmp_path, "try:\n    Jackfield()\nexcept JackfieldError as error:\n    print(error)\n"
    )
    assert "there is a database at" in done.stdout, done
    assert "jackfield[store]" in done.stdout


def test_a_reference_to_vault_names_the_extra(tmp_path: Path) -> None:
    """The framework resolves no ``$vault``; where jackfield-vault is not installed, the refusal
    says what to install.
    """
    connection = {
        "type": "echo/token",
        "values": {"token": {"$vault": {"path": "acme", "field": "token"}}},
    }
    program = (
        f"with Jackfield() as one:\n    print(one.invoke({{**CALL, 'connection': "
        f"{connection!r}}}).error.details)\n"
    )
    done = ran(tmp_path, program)
    assert "pip install 'jackfield[vault]'" in done.stdout, done


def test_each_extra_that_a_message_names_exists() -> None:
    """Who follows a refusal's hint finds the extra among jackfield's own."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "optional-dependencies"
    ].keys()
    folders = [*(ROOT / "runtime").iterdir(), *(ROOT / "connectors").iterdir()]
    texts = [
        path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py")
    ]
    named = {
        name
        for text in texts
        for words in re.findall(r"jackfield\[([a-z,]+)\]", text)
        for name in words.split(",")
    }
    named |= {extra for points in DECLARED.values() for _, extra in points.values() if extra}
    assert {"store", "server", "mcp", "search", "vault"} <= named
    assert named <= extras
