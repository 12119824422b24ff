"""Webhooks of a fake provider: a trigger's samples are sent to a running subscription, signed as by
the provider, and forged.

The manifest's scheme makes the signatures; tests with known answers prove each scheme separately.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl

from jackfield.connector import Hook
from jackfield.connector.signatures import Signature
from jackfield.connector.triggers import Webhook
from jackfield.kernel.pointers import names
from jackfield_market.testing.driving import SECRET

_CHALLENGE = "fake-challenge-4711"
_FORGED, _OFTEN = 401, 429
"""Statuses of the answers to a forged request, and to a request over a rate limit."""
_LATE = 60.0
"""Seconds by which a request exceeds the permitted age."""

Json = Mapping[str, Any]


@dataclass(frozen=True)
class HookCall:
    """Request of the fake. ``status`` is the expected status of the answer, ``answer`` a text that
    its body must contain.
    """

    what: str
    body: bytes
    headers: Mapping[str, str]
    status: int
    query: str = ""
    method: str = "POST"
    answer: str = ""


class FakeHooks:
    """Sender of one webhook of a connector."""

    def __init__(self, trigger: Webhook, row: Json) -> None:
        self._trigger = trigger
        self._example: Json = next(one for one in trigger.examples if "request" in one)
        self._challenge: Json = row.get("http", {}).get("challenge", {})
        self._scheme = trigger.verify

    @property
    def inputs(self) -> dict[str, Any]:
        """Return the inputs of a subscription: the example's inputs, with the public key in place
        of a private signing key.
        """
        given = dict(self._example.get("inputs", {}))
        if isinstance(self._scheme, Signature) and "signingSecret" in given:
            given["signingSecret"] = self._scheme.verification_key(given["signingSecret"])
        return given

    def calls(self, url: str, secret: str, now: float) -> Iterator[HookCall]:
        """Yield requests for a subscription with this URL and secret: the sample, its repetition,
        forged requests, the handshake.
        """
        hook = Hook(
            url, secret, self._trigger.inputs.model_validate(dict(self._example.get("inputs", {})))
        )
        body, oldest = self._body(now), self._oldest
        signed = self._signed(body, hook, now)
        yield HookCall("of the sample", body, signed, 200)
        yield HookCall("of the sample again", body, signed, 200)
        yield HookCall("without a signature", body, self._plain, 401)
        others = self._trigger.inputs.model_validate(
            {**self._example.get("inputs", {}), **self._other}
        )
        other = replace(hook, secret=SECRET[::-1], inputs=others)
        yield HookCall("with another key", body, self._signed(body, other, now), 401)
        for name in signed.keys() - self._plain.keys():
            yield HookCall(
                f"with {name} twice",
                body,
                {**signed, name: signed[name] + self._last(signed[name])},
                401,
            )
            yield HookCall(f"with a part of {name}", body, {**signed, name: signed[name][:-3]}, 401)
        if self._signs_body:
            yield HookCall(
                "with a changed body",
                body.replace(b":", b": ").replace(b"=", b"=4711", 1),
                signed,
                401,
            )
        if oldest is not None:
            for at in (now - oldest - _LATE, now + oldest + _LATE):
                late = self._body(at)
                yield HookCall(f"of {at - now:+g} seconds", late, self._signed(late, hook, at), 401)
        yield from self._handshake(hook, now)

    @property
    def _plain(self) -> dict[str, str]:
        return {
            name.lower(): value
            for name, value in self._example["request"].get("headers", {}).items()
        }

    @property
    def _other(self) -> dict[str, str]:
        return (
            {"signingSecret": SECRET[::-1]}
            if "signingSecret" in self._example.get("inputs", {})
            else {}
        )

    @property
    def _signs_body(self) -> bool:
        return isinstance(self._scheme, Signature)

    def _last(self, signed: str) -> str:
        """Return the last part of a signature's header field.

        A field that also contains the time cannot be repeated as a whole, since one of its halves
        would still be valid.
        """
        separator = self._scheme.separator if isinstance(self._scheme, Signature) else ""
        return signed.rpartition(separator)[2] if separator else signed

    @property
    def _oldest(self) -> float | None:
        return (
            self._scheme.oldest
            if isinstance(self._scheme, Signature) and self._scheme.time
            else None
        )

    def _body(self, at: float) -> bytes:
        """Return the body of the sample at the time ``at``."""
        given = self._example["request"]["body"]
        place = self._scheme.time if isinstance(self._scheme, Signature) else ""
        if place.startswith("/"):
            given = _put(given, names(place), int(at * 1000))
        return (given if isinstance(given, str) else json.dumps(given)).encode()

    def _signed(self, body: bytes, hook: Hook, at: float) -> dict[str, str]:
        signs = self._trigger.signs
        return {**self._plain, **(signs(body, hook, at) if signs is not None else {})}

    def _handshake(self, hook: Hook, now: float) -> Iterator[HookCall]:
        about = self._challenge
        if "query" in about:
            token = f"&{about['verify']}={hook.secret}" if "verify" in about else ""
            query = f"{about['query']}={_CHALLENGE}{token}"
            yield HookCall("of the handshake", b"", {}, 200, query, "GET", _CHALLENGE)
        elif "head" in about:
            yield HookCall("of the handshake", b"", {}, 200, method="HEAD")
        elif "member" in about:
            said = _put(
                _put({}, names(about["member"]), about["equals"]),
                names(about["answer"]),
                _CHALLENGE,
            )
            body = json.dumps(said).encode()
            yield HookCall(
                "of the handshake", body, self._signed(body, hook, now), 200, answer=_CHALLENGE
            )
            yield HookCall("of a forged handshake", body, {}, 401)


def hook_faults(
    sender: FakeHooks,
    url: str,
    secret: str,
    now: float,
    send: Callable[[HookCall], tuple[int, str]],
) -> Iterator[str]:
    """Send the requests of a fake, and yield a sentence for each unexpected answer."""
    for call in sender.calls(url, secret, now):
        status, body = send(call)
        if status != call.status and (status, call.status) != (_OFTEN, _FORGED):
            yield f"a request {call.what} is answered with {status}, not {call.status}"
        elif call.answer and call.answer not in body:
            yield f"a request {call.what} is answered with {body[:100]!r}"


def query_of(call: HookCall) -> dict[str, str]:
    """Return the query parameters of a request."""
    return dict(parse_qsl(call.query))


def _put(value: Any, steps: list[str], new: Any) -> Any:
    first, *rest = steps
    return {**value, first: _put(value.get(first, {}), rest, new) if rest else new}
