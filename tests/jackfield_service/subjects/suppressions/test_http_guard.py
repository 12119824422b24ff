"""SSRF: what is connected to for connections that were made over HTTP, by every address that a name
resolves to.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fake_aws import FakeAws
from http_stand import SETTINGS, Client, Stand, clean, process, standing
from jackfield import Jackfield
from jackfield.connector import ANYWHERE, Guard, InvalidConnection
from waiting import until

REAL = socket.getaddrinfo
KEYS = {
    "accessKeyId": "AKIAABCDEFGHIJKLWXYZ",
    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
}
MAIL = {
    "awsRegion": "eu-west-1",
    "to": "ada@example.com",
    "sender": "noreply@example.com",
    "subject": "s",
    "text": "t",
}
PUBLIC = "93.184.215.14"


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Names and the addresses that they resolve to, one list after the other; nobody else is
    asked.
    """
    known: dict[str, list[Any]] = {}

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in known:
            return REAL(host, port, *rest, **more)
        turns = known[name]
        addresses = turns.pop(0) if len(turns) > 1 else turns[0]
        families = {item: socket.AF_INET6 if ":" in item else socket.AF_INET for item in addresses}
        return [
            (family, socket.SOCK_STREAM, 6, "", (item, port or 0))
            for item, family in families.items()
        ]

    monkeypatch.setattr("socket.getaddrinfo", resolve)
    return known


INTERNAL = [
    "127.0.0.1",
    "127.9.9.9",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.1.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "fc00::1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "ff02::1",
    "::ffff:0:a00:1",
    "::a00:1",
    "::7f00:1",
    "64:ff9b:1::a00:1",
    "64:ff9b:1::5db8:d70e",
    "fec0::1",
    "feff::1",
    "5f00::1",
    "4000::1",
]
METADATA = [
    "169.254.169.254",
    "fd00:ec2::254",
    "169.254.170.2",
    "100.100.100.200",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00::",
    "64:ff9b:1:a9:fe:a9fe::",
    "64:ff9b:1:0:a9:fea9:fe00:0",
    "::ffff:0:a9fe:a9fe",
    "::a9fe:a9fe",
]


@pytest.mark.parametrize("address", [*INTERNAL, *METADATA])
def test_internal_addresses_are_refused(names: dict[str, list[Any]], address: str) -> None:
    """Private, loopback, link-local, shared, reserved and multicast ones, in every spelling; also
    one among public ones.
    """
    names["evil.example.com"] = [[PUBLIC, address]]
    with pytest.raises(InvalidConnection) as refused:
        Guard().check("evil.example.com", "/endpoint")
    assert refused.value.details[0].path == "/endpoint"
    assert address not in str(refused.value)
    ANYWHERE.check("evil.example.com")


@pytest.mark.parametrize(
    "address",
    [
        PUBLIC,
        "2606:2800:21f:cb07:6820:80da:af6b:8b2c",
        "::ffff:93.184.215.14",
        "64:ff9b::5db8:d70e",
        "::5db8:d70e",
    ],
)
def test_public_addresses_will_do(names: dict[str, list[Any]], address: str) -> None:
    """A public address, in every spelling."""
    names["good.example.com"] = [[address]]
    Guard().check("good.example.com")


@pytest.mark.parametrize(
    "pattern", ["mail.corp.example", "*.corp.example", "10.1.2.3", "10.0.0.0/8"]
)
def test_allowed_hosts_may_be_internal(names: dict[str, list[Any]], pattern: str) -> None:
    """The operator allows names, patterns of names, addresses and networks; only those."""
    names["mail.corp.example"], names["other.example"] = [["10.1.2.3"]], [["192.168.1.1"]]
    guard = Guard(allowed=(pattern,))
    guard.check("mail.corp.example")
    with pytest.raises(InvalidConnection):
        guard.check("other.example")


@pytest.mark.parametrize("address", METADATA)
def test_metadata_is_never_allowed(names: dict[str, list[Any]], address: str) -> None:
    """Cloud metadata services are refused whatever the operator allows."""
    names["metadata.example"] = [[address]]
    with pytest.raises(InvalidConnection):
        Guard(loopback=True, allowed=("*", "0.0.0.0/0", "::/0")).check("metadata.example")


def test_odd_spellings_are_resolved() -> None:
    """What the system's resolver takes for an internal address is one."""
    for host in ("2130706433", "0x7f.1", "127.1", "[::1]", "localhost"):
        with pytest.raises(InvalidConnection):
            Guard().check(host)


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    """An AWS on loopback."""
    with FakeAws(
        identities=["example.com"], users={KEYS["accessKeyId"]: {"secret": KEYS["secretAccessKey"]}}
    ) as fake:
        yield fake


def sent(stand: Stand, endpoint: str, kind: str = "apiKeySecret", **values: Any) -> Any:
    """The Result of a mail with an inline connection over HTTP."""
    connection = {"type": kind, "values": {**KEYS, "endpoint": endpoint, **values}}
    body = {"connector": "aws-ses", "action": "sendEmail", "connection": connection, "inputs": MAIL}
    return stand.client().post("/v1/invocations", body).json


def strict(tmp_path: Path, *allowed: str) -> Callable[[Any], None]:
    """A set-up that guards as a server does that is not on loopback."""
    return lambda host: setattr(host.runtimes, "guard", Guard(allowed=allowed))


def test_loopback_is_fine_in_development(tmp_path: Path, aws: FakeAws) -> None:
    """A server on loopback lets connections reach loopback, and nothing else that is internal."""
    with standing(tmp_path) as stand:
        assert SETTINGS.local
        assert sent(stand, aws.url)["status"] == "succeeded"
        assert sent(stand, "http://169.254.169.254/")["error"]["code"] == "invalid_connection"
        assert sent(stand, "http://10.0.0.1:9/")["error"]["details"][0]["path"] == "/endpoint"


def test_elsewhere_loopback_is_refused(tmp_path: Path, aws: FakeAws) -> None:
    """A server on another address refuses loopback: in invocations, in drafts and in stored
    connections, for each endpoint.
    """
    with standing(tmp_path, setup=strict(tmp_path)) as stand:
        refused = sent(stand, aws.url)
        assert (refused["error"]["code"], refused["error"]["details"][0]["path"]) == (
            "invalid_connection",
            "/endpoint",
        )
        role = {"roleARN": "arn:aws:iam::123456789012:role/x", "stsEndpoint": aws.url}
        details = sent(stand, aws.url, "awsAssumeRole", **role)["error"]["details"]
        assert [detail["path"] for detail in details] == ["/endpoint", "/stsEndpoint"]
        draft = {"type": "aws/awsAssumeRole", "values": {**KEYS, **role, "region": "eu-west-1"}}
        steps = stand.client().post("/v1/connections:test", draft).json["lastTest"]["steps"]
        assert [(step["passed"], step["message"]) for step in steps] == [
            (False, "the connection is not allowed to reach this host")
        ]
        smtp = {
            "type": "aws-ses/smtp",
            "values": {"hostname": "127.0.0.1", "port": 2587, "username": "u", "password": "p"},
        }
        steps = stand.client().post("/v1/connections:test", smtp).json["lastTest"]["steps"]
        assert steps[-1]["message"] == "the connection is not allowed to reach this host"
        assert aws.calls() == []


def test_behind_a_proxy_loopback_is_no_development(tmp_path: Path, aws: FakeAws) -> None:
    """A server that a proxy on its own machine makes public is not the developer's: its tenants do
    not reach that machine.
    """
    with standing(tmp_path, replace(SETTINGS, behind_proxy=True)) as stand:
        assert sent(stand, aws.url)["error"]["code"] == "invalid_connection"
    assert aws.calls() == []


def test_the_operators_own_connections_are_free(tmp_path: Path, aws: FakeAws) -> None:
    """A connection from a file, or given by the library, reaches what the operator says."""
    connections = {"own": {"type": "aws-ses/apiKeySecret", "values": {**KEYS, "endpoint": aws.url}}}
    with Jackfield(connections=[connections], guard=Guard()) as jackfield:
        invocation = {
            "connector": "aws-ses",
            "action": "sendEmail",
            "connection": "own",
            "inputs": MAIL,
        }
        assert jackfield.invoke(invocation).status == "succeeded"


def test_allowed_hosts_are_reached(tmp_path: Path, aws: FakeAws) -> None:
    """``--allow-host`` lets an internal one through."""
    with standing(tmp_path, setup=strict(tmp_path, "127.0.0.1")) as stand:
        assert sent(stand, aws.url)["status"] == "succeeded"


def _has_ended(client: Client, place: str) -> bool:
    return client.get(place).json["status"] not in ("queued", "running")


def test_one_variable_is_for_servers_and_workers(tmp_path: Path, aws: FakeAws) -> None:
    """The server alone allowed loopback: what it had queued failed in a worker.
    ``JACKFIELD_ALLOW_HOSTS`` is read by both.
    """
    values = {**KEYS, "endpoint": aws.url}
    call = {"connector": "aws-ses", "action": "sendEmail", "connection": "own", "inputs": MAIL}
    settled = {}
    with process(tmp_path, "--queue-workers", "0") as server:
        added = server.client.post(
            "/v1/connections?test=false",
            {"name": "own", "type": "aws-ses/apiKeySecret", "values": values},
        )
        assert added.status == 201
        for variables in ({}, {"JACKFIELD_ALLOW_HOSTS": "10.0.0.0/8, 127.0.0.1"}):
            place = server.client.post("/v1/invocations", call, Prefer="respond-async").headers[
                "location"
            ]
            environment = clean(tmp_path / "home", **variables)
            with subprocess.Popen(
                [sys.executable, "-m", "jackfield", "worker"],
                env=environment,
                stderr=subprocess.DEVNULL,
            ) as worker:
                until(partial(_has_ended, server.client, place), 60)
                worker.send_signal(signal.SIGTERM)
            settled[len(variables)] = server.client.get(place).json
    assert (
        settled[0]["error"]["code"],
        "the shared setting allowHosts" in settled[0]["error"]["hint"],
    ) == ("invalid_connection", True)
    assert settled[1]["status"] == "succeeded"


def test_a_name_that_changes_is_seen_when_it_is_connected_to(
    tmp_path: Path, aws: FakeAws, names: dict[str, list[Any]]
) -> None:
    """A name that is public when it is looked at and internal when it is connected to (DNS
    rebinding) is refused then.
    """
    names["rebind.example.com"] = [[PUBLIC], ["127.0.0.1"]]
    with standing(tmp_path, setup=strict(tmp_path)) as stand:
        refused = sent(stand, aws.url.replace("127.0.0.1", "rebind.example.com"))
    assert (refused["status"], refused["error"]["code"]) == ("failed", "invalid_connection")
    assert aws.calls() == []


def test_a_redirect_is_not_followed(tmp_path: Path) -> None:
    """An endpoint that redirects into the network is no way in: no redirect is followed."""
    script = [
        {
            "operation": "*",
            "do": "status",
            "status": 307,
            "headers": {"Location": "http://169.254.169.254/"},
            "always": True,
        }
    ]
    with (
        FakeAws(script=script) as aws,
        standing(tmp_path, setup=strict(tmp_path, "127.0.0.1")) as stand,
    ):
        assert sent(stand, aws.url)["status"] in ("failed", "in_doubt")
        assert set(aws.calls()) == {"sesv2:SendEmail"}
