"""Webhooks: registered by a worker, verified on raw bytes before anything is read, on the disk
before they are acknowledged.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from unittest import mock
from urllib.parse import urlsplit

import pytest
import standardwebhooks
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage, signed

from clocks import StillClock
from http_stand import Client, Stand, standing
from jackfield.callers import Caller, Rules
from jackfield.connector import (
    DeclarationError,
    Forged,
    Hook,
    HookRequest,
    Inputs,
    Output,
    scheme_of,
)
from jackfield.connector.signatures import NAMED, row_of
from jackfield.connector.triggers import Triggers
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import Unavailable
from jackfield.kernel.rate_limiter import RateLimiter
from jackfield.testing import Provider
from jackfield_http.bindings.webhooks import webhook_of
from jackfield_market.testing.registrations import RegistrationProvider
from jackfield_service.shell.process.settings import ServerSettings
from jackfield_service.subjects.triggers import intake
from jackfield_service.subjects.triggers.http.hooks import intake_of
from jackfield_service.subjects.triggers.subscription import Subscription
from jackfield_service.subjects.triggers.table import SubscriptionTable, by_path
from jackfield_service.subjects.triggers.webhook_samples import replay
from jackfield_store.access import Tokens, WorkspaceAccess
from replies import Reply
from shell import Shell
from waiting import until

pytest_plugins = ["shell_fixture", "operating"]
_GITHUB = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
_SLACK = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
_SLACK_BODY = (
    b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA"
    b"&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554"
    b"%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
)

_HALL = {"name": "hall", "type": "echo/token", "values": {"token": "s3cret-token"}}
_NOTE = {"notes": [{"id": "n-1", "text": "hello"}]}


def test_a_worker_registers_and_removes_the_webhook(stage: TriggerStage) -> None:
    """``pending`` until a worker has registered the URL; paused at once, and removed at the
    provider afterwards; the URL stays the same.
    """
    from jackfield_echo.watching import REGISTERED

    made = stage.add()
    assert (
        made["status"],
        made["url"].startswith("https://jackfield.example/hooks/"),
        REGISTERED,
    ) == ("pending", True, {})
    stage.look()
    assert (stage.all().show("one")["status"], list(REGISTERED)) == ("active", [made["url"]])
    stage.all().disable("one")
    stage.move(1)
    stage.look(1)
    assert (stage.all().show("one")["status"], REGISTERED) == ("paused", {})
    stage.all().enable("one")
    stage.look()
    assert list(REGISTERED) == [made["url"]]
    stage.all().remove("one")
    assert stage.all().page(None, 10) == ([], None)
    stage.look()
    assert REGISTERED == {}


def test_registering_is_tried_again_and_a_process_that_stops_removes_nothing(
    stage: TriggerStage,
) -> None:
    """The provider is down twice."""
    from jackfield_echo.watching import REGISTERED

    stage.add(inputs={"fault": {"kind": "refusedConnection", "tries": 2, "name": "enable"}})
    for _ in range(3):
        stage.look()
        stage.move(60)
    assert (stage.all().show("one")["status"], len(REGISTERED)) == ("active", 1)
    for pool in stage.pools:
        pool.close()
    assert len(REGISTERED) == 1


def test_a_subscription_ends_although_its_connection_is_gone(stage: TriggerStage) -> None:
    """Nobody can ask the provider any more: it is removed here."""
    stage.add()
    stage.look()
    stage.runtime.connections.remove("hall")
    stage.all().remove("one")
    stage.look()
    assert stage.all().page(None, 10) == ([], None)
    stage.add_connection()
    assert stage.add()["status"] == "pending"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a connection."""
    settings = ServerSettings(
        port=0, guesses=0.0, stop_within=5.0, public_url="https://hooks.example"
    )
    with standing(tmp_path_factory.mktemp("hooks"), settings) as opened:
        assert opened.client().call("POST", "/v1/connections?test=false", _HALL).status == 201
        yield opened


class Sender:
    """The other side of one subscription."""

    def __init__(
        self, stand: Stand, name: str, client: Client | None = None, **members: Any
    ) -> None:
        self.stand = stand
        self.client = client or stand.client()
        self.name = name
        made = self.client.post(
            "/v1/subscriptions",
            {"name": name, "trigger": "echo/posted", "connection": "hall", **members},
        )
        assert (made.status, made.headers["location"]) == (201, f"/v1/subscriptions/{name}")
        self.path = urlsplit(made.json["url"]).path
        from jackfield_echo.watching import REGISTERED

        url = made.json["url"]
        # so that all of its registration is stored
        until(lambda: self.client.get(f"/v1/subscriptions/{name}").json["status"] == "active")
        self.secret = REGISTERED[url]

    def send(
        self,
        body: Any,
        *,
        secret: str | None = None,
        at: float | None = None,
        path: str | None = None,
        **headers: str,
    ) -> Reply:
        """Send a signed request."""
        now = self.stand.host.clock.time() if at is None else at
        raw, own = signed(secret or self.secret, now, body)
        return Client(self.stand.port).call("POST", path or self.path, raw, **{**own, **headers})

    def told(self) -> list[str]:
        """The notes of all events of this subscription."""
        items = self.client.get("/v1/events?types=echo.*&limit=200").json["items"]
        return [item["data"]["payload"]["id"] for item in items if item["subject"] == self.name]


def test_a_signed_request_is_an_event(stand: Stand) -> None:
    """It is in the feed once the provider has its 200; a duplicate gets 200, too, and is no second
    event; types differ.
    """
    sender = Sender(stand, "first")
    assert [sender.send(_NOTE).status for _ in range(2)] == [200, 200]
    assert sender.told() == ["n-1"]
    assert sender.send({**_NOTE, "type": "withdrawn"}).status == 200
    (posted, withdrawn) = sender.client.get("/v1/events?types=echo.posted,echo.withdrawn").json[
        "items"
    ]
    assert (posted["type"], withdrawn["type"], posted["data"]["trigger"]) == (
        "echo.posted",
        "echo.withdrawn",
        "posted",
    )
    assert sender.send({"challenge": "abc"}).body == b"abc"


def test_the_same_request_fifty_times_at_once_is_one_event(stand: Stand) -> None:
    """All get 200."""
    sender = Sender(stand, "crowd")
    with ThreadPoolExecutor(16) as threads:
        statuses = list(threads.map(lambda _: sender.send(_NOTE).status, range(50)))
    assert set(statuses) == {200}
    assert sender.told() == ["n-1"]


def test_what_the_provider_has_not_signed_is_refused(
    stand: Stand, caplog: pytest.LogCaptureFixture
) -> None:
    """Another secret, a changed byte, missing and doubled headers, old and future times, another
    subscription's request: 401, no event, and neither path nor secret in the log.
    """
    caplog.set_level(logging.DEBUG)
    sender, other = Sender(stand, "strict"), Sender(stand, "other")
    now = stand.host.clock.time()
    raw, own = signed(sender.secret, now, _NOTE)
    flipped = bytes([raw[0] ^ 1]) + raw[1:]
    client = Client(stand.port)
    replies = [
        sender.send(_NOTE, secret="guess"),
        sender.send(_NOTE, at=now - 301),
        sender.send(_NOTE, at=now + 900),
        sender.send(_NOTE, path=other.path),
        client.call("POST", sender.path, flipped, **own),
        client.call("POST", sender.path, raw),
        client.call("POST", sender.path, raw, **{**own, "Echo_Signature": ""}),
        client.call("POST", sender.path, raw, **{**own, "Echo_Signature": "ä" * 3000}),
        client.call("POST", sender.path, raw, **{**own, "Echo_Time": "+1"}),
    ]
    assert {reply.status for reply in replies} <= {400, 401}
    assert sum(reply.status == 401 for reply in replies) >= 7
    assert (sender.told(), other.told()) == ([], [])
    said = [record.getMessage() for record in caplog.records if record.name.startswith("jackfield")]
    assert not any(text in line for line in said for text in (sender.path, sender.secret, "hello"))


def test_what_cannot_be_read_or_is_nowhere_is_refused(stand: Stand) -> None:
    """Malformed 400, too large 413, compressed 415, unknown 404; disabled 410 at once; a method
    that is none 405.
    """
    sender = Sender(stand, "odd")
    found = [
        sender.send(b"[1").status,
        sender.send(b"[" * 5000).status,
        sender.send({"notes": [{"id": 1}]}).status,
        sender.send(b"x" * 70_000).status,
        sender.send(_NOTE, Content_Encoding="gzip").status,
        sender.send(_NOTE, path="/hooks/" + "A" * 43).status,
        Client(stand.port).get(sender.path).status,
    ]
    assert found == [400, 400, 400, 413, 415, 404, 405]
    assert sender.client.post("/v1/subscriptions/odd:disable").status == 200
    assert sender.send(_NOTE).status == 410
    assert sender.client.call("DELETE", "/v1/subscriptions/odd").status == 204
    assert sender.send(_NOTE).status in (404, 410)
    assert sender.told() == []


def test_a_request_is_stored_under_the_content_that_verified_it(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The webhook gets another secret, as with another account, after the verifier has passed a
    request of the former account: it is judged once more, and refused.
    """
    sender = Sender(stand, "moved")
    storage, read = stand.host.storage, intake.Intake._read
    table = SubscriptionTable(storage.database, storage.vault, "default", stand.host.clock)

    def reading(*given: Any) -> Any:
        outcome = read(*given)
        found = table.find("moved")
        values = {
            "id": found.id,
            "sealed": replace(found.opened(storage.vault), secret="another").sealed(
                storage.vault, found
            ),
        }
        storage.database.record(
            lambda one: one.change(
                "UPDATE subscriptions SET sealed = :sealed WHERE id = :id", values
            )
        )
        return outcome

    monkeypatch.setattr(intake.Intake, "_read", reading)
    assert (sender.send(_NOTE).status, sender.told()) == (401, [])
    monkeypatch.undo()
    assert (sender.send(_NOTE, secret="another").status, sender.told()) == (200, ["n-1"])


def test_a_subscription_is_opened_once_for_its_requests(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content is decrypted, and its inputs are judged, when they have changed; who added it is
    looked up once for a request.
    """
    sender = Sender(stand, "eager", inputs={"word": "fire"})
    assert sender.send(_NOTE).status == 200
    seen: Counter[str] = Counter()

    def count(owner: Any, name: str) -> None:
        real = getattr(owner, name)
        monkeypatch.setattr(
            owner, name, lambda *given, **named: (seen.update([name]), real(*given, **named))[1]
        )

    count(intake, "check_inputs")
    count(Subscription, "opened")
    count(WorkspaceAccess, "queued_by")
    assert [
        sender.send({"notes": [{"id": f"n-{number}", "text": "fire"}]}).status
        for number in range(4)
    ] == [200] * 4
    assert (seen["check_inputs"], seen["opened"], seen["queued_by"]) == (0, 0, 4)


def test_a_revoked_token_ends_its_webhooks(stand: Stand) -> None:
    """What the provider still sends is no event and gets 410, and it is told; the subscription says
    why, and so does an event, once.
    """
    from jackfield_echo.watching import REGISTERED

    storage = stand.host.storage
    tokens = Tokens(storage.database, storage.vault, "default", stand.host.clock)
    made = tokens.create("manage", "watcher")
    sender = Sender(stand, "left", Client(stand.port, made.text))
    assert sender.send(_NOTE).status == 200
    tokens.revoke(made.token.id)
    assert sender.send(_NOTE, secret="guess").status == 401
    assert [
        sender.send({"notes": [{"id": f"n-{number}", "text": "late"}]}).status for number in (2, 3)
    ] == [410, 410]
    until(lambda: not any(url.endswith(sender.path) for url in REGISTERED))
    sender.client = stand.client()
    shown = sender.client.get("/v1/subscriptions/left").json
    assert (shown["status"], "revoked" in shown["reason"], sender.told()) == (
        "failing",
        True,
        ["n-1"],
    )
    said = [
        item["subject"]
        for item in sender.client.get("/v1/events?types=subscription.failing").json["items"]
    ]
    assert said.count("left") == 1


@pytest.mark.parametrize("faults", [0, 2])
def test_the_webhook_of_a_revoked_token_is_removed_at_its_provider(
    stage: TriggerStage, faults: int
) -> None:
    """With the rights that it was added with, again if the provider is down, and once: removing the
    subscription asks it no more.
    """
    from jackfield_echo import watching

    storage = stage.runtime.storage
    tokens = Tokens(storage.database, storage.vault, "default", stage.clock)
    made = tokens.create("manage", "watcher")
    caller = Caller("watcher", "manage", remote=True, token=made.token.id)
    stage.all(caller).add({"name": "one", "trigger": "echo/kept", "connection": "hall"})
    stage.look()
    assert (stage.all().show("one")["status"], len(watching.REGISTERED)) == ("active", 1)
    tokens.revoke(made.token.id)
    asked: list[str] = []

    def disable(hook: Hook, _client: object) -> None:
        asked.append(hook.url)
        if len(asked) <= faults:
            raise Unavailable("the other side is down")
        watching.REGISTERED.pop(hook.url)

    with mock.patch.object(watching.kept, "disabled", disable):
        for _ in range(4):
            stage.move(3600)
            stage.look()
        shown = stage.all().show("one")
        assert (shown["status"], "revoked" in shown["reason"], watching.REGISTERED, len(asked)) == (
            "failing",
            True,
            {},
            faults + 1,
        )
        assert len(stage.events("subscription.failing")) == 1
        stage.all().remove("one")
        stage.look()
    assert (stage.all().page(None, 10), len(asked)) == (([], None), faults + 1)


def test_a_provider_that_stays_down_is_asked_less_and_less_to_remove_a_webhook(
    stage: TriggerStage,
) -> None:
    """Its token was revoked: the subscription says that, whatever the provider does, and the pauses
    grow to an hour.
    """
    from jackfield_echo import watching

    tokens = Tokens(
        stage.runtime.storage.database, stage.runtime.storage.vault, "default", stage.clock
    )
    made = tokens.create("manage", "watcher")
    caller = Caller("watcher", "manage", remote=True, token=made.token.id)
    stage.all(caller).add({"name": "one", "trigger": "echo/kept", "connection": "hall"})
    stage.look()
    tokens.revoke(made.token.id)
    down = mock.Mock(side_effect=Unavailable("the other side is down"))
    with mock.patch.object(watching.kept, "disabled", down):
        for _ in range(180):
            stage.move(60)
            stage.look()
    shown = stage.all().show("one")
    assert (8 <= down.call_count <= 14, shown["status"], "revoked" in shown["reason"]) == (
        True,
        "failing",
        True,
    )
    assert len(stage.events("subscription.failing")) == 1


def test_a_path_has_a_rate_of_its_own(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond it, 429 says when to come again. Forged requests use up a smaller one of their
    address, and shut out nobody who signs.
    """
    sender, other = Sender(stand, "busy"), Sender(stand, "calm")
    monkeypatch.setattr(intake_of(stand.host), "rates", RateLimiter(1.0, StillClock()))
    assert [sender.send({"notes": []}).status for _ in range(2)] == [200, 429]
    assert sender.send({"notes": []}).headers["retry-after"] == "1"
    monkeypatch.setattr(intake_of(stand.host), "forged", RateLimiter(1.0, StillClock()))
    assert [other.send(_NOTE, secret="guess").status for _ in range(4)] == [401, 429, 429, 429]
    assert other.send(_NOTE).status == 200


def test_only_some_notes_are_events(stand: Stand) -> None:
    """The subscription's inputs narrow what it watches."""
    sender = Sender(stand, "few", inputs={"word": "fire"})
    notes = [{"id": "n-1", "text": "tea"}, {"id": "n-2", "text": "fire!"}]
    assert sender.send({"notes": notes}).status == 200
    assert sender.told() == ["n-2"]


def test_a_token_with_rules_sees_what_it_may_read(stand: Stand) -> None:
    """Neither the subscriptions nor the events of a trigger that its rules block, and it adds
    none.
    """
    sender = Sender(stand, "hidden")
    assert sender.send(_NOTE).status == 200
    bound = stand.client(rules=Rules(block=("echo/posted",)))
    assert all(
        item["name"] != "hidden" for item in bound.get("/v1/subscriptions?limit=200").json["items"]
    )
    assert [
        item
        for item in bound.get("/v1/events?types=echo.*").json["items"]
        if item["subject"] == "hidden"
    ] == []
    assert bound.get("/v1/subscriptions/hidden").status == 404
    refused = bound.post(
        "/v1/subscriptions", {"name": "mine", "trigger": "echo/posted", "connection": "hall"}
    )
    assert refused.status in (403, 404)


def test_samples_are_replayed_beside_a_server(stand: Stand) -> None:
    """As ``jackfield dev`` does it: a path for each webhook, and its sample, signed as the provider
    would, is an event.
    """
    said: list[str] = []
    replay(stand.host.runtime("default"), "echo", stand.port, said.append)
    assert f"webhook posted: http://127.0.0.1:{stand.port}/hooks/" in said[0]
    assert said[1] == "  its sample 'A note' was answered with 200; it has 1 event"
    items = stand.client().get("/v1/events?types=echo.*&limit=200").json["items"]
    assert [item["data"]["payload"] for item in items if item["subject"] == "dev-posted"] == [
        {"id": "n-1", "text": "hello"}
    ]


_ISSUE = {
    "action": "opened",
    "issue": {"number": 7},
    "repository": {"full_name": "octocat/Hello-World"},
}
_PAID = {
    "id": "evt_1",
    "type": "invoice.paid",
    "created": 1893456000,
    "data": {"object": {"id": "in_1"}},
}
_SAID = {
    "type": "event_callback",
    "event_id": "Ev1",
    "event_time": 1893456000,
    "event": {"type": "message", "text": "Hello"},
}
_SIGNING = "8f742231b10e8888abcd99"
_CURATED: tuple[tuple[str, str, dict[str, Any], dict[str, Any], dict[str, str], str], ...] = (
    (
        "github/repositoryEvents",
        "accessToken",
        {"owner": "octocat", "repo": "Hello-World", "events": ["issues"]},
        _ISSUE,
        {"X-GitHub-Event": "issues"},
        "github.issues",
    ),
    (
        "stripe/accountEvents",
        "secretKey",
        {"events": ["invoice.paid"]},
        _PAID,
        {},
        "stripe.invoice_paid",
    ),
    ("slack/workspaceEvents", "", {"signingSecret": _SIGNING}, _SAID, {}, "slack.message"),
    (
        "http/webhook",
        "",
        {"signature": "token", "header": "X-Token", "signingSecret": _SIGNING},
        {"a": 1},
        {},
        "http.received",
    ),
)


def _is_active(client: Client, name: str) -> bool:
    return bool(client.get(f"/v1/subscriptions/{name}").json["status"] == "active")


def _is_ready(client: Client, name: str) -> bool:
    """Whether it is active, or waits for a provider to which a person gives the URL."""
    shown = client.get(f"/v1/subscriptions/{name}").json
    return shown["status"] == "active" or "the provider has sent nothing yet" in shown.get(
        "reason", ""
    )


def test_providers_webhooks_are_registered_received_and_removed(stand: Stand) -> None:
    """GitHub and Stripe are asked to send; each one's signature is its own; what it signs becomes
    an event of its type, once; a pause removes the registration. Webhooks that a person registers
    are pending until their provider has sent something.
    """
    client, registry = stand.client(), RegistrationProvider("/data")
    registry.list_of = {"/repos/octocat/Hello-World/hooks": ""}
    with Provider(registry) as provider:
        for trigger, connection, inputs, body, headers, kind in _CURATED:
            key, _, name = trigger.partition("/")
            if connection:
                values = {"token": "t-4711-4711", "server": provider.url}
                there = {"name": key, "type": f"{key}/{connection}", "values": values}
                assert client.call("POST", "/v1/connections?test=false", there).status == 201
            document = {
                "name": f"of-{key}",
                "trigger": trigger,
                "inputs": inputs,
                **({"connection": key} if connection else {}),
            }
            url = client.post("/v1/subscriptions", document).json["url"]
            until(partial(_is_ready, client, f"of-{key}"))
            assert _is_active(client, f"of-{key}") == bool(connection), (
                "active once the provider was seen"
            )
            assert bool(connection) == any(url in json.dumps(one) for one in registry.kept.values())
            found = by_path(stand.host.storage.database, url.rpartition("/")[2])
            assert found is not None
            content, declared = (
                found.opened(stand.host.storage.vault),
                stand.host.catalog.load(key).triggers[name],
            )
            hook = Hook(url, content.secret, declared.inputs.model_validate(inputs), content.remote)
            raw, path = json.dumps(body).encode(), urlsplit(url).path
            signed_ = {**headers, **declared.signs(raw, hook, stand.host.clock.time())}
            sent = {header.replace("-", "_"): value for header, value in signed_.items()}
            statuses = [
                Client(stand.port).call("POST", path, content, **sent).status
                for content in (raw, raw, raw + b" ")
            ]
            assert _is_active(client, f"of-{key}")
            is_token = key == "http"  # which signs no body
            assert statuses == [200, 200, 200 if is_token else 401], trigger
            items = [
                item
                for item in client.get("/v1/events?limit=200").json["items"]
                if item["subject"] == f"of-{key}"
            ]
            assert [item["type"] for item in items] == [kind] * (2 if is_token else 1)
            assert client.post(f"/v1/subscriptions/of-{key}:disable").status == 200
        until(lambda: not registry.kept)
    handshake = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    assert client.post("/v1/subscriptions/of-slack:enable").status == 200
    signed_ = NAMED["slack"].sign(handshake, Hook("", _SIGNING, None), stand.host.clock.time())
    path = urlsplit(client.get("/v1/subscriptions/of-slack").json["url"]).path
    assert (
        Client(stand.port)
        .call(
            "POST",
            path,
            handshake,
            **{name.replace("-", "_"): value for name, value in signed_.items()},
        )
        .body
        == b"abc"
    )
    until(partial(_is_active, client, "of-slack"))  # a handshake is contact, too


def test_signatures_fit_what_providers_publish() -> None:
    """GitHub's and Slack's own examples; Standard Webhooks against the library; several signatures
    while a secret is rotated; settings that are none are refused.
    """
    NAMED["github"](
        HookRequest(b"Hello, World!", {"x-hub-signature-256": _GITHUB}, 0),
        Hook("", "It's a Secret to Everybody", None),
    )
    slack = HookRequest(
        _SLACK_BODY,
        {"x-slack-signature": _SLACK, "x-slack-request-timestamp": "1531420618"},
        1531420900,
    )
    NAMED["slack"](slack, Hook("", "8f742231b10e8888abcd99yyyzzz85a5", None))
    with pytest.raises(Forged):
        NAMED["slack"](
            replace(slack, at=1531420618 + 301), Hook("", "8f742231b10e8888abcd99yyyzzz85a5", None)
        )
    standard, now = NAMED["standardWebhooks"], time.time()
    headers = standard.sign(b"{}", Hook("", "a secret of ours", None), now)
    standardwebhooks.Webhook(standard.shown("a secret of ours")).verify(b"{}", headers)
    stripe = NAMED["stripe"]
    old, new = (
        stripe.sign(b"{}", Hook("", secret, None), now)["stripe-signature"]
        for secret in ("old", "new")
    )
    both = {"stripe-signature": f"{old},{new.partition(',')[2]},v0=abc"}
    for secret in ("old", "new"):
        stripe(HookRequest(b"{}", both, now), Hook("", secret, None))
    twice = {"stripe-signature": f"t={int(now) - 900},{new}"}
    with pytest.raises(Forged):
        stripe(HookRequest(b"{}", twice, now), Hook("", "new", None))
    assert [row_of(scheme_of({"scheme": name})) for name in NAMED] == [
        {"scheme": name} for name in NAMED
    ]
    own = {
        "scheme": "hmac",
        "header": "x-signed",
        "signed": "{id}.{body}",
        "id": "x-id",
        "encoding": "base64",
        "digest": "sha512",
    }
    assert row_of(scheme_of(own)) == own
    for row in (
        {},
        {"scheme": "none"},
        {"scheme": "github", "header": "x"},
        {"scheme": "hmac"},
        {"scheme": "hmac", "header": 1},
        {"scheme": "hmac", "header": "x", "signed": "{time}"},
        {"scheme": "token", "header": "x", "digest": "sha256"},
        {"scheme": "hmac", "header": "x", "digest": "md5"},
    ):
        with pytest.raises(DeclarationError):
            scheme_of(row)
    with pytest.raises(DeclarationError, match="anybody can forge"):
        webhook_of(
            {"key": "open", "title": "Open", "description": "Open.", "kind": "webhook"}, Inputs
        )
    with pytest.raises(DeclarationError, match="anybody can forge"):
        Triggers({}).webhook("open", verify=None, event=Output)  # type: ignore[arg-type]


def test_samples_are_shown(stand: Stand) -> None:
    """A test of a subscription moves nothing."""
    sender = Sender(stand, "sampled")
    samples = sender.client.post("/v1/subscriptions/sampled:test").json["items"]
    assert samples[0]["events"] == [{"id": "n-1", "text": "hello"}]
    assert sender.told() == []


def test_the_command_line_adds_pauses_and_removes(
    operator: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``triggers list`` names all triggers and ``show`` has their schemas; ``subscriptions add``
    prints name, status and URL.
    """
    monkeypatch.setenv("JACKFIELD_PUBLIC_URL", "https://hooks.example")
    assert {row["trigger"]: row["kind"] for row in operator.run("triggers", "list").json} == {
        "echo/posted": "webhook",
        "echo/kept": "webhook",
        "echo/notes": "poll",
        "echo/board": "poll",
    }
    shown = operator.run("triggers", "show", "echo/posted").json
    assert (shown["trigger"], shown["kind"], shown["event"]["type"]) == (
        "echo/posted",
        "webhook",
        "object",
    )
    assert (
        operator.run("triggers", "show", "echo/postd")
        .json["error"]["message"]
        .endswith("did you mean 'posted'?")
    )
    given = {"stdin": json.dumps({"token": "s3cret"})}
    assert (
        operator.run(
            "connections",
            "add",
            "room",
            "--type",
            "echo/token",
            "--values",
            "-",
            "--no-test",
            **given,
        ).code
        == 0
    )
    made = operator.run(
        "subscriptions", "add", "one", "--trigger", "echo/posted", "--connection", "room"
    ).json
    assert (
        made["name"],
        made["status"],
        made["url"].startswith("https://hooks.example/hooks/"),
    ) == ("one", "pending", True)
    polled = operator.run(
        "subscriptions",
        "add",
        "two",
        "--trigger",
        "echo/notes",
        "--connection",
        "room",
        "--every",
        "2m",
        "--from",
        "1d",
    ).json
    assert polled["every"] == 120
    assert [row["name"] for row in operator.run("subscriptions", "list").json] == ["one", "two"]
    assert operator.run("subscriptions", "pause", "two").json["status"] == "paused"
    assert operator.run("subscriptions", "resume", "two").json["status"] == "pending"
    assert operator.run("subscriptions", "reset", "two", "--from", "2d").json["checkpoint"] == {}
    assert operator.run("subscriptions", "test", "one").json["items"][0]["title"] == "A note"
    assert operator.run("subscriptions", "remove", "one").json == {"name": "one", "removed": True}
    assert operator.run("subscriptions", "show", "one").code == 2


def test_a_webhook_is_taken_while_the_queue_has_no_room(stand: Stand) -> None:
    """What a provider sends is accepted: what it starts is queued, counts, and is refused for no
    limit. A direct request is.
    """
    stand.workspaces.create("full", {"limits": {"queued": 0}})
    client = stand.client(workspace="full")
    assert client.post("/v1/connections?test=false", _HALL).status == 201
    call = {
        "connector": "echo",
        "action": "post",
        "connection": "hall",
        "inputs": {"text": {"$event": "/data/payload/text"}},
    }
    sender = Sender(stand, "full", client, then=call)
    assert (
        sender.send(
            {"notes": [{"id": f"n-{number}", "text": "hello"} for number in range(3)]}
        ).status
        == 200
    )

    def ended() -> list[str]:
        return [entry["status"] for entry in client.get("/v1/invocations").json["items"]]

    until(lambda: ended() == ["succeeded"] * 3)
    assert client.get("/v1/events?types=subscription.refused").json["items"] == []
    refused = client.post(
        "/v1/invocations", {**call, "inputs": {"text": "x"}}, Prefer="respond-async"
    )
    assert (refused.status, refused.json["limit"]) == (429, "queued")
