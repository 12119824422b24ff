"""``make test-changed`` chooses tests by the map of ``make test-map``, which runs here in a small
repository with our runner.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_FILES = {
    "pyproject.toml": """
[tool.pytest.ini_options]
addopts = ["-p", "forked", "--import-mode=importlib"]
pythonpath = ["tests/runner", "source"]
testpaths = ["tests"]
""",
    ".gitignore": ".cache/\n__pycache__/\n",
    "docs/page.md": "a page",
    "source/parcels/__init__.py": "from parcels.prices import RATE as RATE",
    "source/parcels/prices.py": """
from functools import lru_cache

RATE = 2

class Price:
    currency = "EUR"
    def __init__(self, weight):
        self.amount = _rounded(weight * RATE)
    def __str__(self):
        return f"{self.amount} {self.currency}"

@lru_cache
def _rounded(amount):
    return round(amount)

def declared(function):
    return function
""",
    "source/parcels/routes.py": """
from parcels import RATE
from parcels.prices import declared

@declared
def route():
    return "by ship"

def fee():
    return RATE
""",
    "tests/test_price.py": """
from parcels.prices import Price

def test_price():
    assert Price(1).amount == 2
""",
    "tests/test_text.py": """
from parcels.prices import Price

def test_text():
    assert str(Price(1)) == "2 EUR"
""",
    "tests/test_child.py": """
import os, subprocess, sys

def test_child():
    kept = {"PYTHONPYCACHEPREFIX": os.environ.get("PYTHONPYCACHEPREFIX", "")}
    program = "import sys; sys.path.append('source'); from parcels.routes import fee; fee()"
    subprocess.run([sys.executable, "-c", program], env=kept, check=True)
""",
    "tests/test_route.py": """
from parcels.routes import route

def test_route():
    assert route() == "by ship"
""",
    "tests/test_page.py": """
from pathlib import Path

def test_page():
    assert Path("docs/page.md").read_text() == "a page"
""",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose map was made."""
    root = tmp_path_factory.mktemp("changed")
    for path, text in _FILES.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    shutil.copytree(_ROOT / "tests" / "runner", root / "tests" / "runner")
    (root / ".ci").mkdir()
    for name in ("changed.py", "code_difference.py"):
        shutil.copy(_ROOT / ".ci" / name, root / ".ci")
    _git(root, "init", "--quiet")
    _git(root, "add", ".")
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    _git(root, *who, "commit", "--quiet", "--message", "Begin")
    made = _python(root, "tests/runner/footprint_code.py", "--workers", "2")
    assert made.returncode == 0, made.stdout
    return root


@pytest.fixture
def changed(project: Path) -> Iterator[Path]:
    """The repository, which is put back after the test."""
    yield project
    _git(project, "checkout", "--quiet", ".")
    _git(project, "clean", "--quiet", "--force", "-d")


def _git(root: Path, *words: str) -> None:
    subprocess.run(["git", *words], cwd=root, check=True)


def _python(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    # plugins, and hypothesis' table of all characters, take longer than these runs
    cheaper = {
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "HYPOTHESIS_STORAGE_DIRECTORY": str(_ROOT / ".hypothesis"),
        "WORKERS": "2",
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=root,
        env={**os.environ, **cheaper},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )


def _chosen(root: Path) -> set[str]:
    """Return the test files that the changes in a repository can affect, without ``test_``."""
    done = _python(root, ".ci/changed.py", "--list")
    assert done.returncode == 0, done.stdout
    return {Path(path).stem.removeprefix("test_") for path in done.stdout.split()}


@pytest.mark.parametrize(
    ("path", "old", "new", "chosen"),
    [
        pytest.param("prices", '"{self', '"about {self', {"text"}, id="function"),
        pytest.param("prices", "round(", "int(", {"price", "text"}, id="called function"),
        pytest.param("routes", "return RATE", "return 3", {"child"}, id="child process"),
        pytest.param(
            "prices", "RATE = 2", "RATE = 4", {"price", "text", "child", "route"}, id="constant"
        ),
        pytest.param(
            "prices", "EUR", "USD", {"price", "text", "child", "route"}, id="field of a class"
        ),
        pytest.param(
            "prices",
            "return function",
            "return print",
            {"price", "text", "child", "route"},
            id="decorator",
        ),
        pytest.param("prices", "RATE = 2", "RATE = 2  # for all", set(), id="comment"),
        pytest.param("prices", "RATE = 2", "RATE = 2\nOTHER = 3", set(), id="added constant"),
        pytest.param("routes", "def fee", "def new(): pass\ndef fee", set(), id="added function"),
    ],
)
def test_code_chooses_what_executed_it(
    changed: Path, path: str, old: str, new: str, chosen: set[str]
) -> None:
    """A changed function chooses what executed it, in any process. What stands outside of functions
    or runs when a module is imported chooses what executed a module that imports it.
    """
    file = changed / "source" / "parcels" / f"{path}.py"
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), encoding="utf-8")
    assert _chosen(changed) == chosen


def test_a_file_chooses_what_opened_it(changed: Path) -> None:
    """A page chooses the test that reads it, and no other."""
    (changed / "docs" / "page.md").write_text("another", encoding="utf-8")
    assert _chosen(changed) == {"page"}


def test_changed_and_new_tests_run(changed: Path) -> None:
    """A changed test file is run, and so is one that the map does not have; others are not."""
    (changed / "tests" / "test_route.py").write_text("def test_route(): pass", encoding="utf-8")
    (changed / "tests" / "test_new.py").write_text("def test_new(): assert False", encoding="utf-8")
    done = _python(changed, ".ci/changed.py")
    assert done.returncode == 1, done.stdout
    assert "2 test files of 6" in done.stdout
    assert "1 failed, 1 passed" in done.stdout
    assert "FAILED tests/test_new.py::test_new" in done.stdout


def test_without_a_map_it_says_how_to_make_one(project: Path) -> None:
    """Nothing is run then."""
    folder = project / ".cache" / "footprints"
    folder.rename(folder.with_name("away"))
    try:
        done = _python(project, ".ci/changed.py")
    finally:
        folder.with_name("away").rename(folder)
    assert (done.returncode, done.stdout.count("\n")) == (2, 1)
    assert "make test-map" in done.stdout
