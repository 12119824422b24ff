"""A role is assumed once however often its connection opens, with what the connection says, and
STS's refusals are explained.
"""

from __future__ import annotations

import json
import pickle
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aws_opening import EXTERNAL_ID, KEY_ID, ROLE_ARN, SECRET, TOKEN, Opener
from fake_aws import FakeAws, Role, User, refused_url
from jackfield.connector import (
    InvalidConnection,
    JackfieldError,
    Sent,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from jackfield_aws import AWS_ERRORS, AwsAssumeRole
from jackfield_aws.leases import session_name

if TYPE_CHECKING:
    from collections.abc import Iterator

PAIR = {"accessKeyId": KEY_ID, "secretAccessKey": SECRET}
VALUES = {"roleARN": ROLE_ARN, "externalId": EXTERNAL_ID, **PAIR}
SECRETS = (SECRET, TOKEN, EXTERNAL_ID)


@pytest.fixture(name="aws", scope="module")
def _aws() -> Iterator[FakeAws]:
    roles = {ROLE_ARN: Role(external_id=EXTERNAL_ID), f"{ROLE_ARN}-open": Role()}
    users = {KEY_ID: User(secret=SECRET, arn="arn:aws:iam::111122223333:user/jackfield")}
    with FakeAws(roles=roles, users=users, verify_signatures=True) as aws:
        yield aws


def _open(
    opener: Opener, connector: str | None = None, seconds: float = 60.0, **values: Any
) -> Any:
    given = {name: value for name, value in (VALUES | values).items() if value is not None}
    return AwsAssumeRole.model_validate(given).open(
        opener.context(connector=connector, seconds=seconds, awsRegion="eu-west-1")
    )


def _refusal(opener: Opener, **values: Any) -> JackfieldError:
    with pytest.raises(JackfieldError) as raised:
        _open(opener, **values)
    error = raised.value
    assert error.sent is not Sent.UNKNOWN
    assert not error.stale_credentials
    texts = f"{error} {error!r} {error.to_json()}"
    assert not any(secret in texts for secret in SECRETS)
    return error


def test_many_opens_assume_the_role_once(opener: Opener, aws: FakeAws) -> None:
    """A hundred opens and sends cost one AssumeRole, and the service sees the role's session."""
    for _ in range(100):
        _open(opener).client("sesv2").get_account()
    assert aws.counts["sts:AssumeRole"] == 1
    assert {request.access_key_id for request in aws.requests if request.service == "sesv2"} == {
        aws.sessions[0].access_key_id
    }
    assert sum(hasattr(made, "meta") for made in opener.leases.objects.values()) == 1


def test_the_request_says_what_the_connection_says(opener: Opener, aws: FakeAws) -> None:
    """Role, session name, External ID, duration and policy reach STS in the connection's region,
    tried once.
    """
    _open(opener, durationSeconds=900, sessionPolicy=True, region="eu-central-1")
    (session,) = aws.sessions
    assert (session.role_arn, session.external_id, session.duration_seconds) == (
        ROLE_ARN,
        EXTERNAL_ID,
        900,
    )
    assert session.session_name == "jackfield-default-acme-ses"
    assert session.region == "eu-central-1"
    assert (
        session.policy
        == '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["ses:SendEmail"],"Resource":"*"}]}'
    )


def test_the_lease_tells_when_it_ends_and_what_is_secret(opener: Opener, aws: FakeAws) -> None:
    """The lease carries the session's expiry and its secrets, and shows none of them."""
    _open(opener)
    minted = opener.leases.held["sts"]
    assert minted.expires_at == int(aws.sessions[0].expires_at)
    assert set(minted.secrets) == {aws.sessions[0].secret, aws.sessions[0].token}
    assert not any(secret in repr(minted) for secret in minted.secrets)
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(minted)


def test_sts_is_asked_in_the_actions_region_then_in_the_partitions(
    opener: Opener, aws: FakeAws
) -> None:
    """Without a region of the connection's own, STS is asked in the action's, and without that in
    the partition's default.
    """
    _open(opener)
    with Opener(opener.environment) as other:
        AwsAssumeRole.model_validate(VALUES).open(other.context())
    assert [session.region for session in aws.sessions] == ["eu-west-1", "us-east-1"]


def test_sts_has_an_endpoint_of_its_own(opener: Opener, aws: FakeAws) -> None:
    """The connection's stsEndpoint is for STS, its endpoint is not."""
    with refused_url() as nobody, Opener() as bare:
        _open(bare, stsEndpoint=aws.url, endpoint=nobody)
        assert aws.calls() == ["sts:AssumeRole"]
        error = _refusal(Opener({"AWS_ENDPOINT_URL": aws.url, "AWS_ENDPOINT_URL_STS": nobody}))
    assert isinstance(error, Unavailable)


def test_a_narrowed_session_serves_one_connector(opener: Opener, aws: FakeAws) -> None:
    """Two connectors share a lease, unless the session is narrowed to what one of them needs; what
    needs something else has its own.
    """
    narrowed = Opener(opener.environment)
    for connector in ("aws-ses", "aws-sns"):
        for _ in range(2):
            _open(opener, connector=connector)
            _open(narrowed, connector=connector, sessionPolicy=True)
    assert opener.leases.minted == {"sts": 1}
    assert sorted(key.rpartition(":")[0] for key in narrowed.leases.minted) == [
        "sts:aws-ses",
        "sts:aws-sns",
    ]
    narrowed.permissions = ("sns:Subscribe",)
    _open(narrowed, connector="aws-ses", sessionPolicy=True)
    assert list(narrowed.leases.minted.values()) == [1, 1, 1]
    assert json.loads(aws.sessions[-1].policy or "")["Statement"][0]["Action"] == ["sns:Subscribe"]


def test_a_blank_external_id_is_left_out(opener: Opener, aws: FakeAws) -> None:
    """Without an External ID none is sent, so that a role without the condition can be assumed."""
    _open(opener, roleARN=f"{ROLE_ARN}-open", externalId=None)
    assert aws.sessions[0].external_id is None
    assert "ExternalId" not in aws.requests[0].parameters


def test_an_expired_session_is_renewed(opener: Opener, aws: FakeAws) -> None:
    """ExpiredToken asks for a new lease; after renew() the next open assumes the role again and
    works.
    """
    clients = _open(opener)
    aws.expire_sessions()
    with pytest.raises(Exception, match="expired") as raised:
        clients.client("sesv2").get_account()
    error = AWS_ERRORS(raised.value, clients)
    assert isinstance(error, Unauthenticated)
    assert (error.sent, error.stale_credentials, clients.renewable) == (Sent.REFUSED, True, True)
    clients.renew()
    clients.renew()
    assert _open(opener).client("sesv2").get_account()["SendingEnabled"]
    assert aws.counts["sts:AssumeRole"] == 2


@pytest.mark.parametrize("external_id", ["wrong-one", None])
def test_a_wrong_or_missing_external_id_is_explained(
    opener: Opener, external_id: str | None
) -> None:
    """STS's denial is unauthenticated, names the stage, and shows the trust policy to have without
    the External ID's value.
    """
    error = _refusal(opener, externalId=external_id)
    assert isinstance(error, Unauthenticated)
    assert error.message.startswith(f"AssumeRole on {ROLE_ARN} was refused: ")
    assert error.hint is not None
    assert '"AWS": "arn:aws:iam::111122223333:user/jackfield"' in error.hint
    assert "sts:ExternalId" in error.hint
    assert error.provider is not None
    assert (error.provider.code, error.provider.http_status) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    ("values", "code", "text"),
    [
        ({"secretAccessKey": "wrong"}, "SignatureDoesNotMatch", "do not belong together"),
        ({"accessKeyId": "AKIAUNKNOWN"}, "InvalidClientTokenId", "does not know the key"),
        ({"sessionToken": TOKEN}, "ExpiredToken", "has expired"),
    ],
)
def test_wrong_keys_are_explained(
    opener: Opener, values: dict[str, Any], code: str, text: str
) -> None:
    """Keys that STS refuses are unauthenticated, with what to check."""
    error = _refusal(opener, **values)
    assert isinstance(error, Unauthenticated)
    assert error.provider is not None
    assert error.provider.code == code
    assert text in (error.hint or "")


SKEWED = "Signature expired: 1 is now earlier than 2"
DENIED_BY_SCP = "with an explicit deny in a service control policy"
QUOTED = f"1 validation error: Value '{EXTERNAL_ID}' at 'externalId'"


@pytest.mark.parametrize(
    ("refusal", "message", "status", "code", "path", "hint"),
    [
        (
            "MalformedPolicyDocument",
            "No.",
            400,
            "invalid_connection",
            "/sessionPolicy",
            "IAM policy document",
        ),
        ("PackedPolicyTooLarge", "No.", 400, "invalid_connection", "/sessionPolicy", "Shorten"),
        ("RegionDisabledException", "No.", 403, "unauthenticated", None, "eu-west-1"),
        ("SignatureDoesNotMatch", SKEWED, 403, "unauthenticated", None, "clock"),
        ("Throttling", "Rate exceeded", 400, "rate_limited", None, "fewer"),
        ("ServiceUnavailable", "No.", 503, "unavailable", None, "not AWS's own"),
        ("InternalFailure", "No.", 500, "unavailable", None, "not AWS's own"),
        ("AccessDenied", DENIED_BY_SCP, 403, "unauthenticated", None, "control policy"),
        ("ValidationError", QUOTED, 400, "invalid_connection", "", "values"),
    ],
)
def test_refusals_of_sts_are_explained(
    opener: Opener,
    aws: FakeAws,
    refusal: str,
    message: str,
    status: int,
    code: str,
    path: str | None,
    hint: str,
) -> None:
    """Each refusal has its code, its place and its cure, and never is in doubt."""
    aws.script(
        [
            {
                "do": "status",
                "operation": "AssumeRole",
                "code": refusal,
                "message": message,
                "status": status,
            }
        ]
    )
    error = _refusal(opener)
    assert error.code == code
    assert [detail.path for detail in error.details] == ([] if path is None else [path])
    assert hint in (error.hint or "")
    assert error.message.startswith(f"AssumeRole on {ROLE_ARN}")


def test_short_secrets_are_hidden_where_sts_quotes_them(opener: Opener, aws: FakeAws) -> None:
    """An External ID that is part of ordinary words is hidden in quotes only, so that the message
    stays readable.
    """
    aws.script(
        [
            {
                "do": "status",
                "operation": "AssumeRole",
                "code": "ValidationError",
                "message": "Value 'in' at 'externalId' is invalid",
            }
        ]
    )
    with pytest.raises(InvalidConnection) as raised:
        _open(opener, externalId="in")
    assert raised.value.message.endswith("Value '***' at 'externalId' is invalid")


def test_too_long_a_duration_is_the_connections_fault(opener: Opener) -> None:
    """A duration beyond the role's maximum is refused at its value."""
    error = _refusal(opener, durationSeconds=43200)
    assert isinstance(error, InvalidConnection)
    assert [detail.path for detail in error.details] == ["/durationSeconds"]
    assert "maximum session duration" in (error.hint or "")


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "reset"},
        {"do": "close"},
        {"do": "cut"},
        {"do": "body", "body": "<html>"},
        {"do": "body", "body": "<html/>"},
    ],
)
def test_a_broken_answer_of_sts_may_be_asked_again(
    opener: Opener, aws: FakeAws, fault: dict[str, Any]
) -> None:
    """What was no answer counts as nothing sent, so that it is tried again."""
    aws.script([{"operation": "AssumeRole", **fault}])
    error = _refusal(opener)
    assert (error.code, error.sent, error.retryable) == ("unavailable", Sent.NOTHING, True)
    assert _open(opener).client("sesv2").get_account()


def test_waiting_for_sts_ends_at_the_deadline(opener: Opener, aws: FakeAws) -> None:
    """A silent STS costs no more than the deadline, and sent nothing."""
    aws.script([{"do": "drip", "operation": "AssumeRole", "seconds": 0.05}])
    error = _refusal(opener, seconds=0.4)
    assert isinstance(error, TimedOut)
    assert error.sent is Sent.NOTHING


def test_bad_values_are_refused_before_anything_is_sent(opener: Opener, aws: FakeAws) -> None:
    """ARN syntax, partition and the size of the session policy are judged at home."""
    for values, path in (
        ({"roleARN": "arn:aws:iam::123456789012:user/ada"}, "/roleARN"),
        ({"roleARN": ROLE_ARN.replace("aws", "aws-cn", 1)}, "/roleARN"),
        ({"region": "cn-north-1"}, "/roleARN"),
        ({"sessionPolicy": {"Statement": "x" * 2048}}, "/sessionPolicy"),
        ({"stsEndpoint": "http://"}, "/stsEndpoint"),
    ):
        error = _refusal(Opener(opener.environment), **values)
        assert (error.code, [detail.path for detail in error.details]) == (
            "invalid_connection",
            [path],
        )
    assert aws.calls() == []


@given(workspace=st.text(max_size=120), connection=st.none() | st.text(max_size=120))
def test_session_names_are_legal(workspace: str, connection: str | None) -> None:
    """Whatever workspace and connection are called, the session's name is one that STS takes, and
    says who it is.
    """
    opener = Opener(workspace=workspace, connection=connection)
    name = session_name(opener.context())
    assert re.fullmatch(r"[A-Za-z0-9_+=,.@-]{2,64}", name)
    assert name.startswith("jackfield-")


def test_a_test_of_what_is_not_stored_says_so() -> None:
    """The owner of the role reads in CloudTrail that a connection was tested, before it has a
    name.
    """
    assert (
        session_name(Opener(workspace="acme-1", connection=None).context())
        == "jackfield-acme-1-connection-test"
    )


def test_long_names_stay_apart() -> None:
    """Names that are cut differ by their tails."""
    names = {session_name(Opener(connection="a" * 99 + last).context()) for last in "bc"}
    assert len(names) == 2
    assert {len(name) for name in names} == {64}


def test_no_wider_policy_than_the_permissions(opener: Opener) -> None:
    """A connector without declared permissions gets no session policy made for it."""
    opener.permissions = ()
    error = _refusal(opener, sessionPolicy=True)
    assert (error.code, error.details[0].path) == ("invalid_connection", "/sessionPolicy")
