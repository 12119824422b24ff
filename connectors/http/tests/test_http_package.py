"""The package is cheap to import and says what it is."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import jackfield_http


def test_import_brings_no_http_library() -> None:
    """Declaring a connector with it imports neither httpcore2 nor httpx2."""
    code = (
        "import sys; from jackfield_http import *; print(sorted({'httpcore2', 'httpx2', "
        "'h11', 'h2'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "[]"


def test_version_is_the_distributions() -> None:
    """The version in the code is the one in pyproject.toml."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert project["version"] == jackfield_http.VERSION
