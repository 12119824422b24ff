"""Dapr's bindings API beside ours, in the same server (issue 5)."""

from __future__ import annotations

import json
import socket
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_dapr.sidecars import component

from fake_aws import FakeAws
from http_stand import SETTINGS, Client, standing
from jackfield.cli.main import main
from jackfield_dapr.commands.dapr import check_token
from jackfield_dapr.sidecar import Components
from policy_stub import Policy, policy_service


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """The fake AWS."""
    with FakeAws() as fake:
        yield fake


@pytest.fixture
def components(tmp_path: Path) -> Components:
    """A folder with the usual component."""
    folder = tmp_path / "components"
    folder.mkdir()
    (folder / "outbox.yaml").write_text(component(), encoding="utf-8")
    return Components((str(folder),), "billing")


REQUEST = {"operation": "create", "data": "<p>late</p>", "metadata": {"emailTo": "a@rcpt.test"}}


def test_bindings_are_served_beside_the_api(
    tmp_path: Path, aws: FakeAws, components: Components
) -> None:
    """A Dapr caller sends a mail with Dapr's own token; our API and console are where they were,
    and the journal has the call.
    """
    with standing(
        tmp_path, components=components, AWS_ENDPOINT_URL=aws.url, DAPR_API_TOKEN="dapr-token"
    ) as stand:
        dapr = Client(stand.port)
        assert dapr.get("/v1.0/healthz").status == 204
        assert dapr.post("/v1.0/bindings/outbox", REQUEST).status == 401
        sent = dapr.call("PUT", "/v1.0/bindings/outbox", REQUEST, dapr_api_token="dapr-token")
        assert (sent.status, sent.headers["metadata.messageid"]) == (
            204,
            aws.messages[0].message_id,
        )
        told = dapr.get("/v1.0/metadata", dapr_api_token="dapr-token").json
        assert (told["id"], [row["name"] for row in told["components"]]) == ("billing", ["outbox"])
        missing = dapr.post("/v1.0/bindings/nothing", REQUEST, dapr_api_token="dapr-token")
        assert (missing.status, missing.json["errorCode"]) == (500, "ERR_INVOKE_OUTPUT_BINDING")
        assert dapr.get("/v1.0/actors", dapr_api_token="dapr-token").status == 404
        assert [
            row["action"] for row in stand.client("read").get("/v1/invocations").json["items"]
        ] == ["sendEmail"]
        assert stand.client("read").get("/v1/connectors").status == 200


def test_components_of_a_server_are_loaded_again(
    tmp_path: Path, aws: FakeAws, components: Components
) -> None:
    """A component that is added to the folder is served soon after, and is called with its own
    credentials.
    """
    with standing(tmp_path, components=components, AWS_ENDPOINT_URL=aws.url) as stand:
        dapr = Client(stand.port)
        (Path(components.folders[0]) / "second.yaml").write_text(
            component("second", accessKey="AKISECOND"), encoding="utf-8"
        )
        end = time.monotonic() + 30
        while "second" not in [
            row["name"] for row in dapr.get("/v1.0/metadata").json["components"]
        ]:
            assert time.monotonic() < end, "the new component is not served"
        assert dapr.post("/v1.0/bindings/second", REQUEST).status == 204
    assert [message.access_key_id for message in aws.messages] == ["AKISECOND"]


def test_bindings_without_components_are_told_how_to_be_served(tmp_path: Path) -> None:
    """A Dapr caller of a server without components learns the option; a connection file in
    JACKFIELD_CONNECTIONS is no binding.
    """
    (tmp_path / "outbox.yaml").write_text(component(), encoding="utf-8")
    with standing(tmp_path, JACKFIELD_CONNECTIONS=str(tmp_path / "outbox.yaml")) as stand:
        reply = Client(stand.port).post("/v1.0/bindings/outbox", REQUEST)
        assert (reply.status, reply.json["detail"]) == (404, _WITHOUT)
        assert Client(stand.port).get("/v1.1/x").json["detail"] == "no such resource"


_WITHOUT = (
    "no such resource: Dapr's API is served with 'jackfield serve --components DIR'; components "
    "listed in JACKFIELD_CONNECTIONS are "
    "connections only"
)


def test_h1_rules_of_the_workspace_bind_dapr_too(
    tmp_path: Path, aws: FakeAws, components: Components
) -> None:
    """What the workspace blocks is not sent; a Dapr caller is told whose rules forbid it, and no
    pattern.
    """
    with standing(
        tmp_path, components=components, AWS_ENDPOINT_URL=aws.url, DAPR_API_TOKEN="dapr-token"
    ) as stand:
        workspaces = stand.host.runtime("default").access.workspaces
        workspaces.set("default", {"rules": {"block": ["connection:out*"]}})
        refused = Client(stand.port).post(
            "/v1.0/bindings/outbox", REQUEST, dapr_api_token="dapr-token"
        )
        assert (
            "not_allowed: not allowed: the rules of the workspace forbid aws-ses/sendEmail"
            in refused.json["message"]
        )
        assert ("out*" in refused.body.decode(), aws.messages) == (False, [])


def test_what_needs_an_approval_is_refused_over_dapr(
    tmp_path: Path, aws: FakeAws, components: Components
) -> None:
    """Its API cannot say "later": nothing is sent, and nothing waits."""
    with standing(
        tmp_path, components=components, AWS_ENDPOINT_URL=aws.url, DAPR_API_TOKEN="dapr-token"
    ) as stand:
        runtime = stand.host.runtime("default")
        runtime.access.workspaces.set("default", {"rules": {"approve": ["aws-ses/*"]}})
        refused = Client(stand.port).post(
            "/v1.0/bindings/outbox", REQUEST, dapr_api_token="dapr-token"
        )
        assert (
            "approval_required: the rules of the workspace ask for a person's approval of "
            "aws-ses/sendEmail"
        ) in refused.json["message"]
        assert (runtime.approvals.list()[0], aws.messages) == ([], [])


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (
            {"allow": True, "approve": True},
            "approval_required: a policy asks for a person's approval",
        ),
        (
            {"allow": False, "reason": "no mail on Fridays"},
            "not_allowed: not allowed: a policy refuses it: no mail on Fridays",
        ),
        (
            "nothing",
            (
                "unavailable: the policy service gave no decision (its result is no object); "
                "nothing was sent"
            ),
        ),
    ],
    ids=["approve", "refuse", "away"],
)
def test_policies_bind_dapr_too(
    tmp_path: Path, aws: FakeAws, components: Components, decision: Any, said: str
) -> None:
    """What a policy refuses, or wants a person to approve, is not sent, and nothing waits."""
    with policy_service() as policy:
        policy.decide = lambda _question: decision
        with standing(
            tmp_path,
            components=components,
            AWS_ENDPOINT_URL=aws.url,
            DAPR_API_TOKEN="dapr-token",
            **_known(policy),
        ) as stand:
            refused = Client(stand.port).post(
                "/v1.0/bindings/outbox", REQUEST, dapr_api_token="dapr-token"
            )
            assert said in refused.json["message"]
            assert (stand.host.runtime("default").approvals.list()[0], aws.messages) == ([], [])


def _known(policy: Policy) -> Any:
    return policy.environment


def test_a_policy_withholds_from_dapr(tmp_path: Path, aws: FakeAws, components: Components) -> None:
    """The call is made; the answer has neither the member in its data nor in its metadata."""
    with policy_service() as policy:
        policy.decide = lambda question: {
            "allow": True,
            "withhold": ["/MessageId"] if question["hook"] == "output" else [],
        }
        with standing(
            tmp_path,
            components=components,
            AWS_ENDPOINT_URL=aws.url,
            DAPR_API_TOKEN="dapr-token",
            **_known(policy),
        ) as stand:
            sent = Client(stand.port).post(
                "/v1.0/bindings/outbox", REQUEST, dapr_api_token="dapr-token"
            )
            (message,) = aws.messages
            assert (
                sent.status,
                str(message.message_id) in f"{sent.headers}{sent.body.decode()}",
            ) == (204, False)


@pytest.mark.parametrize(
    ("first", "status"),
    [
        ("POST /v1.0/bindings/outbox", 401),
        ("DELETE /v1.0/bindings/outbox", 405),
        ("POST /v1.0/actors", 404),
        ("POST /v1.0/healthz", 405),
    ],
)
def test_who_may_not_is_refused_before_the_body(
    tmp_path: Path, components: Components, first: str, status: int
) -> None:
    """A wrong token, method or path is answered although the body never comes."""
    told = "wrong" if status == 401 else "dapr-token"
    with standing(tmp_path, components=components, DAPR_API_TOKEN="dapr-token") as stand:
        for length in ("Content-Length: 60000000", "Transfer-Encoding: chunked"):
            with socket.create_connection(("127.0.0.1", stand.port), timeout=5) as connection:
                connection.sendall(
                    f"{first} HTTP/1.1\r\nHost: x\r\ndapr-api-token: {told}\r\n{length}\r\n\r\n".encode()
                )
                assert connection.recv(65536).split()[1] == str(status).encode()


EVIL = [
    {
        "Origin": "https://evil.example",
        "Sec-Fetch-Site": "cross-site",
        "Content-Type": "text/plain",
    },
    {"Origin": "null"},
    {"Sec-Fetch-Site": "same-site"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example:80"},
]


@pytest.mark.parametrize("headers", EVIL)
def test_s3_web_pages_send_nothing_through_dapr(
    tmp_path: Path, aws: FakeAws, components: Components, headers: dict[str, str]
) -> None:
    """A cross-site request and a rebound name are refused before the body, metadata are not shown;
    programs on this machine go on.
    """
    with standing(tmp_path, components=components, AWS_ENDPOINT_URL=aws.url) as stand:
        dapr = Client(stand.port)
        assert dapr.post("/v1.0/bindings/outbox", REQUEST, **headers).status == 403
        assert dapr.get("/v1.0/metadata", **headers).status == 403
        assert aws.received == 0
        assert dapr.get("/v1.0/healthz", **headers).status == 204
        assert (
            dapr.post(
                "/v1.0/bindings/outbox",
                REQUEST,
                Host=f"localhost:{stand.port}",
                **{"Sec-Fetch-Site": "none"},
            ).status
            == 204
        )


def test_s3_the_operators_pages_may_call_dapr(
    tmp_path: Path, aws: FakeAws, components: Components
) -> None:
    """A page of ``--origin`` is let in."""
    settings = replace(SETTINGS, origins=("https://app.example",))
    with standing(tmp_path, settings, components=components, AWS_ENDPOINT_URL=aws.url) as stand:
        page = {"Origin": "https://app.example", "Sec-Fetch-Site": "cross-site"}
        assert Client(stand.port).post("/v1.0/bindings/outbox", REQUEST, **page).status == 204


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--behind-proxy"),
        ("serve", "--host", "0.0.0.0", "--behind-proxy"),
        ("dapr", "--host", "0.0.0.0"),
    ],
)
def test_s2_dapr_needs_a_token_where_others_reach_it(
    components: Components, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """Behind a proxy too, the command does not start without ``DAPR_API_TOKEN``, and says how to
    allow it knowingly.
    """
    assert main([*words, "--components", *components.folders]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert "anyone who can reach this server" in error["message"]
    assert all(word in error["hint"] for word in ("DAPR_API_TOKEN", "--without-token"))


def test_s2_a_token_or_the_flag_lets_dapr_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the token, with the flag, or on this machine alone nothing is refused."""
    monkeypatch.delenv("DAPR_API_TOKEN", raising=False)
    check_token(Namespace(without_token=True), local=False)
    check_token(Namespace(without_token=False), local=True)
    monkeypatch.setenv("DAPR_API_TOKEN", "t0ken")
    check_token(Namespace(without_token=False), local=False)


def test_health_of_a_server_that_stops_fails(
    tmp_path: Path, aws: FakeAws, components: Components
) -> None:
    """Dapr's health is that of the server, whether or not a binding has been called."""
    with standing(tmp_path, components=components, AWS_ENDPOINT_URL=aws.url) as stand:
        assert Client(stand.port).get("/v1.0/healthz").status == 204
        stand.host._stopping.begin()
        stopping = Client(stand.port).get("/v1.0/healthz")
        assert (stopping.status, stopping.json["errorCode"]) == (500, "ERR_HEALTH_NOT_READY")


def test_without_components_there_are_none(tmp_path: Path) -> None:
    """A server that was given no components has no such paths."""
    with standing(tmp_path) as stand:
        assert Client(stand.port).get("/v1.0/healthz").status == 404


def test_leased_credentials_are_counted(tmp_path: Path, aws: FakeAws) -> None:
    """Prometheus sees each session that was asked of STS, and those that were refused."""
    role = {
        "roleARN": "arn:aws:iam::123456789012:role/acme",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "secretAccessKey": "s",
        "region": "eu-west-1",
        "externalId": "acme-4711",
        "endpoint": aws.url,
        "stsEndpoint": aws.url,
    }
    inputs = {
        "to": ["ada@example.com"],
        "sender": "a@example.com",
        "subject": "Hello",
        "text": "Hello",
    }
    mail = {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": {"type": "awsAssumeRole", "values": role},
        "inputs": inputs,
    }
    with standing(tmp_path) as stand:
        client = stand.client()
        for _ in range(3):
            assert client.post("/v1/invocations", mail).json["status"] == "succeeded"
        aws.configure(roles={})
        refused = {
            **mail,
            "connection": {"type": "awsAssumeRole", "values": {**role, "externalId": "other"}},
        }
        assert client.post("/v1/invocations", refused).json["status"] == "failed"
        for _ in range(2):
            told = client.get("/metrics").body.decode()
            assert 'jackfield_credential_leases_total{outcome="leased"} 1.0' in told
            assert 'jackfield_credential_leases_total{outcome="failed"} 1.0' in told
