"""Variables as env files, templates and Secrets write them: what a tool has added is taken away, or
refused by the variable's name.
"""

from __future__ import annotations

import base64
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from jackfield import Jackfield
from jackfield.kernel.database_urls import database_url
from jackfield.kernel.errors import InvalidInvocation
from jackfield.kernel.local import home
from jackfield.kernel.variables import NAMES, tidied
from jackfield_store.database.faults import DatabaseUnfit
from jackfield_store.keys.master_key import MasterKey
from shell import Shell

pytest_plugins = ["shell_fixture"]

ROOT = Path(__file__).resolve().parents[3]
KEY = bytes(range(200, 232))
_TEXT, _URL_TEXT = base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(KEY).decode()


@pytest.fixture(name="placed")
def _placed(shell: Shell, tmp_path: Path) -> Shell:
    """A shell whose home has a database."""
    shell.set(JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL="")
    assert shell.run("db", "upgrade").code == 0
    return shell


@pytest.mark.parametrize("end", ["\n", "\r\n", " ", "\t \n"])
@pytest.mark.parametrize(
    "name",
    [
        "JACKFIELD_HOME",
        "JACKFIELD_DATABASE_URL",
        "JACKFIELD_WORKSPACE",
        "JACKFIELD_LOG",
        "JACKFIELD_DURABILITY",
    ],
)
def test_what_a_file_has_left_at_the_end_is_no_part_of_a_value(
    placed: Shell, tmp_path: Path, name: str, end: str
) -> None:
    """A line break behind a path, a URL or a word: the same database serves, and nothing appears
    beside it.
    """
    values = {
        "JACKFIELD_HOME": f"{tmp_path}/home",
        "JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path}/home/jackfield.db",
        "JACKFIELD_WORKSPACE": "default",
        "JACKFIELD_LOG": "json",
        "JACKFIELD_DURABILITY": "disk",
    }
    before = sorted(tmp_path.rglob("*.db"))
    placed.set(JACKFIELD_NEW_DATABASE="refuse", **{name: f"{values[name]}{end}"})
    answer = placed.run("tokens", "list")
    assert (answer.code, answer.err) == (0, "")
    assert sorted(tmp_path.rglob("*.db")) == before


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ('"/data"', "is in quotes"),
        ("'/data'", "is in quotes"),
        ("/da\nta", "a line break"),
        ("/da\x1bta", "control character"),
        (" ", "is blank"),
        ("\n", "is blank"),
    ],
)
@pytest.mark.parametrize("name", sorted(NAMES - {"MASTER_KEY", "NEW_MASTER_KEY"}))
def test_what_is_no_part_of_a_value_is_refused_by_name(name: str, value: str, said: str) -> None:
    """Quotes that a shell would have removed, line breaks and blanks: each variable is refused by
    name, its value not shown.
    """
    with pytest.raises(InvalidInvocation, match=said) as raised:
        tidied({f"JACKFIELD_{name}": value})
    assert f"JACKFIELD_{name}" in raised.value.message
    assert "data" not in raised.value.message


def test_a_refused_variable_stops_a_command_and_a_runtime(placed: Shell, tmp_path: Path) -> None:
    """The command answers with the error and makes no folder; so does a runtime in a program. Help
    is given all the same.
    """
    placed.set(JACKFIELD_HOME=f'"{tmp_path}/home"')
    before = sorted(tmp_path.rglob("*"))
    answer = placed.run("tokens", "list")
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")
    assert "JACKFIELD_HOME is in quotes" in answer.json["error"]["message"]
    assert placed.run("tokens", "list", "--help").code == 0
    with pytest.raises(InvalidInvocation, match="JACKFIELD_HOME is in quotes"):
        Jackfield()
    assert sorted(tmp_path.rglob("*")) == before


def test_other_variables_are_left_alone() -> None:
    """Those of the user, such as a document for ``JACKFIELD_CONNECTIONS``, may have lines and
    quotes; what is clean is not copied.
    """
    theirs = {
        "JACKFIELD_MY_CONNECTIONS": "connections:\n  a: {}\n",
        "OTHER": ' "x" ',
        "JACKFIELD_HOME": "/data",
        "JACKFIELD_LOG": "",
    }
    assert tidied(theirs) is theirs
    keys = {"JACKFIELD_MASTER_KEY": f"{_TEXT}\n{_TEXT}\n"}
    assert tidied(keys) == {"JACKFIELD_MASTER_KEY": f"{_TEXT}\n{_TEXT}"}


@pytest.mark.parametrize("place", ["data", "./data", "../data", "~nobody-here/data"])
def test_a_home_is_an_absolute_path(place: str) -> None:
    """A relative one would begin a new, empty journal in each working directory."""
    with pytest.raises(InvalidInvocation, match="not an absolute path"):
        home({"JACKFIELD_HOME": place})
    assert home({"JACKFIELD_HOME": "~/data"}) == os.path.expanduser("~/data")
    assert home({"JACKFIELD_HOME": "/data/x/../y/"}) == "/data/y"


def test_an_account_without_a_home_is_told_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A uid without an account has no home folder: no folder named '~' is made below the working
    directory.
    """
    # what it does where there is neither HOME nor an account
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    with pytest.raises(InvalidInvocation, match="no home folder") as raised:
        home({})
    assert "JACKFIELD_HOME" in str(raised.value.hint)


@pytest.mark.parametrize("path", ["jackfield.db", "./x/jackfield.db", "~nobody-here/x.db"])
def test_a_database_of_the_environment_has_an_absolute_path(tmp_path: Path, path: str) -> None:
    """A relative path, in the variable or in the file that it names, is refused; ``~`` is the
    account's home folder.
    """
    file = tmp_path / "url"
    file.write_text(f"sqlite:///{path}\n")
    for variables in (
        {"JACKFIELD_DATABASE_URL": f"sqlite:///{path}"},
        {"JACKFIELD_DATABASE_URL_FILE": str(file)},
    ):
        with pytest.raises(InvalidInvocation, match="not absolute"):
            database_url(variables)
    assert (
        database_url({"JACKFIELD_DATABASE_URL": "sqlite:///~/x.db"})
        == f"sqlite:///{os.path.expanduser('~/x.db')}"
    )


@pytest.mark.parametrize(
    "variables", [{"JACKFIELD_HOME": "other"}, {"JACKFIELD_DATABASE_URL": "typo.db"}]
)
def test_a_new_database_is_refused_where_the_operator_wants_none(
    placed: Shell, tmp_path: Path, variables: dict[str, Any]
) -> None:
    """With ``JACKFIELD_NEW_DATABASE=refuse`` a wrong path is an error and no empty journal; only an
    upgrade makes a database.
    """
    places = {"JACKFIELD_HOME": f"{tmp_path}/", "JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path}/"}
    placed.set(
        JACKFIELD_NEW_DATABASE="refuse",
        **{name: places[name] + value for name, value in variables.items()},
    )
    answer = placed.run("tokens", "list")
    assert answer.code != 0
    assert "there is no database at" in answer.json["error"]["message"]
    assert "db upgrade" in answer.json["error"]["hint"]
    assert len([*tmp_path.rglob("*.db")]) == 1
    assert placed.run("db", "upgrade").code == 0
    assert placed.run("tokens", "list").code == 0


def _fresh(folder: Path, level: str) -> dict[str, str]:
    """The environment of a process whose home has no database yet."""
    environment = {
        name: value for name, value in os.environ.items() if name != "JACKFIELD_DATABASE_URL"
    }
    return {**environment, "JACKFIELD_HOME": str(folder / "home"), "JACKFIELD_LOG_LEVEL": level}


@pytest.mark.parametrize("level", ["DEBUG", "ERROR"])
def test_a_new_database_is_said_once(shell: Shell, tmp_path: Path, level: str) -> None:
    """By default a database is made at first use; a line says where: in the log, and at each level
    to a person at a terminal.
    """
    ours, theirs = pty.openpty()
    environment = _fresh(tmp_path, level)
    command = [sys.executable, "-m", "jackfield", "tokens", "list"]
    for _ in range(2):
        subprocess.run(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=theirs, check=True
        )
    os.close(theirs)
    assert (
        os.read(ours, 4096).decode().count(f"a new one begins at '{tmp_path}/home/jackfield.db'")
        == 1
    )
    os.close(ours)
    shell.set(
        JACKFIELD_HOME=str(tmp_path / "other"), JACKFIELD_DATABASE_URL="", JACKFIELD_LOG_LEVEL=level
    )
    assert shell.run("tokens", "list").err.count("a new one begins") == (level == "DEBUG")
    shell.set(JACKFIELD_HOME=str(tmp_path / "third"), JACKFIELD_NEW_DATABASE="maybe")
    assert "must be 'say' or 'refuse'" in shell.run("tokens", "list").json["error"]["message"]


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_a_process_that_serves_says_a_new_database(tmp_path: Path, command: str) -> None:
    """It says so at each level of the log: nobody watches its start."""
    environment = _fresh(tmp_path, "ERROR")
    words = [
        sys.executable,
        "-m",
        "jackfield",
        command,
        *(["--port", "0"] if command == "serve" else []),
    ]
    with subprocess.Popen(words, env=environment, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        assert any(b"a new one begins at" in line for line in process.stderr)
        process.terminate()
        process.stderr.read()
    assert process.returncode in {0, -15}


@pytest.mark.parametrize(
    "text",
    [
        _TEXT,
        _TEXT.rstrip("="),
        _URL_TEXT,
        _URL_TEXT.rstrip("="),
        KEY.hex(),
        KEY.hex().upper(),
        f"base64:{_TEXT}",
        f"\ufeff{_TEXT}\r\n",
        f"# made by us\n{_TEXT}\n",
        f"  # x\n\n{KEY.hex()}",
    ],
)
def test_a_master_key_is_read_as_tools_write_it(tmp_path: Path, text: str) -> None:
    """Base64 and Base64url, padded or not, hexadecimal digits, a prefix, a byte order mark and
    comments give one key.
    """
    file = tmp_path / "key"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    assert MasterKey.from_text(text).id == MasterKey.from_file(file).id == MasterKey([KEY]).id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        _TEXT[:-3],
        f"{_TEXT}=",
        KEY.hex()[:-2],
        f"0x{KEY.hex()}",
        f"base64:{KEY.hex()}",
        "+" * 21 + "-" * 22,
        "ü" * 43,
        f"hex:{KEY.hex()}",
    ],
)
def test_a_text_that_is_no_key_is_refused(text: str) -> None:
    """What is not exactly 32 bytes in exactly one of these forms is refused, without showing it."""
    with pytest.raises(DatabaseUnfit, match="is not 32 bytes") as raised:
        MasterKey.from_text(text)
    assert not text or text not in str(raised.value)


def test_the_variables_are_those_of_the_documentation() -> None:
    """What is stripped and checked is what the reference describes."""
    page = (ROOT / "docs" / "reference" / "configuration.md").read_text(encoding="utf-8")
    assert {f"### JACKFIELD_{name}\n" for name in NAMES} == {
        f"{line}\n" for line in page.splitlines() if line.startswith("### JACKFIELD_")
    }
