"""Each option of the connection types of AWS at the wire, stored and inline: what is accepted has
its effect.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from identity_sources import VARIABLES
from jackfield import Jackfield
from jackfield_aws.virtual.source import AwsSource
from moto_rig import EVERYTHING, offer
from options_rig import Seen, Wire, wired

Values = Mapping[str, Any]
_ROLE = "arn:aws:iam::123456789012:role/acme"
_KEYS = {"accessKeyId": "AKIAUSUALUSUALUSUAL0", "secretAccessKey": "usual"}
_OTHER = {"accessKeyId": "AKIAOTHEROTHEROTHER0", "secretAccessKey": "other"}
_POLICY = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "ses:Own", "Resource": "*"}],
}
_BASE: Mapping[str, Values] = {
    "apiKeySecret": _KEYS,
    "awsAssumeRole": {**_KEYS, "roleARN": _ROLE},
    "awsDefault": {},
}
"""Values that the types need."""
_MAIL = ("aws-ses", "sendEmail", {"to": "ada@example.com", "subject": "s", "text": "t"})
_PUT = ("aws.s3", "putObject", {"Bucket": "bucket", "Key": "k", "Body": "aGVsbG8="})


def _service(wire: Wire) -> list[Seen]:
    return [one for one in wire.seen if "Action=AssumeRole" not in one.body]


def _signed(text: str) -> Callable[[Wire], bool]:
    return lambda wire: any(text in one.headers.get("authorization", "") for one in wire.seen)


def _assumed(name: str, text: str) -> Callable[[Wire], bool]:
    return lambda wire: any(
        text in parse_qs(one.body).get(name, [""])[0]
        for one in wire.seen
        if "Action=AssumeRole" in one.body
    )


def _in_body(text: str) -> Callable[[Wire], bool]:
    return lambda wire: any(text in one.body for one in _service(wire))


def _token(wire: Wire) -> bool:
    return any("t-own" in one.headers.get("x-amz-security-token", "") for one in wire.seen)


_OPTIONS: Mapping[str, tuple[Callable[[Wire], Values], Callable[[Wire], bool]]] = {
    "region": (lambda _wire: {"region": "us-east-2"}, _signed("/us-east-2/ses/")),
    "endpoint": (
        lambda wire: {"endpoint": f"{wire.url}/own"},
        lambda wire: any(one.path.startswith("/own/") for one in wire.seen),
    ),
    "accessKeyId": (lambda _wire: _OTHER, _signed("AKIAOTHER")),
    "secretAccessKey": (lambda _wire: _OTHER, _signed("AKIAOTHER")),
    "sessionToken": (lambda _wire: {"sessionToken": "t-own"}, _token),
    "sender": (lambda _wire: {"sender": "own@example.com"}, _in_body("own@example.com")),
    "tenant": (lambda _wire: {"tenant": "own-tenant"}, _in_body("own-tenant")),
    "roleARN": (lambda _wire: {"roleARN": f"{_ROLE}-own"}, _assumed("RoleArn", f"{_ROLE}-own")),
    "externalId": (lambda _wire: {"externalId": "ext-own"}, _assumed("ExternalId", "ext-own")),
    "durationSeconds": (lambda _wire: {"durationSeconds": 901}, _assumed("DurationSeconds", "901")),
    "sessionPolicy": (lambda _wire: {"sessionPolicy": _POLICY}, _assumed("Policy", "ses:Own")),
    "profile": (lambda _wire: {"profile": "own"}, _signed("AKIAOWN")),
    "preferRole": (
        lambda _wire: {"preferRole": True},
        lambda wire: any(one.path.startswith("/latest/") for one in wire.seen),
    ),
    "disableImds": (
        lambda _wire: {"disableImds": True},
        lambda wire: not any(one.path.startswith("/latest/") for one in wire.seen),
    ),
    "stsEndpoint": (
        lambda wire: {"stsEndpoint": f"{wire.url}/sts-own"},
        lambda wire: any(one.path.startswith("/sts-own") for one in wire.seen),
    ),
    "s3Checksums": (
        lambda _wire: {"s3Checksums": "whenRequired"},
        lambda wire: (
            not any(
                name.startswith("x-amz-checksum-") for one in _service(wire) for name in one.headers
            )
        ),
    ),
}
"""What an option is given, and what is seen on the wire with it: without it, or with another value,
that must not be there.
"""
ELSEWHERE = {
    "warmup": "test_a_warm_up_plan_limits_each_day",
    "s3Addressing": "test_a_connection_says_how_buckets_are_addressed",
}
"""A plan is of days, and is kept of what was sent; a bucket in the host's name has no address
here.
"""
UNUSED = {("awsDefault", "sessionToken")}
"""A machine's identity has a token of its own: the member is accepted from other systems, hidden,
and says so.
"""
OTHER_TYPES = {"awsRolesAnywhere": "test_aws_roles_anywhere.py"}
_PROFILES = "[profile own]\naws_access_key_id = AKIAOWNOWNOWNOWNOWN0\naws_secret_access_key = own\n"


def _types() -> Mapping[str, Mapping[str, Any]]:
    return {
        row["key"]: row["schema"]["properties"]
        for row in AwsSource().manifest("aws.s3").raw["connectionTypes"]
    }


@pytest.fixture(name="wire", scope="module")
def _wire() -> Iterator[Wire]:
    """The service, and STS."""
    with wired() as found:
        yield found


@pytest.fixture(name="jackfield")
def _jackfield(tmp_path: Path, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[Jackfield]:
    """A runtime on a machine whose instance is asked for its role, and which has a profile."""
    for name in (*VARIABLES, "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "config").write_text(_PROFILES)
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/config")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", wire.url)
    with Jackfield(
        database_url=f"sqlite:///{tmp_path}/j.db",
        environment=offer(tmp_path, {"default": EVERYTHING}),
    ) as found:
        yield found


def _seen(
    jackfield: Jackfield, wire: Wire, kind: str, name: str, values: Values, *, stored: bool
) -> list[Seen]:
    """Send a write over a connection with these values; what was asked. A stored one is removed at
    the end.
    """
    wire.seen.clear()
    service, action, inputs = _PUT if name.startswith("s3") else _MAIL
    connection: Any = {"type": f"aws/{kind}", "values": values}
    if stored:
        jackfield.connections.add("main", f"aws/{kind}", values, test=False)
        connection = "main"
    jackfield.invoke(
        {"connector": service, "action": action, "connection": connection, "inputs": inputs}
    )
    if stored:
        jackfield.connections.remove("main")
    return wire.seen


def test_each_option_is_looked_at() -> None:
    """A type or an option that nothing looks at is a fault: what is accepted must have its
    effect.
    """
    types = _types()
    assert {*types} == {*_BASE, *OTHER_TYPES}
    assert {name for kind in _BASE for name in types[kind]} == {*_OPTIONS, *ELSEWHERE}


@pytest.mark.parametrize("stored", [True, False], ids=["stored", "inline"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in _BASE
        for name in _types()[kind]
        if name not in ELSEWHERE and (kind, name) not in UNUSED
    ],
)
def test_an_option_at_the_wire(
    jackfield: Jackfield,
    wire: Wire,
    kind: str,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stored: bool,
) -> None:
    """The wire shows it, and does not without it."""
    values, look = _OPTIONS[name]
    # for which the machine has no other identity
    if kind == "awsDefault" and name != "disableImds":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAMACHINEMACHINE00")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "machine")
    base = {"region": "eu-west-1", "endpoint": wire.url, "sender": "n@example.com", **_BASE[kind]}
    base |= {"stsEndpoint": wire.url} if kind == "awsAssumeRole" else {}
    asked = _seen(jackfield, wire, kind, name, {**base, **values(wire)}, stored=stored)
    assert bool(asked) is (name != "disableImds")
    assert look(wire), wire.seen
    assert _seen(jackfield, wire, kind, name, base, stored=stored)
    assert not look(wire), wire.seen
