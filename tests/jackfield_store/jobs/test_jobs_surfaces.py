"""Callers of all surfaces see a job as it is: running with its progress, then its Result; and they
cancel it.
"""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from tests.jackfield_service.shell.pages.console_client import Place
from tests.jackfield_store.jobs.job_stage import Folder, furnace

from clocks import FakeClock
from http_stand import Stand, standing
from jackfield.cli.main import main
from jackfield.invocation import Meta, Result
from jackfield_service.shell.commands.serve import mounts
from jackfield_service.shell.http.app import build_app
from jackfield_service.subjects.mcp import progress
from jackfield_service.subjects.mcp.action_tools import result_schema
from mcp_talk import Pipes, message
from waiting import until

DONE = {"weight": 7}
MELTING = {"fraction": 0.25, "text": "melting", "retry_after": 10}
PROGRESS = {"fraction": 0.25, "text": "melting"}


def melt(**more: Any) -> dict[str, Any]:
    """An invocation of a job."""
    return {"connector": "furnace", "action": "melt", "inputs": {}, "timeoutSeconds": 30, **more}


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Folder]:
    """The provider's folder, with its connector installed."""
    with furnace(tmp_path) as found:
        found.answers(MELTING)
        yield found


@pytest.fixture
def clock() -> FakeClock:
    """Time that passes at once where a call waits."""
    return FakeClock()


@pytest.fixture
def stand(provider: Folder, clock: FakeClock, tmp_path: Path) -> Iterator[Stand]:
    """A server in this process."""
    with standing(tmp_path, clock=clock, FURNACE=str(provider.folder)) as found:
        yield found


def test_http_answers_202_and_the_server_goes_on(
    stand: Stand, provider: Folder, clock: FakeClock
) -> None:
    """The answer has the job's ID and progress; the server polls on, and the entry becomes the
    Result.
    """
    client = stand.client()
    reply = client.post("/v1/invocations", melt())
    identifier = reply.json["invocationId"]
    assert (reply.status, reply.headers["location"]) == (202, f"/v1/invocations/{identifier}")
    assert reply.json == {"invocationId": identifier, "status": "running", "progress": PROGRESS}
    path = f"/v1/invocations/{identifier}"
    assert client.get(path).json["progress"] == PROGRESS
    provider.answers(DONE)
    clock.advance(60)
    until(lambda: client.get(path).json["status"] == "succeeded")
    assert client.get(path).json["output"] == DONE
    assert len(provider.reached("start")) == 1


def test_each_end_is_counted_once(stand: Stand, provider: Folder) -> None:
    """A job by whoever ends it, be that the poller of a server or the call that waits for it, and a
    replayed Result not again.
    """
    client = stand.client()
    provider.answers(DONE)
    for key in ("one", "two", "one"):
        assert (
            client.post("/v1/invocations", melt(idempotencyKey=key)).json["status"] == "succeeded"
        )
    assert (
        'jackfield_invocations_total{action="melt",connector="furnace",status="succeeded"} 2.0'
        in client.get("/metrics").body.decode()
    )


def test_http_cancels_a_job_at_its_provider(
    stand: Stand, provider: Folder, clock: FakeClock
) -> None:
    """The request is accepted; the provider is told, and what it says ends the job."""
    client = stand.client()
    path = f"/v1/invocations/{client.post('/v1/invocations', melt()).json['invocationId']}"
    accepted = client.post(f"{path}/cancel")
    assert (accepted.status, accepted.json["cancelRequested"]) == (202, True)
    until(lambda: provider.reached("cancel"))
    provider.answers({"failed": "aborted"})
    clock.advance(60)
    until(lambda: client.get(path).json.get("error", {}).get("code") == "cancelled")
    provider.answers(MELTING)
    refused = client.post("/v1/invocations", melt(action="look"))
    assert client.post(f"/v1/invocations/{refused.json['invocationId']}/cancel").status == 409


def test_the_console_shows_how_far_a_job_is(stand: Stand) -> None:
    """The page of the invocation has a bar while it runs."""
    identifier = stand.client().post("/v1/invocations", melt()).json["invocationId"]
    browser = Place(stand.host, build_app(stand.host, mounts())).signed_in()
    assert '<progress value="25"' in browser.get(f"/invocations/{identifier}").text


@pytest.fixture
def home(provider: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of commands."""
    monkeypatch.setenv("JACKFIELD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JACKFIELD_DATABASE_URL", f"sqlite:///{tmp_path / 'jackfield.db'}")
    monkeypatch.setenv("JACKFIELD_CONNECTIONS", "")
    monkeypatch.setenv("FURNACE", str(provider.folder))


@pytest.mark.usefixtures("home")
def test_the_command_line_says_that_a_job_runs_or_follows_it(
    provider: Folder,
    clock: FakeClock,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without ``--follow``: exit code 0 and how far it is. With it: its progress on stderr, and its
    Result.
    """
    monkeypatch.setattr("jackfield.runtime.SystemClock", lambda: clock)
    assert main(["invoke", "furnace", "melt", "--timeout", "30s", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["progress"]) == ("running", PROGRESS)
    assert main(["invocations", "wait", found["invocationId"], "--timeout", "0s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "running"
    assert main(["invocations", "cancel", found["invocationId"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cancelRequested"] is True
    provider.answers(MELTING, DONE)
    assert (
        main(
            [
                "invoke",
                "furnace",
                "melt",
                "--timeout",
                "30s",
                "--job-timeout",
                "1h",
                "--follow",
                "--json",
            ]
        )
        == 0
    )
    shown = capsys.readouterr()
    assert json.loads(shown.out)["output"] == DONE
    assert "jackfield: 25% melting" in shown.err


@pytest.mark.usefixtures("home")
def test_an_mcp_client_is_told_the_progress_until_the_job_ends(
    provider: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each report is more than the one before, out of 1."""
    monkeypatch.setattr(progress, "EVERY", 0.05)
    provider.answers({**MELTING, "retry_after": 0.1})
    with ThreadPoolExecutor(1) as threads:
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
                call = melt(timeoutSeconds=300)
                pipes.say(
                    message(
                        "tools/call",
                        2,
                        name="execute_action",
                        arguments=call,
                        _meta={"progressToken": "p-1"},
                    )
                )
                said = [pipes.hear()]
                while "id" not in said[-1]:
                    if said[-1]["params"]["message"] == "melting":
                        provider.answers(DONE)
                    said.append(pipes.hear())
                return said
            finally:
                pipes.close()

        talking = threads.submit(talk)
        assert main(["mcp"]) == 0
        *reports, answer = talking.result()
        pipes.closed()
    done = [report["params"]["progress"] for report in reports]
    assert done == sorted(set(done))
    assert answer["result"]["structuredContent"]["output"] == DONE


def test_an_mcp_client_over_http_is_told_the_progress_before_the_answer(
    stand: Stand, provider: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The response to a slow call is a stream of events, the last of which is the answer; that to a
    quick one is one document.
    """
    monkeypatch.setattr(progress, "EVERY", 0.02)
    provider.answers({**MELTING, "retry_after": 1})
    client = stand.client()
    accepted = {
        "MCP-Protocol-Version": "2025-11-25",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Authorization": f"Bearer {client.token}",
    }
    call = message(
        "tools/call",
        2,
        name="execute_action",
        arguments=melt(timeoutSeconds=900),
        _meta={"progressToken": "p-1"},
    )
    with contextlib.closing(
        http.client.HTTPConnection("127.0.0.1", client.port, timeout=120)
    ) as connection:
        connection.request("POST", "/mcp", json.dumps(call), accepted)
        response = connection.getresponse()
        said: list[Any] = []
        for line in iter(response.readline, b""):
            if line.startswith(b"data: "):
                said.append(json.loads(line.removeprefix(b"data: ")))
                if said[-1].get("params", {}).get("message") == "melting":
                    provider.answers(DONE)
        connection.request(
            "POST",
            "/mcp",
            json.dumps(
                {**call, "params": {**call["params"], "name": "list_connections", "arguments": {}}}
            ),
            accepted,
        )
        quick = connection.getresponse()
        assert json.load(quick)["id"] == 2
    *reports, answer = said
    assert [found.headers["content-type"].partition(";")[0] for found in (response, quick)] == [
        "text/event-stream",
        "application/json",
    ]
    done = [report["params"]["progress"] for report in reports]
    assert {report["params"]["progressToken"] for report in reports} == {"p-1"}
    assert done == sorted(set(done))
    assert (answer["id"], answer["result"]["structuredContent"]["output"]) == (2, DONE)


def test_a_wait_for_what_has_not_begun_says_so(
    home: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """A queued invocation is called queued, not running."""
    del home
    assert main(["invoke", "furnace", "melt", "--queue", "--json"]) == 0
    queued = json.loads(capsys.readouterr().out)["invocationId"]
    assert main(["invocations", "wait", queued, "--timeout", "0s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"invocationId": queued, "status": "queued"}


def test_a_job_that_runs_fits_the_schema_of_its_tool() -> None:
    """What a tool answers of it is what the tool has announced."""
    Draft202012Validator(result_schema()).validate(
        Result("running", Meta("01a205bf-22b2-7362-9343-f53035667f3f")).to_json("mcp")
    )
