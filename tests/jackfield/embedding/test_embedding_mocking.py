"""Tests of an application: servers are mocked in one line, whoever made the runtime, and nothing
else is reached.
"""

from __future__ import annotations

import asyncio
import os
import socket
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.handlers
import pytest

from jackfield import Jackfield, Result
from jackfield.kernel.errors import InvalidInvocation
from jackfield.testing import Answer, FakeClock, Provider, Request, mocked, refused, throttled

_SHOP = "https://api.shop.example"
_CONNECTIONS = {
    "connections": {
        "shop": {"type": "http/bearer", "values": {"server": _SHOP, "token": "tok-4711"}}
    }
}
_KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s" * 40, "region": "eu-west-1"}
_MAIL = {"sender": "a@example.com", "to": ["b@example.com"], "subject": "Hello", "text": "Hello"}


@pytest.fixture
def application(jackfield_home: Path) -> Iterator[Jackfield]:
    """The runtime of an application: it was made before the test mocks anything, with a connection
    to the real server.
    """
    with Jackfield(connections=[_CONNECTIONS], clock=FakeClock()) as made:
        yield made


def _order(
    application: Jackfield, method: str = "POST", path: str = "/orders", **members: Any
) -> Result:
    inputs = {"url": path, "method": method, **({"json": {"item": 1}} if method == "POST" else {})}
    return application.invoke(
        {
            "connector": "http",
            "action": "request",
            "connection": "shop",
            "inputs": inputs,
            **members,
        }
    )


def test_a_server_is_mocked_in_one_line(
    application: Jackfield, jackfield_mock: Callable[..., Provider]
) -> None:
    """The request to the TLS server arrives at the mock as it would there: path, headers with the
    credentials, body.
    """
    shop = jackfield_mock(_SHOP, Answer({"id": "o-1"}))
    result = _order(application)
    assert (result.status, result.unwrap()["body"]) == ("succeeded", {"id": "o-1"}), result.error
    (sent,) = shop.requests
    assert (sent.method, sent.path, sent.json(), sent.headers["Authorization"]) == (
        "POST",
        "/orders",
        {"item": 1},
        "Bearer tok-4711",
    )
    assert sent.headers["Host"] == "api.shop.example"


_CACHED: list[Jackfield] = []


@pytest.mark.parametrize("round_", [1, 2])
def test_a_runtime_that_an_application_keeps_is_closed(jackfield_home: Path, round_: int) -> None:
    """It would answer the next test from the journal of the one before. Elsewhere, an endpoint of
    AWS would bypass mocks.
    """
    del jackfield_home
    if round_ == 1:
        _CACHED.append(Jackfield(connections=[_CONNECTIONS], clock=FakeClock()))
        with mocked(_SHOP, Answer({"id": "o-1"})):
            assert _order(_CACHED[0], idempotencyKey="tea").status == "succeeded"
        return
    kept = _CACHED.pop()
    error = _order(kept, idempotencyKey="tea").error
    assert error is not None
    assert (error.code, "closed" in error.message) == ("unavailable", True)


def test_endpoints_of_the_developer_do_not_reach_tests(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A variable that sends AWS's requests elsewhere would let them pass by the mock."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://127.0.0.1:9")
    request.getfixturevalue("jackfield_home")
    assert "AWS_ENDPOINT_URL_SESV2" not in os.environ


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (refused(422), "rejected"),
        (throttled(), "rate_limited"),
        (Answer(status=503), "unavailable"),
    ],
)
def test_failures_of_the_provider_are_scripted(
    step: Answer, told: str, application: Jackfield
) -> None:
    """An application is tested against each answer of its provider; waits between attempts take no
    time by the fake clock.
    """
    with mocked(_SHOP, step):
        result = _order(application, "GET")
    assert result.error is not None
    assert result.error.code == told


def test_a_write_without_an_answer_is_in_doubt(application: Jackfield) -> None:
    """The case that applications forget: the request arrived, and its answer did not."""
    with mocked(_SHOP, "reset") as shop:
        assert _order(application).status == "in_doubt"
    assert shop.writes == 1


def test_a_script_may_be_a_function_or_routes(application: Jackfield) -> None:
    """Routes answer by method and path; what they do not name is 404; a function sees each
    request.
    """
    with mocked(_SHOP, {"GET /orders": Answer([1]), "POST /orders": Answer({"id": 2}, 201)}):
        assert _order(application, "GET", "/orders?page=1").unwrap()["body"] == [1]
        assert _order(application).unwrap()["status"] == 201
        missing = _order(application, "GET", "/nothing")
    assert missing.error is not None
    assert missing.error.code == "not_found"

    def echo(number: int, request: Request) -> Answer:
        return Answer({"number": number, "path": request.path})

    with mocked(_SHOP, echo):
        assert [_order(application, "GET").unwrap()["body"]["number"] for _ in range(2)] == [1, 2]


def test_other_servers_are_refused_at_once(application: Jackfield) -> None:
    """A server that is not mocked is refused by name, without a retry; so are sockets of everybody
    else in the process.
    """
    with mocked("https://other.example"):
        pass
    with mocked("https://other.example", Answer()) as other:
        result = _order(application)
        assert result.error is not None
        assert (result.error.code, result.meta.attempts) == ("invalid_connection", 0)
        assert "'api.shop.example' is not mocked" in result.error.message
        assert "mocked('https://api.shop.example', Answer(…))" in str(result.error.hint)
        with pytest.raises(urllib.error.URLError, match="mocked"):
            urllib.request.urlopen("http://api.shop.example/")
        with pytest.raises(OSError, match="mocked"):
            socket.create_connection(("192.0.2.1", 80))
    assert other.requests == []


def test_blocks_nest_and_end(application: Jackfield) -> None:
    """Each of several servers has its own mock; a server of this machine is reached as ever;
    afterwards nothing is left.
    """
    send, connect = socket.socket.send, socket.socket.connect
    with (
        mocked(_SHOP, Answer({"from": "shop"})),
        mocked("http://api.shop.example:8080", Answer({"from": "port"})),
        Provider([Answer({"from": "real"})]) as near,
    ):
        assert _order(application).unwrap()["body"] == {"from": "shop"}
        for server, name in (("http://api.shop.example:8080", "port"), (near.url, "real")):
            inline = {"type": "http/bearer", "values": {"server": server, "token": "t"}}
            given = {
                "connector": "http",
                "action": "request",
                "connection": inline,
                "inputs": {"url": "/"},
            }
            assert application.invoke(given).unwrap()["body"] == {"from": name}
    assert (socket.socket.send, socket.socket.connect) == (send, connect)


def test_asyncio_and_aws_are_mocked_too(application: Jackfield) -> None:
    """The wire is one for all: ``ainvoke``, and AWS's operations, which need no moto for one
    answer.
    """
    inline = {"type": "aws-ses/apiKeySecret", "values": _KEYS}
    mail = {"connector": "aws-ses", "action": "sendEmail", "connection": inline, "inputs": _MAIL}
    with mocked("https://email.eu-west-1.amazonaws.com", Answer({"MessageId": "m-1"})) as ses:
        result = asyncio.run(application.ainvoke(mail))
    assert (result.status, result.output) == ("succeeded", {"MessageId": "m-1"}), result.error
    assert ses.requests[0].path == "/v2/email/outbound-emails"


def test_a_limit_to_some_hosts_lets_their_mocks_through(jackfield_home: Path) -> None:
    """With ``only_hosts``, the server's own name decides, not the address of its mock."""
    with (
        Jackfield(connections=[_CONNECTIONS], only_hosts=["api.shop.example"]) as jackfield,
        mocked(_SHOP, Answer()),
    ):
        assert _order(jackfield).status == "succeeded"
    with (
        Jackfield(connections=[_CONNECTIONS], only_hosts=["127.0.0.1"]) as jackfield,
        mocked(_SHOP, Answer()),
    ):
        assert _order(jackfield).status == "failed"


@pytest.mark.parametrize(
    "server",
    [
        "api.example.com",
        "https://",
        "https://a.example/path",
        "ftp://a.example",
        "https://a.example/?q",
    ],
)
def test_what_is_no_server_is_refused(server: str) -> None:
    """A path or a missing scheme would never match a request."""
    with (
        pytest.raises(InvalidInvocation, match="not the URL of a server"),
        mocked(server, Answer()),
    ):
        pass


def test_the_data_folder_is_the_tests_own(
    jackfield_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a runtime writes without any argument is in the test's folder."""
    with Jackfield() as jackfield:
        assert jackfield.storage.url == f"sqlite:///{jackfield_home / 'jackfield.db'}"


def test_a_process_that_has_imported_moto_mocks_aws_in_one_line(
    application: Jackfield, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package adds a function to the events of all AWS clients, for good: each call goes
    through AWS's client then, and to the mock.
    """
    monkeypatch.setattr(
        botocore.handlers,
        "BUILTIN_HANDLERS",
        [*botocore.handlers.BUILTIN_HANDLERS, ("before-send", _unmocked)],
    )
    inline = {
        "type": "aws-ses/apiKeySecret",
        "values": {**_KEYS, "accessKeyId": "AKIAIOSFODNN7MOTOMOTO"},
    }
    mail = {"connector": "aws-ses", "action": "sendEmail", "connection": inline, "inputs": _MAIL}
    with (
        mocked("https://other.example"),
        mocked(
            "https://email.eu-west-1.amazonaws.com", throttled(), Answer({"MessageId": "m-1"})
        ) as ses,
    ):
        result = application.invoke(mail)
    assert (result.status, result.output) == ("succeeded", {"MessageId": "m-1"}), result.error
    assert [(request.path, request.headers["Host"]) for request in ses.requests] == [
        ("/v2/email/outbound-emails", "email.eu-west-1.amazonaws.com")
    ] * 2
    with mocked("https://other.example"):
        result = application.invoke(mail)
    assert result.error is not None
    assert (result.error.code, "is not mocked" in result.error.message) == (
        "invalid_connection",
        True,
    ), result.error


@pytest.mark.parametrize(
    "script", [Answer({"n": 1}), "reset", [Answer({"n": 1})], {"GET /": Answer({"n": 1})}]
)
def test_a_provider_takes_the_scripts_of_a_mock(script: Any, application: Jackfield) -> None:
    """One step answers all requests, whether it stands alone or in a list."""
    with Provider(script) as provider:
        inline = {"type": "http/anonymous", "values": {"server": provider.url}}
        given = {
            "connector": "http",
            "action": "request",
            "connection": inline,
            "inputs": {"url": "/", "method": "GET"},
        }
        result = application.invoke(given)
    assert (result.status == "succeeded") is (script != "reset"), result.error


@pytest.mark.parametrize("script", ["hung", [Answer(), 200], {"GET /": {"n": 1}}, []])
def test_a_step_that_is_none_is_refused_at_once(script: Any) -> None:
    """A body in the place of an Answer failed in the server's thread, and the caller was told of a
    broken connection.
    """
    with pytest.raises(ValueError, match="step"):
        Provider(script)


def _unmocked(**_: object) -> None:
    """Let a request through, as moto does outside of its mocks."""
