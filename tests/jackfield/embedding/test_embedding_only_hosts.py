"""The option ``only_hosts``: whatever a connection, a connector or a provider asks for, no other
host is reached.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from host_provider import Provider, request
from jackfield import Jackfield
from jackfield.connector import InvalidConnection
from jackfield.kernel.errors import InvalidInvocation
from jackfield.wire.guard import OnlyHosts, only_hosts
from jackfield_aws import boto3_session
from jackfield_market.testing import Answer
from jackfield_market.testing import Provider as Scripted
from jackfield_market.testing.offline import offline
from jackfield_service.subjects.callbacks.sending import Sender
from jackfield_store.runtime.runtime_pool import RuntimePool

_KEYS = {"accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s" * 40, "region": "eu-west-1"}
_ROLE = {**_KEYS, "roleARN": "arn:aws:iam::123456789012:role/mail", "externalId": "e-1"}
_MAIL = {
    "awsRegion": "eu-west-1",
    "sender": "a@example.com",
    "to": ["b@example.com"],
    "subject": "s",
    "text": "t",
}
_TOKEN = {"tokenUrl": "https://id.example.com/token", "clientId": "c", "clientSecret": "s"}
_CALLS: Mapping[str, tuple[str, Mapping[str, Any], str, str, Mapping[str, Any]]] = {
    "server": (
        "http/bearer",
        {"server": "https://api.example.com", "token": "t"},
        "http",
        "request",
        {"url": "/", "method": "POST"},
    ),
    "token": (
        "http/oauth2ClientCredentials",
        {"server": "http://127.0.0.1:9", **_TOKEN},
        "http",
        "request",
        {"url": "/"},
    ),
    "fixed server": ("stripe/secretKey", {"token": "sk_test_1"}, "stripe", "getBalance", {}),
    "url of the inputs": (
        "http/anonymous",
        {},
        "http",
        "request",
        {"url": "https://www.example.com/"},
    ),
    "AWS, own wire": (
        "aws-ses/apiKeySecret",
        _KEYS,
        "aws-ses",
        "listIdentities",
        {"awsRegion": "eu-west-1"},
    ),
    "AWS, role": (
        "aws-ses/awsAssumeRole",
        _ROLE,
        "aws-ses",
        "listIdentities",
        {"awsRegion": "eu-west-1"},
    ),
    "AWS, boto3": ("aws-ses/apiKeySecret", _KEYS, "aws.s3", "listBuckets", {}),
    "SMTP": (
        "aws-ses/smtp",
        {"hostname": "smtp.example.com", "username": "u", "password": "p"},
        "aws-ses",
        "sendEmail",
        _MAIL,
    ),
}
"""Connection type, values, connector, action and inputs of a call that leads to a host which is not
named.
"""


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """Hosts outside of this machine that sockets of this process were asked for, all of which are
    refused.
    """
    found: list[str] = []
    with offline(found.append):
        yield found


@pytest.mark.parametrize("case", _CALLS)
def test_no_other_host_is_asked(case: str, asked: list[str]) -> None:
    """Whoever chooses the host, the refusal names it, and what to do; nothing is resolved,
    connected or sent.
    """
    kind, values, connector, action, inputs = _CALLS[case]
    with Jackfield(
        connections=[], database_url="none", environment={}, only_hosts=["127.0.0.1"]
    ) as jackfield:
        given = {
            "connector": connector,
            "action": action,
            "connection": {"type": kind, "values": values},
            "inputs": inputs,
        }
        result = jackfield.invoke({**given, "timeoutSeconds": 20})
    assert (result.status, asked) == ("failed", [])
    assert result.error is not None
    assert result.error.code == "invalid_connection", result.error
    assert (
        "is not among the only hosts that this runtime may reach: 127.0.0.1"
        in result.error.details[0].message
    )
    assert "'only_hosts'" in str(result.error.hint)
    assert "JACKFIELD_ONLY_HOSTS" in str(result.error.hint)


def test_a_redirect_leads_nowhere_else(asked: list[str]) -> None:
    """A server that is named cannot send a request on to one that is not."""
    moved = Answer(status=307, headers={"Location": "http://other.example.com/"})
    with (
        Scripted([moved]) as server,
        Jackfield(connections=[], database_url="none", only_hosts=["127.0.0.1"]) as jackfield,
    ):
        values = {"server": server.url, "token": "t"}
        inputs = {"url": "/", "method": "GET"}
        given = {
            "connector": "http",
            "action": "request",
            "connection": {"type": "http/bearer", "values": values},
            "inputs": inputs,
        }
        result = jackfield.invoke(given, tries=1)
    assert (result.error and result.error.code, asked) == ("invalid_connection", [])
    assert "'other.example.com' is not among" in str(result.error)


@pytest.mark.parametrize(
    "only", [["127.0.0.1"], ["127.0.0.0/8", "x.example.com"], ["*"], ["::1", "127.*"]]
)
def test_hosts_that_are_named_are_reached(only: list[str], provider: Provider) -> None:
    """An address, a network and a pattern let a request through."""
    with Jackfield(
        connections=[provider.connection()], database_url="none", only_hosts=only
    ) as jackfield:
        assert jackfield.invoke(request()).status == "succeeded"
    assert len(provider.paths) == 1


@pytest.mark.parametrize(
    ("pattern", "host"),
    [("api.example.com", "API.Example.com."), ("*.example.com", "a.example.com"), ("::1", "[::1]")],
)
def test_hosts_are_compared_as_they_are_written(pattern: str, host: str) -> None:
    """Case, the final dot and brackets make no difference."""
    OnlyHosts((pattern,)).require(host)


@pytest.mark.parametrize(
    ("pattern", "host"),
    [
        ("example.com", "a.example.com"),
        ("127.0.0.1", "localhost"),
        ("*.example.com", "example.com"),
    ],
)
def test_a_name_is_not_resolved_to_be_permitted(pattern: str, host: str) -> None:
    """A name is no address and a domain no part of itself: each is to be named."""
    with pytest.raises(InvalidConnection):
        OnlyHosts((pattern,)).require(host)


def test_the_environment_names_them_for_every_runtime(
    asked: list[str], tmp_path: Path, provider: Provider
) -> None:
    """The variable limits the runtimes of a server and its callbacks, too; ``none`` is no host at
    all, and the constructor goes first.
    """
    place = {
        "JACKFIELD_HOME": str(tmp_path),
        "JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path / 'j.db'}",
    }
    inline = {
        "connection": {"type": "http/bearer", "values": {"server": provider.url, "token": "t"}}
    }
    pool = RuntimePool({**place, "JACKFIELD_ONLY_HOSTS": "api.example.com, none"})
    try:
        result = pool.find("default").invoke({**request(), **inline})
    finally:
        pool.close()
    assert result.error is not None
    assert (
        "'127.0.0.1' is not among the only hosts that this runtime may reach: api.example.com"
        in result.error.details[0].message
    )
    with Jackfield(
        connections=[],
        database_url="none",
        environment={"JACKFIELD_ONLY_HOSTS": "none"},
        only_hosts=["127.0.0.1"],
    ) as jackfield:
        assert jackfield.invoke({**request(), **inline}).status == "succeeded"
    assert only_hosts(None, {"JACKFIELD_ONLY_HOSTS": "none"}) == OnlyHosts(())
    assert only_hosts(None, {"JACKFIELD_ONLY_HOSTS": ""}) is None
    attempt = Sender(None, {"JACKFIELD_ONLY_HOSTS": "none"}).send(
        "https://hooks.example.com/x", "operator", [], b"{}", 0.0
    )
    assert "'hooks.example.com' is not among the only hosts" in str(attempt.error)
    assert asked == []


def test_what_is_no_call_is_held_to_them_too(asked: list[str]) -> None:
    """Tests of connections, live choices, and boto3 over a stored connection reach no other host
    either.
    """
    found = {
        "web": {
            "type": "http/bearer",
            "values": {"server": "https://api.example.com", "token": "t", "testPath": "/me"},
        },
        "aws": {"type": "aws-ses/apiKeySecret", "values": _KEYS},
    }
    with Jackfield(
        connections=[{"connections": found}], database_url="none", environment={}, only_hosts=[]
    ) as jackfield:
        told = [json.dumps(jackfield.test(name, timeout_seconds=20)) for name in found]
        with pytest.raises(InvalidConnection, match=r"not allowed to reach '.*amazonaws.com'"):
            jackfield.options(
                "aws-ses", "identities", connection="aws", inputs={"awsRegion": "eu-west-1"}
            )
        with pytest.raises(Exception, match=r"not allowed to reach '.*amazonaws.com'"):
            boto3_session(jackfield, "aws").client("sqs", region_name="eu-west-1").list_queues()
    assert [
        "not allowed to reach '" in text and "JACKFIELD_ONLY_HOSTS" in text for text in told
    ] == [True, True]
    assert asked == []


def test_one_text_is_no_list_of_hosts() -> None:
    """A text, whose letters would be hosts, is refused when the runtime is made."""
    with pytest.raises(InvalidInvocation, match="one text"):
        Jackfield(connections=[], database_url="none", only_hosts="127.0.0.1")
