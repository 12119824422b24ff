"""Handshakes of providers as data, over a server: echoes, computed answers, tokens, and what is no
handshake.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from http_stand import Client, Stand, standing
from jackfield.connector import DeclarationError, Forged, Hook, HookRequest, Inputs, Malformed
from jackfield.kernel.dataclass import replace
from jackfield_http.bindings.webhooks import webhook_of
from jackfield_http.challenges import challenge_of
from jackfield_http.request.webhooks import WebhookInputs
from jackfield_service.shell.process.settings import ServerSettings
from replies import Reply

_SECRET = "8f742231b10e8888abcd99"
_ZOOM = {
    "member": "/event",
    "equals": "endpoint.url_validation",
    "answer": "/payload/plainToken",
    "json": {"plainToken": "{challenge}", "encryptedToken": "{hmac}"},
}
_TWITCH = {
    "header": "Twitch-Eventsub-Message-Type",
    "equals": "webhook_callback_verification",
    "answer": "/challenge",
}


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server."""
    settings = ServerSettings(
        port=0, guesses=0.0, stop_within=5.0, public_url="https://hooks.example"
    )
    with standing(tmp_path_factory.mktemp("challenges"), settings) as opened:
        yield opened


def subscribe(stand: Stand, name: str, **inputs: Any) -> str:
    """Add a subscription to any webhook; return its path."""
    made = stand.client().post(
        "/v1/subscriptions", {"name": name, "trigger": "http/webhook", "inputs": inputs}
    )
    assert made.status == 201, made.body
    return str(urlsplit(made.json["url"]).path)


def told(stand: Stand, name: str) -> list[Any]:
    """The events of a subscription."""
    return [
        item["data"]["payload"]
        for item in stand.client().get("/v1/events?limit=200").json["items"]
        if item["subject"] == name
    ]


def signed(stand: Stand, path: str, body: Any, **headers: str) -> Reply:
    """Send a request that is signed as GitHub's are."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    proof = "sha256=" + hmac.digest(_SECRET.encode(), raw, "sha256").hex()
    return Client(stand.port).call("POST", path, raw, X_Hub_Signature_256=proof, **headers)


def test_graphs_token_comes_back(stand: Stand) -> None:
    """As plain text that no browser takes for a page, by POST and GET, and no event is stored; one
    that is too long is refused.
    """
    path, client = (
        subscribe(stand, "graph", signature="secretPath", challenge={"query": "validationToken"}),
        Client(stand.port),
    )
    for method in ("POST", "GET"):
        found = client.call(
            method,
            path + "?validationToken=Validation%3A%20%3Cscript%3E1",
            b"" if method == "POST" else None,
        )
        assert (found.status, found.body) == (200, b"Validation: <script>1")
        assert found.headers["content-type"].startswith("text/plain")
        assert found.headers["x-content-type-options"] == "nosniff"
    assert client.call("GET", path + "?validationToken=" + "a" * 4097).status in (400, 405)
    assert client.call("GET", path + "?validationToken=a%0Ab").status in (400, 405)
    assert told(stand, "graph") == []
    assert client.call("POST", path, b'{"a":1}').status == 200
    assert [one["body"] for one in told(stand, "graph")] == [{"a": 1}]


def test_metas_challenge_needs_its_token(stand: Stand) -> None:
    """The token that was entered at Meta must be the subscription's."""
    challenge = {"query": "hub.challenge", "verify": "hub.verify_token"}
    path = subscribe(
        stand,
        "meta",
        signature="github",
        signingSecret=_SECRET,
        challenge=challenge,
        challengeToken="t0ken",
    )
    client = Client(stand.port)
    found = client.call(
        "GET", path + "?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=t0ken"
    )
    assert (found.status, found.body) == (200, b"1158201444")
    for query in (
        "hub.challenge=1",
        "hub.challenge=1&hub.verify_token=",
        "hub.challenge=1&hub.verify_token=t0keN",
    ):
        assert client.call("GET", f"{path}?{query}").status == 401
    assert client.call("GET", path + "?hub.mode=subscribe").status == 405


def test_a_computed_answer_is_told_to_who_signs(stand: Stand) -> None:
    """Zoom's: token and HMAC in JSON, of a signed request only; a token that could be signed
    content itself gets no HMAC.
    """
    path = subscribe(stand, "zoom", signature="github", signingSecret=_SECRET, challenge=_ZOOM)
    body = {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}}
    found = signed(stand, path, body)
    proof = hmac.digest(_SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", "sha256").hex()
    assert (found.status, found.json) == (
        200,
        {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": proof},
    )
    assert found.headers["content-type"].startswith("application/json")
    assert Client(stand.port).call("POST", path, json.dumps(body).encode()).status == 401
    for token in ('{"event":"x"}', "v0:1:x", "", "a" * 201):
        assert signed(stand, path, {**body, "payload": {"plainToken": token}}).status == 400
    assert told(stand, "zoom") == []


def test_twitchs_header_says_what_is_a_handshake(stand: Stand) -> None:
    """The same body without the header field is an event."""
    path = subscribe(stand, "twitch", signature="github", signingSecret=_SECRET, challenge=_TWITCH)
    body = {"challenge": "pogchamp-kappa-360noscope-vohiyo", "subscription": {}}
    found = signed(stand, path, body, Twitch_Eventsub_Message_Type="webhook_callback_verification")
    assert (found.status, found.body, told(stand, "twitch")) == (
        200,
        b"pogchamp-kappa-360noscope-vohiyo",
        [],
    )
    assert (signed(stand, path, body).body, len(told(stand, "twitch"))) == (b"", 1)


def test_cloud_events_ask_by_options(stand: Stand) -> None:
    """The origin that is allowed comes back; another one, or none, does not."""
    path, client = (
        subscribe(
            stand, "grid", signature="secretPath", challenge={"origin": "eventgrid.azure.net"}
        ),
        Client(stand.port),
    )
    found = client.call(
        "OPTIONS", path, WebHook_Request_Origin="eventgrid.azure.net", WebHook_Request_Rate="120"
    )
    assert (found.status, found.headers["webhook-allowed-origin"]) == (200, "eventgrid.azure.net")
    # a sender that asks for a rate must get one (CloudEvents, Web Hooks §4.2)
    assert found.headers["webhook-allowed-rate"] == "*"
    refused = client.call("OPTIONS", path, WebHook_Request_Origin="evil.example")
    assert (refused.status, "webhook-allowed-origin" in refused.headers) == (401, False)
    assert client.call("OPTIONS", path).status == 401


def test_what_declares_no_handshake_takes_post_only(stand: Stand) -> None:
    """405 for a known path, 404 for an unknown one; Xero's wrong signature is 401, its right one
    200.
    """
    path, client = (
        subscribe(stand, "xero", signature="xero", signingSecret=_SECRET),
        Client(stand.port),
    )
    assert [client.call(method, path).status for method in ("GET", "OPTIONS")] == [405, 405]
    assert [client.call(method, "/hooks/unknown-0000").status for method in ("GET", "OPTIONS")] == [
        404,
        404,
    ]
    raw = b'{"events":[],"firstEventSequence":0,"lastEventSequence":0,"entropy":"S0m3r4Nd0mt3xt"}'
    proof = b64encode(hmac.digest(_SECRET.encode(), raw, "sha256")).decode()
    statuses = [
        client.call("POST", path, raw, X_Xero_Signature=one).status
        for one in (proof, proof[::-1], "")
    ]
    assert statuses == [200, 401, 401]


@pytest.mark.parametrize(
    ("body", "kind", "text"),
    [
        (b'\xef\xbb\xbf{"a":1}', "application/json", None),
        (b'{"a":NaN}', "application/json", '{"a":NaN}'),
        (b'{"a":1,"a":2}', "application/json", '{"a":1,"a":2}'),
        ("né".encode("latin-1"), "text/plain; charset=iso-8859-1", "né"),
        (b'{"a":1e400}', "application/json", '{"a":1e400}'),
        (b"[" + b"1" * 250 + b"e99]", "application/json", "[" + "1" * 250 + "e99]"),
        (b"not json", "application/json", "not json"),
        (b"", "application/json", ""),
    ],
)
def test_a_signed_body_is_never_lost(
    stand: Stand, body: bytes, kind: str, text: str | None
) -> None:
    """What cannot be read as JSON is stored as text: refused, it would come again until the
    provider gives up.
    """
    name = f"kept-{body.hex()[:30]}"
    path = subscribe(stand, name, signature="github", signingSecret=_SECRET)
    assert signed(stand, path, body, Content_Type=kind).status == 200
    assert told(stand, name) == ([{"body": {"a": 1}}] if text is None else [{"text": text}])


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"query": ""},
        {"query": "a", "member": "/a"},
        {"member": "/a", "equals": "b"},
        {"header": "a", "answer": "/b"},
        {"origin": ""},
        {"query": "a", "word": "b"},
        {"origin": "*", "verify": "b"},
    ],
)
def test_what_is_no_handshake_is_refused(row: dict[str, Any]) -> None:
    """Where a subscription is added or a connector is loaded, not with the first request."""
    with pytest.raises(DeclarationError):
        challenge_of(row)


def test_a_bound_connector_answers_its_handshake() -> None:
    """An overlay's ``challenge`` may be in the query, too, and is answered before the signature is
    asked for.
    """
    row = {
        "key": "changed",
        "title": "Changed",
        "description": "Something has changed.",
        "webhook": {"signature": {"scheme": "github"}},
        "http": {
            "challenge": {
                "query": "crc_token",
                "json": {"response_token": "sha256={hmac}"},
                "encoding": "base64",
            }
        },
    }
    found, hook = webhook_of(row, Inputs), Hook("https://h/hooks/p", _SECRET, None)
    answer = found.read(HookRequest(b"", {}, 0.0, {"crc_token": "MTQ3YTkz"}, "GET"), hook)
    proof = b64encode(hmac.digest(_SECRET.encode(), b"MTQ3YTkz", "sha256")).decode()
    assert (json.loads(answer.answer), answer.events) == ({"response_token": f"sha256={proof}"}, ())
    with pytest.raises(Malformed):
        found.read(HookRequest(b"", {}, 0.0, {}, "GET"), hook)


def test_a_secret_is_learnt_only_where_none_is_known() -> None:
    """By a declared trigger, from the first request, and from no other; nothing else of an unsigned
    request is kept.
    """
    row = {
        "key": "told",
        "title": "Told",
        "description": "Told.",
        "webhook": {"signature": {"scheme": "hmac", "header": "x-sig"}},
        "http": {"challenge": {"secret": "X-Hook-Secret"}},
    }
    found, hook = webhook_of(row, Inputs), Hook("https://hooks.example/p", "own", None)
    first = HookRequest(b"{}", {"x-hook-secret": "s" * 16}, 0.0)
    answer = found.read(first, hook)
    assert (answer.remote, answer.headers, answer.events) == (
        {"secret": "s" * 16},
        {"X-Hook-Secret": "s" * 16},
        (),
    )
    with pytest.raises(Forged):
        found.read(first, replace(hook, remote={"secret": "known-already-4711"}))
    for text in ("", "short", "s" * 201, "with a blank in it", "ä" * 20):
        with pytest.raises(Malformed):
            found.read(HookRequest(b"{}", {"x-hook-secret": text}, 0.0), hook)
    found.learns = False
    assert found.read(first, hook).remote == {}
    with pytest.raises(ValueError, match="learnt"):
        WebhookInputs.model_validate(
            {"signature": "github", "challenge": {"secret": "x-hook-secret"}}
        )


def test_a_head_request_is_answered_where_that_is_declared(stand: Stand) -> None:
    """Intercom checks a URL so; elsewhere there is nothing at that method."""
    path = subscribe(
        stand, "headed", signature="github", signingSecret=_SECRET, challenge={"head": True}
    )
    assert Client(stand.port).call("HEAD", path).status == 200
    row = {
        "key": "told",
        "title": "Told",
        "description": "Told.",
        "webhook": {"signature": {"scheme": "github"}},
    }
    with pytest.raises(Malformed):
        webhook_of(row, Inputs).read(
            HookRequest(b"", {}, 0.0, {}, "HEAD"), Hook("https://hooks.example/p", "own", None)
        )
