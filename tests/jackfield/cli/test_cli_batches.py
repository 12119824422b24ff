"""Files of invocations as their owner works with them: options for all lines, where to go on, and
which line a fault is of (B12).
"""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from shell import GateKeeper, Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


def line(text: str = "x", inputs: dict[str, Any] | None = None, **members: Any) -> str:
    """An invocation on one line."""
    return (
        json.dumps(
            {
                "connector": "echo",
                "action": "say",
                "inputs": {"text": text, **(inputs or {})},
                **members,
            }
        )
        + "\n"
    )


REJECTED = {"fault": {"kind": "rejected"}}


def test_b12_faults_carry_the_line_and_the_callers_id(shell: Shell) -> None:
    """Each Result has the number of its line, blank ones counted; one that did not succeed has the
    caller's own ids, too.
    """
    content = (
        line("a")
        + "\n  \n"
        + line("b", REJECTED, idempotencyKey="order-1", context={"correlationId": "c-1"})
        + "{nonsense\n"
    )
    answer = shell.run("invoke", "--lines", stdin=content)
    metas = [row["meta"] for row in answer.lines]
    assert [meta["line"] for meta in metas] == [1, 4, 5]
    assert [(meta.get("idempotencyKey"), meta.get("correlationId")) for meta in metas] == [
        (None, None),
        ("order-1", "c-1"),
        (None, None),
    ]


def test_b12_options_apply_to_each_line(shell: Shell) -> None:
    """--dry-run, --timeout and --connection apply to each line of a file, and to a file with one
    invocation; what they replaced is told.
    """
    shell.write("many.jsonl", line("a", timeoutSeconds=7) + line("b"))
    answer = shell.run("invoke", "--file", "many.jsonl", "--dry-run", "--timeout", "5s")
    assert [row["meta"]["dryRun"] for row in answer.lines] == [True, True]
    assert (
        answer.err == "jackfield: an option replaced 'timeoutSeconds' on 1 lines, first on line 1\n"
    )
    moved = shell.run("invoke", "--file", "many.jsonl", "--connection", "nowhere")
    assert [row["error"]["code"] for row in moved.lines] == ["unknown_connection"] * 2
    shell.write("one.json", line("a"))
    assert shell.run("invoke", "--file", "one.json", "--dry-run").json["meta"]["dryRun"] is True


@pytest.mark.parametrize(
    "words", [["--idempotency-key", "k"], ["--inputs", "x.json"], ["echo", "say"]]
)
def test_b12_what_cannot_apply_to_each_line_is_refused(shell: Shell, words: list[str]) -> None:
    """One key for many lines, and inputs beside a file, are refused before anything runs."""
    shell.write("many.jsonl", line("a"))
    answer = shell.run("invoke", "--file", "many.jsonl", *words)
    assert (answer.code, answer.json["error"]["code"]) == (2, "invalid_invocation")


def test_b12_nothing_to_do_is_told(shell: Shell) -> None:
    """Empty stdin and an empty file are told as such."""
    alone = shell.run("invoke", "--file", "-", stdin="")
    assert (alone.code, alone.json["error"]["message"]) == (
        2,
        "the invocation is not JSON: it is empty",
    )
    shell.write("none.jsonl", "\n")
    answer = shell.run("invoke", "--file", "none.jsonl")
    assert (answer.code, answer.out) == (0, "")
    assert "'none.jsonl' has no lines to run" in answer.err


def test_b12_a_batch_goes_on_from_a_line_or_from_results(shell: Shell) -> None:
    """--resume N skips the lines before N; --resume RESULTS skips those that are done or in doubt,
    and says which were in doubt.
    """
    doubt = line("c", {"fault": {"kind": "reset"}}, action="post")
    shell.write("many.jsonl", line("a") + line("b", REJECTED) + "\n" + doubt + line("d"))
    assert [
        row["meta"]["line"]
        for row in shell.run("invoke", "--file", "many.jsonl", "--resume", "4").lines
    ] == [4, 5]
    first = shell.run("invoke", "--file", "many.jsonl")
    shell.write("results.jsonl", "\n".join(first.out.splitlines()[:3]) + '\n{"status": "succ')
    again = shell.run("invoke", "--file", "many.jsonl", "--resume", "results.jsonl")
    assert [row["meta"]["line"] for row in again.lines] == [2, 5]
    assert "lines in doubt were skipped: 4" in again.err


def test_b12_a_dry_run_is_not_done(shell: Shell) -> None:
    """Results of a dry run do not count as done, and a file of other things is refused."""
    shell.write("many.jsonl", line("a"))
    shell.write("results.jsonl", shell.run("invoke", "--file", "many.jsonl", "--dry-run").out)
    assert len(shell.run("invoke", "--file", "many.jsonl", "--resume", "results.jsonl").lines) == 1
    refused = shell.run("invoke", "--file", "many.jsonl", "--resume", "many.jsonl")
    assert (refused.code, "not a Result" in refused.json["error"]["message"]) == (2, True)


@pytest.mark.parametrize(
    "content",
    [
        "hello",
        line("a").strip(),
        '{"status": "succeeded", "meta": {"line": "1"}}\n',
        '{"status": "succeeded", "meta": {"line": true}}\n',
        '{"status": "done", "meta": {"line": 1}}\n',
        '{"status": ["succeeded"], "meta": {"line": 1}}\n',
        '{"status": "succeeded", "meta": []}\n',
        "[1]\n",
    ],
)
def test_n7_what_is_no_result_is_refused_with_its_line(shell: Shell, content: str) -> None:
    """A file to go on from that holds something else is refused, its last line included, and
    nothing is run.
    """
    shell.write("many.jsonl", line("a"))
    shell.write("results.jsonl", '\n{"status":"failed","meta":{"line":1}}\n' + content)
    refused = shell.run("invoke", "--file", "many.jsonl", "--resume", "results.jsonl")
    assert (refused.code, len(refused.lines)) == (2, 1)
    assert "line 3, is not a Result" in refused.json["error"]["message"]


def test_b12_ctrl_c_says_what_was_not_begun(shell: Shell) -> None:
    """After Ctrl-C stderr says how many lines were not begun and where to go on, and which were
    cancelled.
    """
    with GateKeeper() as gate:
        waits = line("x", {"gate": {"port": gate.port, "before": True}}, action="post")
        shell.write("many.jsonl", line("a") + "\n" + waits + line("b") * 50)
        process = shell.start("invoke", "--file", "many.jsonl")
        with gate.arrived():
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            assert process.stderr.readline().startswith(b"jackfield: stopping")
        answer = shell.ended(process)
    assert answer.code == 1
    assert (
        "50 of 52 invocations were not started, and cancelled before they were sent: 3; "
        "continue with '--resume RESULTS'"
    ) in answer.err
    assert "('--resume 4' would skip the cancelled ones)" in answer.err
