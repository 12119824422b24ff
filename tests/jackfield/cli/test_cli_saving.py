"""``jackfield invoke --save-to``: files of an output, saved where the caller wants them; files of
any size as inputs.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from courier import SOURCE
from jackfield.invocation import MAX_BYTES
from plugboard import make_connector, plugged
from shell import Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


@pytest.fixture(autouse=True)
def courier(shell: Shell, tmp_path: Path) -> Iterator[None]:
    """The courier is installed, too."""
    shell.set(
        JACKFIELD_HOME=str(tmp_path / "home"), JACKFIELD_DATABASE_URL=f"sqlite:///{tmp_path}/db"
    )
    make_connector(tmp_path / "couriers", "courier", SOURCE)
    with plugged(tmp_path / "couriers"):
        yield


def test_a_file_of_any_size_goes_in_and_out(shell: Shell) -> None:
    """More than an invocation may hold goes in by ``@`` and comes out by ``--save-to``; the Result
    says where it is.
    """
    shell.run("db", "upgrade")
    big = shell.write("big.bin", b"")
    with big.open("wb") as made:
        made.truncate(MAX_BYTES + 1)
    answer = shell.run("invoke", "courier", "carry", "document=@big.bin", "--save-to", "copy.bin")
    (copy,) = answer.json["output"]["copies"]
    assert (answer.code, copy["savedTo"], copy["size"], answer.err) == (
        0,
        "copy.bin",
        MAX_BYTES + 1,
        "",
    )
    assert (shell.folder / "copy.bin").stat().st_size == MAX_BYTES + 1


def test_a_folder_takes_files_under_their_names(shell: Shell) -> None:
    """A folder that exists, or a name that ends in a slash: the file keeps its name."""
    shell.write("a.txt", "Hello")
    (shell.folder / "out").mkdir()
    for target in ("out", "new/"):
        answer = shell.run("invoke", "courier", "carry", "document=@a.txt", "--save-to", target)
        assert answer.code == 0
        assert (shell.folder / target / "copy of it.bin").read_text() == "Hello"


def test_stdin_is_a_file_of_any_size(shell: Shell, tmp_path: Path) -> None:
    """``@-`` is read once, however often the action reads it."""
    path = os.pathsep.join([shell.environment()["PYTHONPATH"], str(tmp_path / "couriers")])
    process = shell.start("invoke", "courier", "carry", "document=@-", PYTHONPATH=path)
    assert json.loads(shell.ended(process, b"x" * 3_000_000).out)["output"]["size"] == 3_000_000


def test_nothing_is_sent_if_it_could_not_be_saved(shell: Shell) -> None:
    """A folder that is not there is found before the action runs."""
    answer = shell.run("invoke", "echo", "say", "text=a", "--save-to", "nowhere/a")
    error = answer.json["error"]
    assert (answer.code, error["code"], "there is no folder 'nowhere'" in error["message"]) == (
        2,
        "invalid_invocation",
        True,
    )


def test_an_output_without_a_file_is_no_silent_success(shell: Shell) -> None:
    """The Result is printed, and stderr and the exit code say that nothing was saved."""
    answer = shell.run("invoke", "echo", "say", "text=a", "--save-to", "a.txt")
    assert (answer.json["status"], answer.code, "nothing was saved" in answer.err) == (
        "succeeded",
        1,
        True,
    )
    assert not (shell.folder / "a.txt").exists()


@pytest.mark.parametrize("word", ["--queue", "--lines"])
def test_one_result_is_saved(shell: Shell, word: str) -> None:
    """There is no file yet of what is queued, and no one name for the files of many lines."""
    answer = shell.run("invoke", "--file", "-", word, "--save-to", "a.txt", stdin="")
    assert (answer.code, "'--save-to' cannot be used with" in answer.json["error"]["message"]) == (
        2,
        True,
    )


def test_a_queued_invocation_may_wait_for_its_time(shell: Shell) -> None:
    """``--not-before`` and ``--not-after`` are members of the invocation, which only a queued one
    heeds.
    """
    words = ("invoke", "echo", "say", "text=a", "--not-before", "2100-01-31T08:30:00Z")
    assert shell.run(*words, "--queue").json["status"] == "queued"
    refused = shell.run(*words)
    assert (refused.code, refused.json["error"]["details"][0]["path"]) == (2, "/notBefore")
