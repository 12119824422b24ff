"""Signed events of providers settle the doubt about a message whose answer was lost; what is forged
or of another account does not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from http_stand import Client, standing
from jackfield.testing import Answer, Provider, Request
from jackfield_service.shell.process.settings import ServerSettings
from plugboard import plugged
from shelved import manifest_of, shelve
from waiting import until

_TOKEN = "auth-token-of-the-account"
_PUBLIC = "https://hooks.example"
_OTHER = "auth-token-of-another-account"
_SETTINGS = ServerSettings(port=0, guesses=0.0, stop_within=5.0, public_url=_PUBLIC)


@dataclass(frozen=True)
class Sender:
    """How a provider tells of a message: ``event`` makes its body of the request that it got,
    ``signed`` the header fields.
    """

    key: str
    kind: str
    values: Mapping[str, str]
    action: str
    inputs: Callable[[str], dict[str, Any]]
    trigger: str
    secret: str
    probe: Mapping[str, Any]
    event: Callable[..., tuple[str, bytes]]
    signed: Callable[[str, bytes, str], dict[str, str]]
    entered: Callable[[str], str] = lambda secret: secret
    """What a subscription takes to verify what is signed with the secret."""
    strange: tuple[tuple[Mapping[str, Any], str], ...] = ()
    """Signed events that prove nothing, and what a look says of each."""
    foreign: Callable[[str, str], dict[str, Any]] = lambda _hook, _marker: {}
    """Inputs with the marker of another call, at the address of a subscription."""

    def other(self) -> dict[str, Any]:
        """Return what the provider answers of another account."""
        found: dict[str, Any] = json.loads(
            json.dumps(dict(self.probe))
            .replace("4711", "9999")
            .replace("d-1", "d-9")
            .replace("ada@", "bob@")
        )
        return found


@dataclass
class Company:
    """A provider that takes messages and hangs up, and a server that sends them."""

    client: Client
    sender: Sender
    provider: Provider | None = None
    sent: list[Request] = field(default_factory=list)
    hook: str = ""
    other: str = ""
    """Path of a subscription over a connection of another account."""
    is_quick: bool = False
    """True if the provider tells of a message before the call has ended."""

    def __call__(self, _number: int, request: Request) -> Any:
        """Take a message without an answer; answer anything else by the account."""
        if request.method == "POST":
            self.sent.append(request)
            if self.is_quick:
                assert self.tells() == 200
            return "close"
        return Answer(dict(self.sender.probe))

    def post(self, name: str = "acme", **inputs: Any) -> str:
        """Send a message whose answer is lost; return the call's ID."""
        about = {"connector": self.sender.key, "action": self.sender.action, "connection": name}
        given = {**self.sender.inputs(_PUBLIC + self.hook), **inputs}
        found: dict[str, Any] = self.client.post("/v1/invocations", {**about, "inputs": given}).json
        assert found["status"] == "in_doubt", found
        return str(found["meta"]["invocationId"])

    def tells(self, *, secret: str = "", number: int = -1, hook: str = "", **about: Any) -> int:
        """Tell of a message, of the last one at first; return the status of the answer."""
        query, body = self.sender.event(self.sent[number], **about)
        path = (hook or self.hook) + (f"?{query}" if query else "")
        headers = self.sender.signed(_PUBLIC + path, body, secret or self.sender.secret)
        return int(
            Client(self.client.port)
            .call(
                "POST",
                path,
                body,
                **{name.replace("-", "_"): text for name, text in headers.items()},
            )
            .status
        )

    def entry(self, identifier: str) -> dict[str, Any]:
        """Return the entry of a call."""
        found: dict[str, Any] = self.client.get(f"/v1/invocations/{identifier}").json
        return found

    def looked(self, identifier: str) -> dict[str, Any]:
        """Look for what became of a call, now."""
        found: dict[str, Any] = self.client.post(f"/v1/invocations/{identifier}/look").json
        return found


def _callback(
    request: Request,
    status: str = "sent",
    account: str = "AC4711",
    query: str | None = None,
    message: str | None = None,
) -> tuple[str, bytes]:
    asked = dict(parse_qsl(request.body.decode()))
    made = f"SM{hashlib.sha256(request.body + account.encode()).hexdigest()[:32]}"
    sid = made if message is None else message
    form = {
        **({"MessageSid": sid} if sid else {}),
        "SmsSid": made,
        "MessageStatus": status,
        "SmsStatus": status,
        "AccountSid": account,
        "To": asked["To"],
        "From": asked["From"],
        "ApiVersion": "2010-04-01",
    }
    return urlsplit(asked["StatusCallback"]).query if query is None else query, urlencode(
        form
    ).encode()


def _twilio(url: str, body: bytes, secret: str) -> dict[str, str]:
    text = url + "".join(f"{name}{value}" for name, value in sorted(parse_qsl(body.decode())))
    made = hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": b64encode(made).decode(),
    }


TWILIO = Sender(
    "twilio",
    "token",
    {"username": "AC4711", "password": _TOKEN},
    "sendMessage",
    lambda hook: {
        "to": "+491701234567",
        "from": "+15005550006",
        "body": "Hello",
        "statusCallback": hook,
    },
    "messageEvents",
    _TOKEN,
    {"sid": "AC4711", "friendly_name": "Acme"},
    _callback,
    _twilio,
    strange=(
        ({"query": ""}, "nothing"),
        ({"query": "jackfield=jf1-" + "a" * 26}, "nothing"),
        ({"account": "AC9999"}, "similar"),
        ({"message": ""}, "similar"),
        ({"message": "S" * 1001}, "similar"),
    ),
    foreign=lambda hook, marker: {"statusCallback": f"{hook}?jackfield=%6A{marker[1:]}"},
)


def _called(
    request: Request,
    status: str = "completed",
    account: str = "AC4711",
    query: str | None = None,
    message: str | None = None,
) -> tuple[str, bytes]:
    asked = dict(parse_qsl(request.body.decode()))
    sid = (
        f"CA{hashlib.sha256(request.body + account.encode()).hexdigest()[:32]}"
        if message is None
        else message
    )
    form = {
        **({"CallSid": sid} if sid else {}),
        "CallStatus": status,
        "AccountSid": account,
        "To": asked["To"],
        "From": asked["From"],
        "ApiVersion": "2010-04-01",
    }
    return urlsplit(asked["StatusCallback"]).query if query is None else query, urlencode(
        form
    ).encode()


CALLS = replace(
    TWILIO,
    action="createCall",
    trigger="callEvents",
    event=_called,
    inputs=lambda hook: {
        "to": "+491701234567",
        "from": "+15005550006",
        "url": "https://acme.example/twiml",
        "statusCallback": hook,
    },
)


def _mail_events(
    request: Request,
    status: str = "processed",
    mark: str | None = None,
    message: str = "",
    **_about: Any,
) -> tuple[str, bytes]:
    asked, number = request.json(), message or hashlib.sha256(request.body).hexdigest()[:22]
    marked = asked["custom_args"] if mark is None else {"jackfield": mark}
    about = {
        "timestamp": int(time.time()),
        "event": status,
        "sg_message_id": f"{number}.recvd-0",
        **marked,
    }
    to = [one["email"] for one in asked["personalizations"][0]["to"]]
    return "", json.dumps(
        [{**about, "email": one, "sg_event_id": f"{number}-{status}-{one}-{mark}"} for one in to]
    ).encode()


def _private(secret: str) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(
        int.from_bytes(hashlib.sha256(secret.encode()).digest()[1:], "big"), ec.SECP256R1()
    )


def _public(secret: str) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return b64encode(
        _private(secret).public_key().public_bytes(serialization.Encoding.DER, form)
    ).decode()


def _sendgrid(_url: str, body: bytes, secret: str) -> dict[str, str]:
    moment = str(int(time.time()))
    made = _private(secret).sign(moment.encode() + body, ec.ECDSA(hashes.SHA256()))
    name = "X-Twilio-Email-Event-Webhook"
    return {
        "Content-Type": "application/json",
        f"{name}-Signature": b64encode(made).decode(),
        f"{name}-Timestamp": moment,
    }


_UNKNOWN = "jf1-" + "a" * 26
SENDGRID = Sender(
    "sendgrid",
    "token",
    {"token": "SG.key-of-the-account"},
    "sendMail",
    lambda _hook: {
        "personalizations": [{"to": [{"email": "ada@example.com"}, {"email": "bob@example.com"}]}],
        "from": {"email": "hello@acme.example"},
        "subject": "Hello",
        "customArgs": {"order": "4711"},
    },
    "mailEvents",
    "the-private-key",
    {"scopes": ["mail.send"], "user_id": 4711, "username": "acme"},
    _mail_events,
    _sendgrid,
    entered=_public,
    strange=(({"mark": _UNKNOWN}, "nothing"), ({"mark": "4711"}, "nothing")),
    foreign=lambda _hook, marker: {
        "personalizations": [
            {"to": [{"email": "ada@example.com"}], "custom_args": {"jackfield": marker}}
        ]
    },
)


def _told(
    request: Request,
    status: str = "sent",
    mark: str | None = None,
    message: str | None = None,
    **_about: Any,
) -> tuple[str, bytes]:
    asked, made = request.json(), hashlib.sha256(request.body).hexdigest()[:32]
    number = made if message is None else message
    tags = {one["name"]: one["value"] for one in asked["tags"]} | (
        {} if mark is None else {"jackfield": mark}
    )
    data = {
        "email_id": number,
        "from": asked["from"],
        "to": asked["to"],
        "subject": asked["subject"],
        "tags": tags,
    }
    return "", json.dumps(
        {"type": f"email.{status}", "created_at": "2026-11-27T20:00:00.000Z", "data": data}
    ).encode()


def _svix(_url: str, body: bytes, secret: str) -> dict[str, str]:
    moment, identifier = str(int(time.time())), f"msg_{hashlib.sha256(body).hexdigest()[:27]}"
    made = hmac.new(
        secret.encode(), f"{identifier}.{moment}.".encode() + body, hashlib.sha256
    ).digest()
    return {
        "Svix-Id": identifier,
        "Svix-Timestamp": moment,
        "Svix-Signature": f"v1,{b64encode(made).decode()}",
    }


RESEND = Sender(
    "resend",
    "key",
    {"token": "re_key-of-the-account"},
    "sendEmail",
    lambda _hook: {
        "from": "hello@acme.example",
        "to": ["ada@example.com"],
        "subject": "Hello",
        "tags": [{"name": "kind", "value": "welcome"}],
    },
    "mailEvents",
    "the-signing-secret",
    {"data": [{"id": "d-1", "name": "acme.example"}]},
    _told,
    _svix,
    entered=lambda secret: f"whsec_{b64encode(secret.encode()).decode()}",
    strange=(
        ({"mark": _UNKNOWN}, "nothing"),
        ({"mark": "welcome"}, "nothing"),
        ({"message": ""}, "nothing"),
        ({"message": "e" * 1001}, "nothing"),
    ),
    foreign=lambda _hook, marker: {"tags": [{"name": "Jackfield", "value": f"{marker} "}]},
)


def _posted(
    request: Request,
    status: str = "request",
    mark: str | None = None,
    message: str | None = None,
    **_about: Any,
) -> tuple[str, bytes]:
    asked, number = (
        request.json(),
        hashlib.sha256(request.body + str(mark).encode()).hexdigest()[:20],
    )
    marked = asked["headers"]["X-Mailin-custom"] if mark is None else mark
    about = {
        "event": status,
        "id": 1,
        "message-id": f"<{number}@smtp-relay.example>" if message is None else message,
        "ts_event": int(time.time()),
        "subject": asked["subject"],
    }
    return "", json.dumps(
        {**about, "email": asked["to"][0]["email"], "X-Mailin-custom": marked}
    ).encode()


BREVO = Sender(
    "brevo",
    "key",
    {"value": "xkeysib-key-of-the-account"},
    "sendEmail",
    lambda _hook: {
        "sender": {"email": "hello@acme.example"},
        "to": [{"email": "ada@example.com"}],
        "subject": "Hello",
        "textContent": "Hello",
        "headers": {"X-Order": "4711"},
    },
    "mailEvents",
    "the-token-of-the-webhook",
    {"email": "ada@acme.example", "companyName": "Acme"},
    _posted,
    lambda _url, _body, secret: {"Content-Type": "application/json", "X-Jackfield-Token": secret},
    strange=(
        ({"mark": _UNKNOWN}, "nothing"),
        ({"mark": "4711"}, "nothing"),
        ({"message": "<" * 1001}, "nothing"),
    ),
    foreign=lambda _hook, marker: {"headers": {"x-mailin-custom": marker}},
)


@contextmanager
def company(folder: Path, sender: Sender) -> Iterator[Company]:
    """Run a server with a service of the shelf, a connection to a provider that hangs up, and a
    subscription over it.
    """
    with (
        plugged(shelve(folder / "shelf", manifest_of(sender.key))),
        standing(folder, _SETTINGS, JACKFIELD_SETTLE="on") as stand,
    ):
        found = Company(stand.client(), sender)
        with (
            Provider(found) as provider,
            Provider(lambda _number, _request: Answer(sender.other())) as elsewhere,
        ):
            found.hook = _watched(found, "acme", provider.url, sender.secret)
            found.other = _watched(found, "other", elsewhere.url, _OTHER)
            yield found


def _watched(found: Company, name: str, server: str, secret: str) -> str:
    """Add a connection and a subscription over it; return the path of its URL."""
    sender = found.sender
    about = {
        "name": name,
        "type": f"{sender.key}/{sender.kind}",
        "values": {**sender.values, "server": server},
    }
    made = found.client.post("/v1/connections", about)
    assert (made.status, made.json["status"]) == (201, "ok"), made.body
    inputs = {"signingSecret": sender.entered(secret)}
    asked = {
        "name": name,
        "trigger": f"{sender.key}/{sender.trigger}",
        "connection": name,
        "inputs": inputs,
    }
    made = found.client.post("/v1/subscriptions", asked)
    assert made.status == 201, made.body
    return str(urlsplit(found.client.get(f"/v1/subscriptions/{name}").json["url"]).path)


_SENDERS = (TWILIO, CALLS, SENDGRID, RESEND, BREVO)


@pytest.fixture(
    name="at", scope="module", params=_SENDERS, ids=lambda sender: f"{sender.key}-{sender.action}"
)
def _at(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    with company(tmp_path_factory.mktemp(request.param.key), request.param) as found:
        yield found


def _results(at: Company, entry: Mapping[str, Any]) -> list[str]:
    """Return what the looks at the events of the subscription's trigger have found."""
    return [one["result"] for one in entry["looks"] if one["source"] == at.sender.trigger]


def test_an_event_settles_the_doubt(at: Company) -> None:
    """The first event proves that the message was taken, further ones prove the same thing, and
    nothing is sent again.
    """
    identifier, before = at.post(), len(at.sent)
    assert at.tells() == 200
    assert at.tells(status="delivered") == 200
    until(lambda: at.entry(identifier)["status"] == "succeeded")
    evidence = at.entry(identifier)["meta"]["resolution"]["evidence"]
    assert (evidence["verdict"], evidence["kind"]) == ("took", "event")
    assert evidence["source"] == f"{at.sender.key}/{at.sender.trigger}"
    assert len(at.sent) == before


def test_an_event_that_overtakes_the_call_settles_it(at: Company) -> None:
    """The provider is quicker than the call: the event is kept until there is a doubt. Another
    doubt stays one.
    """
    other, its = at.post(), len(at.sent) - 1
    at.is_quick = True
    try:
        identifier = at.post()
    finally:
        at.is_quick = False
    until(lambda: at.entry(identifier)["status"] == "succeeded")
    assert at.entry(other)["status"] == "in_doubt"
    assert at.tells(number=its) == 200
    until(lambda: at.entry(other)["status"] == "succeeded")


def test_forged_events_prove_nothing(at: Company) -> None:
    """Of another key, of another account, without the marker or with one of somebody's making:
    nothing is settled.
    """
    identifier = at.post()
    assert at.tells(secret="another-secret-4711") == 401
    assert _results(at, at.looked(identifier)) == ["nothing"]
    for about, result in at.sender.strange:
        assert at.tells(**about) == 200
        found = at.looked(identifier)
        assert (found["status"], _results(at, found)[-1]) == ("in_doubt", result), (about, found)
    assert at.tells() == 200
    until(lambda: at.entry(identifier)["status"] == "succeeded")


def test_a_subscription_of_another_account_settles_nothing_and_keeps_nothing_away(
    at: Company,
) -> None:
    """Whoever has added it knows what signs its events: they say that they are of the call's
    account, and of ever more messages.
    """
    identifier = at.post()
    for number in range(30):
        assert at.tells(secret=_OTHER, hook=at.other, message=f"m{number}") == 200
    found = at.looked(identifier)
    assert (found["status"], _results(at, found)[-1]) == ("in_doubt", "similar")
    assert at.tells() == 200
    until(lambda: at.entry(identifier)["status"] == "succeeded")


def test_new_credentials_of_the_account_keep_no_evidence_away(at: Company) -> None:
    """The connection is changed while the provider still tells: nothing is read over it any more,
    but its account is known.
    """
    identifier = at.post()
    at.looked(identifier)
    given = at.client.get("/v1/connections/acme").json
    secret = next(name for name, value in given["values"].items() if value == "***")
    kept = {name: value for name, value in given["values"].items() if name != secret}
    changed = {"type": given["type"], "values": {**kept, secret: "SG.or-re_another-secret"}}
    assert at.client.call("PUT", "/v1/connections/acme", changed).status == 200
    assert at.entry(identifier)["status"] == "in_doubt"
    assert at.tells() == 200
    until(lambda: at.entry(identifier)["status"] == "succeeded")


def test_the_marker_of_another_call_is_refused_as_an_input(at: Company) -> None:
    """However it is written: the provider would tell of this message as of the other one."""
    at.post()
    query, body = at.sender.event(at.sent[-1])
    marker = re.findall(r"jf1-[a-z2-7]{26}", query + body.decode())[0]
    about = {"connector": at.sender.key, "action": at.sender.action, "connection": "acme"}
    inputs = {**at.sender.inputs(_PUBLIC + at.hook), **at.sender.foreign(_PUBLIC + at.hook, marker)}
    before = len(at.sent)
    found = at.client.post("/v1/invocations", {**about, "inputs": inputs}).json
    assert (found["error"]["code"], len(at.sent)) == ("invalid_input", before), found
