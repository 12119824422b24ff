"""A child that lies: nothing that it says freezes, fills or misleads this process, and its
workspaces stay apart.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from isolated import CONNECTORS, install, isolating
from jackfield import Result
from jackfield.catalog import Catalog
from jackfield.kernel.errors import Internal
from jackfield_isolation.children import Children
from jackfield_isolation.error_frames import load_error
from jackfield_isolation.hello import HELLO
from jackfield_isolation.inbox import LARGEST_QUESTION, LARGEST_QUESTIONS, LARGEST_WAITING, Inbox
from jackfield_isolation.sandbox.limits import LAYERS
from jackfield_isolation.wire import ANSWER, LINE, OTHER, Garbage, Head
from jackfield_store.runtime import Jackfield

SOURCE = (CONNECTORS / "lying.py").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with the connector ``lying``."""
    found = tmp_path_factory.mktemp("home")
    install(found, "lying", SOURCE)
    return found


@pytest.fixture(scope="module")
def shared(home: Path) -> Iterator[Jackfield]:
    """A runtime for all tests of this module."""
    with isolating(home) as jackfield:
        yield jackfield


@pytest.fixture
def runtime(shared: Jackfield) -> Jackfield:
    """The runtime with a child that answers: an earlier test may have ended it."""
    assert run(shared, "").status == "succeeded"
    return shared


def run(runtime: Jackfield, code: str, action: str = "run", **more: Any) -> Result:
    """Let the child run ``code``."""
    return runtime.invoke(
        {
            "connector": "lying",
            "action": action,
            "timeoutSeconds": 20,
            "inputs": {"code": code},
            **more,
        }
    )


def test_workspaces_share_no_process(home: Path) -> None:
    """With the policy ``per-workspace``, calls, dry runs, previews and option sources of two
    workspaces meet in no process.
    """
    environment = {"JACKFIELD_HOME": str(home), "JACKFIELD_ISOLATION": "per-workspace"}
    found: dict[str, set[str]] = {}
    with closing(Children(environment)) as children:
        catalog = Catalog.installed({}, environment, children.load)
        for workspace in ("one", "two"):
            with Jackfield(
                workspace, [{}], "none", catalog=catalog, environment=environment, groups={}
            ) as jackfield:
                refused = run(jackfield, "refuse", dryRun=True)
                assert refused.error is not None
                previewed = jackfield.invoke(
                    {
                        "connector": "lying",
                        "action": "run",
                        "dryRun": True,
                        "inputs": {"code": "", "preview": True},
                    }
                )
                found[workspace] = {
                    run(jackfield, "import os; out = os.getpid()").unwrap()["out"],
                    *re.findall(r"\d+", refused.error.details[0].message),
                    previewed.unwrap()["out"],
                    *(option["value"] for option in jackfield.options("lying", "processes")),
                }
    assert [len(processes) for processes in found.values()] == [1, 1]
    assert found["one"] != found["two"]


def test_a_false_hello(tmp_path: Path) -> None:
    """A description that is none makes the connector broken, at once."""
    install(
        tmp_path,
        "lying",
        SOURCE.replace("= {}\n\nif", '= {"layers": 1, "tests": 10**400}\n\nif', 1),
    )
    with isolating(tmp_path) as jackfield:
        result = run(jackfield, "")
    assert result.error is not None
    assert "sent a description" in result.error.message


_TRUE_HELLO: dict[str, Any] = {
    "layers": {},
    "description": {},
    "actions": {},
    "connections": {},
    "sources": {},
    "tests": 1,
    "testPermissions": {},
    "documents": 0,
}


@pytest.mark.parametrize(
    "forged",
    [
        {"tests": 3_000_000},
        {"tests": 10**400},
        {"documents": 10**9},
        {"tests": True},
        {"sources": {"x": 1}},
        {"actions": []},
        {"testPermissions": 1},
        {"connections": {str(number): {} for number in range(2000)}},
    ],
)
def test_a_description_that_is_none(forged: dict[str, Any]) -> None:
    """Wrong types and enormous numbers are refused as the description is read."""
    assert HELLO.read(_TRUE_HELLO).tests == 1
    with pytest.raises(Garbage, match="a description that is none"):
        HELLO.read(_TRUE_HELLO | forged)


def test_strict_is_checked_before_the_import(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where a layer is missing, the policy ``strict`` ends the child before it imports the
    connector.
    """
    monkeypatch.setattr("jackfield_isolation.supervisor.LAYERS", (*LAYERS, "imagined"))
    with (
        caplog.at_level(logging.INFO, "jackfield.isolation"),
        isolating(home, environment={"JACKFIELD_ISOLATION": "strict"}) as jackfield,
    ):
        result = run(jackfield, "")
    assert result.error is not None
    assert "imagined" in result.error.message
    assert "says: imported" not in caplog.text


def test_layers_cannot_be_forged(tmp_path: Path) -> None:
    """The layers that count are those of the first frame, whatever the connector adds later."""
    install(
        tmp_path, "lying", SOURCE.replace("= {}\n\nif", '= {"layers": {"forged": True}}\n\nif', 1)
    )
    with isolating(tmp_path) as jackfield:
        run(jackfield, "")
        assert {*jackfield.catalog.load("lying").layers} == {*LAYERS}


RAW = """
from jackfield_isolation.wire import ANSWER, HEAD, LINE, OTHER
from threading import Event
stay = Event().wait
wire, number = call.talk._wire, call.talk._number
def raw(body, kind=OTHER, about=number):
    with wire._sending:
        wire._end.sendall(HEAD.pack(len(body), kind, about) + body)
"""


def refused(result: Result) -> str:
    """The message of a call whose child was stopped for what it sent."""
    assert result.error is not None
    assert "the process of the connector 'lying' sent " in result.error.message
    return result.error.message


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raw(b'[' * 30_000_000, OTHER, 999_999)", "not asked"),
        pytest.param(
            "raw(b'[' * 30_000_000, ANSWER, 999_999)", "not asked", marks=pytest.mark.campaign
        ),
        pytest.param("raw(b'[' * 30_000_000, OTHER)", "are allowed", marks=pytest.mark.campaign),
        pytest.param("raw(b'[' * 30_000_000, OTHER, 1)", "are allowed", marks=pytest.mark.campaign),
        pytest.param(
            "raw(b'[' * 30_000_000, ANSWER, 1)", "are allowed", marks=pytest.mark.campaign
        ),
        pytest.param("raw(b'x' * 100_000, LINE)", "are allowed", marks=pytest.mark.campaign),
        ("raw(b'{}', LINE, 1) or [raw(b'{}', LINE) for _ in range(6000)]", "without a question"),
    ],
)
def test_frames_that_nobody_asked_for(runtime: Jackfield, code: str, said: str) -> None:
    """A frame about no question, or one that is too large for what it is, ends the child without
    being read.
    """
    assert said in refused(run(runtime, f"{RAW}{code}\nstay(60)"))
    assert run(runtime, "").status == "succeeded"


@pytest.mark.parametrize(
    ("length", "kind", "about", "said"),
    [
        (30_000_000, ANSWER, 999_999, "not asked"),
        (30_000_000, OTHER, 1, "are allowed"),
        (100_000, LINE, 1, "are allowed"),
    ],
)
def test_heads_are_judged_before_their_bodies_are_read(
    length: int, kind: int, about: int, said: str
) -> None:
    """A frame that is about no question, or too large for its kind, is refused by its head."""
    inbox = Inbox()
    assert inbox.open() == 1
    with pytest.raises(Garbage, match=said):
        inbox.admits(Head(length, kind, about))


def test_frames_that_wait() -> None:
    """Frames that wait to be read are counted in bytes, and no more once their question has
    ended.
    """
    inbox, body = Inbox(), bytes(LARGEST_QUESTION)
    number, other = inbox.open(), inbox.open()
    head = Head(len(body), OTHER, number)
    for _ in range(LARGEST_QUESTIONS // len(body)):
        assert inbox.admits(head)
        inbox.put(head, body)
    with pytest.raises(Garbage, match="at once"):
        inbox.put(Head(1, OTHER, number), b"1")
    inbox.close(number)
    number = inbox.open()
    whole = Head(LARGEST_WAITING, ANSWER, inbox.open())
    assert inbox.admits(whole)
    inbox.put(whole, bytes(LARGEST_WAITING))
    with pytest.raises(Garbage, match="at once"):
        inbox.admits(Head(1, OTHER, other))
    inbox.close(whole.number)
    inbox.close(number)
    assert inbox.admits(Head(1, OTHER, other))
    assert not inbox.admits(Head(LARGEST_WAITING, ANSWER, number)), "a late answer is dropped"
    with pytest.raises(Garbage, match="without a question"):
        inbox.admits(Head(LARGEST_WAITING, ANSWER, number))


@pytest.mark.parametrize(
    "frame",
    [
        r'{"returned":"\ud800"}',
        r'{"end":{"out":"half \ud83d, not \udE00\u0041"}}',
        *(
            pytest.param(frame, marks=pytest.mark.campaign)
            for frame in (
                r'{"end":{"out":"\ud800"}}',
                r'{"requestId":"\uDFFF","end":{"out":""}}',
                r'{"failed":{"code":"unavailable","message":"\ud800","sent":"nothing"}}',
            )
        ),
    ],
)
def test_half_characters(runtime: Jackfield, frame: str) -> None:
    """Text that is not valid Unicode, and so could not be journaled, is garbage."""
    refused(
        run(
            runtime,
            f"{RAW}raw(rb'''{frame}''', ANSWER if b'returned' not in rb'''{frame}''' else OTHER)\nstay(60)",
        )
    )


def test_whole_characters(runtime: Jackfield) -> None:
    """Both halves of a character, and text that only looks like an escape, pass."""
    body = r'{"end":{"out":"\ud83d\ude00 \\ud800"}}'
    assert (
        run(runtime, f"{RAW}raw(rb'''{body}''', ANSWER)\nstay(1)").unwrap()["out"]
        == "\U0001f600 \\ud800"
    )


def test_controls_in_a_request_id(runtime: Jackfield) -> None:
    """Control characters in a request ID are escaped: PostgreSQL could not store a NUL."""
    body = r'{"requestId":"a\u0000b\u001b[2J","end":{"out":""}}'
    result = run(runtime, f"{RAW}raw(rb'''{body}''', ANSWER)\ntime.sleep(1)")
    assert (result.status, result.meta.request_id) == ("succeeded", "a\\u0000b\\u001b[2J")


def test_half_characters_of_an_honest_connector(runtime: Jackfield) -> None:
    """A connector whose error or request ID has half a character loses that character, not its
    process.
    """
    code = """
from jackfield.kernel.errors import Rejected
half = chr(0xD800)
call.begin(half)
call.request_id = half
raise Rejected(f"bad {half}")
"""
    result = run(runtime, code)
    assert result.error is not None
    assert (result.status, result.error.message) == ("failed", "bad ?")


@pytest.mark.parametrize(
    ("details", "kept"),
    [("[1]", None), ('"x"', None), ('{"a":"' + "x" * 20_000 + '","b":1}', {"b": 1})],
)
def test_h4_details_of_a_child_are_judged(details: str, kept: dict[str, Any] | None) -> None:
    """Details of a provider's error that are no object are a fault of the child, and those above
    the limit are left out.
    """
    frame = {
        "code": "rejected",
        "message": "no",
        "provider": {"code": "X", "details": json.loads(details)},
    }
    if kept is None:
        with pytest.raises(Garbage):
            load_error(frame)
    else:
        error = load_error(frame)
        assert error.provider is not None
        assert error.provider.details == kept


def test_long_answers_of_a_step(runtime: Jackfield) -> None:
    """What a step has returned may be long: the child sends the part that an error may quote."""
    assert (
        run(
            runtime,
            "call.begin('x' * 10**6)\ncall.returned(['x' * 10**6])\ncall.answered('y' * 10**6)",
        ).status
        == "succeeded"
    )


def test_an_answer_of_another_shape_is_the_authors_mistake(runtime: Jackfield) -> None:
    """A connector that answers with a wrong type by mistake fails as for any bug of its author's;
    its process and other calls live on.
    """
    process = run(runtime, "import os; out = os.getpid()").unwrap()
    with pytest.raises(Internal):
        runtime.options("lying", "mistaken")
    assert run(runtime, "import os; out = os.getpid()").unwrap() == process


def test_the_log_is_bounded(home: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Output and loggers share one limit of lines; a line cannot forge another, nor steer a
    terminal.
    """
    code = f"""{RAW}
import json, os
for number in range(300):
    raw(json.dumps({{"log": "a\\nb\\x1b[2J" + chr(0x202e)}}).encode(), LINE, 0)
    os.write(1, b"a\\rb\\x1b[2J\\n")
os.write(1, b"\\n" * 10_000_000)
"""
    with caplog.at_level(logging.INFO, "jackfield.isolation"), isolating(home) as jackfield:
        before = time.process_time()
        assert run(jackfield, code).status == "succeeded"
        assert time.process_time() - before < 5
    said = [record.getMessage() for record in caplog.records if " says: " in record.getMessage()]
    assert 50 < len(said) <= 100
    assert all(line.isprintable() for line in said)


@pytest.mark.parametrize(
    "frame",
    [
        '{"failed":{"code":"unavailable","message":"x","retryAfter":' + "9" * 4000 + "}}",
        '{"dial":"host.example","port":1e999}',
        *(
            pytest.param(frame, marks=pytest.mark.campaign)
            for frame in (
                '{"failed":{"code":"unavailable","message":"x","retryAfter":1e999}}',
                '{"failed":{"code":"unavailable","message":"x","provider":{"httpStatus":'
                + "9" * 4000
                + "}}}",
                '{"dial":"host.example","port":80,"seconds":' + "9" * 4000 + "}",
            )
        ),
    ],
)
def test_enormous_numbers(runtime: Jackfield, frame: str) -> None:
    """A number that no float holds, or that is infinite, is garbage."""
    refused(
        run(runtime, f"{RAW}raw(b'''{frame}''', OTHER if {'dial' in frame} else ANSWER)\nstay(60)")
    )


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        ("import os; os._exit(3)", ("in_doubt", 1)),
        pytest.param("raw(b'[]', ANSWER); stay(60)", ("in_doubt", 1), marks=pytest.mark.campaign),
        (
            (
                'call.begin(\'pay\'); raw(b\'{"fault":{"type":"X","text":"","unsent":true}}\', '
                "ANSWER); stay(1)"
            ),
            ("in_doubt", 1),
        ),
        ("raise Rejected('no', sent=Sent.NOTHING)", ("failed", 1)),
    ],
)
def test_what_a_dead_child_may_have_sent(home: Path, end: str, expected: tuple[str, int]) -> None:
    """A child that ends after it was connected may have sent something that it did not announce;
    one that lives says what it sent.
    """
    seen = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    seen.append(connection.recv(100))
                    connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        code = f"{RAW}import socket\nfrom jackfield.kernel.errors import Rejected, Sent\n"
        code += f"with socket.create_connection(('127.0.0.1', {port})) as c:\n"
        code += f"    c.send(b'pay')\n    c.recv(1)\n{end}"
        connections = {
            "mine": {"type": "lying/server", "values": {"url": f"http://127.0.0.1:{port}/"}}
        }
        with isolating(home, connections) as jackfield:
            result = run(jackfield, code, "connected", connection="mine")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert (result.status, len(seen)) == expected
