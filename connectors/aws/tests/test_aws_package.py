"""The package is cheap to import and says what it is."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import jackfield_aws


def test_import_brings_no_sdk() -> None:
    """Importing the package imports neither botocore nor boto3 nor urllib3."""
    code = (
        "import sys, jackfield_aws; print([name for name in sys.modules if "
        "name.split('.')[0] in ('boto3', 'botocore', 'urllib3')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": ":".join(sys.path)},
    )
    assert done.stdout.strip() == "[]"


def test_import_brings_no_sts() -> None:
    """What only a role or a connection's test needs is not imported with the connection types."""
    code = (
        "import sys, jackfield_aws; print([name for name in sys.modules if name in "
        "('jackfield_aws.sts', 'jackfield_aws.connection_test')])"
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
    assert project["version"] == jackfield_aws.VERSION


def test_all_is_what_is_there() -> None:
    """Every exported name exists, and each is exported once."""
    assert len(set(jackfield_aws.__all__)) == len(jackfield_aws.__all__)
    assert all(hasattr(jackfield_aws, name) for name in jackfield_aws.__all__)
