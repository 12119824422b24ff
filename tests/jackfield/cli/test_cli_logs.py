"""The log: to stderr, of jackfield only, as text or JSON lines."""

from __future__ import annotations

import json
import logging
import os
import pty
import re
import select
import socket
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from jackfield.cli import logs
from jackfield.kernel.libraries import LIBRARIES
from plugboard import make_connector
from shell import Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


def test_json_lines(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """With JACKFIELD_LOG=json each record is one JSON object, with what it carries besides."""
    shell.set(JACKFIELD_LOG="json", JACKFIELD_LOG_LEVEL="info")
    logs.configure()
    logging.getLogger("jackfield.call").info(
        "began %s", "it", extra={"workspace": "acme", "seen": {1}}
    )
    row = json.loads(capsys.readouterr().err)
    assert row.pop("ts").endswith("Z")
    assert row == {
        "level": "INFO",
        "logger": "jackfield.call",
        "message": "began it",
        "workspace": "acme",
        "seen": "{1}",
    }


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
    logging.getLogger("jackfield.call").info("began")
    logging.getLogger("jackfield.call").warning("slow")
    time, _, line = capsys.readouterr().err.partition(" ")
    assert line == "WARNING jackfield.call: slow\n"
    assert datetime.fromisoformat(time).utcoffset() == timedelta(0)


def test_configured_twice(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """A second command in one process does not double the log."""
    logs.configure()
    logs.configure()
    logging.getLogger("jackfield.call").warning("once")
    assert capsys.readouterr().err.count("WARNING jackfield.call: once\n") == 1


@pytest.mark.parametrize("name", ["botocore.endpoint", "urllib3", "jackfieldish"])
def test_other_libraries_stay_out(
    shell: Shell, capsys: pytest.CaptureFixture[str], name: str
) -> None:
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
    assert first.endswith(" WARNING jackfield: JACKFIELD_LOG is 'xml'; it takes json or console")
    assert " WARNING jackfield: JACKFIELD_LOG_LEVEL is 'LOUD'; it takes one of DEBUG" in second


def test_the_pipe_logs_a_bug_without_secrets(shell: Shell) -> None:
    """A bug in a connector is a Result with an id, and the log has the reason under that id."""
    shell.set(JACKFIELD_LOG="json")
    answer = shell.run("invoke", "echo", "say", 'fault:={"kind": "bug"}')
    assert answer.json["error"]["code"] == "internal"
    row = json.loads(answer.err)
    assert answer.json["meta"]["invocationId"] in row["message"]
    assert "this connector has a bug" in row["message"]
    assert "s3cret-token" not in answer.err


@pytest.mark.parametrize(
    "words", [["invoke", "echo", "say", 'fault:={"kind": "bug"}'], ["nonsense"]]
)
def test_a_closed_stderr(shell: Shell, words: list[str]) -> None:
    """Where stderr is closed, commands answer all the same."""
    answer = shell.python(
        "import sys\nsys.stderr = None\nfrom jackfield.cli.main import "
        f"main\nsys.exit(main({words}))"
    )
    assert answer.json["error"]["code"] in {"internal", "invalid_invocation"}


def test_a_closed_stdout(shell: Shell) -> None:
    """Where stdout is closed, commands run all the same."""
    answer = shell.python(
        "import sys\nsys.stdout = None\nfrom jackfield.cli.main import "
        "main\nsys.exit(main(['invoke', 'echo', 'sai']))"
    )
    assert (answer.code, answer.err) == (2, "")


_TALKING = '''
import asyncio, gc, logging, threading, warnings
from typing import ClassVar
from jackfield.connector import ConnectionType, Connector, Field, Inputs, OpenContext, Output

LOG = logging.getLogger("talking")

class Client:
    def __init__(self, token):
        self.token = token

class Key(ConnectionType):
    """A key."""
    key: ClassVar[str] = "key"
    title: ClassVar[str] = "Key"
    auth: ClassVar[str] = "apiKey"
    token: str = Field(title="Token", secret=True)

    def open(self, context: OpenContext) -> Client:
        LOG.warning("opens with %s", self.token)
        return Client(self.token)

connector = Connector("talking", title="Talking", version="1.0.0", connections=[Key])

class Nothing(Inputs):
    """Nothing."""

class Done(Output):
    """Nothing."""

@connector.action("talk", effect="read")
async def talk(_inputs: Nothing, client: Client) -> Done:
    """Talk about the token wherever Python lets it."""
    LOG.error("calls with %s", client.token)
    try:
        raise LookupError(client.token)
    except LookupError:
        LOG.exception("failed")
    warnings.warn(f"warns of {client.token}")
    def ends():
        raise LookupError(f"a thread with {client.token}")
    thread = threading.Thread(target=ends, name="author")
    thread.start()
    thread.join()
    async def forgotten():
        raise LookupError(f"a task with {client.token}")
    task = asyncio.create_task(forgotten())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del task
    gc.collect()
    return Done()
'''


def test_what_a_connector_logs_holds_no_secret(shell: Shell) -> None:
    """The log of the process had the token of the connection, in clear and across several lines: in
    what a connector in this process logged, in its tracebacks and warnings, and in the exceptions
    of its threads and tasks.
    """
    make_connector(shell.plugs, "talking", _TALKING)
    shell.write(
        "connections.yaml",
        "connections: {talk: {type: talking/key, values: {token: tok-4711-hidden}}}",
    )
    shell.set(JACKFIELD_LOG="json")
    answer = shell.ended(shell.start("invoke", "talking", "talk"))
    assert answer.code == 0, answer.err
    assert "4711" not in answer.err + answer.out
    rows = [json.loads(line) for line in answer.err.splitlines()]
    texts = " ".join(f"{row['message']} {row.get('exception', '')}" for row in rows)
    for said in (
        "opens with ***",
        "calls with ***",
        "LookupError: ***",
        "warns of ***",
        "a thread with ***",
        "a task with ***",
    ):
        assert said in texts
    assert {row["logger"] for row in rows} == {
        "talking",
        "py.warnings",
        "jackfield.threads",
        "asyncio",
    }


_HOSTILE = [
    "a\nERROR jackfield.http: gone",
    "a\r\nb",
    "\x1b[2K\x1b]0;title\x07",
    "a\x85b",
    "a\u2028b\u2029c",
    "\x9b31m",
    "\u202egnp.exe",
    "a\x00b",
    "\ud800",
]


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize("text", _HOSTILE)
def test_nobody_writes_a_line_of_his_own(
    shell: Shell, capsys: pytest.CaptureFixture[str], form: str, text: str
) -> None:
    """What a caller sends stays in the line of its record, for every reader, and a terminal obeys
    none of it.
    """
    shell.set(JACKFIELD_LOG=form)
    logs.configure()
    logging.getLogger("jackfield.http").warning("GET /%s 404", text, extra={"path": text})
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert said[:-1].isprintable()
    if form == "json":
        assert json.loads(said)["path"] == text


_STRANGER = "x\x1b[31m" * 12_000
_LIBRARY = """
import logging
from jackfield.connector import Connector, Inputs, Output

connector = Connector("talking", title="Talking", version="1.0.0")

class Nothing(Inputs):
    \"""Nothing.\"""

class Done(Output):
    \"""Nothing.\"""

@connector.action("talk", effect="read")
def talk(_inputs: Nothing) -> Done:
    \"""Let libraries log what a server has sent.\"""
    stranger = "x\\x1b[31m" * 12_000
    for name in NAMES:
        logging.getLogger(f"{name}.transport").error("no protocol: %s", stranger)
    try:
        raise ValueError("\\n".join([stranger] * 500))
    except ValueError:
        logging.getLogger("acme_sdk").exception("failed with %s", stranger, extra={"sent": stranger, "all": [stranger]})
    return Done()
"""


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_a_library_says_of_a_stranger(shell: Shell, form: str) -> None:
    """Libraries that speak to providers write nothing into the log; what any other one writes is
    cut and escaped, in tracebacks, too.
    """
    make_connector(shell.plugs, "talking", f"NAMES = {LIBRARIES!r}\n{_LIBRARY}")
    shell.set(JACKFIELD_LOG=form)
    answer = shell.ended(shell.start("invoke", "talking", "talk"))
    assert answer.code == 0, answer.err
    assert "no protocol" not in answer.err
    assert "acme_sdk" in answer.err
    assert "more characters" in answer.err
    assert "more lines" in answer.err
    assert all(line.isprintable() for line in answer.err.splitlines())
    assert len(answer.err) < len(_STRANGER) * 2
    if form == "json":
        (row,) = (json.loads(line) for line in answer.err.splitlines())
        assert row["message"].startswith("failed with x\x1b[31m")
        assert max(len(row["sent"]), len(row["all"]), len(row["message"])) < 5_000


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_message_is_cut(shell: Shell, capsys: pytest.CaptureFixture[str], form: str) -> None:
    """A line has 4,000 characters of a message at most, less where they are escaped, and says how
    many more there were.
    """
    shell.set(JACKFIELD_LOG=form)
    logs.configure()
    for text in ("x" * 60_000, "\x1b" * 60_000, "x" * 4_000):
        logging.getLogger("jackfield.call").warning(text)
        said = capsys.readouterr().err
        assert (len(said.splitlines()), len(said) < 6_200) == (1, True)
        assert ("more characters" in said) == (len(text) > 4_000)


def _fail(text: str) -> None:
    raise ValueError(text)


def test_a_traceback_is_indented(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    """The lines of an exception belong to the record before them: what its text contains begins no
    record.
    """
    logs.configure()
    try:
        _fail("a\n2026-01-01T00:00:00Z ERROR jackfield.http: gone\x1b[2K")
    except ValueError:
        logging.getLogger("jackfield.call").exception("failed")
    first, *others = capsys.readouterr().err.splitlines()
    assert first.endswith(" ERROR jackfield.call: failed")
    assert [line for line in others if not line.startswith("  ") or "\x1b" in line] == []
    assert len(others) >= 4


_CHATTY = """
import logging, sys
from jackfield.cli import logs
logs.configure()
for number in range(15_000):
    logging.getLogger("jackfield.call").warning("line %d %s", number, "x" * 100)
print("done", flush=True)
for line in sys.stdin:
    logging.getLogger("jackfield.call").warning("line after it xxx")
    print("done", flush=True)
"""


def _socket() -> tuple[int, int]:
    ours, theirs = socket.socketpair()
    return ours.detach(), theirs.detach()


def _read(descriptor: int) -> bytes:
    """Read what is there now; nothing of a terminal whose last writer has gone."""
    try:
        return os.read(descriptor, 1024 * 1024)
    except OSError:
        return b""


@pytest.mark.parametrize("way", [os.pipe, _socket, pty.openpty])
@pytest.mark.parametrize("form", ["json", "console"])
def test_a_reader_that_stops_stops_nothing(way: Callable[[], tuple[int, int]], form: str) -> None:
    """A log driver that hangs costs lines, which are counted in a line once it reads again; what
    writes goes on.
    """
    ours, theirs = way()
    command, environment = [sys.executable, "-c", _CHATTY], {**os.environ, "JACKFIELD_LOG": form}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        read, written = b"", 15_000
        while b"lines were dropped" not in read:
            while select.select([ours], [], [], 0)[0]:
                read += _read(ours)
            process.stdin.write(b"\n")
            process.stdin.flush()
            written += 1
            assert process.stdout.readline() == b"done\n"
            if select.select([ours], [], [], 60)[0]:
                read += _read(ours)
        process.stdin.close()
        while more := _read(ours):
            read += more
    os.close(ours)
    lines = [line for line in read.decode().replace("\r\n", "\n").split("\n") if line]
    dropped = [int(found) for found in re.findall(r"(\d+) lines were dropped", read.decode())]
    assert len(lines) - len(dropped) == written - sum(dropped)
    assert sum("xxx" in line for line in lines) == written - sum(dropped)
    if form == "json":
        assert {json.loads(line)["level"] for line in lines} == {"WARNING"}
