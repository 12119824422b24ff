"""Events of Slack settle the doubt about a message whose answer was lost: signed ones, of the workspace of the call."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from http_stand import Client, standing
from jackfield.testing import Answer, Provider, Request
from jackfield_server.shared.process.settings import Settings
from waiting import until

SECRET = "signing-secret-of-the-app"


@dataclass
class Workspace:
    """Slack: it takes messages and hangs up. ``history`` is empty for an app that may not read it."""

    client: Client
    sent: list[dict[str, Any]] = field(default_factory=list)
    hook: str = ""

    def __call__(self, _number: int, request: Request) -> Any:
        """Answer a request of the app."""
        if request.path.startswith("/auth.test"):
            return Answer({"ok": True, "team_id": "T1", "team": "Acme"})
        if request.path == "/chat.postMessage":
            self.sent.append(json.loads(request.body))
            return "close"
        return Answer({"ok": False, "error": "missing_scope"})

    def post(self, key: str) -> dict[str, Any]:
        """Send a message whose answer is lost."""
        asked = {"connector": "slack", "action": "postMessage", "connection": "acme", "idempotencyKey": key}
        found: dict[str, Any] = self.client.post("/v1/invocations", {**asked, "inputs": {"channel": "C1", "text": "Hello"}}).json
        assert found["status"] == "in_doubt", found
        return found

    def tells(self, kind: str, team: str = "T1", secret: str = SECRET, **about: Any) -> int:
        """Send an event about the last message; return the status of the answer."""
        event = {"type": kind, "channel": "C1", "metadata": self.sent[-1]["metadata"], **about}
        identifier = f"Ev{hashlib.sha256(json.dumps([event, team]).encode()).hexdigest()[:8]}"
        body = json.dumps(
            {"type": "event_callback", "team_id": team, "event_id": identifier, "event_time": int(time.time()), "event": event}
        )
        moment = str(int(time.time()))
        signature = "v0=" + hmac.new(secret.encode(), f"v0:{moment}:{body}".encode(), hashlib.sha256).hexdigest()
        headers = {"Content_Type": "application/json", "X_Slack_Request_Timestamp": moment, "X_Slack_Signature": signature}
        return int(Client(self.client.port).call("POST", self.hook, body.encode(), **headers).status)

    def entry(self, identifier: str) -> dict[str, Any]:
        """Return the entry of a call."""
        found: dict[str, Any] = self.client.get(f"/v1/invocations/{identifier}").json
        return found


@pytest.fixture(name="slack", scope="module")
def _slack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    settings = Settings(port=0, guesses=0.0, stop_within=5.0, public_url="https://hooks.example")
    with standing(tmp_path_factory.mktemp("slack"), settings, JACKFIELD_SETTLE="on") as stand:
        client = stand.client()
        workspace = Workspace(client)
        with Provider(workspace) as provider:
            values = {"token": "xoxb-a-token-of-acme", "server": provider.url}
            made = client.post("/v1/connections", {"name": "acme", "type": "slack/botToken", "values": values})
            assert made.status == 201, made.body
            asked = {"name": "events", "trigger": "slack/workspaceEvents", "inputs": {"signingSecret": SECRET}}
            made = client.post("/v1/subscriptions", asked)
            assert made.status == 201, made.body
            workspace.hook = urlsplit(client.get("/v1/subscriptions/events").json["url"]).path
            yield workspace


def test_an_event_with_the_marker_settles_the_doubt(slack: Workspace) -> None:
    """Slack tells of the message twice, as an event of its own and as a message: one thing, by its timestamp."""
    lost = slack.post("one")
    identifier, before = lost["meta"]["invocationId"], len(slack.sent)
    assert slack.tells("message_metadata_posted", message_ts="1893456000.000100") == 200
    assert slack.tells("message", ts="1893456000.000100", text="Hello") == 200
    until(lambda: slack.entry(identifier)["status"] == "succeeded")
    evidence = slack.entry(identifier)["meta"]["resolution"]["evidence"]
    assert (evidence["verdict"], evidence["kind"], evidence["source"]) == ("took", "event", "slack/workspaceEvents")
    assert len(slack.sent) == before


@pytest.mark.parametrize("forged", [{"secret": "another-signing-secret"}, {"team": "T2"}], ids=["unsigned", "other-workspace"])
def test_events_of_others_settle_nothing(slack: Workspace, forged: dict[str, str]) -> None:
    """An event that the app's secret has not signed is refused; one of another workspace is shown, and proves nothing."""
    lost = slack.post(json.dumps(forged))
    identifier = lost["meta"]["invocationId"]
    assert slack.tells("message_metadata_posted", message_ts="1893456000.000200", **forged) == (401 if "secret" in forged else 200)
    found = slack.client.post(f"/v1/invocations/{identifier}/look").json
    assert found["status"] == "in_doubt", found
    assert ("similar" in [one["result"] for one in found["looks"]]) is ("team" in forged)
