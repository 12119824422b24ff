"""``jackfield mcp``: the operator's own client on stdin and stdout."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gates import Gatekeeper
from http_stand import clean, say, standing
from jackfield import Jackfield
from jackfield.cli.main import main
from jackfield.invocation.entry import Entry
from jackfield_service.subjects.mcp import progress
from mcp_talk import (
    MODES,
    Conversation,
    Lines,
    Pipes,
    call_of,
    called,
    local,
    message,
    refusal,
    talked,
    tool_names,
    trying,
)
from plugboard import make_connector, make_echo, plugged

pytest_plugins = ["warm"]
pytestmark = pytest.mark.usefixtures("warm_python")

DISCOVERY = [
    "search_actions",
    "get_action_guide",
    "list_connections",
    "read_events",
    "read_result",
    "execute_action",
]


def journal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """What the journal of the conversations' home has, newest first."""
    for name, value in clean(folder / "home").items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("JACKFIELD_DATABASE_URL", raising=False)
    with Jackfield() as jackfield:
        assert jackfield.journal is not None
        return jackfield.journal.entries()[0]


@pytest.mark.parametrize("mode", MODES)
def test_an_action_is_found_and_run(tmp_path: Path, mode: str) -> None:
    """Search, guide, connections, execution, in one conversation of either protocol."""

    async def step(client: Any) -> list[Any]:
        names = [tool.name for tool in (await client.list_tools()).tools]
        found = await client.call_tool("search_actions", {"query": "post note"})
        guide = await client.call_tool("get_action_guide", {"connector": "echo", "action": "post"})
        result = await client.call_tool("execute_action", say("post", text="hello"))
        return [names, found, guide, result]

    names, found, guide, result = talked(local(tmp_path), step, mode)
    assert names == DISCOVERY
    assert found.structured_content["items"][0]["action"] == "post"
    assert guide.content[0].text.partition("\n\n")[2].startswith("# Echo: Post a Note")
    assert "/v1/invocations" not in guide.content[0].text
    assert guide.structured_content["verdict"]["allowed"]
    assert (result.is_error, result.structured_content["status"]) == (False, "succeeded")
    assert result.structured_content["output"]["text"] == "hello"


_SHOP = """
from jackfield import once

print("imported")

@once("charge", effect="write", key=lambda order: order)
def charge(order: str) -> str:
    return f"ch_{order}"
"""


def test_it_offers_the_functions_of_a_module(tmp_path: Path) -> None:
    """With ``--import``; what the module prints is no message of the protocol."""
    (tmp_path / "shop.py").write_text(_SHOP, encoding="utf-8")
    server = local(tmp_path, "--import", "shop", paths=[str(tmp_path)])
    found = called(
        server, "execute_action", connector="host", action="charge", inputs={"order": "a"}
    )
    assert found.structured_content["output"] == {"value": "ch_a"}


@pytest.fixture(scope="module")
def conversation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    """One process of ``jackfield mcp`` that tests of single calls share."""
    with Conversation(local(tmp_path_factory.mktemp("shared"))) as found:
        yield found


def test_h31_a_sentence_finds_the_action(conversation: Conversation) -> None:
    """A sentence of a model finds the nearest action, and the words say that it has only some of
    the words.
    """
    found = conversation.call("search_actions", query="send an email to a penfriend")
    assert found.structured_content["items"][0]["action"] == "sendEmail"
    assert "aws-ses.sendEmail (write, a partial match" in found.content[0].text.splitlines()[0]  # type: ignore[union-attr]


def test_faults_are_told_with_their_places(conversation: Conversation) -> None:
    """Inputs that break the schema are a Result with pointers, and words that say the same."""
    found = conversation.call("execute_action", **say("say", text=5, times=0))
    assert found.is_error
    assert {detail["path"] for detail in found.structured_content["error"]["details"]} == {
        "/text",
        "/times",
    }
    assert "/times: must be at least 1" in found.content[0].text  # type: ignore[union-attr]
    assert "Call get_action_guide with connector 'echo'" in found.content[0].text  # type: ignore[union-attr]  # M15


def test_unknown_members_are_refused(conversation: Conversation) -> None:
    """The arguments are exactly an invocation."""
    found = conversation.call("execute_action", **say("say", text="x"), inptus={})
    error = found.structured_content["error"]
    assert (error["code"], error["details"][0]["path"]) == ("invalid_invocation", "/inptus")


def test_each_action_is_a_tool_where_asked_for(tmp_path: Path) -> None:
    """``--tools all`` lists a tool for each action; without it a call of one is an error of the
    protocol.
    """
    assert {"echo_say", "aws-ses_sendEmail", *DISCOVERY} <= set(
        tool_names(local(tmp_path, "--tools", "all"))
    )
    error = refusal(local(tmp_path), "echo_say", text="hello")
    assert (error.error.code, error.error.message) == (-32602, "Unknown tool: echo_say")


def test_stdout_belongs_to_the_protocol(tmp_path: Path) -> None:
    """What a connector prints goes to stderr."""
    source = """
from jackfield.connector import Connector, Inputs, Output

connector = Connector("loud", title="Loud", version="1.0.0", description="Prints.")


class Nothing(Inputs):
    \"\"\"Nothing.\"\"\"


class Done(Output):
    \"\"\"Nothing.\"\"\"


@connector.action("shout", effect="read", title="Shout")
def shout(_inputs: Nothing, _client: object) -> Done:
    \"\"\"Shout.\"\"\"
    print("HELLO", flush=True)
    return Done()
"""
    make_connector(tmp_path / "loud", "loud", source)
    with Lines(tmp_path, paths=[str(tmp_path / "loud")]) as lines:
        lines.greet()
        lines.call("execute_action", connector="loud", action="shout")
        assert lines.hear()["result"]["structuredContent"]["status"] == "succeeded"
        code, out, err = lines.ended()
    assert (code, out) == (0, b"")
    assert "HELLO" in err


def test_l38_lines_that_are_no_message_are_answered(tmp_path: Path) -> None:
    """What is not JSON is -32700, what is no message -32600 with its id where it has one; a blank
    line is nothing; the next is answered.
    """
    with Lines(tmp_path) as lines:
        assert lines.greet()["result"]["serverInfo"]["name"] == "jackfield"
        for line in (
            b"{",
            b"[]",
            b'"x"',
            b"\xff\xfe",
            b"",
            b'{"jsonrpc": "1.0", "id": 5, "method": "ping"}',
        ):
            lines.say(line)
        lines.ask("no/such", 7)
        lines.ask("ping", 8)
        heard = [lines.hear() for _ in range(7)]
        refused = [(line["id"], line["error"]["code"]) for line in heard if "error" in line]
        assert refused[:3] == [(None, -32700), (None, -32600), (None, -32600)]
        assert sorted(map(str, refused[3:])) == ["(5, -32600)", "(7, -32601)", "(None, -32700)"]
        assert lines.ended()[0] == 0


def test_m33_inputs_may_be_json_text(conversation: Conversation) -> None:
    """Inputs that a client sends as JSON text are read; text that holds no object is refused with
    its place.
    """
    found = conversation.call(
        "execute_action", **{**say("say", text="hello"), "inputs": '{"text": "hello"}'}
    )
    assert found.structured_content["output"]["text"] == "hello", found
    for text in ("hello", '{"text": "a", "text": "b"}'):
        refused = conversation.call(
            "execute_action", **{**say("say", text="x"), "inputs": text}
        ).structured_content["error"]
        assert refused["details"][0]["path"] == "/inputs"


def test_m34_what_runs_when_stdin_ends_is_answered(tmp_path: Path) -> None:
    """``printf … | jackfield mcp`` sees its Results: calls that run when stdin ends are answered
    within the grace.
    """
    with Gatekeeper() as gate, Lines(tmp_path) as lines:
        lines.greet()
        lines.call("execute_action", 1, **say("post", text="slow", gate={"port": gate.port}))
        gate.wait()
        lines.call("execute_action", 2, **say("say", text="quick"))
        lines.close()
        first = lines.hear()
        gate.open()
        second = lines.hear()
        assert (first["id"], first["result"]["structuredContent"]["output"]["text"]) == (2, "quick")
        assert (second["id"], second["result"]["structuredContent"]["status"]) == (1, "succeeded")
        assert lines.process.wait(30) == 0


def test_m35_a_line_has_sixty_four_mebibytes(tmp_path: Path) -> None:
    """A message that is larger is refused by its id, and the next one is answered."""
    with Lines(tmp_path) as lines:
        lines.greet()
        lines.call("execute_action", 3, **say("say", text="x" * (64 * 1024 * 1024)))
        refused = lines.hear()
        assert (refused["id"], refused["error"]["code"]) == (3, -32600)
        assert "67,108,864 bytes" in refused["error"]["message"]
        lines.ask("ping", 4)
        assert lines.hear()["id"] == 4
        assert lines.ended()[0] == 0


def test_the_end_of_stdin_lets_what_was_sent_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that closes stdin leaves: what was sent runs to its end, and the process exits with
    0.
    """
    with Gatekeeper() as gate, Lines(tmp_path) as lines:
        lines.greet()
        lines.call("execute_action", **say("post", text="hello", gate={"port": gate.port}))
        gate.wait()
        lines.close()
        gate.open()
        code, _, err = lines.ended()
    assert (code, err) == (0, "")
    assert [entry.status for entry in journal(tmp_path, monkeypatch)] == ["succeeded"]


@pytest.mark.parametrize("closed", [False, True])
def test_a_client_that_reads_no_more_has_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: bool
) -> None:
    """It is as if it had closed stdin, whether it does or not: what was sent runs to its end."""
    with Gatekeeper() as gate, Lines(tmp_path) as lines:
        lines.greet()
        lines.call("execute_action", 1, **say("post", text="sent", gate={"port": gate.port}))
        gate.wait()
        assert lines.process.stdout is not None
        assert lines.process.stderr is not None
        lines.process.stdout.close()
        lines.ask("ping", 2)
        if closed:
            lines.close()
        gate.open()
        assert lines.process.wait(30) == 0
        assert lines.process.stderr.read() == b""
    assert [entry.status for entry in journal(tmp_path, monkeypatch)] == ["succeeded"]


HALVES = {
    "the ID": (b'{"jsonrpc":"2.0","id":"\\ud800","method":"ping"}', None, "half of a character"),
    "the ID of no message": (b'{"jsonrpc":"2.0","id":"\\udfff","method":5}', None, "'method'"),
    "the ID, twice": (
        b'{"jsonrpc":"2.0","id":"\\ud800","id":"\\ud800","method":"ping"}',
        None,
        "'id'",
    ),
    "a name, twice": (
        b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"\\ud800":1,"\\ud800":1}}',
        1,
        "occurs twice",
    ),
    "a text": (
        b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"\\udc00"}}',
        2,
        "half of a character",
    ),
}
"""Messages with half of a character, the ID of the answer, and what it names."""


@pytest.mark.parametrize("closed", ["<&-", "<&- >&-", "<&- 2>&-"])
def test_a_stdin_that_is_closed(tmp_path: Path, closed: str) -> None:
    """A client that opens none has nothing to ask: the program ends at once, and without a
    fault.
    """
    server: Any = local(tmp_path)()
    # -u: a Python of its own, with these streams
    command = ["sh", "-c", f'exec "$0" -u "$@" {closed}', server.command, *server.args]
    ended = subprocess.run(command, env=server.env, capture_output=True, timeout=60, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_half_a_character_ends_nothing(tmp_path: Path) -> None:
    """Its line is refused, and so is one over the limit with an ID that is no UTF-8; the next one
    is answered.
    """
    with Lines(tmp_path) as lines:
        for line, identifier, words in HALVES.values():
            lines.say(line)
            answer = lines.hear()
            assert (answer["id"], answer["error"]["code"], words in answer["error"]["message"]) == (
                identifier,
                -32600,
                True,
            )
        lines.say(b'{"jsonrpc":"2.0","id":"\xff","method":"%b"}' % (b"x" * (64 * 1024 * 1024)))
        assert lines.hear()["id"] is None
        lines.ask("ping", 4)
        assert lines.hear()["id"] == 4


def test_an_action_without_end_does_not_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the grace the process ends, whatever an action does, and the journal says that it is in
    doubt.
    """
    with Gatekeeper() as gate, Lines(tmp_path, "--grace", "0.1") as lines:
        lines.greet()
        lines.call("execute_action", **say("post", text="hello", gate={"port": gate.port}))
        gate.wait()
        code, _, err = lines.ended()
    assert (code, err) == (0, "")
    assert [entry.status for entry in journal(tmp_path, monkeypatch)] == ["in_doubt"]


@pytest.mark.parametrize(
    ("number", "closed"),
    [
        (signal.SIGTERM, False),
        (signal.SIGINT, True),
        (signal.SIGHUP, False),
        pytest.param(signal.SIGTERM, True, marks=pytest.mark.campaign),
        pytest.param(signal.SIGINT, False, marks=pytest.mark.campaign),
    ],
)
def test_a_signal_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, closed: bool
) -> None:
    """SIGTERM, Ctrl-C and a closed terminal let what was sent end, and cancel what was not; both
    are answered, also with an open stdin.
    """
    with (
        Gatekeeper() as gate,
        Gatekeeper() as early,
        Lines(tmp_path, JACKFIELD_LOG_LEVEL="INFO") as lines,
    ):
        lines.greet()
        lines.call("execute_action", 1, **say("post", text="sent", gate={"port": gate.port}))
        gate.wait()
        lines.call(
            "execute_action",
            2,
            **say("post", text="not sent", gate={"port": early.port, "before": True}),
        )
        early.wait()
        lines.stop(number)
        assert lines.process.stderr is not None
        assert b"stopping" in lines.process.stderr.readline()
        if closed:
            lines.close()
        gate.open()
        early.open()
        answers = {
            answer["id"]: answer["result"]["structuredContent"]["status"]
            for answer in (lines.hear(), lines.hear())
        }
        assert answers == {1: "succeeded", 2: "failed"}
        assert lines.process.wait(30) == 0
        assert lines.process.stderr.read() == b""
    assert sorted(entry.status for entry in journal(tmp_path, monkeypatch)) == [
        "failed",
        "succeeded",
    ]


def test_a_terminal_that_closes_ends_no_daemon(tmp_path: Path) -> None:
    """A program that was started to ignore it (``nohup``) goes on."""
    server: Any = local(tmp_path)()
    # -u: a Python of its own, with its signals
    command = ["sh", "-c", 'trap \'\' HUP; exec "$0" -u "$@"', server.command, *server.args]
    with subprocess.Popen(
        command, env=server.env, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(2):
            process.stdin.write(json.dumps(message("ping")).encode() + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["result"] == {}
            process.send_signal(signal.SIGHUP)
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("mode", "before", "status"),
    [
        (MODES[0], True, "failed"),
        (MODES[1], False, "succeeded"),
        pytest.param(MODES[1], True, "failed", marks=pytest.mark.campaign),
        pytest.param(MODES[0], False, "succeeded", marks=pytest.mark.campaign),
    ],
)
def test_a_cancelled_call_is_cancelled_until_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, before: bool, status: str
) -> None:
    """``notifications/cancelled``: what was not sent is not sent, what was runs to its end, and the
    same key replays it.
    """
    with Gatekeeper() as gate:
        given = {
            **say("post", text="hello", gate={"port": gate.port, "before": before}),
            "idempotencyKey": "k-1",
        }

        async def step(client: Any) -> Any:
            await trying(client, "execute_action", given, gate.wait)
            # the cancellation has been read by the time that this is answered
            await client.list_tools()
            gate.open()
            return await client.call_tool("search_actions", {})

        assert not talked(local(tmp_path), step, mode).is_error
    entry = journal(tmp_path, monkeypatch)[0]
    assert entry.status == status
    if before:
        assert entry.to_json()["error"]["code"] == "cancelled"
        return
    again = called(local(tmp_path), "execute_action", mode, **given)
    assert again.structured_content["meta"]["replayed"]
    assert again.structured_content["meta"]["invocationId"] == entry.id


@pytest.mark.parametrize("broken", ["workspace", "extra"])
def test_what_cannot_be_served_is_told_on_stderr(tmp_path: Path, broken: str) -> None:
    """Without the workspace, or without the extra, the command ends with 2 and leaves stdout
    alone.
    """
    missing = tmp_path / "missing"
    missing.mkdir()
    for name in ("mcp", "mcp_types"):
        (missing / f"{name}.py").write_text(
            f"raise ModuleNotFoundError('gone', name={name!r})\n", encoding="utf-8"
        )
    # a Python of its own: the warm one has imported the extra
    (missing / "sitecustomize.py").touch()
    paths = [str(missing)] if broken == "extra" else []
    more = {"JACKFIELD_WORKSPACE": "nowhere"} if broken == "workspace" else {}
    with Lines(tmp_path, paths=paths, **more) as lines:
        code, out, err = lines.ended()
    assert (code, out) == (2, b"")
    assert (
        "no workspace is named 'nowhere'"
        if broken == "workspace"
        else "pip install 'jackfield[mcp]'"
    ) in err
    assert "Traceback" not in err


def test_no_secret_is_answered(conversation: Conversation) -> None:
    """A token that an action says aloud is masked, in the structured content and in the words."""
    found = conversation.call("execute_action", **say("say", text="x", reveal=True))
    told = json.dumps(found.model_dump(mode="json"))
    assert not found.is_error
    assert "secret-4711" not in told


def test_files_of_a_server_in_the_same_home_are_files(tmp_path: Path) -> None:
    """``{"file": id}`` is what ``jackfield serve`` was given; an id that is none is refused with
    its place.
    """
    with standing(tmp_path) as stand:
        file = stand.client().post("/v1/files", b"a picture", Content_Type="image/png").json["file"]
    with Conversation(local(tmp_path)) as conversation:
        found = conversation.call("execute_action", **say("say", text="x", picture={"file": file}))
        refused = conversation.call(
            "execute_action", **say("say", text="x", picture={"file": "file_none"})
        )
    assert found.structured_content["output"]["inputs"]["picture"] == {
        "data": "YSBwaWN0dXJl",
        "contentType": "image/png",
    }
    assert refused.structured_content["error"]["details"][0]["path"] == "/picture/file"


def test_it_needs_no_server(tmp_path: Path) -> None:
    """Without the extra ``server`` everything works but uploaded files."""
    missing = tmp_path / "missing"
    missing.mkdir()
    (missing / "orjson.py").write_text(
        "raise ModuleNotFoundError('gone', name='orjson')\n", encoding="utf-8"
    )
    with Conversation(local(tmp_path, paths=[str(missing)])) as conversation:
        assert not conversation.call("execute_action", **say("say", text="x")).is_error
        refused = conversation.call(
            "execute_action", **say("say", text="x", picture={"file": "file_none"})
        )
    assert refused.structured_content["error"]["code"] == "invalid_input"


def test_the_command_runs_in_a_process_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``main(["mcp"])`` answers what is asked, gives 0 at the end of stdin, and leaves the process
    as it was.
    """
    monkeypatch.setenv("JACKFIELD_CONNECTIONS", "")
    before = signal.getsignal(signal.SIGTERM)
    with plugged(*make_echo(tmp_path / "plugs")), ThreadPoolExecutor(1) as threads:
        pipes = Pipes(monkeypatch)

        def talk() -> list[Any]:
            hello = message(
                "initialize",
                1,
                protocolVersion="2025-11-25",
                capabilities={},
                clientInfo={"name": "x", "version": "1"},
            )
            said = [
                pipes.ask(hello),
                pipes.ask(call_of("execute_action", 2, **say("say", text="hello"))),
            ]
            said.append(
                pipes.ask(
                    call_of("execute_action", 3, **say("say", text="x", picture={"file": "file_x"}))
                )
            )
            pipes.close()
            return said

        talking = threads.submit(talk)
        code = main(["mcp"])
        _, found, refused = talking.result()
        pipes.closed()
    assert code == 0
    assert found["result"]["structuredContent"]["output"]["text"] == "hello"
    assert refused["result"]["structuredContent"]["error"]["details"][0]["path"] == "/picture/file"
    assert signal.getsignal(signal.SIGTERM) is before


def test_l40_progress_is_reported_to_who_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """L40: a call with a ``progressToken`` is told that its action runs, until it is answered, and
    not after that.
    """
    monkeypatch.setenv("JACKFIELD_CONNECTIONS", "")
    monkeypatch.setattr(progress, "EVERY", 0.02)
    with (
        plugged(*make_echo(tmp_path / "plugs")),
        ThreadPoolExecutor(1) as threads,
        Gatekeeper() as gate,
    ):
        pipes = Pipes(monkeypatch)

        def talk() -> list[Any]:
            try:
                pipes.ask(
                    message(
                        "initialize",
                        1,
                        protocolVersion="2025-11-25",
                        capabilities={},
                        clientInfo={"name": "x", "version": "1"},
                    )
                )
                arguments = say("post", text="hello", gate={"port": gate.port})
                pipes.say(
                    message(
                        "tools/call",
                        2,
                        name="execute_action",
                        arguments=arguments,
                        _meta={"progressToken": "p-1"},
                    )
                )
                gate.wait()
                said = [pipes.hear(), pipes.hear()]
                gate.open()
                while "id" not in said[-1]:
                    said.append(pipes.hear())
                return [*said, pipes.ask(message("ping", 3))]
            finally:
                pipes.close()

        talking = threads.submit(talk)
        assert main(["mcp"]) == 0
        *reports, answer, ping = talking.result()
        pipes.closed()
    assert {(report["method"], report["params"]["progressToken"]) for report in reports} == {
        ("notifications/progress", "p-1")
    }
    assert [report["params"]["progress"] for report in reports] == [
        pytest.approx(0.02 * number) for number in range(1, len(reports) + 1)
    ]
    assert (answer["id"], answer["result"]["structuredContent"]["output"]["text"], ping["id"]) == (
        2,
        "hello",
        3,
    )
