"""Trigger ``webhook`` of the connector ``http``: any POST that is signed, or that is sent to an
unguessable path.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Literal, Self

from pydantic import model_validator

from jackfield.connector import (
    DeclarationError,
    Field,
    Hook,
    HookRequest,
    Inputs,
    Malformed,
    Output,
    Received,
    TriggerEvent,
    scheme_of,
)
from jackfield.connector.signatures import Scheme, Signature
from jackfield_http.challenges import SCHEMA, Challenge, challenge_of
from jackfield_http.pointers import find
from jackfield_http.request.connector import connector

_LONGEST = 200
_TITLES = {
    "standardWebhooks": "Standard Webhooks",
    "svix": "Svix",
    "hmac": "Another HMAC",
    "token": "Token in a header field",
    "secretPath": "None: only the URL is secret",
    "github": "GitHub",
    "slack": "Slack",
    "stripe": "Stripe",
    "twitch": "Twitch",
    "zendesk": "Zendesk",
    "hubspot": "HubSpot",
    "zoom": "Zoom",
    "shopify": "Shopify",
    "xero": "Xero",
    "twilio": "Twilio",
    "sendgrid": "SendGrid",
    "ecdsa": "Private key, ECDSA",
    "ed25519": "Private key, Ed25519",
}
_OF_KEYS = {"signature": ["hmac", "ecdsa", "ed25519"]}
_OF_FIELD = {"signature": ["hmac", "ecdsa", "ed25519", "token"]}
_SETTINGS = ("header", "signed", "prefix", "separator", "time", "id", "encoding", "digest")


class WebhookInputs(Inputs):
    """The sender's signature, and the parts of a request that make an event."""

    signature: Literal[
        "standardWebhooks",
        "svix",
        "hmac",
        "token",
        "secretPath",
        "github",
        "slack",
        "stripe",
        "twitch",
        "zendesk",
        "hubspot",
        "zoom",
        "shopify",
        "xero",
        "twilio",
        "sendgrid",
        "ecdsa",
        "ed25519",
    ] = Field(
        "standardWebhooks",
        title="Signature",
        titles=_TITLES,
        description="How the sender signs: by Standard Webhooks, as the named provider does, by "
        "an HMAC or a private key as the fields "
        "below describe, by a token in a header field, or not at all: then the unguessable path "
        "is the only proof.",
    )
    signing_secret: str | None = Field(
        None,
        title="Signing Secret",
        secret=True,
        schema={"minLength": 16, "maxLength": 1000},
        description=(
            "The sender's secret or public key, if it makes its own. Left out, jackfield "
            "makes a secret and shows it once."
        ),
    )
    header: str | None = Field(
        None,
        title="Header",
        shown_for=_OF_FIELD,
        description="The header field with the signature or token.",
        schema={"maxLength": _LONGEST, "pattern": r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"},
    )
    signed: str | None = Field(
        None,
        title="Signed Text",
        shown_for=_OF_KEYS,
        schema={"maxLength": _LONGEST},
        description=(
            "What is signed, such as {time}.{body}, of {id}, {time}, {body}, {form}, "
            "{method}, {url}. Default: body."
        ),
    )
    prefix: str | None = Field(
        None,
        title="Prefix",
        shown_for=_OF_KEYS,
        description="Text before the signature, such as sha256=.",
        schema={"maxLength": 40},
    )
    separator: str | None = Field(
        None,
        title="Separator",
        shown_for=_OF_KEYS,
        description="What is between several signatures.",
        schema={"maxLength": 4},
    )
    time: str | None = Field(
        None,
        title="Time Header",
        shown_for=_OF_KEYS,
        description="The header field with the time: seconds or milliseconds since 1970, or RFC "
        "3339. "
        "With a slash in front, a member of the body.",
        schema={"maxLength": _LONGEST, "pattern": "^[!-~]+$"},
    )
    id: str | None = Field(
        None,
        title="ID Header",
        shown_for=_OF_KEYS,
        description="The header field with the ID.",
        schema={"maxLength": _LONGEST, "pattern": "^[!-~]+$"},
    )
    encoding: Literal["hex", "base64"] | None = Field(
        None, title="Encoding", shown_for=_OF_KEYS, description="How the signature is written."
    )
    digest: Literal["sha256", "sha512", "sha1"] | None = Field(
        None, title="Digest", shown_for=_OF_KEYS, description="The hash of the signature."
    )
    event_id: str | None = Field(
        None,
        title="Event ID",
        schema={"pattern": "^/", "maxLength": _LONGEST},
        description="JSON Pointer of the event's ID in the body, such as /id: an event with the "
        "same ID is the same event. By default, "
        "it is the signed ID of the request, else a digest of the body.",
    )

    challenge: dict[str, Any] | None = Field(
        None,
        title="Challenge",
        schema=SCHEMA,
        description="How the sender checks the URL before it sends, and the answer: where the "
        "challenge is, such as "
        '{"query": "validationToken"}.',
    )
    challenge_token: str | None = Field(
        None,
        title="Challenge Token",
        secret=True,
        schema={"minLength": 1, "maxLength": 1000},
        description=(
            "The token that the sender shows where the challenge has 'verify'. By default, "
            "it is the subscription's secret."
        ),
    )

    @model_validator(mode="after")
    def _describes_one(self) -> Self:
        try:
            scheme = self.scheme
            if isinstance(scheme, Signature) and (
                self.signing_secret is not None or scheme.algorithm != "hmac"
            ):
                scheme.check_secret(self.signing_secret or "")
            handshake = self.handshake
        except DeclarationError as error:
            raise ValueError(str(error)) from None
        if handshake is not None and handshake.secret:
            raise ValueError(
                "a secret is learnt only by a trigger that registers its URL: enter it as "
                "'signingSecret'"
            )
        return self

    @property
    def scheme(self) -> Scheme:
        """Signature scheme that the fields describe."""
        given = {name: value for name in _SETTINGS if (value := getattr(self, name)) is not None}
        return scheme_of({"scheme": self.signature, **given})

    @property
    def handshake(self) -> Challenge | None:
        """Handshake with which the sender begins; None without one."""
        return None if self.challenge is None else challenge_of(self.challenge)


class Arrived(Output):
    """A request that was received. Header fields are left out: they are not signed."""

    body: Any = Field(None, title="Body", description="The body, if it is JSON.")
    text: str | None = Field(
        None,
        title="Text",
        description="The body, if it is something else, or JSON that cannot be read.",
    )


class _Chosen:
    """Signature scheme that a subscription's inputs describe."""

    def __call__(self, request: HookRequest, hook: Hook) -> None:
        """Verify a request.

        :raises Forged: if the request's signature does not match the inputs.
        """
        hook.inputs.scheme(request, hook)

    def sign(self, body: bytes, hook: Hook, at: float) -> Mapping[str, str]:
        """Return the header fields with which the sender would send a body."""
        found: Mapping[str, str] = hook.inputs.scheme.sign(body, hook, at)
        return found

    def shown(self, secret: str, inputs: Mapping[str, Any]) -> str:
        """Return a secret in the form in which a person enters it at the sender."""
        return WebhookInputs.model_validate(dict(inputs)).scheme.shown(secret)


webhook = connector.webhook(
    "webhook",
    verify=_Chosen(),
    inputs=WebhookInputs,
    event=Arrived,
    types=("received",),
    title="Webhook",
    setup="Enter the subscription's URL at the sender, and its secret, which is shown once. If "
    "the sender makes its own secret, enter that "
    "as **Signing Secret** instead.",
    examples=[
        {
            "title": "A parcel",
            "request": {"body": {"id": "p-1"}},
            "events": [{"body": {"id": "p-1"}}],
        }
    ],
)


@webhook.handshake
def answer(request: HookRequest, hook: Hook) -> Received | None:
    """Answer the handshake that the subscription describes, if the handshake is not signed; None
    for other requests.
    """
    handshake: Challenge | None = hook.inputs.handshake
    return None if handshake is None else handshake.before(request, hook)


@webhook.receive
def receive(request: HookRequest, hook: Hook) -> Received:
    """Any signed POST, or one to an unguessable path.

    The body is the event: JSON as it is, anything else as text. The same request is the same event
    for 14 days.
    """
    inputs: WebhookInputs = hook.inputs
    try:
        data: dict[str, Any] = {"body": request.json()}
    except Malformed:  # refused, it would come again and again, and be lost in the end
        return Received([TriggerEvent({"text": request.text}, _request_key(request, inputs))])
    handshake = inputs.handshake
    answered = None if handshake is None else handshake.after(request, data["body"], hook)
    return answered or Received([TriggerEvent(data, _key(request, inputs, data))])


def _key(request: HookRequest, inputs: WebhookInputs, data: Mapping[str, Any]) -> str:
    if inputs.event_id is None:
        return _request_key(request, inputs)
    found = find(data["body"], inputs.event_id)
    if not isinstance(found, str | int) or found == "":
        raise Malformed
    return str(found)


def _request_key(request: HookRequest, inputs: WebhookInputs) -> str:
    """Return the signed ID of a request, else a digest of its body."""
    scheme = inputs.scheme
    signed_id = scheme.id if isinstance(scheme, Signature) else ""
    return request.headers.get(signed_id) or sha256(request.body).hexdigest()
