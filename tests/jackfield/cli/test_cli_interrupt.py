"""Ctrl-C, and readers who leave: what was not sent is cancelled, what was sent runs to its end."""

from __future__ import annotations

import json
import signal
import subprocess

import pytest

from shell import GateKeeper, Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

STOPPING = (
    b"jackfield: stopping; waiting for requests that were sent (press Ctrl-C again to quit "
    b"at once)\n"
)


def interrupt(process: subprocess.Popen[bytes]) -> None:
    """Press Ctrl-C and wait until the command has noticed."""
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline() == STOPPING


def line(gate: GateKeeper | None = None, **more: object) -> bytes:
    """An invocation on one line, which waits at the gate."""
    inputs = {"text": "x"} if gate is None else {"text": "x", "gate": {"port": gate.port, **more}}
    return json.dumps({"connector": "echo", "action": "post", "inputs": inputs}).encode() + b"\n"


@pytest.mark.parametrize(
    ("before", "code", "status"), [("true", 1, "failed"), ("false", 0, "succeeded")]
)
def test_ctrl_c(shell: Shell, before: str, code: int, status: str) -> None:
    """Ctrl-C before anything was sent cancels; after that, the invocation runs to its end and its
    Result is printed.
    """
    with GateKeeper() as gate:
        process = shell.start(
            "invoke", "echo", "post", "text=x", f'gate:={{"port": {gate.port}, "before": {before}}}'
        )
        with gate.arrived():
            interrupt(process)
        answer = shell.ended(process)
    assert (answer.code, answer.json["status"]) == (code, status)
    assert answer.json.get("error", {}).get("code") == ("cancelled" if code else None)
    assert "Traceback" not in answer.err


def test_ctrl_c_twice(shell: Shell) -> None:
    """A second Ctrl-C leaves at once with exit code 130."""
    with GateKeeper() as gate:
        process = shell.start("invoke", "echo", "post", "text=x", f'gate:={{"port": {gate.port}}}')
        with gate.arrived():
            interrupt(process)
            process.send_signal(signal.SIGINT)
            answer = shell.ended(process)
    assert (answer.code, answer.out) == (130, "")
    assert "Traceback" not in answer.err


def test_ctrl_c_among_lines(shell: Shell) -> None:
    """Ctrl-C takes no further line; those that run end, and lines left over make the exit code
    1.
    """
    with GateKeeper() as gate:
        shell.write("many.jsonl", line() + line(gate) + line(gate, before=True) + line() * 50)
        process = shell.start("invoke", "--file", "many.jsonl", "--concurrency", "2")
        with gate.arrived(), gate.arrived():
            interrupt(process)
        answer = shell.ended(process)
    assert [row["status"] for row in answer.lines] == ["succeeded", "succeeded", "failed"]
    assert answer.lines[2]["error"]["code"] == "cancelled"
    assert answer.code == 1


def test_ctrl_c_while_stdin_is_silent(shell: Shell) -> None:
    """Ctrl-C ends a command that waits for the next line of stdin."""
    process = shell.start("invoke", "--lines")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(line() * 2)
    process.stdin.flush()
    for _ in range(2):
        assert json.loads(process.stdout.readline())["status"] == "succeeded"
    interrupt(process)
    assert process.wait(30) == 1  # its stdin is still open
    answer = shell.ended(process)
    assert (answer.out, answer.err) == ("", "")


def test_a_reader_who_leaves(shell: Shell) -> None:
    """Where stdout is closed, what runs ends, no further line is waited for, and stderr names what
    ran for nobody. The code is not 0, since the command stopped early.
    """
    with GateKeeper() as gate:
        process = shell.start("invoke", "--lines")
        assert process.stdin is not None
        process.stdin.write(line(gate))
        process.stdin.flush()
        with gate.arrived():
            shell.close_stdout(process)
        assert process.wait(30) == 1  # its stdin is still open
    answer = shell.ended(process)
    assert answer.err.startswith(
        "jackfield: lines that ran and whose Results are not in the output: 1; "
    )


def test_a_reader_who_leaves_after_the_last_line_was_begun(shell: Shell) -> None:
    """A Result that nobody took makes the exit code 1 also where its line was the last: whether
    more would have run is chance.
    """
    with GateKeeper() as gate:
        shell.write("many.jsonl", line() + line(gate))
        process = shell.start("invoke", "--file", "many.jsonl", "--concurrency", "2")
        with gate.arrived():
            shell.close_stdout(process)
        answer = shell.ended(process)
    assert answer.code == 1
    assert answer.err.startswith(
        "jackfield: lines that ran and whose Results are not in the output: "
    )


def test_a_reader_who_leaves_a_single_invocation(shell: Shell) -> None:
    """A single invocation whose reader has left ends quietly, with the Result's exit code."""
    with GateKeeper() as gate:
        process = shell.start("invoke", "echo", "post", "text=x", f'gate:={{"port": {gate.port}}}')
        with gate.arrived():
            shell.close_stdout(process)
        answer = shell.ended(process)
    assert (answer.code, answer.err) == (0, "")


def test_ctrl_c_in_another_command(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends a command that has nothing to finish with exit code 130, without a traceback."""

    def interrupted(*_words: object, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("jackfield.catalog.Catalog.installed", interrupted)
    answer = shell.run("connectors", "list")
    assert (answer.code, answer.out, answer.err) == (130, "", "")
