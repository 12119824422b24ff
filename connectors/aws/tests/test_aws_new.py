"""``jackfield new --aws`` writes a connector over this package that is sound from its first
minute.
"""

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
    declare(
        shell.plugs,
        "jackfield-aws-bindings",
        "jackfield.bindings",
        {"aws": "jackfield_aws.virtual.bound:bound"},
    )
    return shell


def test_a_new_aws_connector_is_bronze_and_its_tests_pass(aws_shell: Shell) -> None:
    """The project passes `check` at bronze, its actions are run, its own tests pass; only the
    author's texts are missing.
    """
    assert (
        "jackfield_acme_lambda/connector.json"
        in aws_shell.run("new", "acme-lambda", "--aws").json["files"]
    )
    answer = aws_shell.run("check", "acme-lambda").json
    assert answer["grade"] == "bronze"
    failed = {rule["name"] for rule in answer["rules"] if rule["passed"] is False}
    assert failed == {"placeholders-replaced", "listed-for-people"}
    for words in (
        "pytest -q -p no:cacheprovider",
        "ruff check --no-cache .",
        "ruff format --no-cache --check .",
    ):
        command = [sys.executable, "-m", *words.split()]
        done = subprocess.run(
            command,
            cwd=aws_shell.folder / "acme-lambda",
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_named_service_is_generated(aws_shell: Shell) -> None:
    """With a service, the project is that of `generate aws` under the given key, and the answer is
    on stdout.
    """
    declare(
        aws_shell.plugs,
        "jackfield-aws-commands",
        "jackfield.commands",
        {"generate.aws": "jackfield_aws.virtual.command:command"},
    )
    made = aws_shell.run("new", "acme-queue", "--aws", "sqs").json
    assert made.items() >= {"key": "acme-queue", "folder": "acme-queue"}.items()
    assert made["actions"] >= 20
    assert aws_shell.run("check", "acme-queue").json["grade"] == "bronze"
    unknown = aws_shell.run("new", "acme-other", "--aws", "no-such-service")
    assert (unknown.code, "no-such-service" in unknown.json["error"]["message"]) == (2, True)
    assert not (aws_shell.folder / "acme-other").exists()
