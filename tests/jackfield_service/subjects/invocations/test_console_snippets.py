"""The same call as JSON, curl, Python and a command line: each says what the form says."""

from __future__ import annotations

import ast
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jackfield.cli.arguments import read_inputs
from jackfield.cli.local_files import LocalFiles
from jackfield.invocation import Invocation
from jackfield_service.shell.pages.layout.components import json_text
from jackfield_service.shell.pages.layout.snippets import as_command, as_curl, as_python

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
INPUTS = st.dictionaries(
    st.from_regex(r"[a-z][A-Za-z0-9]{0,8}", fullmatch=True),
    VALUES.filter(lambda value: value != ""),
    max_size=5,
)


def invocation(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """An invocation with these inputs."""
    return {
        "connector": "echo",
        "action": "say",
        "connection": "hall",
        "inputs": dict(inputs),
        "timeoutSeconds": 5,
    }


def split(command: str) -> list[str]:
    """The words of a command, as a shell reads them: a line goes on behind a backslash."""
    return shlex.split(command.replace(" \\\n  ", " "))


def literal(program: str) -> Any:
    """The invocation in a program, read without running it."""
    assigned = next(node for node in ast.walk(ast.parse(program)) if isinstance(node, ast.Assign))
    return ast.literal_eval(assigned.value)


@settings(deadline=None)  # the machine may be busy
@given(INPUTS)
def test_every_language_says_the_same(inputs: dict[str, Any]) -> None:
    """Whatever is filled in: JSON, the body of curl, the program's literal and the command's words
    are the same invocation.
    """
    made = invocation(inputs)
    assert Invocation.from_json(json.loads(json_text(made))).inputs == inputs
    words = split(as_curl(made, "https://jackfield.example.com"))
    assert words[2] == "https://jackfield.example.com/v1/invocations"
    assert json.loads(words[words.index("-d") + 1]) == made
    assert literal(as_python(made)) == made
    command = split(as_command(made))
    assert command[:6] == ["jackfield", "invoke", "echo", "say", "--connection", "hall"]
    assert command[6] == "--timeout=5"
    assert read_inputs(command[7:], {}, LocalFiles()) == inputs


def test_the_token_is_never_in_a_snippet() -> None:
    """Curl takes the token from a variable, which the shell fills in."""
    text = as_curl(invocation({}), "http://127.0.0.1:8080")
    assert 'Authorization: Bearer $JACKFIELD_TOKEN"' in text


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ({"report.pdf": {"file": "file_1"}}, "files=@report.pdf"),
        ([{"key": "report.pdf", "value": {"file": "file_1"}}], "files=@report.pdf"),
        ({"file": "file_1"}, "files=@files"),
    ],
)
def test_uploaded_files_are_read_where_they_were(value: Any, word: str) -> None:
    """Where no upload is known, the file itself is named: the command line and a program read
    it.
    """
    made = invocation({"files": value})
    assert word in split(as_command(made))
    program = as_python(made)
    name = word.partition("@")[2]
    assert f"Path({name!r}).read_bytes()" in program
    assert "file_1" not in program
    assert "file_1" in as_curl(made, "http://127.0.0.1:8080")
    compile(program, "snippet", "exec")


def test_a_program_of_a_snippet_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python snippet is a whole program."""
    seen = []

    class Panel:
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *exception: object) -> None:
            """Nothing to close."""

        def invoke(self, given: object) -> Any:
            seen.append(given)
            return type("Result", (), {"unwrap": lambda _self: "done"})()

    monkeypatch.setattr("jackfield.Jackfield", Panel)
    monkeypatch.chdir(tmp_path)
    Path("report.pdf").write_bytes(b"%PDF")
    exec(as_python(invocation({"files": {"report.pdf": {"file": "x"}}, "text": "Hi"})), {})
    assert seen == [invocation({"files": {"report.pdf": {"data": "JVBERg=="}}, "text": "Hi"})]
