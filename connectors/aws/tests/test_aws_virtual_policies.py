"""Policies and lists where all of AWS is offered: their size and work follow what is asked for,
never the catalogue (surfaces H2).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Place, placed, token

from jackfield import Jackfield
from jackfield.callers import Caller, Rules
from jackfield.callers.rules import Decision, decide
from jackfield.kernel.errors import InvalidInvocation, UnknownConnector, UnknownName
from jackfield_aws.virtual import operations
from moto_rig import offer

BY_PATTERN: Mapping[str, Any] = {"services": ["[a-z]*"], "mcp": True}
"""All services by a pattern, so that none is left out of what a connection serves."""
VALUES = {
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
    "secretAccessKey": "policy-secret-4711",
    "region": "eu-west-1",
}
LARGEST_PAGE = 160 * 1024


@pytest.fixture(name="environment", scope="module")
def _environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A home in which the index of all of AWS is made once."""
    return offer(tmp_path_factory.mktemp("home"), {"default": BY_PATTERN})


@pytest.fixture(name="jackfield", scope="module")
def _jackfield(environment: dict[str, str]) -> Iterator[Jackfield]:
    """A runtime with all of AWS and one connection to it."""
    with Jackfield(
        database_url=f"sqlite:///{environment['JACKFIELD_HOME']}/j.db", environment=environment
    ) as jackfield:
        for name in ("aws", *(f"c{number:02}" for number in range(30))):
            jackfield.connections.add(name, "aws/apiKeySecret", VALUES, test=False)
        yield jackfield


def test_a_policy_of_the_whole_catalogue_is_refused(jackfield: Jackfield) -> None:
    """The error states the limit and names what to give instead; before, it took a minute and 2
    MB.
    """
    with pytest.raises(
        InvalidInvocation, match="one policy holds at most 10 connectors and 1,000 actions"
    ) as caught:
        jackfield.connections.policy("aws")
    assert [detail.path for detail in caught.value.details] == ["/connector"]
    assert "connector='aws.s3'" in str(caught.value.hint)


def test_a_policy_is_made_for_one_connector_or_for_some_actions(
    jackfield: Jackfield, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest service fits, and no schema is made for its actions; of two actions alone theirs
    may be.
    """
    found = jackfield.connections.policy("aws", ["aws.s3/getObject", "aws.sqs/sendMessage"])
    assert found["permissions"] == ["s3:GetObject", "sqs:SendMessage"]
    monkeypatch.setattr(operations, "describe", None)
    for key, permission in (("aws.ec2", "ec2:RunInstances"), ("aws.s3", "s3:ListAllMyBuckets")):
        made = jackfield.connections.policy("aws", connector=key)
        assert {name.partition("/")[0] for name in made["actions"]} == {key}
        assert permission in made["permissions"]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("aws.s4", "AWS has no service 's4'"),
        ("http", "does not serve"),
        ("nope", "no connector 'nope'"),
    ],
)
def test_an_unknown_connector_is_named(jackfield: Jackfield, key: str, text: str) -> None:
    """A connector that does not exist, or that the connection does not serve, is an error of its
    own.
    """
    with pytest.raises(UnknownConnector, match=text):
        jackfield.connections.policy("aws", connector=key)
    with pytest.raises(UnknownName):
        jackfield.connections.policy("aws", [f"{key}/getObject"])


@pytest.mark.parametrize(
    "allow",
    [
        "aws.s3/*",
        pytest.param("connection:zz* & aws.s3/*", marks=pytest.mark.campaign),
        pytest.param("connection:zz*", marks=pytest.mark.campaign),
        "connection:c0* & aws.*/get*",
    ],
)
def test_rules_are_asked_once_for_connections_that_they_cannot_tell_apart(
    jackfield: Jackfield, allow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The list of 31 connections took 10 s of CPU: each connection was tried with each of 19,842
    actions.
    """
    decided: list[object] = []

    def counted(*given: Any) -> Decision:
        decided.append(given)
        return decide(*given)

    monkeypatch.setattr("jackfield.callers.authorizer.decide", counted)
    caller = Caller(scope="read", rules=Rules(allow=(allow,)))
    names = [row["name"] for row in jackfield.connections_of(caller).list(limit=50).items]
    assert len(names) == {"aws.s3/*": 31, "connection:c0* & aws.*/get*": 10}.get(allow, 0)
    assert len(decided) < 4 * 19_842


@pytest.fixture(name="place", scope="module")
def _place(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> Iterator[Place]:
    """A server with all of AWS."""
    with placed(tmp_path_factory.mktemp("served"), environment=environment) as place:
        runtime = place.host.runtime("default")
        runtime.connections.add("aws", "aws/apiKeySecret", VALUES, test=False)
        yield place


def test_the_page_of_a_connection_opens_and_narrows_its_policy(place: Place) -> None:
    """The console's page of an AWS connection never opened; now it asks for a connector and shows
    the policy of that one.
    """
    client = place.signed_in()
    shown = client.get("/connections/aws")
    assert (shown.status, len(shown.text) < LARGEST_PAGE) == (200, True)
    assert "one policy holds at most 10 connectors" in shown.words
    assert 'name="connector"' in shown.text
    assert "s3:ListAllMyBuckets" in client.get("/connections/aws?connector=aws.s3").words
    assert "AWS has no service 's4'" in client.get("/connections/aws?connector=aws.s4").words


def test_no_page_or_endpoint_grows_with_the_catalogue(place: Place) -> None:
    """Every page, list, search and tool stays small with 19,842 actions, each on several pages."""
    client = place.signed_in()
    pages = [
        "/",
        "/connectors",
        "/connectors?q=list",
        "/connectors/aws.s3",
        "/connections",
        "/new-connection",
        "/connections/aws",
        "/connections/aws/doctor",
        "/invocations",
        "/tokens",
        "/audit",
        "/workspace",
        "/workspace/verdict?call=aws.s3/listBuckets",
    ]
    sizes = {address: len(client.get(address).text) for address in pages}
    assert {address: size for address, size in sizes.items() if size > LARGEST_PAGE} == {}
    headers = {"authorization": f"Bearer {token(place, 'manage')}"}
    for address in (
        "/v1/connectors",
        "/v1/actions",
        "/v1/actions?q=list+buckets",
        "/v1/actions?connector=aws.ec2",
        "/v1/connections",
        "/v1/connections/aws",
        "/v1/connections/aws/policy?connector=aws.ec2",
        "/openapi.json",
        "/metrics",
    ):
        found = place.client().get(address, **headers)
        # our own operations alone are 330 kB
        most = 3 * LARGEST_PAGE if address == "/openapi.json" else 2 * LARGEST_PAGE
        assert (found.status, address, len(found.text) < most) == (200, address, True)
    page = place.client().get("/v1/connectors", **headers).text
    manifests = json.loads(page)
    assert (len(manifests["items"]), bool(manifests["nextCursor"]), len(page) < 40_000) == (
        50,
        True,
        True,
    )
    refused = place.client().get("/v1/connections/aws/policy", **headers)
    assert (refused.status, "?connector=aws.s3" in refused.text) == (400, True)
    for tool in ("list_connections", "search_actions"):
        call = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": tool, "arguments": {}},
        }
        sent = {
            **headers,
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        answered = place.client().send("POST", "/mcp", json.dumps(call).encode(), sent)
        assert (answered.status, len(answered.text) < 32 * 1024) == (200, True)
