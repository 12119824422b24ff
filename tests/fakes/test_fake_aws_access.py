"""The fake's STS, sessions, permissions and signatures."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boto_client import KEY, boto_client
from fake_aws import FakeAws

ROLE = "arn:aws:iam::111122223333:role/team/mail"


def _assume(aws: FakeAws, **more: Any) -> dict[str, Any]:
    answer = boto_client(aws.url, "sts").assume_role(
        **{"RoleArn": ROLE, "RoleSessionName": "jackfield-1", **more}
    )
    return dict(answer["Credentials"])


def _code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def _send(client: Any) -> None:
    content = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}}
    client.send_email(
        FromEmailAddress="a@example.com", Destination={"ToAddresses": ["b@x.io"]}, Content=content
    )


def test_assume_role_gives_a_session() -> None:
    """AssumeRole answers usable credentials, and both the session and the sends made with it are
    recorded.
    """
    with FakeAws(clock=lambda: 1_800_000_000.0, roles={ROLE: {"externalId": "acme-1"}}) as aws:
        policy = json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "ses:*", "Resource": "*"}],
            }
        )
        credentials = _assume(aws, ExternalId="acme-1", DurationSeconds=900, Policy=policy)
        _send(boto_client(aws.url, "sesv2", credentials))
        assert (
            boto_client(aws.url, "sts", credentials)
            .get_caller_identity()["Arn"]
            .endswith("assumed-role/mail/jackfield-1")
        )
        (session,), (message,) = aws.sessions, aws.messages
    assert credentials["Expiration"].timestamp() == 1_800_000_900.0
    assert (
        session.role_arn,
        session.session_name,
        session.external_id,
        session.duration_seconds,
        session.policy,
    ) == (
        ROLE,
        "jackfield-1",
        "acme-1",
        900,
        policy,
    )
    assert (message.session_name, message.access_key_id) == (
        "jackfield-1",
        credentials["AccessKeyId"],
    )
    assert credentials["SecretAccessKey"] not in repr(session) + json.dumps(aws.state())
    assert credentials["SessionToken"] not in repr(session) + repr(aws.requests) + json.dumps(
        aws.state()
    )


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({}, "AccessDenied"),
        ({"ExternalId": "acme-2"}, "AccessDenied"),
        (
            {"ExternalId": "acme-1", "RoleArn": "arn:aws:iam::111122223333:role/other"},
            "AccessDenied",
        ),
        (
            {"ExternalId": "acme-1", "RoleArn": "arn:aws:iam::1:role/mail-is-long"},
            "ValidationError",
        ),
        ({"ExternalId": "acme-1", "RoleSessionName": "has space"}, "ValidationError"),
        ({"ExternalId": "a b"}, "ValidationError"),
        ({"ExternalId": "acme-1", "DurationSeconds": 50_000}, "ValidationError"),
        ({"ExternalId": "acme-1", "DurationSeconds": 3601}, "ValidationError"),
        ({"ExternalId": "acme-1", "Policy": "{nonsense"}, "MalformedPolicyDocument"),
        ({"ExternalId": "acme-1", "Policy": "{" + " " * 2048}, "ValidationError"),
    ],
)
def test_assume_role_refusals(more: dict[str, Any], code: str) -> None:
    """A missing or wrong External ID, an unknown role and values out of bounds are refused with
    STS's codes.
    """
    with FakeAws(roles={ROLE: {"externalId": "acme-1"}}) as aws:
        with pytest.raises(ClientError) as raised:
            _assume(aws, **more)
        assert aws.sessions == []
    assert _code(raised) == code


def test_role_without_external_id_takes_any() -> None:
    """A role whose trust has no condition takes any External ID, as AWS does; a trust list is
    kept.
    """
    with FakeAws(roles={ROLE: {}}) as aws:
        assert _assume(aws, ExternalId="whatever")["SessionToken"]
        aws.configure(roles={ROLE: {"trust": ["arn:aws:iam::123456789012:user/somebody"]}})
        with pytest.raises(ClientError) as raised:
            _assume(aws)
    assert _code(raised) == "AccessDenied"


def test_chained_roles_last_an_hour_at_most() -> None:
    """A session may assume a further role, for one hour at most."""
    with FakeAws(roles={ROLE: {"maxSessionDuration": 43_200}}) as aws:
        sts = boto_client(aws.url, "sts", _assume(aws, DurationSeconds=43_200))
        assert sts.assume_role(RoleArn=ROLE, RoleSessionName="second", DurationSeconds=3600)[
            "Credentials"
        ]
        with pytest.raises(ClientError) as raised:
            sts.assume_role(RoleArn=ROLE, RoleSessionName="second", DurationSeconds=3601)
    assert _code(raised) == "ValidationError"


def test_sessions_expire_by_the_clock() -> None:
    """When the clock passes a session's end, v1 answers ExpiredToken and v2 ExpiredTokenException,
    both 403.
    """
    with FakeAws() as aws:
        credentials = _assume(aws)
        _send(boto_client(aws.url, "sesv2", credentials))
        aws.advance(3601)
        with pytest.raises(ClientError) as second:
            _send(boto_client(aws.url, "sesv2", credentials))
        with pytest.raises(ClientError) as first:
            boto_client(aws.url, "ses", credentials).list_identities()
        with pytest.raises(ClientError) as sts:
            boto_client(aws.url, "sts", credentials).get_caller_identity()
        assert aws.accepted == 1
    assert [_code(first), _code(second), _code(sts)] == [
        "ExpiredToken",
        "ExpiredTokenException",
        "ExpiredToken",
    ]
    assert {
        item.value.response["ResponseMetadata"]["HTTPStatusCode"] for item in (first, second, sts)
    } == {403}


def test_sessions_expire_on_demand() -> None:
    """Sessions end all at once, or after a number of SES calls, and a token that nobody knows has
    expired, too.
    """
    with FakeAws(session_calls=1) as aws:
        client = boto_client(aws.url, "sesv2", _assume(aws))
        _send(client)
        for ended in (
            client,
            boto_client(aws.url, "sesv2", {**_assume(aws), "SessionToken": "unknown"}),
        ):
            with pytest.raises(ClientError) as raised:
                _send(ended)
            assert _code(raised) == "ExpiredTokenException"
        fresh = boto_client(aws.url, "sesv2", _assume(aws))
        aws.expire_sessions()
        with pytest.raises(ClientError) as raised:
            _send(fresh)
        assert (_code(raised), aws.accepted) == ("ExpiredTokenException", 1)


def test_unknown_keys_are_refused() -> None:
    """With a list of users every other key is refused, in each service's own words; a static
    session token must fit.
    """
    users = {"ASIASTATIC": {"sessionToken": "token"}}
    with FakeAws(users=users) as aws:
        for service, call, code in (
            ("sts", "get_caller_identity", "InvalidClientTokenId"),
            ("ses", "list_identities", "InvalidClientTokenId"),
            ("sesv2", "get_account", "UnrecognizedClientException"),
        ):
            with pytest.raises(ClientError) as raised:
                getattr(boto_client(aws.url, service), call)()
            assert _code(raised) == code
        static = {"AccessKeyId": "ASIASTATIC", "SecretAccessKey": "s", "SessionToken": "token"}
        assert boto_client(aws.url, "sesv2", static).get_account()["SendingEnabled"]
        with pytest.raises(ClientError):
            boto_client(aws.url, "sesv2", {**static, "SessionToken": "other"}).get_account()


def test_permissions_are_enforced() -> None:
    """A call that the user's list does not allow is refused: AccessDenied in v1,
    AccessDeniedException in v2, with AWS's text.
    """
    arn = "arn:aws:iam::123456789012:user/ada"
    with FakeAws(users={KEY: {"arn": arn, "allow": ["ses:List*"]}}) as aws:
        assert boto_client(aws.url, "ses").list_identities()["Identities"] == []
        with pytest.raises(ClientError) as second:
            _send(boto_client(aws.url, "sesv2"))
        with pytest.raises(ClientError) as first:
            boto_client(aws.url, "ses").send_raw_email(RawMessage={"Data": b"From: a@x.io\r\n\r\n"})
        with pytest.raises(ClientError) as sts:
            _assume(aws)
    assert [_code(first), _code(second), _code(sts)] == [
        "AccessDenied",
        "AccessDeniedException",
        "AccessDenied",
    ]
    resource = "arn:aws:ses:eu-west-1:123456789012:identity/a@example.com"
    expected = f"User: {arn} is not authorized to perform: ses:SendEmail on resource: {resource}"
    assert second.value.response["Error"]["Message"] == expected


@pytest.mark.parametrize("allow", ["ses:SendRawEmail", "ses:SendEmail"])
def test_raw_needs_either_send_permission(allow: str) -> None:
    """A v2 Raw send is allowed by ses:SendRawEmail or by ses:SendEmail; a refusal names the
    former.
    """
    raw = {"Raw": {"Data": b"From: a@example.com\r\nTo: b@x.io\r\n\r\nHello"}}
    with FakeAws(users={KEY: {"allow": [allow]}}) as aws:
        assert boto_client(aws.url, "sesv2").send_email(Content=raw)["MessageId"]
        aws.configure(users={KEY: {"allow": ["ses:List*"]}})
        with pytest.raises(ClientError, match="perform: ses:SendRawEmail on"):
            boto_client(aws.url, "sesv2").send_email(Content=raw)


ALL = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def _with_policy(aws: FakeAws, statement: object) -> Any:
    return boto_client(
        aws.url,
        "sesv2",
        _assume(aws, Policy=json.dumps({"Version": "2012-10-17", "Statement": statement})),
    )


def test_session_policy_allows_what_the_role_allows() -> None:
    """A session may do what both role and session policy allow, and not what the policy alone
    allows.
    """
    with FakeAws(roles={ROLE: {"allow": ["ses:SendEmail"]}}) as aws:
        client = _with_policy(
            aws, {"Effect": "Allow", "Action": ["ses:send*", "ses:get*"], "Resource": "*"}
        )
        _send(client)
        with pytest.raises(ClientError, match="AccessDeniedException"):
            client.get_account()
        assert aws.accepted == 1


@pytest.mark.parametrize(
    "statement",
    [
        {
            "Effect": "Allow",
            "Action": "ses:SendEmail",
            "Resource": "arn:aws:ses:*:*:identity/other.com",
        },
        {"Effect": "Allow", "NotAction": "ses:SendEmail", "Resource": "*"},
        {"Effect": "Allow", "Action": "ses:ListIdentities", "Resource": "*"},
        [ALL, {"Effect": "Deny", "Action": "ses:SendEmail", "Resource": "*"}],
    ],
)
def test_session_policy_narrows_the_role(statement: object) -> None:
    """What the session policy leaves out or denies is refused, though the role allows it."""
    with FakeAws(roles={ROLE: {}}) as aws:
        with pytest.raises(ClientError, match="AccessDeniedException"):
            _send(_with_policy(aws, statement))
        assert aws.accepted == 0


def test_signatures_are_verified() -> None:
    """With verify_signatures a wrong secret is told, for users and sessions, on forms and JSON
    alike.
    """
    with FakeAws(
        users={KEY: {"secret": "secret"}}, identities=["a+b@x.io"], verify_signatures=True
    ) as aws:
        assert boto_client(aws.url, "sesv2").get_account()["SendingEnabled"]
        assert boto_client(aws.url, "ses").list_identities()["Identities"] == ["a+b@x.io"]
        credentials = _assume(aws)
        assert boto_client(aws.url, "sesv2", credentials).get_account()
        wrong = {"AccessKeyId": KEY, "SecretAccessKey": "wrong"}
        for keys, service, code in (
            (wrong, "sts", "SignatureDoesNotMatch"),
            ({**credentials, "SecretAccessKey": "wrong"}, "sts", "SignatureDoesNotMatch"),
        ):
            with pytest.raises(ClientError) as raised:
                boto_client(aws.url, service, keys).get_caller_identity()
            assert _code(raised) == code
        with pytest.raises(ClientError) as raised:
            boto_client(aws.url, "sesv2", wrong).get_account()
    assert _code(raised) == "InvalidSignatureException"
