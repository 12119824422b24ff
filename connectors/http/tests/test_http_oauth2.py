"""OAuth 2.0 client credentials: one token for all who need it, and a new one once it is refused."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from http_rig import Cache, attempt
from jackfield import Jackfield
from jackfield.connector import Guard, InvalidConnection, JackfieldError, Sent
from jackfield.testing import Answer, Provider, Request, refused
from jackfield_http import OAuth2ClientCredentials
from plugboard import make_connector, plugged

SECRET = "s3cr3t:ü"
CONNECTOR = '''
"""A connector over OAuth 2.0."""

from jackfield.connector import Connector, Inputs, Output
from jackfield_http import HttpClient, OAuth2ClientCredentials

connector = Connector("acme", title="Acme", version="1.0.0", connections=[OAuth2ClientCredentials])


class Nothing(Inputs):
    """Nothing."""


class Seen(Output):
    """The token that the server has seen."""

    token: str


@connector.action("look", effect="write")
def look(inputs: Nothing, api: HttpClient) -> Seen:
    """Look, twice."""
    api.post("/first")
    return Seen(token=api.post("/second").json("/token"))
'''


class Authority:
    """An authorization server and the API that it guards, in one: a token is good until it is
    ``spent``.

    A token is spent after a first request if ``spends``.
    """

    def __init__(self) -> None:
        self.spends = False
        self.forms: list[dict[str, list[str]]] = []
        self.headers: list[str] = []
        self.spent: set[str] = set()
        self.answer: Answer | None = None
        self.calls = 0

    def __call__(self, _number: int, request: Request) -> Answer:
        """Issue a token, or look at one."""
        sent = {name.lower(): value for name, value in request.headers.items()}
        if request.path == "/token":
            self.forms.append(parse_qs(request.body.decode()))
            self.headers.append(sent.get("authorization", ""))
            return self.answer or Answer(
                {
                    "access_token": f"tok-{len(self.forms)}",
                    "token_type": "Bearer",
                    "expires_in": 3600,
                }
            )
        token = sent.get("authorization", "").removeprefix("Bearer ")
        self.calls += 1
        if token in self.spent:
            return refused(401)
        if self.spends and request.path == "/first":
            self.spent.add(token)
        return Answer({"token": token.replace("tok-", "number ")})


@pytest.fixture
def authority() -> Authority:
    """The authorization server's script."""
    return Authority()


@pytest.fixture
def server(authority: Authority) -> Iterator[Provider]:
    """The authorization server."""
    with Provider(authority) as provider:
        yield provider


def values(server: Provider, **more: Any) -> dict[str, Any]:
    """Values of a connection."""
    return {"tokenUrl": f"{server.url}/token", "clientId": "app", "clientSecret": SECRET, **more}


def test_a_token_is_fetched_once(server: Provider, authority: Authority) -> None:
    """The secret goes to the token endpoint, the token to the server; another attempt uses the
    same, and neither counts as a request.
    """
    cache = Cache()
    for _ in range(2):
        with attempt(
            server.url,
            OAuth2ClientCredentials,
            cache=cache,
            values=values(server, scopes=["a", "b"]),
        ) as (api, call):
            assert call.requests == 0
            assert api.post("/x").json("/token") == "number 1"
    assert authority.forms == [{"grant_type": ["client_credentials"], "scope": ["a b"]}]
    assert authority.headers == [f"Basic {b64encode(b'app:s3cr3t%3A%C3%BC').decode()}"]
    assert cache.minted["oauth2"].secrets == ("tok-1",)


def test_a_secret_in_the_body(server: Provider, authority: Authority) -> None:
    """For servers that want it there."""
    kind = type(
        "InBody",
        (OAuth2ClientCredentials,),
        {"client_authentication": "body", "parameters": {"audience": "api"}},
    )
    with attempt(server.url, kind, values=values(server)) as (api, _):
        api.get("/x")
    assert (
        authority.forms[0]["client_secret"],
        authority.forms[0]["audience"],
        authority.headers,
    ) == ([SECRET], ["api"], [""])


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer({"error": "invalid_client", "refresh_token": "r"}, 401), "unauthenticated"),
        (refused(503), "unavailable"),
        (Answer({"error": "invalid_scope"}, 400), "unauthenticated"),
        (Answer({"access_token": 7}), "unavailable"),
        (Answer([]), "unavailable"),
        (Answer({"access_token": "t", "token_type": "mac"}), "unavailable"),
        (Answer(content=b"<html>"), "unavailable"),
        (
            Answer({"error": "incorrect_client_credentials", "error_description": "no"}),
            "unauthenticated",
        ),
        (Answer({"error": "x"}), "rejected"),
    ],
)
def test_no_token(server: Provider, authority: Authority, answer: Answer, code: str) -> None:
    """Without a token nothing is sent to the server, and no error has what else a token endpoint
    says.
    """
    authority.answer = answer
    with (
        pytest.raises(JackfieldError) as found,
        attempt(server.url, OAuth2ClientCredentials, values=values(server)),
    ):
        pass
    assert (found.value.code, authority.calls) == (code, 0)
    assert SECRET not in str(found.value)
    assert found.value.provider is None or found.value.provider.details is None


@pytest.mark.parametrize("name", ["bot", "BearerToken"])
def test_other_names_of_bearer_tokens(server: Provider, authority: Authority, name: str) -> None:
    """Slack and Apigee give their bearer tokens names of their own."""
    authority.answer = Answer({"access_token": "tok-1", "token_type": name})
    with attempt(server.url, OAuth2ClientCredentials, values=values(server)) as (api, _):
        assert api.get("/x").json("/token") == "number 1"


@pytest.mark.parametrize("lifetime", ["3600", "soon", 0, -1, True, [1], 10**400, 1e300, None])
def test_lifetimes_that_are_none(server: Provider, authority: Authority, lifetime: Any) -> None:
    """Whatever a server says about the lifetime of a token, the token is used."""
    authority.answer = Answer({"access_token": "tok-1", "expires_in": lifetime})
    with attempt(server.url, OAuth2ClientCredentials, values=values(server)) as (api, _):
        assert api.post("/x").json("/token") == "number 1"


def test_a_token_url_inside_the_network(server: Provider) -> None:
    """The token endpoint is a host of the connection's values, and guarded like all of them."""
    given = values(server)
    with (
        pytest.raises(InvalidConnection) as found,
        attempt("http://93.184.215.14", OAuth2ClientCredentials, guard=Guard(), values=given),
    ):
        pass
    assert found.value.details[0].path == "/tokenUrl"


@pytest.fixture
def runtime(tmp_path: Path, server: Provider) -> Iterator[Jackfield]:
    """A runtime with a connection to the server."""
    make_connector(tmp_path / "plugs", "acme", CONNECTOR)
    stored = {"server": server.url, **values(server)}
    connections = [
        {"connections": {"main": {"type": "acme/oauth2ClientCredentials", "values": stored}}}
    ]
    with (
        plugged(tmp_path / "plugs"),
        Jackfield(connections=connections, database_url=f"sqlite:///{tmp_path}/j.db") as found,
    ):
        yield found


LOOK = {"connector": "acme", "action": "look", "connection": "main", "inputs": {}}


def test_a_refused_token_is_replaced(runtime: Jackfield, authority: Authority) -> None:
    """A token that the server refuses at the first request is replaced, and the attempt repeated
    once.
    """
    authority.spent.add("tok-1")
    result = runtime.invoke(LOOK)
    assert (result.status, result.output, len(authority.forms)) == (
        "succeeded",
        {"token": "number 2"},
        2,
    )


def test_a_token_is_refused_in_the_middle(runtime: Jackfield, authority: Authority) -> None:
    """A token that is refused after a write has succeeded is replaced for the next request, and the
    first is not repeated.
    """
    authority.spends = True
    result = runtime.invoke(LOOK)
    assert (result.status, result.output, authority.calls) == (
        "succeeded",
        {"token": "number 2"},
        3,
    )


def test_a_token_that_never_works(runtime: Jackfield, authority: Authority) -> None:
    """A second refusal is final."""
    authority.spent.update(f"tok-{number}" for number in range(9))
    result = runtime.invoke(LOOK)
    assert result.error is not None
    assert (result.error.code, result.error.sent, authority.calls) == (
        "unauthenticated",
        Sent.REFUSED,
        2,
    )


def test_threads_share_a_token(runtime: Jackfield, authority: Authority) -> None:
    """Twenty threads with a token that has just been refused make one request for a new one."""
    runtime.invoke(LOOK).unwrap()
    authority.spent.add("tok-1")
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(str(runtime.invoke(LOOK).status)))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, len(authority.forms)) == (["succeeded"] * 20, 2)
