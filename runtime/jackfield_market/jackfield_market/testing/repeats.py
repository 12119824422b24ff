"""Conformance rules that compare two attempts: with the same inputs, over another connection, and
with additional members in the response.

Attempts share their idempotency key and the time of ``OpenContext.clock``. Differences therefore
come from the machine's clock, random numbers, or state that the connector holds between calls.
"""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from jackfield.connector import Action
from jackfield.kernel import pointers
from jackfield.kernel.failures import Raised
from jackfield.redaction.redactor import Redactor
from jackfield_market.testing.driving import OTHER_SECRET, SECRET, Drive, drivable, drive
from jackfield_market.testing.loopback_provider import Answer, Request, Script
from jackfield_market.testing.outputs import output_faults
from jackfield_market.testing.playing import expected, run_well
from jackfield_market.testing.recordings import Scrubber
from jackfield_market.testing.subject import Rule, Subject

_ADDED = "conformanceAddition"
"""Name of the members that are added to a response."""
_SHOWN = 60
"""Maximum number of displayed characters of a value."""
_GRANT = b"grant_type"
"""Parameter of requests for OAuth tokens, which are signed with a nonce of their own."""

_Example = Mapping[str, Any]


def _answers_may_grow(subject: Subject) -> Iterator[str]:
    for action, example in drivable(subject):
        if _is_well(subject, action, example):
            found = drive(subject, action, example, _grown(expected(subject, example)))
            if found.raised is not None:
                yield (
                    f"'{action.key}' fails if the provider's response has members that it "
                    f"did not have before: {found.raised!r}"
                )
            else:
                yield from (
                    f"'{action.key}' {fault}, if the provider's response has new members"
                    for fault in output_faults(subject, action, found)
                )


def _grown(well: Script) -> Script:
    """Return a script that adds one member to each object of another script's responses."""

    def play(number: int, request: Request) -> Any:
        answer = well(number, request)
        return (
            replace(answer, body=_with_more(answer.body))
            if isinstance(answer, Answer) and answer.content is None
            else answer
        )

    return play


def _with_more(value: Any) -> Any:
    """Return a copy of JSON in which each object has one more member, a copy of its first: this is
    valid even if the object is a map.
    """
    if isinstance(value, list):
        return [_with_more(item) for item in value]
    if not isinstance(value, dict) or not value:
        return value
    return {
        **{name: _with_more(member) for name, member in value.items()},
        _ADDED: copy.deepcopy(next(iter(value.values()))),
    }


def _attempts_are_alike(subject: Subject) -> Iterator[str]:
    rows = [
        (action, example)
        for action, example in drivable(subject)
        if _is_well(subject, action, example)
    ]
    last = max(
        (run_well(subject, action, example).started for action, example in rows), default=0.0
    )
    if int(time.time()) == int(last):  # a clock that is read in seconds would not show
        time.sleep(1 - time.time() % 1)
    for action, example in rows:
        yield from (f"'{action.key}' {fault}" for fault in _differences(subject, action, example))


def _differences(subject: Subject, action: Action, example: _Example) -> Iterator[str]:
    first = run_well(subject, action, example)
    again = drive(subject, action, example, expected(subject, example))
    if again.raised is not None or not again.ended:
        yield f"succeeds once, and then fails with the same inputs: {again.raised!r}"
        return
    was, now = _sent(first), _sent(again)
    if len(was) != len(now):
        yield (
            f"sends {len(was)} requests, and then {len(now)} with the same inputs and "
            "idempotency key"
        )
        return
    for what, one, other in (
        ("sends another request", was, now),
        ("returns another output", _output(first), _output(again)),
    ):
        place = _difference(one, other, "")
        if place is not None:
            yield f"{what} for the same inputs and idempotency key: {place}"
            return


def _sent(found: Drive) -> list[dict[str, Any]]:
    """Return the requests of an attempt in the form of a recording, without requests for OAuth
    tokens.
    """
    scrubber = Scrubber(Redactor())
    rows = [scrubber.request(request) for request in found.requests if _GRANT not in request.body]
    there: list[dict[str, Any]] = _anywhere(found, rows)
    return there


def _output(found: Drive) -> Any:
    return None if isinstance(found.answer, Raised) else _anywhere(found, found.answer)


def _anywhere(found: Drive, value: Any) -> Any:
    """Return JSON with a neutral address in place of the address of the attempt's server."""
    return json.loads(json.dumps(value).replace(urlsplit(found.url).netloc, "server"))


def _difference(one: Any, other: Any, path: str) -> str | None:
    """Describe the first place where two JSON values differ, with both values; return None if they
    are equal.
    """
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        pairs: Sequence[tuple[str | int, Any, Any]] = [
            (name, one[name], other[name]) for name in one
        ]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = [(number, *both) for number, both in enumerate(zip(one, other, strict=True))]
    else:
        return (
            None
            if one == other
            else f"{path or '/'} was {json.dumps(one)[:_SHOWN]}, then {json.dumps(other)[:_SHOWN]}"
        )
    return next(
        (
            found
            for name, a, b in pairs
            if (found := _difference(a, b, pointers.child(path, name))) is not None
        ),
        None,
    )


def _connections_are_apart(subject: Subject) -> Iterator[str]:
    masks = Redactor([SECRET])
    for action, example in drivable(subject):
        if not _is_well(subject, action, example):
            continue
        for request in drive(
            subject, action, example, expected(subject, example), secret=OTHER_SECRET
        ).requests:
            texts = (
                request.path,
                *request.headers.values(),
                request.body.decode("utf-8", "replace"),
            )
            if any(map(masks.holds, texts)):
                yield (
                    f"'{action.key}' sends the secret of the connection that was used "
                    f"before, in {request.method} {request.path[:_SHOWN]}"
                )
                break


def _is_well(subject: Subject, action: Action, example: _Example) -> bool:
    """Return whether the action succeeds at all; other rules report its failure."""
    found = run_well(subject, action, example)
    return found.ended and found.raised is None


_drives = partial(Rule, drives=True)

REPEATS = (
    _drives(
        "connections-are-apart",
        "An attempt sends nothing that belongs to the connection of another one.",
        _connections_are_apart,
        "bronze",
        "Keep clients and tokens in context.cached(…) and context.lease(…), which belong to one "
        "connection, and not in a module or class.",
    ),
    _drives(
        "answers-may-grow",
        "An action succeeds if the provider's response has members that it did not have before.",
        _answers_may_grow,
        "silver",
        "Build the output with Output.from_provider(…) or Answer.into(…), which ignore such "
        "members, or from single members.",
    ),
    _drives(
        "attempts-are-alike",
        "With the same inputs and idempotency key, an action sends the same requests and returns "
        "the same output.",
        _attempts_are_alike,
        "silver",
        "Take the time from OpenContext.clock or current_call().deadline.clock, and unique values "
        "from current_call().idempotency_key; "
        "keep nothing between calls but in context.cached(…).",
    ),
)
