"""Mail from templates, in bulk and as raw messages: what Amazon SES is asked, and what comes of
each destination.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from jackfield import Result
from jackfield_aws_ses.actions.templated import _bulk_request
from jackfield_aws_ses.templated import BulkEmail
from rig import Rig, key_values

COMMON: dict[str, Any] = {
    "awsRegion": "eu-west-1",
    "sender": "noreply@example.com",
    "templateName": "welcome",
}
TWO = [
    {"to": "ada@example.com", "templateData": {"name": "Ada"}},
    {"to": ["bob@example.com"], "cc": "eve@example.com"},
]
ACCEPTED = {"Status": "SUCCESS", "MessageId": "m-1"}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A runtime and the fake."""
    with Rig(tmp_path, values=key_values()) as found:
        yield found


def call(rig: Rig, action: str, **inputs: Any) -> Result:
    """Invoke an action of aws-ses in eu-west-1."""
    invocation = {
        "connector": "aws-ses",
        "action": action,
        "connection": "acme",
        "inputs": {**inputs, "awsRegion": "eu-west-1"},
    }
    return rig.jackfield.invoke(invocation)


def bulk(rig: Rig, *rows: dict[str, Any], **inputs: Any) -> Result:
    """Send to two destinations; Amazon SES answers ``rows``."""
    rig.aws.configure(answers={"SendBulkEmail": {"BulkEmailEntryResults": list(rows)}})
    return call(rig, "sendBulkEmail", **{**COMMON, "destinations": TWO, **inputs})


def test_each_destination_has_its_outcome(rig: Rig) -> None:
    """One accepted and one refused message are a success with both outcomes, from one request that
    names data, tags and recipients.
    """
    refused = {"Status": "MESSAGE_REJECTED", "Error": "not verified"}
    found = bulk(
        rig, ACCEPTED, refused, templateData={"name": "friend", "shop": "X"}, tags={"kind": "hello"}
    )
    assert found.output == {
        "BulkEmailEntryResults": [ACCEPTED, refused],
        "accepted": 1,
        "refused": 1,
    }
    (request,) = [item for item in rig.aws.requests if item.operation == "SendBulkEmail"]
    assert request.parameters == {
        "FromEmailAddress": "noreply@example.com",
        "DefaultEmailTags": [{"Name": "kind", "Value": "hello"}],
        "DefaultContent": {
            "Template": {
                "TemplateName": "welcome",
                "TemplateData": '{"name": "friend", "shop": "X"}',
            }
        },
        "BulkEmailEntries": [
            {
                "Destination": {"ToAddresses": ["ada@example.com"]},
                "ReplacementEmailContent": {
                    "ReplacementTemplate": {
                        "ReplacementTemplateData": '{"name": "Ada", "shop": "X"}'
                    }
                },
            },
            {
                "Destination": {
                    "ToAddresses": ["bob@example.com"],
                    "CcAddresses": ["eve@example.com"],
                }
            },
        ],
    }


@pytest.mark.parametrize(
    "state",
    ["ACCOUNT_THROTTLED", "TEMPLATE_NOT_FOUND", "TRANSIENT_FAILURE", "A_STATUS_OF_TOMORROW"],
)
def test_what_is_refused_is_not_sent_again(rig: Rig, state: str) -> None:
    """Statuses are those of Amazon SES, throttled ones too: the request was answered, so it is not
    repeated. A warning names what was refused beside an accepted message.
    """
    refused = {"Status": state, "Error": "no"}
    found = bulk(rig, ACCEPTED, refused)
    assert found.output == {
        "BulkEmailEntryResults": [ACCEPTED, refused],
        "accepted": 1,
        "refused": 1,
    }
    (warning,) = found.meta.warnings
    assert (warning["code"], warning["failed"]) == ("partial", 1)
    assert warning["entries"] == [
        {"path": "/BulkEmailEntryResults/1", "input": "/destinations/1", "message": f"{state}: no"}
    ]
    assert rig.aws.calls().count("sesv2:SendBulkEmail") == 1


@pytest.mark.parametrize("state", ["ACCOUNT_THROTTLED", "MESSAGE_REJECTED"])
def test_messages_that_are_all_refused_are_a_refusal(rig: Rig, state: str) -> None:
    """A success of which Amazon SES has accepted no message is ``rejected``, with a detail for
    each; it is sent once.
    """
    found = bulk(rig, {"Status": state, "Error": "no"}, {"Status": state})
    assert (found.status, found.output) == ("failed", None)
    assert found.error is not None
    assert (found.error.code, found.error.retryable) == ("rejected", False)
    details = [(one.path, one.message) for one in found.error.details]
    assert details == [("/destinations/0", f"{state}: no"), ("/destinations/1", state)]
    assert rig.aws.calls().count("sesv2:SendBulkEmail") == 1


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "reset"},
        {"do": "status", "status": 503},
        {"do": "body", "body": {"BulkEmailEntryResults": []}},
    ],
)
def test_an_unclear_answer_is_in_doubt(rig: Rig, fault: dict[str, Any]) -> None:
    """A reset, a server error and an answer that leaves destinations out are in doubt, and nothing
    is sent again.
    """
    rig.aws.script([{**fault, "operation": "SendBulkEmail", "headers": {"x-amzn-RequestId": "r"}}])
    assert bulk(rig, ACCEPTED, ACCEPTED).status == "in_doubt"
    assert rig.aws.calls().count("sesv2:SendBulkEmail") == 1


@pytest.mark.parametrize(
    ("action", "inputs", "path"),
    [
        ("sendBulkEmail", {"destinations": [{"to": "ada"}]}, "/destinations/0/to"),
        ("sendBulkEmail", {"destinations": [*TWO, {"tags": {"a": "b"}}]}, "/destinations/2/to"),
        ("sendBulkEmail", {"destinations": TWO * 26}, "/destinations"),
        ("sendBulkEmail", {"destinations": TWO, "templateContent": {"subject": "s"}}, ""),
        (
            "sendTemplatedEmail",
            {"to": "a@example.com", "headers": {f"X-{index}": "v" for index in range(16)}},
            "/headers",
        ),
        (
            "sendTemplatedEmail",
            {"to": "a@example.com", "templateData": {"a": "x" * 262_144}},
            "/templateData",
        ),
    ],
)
def test_wrong_mail_is_refused_before_it_is_sent(
    rig: Rig, action: str, inputs: dict[str, Any], path: str
) -> None:
    """Each fault is told at its place."""
    found = call(rig, action, **{**COMMON, **inputs})
    assert found.error is not None
    assert found.error.code == "invalid_input"
    assert found.error.details[0].path.startswith(path)
    assert rig.aws.accepted == 0


def test_everything_of_a_bulk_send_fits_the_model() -> None:
    """A request with every input fits botocore's model of the operation."""
    mail = BulkEmail.model_validate(
        {
            **COMMON,
            "replyTo": "r@x.io",
            "returnPath": "b@x.io",
            "configurationSetName": "c",
            "attachments": {"a.txt": "a"},
            "tags": {"a": "b"},
            "headers": {"X-A": "b"},
            "identityArn": "arn:aws:ses:eu-west-1:123456789012:identity/x.io",
            "destinations": [
                {
                    "to": "ada@x.io",
                    "bcc": "eve@x.io",
                    "tags": {"c": "d"},
                    "headers": {"X-B": "c"},
                    "templateData": {},
                }
            ],
        }
    )
    assert list(mail.rules()) == []
    model = get_session().get_service_model("sesv2").operation_model("SendBulkEmail").input_shape
    report = ParamValidator().validate(_bulk_request(mail), model)
    assert not report.has_errors(), report.generate_report()


def test_a_templated_mail(rig: Rig) -> None:
    """The message id comes back; an answer without one is in doubt."""
    rig.aws.script(
        [
            {"do": "body", "operation": "SendEmail", "body": {"MessageId": "m-1"}},
            {"do": "body", "operation": "SendEmail", "body": {}},
        ]
    )
    inputs = {**COMMON, "to": "ada@example.com", "templateData": {"name": "Ada"}}
    assert call(rig, "sendTemplatedEmail", **inputs).output == {"MessageId": "m-1"}
    assert call(rig, "sendTemplatedEmail", **inputs).status == "in_doubt"


MIME = "From: noreply@example.com\nTo: Ada <ada@example.com>\nSubject: Hi\n\nHello\n"


@pytest.mark.parametrize(
    "message",
    [MIME, {"data": base64.b64encode(MIME.replace("\n", "\r\n").encode()).decode()}],
    ids=["text", "base64"],
)
def test_a_raw_message_goes_to_its_envelope(rig: Rig, message: Any) -> None:
    """Without recipients those of the header are taken; hidden ones are in the envelope alone."""
    assert call(rig, "sendRawEmail", message=message).status == "succeeded"
    assert (
        call(
            rig, "sendRawEmail", message=message, to="bob@example.com", bcc=["eve@example.com"]
        ).status
        == "succeeded"
    )
    first, second = rig.aws.messages
    assert (first.kind, first.subject, [*first.cc, *first.bcc]) == ("raw", "Hi", [])
    assert "ada@example.com" in str(first.to)
    assert (list(second.to), list(second.bcc)) == (["bob@example.com"], ["eve@example.com"])


@pytest.mark.parametrize(
    ("fields", "sent"),
    [
        ("To: undisclosed-recipients:;\nCc: ada@example.com", ["ada@example.com"]),
        (
            "To: Team (ours): Ada <ada@example.com>, bob@example.com;, eve@example.com",
            ["ada@example.com", "bob@example.com", "eve@example.com"],
        ),
        (
            "To: Mary <@node.test:ada@example.com>, , bob@example . com",
            ["ada@example.com", "bob@example.com"],
        ),
        ("To: Pete(A nice \\) chap) <ada(his account)@example.com(his host)>", ["ada@example.com"]),
        (
            'To: "Doe; Jane: x" <ada@example.com>,\n\tbob@example.com',
            ["ada@example.com", "bob@example.com"],
        ),
        ("To: Grüße <ada@example.com>", ["ada@example.com"]),
        ("Cc: ada@example.com\nTo: ada@example.com (bob@example.com)", ["ada@example.com"]),
        ("To \t: ada@example.com\nCC : bob@example.com", ["ada@example.com", "bob@example.com"]),
    ],
)
def test_recipients_of_a_header_are_read_by_its_standard(
    rig: Rig, fields: str, sent: list[str]
) -> None:
    """Groups, empty elements, routes, comments, folding and blanks before colons (RFC 5322) yield
    the real recipients.
    """
    found = call(rig, "sendRawEmail", message=MIME.replace("To: Ada <ada@example.com>", fields))
    assert found.status == "succeeded", found.error
    (message,) = rig.aws.messages
    assert [*message.to, *message.cc] == sent


@pytest.mark.parametrize(
    ("message", "more", "path"),
    [
        ("Hello", {}, "/message"),
        (MIME.replace("Subject", "Bcc: eve@example.com\nSubject"), {}, "/message"),
        (MIME.replace("Subject", "bcc : eve@example.com\nSubject"), {}, "/message"),
        (MIME.replace("Subject", "malformed\nBcc: eve@example.com\nSubject"), {}, "/message"),
        (
            MIME.replace(
                "Subject", "X-A: " + "a\n " * 500_000 + "a\nBcc: eve@example.com\nSubject"
            ),
            {},
            "/message",
        ),
        (MIME.replace("To: Ada <ada@example.com>\n", ""), {}, "/to"),
        (MIME.replace("Ada <ada@example.com>", "undisclosed-recipients:;"), {}, "/message"),
        (MIME.replace("Subject", "Resent-Bcc: eve@example.com\nSubject"), {}, "/message"),
        (
            MIME.replace("Subject", "malformed\nresent-bcc : eve@example.com\nSubject"),
            {},
            "/message",
        ),
        (
            MIME.replace("Ada <ada@example.com>", "Ada <ada@example.com> Bob <bob@example.com>"),
            {},
            "/message",
        ),
        (MIME.replace("Subject", "malformed\nCc: bob@example.com\nSubject"), {}, "/message"),
        (
            MIME.replace("Subject", "X-A: " + "a\n " * 500_000 + "a\nCc: bob@example.com\nSubject"),
            {},
            "/message",
        ),
        (MIME, {"to": "ada"}, "/to"),
        (MIME, {"sender": "Ada <ada@example.com> Bob <bob@example.com>"}, "/sender"),
        ({"data": "?"}, {}, "/message/data"),
        (MIME + "x" * 41_943_040, {}, "/message"),
    ],
    ids=[
        "header",
        "bcc",
        "bcc with a blank",
        "bcc below a malformed line",
        "bcc far below",
        "nobody",
        "group of nobody",
        "resent",
        "resent below a malformed line",
        "no comma",
        "cc below a malformed line",
        "cc far below",
        "address",
        "two senders",
        "base64",
        "size",
    ],
)
def test_a_wrong_raw_message_is_refused(
    rig: Rig, message: Any, more: dict[str, Any], path: str
) -> None:
    """A message without a header or recipients, with a Bcc field, with a recipient that only some
    programs read, too large or not base64 is refused before it is sent.
    """
    found = call(rig, "sendRawEmail", message=message, **more)
    assert found.error is not None
    assert (found.error.code, found.error.details[0].path) == ("invalid_input", path)
    assert rig.aws.accepted == 0
