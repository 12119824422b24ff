"""``jackfield invoke``: one invocation, from arguments or from a file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from shell import Answer, Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

SAY = {"connector": "echo", "action": "say", "connection": "hall"}


def error_of(answer: Answer, code: str, exit_code: int = 2) -> dict[str, Any]:
    """The error of a Result that failed as expected."""
    result = answer.json
    assert result["status"] == "failed"
    assert result["error"]["code"] == code, result
    assert answer.code == exit_code
    error: dict[str, Any] = result["error"]
    return error


def test_from_arguments(shell: Shell) -> None:
    """An action runs with the inputs given as words, read as its schema says."""
    answer = shell.run(
        "invoke",
        "echo",
        "say",
        "--connection",
        "hall",
        "text=hello",
        "times=2",
        "loud=true",
        "words=a",
        "names=x",
        "names=y",
    )
    result = answer.json
    assert answer.code == 0
    assert result["status"] == "succeeded"
    assert result["output"]["text"] == "HELLO HELLO"
    assert result["output"]["inputs"]["words"] == ["a"]
    assert result["output"]["inputs"]["names"] == ["x", "y"]
    assert result["meta"]["connector"] == "echo"
    assert answer.err == ""


def test_options_and_words_may_be_mixed(shell: Shell) -> None:
    """Options may stand before, between and after the words, and after ``--`` all are words."""
    assert (
        shell.run(
            "invoke", "--connection=hall", "echo", "--timeout", "5", "say", "text=a", "--json"
        ).json["output"]["text"]
        == "a"
    )
    assert shell.run("invoke", "echo", "say", "--", "text=--b").json["output"]["text"] == "--b"
    refused = error_of(shell.run("invoke", "echo", "say", "--", "--json"), "invalid_invocation")
    assert "'--json' is not of the form key=value" in refused["message"]


@pytest.mark.parametrize(
    "words", [("echo", "post", "--connection", "hall", "text=a"), ("--file", "call.json")]
)
def test_repeat_says_that_it_changes_nothing(shell: Shell, words: tuple[str, ...]) -> None:
    """Two equal writes of the command line are both sent, with it or without; who gives it is told
    what guards a repeat.
    """
    shell.write("call.json", json.dumps({**SAY, "action": "post", "inputs": {"text": "a"}}))
    plain, repeated = shell.run("invoke", *words), shell.run("invoke", *words, "--repeat")
    assert [answer.json["status"] for answer in (plain, repeated)] == ["succeeded", "succeeded"]
    assert "twinOf" not in repeated.json["meta"]
    assert (plain.err, "--idempotency-key guards a repeat" in repeated.err) == ("", True)


def test_a_file_as_attachment_or_text(shell: Shell) -> None:
    """``key=@file`` is an attachment where the schema takes files, else text."""
    shell.write("report.pdf", b"%PDF\xff")
    shell.write("body.txt", "Hello\n")
    output = shell.run("invoke", "echo", "say", "text=@body.txt", "files=@report.pdf").json[
        "output"
    ]
    assert output["text"] == "Hello\n"
    assert output["inputs"]["files"] == {
        "report.pdf": {"data": "JVBERv8=", "contentType": "application/pdf"}
    }


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("inputs.json", '{"text": "filed", "times": 2}'),
        ("inputs.yaml", "text: filed\ntimes: 2\n"),
        ("inputs", "text: filed\ntimes: 2\n"),
        ("inputs.txt", '\ufeff{"text": "filed", "times": 2}'),
        ("inputs.txt", "{text: filed, times: 2}"),
        ("inputs.yaml", "{text: 'filed', times: 2}"),
    ],
)
def test_inputs_from_a_file(shell: Shell, name: str, content: str) -> None:
    """``--inputs`` reads JSON and YAML; words go before it."""
    shell.write(name, content)
    assert (
        shell.run("invoke", "echo", "say", "--inputs", name).json["output"]["text"] == "filed filed"
    )
    assert (
        shell.run("invoke", "echo", "say", "--inputs", name, "text=worded").json["output"]["text"]
        == "worded worded"
    )


def test_text_of_the_wrong_type_is_refused_with_the_way_to_write_it(shell: Shell) -> None:
    """`times=ten` names what the input takes; a value given as JSON, and one that is right, need no
    such hint.
    """
    answer = shell.run("invoke", "echo", "say", "text=x", "times=ten", "loud=maybe", "names:=[{}]")
    hint = error_of(answer, "invalid_input")["hint"]
    assert hint.startswith("Write times=5; loud=true or loud=false. ")
    assert "names" not in hint
    for words in (("text=x", "times=1000"), ("text=x", "times:=[]")):
        assert not error_of(shell.run("invoke", "echo", "say", *words), "invalid_input")[
            "hint"
        ].startswith("Write")


def test_inputs_from_stdin(shell: Shell) -> None:
    """``--inputs -`` reads stdin, and so does ``key=@-``; only one of them can."""
    assert (
        shell.run("invoke", "echo", "say", "--inputs", "-", stdin="text: piped").json["output"][
            "text"
        ]
        == "piped"
    )
    assert (
        shell.run("invoke", "echo", "say", "text=@-", stdin="piped").json["output"]["text"]
        == "piped"
    )
    answer = shell.run("invoke", "echo", "say", "--inputs", "-", "text=@-", stdin="{}")
    assert "stdin can be read only once" in error_of(answer, "invalid_invocation")["message"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", "must contain one object with a member for each input"),
        ("text", "must contain one object with a member for each input"),
        ("", "must contain one YAML document, not 0"),
        ("a: 1\n---\nb: 2\n", "must contain one YAML document, not 2"),
        ("text: !!timestamp 2024-05-01", "could not determine a constructor for the tag"),
        ("text: .nan", "contains nan, which is not a JSON number"),
        ("? [a]\n: x", "it is not YAML"),
        ("text: a\ntext: b", "the key 'text' occurs twice"),
        ("text: [", "it is not YAML"),
        ('{"text": "a", "text": "b"}', "the member 'text' occurs twice"),
        ("{" * 5000, "is not JSON"),
        (
            "a: &a [x]\nb: &b [*a, *a]\n"
            + "".join(
                f"c{n}: &c{n} [{', '.join([f'*c{n - 1}' if n else '*b'] * 9)}]\n" for n in range(9)
            ),
            "expands",
        ),
        (b"\xff\xfe", "is not UTF-8 text (byte 0)"),
    ],
)
def test_inputs_that_are_not_readable(shell: Shell, content: str | bytes, said: str) -> None:
    """A file of inputs that is not one object of JSON values is refused with a sentence that names
    it.
    """
    shell.write("inputs", content)
    error = error_of(shell.run("invoke", "echo", "say", "--inputs", "inputs"), "invalid_invocation")
    assert said in error["message"]
    assert "'inputs'" in error["message"]


def test_yaml_is_read_as_json_would_be(shell: Shell) -> None:
    """In a YAML file of inputs a date is text, and so is the name of every member."""
    shell.write("inputs", "text: 2024-05-01")
    assert (
        shell.run("invoke", "echo", "say", "--inputs", "inputs").json["output"]["text"]
        == "2024-05-01"
    )
    shell.write("inputs", "text: x\n1: x")
    error = error_of(shell.run("invoke", "echo", "say", "--inputs", "inputs"), "invalid_input")
    assert [detail["path"] for detail in error["details"]] == ["/1"]


@pytest.mark.parametrize("option", ["--inputs", "--file"])
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("missing", "No such file or directory"),
        (".", "Is a directory"),
        ("", "No such file or directory"),
    ],
)
def test_files_that_cannot_be_read(shell: Shell, option: str, path: str, said: str) -> None:
    """A missing file, and a folder, are refused by name."""
    words = ["invoke", "echo", "say"] if option == "--inputs" else ["invoke"]
    error = error_of(shell.run(*words, option, path), "invalid_invocation")
    assert error["message"] == f"the file '{path}' cannot be read: {said}"


def test_a_whole_invocation(shell: Shell) -> None:
    """``--file`` runs the invocation in a file, or on stdin."""
    shell.write("invocation.json", json.dumps({**SAY, "inputs": {"text": "whole"}}))
    assert shell.run("invoke", "--file", "invocation.json").json["output"]["text"] == "whole"
    assert shell.run("invoke", "--file", "-", stdin=json.dumps(SAY)).json["output"]["text"] == "Hi"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is not JSON"),
        ("nonsense", "is not JSON"),
        ("[]", "must be a JSON object"),
        ('{"connector": "echo"}', "1 member"),
        ("[" * 100_000, "nested deeper"),
        (b"\xff{}", "not UTF-8"),
        (b'{"connector": "\xed\xa0\x80"}', "not UTF-8"),
    ],
)
def test_a_file_that_holds_no_invocation(shell: Shell, content: str | bytes, said: str) -> None:
    """What is no invocation is refused, however deep or broken."""
    shell.write("invocation.json", content)
    assert (
        said
        in error_of(shell.run("invoke", "--file", "invocation.json"), "invalid_invocation")[
            "message"
        ]
    )


def test_an_endless_file(shell: Shell) -> None:
    """A file is not read further than an invocation may be large."""
    assert (
        "larger than 67,108,864 bytes"
        in error_of(shell.run("invoke", "--file", "/dev/zero"), "invalid_invocation")["message"]
    )


def test_closed_stdin(shell: Shell) -> None:
    """A closed stdin is refused."""
    answer = shell.python(
        "import sys\nsys.stdin = None\nfrom jackfield.cli.main import "
        "main\nsys.exit(main(['invoke', '--file', '-']))"
    )
    assert error_of(answer, "invalid_invocation")["message"] == "stdin is closed"


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (["ecco", "say"], "unknown_connector", 2),
        (["echo", "sai"], "unknown_action", 2),
        (["echo", "say", "--connection", "hal"], "unknown_connection", 2),
        (["echo", "say", "--connector-version", ">=2"], "unknown_connector", 2),
        (["echo", "say", "times=many"], "invalid_input", 2),
        (["echo", "say", "--timeout", "0"], "invalid_invocation", 2),
        (["echo", "say", "--timeout", "nan"], "invalid_invocation", 2),
        (["echo", "say", "--idempotency-key", ""], "invalid_invocation", 2),
        (["echo", "say", 'fault:={"kind": "rejected"}'], "rejected", 1),
        (["echo", "say", 'fault:={"kind": "unauthenticated"}'], "unauthenticated", 1),
        (["echo", "wrong", "key=a", "value=b"], "invalid_output", 1),
        (["ecco", "say", "text=@missing", "nonsense"], "unknown_connector", 2),
    ],
)
def test_exit_codes(shell: Shell, words: list[str], code: str, exit_code: int) -> None:
    """A Result that failed exits 1, or 2 where what was asked for was not valid."""
    error_of(shell.run("invoke", *words), code, exit_code)


def test_in_doubt_exits_3(shell: Shell) -> None:
    """A write that may have taken effect is in doubt, and exits 3; with ``--on-doubt retry`` it is
    sent again.
    """
    fault = 'fault:={"kind": "reset", "tries": 1}'
    answer = shell.run("invoke", "echo", "post", fault)
    assert (answer.code, answer.json["status"], answer.json["error"]["code"]) == (
        3,
        "in_doubt",
        "in_doubt",
    )
    again = shell.run("invoke", "echo", "post", fault, "--on-doubt", "retry")
    assert (again.code, again.json["meta"]["attempts"]) == (0, 2)


def test_dry_run(shell: Shell) -> None:
    """``--dry-run`` does everything but the action."""
    result = shell.run("invoke", "echo", "post", "--dry-run").json
    assert result["status"] == "succeeded"
    assert "output" not in result
    assert result["meta"]["dryRun"] is True


def test_the_workspace(shell: Shell) -> None:
    """The workspace comes from the environment; the connections of files belong to the workspace
    'default' only.
    """
    shell.run("workspaces", "create", "acme")
    shell.set(JACKFIELD_WORKSPACE="acme", JACKFIELD_LOG_LEVEL="ERROR")
    assert (
        shell.run("invoke", "echo", "say", "text=hi").json["error"]["code"] == "invalid_invocation"
    )
    inputs = {"text": "hi", "fault": {"kind": "bug"}}
    inline = {"type": "token", "values": {"token": "t"}}
    invocation = {"connector": "echo", "action": "say", "connection": inline, "inputs": inputs}
    answer = shell.run("invoke", "--file", str(shell.write("say.json", json.dumps(invocation))))
    assert answer.json["status"] == "failed"
    assert "workspace acme" in answer.err


def test_an_async_action(shell: Shell) -> None:
    """An ``async def`` action runs like any other."""
    assert (
        shell.ended(shell.start("invoke", "echo", "sayLater", "text=later")).json["output"]["text"]
        == "later"
    )


def test_all_pages(shell: Shell) -> None:
    """A paginated action gives one page, or all of them where asked."""
    assert len(shell.run("invoke", "echo", "list").json["output"]["Items"]) == 4
    result = shell.run("invoke", "echo", "list", "fetchAll=true", "total=250").json
    assert len(result["output"]["Items"]) == 250
    assert result["meta"]["complete"] is True


def test_no_secret_is_shown(shell: Shell) -> None:
    """A connection's secret is masked in a Result."""
    answer = shell.run("invoke", "echo", "say", "reveal=true")
    assert answer.code == 0
    assert "s3cret-token" not in answer.out + answer.err
