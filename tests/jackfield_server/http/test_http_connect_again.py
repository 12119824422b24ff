"""Connecting again keeps what the platform has locked: a restriction does not disappear because nobody could enter it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.jackfield_server.http.connect_browser import Person

from http_stand import SETTINGS, Client, Stand, standing
from jackfield.kernel.clock import SystemClock
from jackfield.testing import Answer, Provider
from jackfield_server.shared.operations.connect import connecting

BASE = "/v1/workspaces/acme-1/connect-sessions"
ROLE = {
    "roleARN": "arn:aws:iam::123456789012:role/jackfield", "accessKeyId": "AKIAIOSFODNN7EXAMPLE", "secretAccessKey": "s3cret-key",
    "region": "eu-west-1", "sessionPolicy": {"Version": "2012-10-17", "Statement": []}, "sender": "noreply@example.com",
    "warmup": {"perDay": [200, 500]},
}  # fmt: skip


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A server with a tenant."""
    folder: Path = tmp_path_factory.mktemp("again")
    with standing(folder, SETTINGS, clock=SystemClock()) as found:
        yield found


@pytest.fixture(scope="module")
def platform(stand: Stand) -> Client:
    """Its platform."""
    return stand.platform()


def again(stand: Stand, platform: Client, kind: str, values: dict[str, Any], locked: list[str], **entered: str) -> tuple[str, Person]:
    """Connect a stored connection again, with some of its values locked and none given; return the session's ID and the person."""
    connections = stand.host.runtime("acme-1").connections
    if "main" in [row["name"] for row in connections.list().items]:
        connections.remove("main")
    connections.add("main", kind, values, test=False)
    asked = {"mode": "reauth", "user": "ada", "returnTo": "https://shop.example/", "connection": "main", "defaults": {"locked": locked}}
    asked["fields"] = ["server"] if "server" in entered else []
    begun = platform.post(BASE, asked)
    assert begun.status == 201, begun.body
    person = Person(stand.port).go(begun.json["url"]).press("Begin")
    assert not any(f"value.{name}" in person.text for name in locked)
    return begun.json["id"], person.press("Continue", **entered)


@pytest.mark.parametrize("locked", ["testPath", "server"])
def test_a_locked_value_of_a_key_is_kept(stand: Stand, platform: Client, locked: str) -> None:
    """The person enters a new token and finishes, also where the destination of the token is locked; the test goes where it went."""
    with Provider(lambda _number, _request: Answer({})) as provider:
        values = {"server": provider.url, "token": "old-token", "testPath": "/me"}
        other = {"server": provider.url} if locked != "server" else {}
        session, person = again(stand, platform, "http/bearer", values, [locked], token="new-token", **other)
        person.press("Connect")
        proof = parse_qs(urlsplit(person.onward()).query)["proof"][0]
        assert platform.post(f"{BASE}/{session}:confirm", {"proof": proof, "user": "ada"}).status == 200
    kept = stand.host.runtime("acme-1").connections.show("main")["values"]
    assert kept["server"] == provider.url
    assert kept["testPath"] == "/me"


@pytest.mark.parametrize("locked", ["sessionPolicy", "sender", "warmup"])
def test_a_locked_restriction_of_a_role_is_kept(stand: Stand, platform: Client, locked: str) -> None:
    """What is tested, and later stored, restricts the role as before."""
    session, _ = again(stand, platform, "aws-ses/awsAssumeRole", ROLE, [locked], roleARN=str(ROLE["roleARN"]), region="eu-west-1")
    assert connecting(stand.host, "acme-1").find(session).values.get(locked) == ROLE[locked]
