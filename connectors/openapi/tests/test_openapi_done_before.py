"""An attempt whose outcome is unclear is not forgotten: whatever refuses a later one, the Result
says that the earlier may have worked.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from clocks import FakeClock
from http_stand import Client, standing
from jackfield import Result
from jackfield.catalog import Catalog
from jackfield.kernel.errors import InvalidInput
from jackfield.testing import CLOSE, Answer, Provider
from jackfield_market.testing.loopback_provider import Step
from jackfield_openapi.command import command
from jackfield_store.journal import Queue
from jackfield_store.runtime import Jackfield
from openapi_rig import document, generate, operation
from plugboard import declare, plugged
from shelved import manifest_of, shelve
from waiting import until

_KEYED = {"effect": "idempotent", "idempotentBy": "key", "idempotencyHeader": "Idempotency-Key"}
_DONE = [
    {"status": 418, "message": "NOT modified"},
    {"codes": ["already_there"], "actions": ["putThing"]},
    {"status": 406},
]
_SOURCE = document(
    {
        "/things": {
            "post": operation(operationId="makeThing"),
            "put": operation(operationId="putThing", **{"x-jackfield": {"effect": "idempotent"}}),
        },
        "/keyed": {"post": operation(operationId="keyThing", **{"x-jackfield": _KEYED})},
        "/many": {"get": operation(operationId="listThings")},
    },
    **{"x-jackfield": {"errors": {"code": "/code", "message": "/message", "doneBefore": _DONE}}},
)
_CALLS: Mapping[str, tuple[str, Mapping[str, Any], str]] = {
    "write": ("makeThing", {"onDoubt": "retry"}, "in_doubt"),
    "write with a key": ("makeThing", {"onDoubt": "retry", "idempotencyKey": "k"}, "in_doubt"),
    "idempotent": ("putThing", {}, "failed"),
    "idempotent with a key": ("putThing", {"idempotencyKey": "k"}, "failed"),
    "idempotent by its key": ("keyThing", {"idempotencyKey": "k"}, "in_doubt"),
    "idempotent by a derived key": ("keyThing", {}, "in_doubt"),
}
"""By effect and key: the action, the members of its invocation, and how it ends if an attempt was
unclear and a later one is refused.
"""
_STATUSES = (400, 401, 402, 403, 404, 405, 409, 410, 412, 422, 423, 451, 501, 503, 429)
_EARLIER = "an earlier attempt had an unclear outcome and may have taken effect"
_LAST = "the outcome of the last attempt is unknown"


def _refusal(status: int, code: str = "no", message: str = "no") -> Answer:
    late = {"Retry-After": "1000"} if status in (429, 503) else {}  # which no deadline here allows
    return Answer({"code": code, "message": message}, status, late)


@contextmanager
def _runtime(folder: Path, script: Sequence[Step]) -> Iterator[tuple[Jackfield, Provider]]:
    """A runtime with the connector, a database, a clock that does not wait, and a provider that
    plays the script.
    """
    made = _made(folder)
    with plugged(made), Provider(script) as far:
        main = {"connections": {"main": {"type": "acme/anonymous", "values": {"server": far.url}}}}
        url = f"sqlite:///{folder / 'journal.db'}"
        with Jackfield(
            connections=[main], catalog=Catalog.installed(), database_url=url, clock=FakeClock()
        ) as jackfield:
            yield jackfield, far


def _made(folder: Path) -> Path:
    generate(folder, _SOURCE, "--key", "acme")
    declare(
        folder / "made", "jackfield-acme", "jackfield.connectors", {"acme": "jackfield_acme:http"}
    )
    return folder / "made"


def _run(jackfield: Jackfield, way: str, action: str, members: Mapping[str, Any]) -> Result:
    """Make a call, or queue it and run what is queued."""
    given = {"connector": "acme", "action": action, "connection": "main", "inputs": {}, **members}
    if way == "direct":
        return jackfield.invoke(given)
    jackfield.enqueue(given)
    (claimed,) = Queue(jackfield.storage.database).claim(1)
    return asyncio.run(jackfield.arun(claimed))


def _texts(result: Result) -> str:
    error = result.error
    assert error is not None
    return " ".join(
        [error.message, *(detail.message for detail in error.details), error.hint or ""]
    )


@pytest.mark.parametrize("way", ["direct", "queued"])
@pytest.mark.parametrize("call", _CALLS)
def test_an_unclear_attempt_is_not_forgotten(tmp_path: Path, call: str, way: str) -> None:
    """Whatever refuses a later attempt: a write stays in doubt, as does a derived key; else the
    failure tells of the earlier attempt.
    """
    action, members, ends = _CALLS[call]
    script = [step for status in _STATUSES for step in (CLOSE, _refusal(status))]
    with _runtime(tmp_path, script) as (jackfield, far):
        for count, status in enumerate(_STATUSES, 1):
            key = {
                name: f"{value}{status}" if name == "idempotencyKey" else value
                for name, value in members.items()
            }
            result = _run(jackfield, way, action, key)
            assert (result.status, result.meta.attempts, len(far.requests)) == (
                ends,
                2,
                2 * count,
            ), (status, result.error)
            told = _texts(result)
            if status == 503:  # it may have taken effect itself
                assert ends == "in_doubt" or (_LAST in told and "may have taken effect" in told), (
                    status
                )
            else:
                assert _EARLIER in told, status
            assert (
                ends == "in_doubt"
                or "took effect" in told
                or ("same idempotencyKey" in told or "send the same call again" in told)
            )


@pytest.mark.parametrize("way", ["direct", "queued"])
@pytest.mark.parametrize(
    ("call", "code", "next_step"),
    [
        ("idempotent", "unavailable", "send the same call again"),
        ("idempotent by its key", "in_doubt", "same idempotencyKey takes effect once"),
    ],
)
def test_all_answers_lost(tmp_path: Path, call: str, code: str, next_step: str, way: str) -> None:
    """A call that may be repeated, and whose answers were all lost, may have taken effect: it says
    so, and never blames the network.
    """
    action, members, ends = _CALLS[call]
    with _runtime(tmp_path, [CLOSE]) as (jackfield, far):
        result = _run(jackfield, way, action, members)
        assert (result.status, result.meta.attempts, len(far.requests)) == (ends, 6, 6)
    assert result.error is not None
    assert (result.error.code, result.error.retryable) == (code, True)
    told = _texts(result)
    assert "may have taken effect" in told
    assert next_step in told
    assert "DNS" not in told


def test_a_read_whose_answers_were_lost(tmp_path: Path) -> None:
    """The server was reached, so the hint does not send anybody to look at DNS."""
    with _runtime(tmp_path, [CLOSE]) as (jackfield, _):
        lost = _texts(_run(jackfield, "direct", "listThings", {}))
    assert "closed the connection before the first byte" in lost
    assert ("DNS" in lost, "may have taken effect" in lost) == (False, False)


@pytest.mark.parametrize("way", ["direct", "queued"])
@pytest.mark.parametrize("call", _CALLS)
def test_a_first_refusal_is_what_it_was(tmp_path: Path, call: str, way: str) -> None:
    """Without an unclear attempt before it, a refusal says nothing of one, also one that would say
    that it had been done before.
    """
    action, members, _ = _CALLS[call]
    refusals = [
        *(_refusal(status) for status in _STATUSES if status not in (429, 503)),
        _refusal(418, message="not modified"),
    ]
    with _runtime(tmp_path, [*refusals]) as (jackfield, _):
        for number in range(len(refusals)):
            key = {
                name: f"{value}{number}" if name == "idempotencyKey" else value
                for name, value in members.items()
            }
            result = _run(jackfield, way, action, key)
            assert (result.status, result.meta.attempts) == ("failed", 1)
            assert "earlier attempt" not in _texts(result)
            assert "may have taken effect" not in _texts(result)


@pytest.mark.parametrize("way", ["direct", "queued"])
@pytest.mark.parametrize("call", _CALLS)
def test_done_before(tmp_path: Path, call: str, way: str) -> None:
    """A refusal that a row of ``doneBefore`` names is a success after an unclear attempt, with a
    warning in place of the output.
    """
    action, members, ends = _CALLS[call]
    steps = [
        (_refusal(418, message="It is not modified."), True),
        (_refusal(418, message="another"), False),
        (_refusal(400, message="It is not modified."), False),
        (_refusal(409, code="already_there"), action == "putThing"),
        (_refusal(406), True),
        # not of the provider's form
        (Answer(None, 406, content=b""), False),
        (Answer({"error": "Not Found", "path": "/things"}, 406), False),
        # of a proxy
        (
            Answer(
                None,
                406,
                {"Content-Type": "text/html"},
                content=b"<html><h1>404 Not Found</h1></html>",
            ),
            False,
        ),
        # of a router
        (Answer(None, 406, {"Content-Type": "text/plain"}, content=b"404 page not found\n"), False),
    ]
    with _runtime(tmp_path, [step for refusal, _ in steps for step in (CLOSE, refusal)]) as (
        jackfield,
        _,
    ):
        for number, (_, succeeds) in enumerate(steps):
            key = {
                name: f"{value}{number}" if name == "idempotencyKey" else value
                for name, value in members.items()
            }
            result = _run(jackfield, way, action, key)
            assert (result.status, result.meta.attempts) == (
                "succeeded" if succeeds else ends,
                2,
            ), number
            if succeeds:
                assert result.output is None
                (warning,) = result.meta.warnings
                assert (
                    "its repeat was told that it had been done before: the provider refused"
                    in warning["message"]
                )
                assert "The output is missing" in warning["message"]


def test_over_http(tmp_path: Path) -> None:
    """A server says the same of direct and of queued calls."""
    kinds = (_refusal(409), _refusal(418, message="not modified"))
    with (
        plugged(_made(tmp_path)),
        Provider([step for one in kinds for _ in "ab" for step in (CLOSE, one)]) as far,
        standing(tmp_path) as stand,
    ):
        client = stand.client()
        told = []
        inline = {"type": "acme/anonymous", "values": {"server": far.url}}
        made = client.post("/v1/connections?test=false", {"name": "main", **inline})
        assert made.status == 201, made.json
        for _ in kinds:
            given = {"connector": "acme", "action": "putThing", "connection": "main", "inputs": {}}
            told.append(client.post("/v1/invocations", given).json)
            path = f"/v1/invocations/{client.post('/v1/invocations', given, Prefer='respond-async').json['invocationId']}"
            told.append(until(partial(_ended, client, path)))
    assert [one["status"] for one in told] == ["failed", "failed", "succeeded", "succeeded"]
    assert [_EARLIER in one["error"]["details"][0]["message"] for one in told[:2]] == [True, True]
    assert ["done before" in one["meta"]["warnings"][0]["message"] for one in told[2:]] == [
        True,
        True,
    ]


def _ended(client: Client, path: str) -> Mapping[str, Any] | None:
    entry: Mapping[str, Any] = client.get(path).json
    return entry if entry["status"] in ("succeeded", "failed") else None


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"actions": ["putThing"]},
        {"codes": []},
        {"status": 409, "actions": ["listThings"]},
        {"status": 409, "actions": ["x"]},
    ],
)
def test_rows_are_judged(tmp_path: Path, row: Mapping[str, Any]) -> None:
    """A row without a condition, or for an action that there is not or that reads, is refused."""
    source = {**_SOURCE, "x-jackfield": {"errors": {"doneBefore": [row]}}}
    (tmp_path / "openapi.json").write_text(json.dumps(source), encoding="utf-8")
    with pytest.raises(InvalidInput, match="doneBefore"):
        command([str(tmp_path / "openapi.json"), "--out", str(tmp_path / "made")])


_EDITED = (
    "Bad Request: message is not modified: specified new message content and reply markup "
    "are exactly the same"
)
_GONE = "Bad Request: message to delete not found"


@pytest.mark.parametrize(
    ("action", "text"), [("editMessageText", _EDITED), ("deleteMessage", _GONE)]
)
def test_telegram(tmp_path: Path, action: str, text: str) -> None:
    """Telegram refuses to change a message to what it is, and to delete one that is gone: after a
    lost answer, that is the success.
    """
    manifest = manifest_of("telegram")
    refusal = Answer({"ok": False, "error_code": 400, "description": text}, 400)
    kind = manifest["connectionTypes"][0]
    values = dict.fromkeys(kind["schema"]["required"], "a-secret-of-the-bot")
    row = next(one for one in manifest["actions"] if one["key"] == action)
    inputs = row["examples"][0]["invocation"]["inputs"]
    with plugged(shelve(tmp_path / "shelf", manifest)), Provider([CLOSE, refusal, refusal]) as far:
        connection = {"type": f"telegram/{kind['key']}", "values": {**values, "server": far.url}}
        with Jackfield(
            connections=[{"connections": {"bot": connection}}],
            database_url="none",
            clock=FakeClock(),
        ) as jackfield:
            given = {
                "connector": "telegram",
                "action": action,
                "connection": "bot",
                "inputs": inputs,
            }
            found = [jackfield.invoke(given) for _ in "ab"]
    assert [(one.status, one.output) for one in found] == [("succeeded", None), ("failed", None)], (
        found
    )
    assert text in found[0].meta.warnings[0]["message"]
