"""Batches of lines that are run again: each line has an idempotency key by itself, so that no lost
Result is a second email (R3).
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from jackfield.invocation import line_keys, request
from plugboard import make_connector
from shell import GateKeeper, Shell

pytest_plugins = ["shell_fixture", "warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

_SENDING = '''
"""Appends what it sends to a file."""
import os
import socket
from jackfield.connector import Connector, Field, Inputs, Output, Rejected

connector = Connector("sending", title="Sending", version="1.0.0")

class Item(Inputs):
    """What to send."""
    text: str = Field(title="Text")
    wait: int = Field(0, title="Wait", description="A port to wait at.")

class Sent(Output):
    """What was sent."""
    text: str

@connector.action("send", effect="write")
def send(item: Item) -> Sent:
    """Send."""
    if item.text == "refused" and not os.path.exists("cured"):
        raise Rejected("no")
    with open("sent", "a") as file:
        file.write(item.text + "\\n")
    if item.wait:
        with socket.create_connection(("127.0.0.1", item.wait)) as gate:
            gate.sendall(b"here\\n")
            gate.recv(1)
    return Sent(text=item.text)
'''


@pytest.fixture
def batch(shell: Shell) -> Shell:
    """A shell with a database and a connector whose sendings are counted."""
    make_connector(shell.plugs, "sending", _SENDING)
    shell.set(JACKFIELD_DATABASE_URL=f"sqlite:///{shell.folder}/batch.db")
    return shell


def _line(text: str, wait: int = 0, **members: Any) -> str:
    inputs = {"text": text, "wait": wait} if wait else {"text": text}
    return (
        json.dumps({"connector": "sending", "action": "send", "inputs": inputs, **members}) + "\n"
    )


def _sent(shell: Shell) -> Counter[str]:
    return Counter(Path(shell.folder, "sent").read_text(encoding="utf-8").split())


def test_r3_a_file_that_is_run_again_sends_nothing_twice(batch: Shell) -> None:
    """Lines that succeeded are replayed and counted on stderr; equal lines of one file are
    different sendings; failed lines run again.
    """
    batch.write(
        "many.jsonl", _line("a") + _line("refused") + _line("a") + "\n" + _line("b") + "{nonsense\n"
    )
    first = batch.run("invoke", "--file", "many.jsonl", "--concurrency", "3")
    assert first.err == ""
    assert _sent(batch) == {"a": 2, "b": 1}
    batch.write("cured", "")
    second = batch.run("invoke", "--file", "many.jsonl")
    assert _sent(batch) == {"a": 2, "b": 1, "refused": 1}
    assert [row["meta"]["replayed"] for row in second.lines] == [True, False, True, True, False]
    assert [row["meta"]["invocationId"] for row in (second.lines[0], second.lines[2])] == [
        row["meta"]["invocationId"] for row in (first.lines[0], first.lines[2])
    ]
    assert second.err == (
        "jackfield: 3 lines were replayed from the journal, not run again; "
        "'--no-line-keys' would run them again\n"
    )


def test_r3_no_line_keys_runs_lines_again(batch: Shell) -> None:
    """With --no-line-keys, a second run sends again, but for lines with a key of their own."""
    batch.write("many.jsonl", _line("a") + _line("b", idempotencyKey="order-1"))
    batch.run("invoke", "--file", "many.jsonl", "--no-line-keys")
    again = batch.run("invoke", "--file", "many.jsonl", "--no-line-keys")
    assert _sent(batch) == {"a": 2, "b": 1}
    assert again.err == "jackfield: 1 line was replayed from the journal, not run again\n"
    batch.write("one.json", _line("a"))
    refused = batch.run("invoke", "--file", "one.json", "--no-line-keys")
    assert (refused.code, "--lines" in refused.json["error"]["hint"]) == (2, True)


def test_r3_a_resumed_line_keeps_its_key(batch: Shell) -> None:
    """Where a run goes on changes no key: lines before it are counted, too. Neither does the end of
    a line, nor another deadline.
    """
    batch.write("many.jsonl", _line("a") + _line("a") + _line("a"))
    batch.run("invoke", "--file", "many.jsonl", "--resume", "2")
    assert _sent(batch) == {"a": 2}
    batch.write("many.jsonl", _line("a").strip() + "\r\n" + _line("a") + " " + _line("a").strip())
    batch.run("invoke", "--file", "many.jsonl", "--timeout", "20s")
    assert _sent(batch) == {"a": 3}


def test_r3_a_dry_run_takes_no_key(batch: Shell) -> None:
    """Lines that were only tried are run afterwards."""
    batch.write("many.jsonl", _line("a"))
    assert batch.run("invoke", "--file", "many.jsonl", "--dry-run").code == 0
    assert batch.run("invoke", "--file", "many.jsonl").err == ""
    assert _sent(batch) == {"a": 1}


def test_r3_another_connection_is_another_request(batch: Shell) -> None:
    """A file that is run over another connection is run anew, and no conflict of keys."""
    batch.write("many.jsonl", _line("a"))
    for name in ("first", "second"):
        answer = batch.run("invoke", "--file", "many.jsonl", "--connection", name)
        assert [row["error"]["code"] for row in answer.lines] != ["idempotency_conflict"]


def test_r3_lines_without_results_are_named_and_not_repeated(batch: Shell) -> None:
    """What runs when the output ends is named on stderr, and --resume returns its Result without a
    second sending.
    """
    with GateKeeper() as gate:
        batch.write(
            "many.jsonl", _line("a") + _line("b", gate.port) + _line("c", gate.port) + _line("d")
        )
        process = batch.start("invoke", "--file", "many.jsonl", "--concurrency", "2")
        assert process.stdout is not None
        written = process.stdout.readline()
        with gate.arrived(), gate.arrived():
            batch.close_stdout(process)
        answer = batch.ended(process)
    assert answer.code == 1
    sent = _sent(batch)
    assert {"a", "b", "c"} <= set(sent)
    named = "2-4" if sent["d"] else "2-3"
    assert (
        f"lines that ran and whose Results are not in the output: {named}; '--resume RESULTS'"
        in answer.err
    )
    batch.write("results", written + b'{"status": "succ')
    again = batch.run("invoke", "--file", "many.jsonl", "--resume", "results")
    assert [row["output"]["text"] for row in again.lines] == ["b", "c", "d"]
    assert _sent(batch) == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_r3_without_a_database_the_line_to_go_on_at_is_told(batch: Shell) -> None:
    """Lines without any key would run again from cut Results: stderr says so when the output ends,
    and again at --resume.
    """
    with GateKeeper() as gate:
        batch.set(JACKFIELD_DATABASE_URL="none")
        batch.write("many.jsonl", _line("a", gate.port))
        process = batch.start("invoke", "--file", "many.jsonl")
        with gate.arrived():
            batch.close_stdout(process)
        answer = batch.ended(process)
    assert (
        "not in the output: 1; without idempotency keys, '--resume RESULTS' would run 1 of "
        "them again: use '--resume 2'"
    ) in answer.err
    batch.write("results", '{"status": "succ')
    batch.write("many.jsonl", _line("a"))
    again = batch.run("invoke", "--file", "many.jsonl", "--resume", "results")
    assert (
        "the earlier Results are cut after line 0: later lines that ran and have no "
        "idempotency key run again"
    ) in again.err


def test_r3_queued_lines_are_queued_once(batch: Shell) -> None:
    """--queue gives the lines the same keys: a file that is queued again queues nothing."""
    batch.write("many.jsonl", _line("a") + _line("a"))
    first = batch.run("invoke", "--file", "many.jsonl", "--queue")
    second = batch.run("invoke", "--file", "many.jsonl", "--queue")
    ids = [row["invocationId"] for row in first.lines]
    assert len(set(ids)) == 2
    assert [row["invocationId"] for row in second.lines] == ids
    assert "2 lines were replayed from the journal" in second.err
    third = batch.run("invoke", "--file", "many.jsonl", "--queue", "--no-line-keys")
    assert not {row["invocationId"] for row in third.lines} & set(ids)


def test_r3_the_number_of_keys_is_bounded(batch: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a million different lines, the others run without a key, and stderr says from which
    line on.
    """
    monkeypatch.setattr(line_keys, "MOST_KEYS", 2)
    batch.write("many.jsonl", _line("a") + _line("b") + _line("a") + _line("c") + _line("d"))
    answer = batch.run("invoke", "--file", "many.jsonl")
    assert (
        answer.err
        == "jackfield: from line 4 on, lines get no idempotency key: 2 different ones have one\n"
    )
    batch.run("invoke", "--file", "many.jsonl")
    assert _sent(batch) == {"a": 2, "b": 1, "c": 2, "d": 2}


def test_r3_the_key_gives_no_secret_away(batch: Shell) -> None:
    """The key in the journal is a keyed hash: it cannot be computed, and so not guessed, from the
    line alone.
    """
    batch.write("many.jsonl", _line("a"))
    keys = []
    for home in ("one", "two"):
        place = batch.folder / home
        batch.set(JACKFIELD_HOME=str(place), JACKFIELD_DATABASE_URL=f"sqlite:///{place}.db")
        identifier = batch.run("invoke", "--file", "many.jsonl").json["meta"]["invocationId"]
        keys.append(batch.run("invocations", "show", identifier).json["idempotencyKey"])
    assert all(key.startswith("line-") for key in keys)
    assert keys[0] != keys[1]


@pytest.mark.parametrize("key", ["", " ", "\t", "\u200b", None])
def test_a_blank_key_is_none_on_the_command_line(batch: Shell, key: str | None) -> None:
    """By the option, in a file and on a line, at once and queued: the call is refused, no key of
    the line takes its place, and the next line runs.
    """
    bad, good = {**json.loads(_line("bad")), "idempotencyKey": key}, json.loads(_line("good"))
    batch.write("one.json", json.dumps(bad))
    batch.write("many.jsonl", f"{json.dumps(bad)}\n{json.dumps(good)}\n")
    by_option = [] if key is None else [["sending", "send", "text=bad", "--idempotency-key", key]]
    errors = [
        batch.run("invoke", *words, *more).json["error"]
        for words in (*by_option, ["--file", "one.json"])
        for more in ([], ["--queue"])
    ]
    for more in ([], ["--queue"]):
        first, second = batch.run("invoke", "--file", "many.jsonl", *more).lines
        errors.append(first["error"])
        assert second["status"] == "succeeded"
    assert {(error["code"], *(item["path"] for item in error["details"])) for error in errors} == {
        ("invalid_invocation", "/idempotencyKey")
    }
    assert (batch.folder / "sent").read_text().split() == ["good"]
    assert [row["status"] for row in batch.run("invocations", "list").json] == ["succeeded"]


def test_an_old_call_under_a_blank_key_is_listed_with_its_problem(
    batch: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version has taken it: the list has it, and stderr says what is wrong."""
    with monkeypatch.context() as older:
        older.setattr(request, "_option_faults", lambda _given: iter(()))
        assert (
            batch.run("invoke", "sending", "send", "text=old", "--idempotency-key", "   ").code == 0
        )
    answer = batch.run("invocations", "list")
    assert [
        (row["status"], row["idempotencyKey"], "consists of blanks" in row["problem"])
        for row in answer.json
    ] == [("succeeded", "   ", True)]
    assert "consists of blanks" in answer.err
