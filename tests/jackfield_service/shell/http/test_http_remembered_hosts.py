"""The verdict on a connection's hosts is remembered for a second, where the wire judges each
address once more before it connects.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from company import company
from http_stand import Stand, standing
from jackfield.call import open as opening
from jackfield.call.open import HostsJudge
from jackfield.callers import Rules
from jackfield.callers.actor import Actor
from jackfield.connector import ConnectionType, Guard, InvalidConnection
from jackfield.kernel.clock import SystemClock
from jackfield.testing import Answer, Provider
from jackfield_aws.connection_types import ApiKeySecret
from jackfield_aws_ses.smtp.connection_type import Smtp
from jackfield_http.bindings.connection import BoundConnection
from jackfield_http.connection_types import BearerToken
from jackfield_http.request.connections import Anonymous, AnyAwsSigV4, AnyBearer
from jackfield_mcp.connections import McpConnection
from jackfield_store.management.shared_settings import SharedSettings

NAME, INTERNAL = "api.example", "10.1.2.3"
ADA = Actor("cli", "ada")


class Names:
    """A resolver: the addresses of the name, and how often it was asked for them."""

    def __init__(self) -> None:
        self.address, self.asked = "127.0.0.1", 0
        self._real = socket.getaddrinfo

    def look_up(self, host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        """Answer for the name; all others are resolved as they are."""
        if host != NAME:
            return self._real(host, port, *rest, **more)
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.address, port or 0))]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """A resolver, in a process in which a verdict holds for an hour, so that no test depends on the
    second.
    """
    found = Names()
    monkeypatch.setattr("socket.getaddrinfo", found.look_up)
    monkeypatch.setattr(opening, "_REMEMBERED", 3600.0)
    return found


@pytest.fixture(name="upstream")
def _upstream() -> Iterator[Provider]:
    """An API that answers as SES and keeps connections open, but for a path that ends them."""
    made = {"MessageId": "m"}
    with Provider(
        lambda _number, asked: Answer(
            made, headers={"Connection": "close"} if asked.path == "/close" else {}
        ),
        keeps=True,
    ) as found:
        yield found


@pytest.fixture
def port(upstream: Provider) -> int:
    """Port of the API."""
    return upstream.port


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    """A server that reaches what is public, and what its operator has allowed."""
    with standing(
        tmp_path,
        setup=lambda host: setattr(
            host.runtimes, "guard", Guard(shared=host.storage.allowed_hosts)
        ),
    ) as found:
        allow(found, "127.0.0.1")
        yield found


def allow(stand: Stand, hosts: str) -> None:
    """Set the internal hosts that connections may reach."""
    SharedSettings(stand.host.storage, SystemClock(), ADA).set("allowHosts", hosts)


def add(stand: Stand, port: int, kind: str = "http/anonymous", **values: Any) -> None:
    """Store the connection ``api``."""
    body = {"name": "api", "type": kind, "values": {"server": f"http://{NAME}:{port}", **values}}
    reply = stand.client().post("/v1/connections?test=false", body)
    assert reply.status == 201, reply.json


def called(stand: Stand, path: str = "/", who: str = "one") -> tuple[str, str | None]:
    """Status and error code of a request over the connection. A new token would change what decides
    calls, so each caller has one.
    """
    client = stand.clients.get(who) or stand.clients.setdefault(
        who, stand.client(rules=Rules(allow=("http/*",)))
    )
    body = {"connector": "http", "action": "request", "connection": "api", "inputs": {"url": path}}
    result = client.post("/v1/invocations", body).json
    return result["status"], result.get("error", {}).get("code")


def test_one_look_up_serves_many_calls(stand: Stand, names: Names, port: int) -> None:
    """Once the name was resolved for the verdict and for the connection, no call resolves it,
    whoever makes it.
    """
    add(stand, port)
    assert called(stand, who="two") == called(stand, who="one") == ("succeeded", None)
    names.asked = 0
    assert [called(stand, who=who) for who in ("one", "two", "two", "one")] == [
        ("succeeded", None)
    ] * 4
    assert names.asked == 0


def test_a_name_that_moves_inside_is_refused_where_it_is_connected_to(
    stand: Stand, names: Names, port: int, upstream: Provider
) -> None:
    """While the verdict holds, a new connection is judged by the addresses that it would go to."""
    add(stand, port)
    assert called(stand, "/close") == ("succeeded", None)
    names.address = INTERNAL
    assert called(stand) == ("failed", "invalid_connection")
    assert [request.path for request in upstream.requests] == ["/close"]


def test_what_is_no_longer_allowed_is_refused_at_once(
    stand: Stand, names: Names, port: int
) -> None:
    """A change of the allowed hosts ends what was remembered, also where a connection to the host
    is open.
    """
    add(stand, port)
    assert called(stand) == ("succeeded", None)
    allow(stand, "192.168.0.0/16")
    assert called(stand) == ("failed", "invalid_connection")
    allow(stand, "127.0.0.1")
    assert called(stand) == ("succeeded", None)


def test_a_refusal_is_not_remembered(stand: Stand, names: Names, port: int) -> None:
    """Once the name has moved out, the next call reaches it."""
    names.address = INTERNAL
    add(stand, port)
    assert called(stand) == ("failed", "invalid_connection")
    names.address = "127.0.0.1"
    assert called(stand) == ("succeeded", None)


def test_another_host_under_the_name_is_judged(stand: Stand, names: Names, port: int) -> None:
    """A connection that is changed is judged anew."""
    add(stand, port)
    assert called(stand) == ("succeeded", None)
    assert stand.client().call("DELETE", "/v1/connections/api").status == 204
    add(stand, port, server=f"http://{INTERNAL}:{port}")
    assert called(stand) == ("failed", "invalid_connection")


def test_through_a_proxy_each_call_is_judged(
    stand: Stand, names: Names, port: int, tmp_path: Path
) -> None:
    """A proxy that is on the way gets an address that was judged at each call, and nowhere else."""
    with company(tmp_path) as place:
        add(stand, port, proxy=f"http://127.0.0.1:{place.port}")
        assert [called(stand)[0] for _ in range(3)] == ["succeeded"] * 3
    assert set(place.asked) == {f"127.0.0.1:{port}"}
    before = names.asked
    names.address = INTERNAL
    assert called(stand) == ("failed", "invalid_connection")
    assert names.asked == before + 1


def test_where_a_library_connects_each_call_is_judged(
    stand: Stand, names: Names, port: int
) -> None:
    """A verdict on the host of a client that is not the wire's alone is not remembered, although
    its connection stays open.
    """
    values = {**KEYS, "region": "eu-west-1", "endpoint": f"http://{NAME}:{port}"}
    assert (
        stand.client()
        .post(
            "/v1/connections?test=false",
            {"name": "aws", "type": "aws/apiKeySecret", "values": values},
        )
        .status
        == 201
    )
    client = stand.client(rules=Rules(allow=("aws-ses/*",)))
    mail = {"sender": "a@acme.example", "to": "b@acme.example", "subject": "s", "text": "t"}
    body = {"connector": "aws-ses", "action": "sendEmail", "connection": "aws", "inputs": mail}
    assert client.post("/v1/invocations", body).json["status"] == "succeeded"
    names.asked = 0
    assert [client.post("/v1/invocations", body).json["status"] for _ in range(3)] == [
        "succeeded"
    ] * 3
    assert names.asked == 3


class Opens(BearerToken):
    """A type whose author opens a client of his own."""

    def open(self, context: Any) -> Any:
        """Open."""
        return object()


class Sets(BearerToken):
    """A type whose author changes the settings of the client."""

    def settings(self) -> Any:
        """Return the settings."""
        return super().settings()


class Multiplexed(BearerToken):
    """A type with HTTP/2."""

    http2 = True


class Signed(BoundConnection):
    """A bound type whose requests a role signs."""

    credentials = ({"kind": "awsSigV4"},)


SERVER = {"server": "https://api.example"}
KEYS = {
    "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
}


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (BearerToken, {**SERVER, "token": "t"}),
        (Anonymous, SERVER),
        (AnyBearer, {**SERVER, "token": "t"}),
        (BoundConnection, SERVER),
        (McpConnection, SERVER),
    ],
)
def test_types_of_the_wire(kind: type[ConnectionType], values: dict[str, Any]) -> None:
    """The HTTP kit's own types are judged where they connect; through a proxy they are not."""
    assert kind.model_validate(values).checks_addresses
    assert not kind.model_validate(
        {**values, "proxy": "http://proxy.example:3128"}
    ).checks_addresses


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Opens, {**SERVER, "token": "t"}),
        (Sets, {**SERVER, "token": "t"}),
        (Multiplexed, {**SERVER, "token": "t"}),
        (Signed, SERVER),
        (AnyAwsSigV4, {**SERVER, "region": "eu-west-1", "service": "execute-api", **KEYS}),
        (ApiKeySecret, KEYS),
        (Smtp, {"hostname": "smtp.example"}),
    ],
)
def test_all_other_types_are_judged_at_each_call(
    kind: type[ConnectionType], values: dict[str, Any]
) -> None:
    """Clients of others, HTTP/2, SMTP, and what a library of AWS signs or sends."""
    assert not kind.model_validate(values).checks_addresses


class Hands(SystemClock):
    """A clock that stands still until it is set."""

    now = 100.0

    def monotonic(self) -> float:
        """Return what it was set to."""
        return self.now


def test_a_verdict_is_a_second_old_at_most() -> None:
    """It holds for a second from the moment at which the name was asked for, and not at all for
    types that are judged at each call.
    """
    clock, judged = Hands(), list[float]()

    def check() -> None:
        judged.append(clock.now)
        clock.now += 0.4

    judge, strict = (
        HostsJudge(check, clock, remembers=True),
        HostsJudge(check, clock, remembers=False),
    )
    judge()
    found = [judge.is_remembered]
    for clock.now in (100.9, 101.0):
        found.append(judge.is_remembered)
        judge()
    strict()
    assert (found, strict.is_remembered) == ([True, True, False], False)
    assert judged == [100.0, 101.0, 101.4]


def test_a_verdict_of_before_a_change_is_not_remembered() -> None:
    """What a check finds that began before the hosts were changed holds for its own call only."""

    def check() -> None:
        judge.forget()

    judge = HostsJudge(check, Hands(), remembers=True)
    judge()
    assert not judge.is_remembered


def test_a_refusal_ends_nothing_but_its_call() -> None:
    """What a check raises goes to the caller, each time."""

    def check() -> None:
        raise InvalidConnection("no")

    judge = HostsJudge(check, Hands(), remembers=True)
    for _ in range(2):
        with pytest.raises(InvalidConnection):
            judge()
        assert not judge.is_remembered
