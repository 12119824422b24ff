"""A program of the operator's uses a stored connection as boto3: its credentials last, and rules,
audit log and guard hold for it, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import pickle
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError

from jackfield.connections.provenance import Provenance
from jackfield.connector import InvalidConnection, JackfieldError
from jackfield.kernel.errors import (
    InvalidInvocation,
    NotAllowed,
    UnknownConnection,
    UnknownConnector,
)
from jackfield_aws import boto3_session
from jackfield_aws.transport import explain_transport
from jackfield_store.access import Audit
from jackfield_store.runtime import Jackfield
from moto_server import moto_server
from rig import ARN, EXTERNAL_ID, KEY_ID, SECRET, Rig, key_values, role_values

HOUR = 3600.0


@pytest.fixture(name="rig")
def _rig(tmp_path: Path) -> Iterator[Rig]:
    database = {"JACKFIELD_DATABASE_URL": f"sqlite:///{tmp_path}/boto3.db"}
    with Rig(
        tmp_path,
        values=role_values(region="eu-west-1"),
        environment=database,
        verify_signatures=True,
    ) as rig:
        yield rig


def _buckets(rig: Rig, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Give the machine an S3 with a bucket; STS and SES stay the fake's."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    keys = {
        "aws_access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key": "x",
        "region_name": "us-east-1",
    }
    boto3.client("s3", endpoint_url=url, **keys).create_bucket(Bucket="invoices")
    assert rig.aws.sessions == []


def _events(rig: Rig) -> list[tuple[str, str]]:
    log = Audit(
        rig.jackfield.storage.database, lambda: rig.jackfield.storage.vault, "default", rig.clock
    )
    return [(entry.about["event"], entry.about["object"]) for entry in log.all()]


STRANGER = """
from jackfield import Jackfield; from jackfield_aws import boto3_session
with Jackfield(clock=clock) as jackfield:
    s3 = boto3_session(jackfield, "acme").client("s3", region_name="us-east-1")
    for hour in hours: print(hour, [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]])
"""


def test_a_stranger_lists_buckets_for_longer_than_the_session_lasts(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four lines of one who knows boto3 alone: the role is assumed with its External ID, and anew
    before each session ends.
    """

    def hours() -> Iterator[int]:
        for hour in range(30):
            yield hour
            rig.clock.advance(HOUR)

    out = io.StringIO()
    with moto_server() as url, contextlib.redirect_stdout(out):
        _buckets(rig, monkeypatch, url)
        exec(STRANGER, {"clock": rig.clock, "hours": hours()})
    assert out.getvalue().splitlines() == [f"{hour} ['invoices']" for hour in range(30)]
    assert {session.external_id for session in rig.aws.sessions} == {EXTERNAL_ID}
    assert 29 <= len(rig.aws.sessions) <= 31


def test_credentials_are_renewed_before_they_expire(rig: Rig) -> None:
    """A client made once is accepted for a day: AWS sees no key of an ended session, and a session
    serves until shortly before its end.
    """
    session = boto3_session(rig.jackfield, "acme")
    client = session.client("sesv2")
    for _ in range(24 * 4):
        client.get_account()
        rig.clock.advance(HOUR / 4)
    assert 24 <= len(rig.aws.sessions) <= 32
    assert rig.aws.requests[-1].access_key_id == rig.aws.sessions[-1].access_key_id


def test_a_program_and_calls_share_one_session(rig: Rig) -> None:
    """The lease is the connection's: calls and a program assume the role once."""
    boto3_session(rig.jackfield, "acme").client("sesv2").get_account()
    assert rig.list().status == "succeeded"
    boto3_session(rig.jackfield, "acme")
    assert rig.aws.counts["sts:AssumeRole"] == 1


def test_it_is_a_session_of_boto3(rig: Rig) -> None:
    """Class, credentials, region, clients and resources are those that libraries of boto3's users
    look at.
    """
    session = boto3_session(rig.jackfield, "acme", "eu-west-3")
    assert isinstance(session, boto3.Session)
    assert isinstance(session.get_credentials(), RefreshableCredentials)
    assert session.region_name == session.client("sesv2").meta.region_name == "eu-west-3"
    assert session.client("sesv2", region_name="us-east-1").meta.region_name == "us-east-1"
    assert session.resource("s3").meta.client.meta.region_name == "eu-west-3"
    frozen = session.get_credentials().get_frozen_credentials()
    assert (frozen.access_key, frozen.secret_key, frozen.token) == (
        rig.aws.sessions[0].access_key_id,
        rig.aws.sessions[0].secret,
        rig.aws.sessions[0].token,
    )
    assert (session.get_credentials().access_key, session.get_credentials().token) == (
        frozen.access_key,
        frozen.token,
    )
    assert session.client("s3").generate_presigned_url("list_buckets").startswith("http")


def test_nothing_shows_or_carries_the_keys(rig: Rig) -> None:
    """Session and credentials cannot be pickled, and no attribute of theirs shows a secret."""
    session = boto3_session(rig.jackfield, "acme")
    held = session.get_credentials()
    for item in (session, session._session, held, rig.jackfield.lend("acme")):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(item)
    shown = (
        f"{session!r} {vars(session)} {vars(session._session)} {held!r} {vars(held)} "
        f"{session.client('sesv2').__dict__}"
    )
    leased = rig.aws.sessions[0]
    assert not any(secret in shown for secret in (SECRET, EXTERNAL_ID, leased.secret, leased.token))


@pytest.mark.parametrize(
    ("environment", "config", "calls"),
    [
        ({"AWS_MAX_ATTEMPTS": ""}, None, 3),
        ({"AWS_MAX_ATTEMPTS": "2"}, None, 2),
        ({"AWS_MAX_ATTEMPTS": "", "AWS_RETRY_MODE": "legacy"}, None, 5),
        ({}, Config(retries={"total_max_attempts": 1}), 1),
    ],
)
def test_boto3_retries_as_always(
    rig: Rig,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    config: Config | None,
    calls: int,
) -> None:
    """Nobody else repeats what a program sends: boto3 does, in its mode ``standard``, unless the
    program or the machine says otherwise.
    """
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    for name, value in environment.items():
        monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name)
    client = boto3_session(rig.jackfield, "acme").client("sesv2", config=config)
    rig.aws.script(
        [{"do": "status", "status": 503, "always": True, "operation": "sesv2:GetAccount"}]
    )
    with pytest.raises(ClientError):
        client.get_account()
    assert rig.aws.counts["sesv2:GetAccount"] == calls


def test_each_session_is_in_the_audit_log(rig: Rig) -> None:
    """Who opens a connection for a program leaves an entry, once; renewals leave none, and refused
    ones neither.
    """
    session = boto3_session(rig.jackfield, "acme")
    for _ in range(3):
        session.client("sesv2").get_account()
        rig.clock.advance(HOUR)
    with pytest.raises(UnknownConnection):
        boto3_session(rig.jackfield, "acme-2")
    assert _events(rig) == [("connection.lent", "connection:acme")]


ALLOWED: list[dict[str, Any]] = [
    {},
    {"allow": ["*"]},
    {"allow": ["connection:acme"]},
    {"allow": ["connection:acme", "effect:read"]},
    {"allow": ["aws*/*"]},
    {"block": ["connection:other"]},
    {"block": ["slack/*"]},
    {"block": ["connection:other & effect:write"]},
]
FORBIDDEN: list[dict[str, Any]] = [
    {"allow": ["connection:other"]},
    {"allow": ["aws-ses/*"]},
    {"allow": ["aws*/list*"]},
    {"allow": ["effect:read"]},
    {"allow": ["connection:acme & effect:read"]},
    {"block": ["*"]},
    {"block": ["connection:acme"]},
    {"block": ["effect:write"]},
    {"block": ["aws-ses/sendEmail"]},
    {"block": ["aws-ses/sendEmail & connection:ac*"]},
    {"block": ["*/delete*"]},
]


@pytest.mark.parametrize("rules", ALLOWED, ids=str)
def test_rules_that_forbid_nothing_over_the_connection_allow_it(
    rig: Rig, rules: dict[str, Any]
) -> None:
    """A program may do all that the credentials can, so rules must allow all of that, and no
    more.
    """
    rig.jackfield.access.workspaces.set("default", {"rules": rules})
    assert boto3_session(rig.jackfield, "acme").client("sesv2").get_account()


@pytest.mark.parametrize("rules", FORBIDDEN, ids=str)
def test_rules_that_forbid_something_over_the_connection_refuse_it(
    rig: Rig, rules: dict[str, Any]
) -> None:
    """No rule can look into what a program sends, so one that forbids a single action over the
    connection refuses; AWS is not asked.
    """
    rig.jackfield.access.workspaces.set("default", {"rules": rules})
    with pytest.raises(NotAllowed, match="could do any"):
        boto3_session(rig.jackfield, "acme")
    assert rig.aws.calls() == []
    assert "connection.lent" not in {event for event, _ in _events(rig)}


@pytest.mark.parametrize(
    "change",
    [
        {"rules": {"block": ["effect:write"]}},
        {"guards": {"acme": {"paused": {}}}},
        {"suspended": True},
    ],
)
def test_a_change_of_the_rules_holds_for_a_session_in_use(rig: Rig, change: dict[str, Any]) -> None:
    """Whoever takes the right away ends the session's next request, before it is sent."""
    client = boto3_session(rig.jackfield, "acme").client("sesv2")
    client.get_account()
    rig.jackfield.access.workspaces.set("default", change)
    with pytest.raises(NotAllowed):
        client.get_account()
    assert rig.aws.counts["sesv2:GetAccount"] == 1


def test_a_change_of_the_connection_holds_for_a_session_in_use(rig: Rig) -> None:
    """A replaced key signs the next request, and a removed connection has none."""
    rig.jackfield.connections.add(
        "own", "aws/apiKeySecret", key_values(region="eu-west-1"), test=False
    )
    client = boto3_session(rig.jackfield, "own").client("sesv2")
    client.get_account()
    rig.aws.configure(
        users={KEY_ID: {"secret": SECRET}, "AKIANEWNEWNEWNEWNEW2": {"secret": "another-secret"}}
    )
    changed = {
        "accessKeyId": "AKIANEWNEWNEWNEWNEW2",
        "secretAccessKey": "another-secret",
        "region": "eu-west-1",
    }
    rig.jackfield.connections.replace("own", changed, test=False)
    client.get_account()
    assert [request.access_key_id for request in rig.aws.requests] == [
        KEY_ID,
        "AKIANEWNEWNEWNEWNEW2",
    ]
    rig.jackfield.connections.remove("own")
    with pytest.raises(UnknownConnection):
        client.get_account()


def test_a_session_may_be_narrowed_to_a_connector(rig: Rig) -> None:
    """Over a connection with a session policy, the role's session allows what the connector's
    actions need.
    """
    rig.jackfield.connections.add(
        "narrow",
        "aws/awsAssumeRole",
        role_values(sessionPolicy=True, region="eu-west-1"),
        test=False,
    )
    boto3_session(rig.jackfield, "narrow", connector="aws-ses")
    assert "ses:SendEmail" in (rig.aws.sessions[0].policy or "")
    with pytest.raises(UnknownConnector, match=r"no-such"):
        boto3_session(rig.jackfield, "narrow", connector="no-such")


def test_refusals_come_before_a_session_is_made(rig: Rig) -> None:
    """What does not work says so at once, in jackfield's words: another External ID, a connection
    of another kind.
    """
    rig.jackfield.connections.add(
        "wrong", "aws/awsAssumeRole", role_values(externalId="another-one"), test=False
    )
    with pytest.raises(JackfieldError, match=f"AssumeRole on {ARN} was refused"):
        boto3_session(rig.jackfield, "wrong")
    smtp = {
        "hostname": "127.0.0.1",
        "port": 9,
        "username": "u",
        "password": "p",
        "security": "starttls",
    }
    rig.jackfield.connections.add("mail", "aws-ses/smtp", smtp, test=False)
    with pytest.raises(InvalidConnection, match="'mail' is not one of AWS"):
        boto3_session(rig.jackfield, "mail")


def test_endpoints_are_those_of_calls(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """First the connection's, then the service's variable, then the general one; STS has its own,
    and the program may say another.
    """
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3.example:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SES", "http://ses.example:2")
    values = role_values(
        endpoint="http://own.example:3", stsEndpoint=rig.aws.url, region="eu-west-1"
    )
    rig.jackfield.connections.add("own", "aws/awsAssumeRole", values, test=False)
    plain, own = (
        boto3_session(rig.jackfield, "acme", "eu-west-1"),
        boto3_session(rig.jackfield, "own"),
    )

    def asked(session: boto3.Session, service: str, **more: Any) -> str:
        return str(session.client(service, **more).meta.endpoint_url)

    assert [asked(plain, name) for name in ("s3", "sesv2", "ses", "sqs")] == [
        "http://s3.example:1",
        "http://ses.example:2",
        "http://ses.example:2",
        rig.aws.url,
    ]
    assert [asked(own, name) for name in ("s3", "sesv2", "sts")] == [
        "http://own.example:3",
        "http://own.example:3",
        rig.aws.url,
    ]
    assert asked(own, "s3", endpoint_url="http://said.example:4") == "http://said.example:4"
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert "amazonaws.com" in asked(plain, "s3")


def test_a_connection_made_over_http_is_guarded(rig: Rig) -> None:
    """Its endpoint may not lead a program of the operator's into the operator's network either."""
    near = key_values(endpoint=rig.aws.url, region="eu-west-1")
    rig.jackfield.connections.add(
        "near", "aws/apiKeySecret", near, test=False, provenance=Provenance("remote")
    )
    session = boto3_session(rig.jackfield, "near")
    assert session.client("sesv2").get_account()
    once = Config(retries={"total_max_attempts": 1})
    with pytest.raises(BotoCoreError) as raised:
        session.client("sesv2", endpoint_url="http://169.254.169.254", config=once).get_account()
    assert isinstance(explain_transport(raised.value), InvalidConnection)


def test_the_machines_own_identity_is_used(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over a connection with the machine's identity, requests are signed with that."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    rig.jackfield.connections.add("own", "aws/awsDefault", {"region": "eu-west-1"}, test=False)
    boto3_session(rig.jackfield, "own").client("sesv2").get_account()
    assert rig.aws.requests[-1].access_key_id == KEY_ID


def test_many_threads_share_a_session(rig: Rig) -> None:
    """Clients are made and used by many threads at once, over one session of the role."""
    session = boto3_session(rig.jackfield, "acme")
    with ThreadPoolExecutor(16) as pool:
        answers = list(
            pool.map(
                lambda _: session.client("sesv2").get_account()["EnforcementStatus"], range(32)
            )
        )
    assert set(answers) == {"HEALTHY"}
    assert rig.aws.counts["sts:AssumeRole"] == 1


def test_a_host_of_asyncio_uses_it_in_threads(rig: Rig) -> None:
    """In asyncio, a session is made and used in threads, beside calls over the same connection."""

    async def host() -> tuple[str, str]:
        session = await asyncio.to_thread(boto3_session, rig.jackfield, "acme")
        client = await asyncio.to_thread(session.client, "sesv2")
        answer, result = await asyncio.gather(
            asyncio.to_thread(client.get_account), rig.jackfield.ainvoke(rig.mail())
        )
        return answer["EnforcementStatus"], result.status

    assert asyncio.run(host()) == ("HEALTHY", "succeeded")


def test_no_surface_lends() -> None:
    """Sessions are for the operator's own program: no surface, and nothing below one, hands one
    out. Management asks MCP servers by one.
    """
    root = Path(__file__).parents[3] / "runtime"
    readers = {
        path.name for path in root.rglob("*.py") if ".lend(" in path.read_text(encoding="utf-8")
    }
    assert readers == {"runtime.py", "mcp_servers.py"}  # where the library's own method is


def test_without_a_database_nothing_is_audited(rig: Rig) -> None:
    """A program without a database has no audit log, and no rules; it may use the connections of
    its files.
    """
    with Jackfield(clock=rig.clock, database_url="none") as jackfield:
        assert boto3_session(jackfield, "acme").client("sesv2").get_account()
        with pytest.raises(InvalidInvocation):
            _ = jackfield.access.workspaces
    assert os.environ["AWS_ENDPOINT_URL"] == rig.aws.url
