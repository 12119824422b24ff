"""Conformance rules about webhooks: samples are sent as by the provider, then forged, repeated,
broken, and sent at other times.
"""

from __future__ import annotations

import contextlib
import io
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

from jackfield.connector import Forged, Hook, HookRequest, Malformed, Received
from jackfield.connector.signatures import SharedToken, Signature, secret_of
from jackfield.connector.triggers import Webhook
from jackfield.kernel.failures import Raised, attempt_foreign
from jackfield_market.testing.driving import SECRET
from jackfield_market.testing.subject import Rule, Subject

URL = "https://jackfield.example/hooks/conformance"
_AT = 1_893_456_000.0
"""Time of every request, in seconds since 1970: 2030-01-01."""
_DAY = 86_400.0
_SECONDS = 2.0
"""Maximum CPU time for reading a request, in seconds: CPU time does not depend on the machine's
load.
"""
_LARGE = 1024 * 1024
_GARBAGE: Mapping[str, bytes] = {
    "nothing": b"",
    "a list": b"[]",
    "null": b"null",
    "a number": b"7",
    "half an object": b'{"id": ',
    "an empty object": b"{}",
    "a member twice": b'{"id": 1, "id": 2}',
    "no UTF-8": b'{"id": "\xff"}',
    "deep lists": b"[" * 5000,
    "a megabyte of lists": b"[" * (_LARGE // 2) + b"]" * (_LARGE // 2),
    "text": b"a=1&b=2",
}


@dataclass(frozen=True)
class Sample:
    """Request of an example, as sent by the provider at ``at``."""

    trigger: Webhook
    hook: Hook
    body: bytes
    headers: Mapping[str, str]
    events: tuple[Any, ...]
    at: float = _AT

    def signed(
        self, body: bytes | None = None, at: float = _AT, secret: str | None = None
    ) -> HookRequest:
        """Return the request with the provider's signature."""
        content = self.body if body is None else body
        hook = self.hook if secret is None else _with_secret(self.hook, secret)
        signs = self.trigger.signs
        return HookRequest(
            content, {**self.headers, **(signs(content, hook, at) if signs is not None else {})}, at
        )

    def received(self, request: HookRequest) -> Received | Raised:
        """Verify a request and read it, as the runtime does."""
        hook = _verifying(self.trigger, self.hook)
        verified = attempt_foreign(self.trigger.verify, request, hook)
        if isinstance(verified, Raised) or self.trigger.received is None:
            return verified if isinstance(verified, Raised) else Received()
        return attempt_foreign(self.trigger.received, request, hook)


def _with_secret(hook: Hook, secret: str) -> Hook:
    """Return a hook with ``secret`` as the value of each of its secrets."""
    inputs = hook.inputs
    if "signing_secret" in type(inputs).model_fields or "signingSecret" in (
        inputs.model_extra or {}
    ):
        inputs = type(inputs).model_validate(
            {**inputs.model_dump(by_alias=True, exclude_none=True), "signingSecret": secret}
        )
    return replace(
        hook,
        secret=secret,
        inputs=inputs,
        remote={**hook.remote, **({"secret": secret} if "secret" in hook.remote else {})},
    )


def webhooks(subject: Subject) -> list[Webhook]:
    """Return the webhooks of a connector that are not left out."""
    found = subject.connector.triggers
    return [
        trigger
        for trigger in found.values()
        if isinstance(trigger, Webhook) and trigger.key not in subject.left_out
    ]


def hook_for(trigger: Webhook, example: Mapping[str, Any], **about: Any) -> Hook:
    """Return the subscription of an example."""
    return Hook(
        **{
            "url": URL,
            "secret": SECRET,
            "inputs": trigger.inputs.model_validate(dict(example.get("inputs", {}))),
            **about,
        }
    )


def _verifying(trigger: Webhook, hook: Hook) -> Hook:
    """Return the hook that verifies another hook's signatures: with the public key, if the provider
    signs with a private one.
    """
    scheme = trigger.verify
    if not isinstance(scheme, Signature) or scheme.algorithm == "hmac":
        return hook
    return _with_secret(hook, scheme.verification_key(secret_of(hook)))


def samples(subject: Subject) -> Iterator[Sample]:
    """Yield the request of each example that has one, for webhooks that can sign."""
    for trigger in webhooks(subject):
        for example in trigger.examples if trigger.signs is not None else ():
            given = example.get("request")
            if given is not None:
                body = (
                    given["body"] if isinstance(given["body"], str) else json.dumps(given["body"])
                )
                headers = {name.lower(): value for name, value in given.get("headers", {}).items()}
                yield Sample(
                    trigger,
                    hook_for(trigger, example),
                    body.encode(),
                    headers,
                    tuple(example.get("events", ())),
                )


def _each(judge: Callable[[Sample], Iterator[str]]) -> Callable[[Subject], Iterator[str]]:
    def check(subject: Subject) -> Iterator[str]:
        for sample in samples(subject):
            yield from (f"'{sample.trigger.key}' {fault}" for fault in judge(sample))

    return check


def _are_sampled(subject: Subject) -> Iterator[str]:
    sampled = {sample.trigger.key for sample in samples(subject)}
    for trigger in webhooks(subject):
        if trigger.received is None:
            yield f"'{trigger.key}' has no function that reads its requests"
        elif trigger.signs is None:
            yield f"'{trigger.key}' cannot sign a sample"
        elif trigger.key not in sampled:
            yield f"'{trigger.key}' has no example with a request"


def _samples_fit(sample: Sample) -> Iterator[str]:
    found = sample.received(sample.signed())
    if isinstance(found, Raised):
        yield f"refuses its own sample: {_error_text(found)}"
        return
    told = [_payload(event.data) for event in found.events]
    if told != [dict(event) for event in sample.events]:
        yield (
            "makes other events of its sample than the example has: "
            f"{json.dumps(told, default=str)[:200]}"
        )
    for event in found.events:
        if (event.type or sample.trigger.types[0]) not in sample.trigger.types:
            yield f"returns the type '{event.type}', which is not one of its types"
        if not _is_key(event.key):
            yield "returns an event without a key"


def _is_key(key: object) -> bool:
    return isinstance(key, str) and bool(key)


def _events_fit(subject: Subject) -> Iterator[str]:
    for trigger in subject.connector.triggers.values():
        about = subject.manifest.triggers.get(trigger.key)
        if about is None:
            yield f"'{trigger.key}' is not in connector.json"
            continue
        if about.event.get("additionalProperties") is False:
            yield f"the events of '{trigger.key}' refuse unknown members: providers add some"
        judge = subject.compiled(f"event of {trigger.key}", about.event)
        for example in trigger.examples:
            for event in example.get("events", ()):
                yield from (
                    f"a sample of '{trigger.key}' at {fault.path or '/'}: {fault.message}"
                    for fault in judge.judge(event)
                )


def _verify(sample: Sample) -> Iterator[str]:
    own = sample.signed()
    added = {name for name in own.headers if name not in sample.headers}
    if not added and isinstance(sample.received(own), Received):
        yield "accepts a request that nobody has signed"
        return
    forged = {
        "without a signature": replace(own, headers=sample.headers),
        "with another secret": sample.signed(secret=SECRET[::-1]),
    }
    # some providers sign nothing, and show who they are
    if not isinstance(sample.trigger.verify, SharedToken):
        flipped = bytes([own.body[0] ^ 1]) + own.body[1:]
        last = own.body[:-1] + bytes([own.body[-1] ^ 1])
        forged |= {
            "with a changed first byte": replace(own, body=flipped),
            "with a changed last byte": replace(own, body=last),
            "with a byte more": replace(own, body=own.body + b" "),
            "without a body": replace(own, body=b""),
        }
    for name in sorted(added):
        value = own.headers[name]
        forged |= {
            f"without {name}": replace(
                own, headers={key: text for key, text in own.headers.items() if key != name}
            ),
            f"with an empty {name}": replace(own, headers={**own.headers, name: ""}),
            f"with an odd {name}": replace(own, headers={**own.headers, name: "ä\udcff"}),
            f"with 100 kB of {name}": replace(own, headers={**own.headers, name: "a" * 100_000}),
            f"with a changed {name}": replace(
                own, headers={**own.headers, name: value[:-1] + ("0" if value[-1] != "0" else "1")}
            ),
        }
    for what, request in forged.items():
        found = attempt_foreign(
            sample.trigger.verify, request, _verifying(sample.trigger, sample.hook)
        )
        if not isinstance(found, Raised):
            yield f"accepts a request {what}"
        elif not isinstance(found.error, Forged):
            yield f"raises {_error_text(found)} instead of Forged for a request {what}"


def _refuse_replays(sample: Sample) -> Iterator[str]:
    own = sample.signed()
    first = _identities(sample, own)
    again = {f"{days:g} days later": replace(own, at=own.at + days * _DAY) for days in (1, 13)}
    again |= {
        f"with another {name}": replace(own, headers={**own.headers, name: f"{own.headers[name]}x"})
        for name in sample.headers
    }
    again |= {
        f"as '{kind}' in {name}": replace(own, headers={**own.headers, name: kind})
        for name in sample.headers
        for kind in sample.trigger.types
    }
    for what, request in again.items():
        found = sample.received(request)
        if isinstance(found, Received) and not _identities(sample, request) <= first:
            yield f"makes another event of the same signed request, sent {what}"
        elif isinstance(found, Raised) and not isinstance(found.error, Forged | Malformed):
            yield f"raises {_error_text(found)} for its request, sent {what}"


def _identities(sample: Sample, request: HookRequest) -> set[tuple[str, str]]:
    found = sample.received(request)
    return (
        set()
        if isinstance(found, Raised)
        else {(event.type or sample.trigger.types[0], event.key) for event in found.events}
    )


def _keys_are_stable(sample: Sample) -> Iterator[str]:
    keys = {event.key for event in _events(sample, sample.signed())}
    later = {event.key for event in _events(sample, sample.signed(at=_AT + 60))}
    if keys != later:
        yield "gives the same event another key when the provider sends it again a minute later"
    other = (
        json.dumps(_renamed(json.loads(sample.body))).encode()
        if sample.body[:1] in b"{["
        else sample.body + b" other"
    )
    if keys and keys & {event.key for event in _events(sample, sample.signed(other))}:
        yield "gives another event the same key, so that it would be taken for a repeated one"


def _renamed(value: Any) -> Any:
    """Return JSON with other strings and numbers as values. Strings without a digit are unchanged,
    since they may be types.
    """
    if isinstance(value, Mapping):
        return {name: _renamed(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_renamed(item) for item in value]
    if isinstance(value, str):
        return f"{value}9" if any(letter.isdigit() for letter in value) else value
    return value if isinstance(value, bool) or not isinstance(value, int) else value + 1


def _events(sample: Sample, request: HookRequest) -> list[Any]:
    found = sample.received(request)
    return [] if isinstance(found, Raised) else [*found.events]


def _refuse_malformed(sample: Sample) -> Iterator[str]:
    broken = {**_GARBAGE, "a sample that is cut": sample.body[: len(sample.body) // 2]}
    broken |= {
        f"a sample with {name} for texts": body
        for name, body in _of_other_types(sample.body).items()
    }
    for what, body in broken.items():
        request = attempt_foreign(sample.signed, body)
        if isinstance(request, Raised):  # nobody can sign it: it is no form
            continue
        began = time.thread_time()
        found = sample.received(request)
        if isinstance(found, Raised) and not isinstance(found.error, Forged | Malformed):
            yield f"raises {_error_text(found)} for {what}: raise Malformed, which answers 400"
        elif not isinstance(found, Raised) and not all(
            _is_key(event.key) for event in found.events
        ):
            yield f"makes an event without a key of {what}"
        if time.thread_time() - began > _SECONDS:
            yield f"reads {what} for more than {_SECONDS:g} seconds"


def _of_other_types(body: bytes) -> dict[str, bytes]:
    if body[:1] != b"{":
        return {}
    read = json.loads(body)
    return {
        name: json.dumps(dict.fromkeys(read, value)).encode()
        for name, value in {"numbers": 7, "lists": [[]], "null": None}.items()
    }


def _are_pure(sample: Sample) -> Iterator[str]:
    reached: list[object] = []

    def refuse(_socket: object, address: object) -> None:
        reached.append(address)
        raise ConnectionRefusedError("a webhook calls nobody while it reads a request")

    printed = io.StringIO()
    with mock.patch.object(socket.socket, "connect", refuse), contextlib.redirect_stdout(printed):
        first, second = (_event_keys(sample) for _ in range(2))
    if reached:
        yield f"opens a connection to {reached[0]} while it reads a request"
    if printed.getvalue():
        yield f"prints {printed.getvalue()[:80]!r}"
    if first != second:
        yield "makes other events of the same request when it comes again"
    if SECRET in json.dumps(first, default=str):
        yield "puts the secret of the subscription into an event"


def _event_keys(sample: Sample) -> list[Any]:
    return [
        (event.type, event.key, event.at, _payload(event.data))
        for event in _events(sample, sample.signed())
    ]


def _payload(data: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (
        data
        if isinstance(data, Mapping)
        else data.model_dump(mode="json", by_alias=True, exclude_none=True)
    )
    return found


def _error_text(found: Raised) -> str:
    return f"{type(found.error).__name__}: {found.error}"[:160].rstrip(": ")


def _explained(subject: Subject) -> Iterator[str]:
    for about in subject.manifest.triggers.values():
        if not about.title or not about.description:
            yield f"'{about.key}' has no title or no description"
        for name, field in about.inputs.get("properties", {}).items():
            if not field.get("description"):
                yield f"inputs of '{about.key}': '{name}' has no description"
        if about.kind == "webhook" and not about.registers and not about.setup:
            yield (
                f"'{about.key}' does not register its URL, and has no 'setup' that says "
                "where a person enters it"
            )


def _none(subject: Subject) -> str | None:
    return None if webhooks(subject) else "it has no webhook"


def _rule(
    name: str,
    says: str,
    check: Callable[[Subject], Iterator[str]],
    cure: str,
    *,
    is_silver: bool = False,
) -> Rule:
    return Rule(name, says, check, "silver" if is_silver else "bronze", cure, reason=_none)


def _no_triggers(subject: Subject) -> str | None:
    return None if subject.connector.triggers else "it has no trigger"


WEBHOOKS = (
    Rule(
        "triggers-are-explained",
        "Triggers and their inputs have descriptions; a webhook that a person registers says how.",
        _explained,
        "silver",
        "Write a docstring, 'description' for the inputs, and 'setup' for a webhook without "
        "enable.",
        reason=_no_triggers,
    ),
    Rule(
        "event-samples-fit",
        "The samples of events fit the schema of the events, which is open.",
        _events_fit,
        "bronze",
        "Correct the sample or the model; models of events are open by themselves.",
        reason=_no_triggers,
    ),
    _rule(
        "webhooks-are-sampled",
        "Each webhook has an example with a request, and can sign it.",
        _are_sampled,
        "Give 'verify' a Signature, or declare @hook.sign; add 'request' to an example.",
        is_silver=True,
    ),
    _rule(
        "webhooks-verify",
        "A request that the provider has not signed byte by byte, or that lacks its token, is "
        "refused as forged.",
        _each(_verify),
        "Compare a signature over the raw body in constant time, and raise Forged for whatever "
        "does not fit.",
    ),
    _rule(
        "webhook-samples-fit",
        "The request of an example makes its events, of its types, each with a key.",
        _each(_samples_fit),
        "Correct the example, or the function under @hook.receive.",
    ),
    _rule(
        "webhook-replays-are-known",
        "A signed request that is sent again, later or with other header fields, makes no "
        "further event.",
        _each(_refuse_replays),
        "Sign the time, or take type and key from what is signed: header fields are not.",
    ),
    _rule(
        "webhook-keys-are-stable",
        "An event keeps its key when it comes again, and another event has another.",
        _each(_keys_are_stable),
        "Take the provider's ID of the event as the key, or a digest of the body.",
    ),
    _rule(
        "webhooks-refuse-malformed",
        "Signed requests that cannot be read are refused as malformed, within two seconds.",
        _each(_refuse_malformed),
        "Raise Malformed for whatever the function under @hook.receive cannot read.",
    ),
    _rule(
        "webhooks-are-pure",
        "Reading a request calls nobody, prints nothing, and has the same outcome each time.",
        _each(_are_pure),
        "Move calls to the provider into enable, or into a poll.",
        is_silver=True,
    ),
)
