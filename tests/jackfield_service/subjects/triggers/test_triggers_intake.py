"""Webhooks behind a gateway of a platform's own: requests are received by a call on the library,
and no server runs.
"""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest import mock

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage, signed

from jackfield.callers import LIBRARY
from jackfield.kernel.clock import SystemClock
from jackfield.kernel.dataclass import replace
from jackfield.kernel.errors import InvalidInvocation, Unavailable
from jackfield_service.subjects import Answer, Hook, Intake
from jackfield_service.subjects.triggers.intake import RefusedError
from jackfield_store.access import Workspaces
from jackfield_store.database import Database

_NOTE = {"notes": [{"id": "n-1", "text": "hello"}]}
_CALL = {
    "connector": "echo",
    "action": "post",
    "connection": "hall",
    "inputs": {"text": {"$event": "/data/payload/text"}},
}


def _signed(secret: str, stage: TriggerStage, body: Any) -> tuple[bytes, dict[str, str]]:
    raw, headers = signed(secret, stage.clock.time(), body)
    return raw, {name.replace("_", "-"): value for name, value in headers.items()}


class Gateway:
    """Gateway of a platform in front of one subscription: it calls ``Intake.receive``."""

    def __init__(self, stage: TriggerStage, name: str = "one", **members: Any) -> None:
        from jackfield_echo.watching import REGISTERED

        self.stage, self.name = stage, name
        self.wakes: list[int] = []
        self.intake = Intake(
            runtimes=stage.pools[1], wake=lambda: self.wakes.append(len(stage.events("echo.*")))
        )
        self.url = stage.add(name=name, **members)["url"]
        stage.look()
        self.secret = REGISTERED[self.url]

    def hook(self, body: Any = _NOTE, secret: str | None = None, **members: Any) -> Hook:
        """A signed request as the gateway has it."""
        raw, headers = _signed(secret or self.secret, self.stage, body)
        return Hook(
            "POST",
            f"/some/prefix/{self.url.rpartition('/')[2]}",
            {},
            headers,
            raw,
            **{"address": "192.0.2.7", **members},
        )

    def send(self, body: Any = _NOTE, secret: str | None = None, **members: Any) -> Answer:
        """Receive a signed request."""
        return self.intake.receive(self.hook(body, secret, **members))

    def told(self) -> list[str]:
        """The notes of all events."""
        return [event.data["payload"]["id"] for event in self.stage.events("echo.*")]


@pytest.fixture
def gateway(stage: TriggerStage) -> Gateway:
    """A gateway in front of a webhook that starts nothing."""
    return Gateway(stage)


def test_a_signed_request_is_an_event_once(gateway: Gateway) -> None:
    """It is in the feed once the answer is there; twenty copies at once are answered with 200, and
    are no second event.
    """
    answer = gateway.send()
    assert (answer.status, answer.body, gateway.told(), gateway.wakes) == (200, b"", ["n-1"], [])
    with ThreadPoolExecutor(8) as pool:
        found = [
            answer.status
            for answer in pool.map(
                lambda _: gateway.send({"notes": [{"id": "n-2", "text": "x"}]}), range(20)
            )
        ]
    assert (found, gateway.told()) == ([200] * 20, ["n-1", "n-2"])


def test_a_handshake_is_answered_with_its_challenge(gateway: Gateway) -> None:
    """The answer has the media type and the header fields that the provider gets, and nothing is
    stored.
    """
    answer = gateway.send({"challenge": "c-4711"})
    assert (answer.status, answer.body, gateway.told()) == (200, b"c-4711", [])
    assert answer.headers == {
        "Content-Type": "text/plain; charset=utf-8",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


@pytest.mark.parametrize(
    ("members", "status", "field"),
    [
        ({"path": "/hooks/of-nobody"}, 404, None),
        ({"path": ""}, 404, None),
        ({"path": "/hooks/\udc80\0"}, 404, None),
        ({"method": "GET", "body": b"", "headers": {}}, 405, "Allow"),
        ({"headers": {}}, 401, "WWW-Authenticate"),
        ({"body": b"{}"}, 401, "WWW-Authenticate"),
        ({"headers": {"Content-Encoding": "gzip"}}, 415, None),
        ({"body": b"x" * 70_000}, 413, None),
    ],
)
def test_what_is_refused_is_an_answer_of_plain_text(
    gateway: Gateway, members: dict[str, Any], status: int, field: str | None
) -> None:
    """Nothing is stored, and the answer names neither subscription nor workspace."""
    answer = gateway.intake.receive(replace(gateway.hook(), **members))
    assert (answer.status, gateway.told(), field is None or field in answer.headers) == (
        status,
        [],
        True,
    )
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert (len(answer.body) > 0, b"default" in answer.body, b"one" in answer.body.split()) == (
        True,
        False,
        False,
    )


def test_what_is_signed_and_cannot_be_read_is_400(gateway: Gateway) -> None:
    """The sender is no stranger, and is told so."""
    assert (gateway.send({"notes": 4711}).status, gateway.told()) == (400, [])


def test_a_body_that_is_text_is_a_mistake_of_the_gateway(gateway: Gateway) -> None:
    """What is signed are bytes: a decoded body could not be verified, and every request would be
    refused for no visible reason.
    """
    text: dict[str, Any] = {"body": "{}"}
    with pytest.raises(TypeError, match="'body' must be the bytes as they have arrived"):
        gateway.intake.receive(replace(gateway.hook(), **text))


def test_a_body_is_bounded_before_it_is_read(gateway: Gateway) -> None:
    """``find`` says how long it may be, and refuses an unknown path, without the body."""
    found = gateway.intake.find(replace(gateway.hook(), body=b""))
    assert found.largest == 64 * 1024
    assert (gateway.intake.take(found, gateway.hook()).status, gateway.told()) == (200, ["n-1"])
    with pytest.raises(RefusedError) as refused:
        gateway.intake.find(Hook("POST", "/hooks/of-nobody"))
    assert refused.value.status == 404


def test_what_an_event_starts_is_queued_before_the_queue_is_woken(stage: TriggerStage) -> None:
    """The queue is woken once for a new event, after its commit, and not for a duplicate."""
    gateway = Gateway(stage, then=_CALL)
    assert [gateway.send().status for _ in range(2)] == [200, 200]
    (entry,) = stage.runtime.journal_of(LIBRARY).entries()[0]
    assert (gateway.wakes, entry.status, entry.action) == ([1], "queued", "post")


def test_a_disabled_or_suspended_one_receives_nothing(gateway: Gateway) -> None:
    """410 says that nobody listens any more, 503 that the request is to come again."""
    pool = gateway.stage.pools[0]
    workspaces = Workspaces(pool.storage.database, pool.storage.vault, gateway.stage.clock)
    workspaces.set("default", {"suspended": True})
    answer = gateway.send()
    assert (answer.status, answer.headers["Retry-After"], gateway.told()) == (503, "60", [])
    workspaces.set("default", {"suspended": False})
    gateway.stage.all().disable("one")
    assert (gateway.send().status, gateway.told()) == (410, [])


def test_what_cannot_be_committed_is_not_acknowledged(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database is down before the look-up, then before the commit: 503 both times, so that the
    provider sends it again.
    """

    def down(*_given: Any) -> Any:
        raise Unavailable("the database at db.internal is down")

    for name in ("look_up", "record"):
        with monkeypatch.context() as patched:
            patched.setattr(Database, name, down)
            answer = gateway.send()
        assert (answer.status, answer.headers["Retry-After"], b"internal" in answer.body) == (
            503,
            "5",
            False,
        )
    assert (gateway.send().status, gateway.told()) == (200, ["n-1"])


def test_limits_count_by_path_and_by_address(gateway: Gateway) -> None:
    """Unknown paths and forged requests use up a budget of their address. Whoever signs gets in,
    also from there.
    """
    unknown = [
        gateway.intake.receive(Hook("POST", f"/hooks/{number}", address="192.0.2.9")).status
        for number in range(52)
    ]
    assert unknown == [404] * 50 + [429] * 2
    assert gateway.intake.receive(Hook("POST", "/hooks/other", address="192.0.2.10")).status == 404
    forged = [gateway.send(secret="guess", address="192.0.2.9").status for _ in range(12)]
    assert forged == [401] * 10 + [429] * 2
    assert gateway.send(secret="guess", address="2001:db8::1").status == 401
    assert gateway.send(address="192.0.2.9").status == 200
    busy = Intake(runtimes=gateway.stage.pools[0], rate=2)
    assert [busy.receive(gateway.hook()).status for _ in range(3)] == [200, 200, 429]
    assert gateway.told() == ["n-1"]


def test_an_intake_receives_for_all_workspaces(stage: TriggerStage) -> None:
    """A path leads to its own workspace, whose runtime and key are used, and to no other."""
    pool = stage.pools[0]
    Workspaces(pool.storage.database, pool.storage.vault, stage.clock).create("acme", {})
    pool.find("acme").connections.add("hall", "echo/token", {"token": "secret-0815"})
    made = stage.all(workspace="acme").add(
        {"name": "one", "trigger": "echo/posted", "connection": "hall"}
    )
    own = Gateway(stage)
    from jackfield_echo.watching import REGISTERED

    raw, headers = _signed(REGISTERED[made["url"]], stage, _NOTE)
    hook = Hook("POST", "/hooks/" + made["url"].rpartition("/")[2], {}, headers, raw)
    assert own.intake.receive(replace(hook, path=own.url)).status == 401
    assert own.intake.receive(hook).status == 200
    assert (
        own.told(),
        [event.subject for event in pool.find("acme").events(types=["echo.*"])],
    ) == ([], ["one"])


def test_an_intake_opens_its_own_database(gateway: Gateway) -> None:
    """A function of a gateway has nothing else open. Without a database it is refused at once."""
    with Intake() as intake, mock.patch.object(SystemClock, "time", gateway.stage.clock.time):
        assert (intake.receive(gateway.hook()).status, gateway.told()) == (200, ["n-1"])
    with pytest.raises(InvalidInvocation, match="webhooks need a database"):
        Intake({**os.environ, "JACKFIELD_DATABASE_URL": "none"})


def test_neither_a_request_nor_an_answer_shows_secrets(gateway: Gateway) -> None:
    """What a provider sends is no text for logs."""
    hook = gateway.hook({"notes": [{"id": "n-1", "text": "s3cret-note"}]})
    assert "s3cret" not in repr(hook)
    with pytest.raises(TypeError):
        json.dumps(hook)
