"""Handshakes by which providers check a webhook's URL before they send to it, as data: where the
challenge is, and how it is answered.

::

    {"query": "validationToken"}
        Microsoft Graph, Dropbox (``challenge``): the value comes back
    {"query": "hub.challenge", "verify": "hub.verify_token"}
        Meta, WebSub: if the token is the subscription's
    {"member": "/type", "equals": "url_verification", "answer": "/challenge"}
        Slack: in a signed body
    {"header": "twitch-eventsub-message-type", "equals": "webhook_callback_verification",
     "answer": "/challenge"}
        Twitch
    {"member": …, "equals": …, "answer": "/payload/plainToken",
     "json": {"plainToken": "{challenge}", "encryptedToken": "{hmac}"}}
        Zoom
    {"secret": "x-hook-secret"}
        Asana: the first request brings the secret, which comes back
    {"head": true}
        Intercom: HEAD
    {"origin": "*"}
        CloudEvents: OPTIONS with WebHook-Request-Origin
"""

from __future__ import annotations

import hmac
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Literal

from jackfield.connector import DeclarationError, Forged, Hook, HookRequest, Malformed, Received
from jackfield.connector.signatures import secret_of
from jackfield.kernel.dataclass import dataclass
from jackfield_http.pointers import find

_LONGEST = 4096
"""Maximum number of characters of an answer. A longer challenge is refused: part of it would be a
wrong answer.
"""
_PLAIN = re.compile(r"[A-Za-z0-9_=+/-]{1,200}")
"""Regular expression of challenges whose HMAC may be returned. A signed body or another signed text
cannot match.
"""
_SECRET = re.compile(r"[!-~]{16,200}")
_ORIGIN = re.compile(r"[A-Za-z0-9.:_-]{1,253}")
_TEXT = {"type": "string", "minLength": 1, "maxLength": 200}
_PLACE = {**_TEXT, "pattern": "^/"}
SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "query": {
            **_TEXT,
            "description": (
                "Query parameter with the challenge: any request with it is answered, signed "
                "or not."
            ),
        },
        "verify": {
            **_TEXT,
            "description": "Query parameter with the token that must be the subscription's own.",
        },
        "member": {
            **_PLACE,
            "description": "Member of a signed body that says that it is a handshake.",
        },
        "header": {**_TEXT, "description": "Header field that says so."},
        "equals": {"type": "string", "maxLength": 200, "description": "What it says."},
        "answer": {**_PLACE, "description": "The challenge in the body."},
        "json": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 10,
            "additionalProperties": {"type": "string", "maxLength": 200},
            "description": (
                "Members of an answer in JSON: '{challenge}' and '{hmac}', its HMAC with the "
                "secret, stand for these."
            ),
        },
        "encoding": {"enum": ["hex", "base64"], "description": "How the HMAC is written."},
        "digest": {"enum": ["sha256", "sha512", "sha1"]},
        "origin": {**_TEXT, "description": "CloudEvents: the origin that may send, or '*'."},
        "secret": {
            **_TEXT,
            "description": "Header field of the first request, with the secret of all later ones, "
            "which comes back. A trigger "
            "that registers its URL learns the secret so, once.",
        },
        "head": {"const": True, "description": "A HEAD request is answered with 200."},
    },
    "oneOf": [
        {"required": ["query"]},
        {"required": ["member", "equals", "answer"]},
        {"required": ["header", "equals", "answer"]},
        {"required": ["origin"]},
        {"required": ["head"]},
        {"required": ["secret"]},
    ],
    "dependentRequired": {"verify": ["query"], "encoding": ["json"], "digest": ["json"]},
    "additionalProperties": False,
}
"""Schema of a handshake."""


@dataclass(frozen=True, slots=True)
class Challenge:
    """Handshake of a provider; ``SCHEMA`` has the same members."""

    query: str = ""
    verify: str = ""
    member: str = ""
    header: str = ""
    equals: str = ""
    answer: str = ""
    json: Mapping[str, str] | None = None
    encoding: Literal["hex", "base64"] = "hex"
    digest: Literal["sha256", "sha512", "sha1"] = "sha256"
    origin: str = ""
    head: bool = False
    secret: str = ""

    def before(self, request: HookRequest, hook: Hook) -> Received | None:
        """Answer an unsigned handshake: a query parameter, OPTIONS or HEAD. Return None if the
        request is no handshake.

        :raises Forged: if the token is not the subscription's.
        :raises Malformed: if the challenge cannot be returned.
        """
        if self.head and request.method == "HEAD":
            return Received()
        if self.secret and self.secret.lower() in request.headers:
            return self._learnt(request.headers[self.secret.lower()], hook)
        if self.origin and request.method == "OPTIONS":
            return self._allowed(request.headers.get("webhook-request-origin", ""))
        if not self.query or self.query not in request.query:
            return None
        if self.verify:
            given = request.query.get(self.verify, "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(_token_of(hook).encode(), given):
                raise Forged("the token of the handshake does not fit")
        return self._answer(request.query[self.query], hook)

    def after(self, request: HookRequest, body: Any, hook: Hook) -> Received | None:
        """Answer a handshake in the body of a verified request. Return None if the request is no
        handshake.

        :raises Malformed: if it has no challenge that can be returned.
        """
        if not self.answer:
            return None
        said = request.headers.get(self.header.lower()) if self.header else find(body, self.member)
        if said != self.equals:
            return None
        found = find(body, self.answer)
        if not isinstance(found, str | int):
            raise Malformed
        return self._answer(str(found), hook)

    def _learnt(self, secret: str, hook: Hook) -> Received:
        """Learn the secret that the first request carries. The request is unsigned, so it never
        replaces a known secret.

        :raises Forged: if a secret is known.
        :raises Malformed: if the text cannot be a secret.
        """
        if "secret" in hook.remote:
            raise Forged("the secret is known, and is not learnt again")
        if not _SECRET.fullmatch(secret):
            raise Malformed
        return Received(remote={"secret": secret}, headers={self.secret: secret})

    def _answer(self, challenge: str, hook: Hook) -> Received:
        if not challenge.isprintable() or len(challenge) > _LONGEST:
            raise Malformed
        if self.json is None:
            return Received(answer=challenge)
        if not _PLAIN.fullmatch(challenge):
            raise Malformed
        made = hmac.digest(secret_of(hook).encode(), challenge.encode(), self.digest)
        proof = made.hex() if self.encoding == "hex" else b64encode(made).decode()
        found = {
            name: text.replace("{challenge}", challenge).replace("{hmac}", proof)
            for name, text in self.json.items()
        }
        return Received(answer=json.dumps(found), media_type="application/json")

    def _allowed(self, origin: str) -> Received:
        if not _ORIGIN.fullmatch(origin) or self.origin not in ("*", origin):
            raise Forged("this origin may not send")
        return Received(headers={"WebHook-Allowed-Origin": origin, "WebHook-Allowed-Rate": "*"})


def challenge_of(row: Mapping[str, Any]) -> Challenge:
    """Return the handshake that a JSON object describes.

    :raises DeclarationError: if the object describes none.
    """
    kinds = [
        name for name in ("query", "member", "header", "origin", "head", "secret") if row.get(name)
    ]
    if len(kinds) != 1 or row.keys() - SCHEMA["properties"].keys():
        raise DeclarationError(
            "a handshake is found by one of query, member, header, origin, head and secret"
        )
    if kinds[0] in ("member", "header") and not ("equals" in row and row.get("answer")):
        raise DeclarationError(
            f"a handshake that is found by '{kinds[0]}' needs 'equals' and 'answer'"
        )
    if row.get("verify") and kinds[0] != "query":
        raise DeclarationError("'verify' belongs to a handshake that is found by 'query'")
    return Challenge(**row)


def _token_of(hook: Hook) -> str:
    entered = (
        None if hook.inputs is None else hook.inputs.model_dump(by_alias=True).get("challengeToken")
    )
    return str(entered or hook.secret)
