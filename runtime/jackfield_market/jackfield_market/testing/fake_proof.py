"""Proof of a connector without code against a fake of its provider: sign-ins, approvals, actions,
lists and throttling. Each function yields a sentence for each fault.

``truth`` is another manifest from which the fake is made, so that differences between the two are
found.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jackfield.kernel.errors import JackfieldError
from jackfield.manifest.manifest import Manifest
from jackfield.runtime import Jackfield
from jackfield_market.testing.fake_pages import ITEMS
from jackfield_market.testing.fake_runtime import REDIRECT, connect, fake_runtime, first_read
from jackfield_market.testing.fake_service import ACCOUNTS, CLIENT, FakeService
from jackfield_market.testing.playing import at

PLAYED = ACCOUNTS | {CLIENT, "apiKey", "basic", "bearer"}
"""Kinds of credentials that the fake checks."""
_WRONG = "another-secret-4711"
_ENDED = ("unauthenticated", "invalid_connection")
"""Error codes of a call after a person or the provider has ended the approval; the second demands a
new connection.
"""

Json = Mapping[str, Any]


def playable(manifest: Json) -> list[str]:
    """Return the keys of the connection types whose sign-in the fake can check."""
    rows = [row for row in manifest["connectionTypes"] if "http" in row]
    return [
        row["key"]
        for row in rows
        if {part["kind"] for part in row["http"]["credentials"]} <= PLAYED
    ]


def sign_in_faults(manifest: Json, kind: str, truth: Json | None = None) -> Iterator[str]:
    """Sign in with right, wrong, empty and another account's credentials, and yield faults."""
    row = next(one for one in manifest["connectionTypes"] if one["key"] == kind)
    with fake_runtime(manifest, kind, truth) as (jackfield, fake):
        try:
            shown = connect(jackfield, fake, "right", kind)
        except (JackfieldError, ValueError) as error:
            yield f"{kind}: the right credentials do not sign in: {error}"
            return
        if shown["status"] != "ok":
            yield (
                f"{kind}: the test of the right credentials is {shown['status']}: "
                f"{json.dumps(shown.get('lastTest'))[:300]}"
            )
        elif "account" in row["http"]:
            yield from _account_faults(kind, shown.get("account") or {}, fake)
        action, inputs = first_read(Manifest.from_json(manifest))
        called = {"connector": manifest["key"], "action": action, "inputs": inputs}
        judge = _approval_faults if fake.needs_approval else _secret_faults
        yield from judge(jackfield, fake, row, called)


def _account_faults(kind: str, found: Json, fake: FakeService) -> Iterator[str]:
    number, name = fake.account
    if found.get("id") != number:
        yield f"{kind}: the connection's account is {found.get('id')!r}, not {number!r}"
    if name not in str(found.get("label")) and found.get("label") != number:
        yield f"{kind}: the account's label is {found.get('label')!r}"


def _secret_faults(
    jackfield: Jackfield, fake: FakeService, row: Json, called: Json
) -> Iterator[str]:
    connections: Any = jackfield.connections
    secrets = [
        field
        for field, about in row["schema"]["properties"].items()
        if about.get("writeOnly") and field in fake.values
    ]
    if row["http"]["credentials"] and not secrets:
        yield f"{row['key']}: no value of the connection is a secret"
    for field in secrets:
        for value in (_WRONG, f"{fake.values[field]}-of-another-account", ""):
            try:
                connections.add(
                    "wrong",
                    f"{called['connector']}/{row['key']}",
                    {**fake.values, field: value},
                    test=False,
                )
            except JackfieldError:
                if value:
                    raise
                continue  # an empty one is refused before anything is sent
            yield from _refusal_faults(
                jackfield, f"{row['key']} with the {field} {value!r}", called, value
            )
            connections.remove("wrong")


def _refusal_faults(jackfield: Jackfield, what: str, called: Json, secret: str) -> Iterator[str]:
    connections: Any = jackfield.connections
    shown = connections.test("wrong")
    if shown["status"] != "failing":
        yield f"{what}: the connection's test is {shown['status']}, not failing"
    result = jackfield.invoke({**called, "connection": "wrong"})
    if result.error is None or result.error.code != "unauthenticated":
        yield (
            f"{what}: a call is {'made' if result.error is None else result.error.code}, not "
            "unauthenticated"
        )
    if secret and secret in f"{json.dumps(shown)}{json.dumps(result.to_json())}":
        yield f"{what}: test or Result show the secret"


def _approval_faults(
    jackfield: Jackfield, fake: FakeService, row: Json, called: Json
) -> Iterator[str]:
    """Let a token expire, refresh it, end the approval, and approve with a wrong client secret;
    yield faults.
    """
    connections: Any = jackfield.connections
    kind, before = row["key"], set(fake.tokens.refresh)
    fake.expire()
    error = jackfield.invoke({**called, "connection": "right"}).error
    if error is not None:
        yield f"{kind}: an expired token is not refreshed: {error.code}"
    elif before & fake.tokens.refresh:
        yield f"{kind}: the refresh token does not rotate"
    fake.revoke()
    error = jackfield.invoke({**called, "connection": "right"}).error
    if error is None or error.code not in _ENDED:
        yield (
            f"{kind}: over an approval that was ended, a call is "
            f"{'made' if error is None else error.code}"
        )
    if connections.test("right")["status"] != "failing":
        yield f"{kind}: the test of a connection whose approval was ended is not failing"
    connections.add(
        "client",
        f"{called['connector']}/{kind}",
        {**fake.values, "clientSecret": _WRONG},
        test=False,
    )
    authorizing = connections.authorizing()
    begun = authorizing.begin("client", REDIRECT)
    if not _fault(lambda: authorizing.complete(begun["id"], fake.approve(begun["url"]))):
        yield f"{kind}: a wrong client secret is accepted"


def action_faults(manifest: Json, truth: Json | None = None) -> Iterator[str]:
    """Run each action with the inputs of its example, read each list to its end, and yield
    faults.
    """
    kind = next(iter(playable(manifest)))
    with fake_runtime(manifest, kind, truth) as (jackfield, fake):
        if fault := _fault(lambda: connect(jackfield, fake, "main", kind)):
            yield fault
            return
        for action in manifest["actions"]:
            rows = [row["invocation"]["inputs"] for row in action.get("examples", ())]
            if not rows:
                yield f"{action['key']}: it has no example to run"
                continue
            called = {
                "connector": manifest["key"],
                "action": action["key"],
                "connection": "main",
                "inputs": rows[0],
            }
            error = jackfield.invoke(called).error
            if error is not None:
                yield f"{action['key']}: {error.code}: {error.message[:200]}"
            elif "pagination" in action:
                yield from _list_faults(jackfield, action, called)


def _fault(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except (JackfieldError, ValueError) as error:
        return str(error)
    return ""


def _list_faults(jackfield: Jackfield, action: Json, called: Json) -> Iterator[str]:
    own = {
        name: value
        for name, value in called["inputs"].items()
        if name != action["pagination"]["tokenInput"]
    }
    whole = jackfield.invoke({**called, "inputs": {**own, "fetchAll": True}})
    if whole.error is not None:
        yield f"{action['key']}, whole: {whole.error.code}: {whole.error.message[:200]}"
        return
    items = at(whole.unwrap(), "/" + action["pagination"]["items"].removeprefix("/"))
    if not isinstance(items, list) or len(items) != ITEMS:
        yield (
            f"{action['key']}, whole: {len(items) if isinstance(items, list) else 'no'} "
            f"items instead of {ITEMS}"
        )
    elif whole.meta.complete is not True:
        yield f"{action['key']}, whole: it does not know that it is complete"


def throttling_faults(manifest: Json) -> Iterator[str]:
    """Call once while the fake answers 429, and yield a fault unless the call succeeds with one
    more request.
    """
    kind = next(iter(playable(manifest)))
    action, inputs = first_read(Manifest.from_json(manifest))
    with fake_runtime(manifest, kind) as (jackfield, fake):
        connect(jackfield, fake, "main", kind)
        before = len(fake.provider.requests)
        fake.throttle(1)
        error = jackfield.invoke(
            {"connector": manifest["key"], "action": action, "connection": "main", "inputs": inputs}
        ).error
        if error is not None:
            yield f"{action}: a 429 ends the call with {error.code}"
        if len(fake.provider.requests) - before != 2:
            yield (
                f"{action}: a 429 costs {len(fake.provider.requests) - before - 1} further "
                "requests, not 1"
            )
