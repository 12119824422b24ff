"""What is written: one line for programs; indented JSON, colours and tables for people."""

from __future__ import annotations

import json
import re
import sys

import pytest

from jackfield.cli.lines import progress
from jackfield.cli.output import Output
from shell import Shell

pytest_plugins = ["shell_fixture"]

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(monkeypatch: pytest.MonkeyPatch, **environment: str) -> None:
    """Make stdout a terminal of 60 columns."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "60", **environment}.items():
        monkeypatch.setenv(name, value)


def test_one_line_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """Where stdout is no terminal, an answer is one line, its text not escaped."""
    Output().value({"text": "Grüße\n"})
    assert capsys.readouterr().out == '{"text": "Grüße\\n"}\n'


def test_indented_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a terminal an answer is indented and coloured; the text is the same JSON."""
    on_terminal(monkeypatch)
    value = {"a": [1, None, "x" * 200, "[bold]not markup[/bold]"], "b": {}}
    Output().value(value)
    out = capsys.readouterr().out
    assert "\x1b[" in out
    assert ESCAPE.sub("", out) == json.dumps(value, indent=2) + "\n"


def test_no_colours_where_not_wanted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR takes the colours away, from JSON and from tables."""
    on_terminal(monkeypatch, NO_COLOR="1")
    Output().value({"a": 1})
    Output().rows([{"key": "k", "title": "T"}], ("key", "title"))
    out = capsys.readouterr().out
    assert out.startswith('{\n  "a": 1\n}\n')
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", out)


def test_one_line_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--json`` gives one line on a terminal too."""
    on_terminal(monkeypatch)
    output = Output(one_line=True)
    output.value({"a": 1})
    output.rows([{"a": 1}], ("a",))
    output.text("script\n")
    assert capsys.readouterr().out == '{"a": 1}\n[{"a": 1}]\n"script\\n"\n'


def test_a_table(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A list is a table on a terminal: lists joined, missing cells empty, nothing taken for markup
    or a control character.
    """
    on_terminal(monkeypatch)
    rows: list[dict[str, object]] = [
        {"key": "a", "actions": ["x", "y"]},
        {"key": "[red]b", "actions": None},
        {"key": "\x1b[31mc", "actions": 3},
    ]
    Output().rows(rows, ("key", "actions"))
    lines = [line.split() for line in ESCAPE.sub("", capsys.readouterr().out).splitlines()]
    assert lines == [
        ["Key", "Actions"],
        ["a", "x,", "y"],
        ["[red]b"],
        ["\N{REPLACEMENT CHARACTER}[31mc", "3"],
    ]


@pytest.fixture
def without_rich(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra ``tables``."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.delitem(sys.modules, "jackfield.cli.drawn", raising=False)
    monkeypatch.delattr("jackfield.cli.drawn", raising=False)


@pytest.mark.usefixtures("without_rich")
def test_plain_text_without_rich(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without rich, a terminal shows the same tables and JSON in plain text: aligned, control
    characters replaced.
    """
    on_terminal(monkeypatch)
    output = Output()
    output.rows(
        [{"key": "a", "createdAt": ["x", "y"]}, {"key": "\x1b[31mlong", "createdAt": None}],
        ("key", "createdAt"),
    )
    output.rows([], ("key",))
    output.value({"a": 1})
    assert (
        capsys.readouterr().out
        == 'Key        Created\na          x, y\n\N{REPLACEMENT CHARACTER}[31mlong\n(none)\n{\n  "a": 1\n}\n'
    )


@pytest.mark.usefixtures("without_rich")
def test_no_progress_without_rich(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without rich, a long run shows no progress, and runs."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress(sys.stdout, 2) as tell:
        tell(False)
    assert capsys.readouterr() == ("", "")


def test_an_empty_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty list says so on a terminal."""
    on_terminal(monkeypatch)
    Output().rows([], ("key",))
    assert capsys.readouterr().out == "(none)\n"


def test_controls_do_not_reach_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control characters in an answer are escaped on a terminal, those too that JSON lets
    through.
    """
    on_terminal(monkeypatch, NO_COLOR="1")
    Output().value({"a": "\x1b[31m\x9b31m\x7f"})
    out = capsys.readouterr().out
    assert not set(out) & {"\x1b", "\x9b", "\x7f"}
    assert json.loads(out) == {"a": "\x1b[31m\x9b31m\x7f"}


def test_a_lone_surrogate_is_an_escape(shell: Shell) -> None:
    """A lone surrogate in an answer is written as JSON's escape for it."""
    answer = shell.python(
        "from jackfield.cli import main\nmain._speak_utf8()\nfrom jackfield.cli.output import "
        "Output\nOutput().line({'a': 'x\\udc80'})"
    )
    assert answer.out == '{"a": "x\\udc80"}\n'


def test_refusals_on_a_terminal(shell: Shell) -> None:
    """A refusal on a terminal is the same JSON, indented."""
    shell.set(NO_COLOR="1")
    answer = shell.on_terminal("schema", "ecco", "say")
    assert answer.code == 2
    assert answer.out.startswith('{\n  "error": {\n    "code": "unknown_connector"')


@pytest.mark.parametrize(
    ("stdout", "stderr", "shown"), [(False, True, True), (True, True, False), (False, False, False)]
)
def test_progress(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, stdout: bool, stderr: bool, shown: bool
) -> None:
    """Progress of many lines is shown on stderr, where that is a terminal and stdout is none."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: stdout)
    monkeypatch.setattr("sys.stderr.isatty", lambda: stderr)
    invocation = '{"connector": "echo", "action": "say"}\n'
    answer = shell.run("invoke", "--lines", stdin=invocation * 2 + "{}\n")
    assert len(answer.lines) == 3
    assert ("3 finished, 1 failed" in ESCAPE.sub("", answer.err)) is shown
