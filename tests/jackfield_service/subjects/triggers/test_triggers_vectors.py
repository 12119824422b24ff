"""Known answers of signatures of webhooks: examples that providers publish, and vectors of OpenSSL
and of an HMAC by hand.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from base64 import b64encode
from pathlib import Path
from urllib.parse import urlencode

import pytest

from jackfield.connector import DeclarationError, Forged, Hook, HookRequest, Inputs, scheme_of
from jackfield.connector.signatures import NAMED, Signature, row_of
from jackfield_http.request.webhooks import WebhookInputs

_NOW = 1_795_000_000.0
_URL = "https://jackfield.example/hooks/p"
_SECRET = "s" * 16


class _Entered(Inputs):
    """A subscription with a secret or public key that the provider shows."""

    signing_secret: str


def _hook(secret: str, url: str = _URL) -> Hook:
    return Hook(url, "own", _Entered(signing_secret=secret))


def _hmac(key: bytes, text: bytes, digest: str) -> bytes:
    """RFC 2104 by hand: nothing of what is tested."""
    block = hashlib.new(digest).block_size
    padded = (hashlib.new(digest, key).digest() if len(key) > block else key).ljust(block, b"\0")
    inner = hashlib.new(digest, bytes(one ^ 0x36 for one in padded) + text).digest()
    return hashlib.new(digest, bytes(one ^ 0x5C for one in padded) + inner).digest()


def _openssl(*arguments: str, given: bytes = b"") -> bytes:
    return subprocess.run(
        ["openssl", *arguments], input=given, capture_output=True, check=True
    ).stdout


_CALL = {
    "CallSid": "CA1234567890ABCDE",
    "Caller": "+12349013030",
    "Digits": "1234",
    "From": "+12349013030",
    "To": "+18005551212",
}
_TWILIO = {"x-twilio-signature": "0/KCTR6DLpKmkAf8muzZqo1nDgQ="}


def _call(query: str = "foo=1&bar=2", **changes: str) -> HookRequest:
    return HookRequest(urlencode({**_CALL, **changes}).encode(), _TWILIO, _NOW, {}, "POST", query)


def test_twilios_example() -> None:
    """The worked example of https://www.twilio.com/docs/usage/webhooks/webhooks-security
    (2026-08-13): URL with its query, sorted form.
    """
    hook = _hook("12345", "https://mycompany.com/myapp.php")
    NAMED["twilio"](_call(), hook)
    for forged in (
        _call(Digits="9999"),
        _call("foo=1&bar=3"),
        _call(""),
        _call(Extra="1"),
        HookRequest(b"", _TWILIO, _NOW),
    ):
        with pytest.raises(Forged):
            NAMED["twilio"](forged, hook)
    with pytest.raises(Forged):
        NAMED["twilio"](_call(), _hook("12346", hook.url))


def test_a_form_is_signed_in_the_order_of_its_names() -> None:
    """Names in any order, empty values, a pair that comes twice, and what is not ASCII: as Twilio's
    own libraries sort them.
    """
    body = "To=%2B1&Body=gr%C3%BC%C3%9Fe+%26+mehr&Empty=&Body=again&To=%2B1&MediaUrl0=https%3A%2F%2Fa%2Fb%3Fc%3Dd"
    text = f"{_URL}?jackfield=jf1-abcBodyagainBodygrüße & mehrEmptyMediaUrl0https://a/b?c=dTo+1"
    signature = b64encode(_hmac(_SECRET.encode(), text.encode(), "sha1")).decode()
    NAMED["twilio"](
        HookRequest(
            body.encode(), {"x-twilio-signature": signature}, _NOW, {}, "POST", "jackfield=jf1-abc"
        ),
        _hook(_SECRET),
    )
    for broken in (b"\xff=1", b"a=%FF", b"&".join(b"a%d=1" % number for number in range(1500))):
        with pytest.raises(Forged):
            NAMED["twilio"](HookRequest(broken, _TWILIO, _NOW), _hook(_SECRET))


_SENDGRID_KEY = (
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEDr2LjtURuePQzplybdC+u4CwrqDqBaWjcMM"
    "sTbhdbcwHBcepxo7yAQGhHPTnlvFYPAZFceEu/1FwCM/QmGUhA=="
)
_SENDGRID = {
    "x-twilio-email-event-webhook-signature": "MEUCIQCtIHJeH93Y+qpYeWrySphQgpNGNr/U+UyUlBkU6n7RAwIg"
    "JTz2C+8a8xonZGi6BpSzoQsbVRamr2nlxFDWYNH2j/0=",
    "x-twilio-email-event-webhook-timestamp": "1588788367",
}
_SENDGRID_BODY = b'{"category":"example_payload","event":"test_event","message_id":"message_id"}'


def test_sendgrids_example() -> None:
    """The vector of SendGrid's own library, @sendgrid/eventwebhook 7.2.6 on npm: ECDSA over time
    and body.
    """
    at = 1_588_788_367.0
    NAMED["sendgrid"](HookRequest(_SENDGRID_BODY, _SENDGRID, at + 299), _hook(_SENDGRID_KEY))
    pem = (
        f"-----BEGIN PUBLIC KEY-----\n{_SENDGRID_KEY[:64]}\n{_SENDGRID_KEY[64:]}\n-----END "
        "PUBLIC KEY-----\n"
    )
    NAMED["sendgrid"](HookRequest(_SENDGRID_BODY, _SENDGRID, at), _hook(pem))
    later = {**_SENDGRID, "x-twilio-email-event-webhook-timestamp": "1588788368"}
    forged = [
        (_SENDGRID_BODY, _SENDGRID, at + 301),
        (_SENDGRID_BODY + b" ", _SENDGRID, at),
        (_SENDGRID_BODY, later, at),
        (b"[]", {}, at),
    ]
    for body, headers, now in forged:
        with pytest.raises(Forged):
            NAMED["sendgrid"](HookRequest(body, headers, now), _hook(_SENDGRID_KEY))
    other = (
        NAMED["sendgrid"].verification_key("another")
        if isinstance(NAMED["sendgrid"], Signature)
        else ""
    )
    with pytest.raises(Forged, match="no signature fits"):
        NAMED["sendgrid"](HookRequest(_SENDGRID_BODY, _SENDGRID, at), _hook(other))


@pytest.mark.parametrize("algorithm", ["ecdsa", "ed25519"])
def test_private_keys_of_openssl(algorithm: str, tmp_path: Path) -> None:
    """Keys and signatures that OpenSSL makes; a bare Ed25519 key in hex, as Discord shows it."""
    made = (
        ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
        if algorithm == "ecdsa"
        else ["-algorithm", "ED25519"]
    )
    private, text = tmp_path / "private.pem", tmp_path / "text"
    _openssl("genpkey", *made, "-out", str(private))
    body = b'{"type":1}'
    text.write_bytes(f"{int(_NOW)}|".encode() + body)
    sign = ["dgst", "-sha256", "-sign", str(private), str(text)]
    if algorithm == "ed25519":
        sign = ["pkeyutl", "-sign", "-inkey", str(private), "-rawin", "-in", str(text)]
    signature = _openssl(*sign)
    public = _openssl("pkey", "-in", str(private), "-pubout", "-outform", "DER")
    shown = [b64encode(public).decode(), _openssl("pkey", "-in", str(private), "-pubout").decode()]
    if algorithm == "ed25519":
        shown += [public[-32:].hex(), b64encode(public[-32:]).decode()]
    settings = {
        "scheme": algorithm,
        "header": "x-signed",
        "signed": "{time}|{body}",
        "time": "x-at",
    }
    scheme = scheme_of(settings)
    assert isinstance(scheme, Signature)
    assert row_of(scheme) == settings
    for key in shown:
        scheme.check_secret(key)
        scheme(
            HookRequest(body, {"x-signed": signature.hex(), "x-at": str(int(_NOW))}, _NOW),
            _hook(key),
        )
        with pytest.raises(Forged):
            scheme(
                HookRequest(
                    b'{"type":2}', {"x-signed": signature.hex(), "x-at": str(int(_NOW))}, _NOW
                ),
                _hook(key),
            )
    for key in (
        "",
        "not a key",
        "ab" * 20,
        b64encode(public[:-1]).decode(),
        _SENDGRID_KEY if algorithm == "ed25519" else "ab" * 32,
    ):
        with pytest.raises(DeclarationError, match="public key"):
            scheme.check_secret(key)
        with pytest.raises(Forged):
            scheme(
                HookRequest(body, {"x-signed": signature.hex(), "x-at": str(int(_NOW))}, _NOW),
                _hook(key),
            )
    seed = scheme.verification_key(_SECRET)
    scheme(HookRequest(body, scheme.sign(body, _hook(_SECRET), _NOW), _NOW), _hook(seed))


_HMACS = {
    "typeform": (
        {"header": "Typeform-Signature", "prefix": "sha256=", "encoding": "base64"},
        "sha256=",
        "sha256",
    ),
    "intercom": (
        {"header": "X-Hub-Signature", "prefix": "sha1=", "digest": "sha1"},
        "sha1=",
        "sha1",
    ),
    "notion": ({"header": "X-Notion-Signature", "prefix": "sha256="}, "sha256=", "sha256"),
    "asana": ({"header": "X-Hook-Signature"}, "", "sha256"),
    "pagerduty": (
        {"header": "X-PagerDuty-Signature", "prefix": "v1=", "separator": ","},
        "v1=0000,v1=",
        "sha256",
    ),
    "dropbox": ({"header": "X-Dropbox-Signature"}, "", "sha256"),
    "woocommerce": ({"header": "X-WC-Webhook-Signature", "encoding": "base64"}, "", "sha256"),
    "todoist": ({"header": "X-Todoist-Hmac-SHA256", "encoding": "base64"}, "", "sha256"),
    "clickup": ({"header": "X-Signature"}, "", "sha256"),
}


@pytest.mark.parametrize("provider", _HMACS)
def test_hmacs_of_the_body(provider: str) -> None:
    """Header, prefix, encoding and hash of each provider, against an HMAC by hand; a changed,
    missing or doubled signature is refused.
    """
    settings, before, digest = _HMACS[provider]
    body = '{"text":"grüße"}'.encode()
    made = _hmac(_SECRET.encode(), body, digest)
    text = before + (
        b64encode(made).decode() if settings.get("encoding") == "base64" else made.hex()
    )
    name, scheme = settings["header"].lower(), scheme_of({"scheme": "hmac", **settings})
    scheme(HookRequest(body, {name: text}, _NOW), _hook(_SECRET))
    scheme(HookRequest(body, scheme.sign(body, _hook(_SECRET), _NOW), _NOW), _hook(_SECRET))
    bare = text.rpartition("=" if settings.get("encoding") != "base64" else before or " ")[2]
    for forged in (
        text[:-2],
        bare + bare,
        f"{text}0{bare}",
        "",
        f"v0={bare}",
        *([bare] if before else []),
    ):
        with pytest.raises(Forged):
            scheme(HookRequest(body, {name: forged}, _NOW), _hook(_SECRET))
    with pytest.raises(Forged):
        scheme(HookRequest(body + b" ", {name: text}, _NOW), _hook(_SECRET))


def test_a_time_in_the_signed_body_is_judged() -> None:
    """Linear puts its time, in milliseconds, into the body that it signs."""
    scheme = scheme_of(
        {"scheme": "hmac", "header": "Linear-Signature", "time": "/webhookTimestamp"}
    )

    def judge(body: bytes, at: float = _NOW) -> None:
        scheme(
            HookRequest(
                body, {"linear-signature": _hmac(_SECRET.encode(), body, "sha256").hex()}, at
            ),
            _hook(_SECRET),
        )

    fresh = json.dumps({"action": "create", "webhookTimestamp": int(_NOW * 1000)}).encode()
    judge(fresh)
    judge(fresh, _NOW + 299)
    with pytest.raises(Forged, match="seconds off"):
        judge(fresh, _NOW + 301)
    for body in (
        b"{}",
        b"[]",
        b"no JSON",
        b'{"webhookTimestamp": null}',
        b'{"webhookTimestamp": "soon"}',
    ):
        with pytest.raises(Forged, match="no time that can be read"):
            judge(body)
    with pytest.raises(Forged, match="no signature fits"):
        scheme(HookRequest(fresh, {"linear-signature": "00" * 32}, _NOW + 900), _hook(_SECRET))


def test_calendlys_and_hubspots_times() -> None:
    """A time within the signature's field, as Calendly sends it; HubSpot's over method, URL with
    query, body and time.
    """
    body, at = b'{"event":"invitee.created"}', str(int(_NOW))
    text = _hmac(_SECRET.encode(), f"{at}.".encode() + body, "sha256").hex()
    scheme = scheme_of(
        {
            "scheme": "hmac",
            "header": "Calendly-Webhook-Signature",
            "signed": "{time}.{body}",
            "time": "t=",
            "prefix": "v1=",
            "separator": ",",
        }
    )
    scheme(
        HookRequest(body, {"calendly-webhook-signature": f"t={at},v1={text}"}, _NOW), _hook(_SECRET)
    )
    for forged in (
        f"t={at}",
        f"v1={text}",
        f"t={at},t={at},v1={text}",
        f"t={int(at) - 301},v1={text}",
        f"t={at},v0={text}",
    ):
        with pytest.raises(Forged):
            scheme(HookRequest(body, {"calendly-webhook-signature": forged}, _NOW), _hook(_SECRET))
    ms, query = str(int(_NOW * 1000)), "portal=4711"
    signed = f"POST{_URL}?{query}".encode() + body + ms.encode()
    made = b64encode(_hmac(_SECRET.encode(), signed, "sha256")).decode()
    headers = {"x-hubspot-signature-v3": made, "x-hubspot-request-timestamp": ms}
    NAMED["hubspot"](HookRequest(body, headers, _NOW, {}, "POST", query), _hook(_SECRET))
    for request in (
        HookRequest(body, headers, _NOW),
        HookRequest(body, headers, _NOW, {}, "PUT", query),
        HookRequest(body, headers, _NOW + 301, {}, "POST", query),
    ):
        with pytest.raises(Forged):
            NAMED["hubspot"](request, _hook(_SECRET))


def test_any_sender_is_described_by_inputs() -> None:
    """``http/webhook`` takes public keys, times in bodies and forms; a key that is none is refused
    when the subscription is added.
    """
    described = {
        "signature": "ed25519",
        "header": "X-Signature-Ed25519",
        "signed": "{time}{body}",
        "time": "X-Signature-Timestamp",
    }
    key = scheme_of(
        {
            "scheme": "ed25519",
            **{name: text for name, text in described.items() if name != "signature"},
        }
    )
    assert isinstance(key, Signature)
    given = WebhookInputs.model_validate(
        {**described, "signingSecret": key.verification_key(_SECRET)}
    )
    body = b'{"type":1}'
    given.scheme(
        HookRequest(body, key.sign(body, _hook(_SECRET), _NOW), _NOW), Hook(_URL, "own", given)
    )
    for secret in ({}, {"signingSecret": "no key at all, but long enough"}):
        with pytest.raises(ValueError, match="public key"):
            WebhookInputs.model_validate({**described, **secret})
    timed = WebhookInputs.model_validate(
        {"signature": "hmac", "header": "Linear-Signature", "time": "/webhookTimestamp"}
    )
    assert isinstance(timed.scheme, Signature)
    assert timed.scheme.time == "/webhookTimestamp"
    assert WebhookInputs.model_validate({"signature": "twilio"}).scheme == NAMED["twilio"]
