"""The runner of this repository's tests (``tests/runner/forked.py``) says of tests in forked
children what pytest would say of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_SUPPORT = Path(__file__).parents[1] / "runner"
_GOOD = """
import atexit, os, pathlib, pytest
HERE = pathlib.Path(__file__).parent
PARENT = os.getpid()

@pytest.fixture(scope="session")
def place():
    atexit.register(HERE.joinpath("exited").touch)
    yield
    HERE.joinpath("torn-down").touch()

def test_child(place, tmp_path):
    assert os.getpid() != PARENT

@pytest.mark.skip(reason="not today")
def test_skipped():
    raise AssertionError
"""
_BAD = """
import os

def test_wrong():
    print("what the test printed")
    assert 1 == 2

def test_gone():
    os._exit(7)

def test_never():
    pass
"""


def _ran(folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "forked",
        "-p",
        "no:cacheprovider",
        "-rs",
        "--workers",
        "2",
        *more,
        str(folder),
    ]
    # plugins take half a second to import, and hypothesis' table of all characters more than that
    # to make
    cheaper = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(_SUPPORT.parents[1] / ".hypothesis"),
    }
    environment = {**os.environ, **cheaper, "PYTHONPATH": str(_SUPPORT)}
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_results_of_children_are_those_of_the_run(tmp_path: Path) -> None:
    """Passed and skipped tests are counted, and their durations kept; what a session set up is torn
    down in its child, and its exit functions run.
    """
    (tmp_path / "test_good.py").write_text(_GOOD, encoding="utf-8")
    done = _ran(tmp_path)
    assert done.returncode == 0, done.stdout
    assert "1 passed, 1 skipped" in done.stdout
    assert "not today" in done.stdout
    assert (tmp_path / "torn-down").exists()
    assert (tmp_path / "exited").exists()
    command = [sys.executable, str(_SUPPORT / "kept_durations.py")]
    slowest = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    ).stdout
    assert slowest.startswith("slowest of 2 tests")
    assert "  test_good.py::test_child\n" in slowest


def test_failures_and_crashes_fail_the_run(tmp_path: Path) -> None:
    """A failure shows its output; a child that dies fails the test it was at, and the other modules
    are run all the same.
    """
    (tmp_path / "test_bad.py").write_text(_BAD, encoding="utf-8")
    (tmp_path / "test_good.py").write_text(_GOOD, encoding="utf-8")
    done = _ran(tmp_path)
    assert done.returncode == 1, done.stdout
    assert "2 failed, 1 passed, 1 skipped" in done.stdout
    assert "what the test printed" in done.stdout
    assert (
        "the process of this test ended (7); what follows it in its module was not run"
        in done.stdout
    )
    assert "test_gone" in done.stdout


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(("-x",), id="x"),
        pytest.param(("--maxfail=1",), id="maxfail", marks=pytest.mark.campaign),
    ],
)
def test_a_run_ends_at_the_first_failure_where_that_is_asked_for(
    tmp_path: Path, flags: tuple[str, ...]
) -> None:
    """``-x`` stops the children, too."""
    (tmp_path / "test_bad.py").write_text(_BAD, encoding="utf-8")
    done = _ran(tmp_path, *flags)
    assert done.returncode == 1, done.stdout
    assert "1 failed" in done.stdout
    assert "stopping after 1 failures" in done.stdout
