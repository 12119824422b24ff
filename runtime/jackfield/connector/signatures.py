"""Signatures of webhooks as data of one closed list: a scheme verifies the requests of a provider, and signs samples as the provider would.

::

    {"scheme": "github" | "slack" | "stripe" | "standardWebhooks"}        as these sign
    {"scheme": "hmac", "header": …, "signed": "{time}.{body}", …}         HMAC of parts that are named
    {"scheme": "token", "header": …}                                      the secret itself in a header field
    {"scheme": "secretPath"}                                              nothing: the unguessable path is the only proof
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from typing import Any, Literal

from jackfield.connector.models import DeclarationError
from jackfield.connector.triggers import Forged, Hook, HookRequest
from jackfield.dataclass import dataclass

_STANDARD = "whsec_"
_LONGEST = 4096
"""Characters of a header field with signatures."""
_MOST = 16
"""Signatures in one header field."""
_IDENTIFIER = re.compile(r"[A-Za-z0-9_:=/+-]{1,200}")
"""No dot: the signed parts are joined by dots, so one in the ID would move the border to the next part."""


@dataclass(frozen=True, slots=True)
class Signature:
    """HMAC of parts of a request in the header field ``header``, whose name is in lower case.

    ``signed`` is what is signed, from ``{id}``, ``{time}`` and ``{body}``. ``time`` and ``id`` name header fields with these; a ``time``
    that ends in ``=`` is a member of the field with the signature. Such a request may be ``oldest`` seconds old. With a ``separator``,
    there may be several signatures, of which one must fit. ``prefix`` stands before each. With ``base64`` as ``key``, the secret is
    ``whsec_`` and base64, as Standard Webhooks have it.
    """

    header: str
    signed: str = "{body}"
    prefix: str = ""
    encoding: Literal["hex", "base64"] = "hex"
    digest: Literal["sha256", "sha512", "sha1"] = "sha256"
    separator: str = ""
    time: str = ""
    id: str = ""
    key: Literal["text", "base64"] = "text"
    oldest: float = 300.0

    def __post_init__(self) -> None:
        for name, members in _CLOSED.items():
            if getattr(self, name) not in members:
                raise DeclarationError(f"a signature's '{name}' must be one of {', '.join(members)}")
        if "{body}" not in self.signed or ("{time}" in self.signed) != bool(self.time) or ("{id}" in self.signed) != bool(self.id):
            raise DeclarationError(
                "a signature's 'signed' must name {body}, and {time} and {id} if, and only if, these have a header field"
            )

    def __call__(self, request: HookRequest, hook: Hook) -> None:
        """Verify a request.

        :raises Forged: if no signature fits, or it is too old.
        """
        given = request.headers.get(self.header, "")
        if not given or len(given) > _LONGEST:
            raise Forged("the signature is missing")
        parts = [part.strip() for part in given.split(self.separator)] if self.separator else [given]
        time, identifier = self._time(request, parts), request.headers.get(self.id, "") if self.id else ""
        if self.id and not _IDENTIFIER.fullmatch(identifier):
            raise Forged("the ID is missing or has characters that none has")
        expected = self._signature(secret_of(hook), request.body, time, identifier).encode()
        found = [part.removeprefix(self.prefix) for part in parts if part.startswith(self.prefix)][:_MOST]
        fitting = sum(hmac.compare_digest(expected, part.encode("utf-8", "surrogateescape")) for part in found)  # each is compared
        if not fitting:
            raise Forged("no signature fits")

    def sign(self, body: bytes, hook: Hook, at: float) -> dict[str, str]:
        """Return the header fields with which the provider would send a body. The ID, if it has one, is made from the body."""
        time, identifier = str(int(at)), f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
        signature = self.prefix + self._signature(secret_of(hook), body, time, identifier)
        within = self.time.endswith("=")
        signed = {self.header: f"{self.time}{time}{self.separator}{signature}" if within else signature}
        return {**signed, **({self.time: time} if self.time and not within else {}), **({self.id: identifier} if self.id else {})}

    def shown(self, secret: str, _inputs: object = None) -> str:
        """Return a secret as it is entered at the provider."""
        return _STANDARD + b64encode(secret.encode()).decode() if self.key == "base64" else secret

    def _time(self, request: HookRequest, parts: list[str]) -> str:
        if not self.time:
            return ""
        if self.time.endswith("="):
            found = [part.removeprefix(self.time) for part in parts if part.startswith(self.time)]
            time = found[0] if len(found) == 1 else ""
        else:
            time = request.headers.get(self.time, "")
        if not (time.isascii() and time.isdigit() and len(time) < 13) or abs(request.at - int(time)) > self.oldest:
            raise Forged("the request is too old, or has no time")
        return time

    def _signature(self, secret: str, body: bytes, time: str, identifier: str) -> str:
        before, _, after = self.signed.replace("{time}", time).replace("{id}", identifier).partition("{body}")
        made = hmac.digest(self._key(secret), before.encode() + body + after.encode(), self.digest)
        return made.hex() if self.encoding == "hex" else b64encode(made).decode()

    def _key(self, secret: str) -> bytes:
        if self.key == "text" or not secret.startswith(_STANDARD):
            return secret.encode()
        try:
            return b64decode(secret.removeprefix(_STANDARD), validate=True)
        except NotBase64:
            raise Forged("the subscription's secret is no base64") from None


@dataclass(frozen=True, slots=True)
class SharedToken:
    """The secret itself, in the header field ``header``."""

    header: str

    def __call__(self, request: HookRequest, hook: Hook) -> None:
        """Verify a request.

        :raises Forged: if it has not the secret.
        """
        if not hmac.compare_digest(secret_of(hook).encode(), request.headers.get(self.header, "").encode("utf-8", "surrogateescape")):
            raise Forged("the token does not fit")

    def sign(self, _body: bytes, hook: Hook, _at: float) -> dict[str, str]:
        """Return the header fields with which the provider would send a body."""
        return {self.header: secret_of(hook)}

    def shown(self, secret: str, _inputs: object = None) -> str:
        """Return a secret as it is entered at the provider."""
        return secret


@dataclass(frozen=True, slots=True)
class SecretPath:
    """Nothing but the path of the URL, which cannot be guessed: for providers that do not sign. Whoever learns the URL can forge."""

    def __call__(self, _request: HookRequest, _hook: Hook) -> None:
        """Accept a request: its path was found."""

    def sign(self, _body: bytes, _hook: Hook, _at: float) -> dict[str, str]:
        """Return no header fields."""
        return {}

    def shown(self, _secret: str, _inputs: object = None) -> str:
        """Return nothing: there is no secret to enter."""
        return ""


Scheme = Signature | SharedToken | SecretPath

_CLOSED: Mapping[str, tuple[str, ...]] = {
    "encoding": ("hex", "base64"), "digest": ("sha256", "sha512", "sha1"), "key": ("text", "base64"),
}  # fmt: skip
NAMED: Mapping[str, Scheme] = {
    "github": Signature("x-hub-signature-256", prefix="sha256="),
    "slack": Signature("x-slack-signature", "v0:{time}:{body}", prefix="v0=", time="x-slack-request-timestamp"),
    "stripe": Signature("stripe-signature", "{time}.{body}", prefix="v1=", separator=",", time="t="),
    "standardWebhooks": Signature(
        "webhook-signature", "{id}.{time}.{body}", prefix="v1,", encoding="base64", separator=" ",
        time="webhook-timestamp", id="webhook-id", key="base64",
    ),
    "secretPath": SecretPath(),
}  # fmt: skip
"""Schemes that have no settings."""
_MADE: Mapping[str, type[Signature | SharedToken]] = {"hmac": Signature, "token": SharedToken}
SCHEMES = (*NAMED, *_MADE)
"""The closed list."""


def secret_of(hook: Hook) -> str:
    """Return the secret that the provider made when the hook was registered, else the one that was entered as ``signingSecret``, else the
    subscription's own."""
    made = hook.remote.get("secret")
    entered = None if hook.inputs is None else hook.inputs.model_dump(by_alias=True).get("signingSecret")
    found = made or entered or hook.secret
    return str(found)


def scheme_of(row: Mapping[str, Any]) -> Scheme:
    """Return the scheme that a JSON object describes.

    :raises DeclarationError: if it is none of the closed list, or its settings are not valid.
    """
    name, settings = row.get("scheme"), {key: value for key, value in row.items() if key != "scheme"}
    if name in NAMED and not settings:
        return NAMED[str(name)]
    made = _MADE.get(str(name))
    if made is None:
        raise DeclarationError(f"a webhook's signature must be one of {', '.join(SCHEMES)}; only {' and '.join(_MADE)} have settings")
    known = {field.name for field in _fields(made)} - {"oldest"}
    if not settings.get("header") or settings.keys() - known or not all(isinstance(value, str) for value in settings.values()):
        raise DeclarationError(f"the signature '{name}' takes strings, a 'header' among them: {', '.join(sorted(known))}")
    return made(**{**settings, "header": settings["header"].lower()})


def row_of(scheme: Scheme) -> dict[str, Any]:
    """Return a scheme as a JSON object."""
    name = next((name for name, one in NAMED.items() if one == scheme), None)
    if name is not None:
        return {"scheme": name}
    usual = {field.name: field.default for field in _fields(scheme)}
    given = {key: getattr(scheme, key) for key in usual if getattr(scheme, key) != usual[key]}
    return {"scheme": "hmac" if isinstance(scheme, Signature) else "token", **given}


def _fields(scheme: Any) -> tuple[Any, ...]:
    from dataclasses import fields  # cold commands have no use for it

    found: tuple[Any, ...] = fields(scheme)
    return found
