"""The embedded AWS behaves like AWS where the demo relies on it."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from botocore.exceptions import ClientError

from jackfield import Jackfield
from jackfield.catalog import Catalog, EntryPoint
from jackfield_aws.keys import Keys
from jackfield_aws.sessions import ClientSpec, make_client
from jackfield_aws_ses.demo.embedded import IDENTITIES, PERMISSIONS, REGION, EmbeddedAws
from jackfield_aws_ses.demo.received import SentMessage, read_request

SIMPLE = {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello Ada"}}}}
CATALOG = Catalog([EntryPoint("aws-ses", "jackfield_aws_ses:connector", "jackfield-aws-ses")])


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """An embedded AWS of the test's own."""
    with EmbeddedAws() as running:
        yield running


@pytest.fixture
def client(aws: EmbeddedAws) -> Iterator[Callable[..., Any]]:
    """Makes botocore clients with the user's keys, or others."""
    made = []

    def make(service: str, keys: Keys | None = None) -> Any:
        found = make_client(ClientSpec(service, REGION, aws.url, keys or user(aws)))
        made.append(found)
        return found

    yield make
    for item in made:
        item.close()


def user(aws: EmbeddedAws) -> Keys:
    """The keys of the user who may assume the role."""
    return Keys(aws.access_key_id, aws.secret_access_key)


def assumed(aws: EmbeddedAws, client: Callable[..., Any], **more: str) -> Keys:
    """The keys of a session of the role."""
    given = more or {"ExternalId": aws.external_id}
    found = client("sts").assume_role(RoleArn=aws.role_arn, RoleSessionName="test", **given)["Credentials"]
    return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """The code and the text with which AWS refuses a call."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_right_external_id_opens_the_role(aws: EmbeddedAws, client: Callable[..., Any]) -> None:
    """Whoever gives the External ID of the trust policy gets a session of the role, and the call is counted."""
    assert assumed(aws, client).session_token
    assert (aws.count("AssumeRole"), aws.count("AssumeRole", granted=False)) == (1, 0)


@pytest.mark.parametrize("given", [{"ExternalId": "somebody-elses"}, {}], ids=["wrong", "absent"])
def test_any_other_external_id_is_refused(aws: EmbeddedAws, client: Callable[..., Any], given: dict[str, str]) -> None:
    """A wrong External ID, and none at all, are AccessDenied."""
    sts = client("sts")
    code, _ = refusal(lambda: sts.assume_role(RoleArn=aws.role_arn, RoleSessionName="test", **given))
    assert (code, aws.count("AssumeRole", granted=False)) == ("AccessDenied", 1)


def test_keys_are_checked(aws: EmbeddedAws, client: Callable[..., Any]) -> None:
    """A wrong secret and an unknown key are told apart, as by AWS."""
    wrong = client("sts", Keys(aws.access_key_id, "not-the-secret"))
    stranger = client("sts", Keys("AKIAIOSFODNN7EXAMPLE", "secret"))
    given = {"RoleArn": aws.role_arn, "RoleSessionName": "test", "ExternalId": aws.external_id}
    assert refusal(lambda: wrong.assume_role(**given))[0] == "SignatureDoesNotMatch"
    assert refusal(lambda: stranger.assume_role(**given))[0] == "InvalidClientTokenId"


def test_the_user_may_only_assume_the_role(aws: EmbeddedAws, client: Callable[..., Any]) -> None:
    """Without the role, the user may neither list nor send."""
    assert refusal(lambda: client("ses").list_identities())[0] == "AccessDenied"
    _, text = refusal(lambda: send(client("sesv2")))
    assert "AccessDenied" in text
    assert aws.sent == []


def test_the_role_may_do_no_more_than_it_needs(aws: EmbeddedAws, client: Callable[..., Any]) -> None:
    """What the connector does not do, the role may not do."""
    ses = client("ses", assumed(aws, client))
    assert refusal(lambda: ses.delete_identity(Identity="example.com"))[0] == "AccessDenied"


def test_the_role_may_do_what_the_connector_declares() -> None:
    """The role's permissions are those of the actions, and GetAccount for the connection test."""
    manifest = CATALOG.find("aws-ses")
    declared = {name for action in manifest.actions.values() for name in action.permissions.get("aws:iam", ())}
    assert set(PERMISSIONS) == declared | {"ses:GetAccount"}


def send(ses: Any, sender: str = "noreply@example.com", content: dict[str, Any] | None = None, **more: Any) -> str:
    """Send to Ada; the message's id."""
    given = {"FromEmailAddress": sender, "Destination": {"ToAddresses": ["ada@example.com"]}, "Content": content or SIMPLE, **more}
    found: str = ses.send_email(**given)["MessageId"]
    return found


def test_an_unverified_sender_is_rejected(aws: EmbeddedAws, client: Callable[..., Any]) -> None:
    """A sender whose address and domain nobody verified is MessageRejected, and nothing counts as sent."""
    ses = client("sesv2", assumed(aws, client))
    code, text = refusal(lambda: send(ses, "ceo@unverified.example"))
    assert (code, "not verified" in text, aws.sent) == ("MessageRejected", True, [])
    assert aws.count("SendEmail", granted=False) == 1


@pytest.mark.parametrize("sender", ["anybody@example.com", "ada@example.org"], ids=["domain", "address"])
def test_verified_senders_send(aws: EmbeddedAws, client: Callable[..., Any], sender: str) -> None:
    """Any address of a verified domain, and a verified address, may send."""
    message_id = send(client("sesv2", assumed(aws, client)), sender)
    assert [(message.message_id, message.sender) for message in aws.sent] == [(message_id, sender)]


def test_simple_content_is_kept_as_it_arrived(client: Callable[..., Any], aws: EmbeddedAws) -> None:
    """Envelope, names, both texts and attachments of Simple content are kept, RFC 2047 words read."""
    content = {
        "Simple": {
            "Subject": {"Data": "Grüße ✓"},
            "Body": {"Text": {"Data": "text"}, "Html": {"Data": "<p>html</p>"}},
            "Attachments": [{"FileName": "ü.bin", "RawContent": b"\x00\xff\x01", "ContentType": "application/x-thing; a=b"}],
        }
    }
    destination = {"ToAddresses": ["=?utf-8?q?Zo=C3=AB?= <zoe@example.com>"], "CcAddresses": ["c@x.io"], "BccAddresses": ["b@x.io"]}
    send(client("sesv2", assumed(aws, client)), content=content, Destination=destination, ReplyToAddresses=["r@x.io"])
    (message,) = aws.sent
    assert (message.form, message.subject, message.text, message.html) == ("Simple", "Grüße ✓", "text", "<p>html</p>")
    assert (message.to, message.cc, message.bcc, message.reply_to) == (("Zoë <zoe@example.com>",), ("c@x.io",), ("b@x.io",), ("r@x.io",))
    assert message.to_json()["attachments"] == [{"name": "ü.bin", "contentType": "application/x-thing", "bytes": 3}]
    assert message.request["Destination"]["ToAddresses"] == destination["ToAddresses"]


def test_raw_content_is_kept_as_it_arrived(client: Callable[..., Any], aws: EmbeddedAws) -> None:
    """Of Raw content the MIME message is read, and the envelope is that of the request."""
    mime = EmailMessage(policy=SMTP)
    mime["Subject"], mime["From"], mime["To"] = "Grüße ✓", "noreply@example.com", "ada@example.com"
    mime.set_content("Schöne Grüße", cte="base64")
    mime.add_alternative("<p>html</p>", subtype="html", cte="base64")
    mime.add_attachment(b"\x00\xff\x01", maintype="application", subtype="x-thing", filename="ü.bin")
    destination = {"ToAddresses": ["ada@example.com"], "BccAddresses": ["b@x.io"]}
    send(client("sesv2", assumed(aws, client)), content={"Raw": {"Data": mime.as_bytes()}}, Destination=destination)
    (message,) = aws.sent
    assert (message.form, message.subject, message.to, message.bcc) == ("Raw", "Grüße ✓", ("ada@example.com",), ("b@x.io",))
    assert (str(message.text).strip(), str(message.html).strip()) == ("Schöne Grüße", "<p>html</p>")
    assert message.to_json()["attachments"] == [{"name": "ü.bin", "contentType": "application/x-thing", "bytes": 3}]


def test_what_cannot_be_decoded_is_shown_as_it_is() -> None:
    """A charset that nobody knows spoils neither the subject nor the text."""
    raw = b"Subject: =?x-none?q?a?=\nContent-Type: text/plain; charset=x-none\n\nbody"
    message = read_request({"Content": {"Raw": {"Data": base64.b64encode(raw).decode()}}}, "id")
    assert (message.subject, message.text) == ("=?x-none?q?a?=", "body")


def test_identities_come_in_pages(client: Callable[..., Any], aws: EmbeddedAws) -> None:
    """ListIdentities gives MaxItems at a time and a token until there are no more, each identity once."""
    ses = client("ses", assumed(aws, client))
    pages: list[list[str]] = []
    token: dict[str, str] = {}
    while True:
        page = ses.list_identities(IdentityType="EmailAddress", MaxItems=5, **token)
        pages.append(page["Identities"])
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [name for page in pages for name in page] == [name for name in IDENTITIES if "@" in name]


def test_identities_are_listed_by_type(client: Callable[..., Any], aws: EmbeddedAws) -> None:
    """Domains are listed apart; without a type, all are."""
    ses = client("ses", assumed(aws, client))
    assert ses.list_identities(IdentityType="Domain")["Identities"] == ["example.com"]
    assert ses.list_identities()["Identities"] == list(IDENTITIES)


@pytest.mark.parametrize("token", ["nonsense", "cGFnZTp4", "eHh4", "é"])
def test_a_strange_page_token_is_refused(client: Callable[..., Any], aws: EmbeddedAws, token: str) -> None:
    """A token that AWS did not give is an InvalidParameterValue."""
    ses = client("ses", assumed(aws, client))
    assert refusal(lambda: ses.list_identities(NextToken=token))[0] == "InvalidParameterValue"


def test_the_account_can_be_read(client: Callable[..., Any], aws: EmbeddedAws) -> None:
    """GetAccount of API v2 answers, and counts what was sent."""
    ses = client("sesv2", assumed(aws, client))
    send(ses)
    account = ses.get_account()
    assert (account["ProductionAccessEnabled"], account["SendQuota"]["SentLast24Hours"]) == (True, 1.0)


def test_messages_are_announced() -> None:
    """``on_sent`` hears of each accepted message."""
    heard: list[SentMessage] = []
    with EmbeddedAws(on_sent=heard.append) as aws:
        with Jackfield(connections=[], database_url="none", catalog=CATALOG, environment={}) as jackfield:
            connection = {"type": "awsAssumeRole", "values": aws.connection_values()}
            inputs = {"to": "ada@example.com", "sender": "noreply@example.com", "subject": "Hello", "text": "Hello"}
            result = jackfield.invoke({"connector": "aws-ses", "action": "sendEmail", "connection": connection, "inputs": inputs})
        assert result.unwrap()["MessageId"] == heard[0].message_id
        assert heard == aws.sent


def test_it_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Afterwards moto and the environment are as before, and a second one starts from nothing."""
    from moto import settings
    from moto.iam.policy_conditions import TrustCondition
    from moto.sesv2.responses import SESV2Response

    monkeypatch.setenv("NO_PROXY", "example.com")
    monkeypatch.delenv("no_proxy", raising=False)
    lax = TrustCondition.verify_condition
    with EmbeddedAws() as first:
        assert TrustCondition.verify_condition is not lax
        assert (os.environ["NO_PROXY"], os.environ["no_proxy"]) == ("example.com,127.0.0.1", "127.0.0.1")
    assert TrustCondition.verify_condition is lax
    assert not hasattr(SESV2Response, "get_account")
    assert (os.environ["NO_PROXY"], os.environ.get("no_proxy"), settings.INITIAL_NO_AUTH_ACTION_COUNT) == (
        "example.com",
        None,
        float("inf"),
    )
    with EmbeddedAws() as second:
        assert (second.access_key_id == first.access_key_id, second.sent, second.calls) == (False, [], [])


def test_it_is_silent(
    client: Callable[..., Any], aws: EmbeddedAws, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Neither moto nor its server logs or prints anything."""
    caplog.set_level("INFO", "werkzeug")
    send(client("sesv2", assumed(aws, client)))
    assert (*capfd.readouterr(), [record for record in caplog.records if record.name == "werkzeug"]) == ("", "", [])
