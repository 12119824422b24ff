"""The command itself: help, versions, commands that are not there, and commands that packages
add.
"""

from __future__ import annotations

import importlib
import re

import pytest

import jackfield
from plugboard import declare
from shell import Shell

pytest_plugins = ["shell_fixture"]

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def add_command(
    shell: Shell, name: str, source: str, distribution: str = "jackfield-extra"
) -> None:
    """Plug a command in: the module ``plugged_<name>``."""
    module = f"plugged_{name}"
    (shell.plugs / f"{module}.py").write_text(source, encoding="utf-8")
    declare(shell.plugs, distribution, "jackfield.commands", {name: f"{module}:command"})


def test_help_names_the_commands(shell: Shell) -> None:
    """Help goes to stdout, and ``help all`` names every command."""
    answer = shell.run("help", "all")
    assert answer.code == 0
    assert answer.err == ""
    for name in (
        "invoke",
        "connectors",
        "schema",
        "search",
        "options",
        "connections",
        "completion",
    ):
        assert f"\n  {name} " in answer.out


def test_version(shell: Shell) -> None:
    """``--version`` prints the version of the package."""
    assert shell.run("--version").out == f"jackfield {jackfield.__version__}\n"


def test_no_command(shell: Shell) -> None:
    """Without a command, stdout says in JSON what is wrong and stderr shows the help."""
    answer = shell.run()
    assert answer.code == 2
    assert answer.json["error"]["code"] == "invalid_invocation"
    assert "usage: jackfield" in answer.err
    assert "connectors" in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["invok"], "unknown command 'invok'; did you mean 'invoke'?"),
        (["frobnicate"], "unknown command 'frobnicate'"),
        (["connectors"], "'connectors' needs one of: list, show"),
        (["connectors", "lst"], "'connectors' has no command 'lst'; did you mean 'list'?"),
        (["connectors", "show"], "the following arguments are required: CONNECTOR"),
        (["connectors", "list", "--nope"], "unrecognized arguments: --nope"),
        (["connectors", "list", "--jso"], "unrecognized arguments: --jso; did you mean '--json'?"),
        (["schema", "echo"], "give either an ACTION or --connection TYPE"),
        (["search"], "the following arguments are required: WORDS"),
    ],
)
def test_words_that_make_no_command(shell: Shell, words: list[str], said: str) -> None:
    """A usage error is an error object on stdout, a usage line on stderr, and exit code 2."""
    answer = shell.run(*words)
    assert answer.code == 2
    assert set(answer.json) == {"error"}
    error = answer.json["error"]
    assert error["code"] == "invalid_invocation"
    assert error["message"] == said
    assert error["retryable"] is False
    assert error["hint"]
    assert answer.err.startswith("usage: jackfield")
    assert said in answer.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["invoke"], "missing: CONNECTOR and ACTION"),
        (["invoke", "echo"], "missing: ACTION"),
        (
            ["invoke", "echo", "say", "--timeout", "soon"],
            (
                "argument --timeout: must be a duration such as 5, 5s or 2m, above 0 and at most "
                "900s, not 'soon'"
            ),
        ),
        (
            ["invoke", "echo", "say", "--on-doubt", "maybe"],
            (
                "argument --on-doubt: invalid choice: 'maybe' (choose from 'report', 'settle', "
                "'retry')"
            ),
        ),
        (
            ["invoke", "--lines", "--concurrency", "0"],
            "argument --concurrency: must be a whole number from 1 to 256, not '0'",
        ),
        (
            ["invoke", "--lines", "--concurrency", "²"],
            "argument --concurrency: must be a whole number from 1 to 256, not '²'",
        ),
        (
            ["invoke", "--file", "a.json", "--inputs", "b"],
            "--file contains the whole invocation; '--inputs' cannot be added",
        ),
        (
            ["invoke", "--file", "a.json", "echo"],
            "--file contains the whole invocation; 'echo' cannot be added",
        ),
    ],
)
def test_words_that_make_no_invocation(shell: Shell, words: list[str], said: str) -> None:
    """A usage error of ``invoke`` is a failed Result with a meta of its own."""
    answer = shell.run(*words)
    assert answer.code == 2
    result = answer.json
    assert result["status"] == "failed"
    assert result["error"]["message"] == said
    assert UUID7.fullmatch(result["meta"].pop("invocationId"))
    assert result["meta"] == {"attempts": 0, "durationMs": 0.0, "replayed": False}
    assert answer.err.startswith("usage: jackfield invoke")


@pytest.mark.parametrize(
    "words",
    [
        ["invoke", "--help"],
        ["connectors", "--help"],
        ["connectors", "list", "-h"],
        ["completion", "-h"],
    ],
)
def test_help_of_a_command(shell: Shell, words: list[str]) -> None:
    """Each command explains itself on stdout."""
    answer = shell.run(*words)
    assert answer.code == 0
    assert answer.out.startswith("usage: jackfield ")
    assert answer.err == ""


@pytest.mark.parametrize(
    "words", [["connectors", "--json", "list"], ["connectors", "list", "--json"]]
)
def test_json_anywhere_after_the_name(shell: Shell, words: list[str]) -> None:
    """``--json`` may stand anywhere after a command's name, and gives one line on a terminal
    too.
    """
    answer = shell.on_terminal(*words)
    assert answer.code == 0
    assert [row["key"] for row in answer.json] == ["echo"]


def test_words_that_are_not_text(shell: Shell) -> None:
    """Octets that are no UTF-8 are refused, not decoded and not a traceback."""
    answer = shell.ended(shell.start("invoke", "echo", "say", b"text=\xff"))
    assert answer.code == 2
    assert answer.json["error"]["code"] == "invalid_invocation"
    assert "argument 4" in answer.json["error"]["message"]
    assert "Traceback" not in answer.err


def test_python_m_jackfield(shell: Shell) -> None:
    """``python -m jackfield`` is the command."""
    answer = shell.ended(shell.start("connectors", "list"))
    assert answer.code == 0
    assert answer.json[0]["key"] == "echo"


def test_utf8_whatever_the_locale(shell: Shell) -> None:
    """Answers are UTF-8 where the locale is not."""
    process = shell.start("invoke", "--lines", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0")
    line = '{"connector": "echo", "action": "say", "inputs": {"text": "Grüße, Ωmega 🎛"}}'
    answer = shell.ended(process, line.encode())
    assert answer.json["output"]["text"] == "Grüße, Ωmega 🎛"


def test_help_names_plugged_commands_without_importing_them(shell: Shell) -> None:
    """A command that a package adds stands in ``help all``, and its module is not run for that."""
    add_command(shell, "hello", "raise RuntimeError('imported')")
    answer = shell.run("help", "all")
    assert re.search(r"hello +\(added by jackfield-extra\)", answer.out)


def test_a_plugged_command_runs(shell: Shell) -> None:
    """A command that a package adds gets the words after its name and gives the exit code."""
    add_command(shell, "hello", "def command(argv):\n    print(argv)\n    return 3\n")
    answer = shell.run("hello", "--json", "x")
    assert (answer.code, answer.out) == (3, "['--json', 'x']\n")


def test_a_plugged_command_may_give_nothing_or_exit(shell: Shell) -> None:
    """None is success; SystemExit is an exit code."""
    add_command(shell, "quiet", "def command(argv):\n    pass\n")
    add_command(
        shell, "leaving", "import sys\ndef command(argv):\n    sys.exit(7)\n", "jackfield-more"
    )
    assert shell.run("quiet").code == 0
    assert shell.run("leaving").code == 7


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise OSError('no such library')", "fails on import: OSError: no such library"),
        ("x = 1", "fails on import: AttributeError"),
        ("command = 5", "neither a function nor a table of verbs"),
    ],
)
def test_a_broken_plugged_command(shell: Shell, source: str, said: str) -> None:
    """A plugged command that cannot be imported is refused with the name of its package."""
    add_command(shell, "broken", source)
    answer = shell.run("broken")
    assert answer.code == 2
    assert "the command 'broken' of jackfield-extra" in answer.json["error"]["message"]
    assert said in answer.json["error"]["message"]


def test_a_command_of_a_package_that_is_not_there_says_what_to_install(shell: Shell) -> None:
    """Without jackfield-market, its commands and its test support name the extra that installs it;
    the rest works.
    """
    (shell.plugs / "jackfield_market-0.dist-info").mkdir()
    answer = shell.run("check", ".")
    assert (answer.code, answer.json["error"]["hint"]) == (
        2,
        "Install it: pip install 'jackfield[market]'.",
    )
    assert "\n  check " not in shell.run("--help").out
    assert shell.run("connectors", "list").code == 0


def test_a_command_of_a_package_that_no_extra_installs_names_the_package(shell: Shell) -> None:
    """Without the simulator of Amazon SES, ``demo`` says whose it is."""
    answer = shell.run("demo")
    assert (answer.code, answer.json["error"]["hint"]) == (
        2,
        "Install it: pip install jackfield-aws-ses-simulator.",
    )


def test_a_command_of_two_words_names_the_package_of_the_second(shell: Shell) -> None:
    """Packages share the first word: without the one of the second, that is what is missing,
    whatever the others have.
    """
    said = (
        "the command 'generate openapi' needs the package 'jackfield-openapi', which is not "
        "installed"
    )
    alone = shell.run("generate", "openapi", "api.yaml")
    (shell.plugs / "plugged_other.py").write_text(
        "def command(words):\n    return 3\n", encoding="utf-8"
    )
    declare(
        shell.plugs,
        "jackfield-extra",
        "jackfield.commands",
        {"generate.other": "plugged_other:command"},
    )
    for answer in (alone, shell.run("generate", "openapi", "api.yaml")):
        assert (answer.code, answer.json["error"]["message"]) == (2, said)
        assert answer.json["error"]["hint"] == "Install it: pip install jackfield-openapi."
    assert shell.run("generate", "other").code == 3
    assert (
        shell.run("generate", "nonsense").json["error"]["message"]
        == "'generate' has no command 'nonsense'"
    )


@pytest.mark.parametrize(
    ("words", "extra"),
    [(("dapr", "--components", "."), "dapr"), (("run", "flow.yaml"), "workflow")],
)
def test_a_foreign_surface_of_a_package_that_is_not_there_says_what_to_install(
    shell: Shell, words: tuple[str, ...], extra: str
) -> None:
    """Without jackfield-dapr, its commands name the extra that installs each, and so does ``serve
    --components``.
    """
    (shell.plugs / "jackfield_dapr-0.dist-info").mkdir()
    answer = shell.run(*words)
    assert answer.code == 2
    assert (
        answer.json["error"]["message"]
        == f"the command '{words[0]}' needs the extra '{extra}', which is not installed"
    )
    assert answer.json["error"]["hint"] == f"Install it: pip install 'jackfield[{extra}]'."
    served = shell.run("serve", "--port", "0", "--components", ".")
    assert (served.code, served.json["error"]["hint"]) == (2, "pip install 'jackfield[dapr]'")


def test_a_broker_without_the_package_for_it_says_what_to_install(shell: Shell) -> None:
    """Without jackfield-celery, who names a broker learns which extra installs the engine; nothing
    is started.
    """
    (shell.plugs / "jackfield_celery-0.dist-info").mkdir()
    shell.set(
        JACKFIELD_DATABASE_URL=f"sqlite:///{shell.folder}/queue.db",
        JACKFIELD_QUEUE_URL="amqp://127.0.0.1",
    )
    answer = shell.run("worker")
    assert answer.code == 2
    assert answer.json["error"]["message"] == (
        "JACKFIELD_QUEUE_URL needs the extra 'celery': the package 'jackfield-celery' is "
        "not installed"
    )
    assert answer.json["error"]["hint"] == "pip install 'jackfield[celery]'"


def test_test_support_of_a_package_that_is_not_there_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """``jackfield.testing`` is the name; jackfield-market has the code."""
    monkeypatch.setattr("jackfield.testing.part", lambda _name: None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'jackfield\[testing\]'"):
        vars(importlib.import_module("jackfield.testing"))["__getattr__"]("Conformance")


def test_a_table_of_verbs_is_a_command(shell: Shell) -> None:
    """An entry point may name ``VERBS``, as the built-in commands have them: a command of two words
    runs and has help.
    """
    source = (
        "from jackfield.cli.parsing import Verb\nVERBS = {'a': Verb('Do a.', lambda parser: "
        "None, lambda arguments, output: 5)}\n"
    )
    add_command(shell, "table", source + "command = VERBS\n")
    assert shell.run("table", "a").code == 5
    assert "Do a." in shell.run("table", "--help").out
    assert "has no command 'b'" in shell.run("table", "b").json["error"]["message"]


def test_two_packages_with_one_command(shell: Shell) -> None:
    """A command that two packages add is refused, naming both; a built-in one cannot be taken
    over.
    """
    add_command(shell, "twice", "def command(argv):\n    return 0\n")
    declare(
        shell.plugs,
        "jackfield-other",
        "jackfield.commands",
        {"twice": "plugged_twice:command", "invoke": "plugged_twice:command"},
    )
    assert (
        "declared twice, by jackfield-extra and jackfield-other"
        in shell.run("twice").json["error"]["message"]
    )
    assert shell.run("invoke", "--help").out.startswith("usage: jackfield invoke")


@pytest.mark.parametrize("words", [["--help"], ["connectors", "show", "echo"]])
def test_a_reader_who_leaves_is_no_error(shell: Shell, words: list[str]) -> None:
    """Where nobody reads stdout any more, a command ends quietly."""
    process = shell.start(*words)
    shell.close_stdout(process)
    answer = shell.ended(process)
    assert (answer.code, answer.err) == (0, "")


@pytest.mark.parametrize(
    "words",
    [
        ["connectors", "list"],
        ["--help"],
        ["--version"],
        ["connectors", "--help"],
        ["invoke", "--help"],
    ],
)
def test_a_full_disk_is_told(shell: Shell, words: list[str]) -> None:
    """An answer that cannot be written is a failure, with a sentence on stderr; help is an answer,
    too.
    """
    answer = shell.python(
        "import os, sys\nos.dup2(os.open('/dev/full', os.O_WRONLY), 1)\nfrom jackfield.cli.main "
        f"import main\nsys.exit(main({words!r}))"
    )
    assert answer.code == 1
    assert (
        answer.err == "jackfield: the output cannot be written to stdout: No space left on device\n"
    )
