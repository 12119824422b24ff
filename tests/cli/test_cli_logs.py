"""The log: to stderr, of jackfield only, as text or JSON lines."""

from __future__ import annotations

import json
import logging

import pytest

from jackfield.cli import logs
from shell import Shell

pytest_plugins = ["shell_fixture"]


def test_json_lines(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """With JACKFIELD_LOG=json each record is one JSON object, with what it carries besides."""
    shell.set(JACKFIELD_LOG="json", JACKFIELD_LOG_LEVEL="info")
    logs.configure()
    logging.getLogger("jackfield.pipe").info("began %s", "it", extra={"workspace": "acme", "seen": {1}})
    row = json.loads(capsys.readouterr().err)
    assert row.pop("ts").endswith("Z")
    assert row == {"level": "INFO", "logger": "jackfield.pipe", "message": "began it", "workspace": "acme", "seen": "{1}"}


def test_json_lines_of_exceptions(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """An exception stands in its record's line."""
    shell.set(JACKFIELD_LOG="json")
    logs.configure()
    try:
        int("no")
    except ValueError:
        logging.getLogger("jackfield").exception("failed")
    row = json.loads(capsys.readouterr().err)
    assert row["exception"].endswith("ValueError: invalid literal for int() with base 10: 'no'")


def test_console_by_default(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """By default warnings and worse are lines of text."""
    logs.configure()
    logging.getLogger("jackfield.pipe").info("began")
    logging.getLogger("jackfield.pipe").warning("slow")
    assert capsys.readouterr().err == "WARNING jackfield.pipe: slow\n"


def test_configured_twice(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """A second command in one process does not double the log."""
    logs.configure()
    logs.configure()
    logging.getLogger("jackfield.pipe").warning("once")
    assert capsys.readouterr().err == "WARNING jackfield.pipe: once\n"


@pytest.mark.parametrize("name", ["botocore.endpoint", "urllib3", "jackfieldish"])
def test_other_libraries_stay_out(shell: Shell, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """The debug log of another library does not come with ours."""
    shell.set(JACKFIELD_LOG_LEVEL="DEBUG")
    logs.configure()
    logging.getLogger(name).debug("token")
    assert capsys.readouterr().err == ""


def test_a_wrong_setting_is_told(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """A value that the variables do not take is told, and the default is used."""
    shell.set(JACKFIELD_LOG="xml", JACKFIELD_LOG_LEVEL="loud")
    logs.configure()
    first, second = capsys.readouterr().err.splitlines()
    assert first == "WARNING jackfield: JACKFIELD_LOG is 'xml'; it takes json or console"
    assert second.startswith("WARNING jackfield: JACKFIELD_LOG_LEVEL is 'LOUD'; it takes one of DEBUG")


def test_the_pipe_logs_a_bug_without_secrets(shell: Shell) -> None:
    """A bug in a connector is a Result with an id, and the log has the reason under that id."""
    shell.set(JACKFIELD_LOG="json")
    answer = shell.run("invoke", "echo", "say", 'fault:={"kind": "bug"}')
    assert answer.json["error"]["code"] == "internal"
    row = json.loads(answer.err)
    assert answer.json["meta"]["invocationId"] in row["message"]
    assert "this connector has a bug" in row["message"]
    assert "s3cret-token" not in answer.err


@pytest.mark.parametrize("words", [["invoke", "echo", "say", 'fault:={"kind": "bug"}'], ["nonsense"]])
def test_a_closed_stderr(shell: Shell, words: list[str]) -> None:
    """Where stderr is closed, commands answer all the same."""
    answer = shell.python(f"import sys\nsys.stderr = None\nfrom jackfield.cli.main import main\nsys.exit(main({words}))")
    assert answer.json["error"]["code"] in {"internal", "invalid_invocation"}


def test_a_closed_stdout(shell: Shell) -> None:
    """Where stdout is closed, commands run all the same."""
    answer = shell.python("import sys\nsys.stdout = None\nfrom jackfield.cli.main import main\nsys.exit(main(['invoke', 'echo', 'sai']))")
    assert (answer.code, answer.err) == (2, "")
