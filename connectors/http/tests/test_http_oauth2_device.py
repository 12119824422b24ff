"""Approval on another device, and scopes that change, against a scripted authorization server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from clocks import FakeClock
from http_rig import Cache
from inmemory import installed
from jackfield.connector import Call, Guard, InvalidConnection, OpenContext
from jackfield.connector.context import entered
from jackfield.kernel.clock import Deadline, SystemClock
from jackfield.testing import Answer, Provider, Request, refused
from jackfield_http import OAuth2AuthorizationCode
from jackfield_store.runtime import Jackfield
from oauth2_people import ask, expire, make_connector


def fault(code: str) -> Answer:
    """An error of a token endpoint."""
    return Answer({"error": code, "error_description": "not now"}, 400)


TOKENS = {"access_token": "a-1", "refresh_token": "r-1", "token_type": "Bearer", "expires_in": 3600}


@dataclass
class Authority:
    """Authorization server whose token endpoint plays a script; its last step is repeated."""

    tokens: list[Answer] = field(default_factory=lambda: [Answer(TOKENS)])
    asked: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, _number: int, request: Request) -> Answer:
        """Answer one request."""
        if request.path == "/me":
            return Answer({"sub": "ada"})
        form = dict(parse_qsl(request.body.decode()))
        if request.path == "/device":
            return Answer(
                {
                    "device_code": "d-1",
                    "user_code": "AB-CD",
                    "verification_uri": "https://p.example/d",
                    "expires_in": 60,
                    "interval": 3,
                }
            )
        self.asked.append(form)
        return self.tokens.pop(0) if len(self.tokens) > 1 else self.tokens[0]


@pytest.fixture
def authority() -> Authority:
    """The server's script."""
    return Authority()


@pytest.fixture
def runtime(tmp_path: Path, authority: Authority, clock: FakeClock) -> Iterator[Jackfield]:
    """A runtime with the connection ``ada``, which nobody has approved."""
    with (
        Provider(authority) as server,
        installed(tmp_path, make_connector()) as catalog,
        Jackfield(
            catalog=catalog,
            database_url=f"sqlite:///{tmp_path}/j.db",
            clock=clock,
            environment={"JACKFIELD_HOME": str(tmp_path)},
        ) as found,
    ):
        values = {
            "server": server.url,
            "authorizationUrl": f"{server.url}/auth",
            "tokenUrl": f"{server.url}/token",
            "clientId": "tv",
            "deviceUrl": f"{server.url}/device",
            "scopes": ["a", "b"],
        }
        found.connections.add("ada", "people/oauth2AuthorizationCode", values, test=False)
        yield found


def poll(runtime: Jackfield, begun: dict[str, Any], times: int = 1) -> list[str]:
    """Ask for the state of an authorization, a second apart."""
    found = []
    for _ in range(times):
        runtime.clock.sleep(1)
        found.append(str(runtime.connections.authorizing().poll(begun["id"])["status"]))
    return found


def test_a_device_asks_no_more_often_than_it_may(runtime: Jackfield, authority: Authority) -> None:
    """The provider is asked once per interval, which grows by five seconds when it says so; a fault
    of its own ends nothing.
    """
    authority.tokens = [
        fault("authorization_pending"),
        fault("slow_down"),
        refused(503),
        Answer(TOKENS),
    ]
    begun = runtime.connections.authorizing().begin_device("ada")
    assert (begun["userCode"], begun["interval"]) == ("AB-CD", 3)
    assert poll(runtime, begun, 6) == ["pending"] * 6
    asked = len(authority.asked)
    assert asked == 2
    assert poll(runtime, begun, 30)[-1] == "granted"
    assert len(authority.asked) == 4
    assert authority.asked[0] == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "device_code": "d-1",
        "client_id": "tv",
    }


@pytest.mark.parametrize("code", ["expired_token", "access_denied"])
def test_a_device_that_nobody_approves(runtime: Jackfield, authority: Authority, code: str) -> None:
    """A code that has expired, or was refused, ends the authorization with the reason, and the
    provider is not asked again.
    """
    authority.tokens = [fault(code)]
    begun = runtime.connections.authorizing().begin_device("ada")
    assert poll(runtime, begun, 9) == ["failed"] * 9
    assert len(authority.asked) == 1
    assert "not now" in runtime.connections.authorizing().poll(begun["id"])["reason"]
    assert runtime.connections.show("ada")["authorization"] == {"status": "none"}


def test_a_code_is_not_asked_for_after_its_time(runtime: Jackfield, authority: Authority) -> None:
    """Once a code has expired here, its authorization has failed, whatever the provider would
    say.
    """
    begun = runtime.connections.authorizing().begin_device("ada")
    runtime.clock.sleep(61)
    assert poll(runtime, begun) == ["failed"]
    assert authority.asked == []


def test_scopes_that_were_taken_back(runtime: Jackfield, authority: Authority) -> None:
    """The connection shows the scopes that the last refresh granted, whether or not the refresh
    token was rotated.
    """
    begun = runtime.connections.authorizing().begin_device("ada")
    assert poll(runtime, begun, 4)[-1] == "granted"
    assert runtime.connections.show("ada")["authorization"]["scopes"] == ["a", "b"]
    runtime.clock.sleep(3590)  # the first token is used up
    for refresh, scope in (("r-2", "a"), ("r-2", "a c"), ("r-3", None)):
        authority.tokens = [
            Answer({**TOKENS, "refresh_token": refresh} | ({"scope": scope} if scope else {}))
        ]
        assert ask(runtime)["status"] == "succeeded"
        assert (
            runtime.connections.show("ada")["authorization"]["scopes"] == (scope or "a c").split()
        )
        expire(runtime)
        for cache in runtime.open_connections._stored._caches.values():
            cache._held.clear()
    assert [form["refresh_token"] for form in authority.asked[1:]] == ["r-1", "r-2", "r-2"]


@pytest.mark.parametrize("name", ["deviceUrl", "tokenUrl"])
def test_an_endpoint_inside_the_network_is_named(name: str) -> None:
    """Over a tenant's connection, an endpoint that is not public is refused at the value that names
    it.
    """
    inside = "http://127.0.0.1:9/x"
    values = {
        "server": inside,
        "authorizationUrl": inside,
        "tokenUrl": inside,
        "deviceUrl": inside,
        "clientId": "tv",
    }
    kind, call = (
        OAuth2AuthorizationCode.model_validate(values),
        Call(Deadline.after(10, SystemClock())),
    )
    context = OpenContext(
        "default", "ada", "people", {}, {}, call, SystemClock(), {}, Cache(), Guard()
    )
    with entered(call), pytest.raises(InvalidConnection) as found:
        _ = (
            kind.authorize_device(context)
            if name == "deviceUrl"
            else kind.device_authorized(context, {"device_code": "d"})
        )
    assert found.value.details[0].path == f"/{name}"
