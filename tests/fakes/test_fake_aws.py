"""The fake AWS endpoint speaks SESv2, SES and STS well enough for a real boto3."""

from __future__ import annotations

import hashlib
import urllib.request
from typing import Any

import pytest
from botocore.exceptions import ClientError

from boto_client import boto_client
from fake_aws import FakeAws, refused_url
from jackfield_aws_ses_simulator.aws import sending

RAW = (
    b"From: Ada <ada@example.com>\r\nTo: Bob <bob@example.org>, c@example.org\r\nSubject: "
    b"=?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: "
    b"base64\r\n\r\nSGVsbG8=\r\n"
    b"--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=r.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\n\r\nJVBERg==\r\n--b--\r\n"
)


def _simple(**body: Any) -> dict[str, Any]:
    return {
        "Simple": {
            "Subject": {"Data": "Hi", "Charset": "UTF-8"},
            "Body": {"Text": {"Data": "Hello", **body}},
        }
    }


def _send(
    client: Any,
    sender: str = "a@example.com",
    to: tuple[str, ...] = ("b@example.org",),
    **more: Any,
) -> str:
    message = {
        "FromEmailAddress": sender,
        "Destination": {"ToAddresses": list(to)},
        "Content": _simple(),
        **more,
    }
    return str(client.send_email(**message)["MessageId"])


def _refusal(raised: pytest.ExceptionInfo[ClientError]) -> tuple[str, str, int]:
    response = raised.value.response
    return (
        response["Error"]["Code"],
        response["Error"]["Message"],
        response["ResponseMetadata"]["HTTPStatusCode"],
    )


def test_simple_message_is_captured_whole() -> None:
    """A v2 Simple send is recorded with envelope, texts, headers, tags and attachments as they were
    given.
    """
    with FakeAws() as aws:
        content = _simple()
        content["Simple"]["Body"]["Html"] = {"Data": "<p>Hellö</p>", "Charset": "UTF-8"}
        content["Simple"]["Headers"] = [{"Name": "X-A", "Value": "1"}]
        content["Simple"]["Attachments"] = [
            {"FileName": "ä.bin", "RawContent": bytes(range(256)), "ContentType": "application/x"}
        ]
        sent = boto_client(aws.url, "sesv2", region_name="eu-north-1").send_email(
            FromEmailAddress="Ada <a@example.com>",
            Destination={
                "ToAddresses": ["b@x.io"],
                "CcAddresses": ["c@x.io"],
                "BccAddresses": ["d@x.io"],
            },
            ReplyToAddresses=["r@x.io"],
            Content=content,
            EmailTags=[{"Name": "k", "Value": "v"}],
            ConfigurationSetName="set",
            FeedbackForwardingEmailAddress="f@x.io",
            FromEmailAddressIdentityArn="arn:aws:ses:eu-north-1:123456789012:identity/example.com",
        )
        (message,) = aws.messages
    assert (message.message_id, message.region, message.kind, message.source) == (
        sent["MessageId"],
        "eu-north-1",
        "simple",
        "Ada <a@example.com>",
    )
    assert (message.to, message.cc, message.bcc, message.reply_to) == (
        ("b@x.io",),
        ("c@x.io",),
        ("d@x.io",),
        ("r@x.io",),
    )
    assert (message.subject, message.text, message.html, message.headers) == (
        "Hi",
        "Hello",
        "<p>Hellö</p>",
        (("X-A", "1"),),
    )
    assert (message.tags, message.configuration_set, message.feedback_address) == (
        {"k": "v"},
        "set",
        "f@x.io",
    )
    assert message.identity_arn == "arn:aws:ses:eu-north-1:123456789012:identity/example.com"
    assert message.content.charsets == {"subject": "UTF-8", "html": "UTF-8"}
    (attachment,) = message.attachments
    assert (attachment.name, attachment.data, attachment.size) == ("ä.bin", bytes(range(256)), 256)
    assert attachment.sha256 == hashlib.sha256(bytes(range(256))).hexdigest()


def test_raw_message_is_captured_and_parsed() -> None:
    """A v2 Raw send keeps its bytes, takes missing recipients from the headers and is parsed when
    asked.
    """
    with FakeAws() as aws:
        boto_client(aws.url, "sesv2").send_email(Content={"Raw": {"Data": RAW}})
        (message,) = aws.messages
    assert message.raw == RAW
    assert (message.source, message.to) == (
        "Ada <ada@example.com>",
        ("Bob <bob@example.org>", "c@example.org"),
    )
    assert (message.subject, message.text, message.html, message.size) == (
        "Grüße",
        "Hello",
        None,
        len(RAW),
    )
    assert [(item.name, item.content_type, item.data) for item in message.attachments] == [
        ("r.pdf", "application/pdf", b"%PDF")
    ]


def test_v1_raw_send_is_captured(monkeypatch: pytest.MonkeyPatch) -> None:
    """SendRawEmail of SES v1 is read from its form, escaped base64 and lists, and ends at its
    limit, which is 10,485,760 bytes.
    """
    monkeypatch.setitem(sending._LARGEST, "ses", 500_000)
    large = b"From: a@example.com\r\nTo: b@x.io\r\n\r\n" + (b"x" * 76 + b"\r\n") * 6_500
    with FakeAws() as aws:
        ses = boto_client(aws.url, "ses", timeout=120)
        sent = ses.send_raw_email(Destinations=["z@x.io"], RawMessage={"Data": RAW})
        with pytest.raises(
            ClientError, match=rf"Message length is more than 500000 bytes long: '{len(large)}'"
        ):
            ses.send_raw_email(RawMessage={"Data": large})
        (raw,) = aws.messages
    assert (raw.message_id, raw.raw, raw.to, raw.service) == (
        sent["MessageId"],
        RAW,
        ("z@x.io",),
        "ses",
    )


def test_account_answers_from_the_settings() -> None:
    """GetAccount shows sandbox, quota and the recipients of the day."""
    with FakeAws(sandbox=True, quota={"max24HourSend": 200, "sentLast24Hours": 7}) as aws:
        v2 = boto_client(aws.url, "sesv2")
        _send(v2)
        account = v2.get_account()
    assert (account["ProductionAccessEnabled"], account["SendQuota"]["Max24HourSend"]) == (
        False,
        200.0,
    )
    assert account["SendQuota"]["SentLast24Hours"] == 8.0


def test_v1_pages_2500_identities() -> None:
    """ListIdentities pages 2,500 identities in three calls, each one once, and keeps to the type
    that was asked for.
    """
    names = [f"user{number:04}@example.com" for number in range(2500)]
    with FakeAws(identities=[*names, "example.com"]) as aws:
        ses = boto_client(aws.url, "ses")
        pages = ses.get_paginator("list_identities").paginate(
            IdentityType="EmailAddress", MaxItems=1000
        )
        assert [name for page in pages for name in page["Identities"]] == names
        assert aws.counts["ses:ListIdentities"] == 3
        assert ses.list_identities(IdentityType="Domain")["Identities"] == ["example.com"]
        assert len(ses.list_identities()["Identities"]) == 100
        token = ses.list_identities(IdentityType="EmailAddress")["NextToken"]
        for bad in ({"NextToken": "bogus"}, {"IdentityType": "Domain", "NextToken": token}):
            with pytest.raises(ClientError) as raised:
                ses.list_identities(**bad)
            assert (_refusal(raised)[0], _refusal(raised)[2]) == ("InvalidNextToken", 400)
        with pytest.raises(ClientError) as raised:
            ses.list_identities(MaxItems=1001)
    assert _refusal(raised)[0] == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("options", "more", "code", "text"),
    [
        (
            {"identities": ["other.com"]},
            {},
            "MessageRejected",
            "failed the check in region EU-WEST-1: a@example.com",
        ),
        (
            {"identities": [{"name": "example.com", "region": "us-east-1"}]},
            {},
            "MessageRejected",
            "EU-WEST-1",
        ),
        ({"identities": ["example.com"], "sandbox": True}, {}, "MessageRejected", "b@example.org"),
        ({}, {"to": tuple(f"u{n}@x.io" for n in range(51))}, "BadRequestException", "exceeds 50"),
        ({}, {"to": ("nobody",)}, "BadRequestException", "Missing final '@domain'"),
        (
            {},
            {"sender": "Doe, Jane <a@example.com>"},
            "BadRequestException",
            "Missing final '@domain'",
        ),
        ({}, {"to": ("x@exa mple.com",)}, "BadRequestException", "illegal character"),
        (
            {"configuration_sets": ["a"]},
            {"ConfigurationSetName": "b"},
            "NotFoundException",
            "<b> does not exist",
        ),
        ({"paused": True}, {}, "SendingPausedException", "paused"),
        (
            {"quota": {"max24HourSend": 0}},
            {},
            "TooManyRequestsException",
            "Daily message quota exceeded",
        ),
        (
            {"rates": {"SendEmail": 1}, "script": [{"do": "pass"}]},
            {"twice": True},
            "TooManyRequestsException",
            "Rate exceeded",
        ),
    ],
)
def test_v2_refusals(options: Any, more: dict[str, Any], code: str, text: str) -> None:
    """Each rule of SES refuses with v2's own code and status, and nothing is accepted."""
    with FakeAws(clock=lambda: 1000.0, **options) as aws:
        v2 = boto_client(aws.url, "sesv2")
        if twice := more.pop("twice", False):
            _send(v2)
        with pytest.raises(ClientError) as raised:
            _send(v2, **more)
        assert (aws.received - twice, aws.accepted - twice) == (1, 0)
    assert (_refusal(raised)[0], text in _refusal(raised)[1]) == (code, True)
    assert isinstance(raised.value, getattr(v2.exceptions, code))


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"To: b@x.io\r\n\r\nx", "Missing required header 'From'"),
        (RAW.replace(b"MIME-Version", b"Subject"), "Duplicate header 'Subject'"),
        (RAW + b"x" * 1200, "Line length"),
        (b"From: a@example.com\r\n\r\nx", "no recipients"),
    ],
)
def test_raw_message_rules(raw: bytes, text: str) -> None:
    """A raw message without From or recipients, with a doubled header or with a line that is too
    long is refused.
    """
    with FakeAws() as aws, pytest.raises(ClientError) as raised:
        boto_client(aws.url, "sesv2").send_email(
            FromEmailAddress="a@example.com", Content={"Raw": {"Data": raw}}
        )
    assert text in _refusal(raised)[1]


def test_subdomains_and_simulator_are_verified() -> None:
    """A verified domain covers its subdomains, in any case, and the mailbox simulator needs no
    verification.
    """
    with FakeAws(identities=["Example.com"], sandbox=True) as aws:
        _send(
            boto_client(aws.url, "sesv2"),
            sender="a@mail.EXAMPLE.com",
            to=("success@simulator.amazonses.com",),
        )
        assert aws.accepted == 1


def test_log_names_calls_in_order() -> None:
    """The log tells service, operation, region, key and connection of every request, without the
    message's content.
    """
    with FakeAws() as aws:
        boto_client(aws.url, "sts").get_caller_identity()
        v2 = boto_client(aws.url, "sesv2", region_name="us-west-2")
        _send(v2)
        _send(v2)
        boto_client(aws.url, "ses").list_identities(IdentityType="Domain", MaxItems=7)
        assert aws.calls() == [
            "sts:GetCallerIdentity",
            "sesv2:SendEmail",
            "sesv2:SendEmail",
            "ses:ListIdentities",
        ]
        _, first, _, listing = aws.requests
        assert (aws.connections, aws.received, aws.accepted, aws.counts["sesv2:SendEmail"]) == (
            3,
            2,
            2,
            2,
        )
        assert (first.region, first.access_key_id) == ("us-west-2", "AKIAEXAMPLE")
        assert (sorted(first.parameters), listing.parameters["MaxItems"]) == (
            ["Destination", "FromEmailAddress"],
            "7",
        )
        aws.reset()
        assert (aws.calls(), aws.connections, aws.messages) == ([], 0, [])


def test_renew_reads_a_vector() -> None:
    """A vector's endpoint in camelCase replaces the options, and the fake is as new."""
    arn = "arn:aws:iam::111122223333:role/mail"
    endpoint = {
        "identities": ["example.com"],
        "configurationSets": ["a"],
        "roles": {arn: {"externalId": "x-1", "maxSessionDuration": 7200}},
        "users": {"AKIAEXAMPLE": {"secret": "secret", "allow": ["ses:*"]}},
        "script": [{"operation": "SendEmail", "do": "status", "status": 429}],
    }
    with FakeAws(paused=True) as aws:
        aws.renew(endpoint)
        with pytest.raises(ClientError) as raised:
            _send(boto_client(aws.url, "sesv2"))
        _send(boto_client(aws.url, "sesv2"))
        assert aws.calls() == ["sesv2:SendEmail"] * 2
    assert _refusal(raised)[0] == "TooManyRequestsException"


@pytest.mark.parametrize(
    "endpoint",
    [
        {"identity": []},
        {"roles": {"arn": {"extId": "x"}}},
        {"script": [{"do": "nothing"}]},
        {"script": [{"doo": "pass"}]},
    ],
)
def test_wrong_vectors_are_refused(endpoint: dict[str, Any]) -> None:
    """A member or a fault that does not exist is a ValueError that names it."""
    with pytest.raises(ValueError, match=r"identity|ext_id|nothing|doo"):
        FakeAws(**endpoint)


def test_blind_mode_accepts_unread() -> None:
    """With blind on, v2 sends are counted and answered with ids of their own, and nothing is
    kept.
    """
    with FakeAws(blind=True, paused=True) as aws:
        v2 = boto_client(aws.url, "sesv2")
        assert _send(v2) != _send(v2)
        assert (aws.accepted, aws.received, aws.messages) == (2, 2, [])


def test_refused_url_refuses() -> None:
    """Nobody listens on a refused URL while its context lasts."""
    with refused_url() as url, pytest.raises(OSError, match="refused"):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url)
