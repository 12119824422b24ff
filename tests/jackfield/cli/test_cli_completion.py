"""Shell completion: what is offered, and the scripts that offer it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from jackfield.cli.commands import BUILT_IN
from jackfield.kernel.packages import DECLARED
from plugboard import declare
from shell import Shell

pytest_plugins = ["shell_fixture", "warm"]


def offered(shell: Shell, *words: str) -> list[str]:
    """The words that are offered, without what they mean."""
    answer = shell.run("__complete", "--", *words)
    assert (answer.code, answer.err) == (0, "")
    return [line.partition("\t")[0] for line in answer.out.splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["inv"], ["invocations", "invoke"]),
        (["conne"], ["connect-sessions", "connections", "connectors"]),
        (["connectors", ""], ["list", "show"]),
        (["connectors", "list", "--c"], ["--check"]),
        (["connectors", "show", ""], ["echo"]),
        (["connectors", "show", "echo", ""], []),
        (["invoke", "e"], ["echo"]),
        (["invoke", "echo", "sa"], ["say", "sayLater"]),
        (["invoke", "echo", "say", "te"], ["text="]),
        (["invoke", "echo", "say", "loud="], ["loud=true", "loud=false"]),
        (["invoke", "echo", "say", "voice=a"], ["voice=alto"]),
        (["invoke", "echo", "say", "voi"], ["voice="]),
        (["invoke", "--timeout", "5", "echo", "say", "text=x", "ti"], ["times="]),
        (["invoke", "echo", "say", "--connection", ""], ["hall"]),
        (["invoke", "echo", "say", "--on-doubt", "re"], ["report", "retry"]),
        (["invoke", "echo", "say", "--inputs", ""], []),
        (["invoke", "echo", "--dry-run", "pu"], ["put"]),
        (["invoke", "echo", "say", "--dr"], ["--dry-run"]),
        (["invoke", "nowhere", "x"], []),
        (["invoke", "nowhere", "say", "x"], []),
        (["invoke", "echo", "nothing", "x"], []),
        (["schema", "echo", "pu"], ["put"]),
        (["schema", "echo", "--connection", ""], ["token"]),
        (["schema", "--connection", ""], []),
        (["options", "echo", ""], ["voices", "rooms"]),
        (["options", "e"], ["echo"]),
        (["connections", "test", ""], ["hall"]),
        (["connections", "show", "hall", ""], []),
        (["connections", "frob", ""], []),
        (["completion", "z"], ["zsh"]),
        (["completion", "zsh", ""], []),
        (["search", "x"], []),
        (["frobnicate", ""], []),
    ],
)
def test_offers(shell: Shell, words: list[str], expected: list[str]) -> None:
    """What can stand at a place is offered there, and nothing where nothing is known."""
    assert offered(shell, *words) == expected


def test_plugged_commands_are_offered(shell: Shell) -> None:
    """Commands that packages add are offered too."""
    declare(shell.plugs, "jackfield-extra", "jackfield.commands", {"hello": "nowhere:command"})
    assert offered(shell, "he") == ["hello"]
    assert offered(shell, "hello", "x") == []


def test_meanings(shell: Shell) -> None:
    """A word comes with what it means, after a tab and on one line."""
    assert shell.run("__complete", "--", "invoke", "echo", "po").out == "post\tPost a Note\n"
    assert "\ninvoke\t" in shell.run("__complete").out


def test_broken_connectors_offer_nothing(shell: Shell) -> None:
    """A connection file that is broken is no error here."""
    shell.write("connections.yaml", "connections: [")
    assert offered(shell, "connections", "show", "") == []


def test_completion_is_light(shell: Shell) -> None:
    """A Tab imports no pydantic, no pipe and no connector."""
    for words in (["invoke", "echo", "say", ""], ["connections", "show", ""], [""]):
        call = f"main(['__complete', '--', *{words}])"
        answer = shell.python(
            "import sys\nfrom jackfield.cli.main import "
            f"main\n{call}\nprint(sorted(sys.modules), file=sys.stderr)"
        )
        assert "text=" in answer.out or "hall" in answer.out or "invoke" in answer.out
        for name in ("pydantic", "jackfield.call", "jackfield_echo", "rich", "jsonschema_rs"):
            assert f"'{name}'" not in answer.err


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_scripts(shell: Shell, shell_name: str) -> None:
    """Each shell gets a script that asks the hidden command, and the shell itself finds it well
    formed.
    """
    script = shell.run("completion", shell_name)
    assert script.code == 0
    assert "jackfield __complete -- " in script.out
    program = shutil.which(shell_name)
    if program is not None:
        done = subprocess.run(
            [program, "-n"], input=script.out.encode(), capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, b"")


def test_an_unknown_shell(shell: Shell) -> None:
    """Another shell is refused with the names of those that are known."""
    answer = shell.run("completion", "tcsh")
    assert answer.code == 2
    assert "'bash', 'zsh', 'fish'" in answer.json["error"]["message"]


@pytest.mark.usefixtures("warm_python")
@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (["conne"], ["connect-sessions", "connections", "connectors"]),
        (["invoke", "echo", "tex"], []),
        (["invoke", "echo", "say", "tex"], ["text="]),
        (["invoke", "echo", "say", "loud", "=", "t"], ["true"]),
        (["invoke", "echo", "say", "voice", "="], ["alto", "bass"]),
        (["invoke", "echo", "say", "text", "=", "hi", "tim"], ["times="]),
        (["invoke", "echo", "say", "data", ":=", "{}", "voi"], ["voice="]),
        (["connections", "show", ""], ["hall"]),
        (
            [""],
            sorted(
                [
                    *BUILT_IN,
                    *(name for name, (_, extra) in DECLARED["jackfield.commands"].items() if extra),
                ]
            ),
        ),
    ],
)
def test_bash(shell: Shell, words: list[str], replies: list[str]) -> None:
    """In bash, which splits words at ``=`` and ``:``, the replies complete the part that it looks
    at.
    """
    bash = shutil.which("bash")
    assert bash is not None
    script = shell.run("completion", "bash").out
    listed = " ".join(f"'{word}'" for word in ["jackfield", *words])
    program = f"""{script}
jackfield() {{ '{sys.executable}' -m jackfield "$@"; }}
COMP_WORDS=({listed}) COMP_CWORD={len(words)}
_jackfield
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    done = subprocess.run(
        [bash, "-c", program],
        capture_output=True,
        env=shell.environment(),
        cwd=shell.folder,
        check=False,
    )
    assert done.stderr == b""
    assert done.stdout.decode().split() == replies
