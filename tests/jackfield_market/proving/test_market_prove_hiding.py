"""``jackfield prove`` gives no all-clear to programs that send twice and hide it."""

from __future__ import annotations

import json
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_market.proving import hiding_programs

from jackfield.cli.main import main
from jackfield_market.testing.proving.session import _BOUNDARY

MODULE = hiding_programs.__name__
ONLY = ["--only", "taken-reset", "--only", "taken-closed"]

Proved = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def prove(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Proved:
    """The command with two situations, for a function of the module, or for a program that calls
    it; it returns the exit code and what it says.
    """
    monkeypatch.delitem(sys.modules, _BOUNDARY, raising=False)

    def run(
        name: str, *words: str, only: Sequence[str] = ONLY, is_command: bool = False
    ) -> tuple[int, dict[str, Any]]:
        target = [f"{MODULE}:{name}"]
        if is_command:
            program = ["--", sys.executable, "-m", MODULE, name]
            target = ["--base-url-variable", "SHOP_URL", *program]
        code = main(["prove", "--json", *only, *words, *target])
        return code, json.loads(capsys.readouterr().out)

    return run


def _changes(said: dict[str, Any], verdict: str) -> list[str]:
    return [
        cell["change"]
        for case in said["cases"]
        for write in case["writes"]
        for cell in write["situations"]
        if cell["verdict"] == verdict and cell["counts"]
    ]


@pytest.mark.parametrize("program", hiding_programs.SENT_TWICE, ids=lambda one: one.__name__)
def test_a_repetition_that_looks_like_a_read_is_found(
    program: Callable[..., Any], prove: Proved
) -> None:
    """A token is asked for at its address alone, GraphQL is parsed, and a thread is waited for."""
    code, said = prove(program.__name__)
    assert (code, said["sentTwice"]) == (1, 1)


@pytest.mark.parametrize("program", hiding_programs.NOT_JUDGED, ids=lambda one: one.__name__)
def test_a_repetition_that_looks_like_another_write_is_not_judged(
    program: Callable[..., Any], prove: Proved
) -> None:
    """Nobody can tell: the exit code is 2, and the sentence names the request."""
    code, said = prove(program.__name__)
    assert (code, said["passed"]) == (2, False)
    assert said["summary"].endswith("could not be judged.")
    assert all(change.startswith("It also sent P") for change in _changes(said, "not judged"))


@pytest.mark.parametrize("program", ["key_of_the_moment", "key_of_the_date"])
def test_a_key_of_the_time_holds_nothing_together(program: str, prove: Proved) -> None:
    """Attempts at once have one such key, a later one has another: without a situation that takes
    long enough, that cannot be judged.
    """
    code, said = prove(program)
    assert code == 2
    assert all("a number of the clock" in change for change in _changes(said, "not judged"))


def test_a_key_of_the_time_that_is_made_once_holds_all_together(prove: Proved) -> None:
    """It was the same after the clock had moved on."""
    code, said = prove("keyed_by_the_moment_of_its_begin")
    assert (code, said["notJudged"]) == (0, 0)


def test_a_process_in_a_session_of_its_own_is_waited_for(prove: Proved) -> None:
    """What it sends counts, although it is not in the program's group."""
    code, said = prove("in_a_session_of_its_own", is_command=True)
    assert (code, said["sentTwice"]) == (1, 1)


def test_a_process_that_stays_is_not_judged(prove: Proved) -> None:
    """It might have sent after the wait for it had ended."""
    patience = ("--silence", "0.2s", "--late", "0.2s")
    code, said = prove("in_a_session_that_stays", *patience, is_command=True)
    assert code == 2
    assert all("still ran" in change for change in _changes(said, "not judged"))


def test_what_has_not_ended_at_the_limit_is_not_judged(prove: Proved) -> None:
    """It might have sent later."""
    code, said = prove("after_the_limit", "--limit", "1s")
    assert code == 2
    assert all("has not ended" in change for change in _changes(said, "not judged"))


def test_more_writes_than_are_played_are_not_judged(prove: Proved) -> None:
    """The fifty-first is named, and the exit code is 2."""
    code, said = prove("fifty_one_writes", only=["--only", "twice-at-once"])
    assert (code, said["notJudged"], said["writes"]) == (2, 1, 51)


def test_all_reports_say_what_is_not_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table, with the requests below it; JUnit has an error, which fails a build; and the page
    says it in bold.
    """
    page, xml = tmp_path / "prove.html", tmp_path / "prove.xml"
    files = ["--html", str(page), "--junit", str(xml)]
    assert main(["prove", *ONLY, *files, f"{MODULE}:as_a_put"]) == 2
    said = capsys.readouterr().out
    assert "POST /orders: not judged" in said
    assert 'PUT /orders/o-1 {"sku": "lamp"} -> took effect; answered' in said
    assert "add --allow-other 'PUT /orders/o-1'" in said
    assert said.splitlines()[-1] == "1 of 1 write could not be judged."
    assert "<strong>1 of 1 write could not be judged.</strong>" in page.read_text()
    suite = ET.fromstring(xml.read_text())
    assert int(suite.attrib["errors"]) == len(suite.findall(".//error")) == 2
    assert suite.attrib["failures"] == "0"
