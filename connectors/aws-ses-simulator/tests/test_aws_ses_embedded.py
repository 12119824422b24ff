"""The local AWS simulator behaves like AWS where the demo relies on it."""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from botocore.exceptions import ClientError

from jackfield import Jackfield
from jackfield.catalog import Catalog, EntryPoint
from jackfield_aws.keys import Keys
from jackfield_aws.sessions import ClientSpec, make_client
from jackfield_aws_ses_simulator.aws.messages import SentMessage
from jackfield_aws_ses_simulator.embedded import PERMISSIONS, REGION, EmbeddedAws
from jackfield_aws_ses_simulator.stage import message_json

SIMPLE = {"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "Hello Ada"}}}}
CATALOG = Catalog([EntryPoint("aws-ses", "jackfield_aws_ses:connector", "jackfield-aws-ses")])


@pytest.fixture
def aws() -> Iterator[EmbeddedAws]:
    """A local AWS simulator of the test's own."""
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
    found = client("sts").assume_role(RoleArn=aws.role_arn, RoleSessionName="test", **given)[
        "Credentials"
    ]
    return Keys(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    """The code and the text with which AWS refuses a call."""
    with pytest.raises(ClientError) as caught:
        call()
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_the_right_external_id_opens_the_role(aws: EmbeddedAws, client: Callable[..., Any]) -> None:
    """Whoever gives the External ID of the trust policy gets a session of the role, and the call is
    counted.
    """
    assert assumed(aws, client).session_token
    assert (aws.count("AssumeRole"), aws.count("AssumeRole", granted=False)) == (1, 0)


@pytest.mark.parametrize("given", [{"ExternalId": "somebody-elses"}, {}], ids=["wrong", "absent"])
def test_any_other_external_id_is_refused(
    aws: EmbeddedAws, client: Callable[..., Any], given: dict[str, str]
) -> None:
    """A wrong External ID, and none at all, are AccessDenied."""
    sts = client("sts")
    code, _ = refusal(
        lambda: sts.assume_role(RoleArn=aws.role_arn, RoleSessionName="test", **given)
    )
    assert (code, aws.count("AssumeRole", granted=False)) == ("AccessDenied", 1)


def test_a_role_keeps_the_first_generated_external_id() -> None:
    """A demo has nobody who edits trust policies: a role takes the first External ID that jackfield
    has generated, and refuses others from then on as AWS does. Roles for further connections are
    there by their names; each takes its own.
    """
    with (
        EmbeddedAws(trusted_ids="jf-*") as aws,
        closing(make_client(ClientSpec("sts", REGION, aws.url, user(aws)))) as sts,
    ):

        def opens(external_id: str | None, role: str = aws.role_arn) -> bool:
            given = {} if external_id is None else {"ExternalId": external_id}
            try:
                sts.assume_role(RoleArn=role, RoleSessionName="x" * 2, **given)
            except ClientError as error:
                assert error.response["Error"]["Code"] == "AccessDenied"
                return False
            return True

        second = f"{aws.role_arn}-second"
        assert [opens(one) for one in (None, "other", "jf-1", "jf-2", "jf-1", aws.external_id)] == [
            False,
            False,
            True,
            False,
            True,
            True,
        ]
        assert [opens(one, second) for one in ("jf-2", "jf-1", None, "jf-2")] == [
            True,
            False,
            False,
            True,
        ]
        assert not opens("jf-3", f"{aws.role_arn}second")


def test_the_user_may_only_assume_the_role(aws: EmbeddedAws, client: Callable[..., Any]) -> None:
    """Without the role, the user may neither list nor send."""
    assert refusal(lambda: client("ses").list_identities())[0] == "AccessDenied"
    assert refusal(lambda: send(client("sesv2")))[0] == "AccessDeniedException"
    assert aws.sent == []


def test_the_role_may_do_no_more_than_its_permissions() -> None:
    """An action that the role is not given is refused, whatever the session asks for."""
    with (
        EmbeddedAws(permissions=["ses:ListIdentities"]) as aws,
        Jackfield(connections=[], database_url="none", catalog=CATALOG) as jackfield,
    ):
        connection = {"type": "awsAssumeRole", "values": aws.connection_values()}
        asked = {"connector": "aws-ses", "connection": connection}
        mail = {
            "to": "ada@example.com",
            "sender": "noreply@example.com",
            "subject": "Hello",
            "text": "Hello",
        }
        assert (
            jackfield.invoke({**asked, "action": "listIdentities", "inputs": {}}).status
            == "succeeded"
        )
        refused = jackfield.invoke({**asked, "action": "sendEmail", "inputs": mail}).error
    assert refused is not None
    assert refused.code == "forbidden"


def test_the_role_may_do_what_the_connector_declares() -> None:
    """The role's permissions are those of actions and triggers, GetAccount for the connection test,
    and the services that the page 'Set SES up and watch it' calls by their own operations.
    """
    manifest = CATALOG.find("aws-ses")
    permissions = [one.permissions for one in manifest.actions.values()] + [
        one.permissions for one in manifest.triggers.values()
    ]
    declared = {name for one in permissions for name in one.get("aws:iam", ())}
    assert set(PERMISSIONS) == declared | {
        "ses:GetAccount",
        "cloudwatch:*",
        "route53:*",
        "sns:*",
        "sqs:*",
    }


def send(
    ses: Any,
    sender: str = "noreply@example.com",
    content: dict[str, Any] | None = None,
    **more: Any,
) -> str:
    """Send to Ada; the message's id."""
    given = {
        "FromEmailAddress": sender,
        "Destination": {"ToAddresses": ["ada@example.com"]},
        "Content": content or SIMPLE,
        **more,
    }
    found: str = ses.send_email(**given)["MessageId"]
    return found


def test_the_demo_shows_a_message_without_its_bytes(
    client: Callable[..., Any], aws: EmbeddedAws
) -> None:
    """Envelope, names and attachments are shown with RFC 2047 words read, texts and attachments by
    type and size.
    """
    content = {
        "Simple": {
            "Subject": {"Data": "Grüße ✓"},
            "Body": {"Text": {"Data": "text"}, "Html": {"Data": "<p>html</p>"}},
            "Attachments": [
                {
                    "FileName": "ü.bin",
                    "RawContent": b"\x00\xff\x01",
                    "ContentType": "application/x-thing; a=b",
                }
            ],
        }
    }
    destination = {
        "ToAddresses": ["=?utf-8?q?Zo=C3=AB?= <zoe@example.com>"],
        "BccAddresses": ["b@x.io"],
    }
    send(client("sesv2", assumed(aws, client)), content=content, Destination=destination)
    assert message_json(aws.sent[0]) == {
        "MessageId": aws.sent[0].message_id,
        "form": "Simple",
        "from": "noreply@example.com",
        "to": ["Zoë <zoe@example.com>"],
        "bcc": ["b@x.io"],
        "subject": "Grüße ✓",
        "parts": [
            {"contentType": "text/plain", "bytes": 4},
            {"contentType": "text/html", "bytes": 11},
        ],
        "attachments": [{"name": "ü.bin", "contentType": "application/x-thing", "bytes": 3}],
    }


def test_messages_are_announced() -> None:
    """``on_sent`` hears of each accepted message."""
    heard: list[SentMessage] = []
    with EmbeddedAws(on_sent=heard.append) as aws:
        with Jackfield(
            connections=[], database_url="none", catalog=CATALOG, environment={}
        ) as jackfield:
            connection = {"type": "awsAssumeRole", "values": aws.connection_values()}
            inputs = {
                "to": "ada@example.com",
                "sender": "noreply@example.com",
                "subject": "Hello",
                "text": "Hello",
            }
            result = jackfield.invoke(
                {
                    "connector": "aws-ses",
                    "action": "sendEmail",
                    "connection": connection,
                    "inputs": inputs,
                }
            )
        assert result.unwrap()["MessageId"] == heard[0].message_id
        assert heard == aws.sent


def test_it_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Afterwards the environment is as before, nothing was printed, and a second one starts from
    nothing.
    """
    monkeypatch.setenv("NO_PROXY", "example.com")
    monkeypatch.delenv("no_proxy", raising=False)
    with EmbeddedAws() as first:
        assert (os.environ["NO_PROXY"], os.environ["no_proxy"]) == (
            "example.com,127.0.0.1",
            "127.0.0.1",
        )
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(f"{first.url}/?Action=GetCallerIdentity")
    assert (os.environ["NO_PROXY"], os.environ.get("no_proxy")) == ("example.com", None)
    with EmbeddedAws() as second:
        assert (second.access_key_id == first.access_key_id, second.sent, second.calls) == (
            False,
            [],
            [],
        )
    assert capfd.readouterr() == ("", "")
