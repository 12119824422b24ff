"""Events of Slack settle the doubt about a message whose answer was lost: signed ones, of the
workspace of the call.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from http_stand import Client, standing
from jackfield.testing import Answer, Provider, Request
from jackfield_service.shell.process.settings import ServerSettings
from waiting import until

SECRET = "signing-secret-of-the-app"


def signature(secret: str, moment: str, body: bytes) -> str:
    """Sign a body as Slack does."""
    return (
        "v0="
        + hmac.new(secret.encode(), f"v0:{moment}:".encode() + body, hashlib.sha256).hexdigest()
    )


@dataclass
class Workspace:
    """Slack: it takes messages and hangs up. ``history`` is empty for an app that may not read
    it.
    """

    client: Client
    meanwhile: Callable[[], object] | None = None
    """What happens before a message's answer is lost."""
    sent: list[dict[str, Any]] = field(default_factory=list)
    hook: str = ""

    def __call__(self, _number: int, request: Request) -> Any:
        """Answer a request of the app."""
        if request.path.startswith("/auth.test"):
            return Answer({"ok": True, "team_id": "T1", "team": "Acme"})
        if request.path == "/chat.postMessage":
            self.sent.append(json.loads(request.body))
            if self.meanwhile is not None:
                self.meanwhile()
            return "close"
        return Answer({"ok": False, "error": "missing_scope"})

    def post(self, key: str) -> dict[str, Any]:
        """Send a message whose answer is lost."""
        asked = {
            "connector": "slack",
            "action": "postMessage",
            "connection": "acme",
            "idempotencyKey": key,
        }
        found: dict[str, Any] = self.client.post(
            "/v1/invocations", {**asked, "inputs": {"channel": "C1", "text": "Hello"}}
        ).json
        assert found["status"] == "in_doubt", found
        return found

    def tells(self, kind: str, team: Any = "T1", secret: str = SECRET, **about: Any) -> int:
        """Send an event about the last message; return the status of the answer."""
        event = {"type": kind, "channel": "C1", "metadata": self.sent[-1]["metadata"], **about}
        identifier = f"Ev{hashlib.sha256(json.dumps([event, team]).encode()).hexdigest()[:8]}"
        return self.sends({"event_id": identifier, "team_id": team, "event": event}, secret=secret)

    def sends(
        self,
        given: dict[str, Any] | bytes,
        headers: Mapping[str, str] | None = None,
        *,
        secret: str = SECRET,
        at: float = 0.0,
    ) -> int:
        """Send a body that is signed ``at`` seconds from now, with more header fields; return the
        status of the answer.
        """
        members = {"type": "event_callback", "event_time": int(time.time())}
        body = given if isinstance(given, bytes) else json.dumps({**members, **given}).encode()
        moment = str(int(time.time() + at))
        signed = {
            "Content_Type": "application/json",
            "X_Slack_Request_Timestamp": moment,
            "X_Slack_Signature": signature(secret, moment, body),
        }
        return int(
            Client(self.client.port)
            .call("POST", self.hook, body, **{**signed, **(headers or {})})
            .status
        )

    def entry(self, identifier: str) -> dict[str, Any]:
        """Return the entry of a call."""
        found: dict[str, Any] = self.client.get(f"/v1/invocations/{identifier}").json
        return found


@pytest.fixture(name="slack", scope="module")
def _slack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    settings = ServerSettings(
        port=0, guesses=0.0, stop_within=5.0, public_url="https://hooks.example"
    )
    with standing(tmp_path_factory.mktemp("slack"), settings, JACKFIELD_SETTLE="on") as stand:
        client = stand.client()
        workspace = Workspace(client)
        with Provider(workspace) as provider:
            values = {"token": "xoxb-a-token-of-acme", "server": provider.url}
            made = client.post(
                "/v1/connections", {"name": "acme", "type": "slack/botToken", "values": values}
            )
            assert made.status == 201, made.body
            asked = {
                "name": "events",
                "trigger": "slack/workspaceEvents",
                "inputs": {"signingSecret": SECRET},
            }
            made = client.post("/v1/subscriptions", asked)
            assert made.status == 201, made.body
            workspace.hook = urlsplit(client.get("/v1/subscriptions/events").json["url"]).path
            yield workspace


def test_an_event_with_the_marker_settles_the_doubt(slack: Workspace) -> None:
    """Slack tells of the message twice, as an event of its own and as a message: one thing, by its
    timestamp.
    """
    lost = slack.post("one")
    identifier, before = lost["meta"]["invocationId"], len(slack.sent)
    assert slack.tells("message_metadata_posted", message_ts="1893456000.000100") == 200
    assert slack.tells("message", ts="1893456000.000100", text="Hello") == 200
    until(lambda: slack.entry(identifier)["status"] == "succeeded")
    evidence = slack.entry(identifier)["meta"]["resolution"]["evidence"]
    assert (evidence["verdict"], evidence["kind"], evidence["source"]) == (
        "took",
        "event",
        "slack/workspaceEvents",
    )
    assert len(slack.sent) == before


@pytest.mark.parametrize(
    "forged",
    [{"secret": "another-signing-secret"}, {"team": "T2"}],
    ids=["unsigned", "other-workspace"],
)
def test_events_of_others_settle_nothing(slack: Workspace, forged: dict[str, str]) -> None:
    """An event that the app's secret has not signed is refused; one of another workspace is shown,
    and proves nothing.
    """
    lost = slack.post(json.dumps(forged))
    identifier = lost["meta"]["invocationId"]
    assert slack.tells("message_metadata_posted", message_ts="1893456000.000200", **forged) == (
        401 if "secret" in forged else 200
    )
    found = slack.client.post(f"/v1/invocations/{identifier}/look").json
    assert found["status"] == "in_doubt", found
    assert ("similar" in [one["result"] for one in found["looks"]]) is ("team" in forged)


def _look(slack: Workspace, identifier: str) -> tuple[str, set[str]]:
    """Look as a person does; return the status, and what the looks have found of events."""
    found = slack.client.post(f"/v1/invocations/{identifier}/look").json
    return found["status"], {
        one["result"] for one in found["looks"] if one["source"] == "workspaceEvents"
    }


def test_an_event_that_overtakes_the_doubt_settles_it(slack: Workspace) -> None:
    """Slack tells of the message before its answer is lost, and again as a retry of its own."""
    retry = {"X_Slack_Retry_Num": "1", "X_Slack_Retry_Reason": "http_timeout"}
    statuses = list[int]()

    def tell() -> None:
        event = {
            "type": "message",
            "subtype": "bot_message",
            "channel": "C1",
            "ts": "1893456000.000900",
            "metadata": slack.sent[-1]["metadata"],
        }
        body = {"event_id": "EvEarly", "team_id": "T1", "event": event}
        statuses.extend([slack.sends(body), slack.sends(body, retry), slack.sends(body, retry)])

    slack.meanwhile = tell
    try:
        identifier = slack.post("early")["meta"]["invocationId"]
    finally:
        slack.meanwhile = None
    until(lambda: slack.entry(identifier)["status"] == "succeeded")
    assert statuses == [200, 200, 200]
    told = [
        one
        for one in slack.client.get("/v1/events?limit=200").json["items"]
        if one["type"] == "invocation.resolved"
    ]
    assert [one["subject"] for one in told].count(identifier) == 1


def _event(marker: object, **about: Any) -> dict[str, Any]:
    event = {
        "type": "message",
        "channel": "C1",
        "ts": "1893456000.000300",
        "metadata": {"event_payload": {"marker": marker}},
        **about,
    }
    return {
        "event_id": f"Ev{hashlib.sha256(repr(event).encode()).hexdigest()[:12]}",
        "team_id": "T1",
        "event": event,
    }


_UNLIKE: dict[str, Callable[[str], object]] = {
    "upper": str.upper,
    "line end": "{}\n".format,
    "space": " {}".format,
    "text": "see {}".format,
    "zero width": "{}\u200b".format,
    "full width": lambda marker: marker.replace("f", "\uff46"),
    "cyrillic": lambda marker: marker.replace("j", "\u0458"),
    "combining": "{}\u0301".format,
    "surrogate": "{}\ud800".format,
    "nul": "{}\0".format,
    "cut": lambda marker: marker[:-1],
    "bare": lambda marker: marker[4:],
    "list": lambda marker: [marker],
    "object": lambda marker: {"marker": marker},
    "none": lambda _marker: None,
    "number": lambda _marker: 4711,
}


@pytest.mark.parametrize("unlike", _UNLIKE)
def test_what_is_like_a_marker_is_none(slack: Workspace, unlike: str) -> None:
    """Signed events are taken, and prove nothing by a text that only looks like the marker."""
    identifier = slack.post(unlike)["meta"]["invocationId"]
    marker = slack.sent[-1]["metadata"]["event_payload"]["marker"]
    assert slack.sends(_event(_UNLIKE[unlike](marker))) == 200
    assert _look(slack, identifier) == ("in_doubt", {"nothing"})


@pytest.mark.parametrize(
    "team", ["T1 ", "t1", "\uff341", "T1\u200b", "", 1, True, None, ["T1"], {"id": "T1"}]
)
def test_a_team_that_is_not_the_calls_settles_nothing(slack: Workspace, team: object) -> None:
    """Of an event of another workspace, or of one that nobody knows, a person is told."""
    identifier = slack.post(f"team {team!a}")["meta"]["invocationId"]
    assert slack.tells("message", team, ts="1893456000.000400") == 200
    assert _look(slack, identifier) == ("in_doubt", {"similar"})


def test_what_is_not_signed_now_is_refused(slack: Workspace) -> None:
    """Replayed requests, signatures of other bodies, times and versions: none is stored, and none
    settles the doubt.
    """
    identifier = slack.post("signed")["meta"]["invocationId"]
    body = json.dumps(_event(slack.sent[-1]["metadata"]["event_payload"]["marker"])).encode()
    moment = str(int(time.time()))
    right = signature(SECRET, moment, body)
    forged = [
        {"X_Slack_Signature": ""},
        {"X_Slack_Signature": "v0="},
        {"X_Slack_Signature": right[:-2]},
        {"X_Slack_Signature": right[3:]},
        {"X_Slack_Signature": right.replace("v0=", "v1=")},
        {"X_Slack_Signature": signature(SECRET, moment, body + b" ")},
        {"X_Slack_Signature": signature("", moment, body)},
        {"X_Slack_Signature": f"v0={'0' * 64},{right}"},
        {"X_Slack_Request_Timestamp": ""},
        {"X_Slack_Request_Timestamp": "now"},
        {"X_Slack_Request_Timestamp": "\xb9"},
        {"X_Slack_Request_Timestamp": str(int(moment) - 1), "X_Slack_Signature": right},
    ]
    statuses = [slack.sends(body, at=at) for at in (-400.0, 400.0, -86_400.0)] + [
        slack.sends(body, headers) for headers in forged
    ]
    assert {*statuses[:5]} == {401}
    assert {*statuses} <= {401, 429}  # after some a second, no more is verified
    assert _look(slack, identifier) == ("in_doubt", {"nothing"})


def test_bodies_that_are_no_events_settle_nothing(slack: Workspace) -> None:
    """What Slack signs for the same app besides events, and what nobody can read: refused or told
    as another event.
    """
    identifier = slack.post("bodies")["meta"]["invocationId"]
    marker = slack.sent[-1]["metadata"]["event_payload"]["marker"]
    event = _event(marker)
    payload = f"payload={quote(json.dumps(event))}".encode()
    form = {"Content_Type": "application/x-www-form-urlencoded"}
    refused = [
        payload,
        b"",
        b"[]",
        b"null",
        b"{",
        b"[" * 100_000,
        json.dumps([event]).encode(),
        b"\xff" + json.dumps(event).encode(),
    ]
    assert {slack.sends(body, more) for body in refused for more in ({}, form)} == {400}
    assert slack.sends({**event, "pad": "x" * 20_000_000}) == 413
    assert slack.sends(event, {"Content_Encoding": "gzip"}) == 415
    edited = {
        "type": "message",
        "subtype": "message_changed",
        "channel": "C1",
        "ts": "1893456000.000500",
    }
    nested = {"ts": "1893456000.000300", "text": "edited", "metadata": event["event"]["metadata"]}
    assert (
        slack.sends(
            {
                "event_id": "EvEdited",
                "team_id": "T1",
                "event": {**edited, "message": nested, "previous_message": nested},
            }
        )
        == 200
    )
    assert (
        slack.sends(
            {
                "event_id": "EvView",
                "team_id": "T1",
                "event": {"type": "app_home_opened", "view": event["event"]},
            }
        )
        == 200
    )
    assert _look(slack, identifier) == ("in_doubt", {"nothing"})


@pytest.mark.parametrize("at", [0, -1, 10**18, 1e300, "soon", None, True, [1]])
def test_the_events_own_clock_decides_nothing(slack: Workspace, at: object) -> None:
    """The signature's time is checked; a time of the event that is far off, or none, keeps no
    evidence away.
    """
    identifier = slack.post(f"clock {at!r}")["meta"]["invocationId"]
    found = _event(
        slack.sent[-1]["metadata"]["event_payload"]["marker"],
        ts=f"1893456000.{abs(hash(repr(at))) % 10**6:06}7",
    )
    assert slack.sends({**found, "event_time": at}) == 200
    until(lambda: slack.entry(identifier)["status"] == "succeeded")


def _has_settled(slack: Workspace, identifier: str) -> bool:
    return bool(slack.entry(identifier)["status"] == "succeeded")


def test_a_reference_that_is_equal_by_chance_keeps_no_evidence_away(slack: Workspace) -> None:
    """Timestamps are unique in a channel: another message, which an event has told of, may have the
    same. The marker says which it is.
    """
    calls = [slack.post(f"chance {channel}") for channel in ("C1", "C2")]
    markers = [one["metadata"] for one in slack.sent[-2:]]
    for call, metadata, channel in zip(calls, markers, ("C1", "C2"), strict=True):
        event = {
            "type": "message",
            "channel": channel,
            "ts": "1893456000.000600",
            "metadata": metadata,
        }
        assert (
            slack.sends({"event_id": f"Ev{channel}Chance", "team_id": "T1", "event": event}) == 200
        )
        until(partial(_has_settled, slack, call["meta"]["invocationId"]))


def test_an_event_of_another_workspace_keeps_that_of_the_call_not_away(slack: Workspace) -> None:
    """A shared channel: both workspaces tell of the same message, the other one first."""
    identifier = slack.post("shared")["meta"]["invocationId"]
    assert slack.tells("message", "T2", ts="1893456000.000800") == 200
    assert _look(slack, identifier) == ("in_doubt", {"similar"})
    assert slack.tells("message", "T1", ts="1893456000.000800") == 200
    until(lambda: slack.entry(identifier)["status"] == "succeeded")
