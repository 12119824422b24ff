"""The fixture ``flow``, for test modules that say ``pytest_plugins = ["shell_fixture",
"tests.jackfield_dapr.workflow_fixture"]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_dapr.workflow_files import Runner

from fake_aws import FakeAws
from plugboard import declare, plugged
from shell import Shell


@pytest.fixture
def flow(shell: Shell, aws: FakeAws, tmp_path: Path) -> Iterator[Runner]:
    """A runner in a shell where Amazon SES is installed, beside the echo connector."""
    shell.set(JACKFIELD_CONNECTIONS="")
    declare(
        tmp_path / "site",
        "jackfield-aws-ses",
        "jackfield.connectors",
        {"aws-ses": "jackfield_aws_ses:connector"},
    )
    with plugged(tmp_path / "site"):
        yield Runner(shell)
