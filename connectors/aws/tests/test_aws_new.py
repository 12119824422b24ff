"""``jackfield new --aws`` writes a connector over this package that is sound from its first minute."""

from __future__ import annotations

import subprocess
import sys

import pytest

from plugboard import declare
from shell import Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


@pytest.fixture
def aws_shell(shell: Shell) -> Shell:
    """A shell in which this package's templates are installed."""
    declare(shell.plugs, "jackfield-aws-bindings", "jackfield.bindings", {"aws": "jackfield_aws.virtual.bound:bound"})
    return shell


def test_a_new_aws_connector_is_bronze_and_its_tests_pass(aws_shell: Shell) -> None:
    """The project passes `check` at bronze, its actions are run, its own tests pass; only the author's texts are missing."""
    assert "jackfield_acme_lambda/connector.json" in aws_shell.run("new", "acme-lambda", "--aws").json["files"]
    answer = aws_shell.run("check", "acme-lambda").json
    assert answer["grade"] == "bronze"
    failed = {rule["name"] for rule in answer["rules"] if rule["passed"] is False}
    assert failed == {"placeholders-replaced", "listed-for-people"}
    for words in ("pytest -q -p no:cacheprovider", "ruff check --no-cache .", "ruff format --no-cache --check ."):
        command = [sys.executable, "-m", *words.split()]
        done = subprocess.run(command, cwd=aws_shell.folder / "acme-lambda", capture_output=True, text=True, check=False, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr


def test_another_service_is_refused(aws_shell: Shell) -> None:
    """There is one sample; the answer says how to go on from it."""
    answer = aws_shell.run("new", "acme-queue", "--aws", "sqs")
    assert (answer.code, "--aws alone" in answer.json["error"]["hint"]) == (2, True)
