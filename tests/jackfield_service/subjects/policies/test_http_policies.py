"""One policy on each surface: HTTP, its queue and batches, MCP, schedules, events that start calls,
the command line, the console.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import placed
from tests.jackfield_service.subjects.triggers.trigger_stage import trigger_stage

from http_stand import Client, Stand, clean, say, standing
from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield.kernel.errors import NotAllowed
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from mcp_talk import called, remote, talked
from policy_stub import ALLOW, Policy, policy_service


def decision(question: dict[str, Any]) -> dict[str, Any]:
    """No post that is loud, no text in an output, and no ``shout`` in a list."""
    if question["hook"] == "listing":
        return {"withhold": ["echo/fail"]}
    if question["hook"] == "output":
        return {"allow": True, "withhold": ["/text"]}
    return {"allow": not question["inputs"].get("loud"), "reason": "not so loud"}


@pytest.fixture(scope="module", name="policy")
def _policy() -> Iterator[Policy]:
    with policy_service() as found:
        found.decide = decision
        yield found


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory, policy: Policy) -> Iterator[Stand]:
    """A server with that policy."""
    folder, known = tmp_path_factory.mktemp("policies"), policy.environment
    with standing(
        folder,
        JACKFIELD_POLICY_URL=known["JACKFIELD_POLICY_URL"],
        JACKFIELD_POLICY_SECRET=known["JACKFIELD_POLICY_SECRET"],
    ) as found:
        manager = found.client()
        assert (
            manager.post(
                "/v1/connections?test=false",
                {"name": "hall", "type": "echo/token", "values": {"token": "t"}},
            ).status
            == 201
        )
        yield found


@pytest.fixture(name="caller", scope="module")
def _caller(stand: Stand) -> Client:
    return stand.client("invoke")


def loud(**more: Any) -> dict[str, Any]:
    """A call that the policy refuses."""
    return {**say("post", "hall", text="x", loud=True), **more}


def test_http_refuses_and_withholds(caller: Client) -> None:
    """403 with the reason; a success without the member, and with a warning."""
    refused = caller.post("/v1/invocations", loud())
    assert (refused.status, refused.json["error"]["code"]) == (403, "not_allowed")
    assert refused.json["error"]["message"] == "not allowed: a policy refuses it: not so loud"
    found = caller.post("/v1/invocations", say("post", "hall", text="x"))
    assert (found.status, "text" in found.json["output"]) == (200, False)
    assert found.json["meta"]["warnings"] == [{"path": "/text", "message": "withheld by a policy"}]
    shown = caller.get(f"/v1/invocations/{found.json['meta']['invocationId']}").json
    assert "text" not in shown["output"]


def test_the_queue_and_batches_are_judged(stand: Stand, caller: Client) -> None:
    """Before they are queued, and by the worker."""
    refused = caller.post("/v1/invocations", loud(), Prefer="respond-async")
    assert (refused.status, refused.json["error"]["code"]) == (403, "not_allowed")
    batch = caller.post("/v1/invocations:batch", [loud(), say("post", "hall", text="y")]).json
    assert (batch[0]["error"]["code"], batch[1]["status"]) == ("not_allowed", "queued")
    result = stand.host.runtime("default").wait(batch[1]["invocationId"], 60.0)
    assert (result.status, "text" in (result.output or {})) == ("succeeded", False)


def test_lists_have_what_is_left(caller: Client) -> None:
    """Of actions, of a connector and in searches."""
    listed = caller.get("/v1/connectors/echo").json
    names = {one["key"] for one in listed["actions"]}
    assert ("post" in names, "fail" in names) == (True, False)
    assert caller.get("/v1/connectors/echo/actions/fail/schema").status == 404
    assert "fail" not in {one["action"] for one in caller.get("/v1/actions?q=fail").json["items"]}


def test_agents_meet_it_over_mcp(stand: Stand, caller: Client) -> None:
    """Tools that are hidden are not listed, and a refusal has the reason."""
    server = remote(stand.port, caller.token)
    found = called(server, "execute_action", **loud())
    assert (found.is_error, "not so loud" in str(found.content)) == (True, True)
    assert (
        "text"
        not in called(server, "execute_action", **say("post", "hall", text="x")).structured_content[
            "output"
        ]
    )
    searched = called(server, "search_actions", query="fail")
    assert "echo/fail" not in str(searched.structured_content)
    assert talked(server, lambda client: client.list_tools()).tools


def test_streams_are_refused(caller: Client) -> None:
    """Nobody judges their events."""
    stream = caller.post(
        "/v1/invocations", say("post", "hall", text="s"), Accept="text/event-stream"
    )
    assert b"not_allowed" in stream.body


def test_a_schedule_is_judged_when_it_is_due(stand: Stand, policy: Policy) -> None:
    """When it is added, as far as that can be judged, and with each slot."""
    runtime = stand.host.runtime("default")
    schedules = WorkspaceSchedules(runtime, LIBRARY, Actor("library"))
    with pytest.raises(NotAllowed, match="not so loud"):
        schedules.add({"name": "loud", "invocation": loud(), "every": "1d"})
    policy.decide = lambda _question: ALLOW
    schedules.add({"name": "loud", "invocation": loud(), "every": "1d"})
    policy.decide = decision
    refused = stand.client("manage").post("/v1/schedules/loud:run", {})
    assert (refused.status, "not so loud" in refused.body.decode()) == (403, True), refused.body
    assert policy.asked[-1]["inputs"]["loud"] is True


def test_what_an_event_starts_is_judged(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``then`` of a subscription: the event stays, and nothing is queued."""
    for name, value in policy.environment.items():
        monkeypatch.setenv(name, value)
    with trigger_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", servers=1) as stage:
        from jackfield_echo.watching import NOTES

        stage.add(
            "notes",
            then={
                "connector": "echo",
                "action": "post",
                "connection": "hall",
                "inputs": {"text": "x", "loud": True},
            },
        )
        stage.look()
        NOTES.append({"id": "n-1", "at": stage.now(), "text": "hello"})
        stage.move(70)
        stage.look()
        (refused,) = stage.events("subscription.*")
        assert (refused.type, refused.data["errorCode"]) == ("subscription.refused", "not_allowed")
        assert stage.runtime.journal_of(LIBRARY).entries()[0] == []


def test_events_of_a_provider_are_judged(
    tmp_path: Path, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As outputs are, before they are stored; a poll is asked about as a read. Without a decision,
    it is put off and nothing is lost.
    """
    for name, value in policy.environment.items():
        monkeypatch.setenv(name, value)
    with trigger_stage(tmp_path, f"sqlite:///{tmp_path / 'jackfield.db'}", servers=1) as stage:
        from jackfield_echo.watching import NOTES

        stage.add("notes")
        stage.look()
        NOTES.append({"id": "n-2", "at": stage.now(), "text": "hello"})
        for decide in (
            lambda question: {"allow": question["hook"] != "call"},
            lambda question: {} if question["hook"] == "output" else ALLOW,
        ):
            policy.decide = decide
            stage.move(4000)
            stage.look()
            assert stage.events() == []
        policy.decide = lambda question: (
            {"allow": True, "withhold": ["/text"]} if question["hook"] == "output" else ALLOW
        )
        policy.asked.clear()
        stage.move(4000)
        stage.look()
        policy.decide = decision
        (event,) = stage.events()
        assert ("text" in event.data["payload"], event.data["payload"]["id"]) == (False, "n-2")
        assert {(one["hook"], one["trigger"]) for one in policy.asked} == {
            ("call", "notes"),
            ("output", "notes"),
        }


def test_the_command_line_is_judged(stand: Stand, policy: Policy) -> None:
    """Each call in a process of its own; exit code 2 for a refusal."""
    environment = clean(
        stand.folder / "home", PYTHONPATH=os.pathsep.join(sys.path), **policy.environment
    )

    def run(call: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        words = [sys.executable, "-m", "jackfield", "invoke", "--file", "-"]
        found = subprocess.run(
            words,
            input=json.dumps(call),
            capture_output=True,
            text=True,
            env=environment,
            check=False,
        )
        return found.returncode, json.loads(found.stdout)

    code, refused = run(loud())
    assert (code, refused["error"]["code"]) == (2, "not_allowed")
    code, made = run(say("post", "hall", text="x"))
    assert (code, "text" in made["output"]) == (0, False)


def test_the_console_shows_what_is_left(tmp_path: Path, policy: Policy) -> None:
    """Its catalog, and the page of a Result."""
    with placed(tmp_path, environment=policy.environment) as place:
        place.host.storage.database.migrate()
        client = place.signed_in()
        page = client.get("/connectors/echo")
        assert (page.status, "post" in page.text, "/fail" in page.text) == (200, True, False)


@pytest.mark.parametrize(
    ("decide", "status", "values"),
    [
        (
            lambda question: {
                "allow": question["hook"] != "call" or question.get("optionSource") != "rooms"
            },
            403,
            [],
        ),
        (
            lambda question: {
                "allow": True,
                "withhold": ["/items/0"] if question["hook"] == "output" else [],
            },
            200,
            ["attic"],
        ),
        (
            lambda question: {
                "allow": True,
                "withhold": ["/items/1/value"] if question["hook"] == "output" else [],
            },
            200,
            ["hall"],
        ),
        (lambda question: {"allow": question["hook"] == "call"}, 200, []),
        (lambda question: {"allow": True, "approve": question["hook"] == "call"}, 403, []),
        (lambda _question: "nothing", 503, []),
    ],
)
def test_choices_of_a_provider_are_judged(
    caller: Client, policy: Policy, decide: Any, status: int, values: list[str]
) -> None:
    """What a form's field offers comes from the provider, as the output of a reading action
    does.
    """
    policy.decide = decide
    try:
        answer = caller.post("/v1/connectors/echo/options/rooms", {"connection": "hall"})
        assert (answer.status, [one["value"] for one in answer.json.get("items", [])]) == (
            status,
            values,
        ), answer.body
    finally:
        policy.decide = decision


def test_it_decides_what_it_decides_now(caller: Client, policy: Policy) -> None:
    """The next question has the next answer: nothing is remembered."""
    policy.decide = lambda _question: ALLOW
    try:
        assert caller.post("/v1/invocations", loud()).status == 200
    finally:
        policy.decide = decision
    assert caller.post("/v1/invocations", loud()).status == 403
