"""Signatures of webhooks as data of one closed list: a scheme verifies the requests of a provider,
and signs samples as the provider would.

::

    {"scheme": "github" | "slack" | "stripe" | "standardWebhooks" | …}
        the signature of this provider or standard
    {"scheme": "hmac", "header": …, "signed": "{time}.{body}", …}
        HMAC of named parts
    {"scheme": "ecdsa" | "ed25519", "header": …, …}
        named parts, signed with the provider's private key
    {"scheme": "token", "header": …}
        the secret itself in a header field
    {"scheme": "token", "header": "Authorization", "user": …}
        the secret as the password of basic authentication
    {"scheme": "secretPath"}
        nothing: the unguessable path is the only proof
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from jackfield.connector.hook_requests import HookRequest, Malformed
from jackfield.connector.models import DeclarationError
from jackfield.connector.triggers import Forged, Hook
from jackfield.kernel.dataclass import dataclass, replace
from jackfield.kernel.pointers import names

_STANDARD = "whsec_"
_LONGEST = 4096
"""Maximum characters of a header field with signatures."""
_MOST = 16
_IDENTIFIER = re.compile(r"[A-Za-z0-9_:=/+-]{1,200}")
"""Regular expression of IDs. An ID has no dot: dots join the signed parts, so a dot could move
bytes from one part to the next.
"""
_OF_IDENTIFIERS = re.compile(r"[A-Za-z0-9_:=/+-]")
_PARTS = re.compile(r"(\{(?:id|time|body|method|url|form)\})")
_BORDERLESS = frozenset(
    {"{id}{time}{body}", "{time}{body}", "{method}{url}{body}{time}", "{url}{form}"}
)
"""Templates without separators that providers document: Twitch, Zendesk and SendGrid, HubSpot,
Twilio. The body must not have a digit next to the time.
"""
_SECONDS = re.compile(r"[0-9]{1,19}")
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_UNITS = ((10**17, 10**9), (10**14, 10**6), (10**11, 10**3))
"""Lower bounds of times in nanoseconds, microseconds and milliseconds, each with its units per
second. As seconds, the last would be the year 5138.
"""
_HEX = re.compile(r"[0-9A-Fa-f]+")
_DECIMAL = b"0123456789"


def moment(text: str) -> float | None:
    """Return a time in seconds since 1970; None if the text is not a time."""
    if _SECONDS.fullmatch(text):
        number = int(text)
        return number / next((unit for least, unit in _UNITS if number >= least), 1)
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    zone = "+00:00" if found[4] in "Zz" else found[4]
    try:
        return datetime.fromisoformat(
            f"{found[1]}T{found[2]}{(found[3] or '')[:7].ljust(7, '0') if found[3] else ''}{zone}"
        ).timestamp()
    except (ValueError, OverflowError):
        return None


def _border_fault(signed: str) -> str | None:
    """Return which parts of a template have no separator between them, so that bytes could move
    from one to the other; None if all are separated. Method and URL are known, and need no
    separator.
    """
    parts = [
        part for part in _PARTS.split(signed.replace("{method}", "").replace("{url}", "")) if part
    ]
    for before, place in enumerate(parts):
        if place not in ("{id}", "{time}"):
            continue
        kind = _OF_IDENTIFIERS if place == "{id}" else re.compile("[0-9]")
        after = parts[before + 1][0] if before + 1 < len(parts) else None
        ahead = parts[before - 1][-1] if before > 1 else None
        is_joined = after is not None and (after == "{" or kind.match(after))
        if (
            is_joined
            or (before > 0 and parts[before - 1] == "{body}")
            or (ahead is not None and kind.match(ahead))
        ):
            what = "letter, digit or one of _:=/+-" if place == "{id}" else "digit"
            return f"put a separator that is no {what} between {place} and its neighbours"
    return None


def _octets(text: str, encoding: str) -> bytes:
    """Return the decoded bytes of a received signature; empty if it does not have this encoding."""
    if encoding == "hex":
        return bytes.fromhex(text) if _HEX.fullmatch(text) and len(text) % 2 == 0 else b""
    return _from_base64(text) or b""


def _public_keys() -> Any:
    # few webhooks need them, and they need cryptography
    from jackfield.connector import public_keys

    return public_keys


def form_text(request: HookRequest) -> str:
    """Return the names and values of a form as Twilio signs them.

    :raises Forged: if the body is not a form.
    """
    try:
        return "".join(f"{name}{value}" for name, value in request.form())
    except Malformed:
        raise Forged("the body is no form") from None


def _member(request: HookRequest, place: str) -> str:
    """Return the string or number at a place of a body, as a string; an empty string if there is
    none.
    """
    try:
        found = request.json()
    except Malformed:
        return ""
    for name in names(place):
        found = found.get(name) if isinstance(found, Mapping) else None
    return str(found) if isinstance(found, str | int) else ""


def _bare(secret: str) -> str:
    """Return a Standard Webhooks secret without its prefix: ``whsec_``, or Supabase's
    ``v1,whsec_``.
    """
    return secret.strip().removeprefix("v1,").removeprefix(_STANDARD)


def _from_base64(text: str) -> bytes | None:
    """Decode base64 of either alphabet, padded or not; return None for anything else."""
    plain = text.rstrip("=").translate(str.maketrans("-_", "+/"))
    try:
        return b64decode(plain + "=" * (-len(plain) % 4), validate=True) or None
    except (NotBase64, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Signature:
    """HMAC of parts of a request in the header field ``header``, or their signature by a private
    key.

    ``signed`` is the template of the signed text, from ``{id}``, ``{time}``, ``{body}``,
    ``{method}``, ``{url}`` and ``{form}``, with a separator between the parts. The URL includes its
    query; a form is its names and values, sorted by name. ``time`` and ``id`` name the header
    fields with these values. A ``time`` that ends in ``=`` is a member of the field with the
    signature; a ``time`` that begins with ``/`` is a member of the signed body. The time is in
    seconds, milli-, micro- or nanoseconds since 1970, or in the form of RFC 3339. Such a request
    may be ``oldest`` seconds old. With a ``separator``, there may be several signatures, one of
    which must match. ``prefix`` precedes each signature. With ``base64`` as ``key``, the secret is
    base64, with or without ``whsec_``, as in Standard Webhooks. With ``ecdsa`` (SHA-256) or
    ``ed25519`` as ``algorithm``, the provider's public key replaces the secret.
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
    algorithm: Literal["hmac", "ecdsa", "ed25519"] = "hmac"

    def __post_init__(self) -> None:
        for name in ("header", "id", *(("time",) if self._has_time_header else ())):
            object.__setattr__(self, name, getattr(self, name).lower())  # as requests have them
        if not self.oldest > 0:
            raise DeclarationError(
                "a signature's 'oldest' must be more than 0 seconds: every request would be refused"
            )
        for name, members in _CLOSED.items():
            if getattr(self, name) not in members:
                raise DeclarationError(
                    f"a signature's '{name}' must be one of {', '.join(members)}"
                )
        names_time = bool(self.time) and not self.time.startswith("/")
        has_content = "{body}" in self.signed or "{form}" in self.signed
        if (
            not has_content
            or ("{time}" in self.signed) != names_time
            or ("{id}" in self.signed) != bool(self.id)
        ):
            raise DeclarationError(
                "a signature's 'signed' must name {body} or {form}, and {time} and {id} if, and "
                "only if, these have a header field"
            )
        fault = None if self.signed in _BORDERLESS else _border_fault(self.signed)
        if fault is not None:
            raise DeclarationError(f"a signature's 'signed' needs a border: {fault}")

    def __call__(self, request: HookRequest, hook: Hook) -> None:
        """Verify a request.

        :raises Forged: if no signature matches, or the request is too old.
        """
        given = request.headers.get(self.header, "")
        if not given or len(given) > _LONGEST:
            raise Forged("the signature is missing")
        parts = (
            [part.strip() for part in given.split(self.separator)] if self.separator else [given]
        )
        time, identifier = (
            self._time(request, parts),
            request.headers.get(self.id, "") if self.id else "",
        )
        if self.id and not _IDENTIFIER.fullmatch(identifier):
            raise Forged("the ID is missing or has characters that none has")
        self._check_border(request)
        found = [
            _octets(part.removeprefix(self.prefix), self.encoding)
            for part in parts
            if part.startswith(self.prefix)
        ][:_MOST]
        if not self._fits(found, self._text(request, time, identifier, hook), hook):
            raise Forged("no signature fits")
        if self.time.startswith("/"):  # only now is it known whose body it is
            self._check_time(request, _member(request, self.time))

    def _fits(self, found: list[bytes], text: bytes, hook: Hook) -> bool:
        """Return whether one of the signatures of a text is right. Signatures with a secret are
        compared in constant time.
        """
        if self.algorithm != "hmac":
            key = _secret_of(hook)[0]
            return any(_public_keys().fits(self.algorithm, key, one, text) for one in found)
        expected = [hmac.digest(key, text, self.digest) for key in self._keys(*_secret_of(hook))]
        return bool(sum(hmac.compare_digest(one, part) for one in expected for part in found))

    def sign(self, body: bytes, hook: Hook, at: float) -> dict[str, str]:
        """Return the header fields with which the provider would send a body. If there is an ID, it
        is derived from the body.

        For a private key, the secret is its seed: ``verification_key`` is the public key that
        belongs to it.
        """
        time, identifier = self._format_time(at), f"msg_{hashlib.sha256(body).hexdigest()[:24]}"
        text, secret = (
            self._text(HookRequest(body, {}, at), time, identifier, hook),
            _secret_of(hook),
        )
        is_shared = self.algorithm == "hmac"
        made = (
            hmac.digest(self._keys(*secret)[0], text, self.digest)
            if is_shared
            else _public_keys().sign_from(self.algorithm, secret[0], text)
        )
        signature = self.prefix + (
            made.hex() if self.encoding == "hex" else b64encode(made).decode()
        )
        within = self.time.endswith("=")
        signed = {
            self.header: f"{self.time}{time}{self.separator}{signature}" if within else signature
        }
        return {
            **signed,
            **({self.time: time} if self._has_time_header else {}),
            **({self.id: identifier} if self.id else {}),
        }

    def verification_key(self, seed: str) -> str:
        """Return the key that verifies signatures which ``sign`` makes with ``seed`` as the
        secret.
        """
        return (
            seed
            if self.algorithm == "hmac"
            else _public_keys().public_key_from(self.algorithm, seed, self.encoding)
        )

    def shown(self, secret: str, _inputs: object = None) -> str:
        """Return a secret as it is entered at the provider; an empty string if the provider has its
        own key.
        """
        if self.algorithm != "hmac":
            return ""
        return _STANDARD + b64encode(secret.encode()).decode() if self.key == "base64" else secret

    def check_secret(self, secret: str) -> None:
        """Check a secret as entered.

        :raises DeclarationError: if it cannot be the key of such signatures.
        """
        if self.algorithm != "hmac":
            _public_keys().check_public_key(self.algorithm, secret)
        if (
            self.key == "base64"
            and _from_base64(_bare(secret)) is None
            and _bare(secret) != secret.strip()
        ):
            raise DeclarationError(
                "the secret must be base64 after 'whsec_', as the sender shows it"
            )

    def _format_time(self, at: float) -> str:
        """Return a time in the form that a sender of this signature uses."""
        if self.signed not in _BORDERLESS or self.algorithm != "hmac":
            return str(int(at))
        if "{method}" in self.signed:  # HubSpot
            return str(int(at * 1000))
        # Twitch and Zendesk
        return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _check_border(self, request: HookRequest) -> None:
        """Check that no digit joins body and time if the template has no separator.

        :raises Forged: if a digit could belong to both.
        """
        if self.time and self.signed in _BORDERLESS:
            beside = request.body[-1:] if self.signed.endswith("{time}") else request.body[:1]
            if beside in _DECIMAL and beside:
                raise Forged("the body has a digit beside the time")

    @property
    def _has_time_header(self) -> bool:
        return bool(self.time) and not self.time.startswith("/") and not self.time.endswith("=")

    def _time(self, request: HookRequest, parts: list[str]) -> str:
        if not self.time or self.time.startswith("/"):
            return ""
        if self.time.endswith("="):
            found = [part.removeprefix(self.time) for part in parts if part.startswith(self.time)]
            time = found[0] if len(found) == 1 else ""
        else:
            time = request.headers.get(self.time, "")
        self._check_time(request, time)
        return time

    def _check_time(self, request: HookRequest, time: str) -> None:
        said = moment(time)
        if said is None:
            raise Forged(
                "the request has no time that can be read: neither a number since 1970 nor a "
                "time of RFC 3339"
            )
        if abs(request.at - said) > self.oldest:
            raise Forged(f"the request's time is more than {self.oldest:g} seconds off")

    def _text(self, request: HookRequest, time: str, identifier: str, hook: Hook) -> bytes:
        values = {"{time}": time, "{id}": identifier, "{method}": request.method}
        if "{url}" in self.signed:
            values["{url}"] = (
                f"{hook.url}?{request.query_string}" if request.query_string else hook.url
            )
        if "{form}" in self.signed:
            values["{form}"] = form_text(request)
        parts = (
            request.body if part == "{body}" else values.get(part, part).encode()
            for part in _PARTS.split(self.signed)
        )
        return b"".join(parts)

    def _keys(self, secret: str, is_entered: bool) -> list[bytes]:
        """Return the keys that a secret can mean. A secret without prefix may be base64, as
        Standard Webhooks' own library reads it, or text.
        """
        if self.key == "text":
            return [secret.encode()]
        bare = _bare(secret)
        found = _from_base64(bare) if is_entered or bare != secret.strip() else None
        if bare != secret.strip():
            if found is None:
                raise Forged("the subscription's secret is no base64")
            return [found]
        return [secret.encode()] if found is None else [found, secret.encode()]


@dataclass(frozen=True, slots=True)
class SharedToken:
    """Secret itself, in the header field ``header``. With a ``user``, it is that user's password in
    basic authentication (RFC 7617).
    """

    header: str
    user: str = ""

    def __call__(self, request: HookRequest, hook: Hook) -> None:
        """Verify a request.

        :raises Forged: if it does not contain the secret.
        """
        if not hmac.compare_digest(
            self._field(hook).encode(),
            request.headers.get(self.header, "").encode("utf-8", "surrogateescape"),
        ):
            raise Forged("the token does not fit")

    def sign(self, _body: bytes, hook: Hook, _at: float) -> dict[str, str]:
        """Return the header fields with which the provider would send a body."""
        return {self.header: self._field(hook)}

    def shown(self, secret: str, _inputs: object = None) -> str:
        """Return a secret as it is entered at the provider."""
        return secret

    def _field(self, hook: Hook) -> str:
        secret = secret_of(hook)
        return (
            f"Basic {b64encode(f'{self.user}:{secret}'.encode()).decode()}" if self.user else secret
        )


@dataclass(frozen=True, slots=True)
class SecretPath:
    """Protection by the unguessable path of the URL alone, for providers that do not sign. Anyone
    who learns the URL can forge requests.
    """

    def __call__(self, _request: HookRequest, _hook: Hook) -> None:
        """Accept a request, since its path is the proof."""

    def sign(self, _body: bytes, _hook: Hook, _at: float) -> dict[str, str]:
        """Return no header fields."""
        return {}

    def shown(self, _secret: str, _inputs: object = None) -> str:
        """Return an empty string, since there is no secret to enter."""
        return ""


Scheme = Signature | SharedToken | SecretPath

_CLOSED: Mapping[str, tuple[str, ...]] = {
    "algorithm": ("hmac", "ecdsa", "ed25519"),
    "encoding": ("hex", "base64"),
    "digest": ("sha256", "sha512", "sha1"),
    "key": ("text", "base64"),
}
NAMED: Mapping[str, Scheme] = {
    "github": Signature("x-hub-signature-256", prefix="sha256="),
    "slack": Signature(
        "x-slack-signature", "v0:{time}:{body}", prefix="v0=", time="x-slack-request-timestamp"
    ),
    "stripe": Signature(
        "stripe-signature", "{time}.{body}", prefix="v1=", separator=",", time="t="
    ),
    "standardWebhooks": Signature(
        "webhook-signature",
        "{id}.{time}.{body}",
        prefix="v1,",
        encoding="base64",
        separator=" ",
        time="webhook-timestamp",
        id="webhook-id",
        key="base64",
    ),
    "svix": Signature(
        "svix-signature",
        "{id}.{time}.{body}",
        prefix="v1,",
        encoding="base64",
        separator=" ",
        time="svix-timestamp",
        id="svix-id",
        key="base64",
    ),
    "twitch": Signature(
        "twitch-eventsub-message-signature",
        "{id}{time}{body}",
        prefix="sha256=",
        time="twitch-eventsub-message-timestamp",
        id="twitch-eventsub-message-id",
    ),
    "zendesk": Signature(
        "x-zendesk-webhook-signature",
        "{time}{body}",
        encoding="base64",
        time="x-zendesk-webhook-signature-timestamp",
    ),
    "hubspot": Signature(
        "x-hubspot-signature-v3",
        "{method}{url}{body}{time}",
        encoding="base64",
        time="x-hubspot-request-timestamp",
    ),
    "zoom": Signature(
        "x-zm-signature", "v0:{time}:{body}", prefix="v0=", time="x-zm-request-timestamp"
    ),
    "shopify": Signature("x-shopify-hmac-sha256", encoding="base64"),
    "xero": Signature("x-xero-signature", encoding="base64"),
    "twilio": Signature("x-twilio-signature", "{url}{form}", encoding="base64", digest="sha1"),
    "sendgrid": Signature(
        "x-twilio-email-event-webhook-signature",
        "{time}{body}",
        encoding="base64",
        time="x-twilio-email-event-webhook-timestamp",
        algorithm="ecdsa",
    ),
    "secretPath": SecretPath(),
}
"""Schemes without settings."""
_PLAIN = Signature("signature")
_MADE: Mapping[str, Signature | SharedToken] = {
    "hmac": _PLAIN,
    "ecdsa": replace(_PLAIN, algorithm="ecdsa"),
    "ed25519": replace(_PLAIN, algorithm="ed25519"),
    "token": SharedToken("token"),
}
"""Schemes with settings, and their default settings."""
SCHEMES = (*NAMED, *_MADE)
"""Names of all schemes, as a closed list."""


def secret_of(hook: Hook) -> str:
    """Return the provider's secret of the registration, else the input ``signingSecret``, else the
    subscription's own secret.
    """
    return _secret_of(hook)[0]


def _secret_of(hook: Hook) -> tuple[str, bool]:
    """Return the secret, and whether it is the provider's, which has the provider's encoding."""
    made = hook.remote.get("secret")
    entered = (
        None if hook.inputs is None else hook.inputs.model_dump(by_alias=True).get("signingSecret")
    )
    found = made or entered
    return str(found or hook.secret), bool(found)


def scheme_of(row: Mapping[str, Any]) -> Scheme:
    """Return the scheme that a JSON object describes.

    :raises DeclarationError: if the scheme is not in the closed list, or its settings are not
        valid.
    """
    name, settings = (
        row.get("scheme"),
        {key: value for key, value in row.items() if key != "scheme"},
    )
    if name in NAMED and not settings:
        return NAMED[str(name)]
    made = _MADE.get(str(name))
    if made is None:
        raise DeclarationError(
            f"a webhook's signature must be one of {', '.join(SCHEMES)}; only {', '.join(_MADE)} "
            "have settings"
        )
    known = {field.name for field in _fields(made)} - {"oldest", "algorithm"}
    if (
        not settings.get("header")
        or settings.keys() - known
        or not all(isinstance(value, str) for value in settings.values())
    ):
        raise DeclarationError(
            f"the signature '{name}' takes strings, a 'header' among them: "
            f"{', '.join(sorted(known))}"
        )
    return replace(made, **{**settings, "header": settings["header"].lower()})


def row_of(scheme: Scheme) -> dict[str, Any]:
    """Return a scheme as a JSON object."""
    name = next((name for name, one in NAMED.items() if one == scheme), None)
    if name is not None:
        return {"scheme": name}
    usual = {field.name: field.default for field in _fields(scheme)}
    given = {
        key: getattr(scheme, key)
        for key in usual
        if key != "algorithm" and getattr(scheme, key) != usual[key]
    }
    return {"scheme": scheme.algorithm if isinstance(scheme, Signature) else "token", **given}


def _fields(scheme: Any) -> tuple[Any, ...]:
    from dataclasses import fields  # cold commands have no use for it

    found: tuple[Any, ...] = fields(scheme)
    return found
