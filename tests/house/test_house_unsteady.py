"""``.ci/run`` tries few failed tests once more, and nothing else that fails.

It runs here in a small repository with our Makefile. Its tools are empty programs, except pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_PROJECT = f"""
[tool.pytest.ini_options]
addopts = ["-p", "kept_failures", "-p", "forked"]
pythonpath = ["{_ROOT}/tests/runner"]
testpaths = ["tests"]
"""
_EMPTY = ("apt", "clients", "types", "wheels", "airflow")
_PYTHON = f"""
case "$*" in *" --workers "* | *" --failures "* | *unsteady.py*) exec "{sys.executable}" "$@" ;; esac
"""
"""Python that runs the tests, those that are tried again, and what decides on them."""
_CHANCE = """
from pathlib import Path
import pytest

def fails_at_first(name):
    mark = Path(__file__).with_name(name)
    if not mark.exists():
        mark.touch()
        raise ConnectionError(f"the port of {name} was taken")

@pytest.fixture
def port():
    fails_at_first("port")

def test_first():
    fails_at_first("first")

def test_of_a_fixture(port):
    pass
"""
_TWICE = """
def test_wrong():
    raise ConnectionError("never there")
"""
_MANY = """
import pytest

@pytest.mark.parametrize("number", range(4))
def test_wrong(number):
    assert number < 0
"""
_CRASH = """
import os
from pathlib import Path

def test_gone():
    mark = Path(__file__).with_name("gone")
    if not mark.exists():
        mark.touch()
        os._exit(7)
"""
_SKIPPED_AGAIN = """
from pathlib import Path
import pytest

def test_unsure():
    mark = Path(__file__).with_name("mark")
    if mark.exists():
        pytest.skip("no longer")
    mark.touch()
    raise AssertionError
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository whose other checks pass."""
    root = tmp_path / "project"
    tools = root / ".venv" / "bin"
    for folder in (".ci", ".cache", "tests"):
        (root / folder).mkdir(parents=True)
    tools.mkdir(parents=True)
    for name in ("Makefile", ".ci/run", ".ci/unsteady.py"):
        shutil.copy(_ROOT / name, root / name)
    for path in (*(root / ".ci" / name for name in _EMPTY), tools / "ruff", tools / "lint-imports"):
        _program(path, "")
    _program(tools / "python", _PYTHON)
    (root / "pyproject.toml").write_text(_PROJECT, encoding="utf-8")
    (root / "constraints.txt").touch()
    (root / "tests" / "test_good.py").write_text("def test_good(): pass", encoding="utf-8")
    (root / ".venv" / ".stamp").touch()
    return root


def _program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def _run(root: Path, command: str = ".ci/run") -> subprocess.CompletedProcess[str]:
    """Run a command as a shell would that no other make has started: CI's gives ``DEFER``."""
    of_others = ("MAKE", "CI", "DEFER")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(of_others)
    }
    environment |= {
        "WORKERS": "2",
        # plugins, and hypothesis' table of all characters, take longer than these runs
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(_ROOT / ".hypothesis"),
    }
    if sys.pycache_prefix:  # pytest is compiled already
        environment["MAKEFLAGS"] = f" -- PYTHONPYCACHEPREFIX={sys.pycache_prefix}"
    return subprocess.run(
        command.split(),
        cwd=root,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )


def test_tests_that_pass_alone_are_unsteady(project: Path) -> None:
    """CI passes, and ends with each of these tests and its first failure, also one of a fixture."""
    (project / "tests" / "test_chance.py").write_text(_CHANCE, encoding="utf-8")
    done = _run(project)
    assert done.returncode == 0, done.stdout
    assert "all checks passed" not in done.stdout
    _, first, fixture = done.stdout.split("unsteady: ")
    assert first.startswith("tests/test_chance.py::test_first\n    call: ")
    assert "ConnectionError: the port of first was taken" in first
    assert fixture.startswith("tests/test_chance.py::test_of_a_fixture\n    setup: ")
    assert "ConnectionError: the port of port was taken" in fixture


def test_a_run_without_failures_names_nothing(project: Path) -> None:
    """Nothing is run again where all passed, nor is what an earlier run left."""
    left = project / ".cache" / "deferred.json"
    left.write_text('{"tests/test_old.py::test_old": "call: "}', encoding="utf-8")
    done = _run(project)
    assert done.returncode == 0, done.stdout
    assert "all checks passed" in done.stdout
    assert "unsteady" not in done.stdout
    assert "once more" not in done.stdout


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        pytest.param(_TWICE, "failed twice: tests/test_bad.py::test_wrong", id="twice"),
        pytest.param(_SKIPPED_AGAIN, "failed twice: tests/test_bad.py::test_unsure", id="skipped"),
        pytest.param(_MANY, "not tried again: 4 tests failed", id="four"),
        pytest.param(
            _CRASH, "not tried again: tests/test_bad.py::test_gone: the process", id="crash"
        ),
        pytest.param("import nowhere", "not tried again: pytest did not run all", id="collection"),
    ],
)
def test_other_failures_fail_the_run(project: Path, tests: str, said: str) -> None:
    """More than three failed tests, a test that fails again or is skipped then, a crash and an
    error of collection fail CI.
    """
    (project / "tests" / "test_bad.py").write_text(tests, encoding="utf-8")
    done = _run(project)
    assert done.returncode != 0, done.stdout
    assert said in done.stdout
    assert "unsteady: " not in done.stdout


def test_another_check_that_fails_fails_the_run(project: Path) -> None:
    """A type error is no failure by chance: no test is tried again then."""
    (project / "tests" / "test_chance.py").write_text(_CHANCE, encoding="utf-8")
    _program(
        project / ".ci" / "types", "until [ -e .cache/deferred.json ]; do sleep 0.05; done; exit 1"
    )
    done = _run(project)
    assert done.returncode != 0, done.stdout
    assert "once more" not in done.stdout
    assert "unsteady: " not in done.stdout


def test_make_test_is_strict(project: Path) -> None:
    """A failure by chance fails ``make test``."""
    (project / "tests" / "test_chance.py").write_text(_CHANCE, encoding="utf-8")
    done = _run(project, "make test")
    assert done.returncode != 0, done.stdout
    assert "1 failed, 1 passed, 1 error" in done.stdout
