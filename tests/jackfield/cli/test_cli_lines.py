"""``jackfield invoke --lines``: many invocations, one Result a line, in the order of the lines."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any, Self

import pytest

from jackfield.cli.batch import Batch
from jackfield.cli.local_files import LocalFiles
from jackfield.invocation import MAX_BYTES
from jackfield.kernel.errors import InvalidInvocation
from plugboard import make_connector
from shell import GateKeeper, Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")


def line(text: str = "x", **inputs: Any) -> str:
    """An invocation on one line."""
    return (
        json.dumps({"connector": "echo", "action": "say", "inputs": {"text": text, **inputs}})
        + "\n"
    )


def texts(rows: list[Any]) -> list[str]:
    """What each Result says: the output's text, or the error's code."""
    return [
        row["output"]["text"] if row["status"] == "succeeded" else row["error"]["code"]
        for row in rows
    ]


@pytest.mark.parametrize("name", ["many.jsonl", "MANY.JSONL", "many.ndjson"])
def test_a_file_of_lines_by_name(shell: Shell, name: str) -> None:
    """A ``.jsonl`` file is run line by line; blank lines are skipped, and the last line may lack
    its end.
    """
    shell.write(
        name, line("a") + "\n   \r\n" + line("b").replace("\n", "\r\n") + line("c").rstrip()
    )
    answer = shell.run("invoke", "--file", name)
    assert answer.code == 0
    assert texts(answer.lines) == ["a", "b", "c"]


def test_lines_on_stdin(shell: Shell) -> None:
    """``--lines`` says that each line is an invocation, whatever the file's name; without a file it
    reads stdin.
    """
    assert texts(shell.run("invoke", "--lines", stdin=line("a") + line("b")).lines) == ["a", "b"]
    assert texts(
        shell.run("invoke", "--file", "-", "--lines", stdin=line("a") + line("b")).lines
    ) == ["a", "b"]
    shell.write("many.txt", line("a") + line("b"))
    assert texts(shell.run("invoke", "--file", "many.txt", "--lines").lines) == ["a", "b"]


def test_nothing_to_do(shell: Shell) -> None:
    """No line is no Result, and success."""
    answer = shell.run("invoke", "--lines", stdin="\n\n")
    assert (answer.code, answer.out) == (0, "")


def test_a_bad_line_is_a_failed_result(shell: Shell) -> None:
    """A line that is no invocation fails alone, in its place; the exit code is the largest."""
    content = (
        line("a")
        + "{nonsense\n"
        + '"\\ud800"\n'
        + line("b", fault={"kind": "rejected"})
        + "\udcff\n"
        + line("c")
    )
    answer = shell.run("invoke", "--lines", stdin=content.encode("utf-8", "surrogateescape"))
    assert texts(answer.lines) == [
        "a",
        "invalid_invocation",
        "invalid_invocation",
        "rejected",
        "invalid_invocation",
        "c",
    ]
    assert answer.code == 2


def test_in_doubt_is_the_largest(shell: Shell) -> None:
    """One Result in doubt makes the exit code 3."""
    doubt = (
        json.dumps(
            {
                "connector": "echo",
                "action": "post",
                "inputs": {"text": "x", "fault": {"kind": "reset"}},
            }
        )
        + "\n"
    )
    assert shell.run("invoke", "--lines", stdin=doubt + "{}\n" + line()).code == 3


def test_one_line_each_on_a_terminal(shell: Shell) -> None:
    """Results of lines stay on one line each on a terminal too."""
    shell.write("many.jsonl", line("a") + line("b"))
    assert texts(shell.on_terminal("invoke", "--file", "many.jsonl").lines) == ["a", "b"]


def test_a_line_that_is_too_large(shell: Shell) -> None:
    """A line larger than an invocation may be is refused, its rest skipped, and the next line
    runs.
    """
    with (shell.folder / "many.jsonl").open("wb") as file:
        file.write(line("a").encode())
        for _ in range(MAX_BYTES // 2**20 + 3):
            file.write(b"x" * 2**20)
        file.write(b"\n" + line("b").encode())
    answer = shell.run("invoke", "--file", "many.jsonl")
    assert texts(answer.lines) == ["a", "invalid_invocation", "b"]
    assert "larger than 67,108,864 bytes" in answer.lines[1]["error"]["message"]


def test_a_line_of_the_largest_size(shell: Shell) -> None:
    """A line of exactly the largest size, and its end, are not cut."""
    (shell.folder / "many.jsonl").write_bytes(b"x" * MAX_BYTES + b"\ny\n")
    found = [len(item) for item in LocalFiles().lines("many.jsonl") if isinstance(item, bytes)]
    assert found == [MAX_BYTES + 1, 2]


def test_results_stream(shell: Shell) -> None:
    """Each Result is printed before the next line is waited for."""
    process = shell.start("invoke", "--lines")
    assert process.stdin is not None
    assert process.stdout is not None
    for text in ("a", "b"):
        process.stdin.write(line(text).encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["output"]["text"] == text
    assert shell.ended(process).code == 0


def test_concurrency_keeps_the_order(shell: Shell) -> None:
    """With ``--concurrency 3`` three lines run at once, and their Results come in the order of the
    lines.
    """
    with GateKeeper() as gate:
        shell.write("many.jsonl", "".join(line(text, gate={"port": gate.port}) for text in "abc"))
        process = shell.start("invoke", "--file", "many.jsonl", "--concurrency", "3")
        for waiting in reversed([gate.arrived() for _ in range(3)]):
            waiting.close()
        assert texts(shell.ended(process).lines) == ["a", "b", "c"]


@pytest.mark.parametrize("concurrency", [1, 2, 7])
def test_a_batch_is_bounded(concurrency: int) -> None:
    """No more jobs run at once than allowed, none is taken far ahead of the Results, and Results
    come in order.
    """
    lock = threading.Lock()
    running = most_running = taken = most_ahead = given = 0

    def jobs() -> Iterator[int]:
        nonlocal taken, most_ahead
        for number in range(200):
            taken += 1
            most_ahead = max(most_ahead, taken - given)
            yield number

    def run(job: int, _cancelled: threading.Event) -> int:
        nonlocal running, most_running
        with lock:
            running += 1
            most_running = max(most_running, running)
        with lock:
            running -= 1
        return job * 10

    batch = Batch(run, jobs(), concurrency)
    found = []
    for result in batch.results():
        found.append(result)
        given += 1
    assert found == [number * 10 for number in range(200)]
    assert batch.complete
    assert most_running <= concurrency
    assert most_ahead <= concurrency * 4 + 1


def test_a_slow_job_does_not_stop_the_others() -> None:
    """While the first Result is awaited, later jobs run; how many are kept is bounded."""
    release = threading.Event()
    counted = threading.Semaphore(0)

    def run(job: int, _cancelled: threading.Event) -> int:
        if job == 0:
            release.wait(30)
        else:
            counted.release()
        return job

    batch = Batch(run, iter(range(50)), 2)
    results = batch.results()
    first: list[int] = []
    reader = threading.Thread(target=lambda: first.append(next(results)))
    reader.start()
    for _ in range(7):  # 2 at a time, 4 kept for each: eight were taken, one of them still runs
        assert counted.acquire(timeout=120)
    release.set()
    reader.join(30)
    assert [*first, *results] == list(range(50))


def test_a_stopped_batch_takes_no_more() -> None:
    """After ``stop`` no job is taken, and those taken are given."""
    batch: Batch[int, int] = Batch(lambda job, _cancelled: job, iter(range(1000)), 3)
    found = []
    for result in batch.results():
        found.append(result)
        if result == 5:
            batch.stop()
    assert found == list(range(len(found)))
    assert 6 <= len(found) <= 6 + 12
    assert not batch.complete


LEAVING = """
import sys
from jackfield.connector import Connector, Inputs, Output
connector = Connector("leaving", title="Leaving", version="1.0")
class Nothing(Inputs):
    "Nothing."
class Done(Output):
    "Nothing."
@connector.action("leave")
def leave(inputs: Nothing) -> Done:
    sys.exit(0)
"""


@pytest.mark.parametrize(
    "words", [["invoke", "leaving", "leave"], ["invoke", "--file", "one.jsonl"]]
)
def test_an_action_that_ends_its_process(shell: Shell, words: list[str]) -> None:
    """An action that calls ``sys.exit`` makes no success, and nobody waits for it."""
    make_connector(shell.plugs, "leaving", LEAVING)
    shell.write("one.jsonl", '{"connector": "leaving", "action": "leave"}\n')
    answer = shell.ended(shell.start(*words))
    assert answer.code != 0
    assert answer.json["status"] != "succeeded"
    assert "Traceback" not in answer.err


class _Broken:
    """A file that fails after its first line."""

    def __init__(self) -> None:
        self.reads = 0

    def readline(self, _size: int) -> bytes:
        """One line, then an error of the device."""
        self.reads += 1
        if self.reads > 1:
            raise OSError(5, "Input/output error")
        return b"{}\n"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to close."""


def test_a_file_that_breaks_while_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault while reading is the last item, after the lines that were read."""
    monkeypatch.setattr("builtins.open", lambda *_args, **_kwargs: _Broken())
    first, last = LocalFiles().lines("disk.jsonl")
    assert first == b"{}\n"
    assert isinstance(last, InvalidInvocation)
    assert last.message == "the file 'disk.jsonl' cannot be read: Input/output error"


def test_lines_are_queued_with_an_id_each(shell: Shell) -> None:
    """``--queue`` prints one outcome per line, in order: an id, or the refusal; the worker runs
    them later. A single invocation is queued likewise.
    """
    shell.set(JACKFIELD_DATABASE_URL=f"sqlite:///{shell.folder}/queue.db")
    shell.write("many.jsonl", line("a") + "{nonsense\n" + line("b"))
    answer = shell.run("invoke", "--file", "many.jsonl", "--queue")
    assert answer.code == 2
    first, second, third = answer.lines
    assert [(row["status"], row["line"]) for row in (first, third)] == [
        ("queued", 1),
        ("queued", 3),
    ]
    assert (second["error"]["code"], second["meta"]["line"]) == ("invalid_invocation", 2)
    shown = shell.run("invocations", "show", first["invocationId"])
    assert (shown.code, shown.json["status"]) == (0, "queued")
    assert [
        row["line"]
        for row in shell.run("invoke", "--file", "many.jsonl", "--queue", "--resume", "3").lines
    ] == [3]
    assert shell.run("invoke", "--file", "many.jsonl", "--queue", "--resume", "results").code == 2
    assert shell.run("invoke", "echo", "say", "text=x", "--queue").json["status"] == "queued"
