"""Callers of all surfaces see a job as it is: running with its progress, then its Result; and they cancel it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from console_client import Place
from http_stand import Stand, standing
from jackfield.cli.main import main
from jackfield.cli.serve import mounts
from jackfield.surfaces.http.app import build_app
from jackfield.surfaces.mcp import sdk_server
from jackfield.surfaces.mcp.action_tools import result_schema
from job_stage import Folder, furnace
from mcp_talk import Pipes, message
from waiting import until

DONE = {"weight": 7}
QUICK = {"fraction": 0.25, "text": "melting", "retry_after": 0.1}


def melt(**more: Any) -> dict[str, Any]:
    """An invocation of a job."""
    return {"connector": "furnace", "action": "melt", "inputs": {}, "timeoutSeconds": 0.4, **more}


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Folder]:
    """The provider's folder, with its connector installed."""
    with furnace(tmp_path) as found:
        found.answers(QUICK)
        yield found


@pytest.fixture
def stand(provider: Folder, tmp_path: Path) -> Iterator[Stand]:
    """A server in this process."""
    with standing(tmp_path, FURNACE=str(provider.folder)) as found:
        yield found


def test_http_answers_202_and_the_server_goes_on(stand: Stand, provider: Folder) -> None:
    """The answer has the job's ID and progress; the server polls on, and the entry becomes the Result."""
    client = stand.client()
    reply = client.post("/v1/invocations", melt())
    identifier = reply.json["invocationId"]
    assert (reply.status, reply.headers["location"]) == (202, f"/v1/invocations/{identifier}")
    assert reply.json == {"invocationId": identifier, "status": "running", "progress": {"fraction": 0.0, "text": ""}}
    path = f"/v1/invocations/{identifier}"
    until(lambda: client.get(path).json["progress"] == {"fraction": 0.25, "text": "melting"})
    provider.answers(DONE)
    until(lambda: client.get(path).json["status"] == "succeeded")
    assert client.get(path).json["output"] == DONE
    assert len(provider.reached("start")) == 1


def test_http_cancels_a_job_at_its_provider(stand: Stand, provider: Folder) -> None:
    """The request is accepted; the provider is told, and what it says ends the job."""
    client = stand.client()
    path = f"/v1/invocations/{client.post('/v1/invocations', melt()).json['invocationId']}"
    accepted = client.post(f"{path}/cancel")
    assert (accepted.status, accepted.json["cancelRequested"]) == (202, True)
    until(lambda: provider.reached("cancel"))
    provider.answers({"failed": "aborted"})
    until(lambda: client.get(path).json.get("error", {}).get("code") == "cancelled")
    refused = client.post("/v1/invocations", melt(action="look"))
    assert client.post(f"/v1/invocations/{refused.json['invocationId']}/cancel").status == 409


def test_the_console_shows_how_far_a_job_is(stand: Stand, provider: Folder) -> None:
    """The page of the invocation has a bar while it runs."""
    identifier = stand.client().post("/v1/invocations", melt()).json["invocationId"]
    until(lambda: provider.reached("poll"))
    browser = Place(stand.host, build_app(stand.host, mounts())).signed_in()
    until(lambda: '<progress value="25"' in browser.get(f"/invocations/{identifier}").text)


def test_the_command_line_says_that_a_job_runs_or_follows_it(
    provider: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ``--follow``: exit code 0 and how far it is. With it: its progress on stderr, and its Result."""
    monkeypatch.setenv("JACKFIELD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JACKFIELD_DATABASE_URL", f"sqlite:///{tmp_path / 'jackfield.db'}")
    monkeypatch.setenv("FURNACE", str(provider.folder))
    assert main(["invoke", "furnace", "melt", "--timeout", "400ms", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["status"], found["progress"]) == ("running", {"fraction": 0.0, "text": ""})
    assert main(["invocations", "wait", found["invocationId"], "--timeout", "0s", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "running"
    assert main(["invocations", "cancel", found["invocationId"], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["cancelRequested"] is True
    provider.answers(QUICK, DONE)
    assert main(["invoke", "furnace", "melt", "--job-timeout", "1h", "--follow", "--json"]) == 0
    shown = capsys.readouterr()
    assert json.loads(shown.out)["output"] == DONE
    assert "jackfield: 25% melting" in shown.err


def test_an_mcp_client_is_told_the_progress_and_that_the_job_runs(
    provider: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each report is more than the one before, out of 1; the answer says that the job runs, within the tool's schema."""
    monkeypatch.setenv("JACKFIELD_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JACKFIELD_DATABASE_URL", f"sqlite:///{tmp_path / 'jackfield.db'}")
    monkeypatch.setenv("JACKFIELD_CONNECTIONS", "")
    monkeypatch.setenv("FURNACE", str(provider.folder))
    monkeypatch.setattr(sdk_server, "_EVERY", 0.2)
    with ThreadPoolExecutor(1) as threads:
        pipes = Pipes(monkeypatch)

        def talk() -> list[Any]:
            try:
                pipes.ask(message("initialize", 1, protocolVersion="2025-11-25", capabilities={}, clientInfo={"name": "x", "version": "1"}))
                call = melt(timeoutSeconds=2.5)
                pipes.say(message("tools/call", 2, name="execute_action", arguments=call, _meta={"progressToken": "p-1"}))
                said = [pipes.hear()]
                while "id" not in said[-1]:
                    said.append(pipes.hear())
                return said
            finally:
                pipes.close()

        talking = threads.submit(talk)
        assert main(["mcp"]) == 0
        *reports, answer = talking.result()
        pipes.closed()
    done = [report["params"]["progress"] for report in reports if report["params"].get("total") == 1]
    assert done == sorted(set(done))
    assert any(share >= 0.25 for share in done)
    found = answer["result"]["structuredContent"]
    assert (found["status"], found["progress"], answer["result"]["isError"]) == ("running", {"fraction": 0.25, "text": "melting"}, False)
    Draft202012Validator(result_schema()).validate(found)
