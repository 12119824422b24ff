"""``jackfield connections add`` on a terminal: field by field, secrets unechoed, faults asked
again.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shell import Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

_PATIENCE = 60.0
_ON_ITS_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
"""Takes the terminal as the controlling one, which getpass asks on, in a process that was not
forked from one with threads.
"""


class Terminal:
    """A command on a terminal of its own. ``seen`` is all that the terminal shows."""

    def __init__(self, shell: Shell, *words: str) -> None:
        self.seen = ""
        self._at = 0
        self._master, slave = os.openpty()
        command = [sys.executable, "-c", _ON_ITS_TERMINAL, "-m", "jackfield", *words]
        self._process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            cwd=shell.folder,
            env=shell.environment(),
        )
        os.close(slave)

    def answer(self, prompt: str, text: str) -> None:
        """Wait until the terminal asks, then type a line."""
        self.until(prompt)
        os.write(self._master, text.encode() + b"\n")

    def until(self, text: str) -> None:
        """Wait until the terminal has shown ``text`` since the last time."""
        end = time.monotonic() + _PATIENCE
        while text not in self.seen[self._at :]:
            assert time.monotonic() < end, self.seen
            assert self._read(), self.seen
        self._at = self.seen.index(text, self._at) + len(text)

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        while self._read():
            pass
        os.close(self._master)
        return self._process.wait(_PATIENCE)

    def hang_up(self) -> None:
        """Send end-of-file, as Ctrl-D does."""
        os.write(self._master, b"\x04")

    def kill(self) -> None:
        """End what a failed test has left running."""
        self._process.kill()
        self._process.wait(_PATIENCE)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], _PATIENCE)
        if not ready:
            return False
        try:
            content = os.read(self._master, 65536)
        except OSError:  # Linux says so where the other side has closed
            return False
        self.seen += content.decode(errors="replace").replace("\r\n", "\n")
        return bool(content)


@pytest.fixture(autouse=True)
def _database(shell: Shell, tmp_path: Path) -> None:
    """A database of the test's own, and the connectors of AWS besides the echo."""
    for hidden in shell.plugs.glob("jackfield_aws*.dist-info"):
        hidden.rmdir()
    shell.set(
        JACKFIELD_HOME=str(tmp_path / "home"),
        JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path / 'jackfield.db'}",
        NO_COLOR="1",
    )


def test_a_role(shell: Shell) -> None:
    """Each field is asked for with what it is, its examples and choices; an empty answer leaves it
    out; the secret is never shown.
    """
    terminal = Terminal(
        shell, "connections", "add", "acme", "--type", "aws-ses/awsAssumeRole", "--no-test"
    )
    terminal.until("Press Enter to skip an optional value.")
    terminal.until("Role ARN (required; such as arn:aws:iam::123456789012:role/acme-ses)")
    terminal.answer("roleARN: ", "")
    terminal.until("A value is required.")
    terminal.answer("roleARN: ", "arn:aws:iam::123456789012:role/acme-ses")
    terminal.answer("accessKeyId: ", "AKIAIOSFODNN7EXAMPLE")
    terminal.answer("secretAccessKey (not shown): ", "typed-s3cret")
    terminal.until("External ID (optional; generated if left empty)")
    terminal.answer("externalId: ", "")
    terminal.answer("sessionToken (not shown): ", "")
    terminal.until("One of: ")
    terminal.answer("region: ", "Mars")
    terminal.answer("durationSeconds: ", "7200")
    terminal.until("default false")
    terminal.answer("sessionPolicy: ", "yes")
    for name in ("endpoint", "stsEndpoint", "sender", "tenant", "warmup"):
        terminal.answer(f"{name}: ", "")
    terminal.until("/region: ")
    terminal.answer("region: ", "eu-west-1")
    assert terminal.ended() == 0
    assert "typed-s3cret" not in terminal.seen
    shown = shell.run("connections", "show", "acme").json
    assert shown["values"].pop("externalId").startswith("jf-")
    assert shown["values"] == {
        "roleARN": "arn:aws:iam::123456789012:role/acme-ses",
        "accessKeyId": "****MPLE",
        "secretAccessKey": "***",
        "region": "eu-west-1",
        "durationSeconds": 7200,
        "sessionPolicy": True,
    }
    exported = shell.run("connections", "export", "acme", "--secrets").json
    assert exported["connections"]["acme"]["values"]["secretAccessKey"] == "typed-s3cret"


def test_fields_for_compatibility_are_not_asked(shell: Shell) -> None:
    """A hidden field is not asked for, and is still accepted in a file."""
    terminal = Terminal(
        shell, "connections", "add", "machine", "--type", "aws-ses/awsDefault", "--no-test"
    )
    for name in (
        "profile",
        "disableImds",
        "preferRole",
        "region",
        "endpoint",
        "sender",
        "tenant",
        "warmup",
    ):
        terminal.answer(f"{name}: ", "")
    assert terminal.ended() == 0
    assert "sessionToken" not in terminal.seen
    values = json.dumps({"sessionToken": "a-t0ken"})
    assert (
        shell.run(
            "connections",
            "add",
            "other",
            "--type",
            "aws-ses/awsDefault",
            "--no-test",
            "--values",
            "-",
            stdin=values,
        ).code
        == 0
    )
    nobody = shell.run("connections", "add", "third", "--type", "aws/awsDefault", stdin="").json[
        "error"
    ]
    # 'aws' is a family, and no connector
    assert "'jackfield schema aws-ses --connection awsDefault' shows all." in nobody["hint"]


def test_tested_as_ever(shell: Shell) -> None:
    """What was typed is tested before it is stored, and the answer is on stdout."""
    terminal = Terminal(shell, "connections", "add", "room", "--type", "echo/token", "--json")
    terminal.answer("token (not shown): ", "s3cret")
    terminal.answer("greeting: ", "Hi")
    assert terminal.ended() == 0
    answer = json.loads(terminal.seen.splitlines()[-1])
    assert (answer["status"], answer["values"]) == ("ok", {"token": "***", "greeting": "Hi"})


def test_hanging_up(shell: Shell) -> None:
    """A terminal that is closed stores nothing and says so."""
    terminal = Terminal(shell, "connections", "add", "room", "--type", "echo/token")
    terminal.until("token (not shown): ")
    terminal.hang_up()
    assert terminal.ended() == 1
    assert "the terminal was closed" in terminal.seen
    assert shell.run("connections", "show", "room").code == 2


INTEGRATION = """
definitionVersion: 7
requiredConfigVars:
  - key: Mail by key
    dataType: connection
    connection:
      component: {key: aws-ses}
      key: apiKeySecret
      inputs:
        accessKeyId: {type: value, value: AKIPRISMATICKEY}
"""


def test_an_import_asks_for_what_the_document_lacks(shell: Shell) -> None:
    """On a terminal the values that an integration's file never has are asked for, each once, and
    secrets are not shown.
    """
    (shell.folder / "prism.yml").write_text(INTEGRATION)
    terminal = Terminal(shell, "connections", "import", "prism.yml", "--no-test")
    terminal.until("Mail-by-key (")
    terminal.until("lacks secretAccessKey")
    terminal.answer("secretAccessKey (not shown): ", "prismatic-secret")
    assert terminal.ended() == 0
    assert "prismatic-secret" not in terminal.seen
    assert "accessKeyId" not in terminal.seen
    assert (
        shell.run("connections", "show", "Mail-by-key")
        .json["values"]["accessKeyId"]
        .endswith("CKEY")
    )


def test_an_import_without_a_terminal_names_the_option(shell: Shell) -> None:
    """Elsewhere the refusal names ``--values``, which adds what is missing."""
    (shell.folder / "prism.yml").write_text(INTEGRATION)
    (shell.folder / "more.yml").write_text("secretAccessKey: prismatic-secret\n")
    done = shell.run("connections", "import", "prism.yml", "--no-test")
    assert done.code == 2
    assert done.json[0]["error"]["hint"].startswith("Give the missing values with --values FILE")
    assert (
        shell.run("connections", "import", "prism.yml", "--values", "more.yml", "--no-test").code
        == 0
    )
