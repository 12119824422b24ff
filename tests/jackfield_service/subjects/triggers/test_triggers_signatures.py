"""Signatures of webhooks as data, as providers really send them: times, encodings, secrets, and
borders between the signed parts.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import Any

import pytest

from jackfield.connector import (
    DeclarationError,
    Forged,
    Hook,
    HookRequest,
    Inputs,
    Malformed,
    scheme_of,
)
from jackfield.connector.signatures import NAMED, Signature
from jackfield_http.request.webhooks import WebhookInputs

_SECRET, _URL, _NOW = "s" * 16, "https://jackfield.example/hooks/p", 1_795_000_000.0
_TIMED = {"scheme": "hmac", "header": "x-sig", "signed": "{time}.{body}", "time": "x-time"}


class _Entered(Inputs):
    """A subscription whose secret the provider made."""

    signing_secret: str


def hook(secret: str = _SECRET, *, entered: bool = False) -> Hook:
    """A subscription with a secret."""
    return Hook(
        _URL, "own" if entered else secret, _Entered(signing_secret=secret) if entered else None
    )


def mac(text: bytes, key: bytes = _SECRET.encode()) -> bytes:
    """HMAC of a text."""
    return hmac.digest(key, text, "sha256")


def verify(
    settings: dict[str, Any], headers: dict[str, str], body: bytes = b"{}", of: Hook | None = None
) -> None:
    """Verify a request that has just come."""
    scheme_of(settings)(HookRequest(body, headers, _NOW, {}), of or hook())


@pytest.mark.parametrize(
    "time",
    [
        "1795000000",
        "1795000000123",
        "1795000000123456",
        "1795000000123456789",
        "2026-11-18T11:06:40Z",
        "2026-11-18T11:06:40.634234626Z",
        "2026-11-18t11:06:40.5z",
        "2026-11-18T12:06:40+01:00",
        "1795000299",
        "1794999701",
    ],
)
def test_times_are_read_as_providers_write_them(time: str) -> None:
    """Seconds, milliseconds, microseconds, nanoseconds and RFC 3339 with any fraction and offset,
    up to five minutes apart.
    """
    verify(_TIMED, {"x-sig": mac(f"{time}.{{}}".encode()).hex(), "x-time": time})


@pytest.mark.parametrize(
    ("time", "why"),
    [
        ("1794999699", "seconds off"),
        ("1795000301", "seconds off"),
        ("1794999699999", "seconds off"),
        ("2026-11-18T11:00:00Z", "seconds off"),
        ("2026-11-18T11:06:40", "no time that can be read"),
        ("2026-11-18 11:06:40Z", "no time"),
        ("", "no time"),
        ("-5", "no time"),
        ("1795000000.5", "no time"),
        ("\u0661\u0667", "no time"),
        ("9" * 40, "no time"),
        ("2026-13-45T11:06:40Z", "no time"),
        ("1e9", "no time"),
    ],
)
def test_a_time_that_is_old_or_none_is_named(time: str, why: str) -> None:
    """The log tells a clock that is wrong from a form that is not known; nothing else passes,
    however it is signed.
    """
    with pytest.raises(Forged, match=why):
        verify(_TIMED, {"x-sig": mac(f"{time}.{{}}".encode()).hex(), "x-time": time})


def test_a_signature_is_compared_as_bytes() -> None:
    """Hex in any case, base64 of either alphabet with or without padding; text that is neither does
    not fit.
    """
    made = mac(b"{}")
    plain = {"scheme": "hmac", "header": "x-sig"}
    for text in (made.hex(), made.hex().upper(), made.hex().title()):
        verify(plain, {"x-sig": text})
    full = b64encode(made).decode()
    for text in (full, full.rstrip("="), full.replace("+", "-").replace("/", "_")):
        verify({**plain, "encoding": "base64"}, {"x-sig": text})
    for text in (
        full,
        made.hex()[:-1],
        made.hex()[:-2],
        f" {made.hex()}x",
        "zz" * 32,
        "é",
        made.hex() + "00",
    ):
        with pytest.raises(Forged):
            verify(plain, {"x-sig": text})


@pytest.mark.parametrize(
    "shown",
    [
        "whsec_{padded}",
        "{padded}",
        "{bare}",
        "whsec_{bare}",
        "v1,whsec_{padded}",
        "v1,{padded}",
        " whsec_{padded}\n",
    ],
)
def test_secrets_of_standard_webhooks_are_read_as_they_are_shown(shown: str) -> None:
    """With and without ``whsec_``, padding, and the ``v1,`` of Supabase."""
    key = bytes(range(240, 256)) + b"\x00"
    padded = b64encode(key).decode()
    secret = shown.format(padded=padded, bare=padded.rstrip("="))
    scheme = NAMED["standardWebhooks"]
    assert isinstance(scheme, Signature)
    scheme.check_secret(secret)
    text = f"msg_1.{int(_NOW)}.{{}}".encode()
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(int(_NOW))}
    signature = b64encode(mac(text, key)).decode()
    verify(
        {"scheme": "standardWebhooks"},
        {**headers, "webhook-signature": f"v1,{signature}"},
        of=hook(secret, entered=True),
    )
    verify(
        {"scheme": "standardWebhooks"},
        scheme.sign(b"{}", hook(secret, entered=True), _NOW),
        of=hook(secret, entered=True),
    )
    with pytest.raises(Forged):
        verify(
            {"scheme": "standardWebhooks"},
            {**headers, "webhook-signature": f"v1,{signature}"},
            b"[]",
            hook(secret, entered=True),
        )
    svix = {
        "svix-id": "msg_1",
        "svix-timestamp": str(int(_NOW)),
        "svix-signature": f"v1a,AAAA v1,{signature}",
    }
    verify({"scheme": "svix"}, svix, of=hook(secret, entered=True))


def test_a_secret_that_cannot_be_one_is_refused_where_it_is_entered() -> None:
    """``whsec_`` without base64 is refused when the subscription is added, not with each
    delivery.
    """
    for secret in ("whsec_not base64!!", "v1,whsec_%%%%%%%%%"):
        with pytest.raises(ValueError, match="base64"):
            WebhookInputs.model_validate({"signingSecret": secret})
    good = "whsec_" + b64encode(b"k" * 24).decode()
    assert WebhookInputs.model_validate({"signingSecret": good}).signature == "standardWebhooks"


@pytest.mark.parametrize(
    "signed",
    [
        "{id}{body}",
        "{id}x{body}",
        "{id}_{body}",
        "{time}0{body}",
        "{body}{id}",
        "{body}{time}",
        "{id}:{time}:{body}",
        "{id}{time}.{body}",
        "{time}{id}.{body}",
        "{url}{body}{id}",
        "{body}a{id}",
    ],
)
def test_signed_parts_need_a_border(signed: str) -> None:
    """A template in which bytes could be moved from one part to another is refused where it is
    declared.
    """
    parts = {"id": "x-id"} if "{id}" in signed else {}
    parts |= {"time": "x-time"} if "{time}" in signed else {}
    with pytest.raises(DeclarationError, match="border"):
        scheme_of({"scheme": "hmac", "header": "x", "signed": signed, **parts})


@pytest.mark.parametrize(
    "signed",
    [
        "{id}.{time}.{body}",
        "v0:{time}:{body}",
        "{body}",
        "{body}.{id}",
        "{method}{url}{body}",
        "{time}\n{method}\n{url}\n{body}",
    ],
)
def test_templates_with_borders_are_taken(signed: str) -> None:
    """Separators that a part cannot hold are borders; method and URL are known, and need none."""
    parts = {"id": "x-id"} if "{id}" in signed else {}
    parts |= {"time": "x-time"} if "{time}" in signed else {}
    given = {"scheme": "hmac", "header": "x", "signed": signed, **parts}
    verify(given, scheme_of(given).sign(b'{"a":1}', hook(), _NOW), b'{"a":1}')


def test_providers_without_borders_are_taken_as_they_document_it() -> None:
    """Twitch, Zendesk and HubSpot sign without separators. A body with a digit beside the time
    could be cut elsewhere: it is refused.
    """
    body, time = b'{"a":1}', "2026-11-18T11:06:40.634234626Z"
    twitch = {
        "twitch-eventsub-message-id": "e76c6bd4-55c9-4987-8304-da1588d8988b",
        "twitch-eventsub-message-timestamp": time,
    }
    text = twitch["twitch-eventsub-message-id"].encode() + time.encode() + body
    verify(
        {"scheme": "twitch"},
        {**twitch, "twitch-eventsub-message-signature": "sha256=" + mac(text).hex()},
        body,
    )
    at = "2026-11-18T11:06:40Z"
    zendesk = {
        "x-zendesk-webhook-signature-timestamp": at,
        "x-zendesk-webhook-signature": b64encode(mac(at.encode() + body)).decode(),
    }
    verify({"scheme": "zendesk"}, zendesk, body)
    ms = "1795000000123"
    signed = b"POST" + _URL.encode() + body + ms.encode()
    verify(
        {"scheme": "hubspot"},
        {
            "x-hubspot-request-timestamp": ms,
            "x-hubspot-signature-v3": b64encode(mac(signed)).decode(),
        },
        body,
    )
    own = {"scheme": "hmac", "header": "x-sig", "signed": "{time}{body}", "time": "x-time"}
    moved = {"x-sig": mac(b"1795000000123{}").hex(), "x-time": "1795000000"}
    with pytest.raises(Forged, match="digit beside"):
        verify(own, moved, b"123{}")
    verify(own, {**moved, "x-time": "1795000000123"}, b"{}")
    with pytest.raises(Forged):
        verify(
            {"scheme": "hubspot"},
            {
                "x-hubspot-request-timestamp": ms,
                "x-hubspot-signature-v3": b64encode(mac(signed)).decode(),
            },
            b"{}",
        )


@pytest.mark.parametrize(
    "name", [name for name, scheme in NAMED.items() if isinstance(scheme, Signature)]
)
def test_each_named_scheme_verifies_its_own_samples(name: str) -> None:
    """What a scheme signs as the provider would, it verifies; a changed body it does not."""
    scheme = NAMED[name]
    assert isinstance(scheme, Signature)
    headers, known = scheme.sign(b'{"a":1}', hook(), _NOW), hook(scheme.verification_key(_SECRET))
    verify({"scheme": name}, headers, b'{"a":1}', known)
    with pytest.raises(Forged):
        verify({"scheme": name}, headers, b'{"a":2}', known)


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        (b'\xef\xbb\xbf{"a":"\xc3\xa9"}', "application/json"),
        ('{"a":"é"}'.encode("latin-1"), "application/json; charset=ISO-8859-1"),
        ('{"a":"é"}'.encode("cp1252"), 'application/json; charset="windows-1252"'),
        ('{"a":"é"}'.encode("utf-16"), "application/json"),
        ('{"a":"é"}'.encode("utf-16-le"), "application/json; Charset=utf-16le"),
        ('{"a":"é"}'.encode(), "application/json; charset=nonsense"),
        ('\ufeff{"a":"é"}'.encode("utf-32"), "text/plain"),
        ('{"a":"é"}'.encode(), "application/json; charset=punycode"),
    ],
)
def test_bodies_are_read_in_their_charset(body: bytes, media_type: str) -> None:
    """A byte order mark, a declared charset, or UTF-8; a codec that is no charset is not used."""
    assert HookRequest(body, {"content-type": media_type}, _NOW).json() == {"a": "é"}


@pytest.mark.parametrize(
    "body", [b'{"a":NaN}', b'{"a":1,"a":2}', b"\xff", b"", b'{"a":', b"[" * 400]
)
def test_json_that_cannot_be_read_is_malformed(body: bytes) -> None:
    """Authors see strict JSON or none."""
    with pytest.raises(Malformed):
        HookRequest(body, {"content-type": "application/json"}, _NOW).json()


def test_names_of_header_fields_have_no_case() -> None:
    """A provider's page writes them in mixed case, and requests have them in lower case."""
    scheme = Signature("X-Acme-Signature", "{time}.{id}.{body}", time="X-Acme-Time", id="X-Acme-Id")
    headers = scheme.sign(b"{}", hook(), _NOW)
    assert headers.keys() == {"x-acme-signature", "x-acme-time", "x-acme-id"}
    scheme(HookRequest(b"{}", headers, _NOW, {}), hook())
    member = Signature("X-Acme", "{time}.{body}", time="T=", separator=",", prefix="v1=")
    assert member.sign(b"{}", hook(), _NOW)["x-acme"].startswith("T=")


@pytest.mark.parametrize("oldest", [0, -1, float("nan")])
def test_an_age_that_no_request_has_is_refused(oldest: float) -> None:
    """At its declaration, not at each request."""
    with pytest.raises(DeclarationError, match="oldest"):
        Signature("x-acme", oldest=oldest)
