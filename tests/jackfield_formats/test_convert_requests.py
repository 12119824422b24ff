"""``jackfield convert``: bodies of requests to other providers, and SMTP settings, with every
difference.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from converting import convert, notes
from jackfield import Jackfield
from jackfield.cli.main import main
from shell import Shell

pytest_plugins = ["shell_fixture"]
KEYS = {"accessKeyId": "AKI", "secretAccessKey": "s", "region": "eu-west-1"}
PDF = base64.b64encode(b"%PDF-").decode()
SHOWN = {"contentId": "logo", "disposition": "inline"}


def dry_run(invocations: list[dict[str, Any]]) -> list[Any]:
    """The Results of the invocations over a connection with a region; a time is for queued ones
    only.
    """
    with Jackfield(
        connections=[{"only": {"type": "aws/apiKeySecret", "values": KEYS}}],
        environment={},
        database_url="none",
    ) as jackfield:
        direct = [
            {name: value for name, value in item.items() if name != "notBefore"}
            for item in invocations
        ]
        return [jackfield.invoke({**item, "dryRun": True}) for item in direct]


SENDGRID: dict[str, Any] = {
    "personalizations": [
        {
            "to": [{"email": "ada@rcpt.test", "name": "Ada, Countess"}],
            "cc": [{"email": "bob@rcpt.test"}],
            "subject": "Order -no-",
            "substitutions": {"-no-": "4711"},
            "custom_args": {"order": "4711"},
            "send_at": 4102444800,
        },
        {
            "to": [{"email": "eve@rcpt.test"}],
            "headers": {"X-Own": "2"},
            "from": {"email": "other@sender.test"},
        },
    ],
    "from": {"email": "shop@sender.test", "name": "Shop"},
    "reply_to_list": [{"email": "a@sender.test"}, {"email": "b@sender.test"}],
    "subject": "Your order",
    "content": [
        {"type": "text/plain", "value": "Order -no-"},
        {"type": "text/html", "value": "<p>Order</p>"},
        {"type": "text/calendar", "value": "x"},
    ],
    "attachments": [
        {
            "content": PDF,
            "type": "application/pdf",
            "filename": "a.pdf",
            "disposition": "attachment",
        },
        {
            "content": PDF,
            "type": "image/png",
            "filename": "logo.png",
            "disposition": "inline",
            "content_id": "logo",
        },
    ],
    "headers": {
        "X-Campaign": "spring",
        "List-Unsubscribe": "<https://sender.test/u>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
    "categories": ["orders", "big news"],
    "asm": {"group_id": 1},
    "mail_settings": {"sandbox_mode": {"enable": True}, "footer": {"enable": True, "text": "x"}},
    "tracking_settings": {"click_tracking": {"enable": True}},
}


def test_sendgrid_makes_an_invocation_for_each_personalization() -> None:
    """Addresses, lists to reply to, headers, tags, labels, times, files and a sandbox arrive where
    sendEmail has them.
    """
    found = convert("sendgrid", SENDGRID, "--connection", "acme-ses", "--region", "eu-west-1")
    first, second = found["invocations"]
    shared = {
        "awsRegion": "eu-west-1",
        "replyTo": ["a@sender.test", "b@sender.test"],
        "html": "<p>Order</p>",
        "listUnsubscribe": "<https://sender.test/u>",
        "tags": {"category": "orders", "category-2": "big-news"},
        "attachments": [
            {"key": "a.pdf", "value": {"data": PDF, "contentType": "application/pdf"}},
            {"key": "logo.png", "value": {"data": PDF, "contentType": "image/png", **SHOWN}},
        ],
    }
    assert first == {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "acme-ses",
        "inputs": {
            **shared,
            "to": ['"Ada, Countess" <ada@rcpt.test>'],
            "cc": ["bob@rcpt.test"],
            "sender": '"Shop" <shop@sender.test>',
            "subject": "Order 4711",
            "text": "Order 4711",
            "headers": {"X-Campaign": "spring"},
        },
        "dryRun": True,
        "notBefore": "2100-01-01T00:00:00Z",
        "context": {"labels": {"order": "4711"}},
    }
    assert second["inputs"] == {
        **shared,
        "to": ["eve@rcpt.test"],
        "sender": "other@sender.test",
        "subject": "Your order",
        "text": "Order -no-",
        "headers": {"X-Campaign": "spring", "X-Own": "2"},
    }
    assert set(notes(found)) == {
        "/content/2",
        "/categories/1",
        "/personalizations/0/custom_args/order",
        "/personalizations/0/send_at",
        "/mail_settings/footer",
        "/mail_settings/sandbox_mode",
        "/asm",
        "/tracking_settings",
        "/content/0/value",
    }


def test_sendgrid_templates_without_content_are_refused() -> None:
    """What SendGrid keeps cannot be converted; beside content it is left out, and past times are
    sent at once.
    """
    body = {**SENDGRID, "template_id": "d-1", "send_at": 1, "unheard_of": 1}
    without = convert("sendgrid", {**body, "content": []})
    assert (without["invocations"], list(notes(without, "refused"))) == ([], ["/template_id"])
    beside = convert("sendgrid", {**body, "personalizations": [{"to": [{"email": "a@b.cd"}]}]})
    assert {"/template_id", "/send_at", "/unheard_of"} <= set(notes(beside))
    assert "notBefore" not in beside["invocations"][0]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"personalizations": []}, "/personalizations"),
        ({"personalizations": [{"to": [{"name": "x"}]}]}, "/personalizations/0/to/0/email"),
        ({"personalizations": [{"to": [{"email": "no address"}]}]}, "/personalizations/0"),
        ({"from": None}, "/from"),
        ({"attachments": [{"filename": "a.exe", "content": PDF}]}, "/personalizations/0"),
        ({"send_at": "soon", "personalizations": [{"to": [{"email": "a@b.cd"}]}]}, "/send_at"),
        ({"content": [{"type": "text/plain", "value": 1}]}, "/content/0/value"),
    ],
)
def test_sendgrid_what_cannot_be_sent_is_refused_with_its_place(
    change: dict[str, Any], path: str
) -> None:
    """A message that sendEmail would refuse is no invocation; the answer says where and why, and
    the exit code is 2.
    """
    found = convert("sendgrid", {**SENDGRID, **change})
    assert path in notes(found, "refused")


MAILGUN: dict[str, Any] = {
    "from": "Shop <shop@sender.test>",
    "to": ["ada@rcpt.test", "Bob <bob@rcpt.test>"],
    "subject": "Hi %recipient.name%",
    "text": "Hello",
    "html": "<p>Hello</p>",
    "o:tag": ["a", "b"],
    "o:testmode": "yes",
    "o:deliverytime": "Fri, 01 Jan 2100 00:00:00 +0000",
    "o:tracking": "yes",
    "h:Reply-To": "help@sender.test",
    "h:X-My": "1",
    "v:id": "7",
    "o:dkim": "yes",
    "attachment": {"filename": "a.pdf", "content": PDF, "contentType": "application/pdf"},
}


def test_mailgun_fields_become_inputs() -> None:
    """Fields, options, headers and variables of a message, as JSON."""
    found = convert("mailgun", MAILGUN)
    (only,) = found["invocations"]
    assert only == {
        "connector": "aws-ses",
        "action": "sendEmail",
        "inputs": {
            "to": ["ada@rcpt.test", "Bob <bob@rcpt.test>"],
            "sender": "Shop <shop@sender.test>",
            "subject": "Hi %recipient.name%",
            "text": "Hello",
            "html": "<p>Hello</p>",
            "replyTo": "help@sender.test",
            "tags": {"tag": "a", "tag-2": "b"},
            "headers": {"X-My": "1"},
            "attachments": [
                {"key": "a.pdf", "value": {"data": PDF, "contentType": "application/pdf"}}
            ],
        },
        "dryRun": True,
        "notBefore": "2100-01-01T00:00:00Z",
        "context": {"labels": {"id": "7"}},
    }
    assert set(notes(found)) == {
        "/o:testmode",
        "/o:deliverytime",
        "/o:tracking",
        "/v:id",
        "/o:dkim",
        "/subject",
    }


def test_mailgun_recipient_variables_make_a_message_for_each_recipient() -> None:
    """Each gets its own values; URL-encoded text is read like JSON."""
    body = (
        "from=shop%40sender.test&to=ada%40rcpt.test&to=bob%40rcpt.test&subject=Hi+%25recipient.name%25&text=To+%25recipient%25"
        "&recipient-variables=%7B%22ada%40rcpt.test%22%3A%7B%22name%22%3A%22Ada%22%7D%2C%22bob%40rcpt.test%22%3A%7B%22name%22%3A%22Bob%22%7D%7D"
    )
    found = [item["inputs"] for item in convert("mailgun", body)["invocations"]]
    assert [(item["to"], item["subject"], item["text"]) for item in found] == [
        ("ada@rcpt.test", "Hi Ada", "To ada@rcpt.test"),
        ("bob@rcpt.test", "Hi Bob", "To bob@rcpt.test"),
    ]


def test_mailgun_multipart_brings_files() -> None:
    """A captured multipart body has its files, an inline one with its name as content ID."""
    lines = [
        b'--b1\r\nContent-Disposition: form-data; name="from"\r\n\r\nshop@sender.test',
        b'--b1\r\nContent-Disposition: form-data; name="to"\r\n\r\nada@rcpt.test',
        b'--b1\r\nContent-Disposition: form-data; name="subject"\r\n\r\nGr\xc3\xbc\xc3\x9fe',
        b'--b1\r\nContent-Disposition: form-data; name="text"\r\n\r\nHello',
        (
            b'--b1\r\nContent-Disposition: form-data; name="attachment"; '
            b'filename="a.pdf"\r\nContent-Type: application/pdf\r\n\r\n%\x00\xff'
        ),
        (
            b'--b1\r\nContent-Disposition: form-data; name="inline"; '
            b'filename="b.png"\r\nContent-Type: image/png\r\n\r\nPNG'
        ),
        b"--b1--\r\n",
    ]
    found = convert("mailgun", b"\r\n".join(lines))
    (only,) = found["invocations"]
    assert only["inputs"]["subject"] == "Grüße"
    first, second = only["inputs"]["attachments"]
    assert base64.b64decode(first["value"]["data"]) == b"%\x00\xff"
    assert (second["key"], second["value"]["contentId"], notes(found)) == ("b.png", "b.png", {})


POSTMARK: dict[str, Any] = {
    "From": "Shop <shop@sender.test>",
    "To": "ada@rcpt.test, Bob <bob@rcpt.test>",
    "Cc": "",
    "Bcc": "audit@rcpt.test",
    "Subject": "Receipt",
    "Tag": "Invitation mail",
    "HtmlBody": "<b>Hello</b>",
    "TextBody": "Hello",
    "ReplyTo": "help@sender.test",
    "Headers": [
        {"Name": "X-Campaign", "Value": "spring"},
        {"Name": "Message-ID", "Value": "<1@x>"},
    ],
    "Metadata": {"order": "4711"},
    "TrackOpens": True,
    "TrackLinks": "None",
    "MessageStream": "broadcast",
    "Attachments": [
        {"Name": "a.pdf", "Content": PDF, "ContentType": "application/pdf"},
        {"Name": "logo.png", "Content": PDF, "ContentType": "image/png", "ContentID": "cid:logo"},
    ],
}


@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda item: item, ""),
        (lambda item: [item], "/0"),
        (lambda item: {"Messages": [item]}, "/Messages/0"),
    ],
)
def test_postmark_alone_and_in_a_batch(wrap: Any, path: str) -> None:
    """The members of a message, each difference with its place in the batch."""
    found = convert("postmark", wrap(POSTMARK))
    (only,) = found["invocations"]
    assert only == {
        "connector": "aws-ses",
        "action": "sendEmail",
        "inputs": {
            "sender": "Shop <shop@sender.test>",
            "to": "ada@rcpt.test, Bob <bob@rcpt.test>",
            "bcc": "audit@rcpt.test",
            "subject": "Receipt",
            "text": "Hello",
            "html": "<b>Hello</b>",
            "replyTo": "help@sender.test",
            "tags": {"tag": "Invitation-mail"},
            "headers": {"X-Campaign": "spring"},
            "attachments": [
                {"key": "a.pdf", "value": {"data": PDF, "contentType": "application/pdf"}},
                {"key": "logo.png", "value": {"data": PDF, "contentType": "image/png", **SHOWN}},
            ],
        },
        "context": {"labels": {"order": "4711"}},
    }
    members = {"/Tag", "/Metadata/order", "/Headers/1", "/TrackOpens", "/MessageStream"}
    assert set(notes(found)) == {path + member for member in members}


def test_postmark_a_message_that_cannot_be_sent_does_not_stop_the_batch() -> None:
    """The others are converted; the template that Postmark keeps is refused with its place."""
    template = {"From": "a@b.cd", "To": "a@b.cd", "TemplateAlias": "welcome", "TemplateModel": {}}
    found = convert("postmark", [template, POSTMARK, {"From": 5}, {}])
    assert (len(found["invocations"]), set(notes(found, "refused"))) == (
        1,
        {"/0/TemplateAlias", "/2/From", "/3"},
    )


RESEND: dict[str, Any] = {
    "from": "Shop <shop@sender.test>",
    "to": ["ada@rcpt.test"],
    "cc": "bob@rcpt.test",
    "subject": "Hello",
    "html": "<p>Hi</p>",
    "text": "",
    "reply_to": ["help@sender.test"],
    "headers": {"X-Entity-Ref-ID": "1"},
    "tags": [{"name": "category", "value": "confirm_email"}],
    "scheduled_at": "2100-01-01T01:00:00+01:00",
    "topic_id": "t",
    "attachments": [
        {"filename": "a.pdf", "content": PDF},
        {"filename": "b.pdf", "path": "https://sender.test/b.pdf"},
        {"filename": "c.png", "content": PDF, "content_type": "image/png", "content_id": "c"},
    ],
}


@pytest.mark.parametrize("library", [False, True])
def test_resend_in_the_words_of_the_api_and_of_the_library(library: bool) -> None:
    """The API's names and those of the Node.js library are the same request; a Buffer is a file."""
    body: dict[str, Any] = dict(RESEND)
    if library:
        body |= {
            "replyTo": body.pop("reply_to"),
            "scheduledAt": body.pop("scheduled_at"),
            "topicId": body.pop("topic_id"),
        }
        buffer = {"filename": "a.pdf", "content": {"type": "Buffer", "data": list(b"%PDF-")}}
        body["attachments"] = [
            buffer,
            RESEND["attachments"][1],
            {"filename": "c.png", "content": PDF, "contentType": "image/png", "contentId": "c"},
        ]
    found = convert("resend", [body])
    (only,) = found["invocations"]
    assert only == {
        "connector": "aws-ses",
        "action": "sendEmail",
        "inputs": {
            "sender": "Shop <shop@sender.test>",
            "to": ["ada@rcpt.test"],
            "cc": "bob@rcpt.test",
            "subject": "Hello",
            "html": "<p>Hi</p>",
            "replyTo": ["help@sender.test"],
            "headers": {"X-Entity-Ref-ID": "1"},
            "tags": {"category": "confirm_email"},
            "attachments": [
                {"key": "a.pdf", "value": {"data": PDF}},
                {
                    "key": "c.png",
                    "value": {
                        "data": PDF,
                        "contentType": "image/png",
                        "contentId": "c",
                        "disposition": "inline",
                    },
                },
            ],
        },
        "notBefore": "2100-01-01T00:00:00Z",
    }
    members = ("scheduledAt", "topicId") if library else ("scheduled_at", "topic_id")
    assert set(notes(found)) == {*(f"/0/{name}" for name in members), "/0/attachments/1/path"}


def test_resend_times_in_words_and_templates_are_refused() -> None:
    """A message that would be sent at once instead of later is not converted."""
    body = {name: value for name, value in RESEND.items() if name != "html"}
    found = convert(
        "resend", [{**RESEND, "scheduled_at": "in 1 min"}, {**body, "template": {"id": "order"}}]
    )
    assert (found["invocations"], set(notes(found, "refused"))) == (
        [],
        {"/0/scheduled_at", "/1/template"},
    )


HOST = "email-smtp.eu-west-1.amazonaws.com"
LOGIN = {"username": "AKI", "password": "p#a=b"}


@pytest.mark.parametrize(
    ("document", "values"),
    [
        (
            (
                f"# mail\nexport SMTP_HOST='{HOST}'\nSMTP_PORT=465 # "
                'tls\nSMTP_USER=AKI\nSMTP_PASS="p#a=b"\nPORT=80\nHOST=web\nSECRET=x\n'
            ),
            {"port": 465},
        ),
        (
            f"MAIL_MAILER=smtp\nMAIL_HOST={HOST}\nMAIL_PORT=587\nMAIL_USERNAME=AKI\nMAIL_PASSWORD=p#a=b\nMAIL_ENCRYPTION=tls\n",
            {"port": 587},
        ),
        (
            f"EMAIL_HOST={HOST}\nEMAIL_HOST_USER=AKI\nEMAIL_HOST_PASSWORD=p#a=b\nEMAIL_USE_TLS=True\n",
            {"port": 587},
        ),
        (f"smtps://AKI:p%23a%3Db@{HOST}", {"port": 465}),
        (f"MAILER_DSN=smtp://AKI:p%23a%3Db@{HOST}:2587", {"port": 2587}),
        (
            {"host": HOST, "port": 465, "secure": True, "auth": {"user": "AKI", "pass": "p#a=b"}},
            {"port": 465},
        ),
        (
            {
                "transport": {
                    "host": HOST,
                    "secure": False,
                    "requireTLS": True,
                    "auth": {"user": "AKI", "pass": "p#a=b"},
                }
            },
            {"port": 587},
        ),
        (
            {"service": "SES-EU-WEST-1", "auth": {"type": "login", "user": "AKI", "pass": "p#a=b"}},
            {"port": 465},
        ),
        (
            {
                "SMTP_HOST": HOST,
                "SMTP_PORT": "587",
                "SMTP_TLS": "yes",
                "SMTP_USERNAME": "AKI",
                "SMTP_PASSWORD": "p#a=b",
            },
            {"port": 587},
        ),
    ],
)
def test_smtp_settings_become_a_connection(
    document: Any, values: dict[str, Any], tmp_path: Path
) -> None:
    """Variables, a URL and Nodemailer's options; the answer is a connection file that works as it
    is.
    """
    found = convert("smtp", document, "--connection", "mail")
    assert found["connections"] == {
        "mail": {"type": "aws-ses/smtp", "values": {"hostname": HOST, **LOGIN, **values}}
    }
    assert "SECRET" not in json.dumps(found)
    path = tmp_path / "connections.json"
    path.write_text(json.dumps(found))
    with Jackfield(connections=[str(path)], database_url="none") as jackfield:
        assert jackfield.connections.problems == ()
        assert jackfield.connections.find("mail").type == "aws-ses/smtp"


def test_smtp_differences_are_named() -> None:
    """Certificates are verified and TLS is required, whatever the settings say; another provider's
    server is told.
    """
    given = {
        "host": "smtp.mail.test",
        "port": 587,
        "auth": {"user": "AKI", "pass": "x"},
        "from": "a@b.cd",
        "pool": True,
        "dkim": {"x": 1},
        "tls": {"rejectUnauthorized": False, "servername": HOST},
        "ignoreTLS": True,
    }
    found = convert("smtp", given)
    values = found["connections"]["smtp"]["values"]
    assert (values["tlsServerName"], values["sender"]) == (HOST, "a@b.cd")
    assert set(notes(found)) == {"/host", "/port", "/tls/rejectUnauthorized", "/ignoreTLS", "/dkim"}


@pytest.mark.parametrize(
    ("document", "path"),
    [
        ({}, ""),
        ({"host": HOST, "port": "many"}, "/port"),
        ({"host": HOST, "secure": "maybe"}, "/secure"),
        ({"service": "Gmail"}, "/service"),
        ({"host": HOST, "auth": {"type": "OAuth2", "user": "u"}}, "/auth/type"),
        ({"host": HOST, "port": 465}, ""),
        ({"host": ["a"]}, "/host"),
        ("http://example.com", "/url"),
    ],
)
def test_smtp_settings_that_cannot_be_met_are_refused(document: Any, path: str) -> None:
    """The place and the reason are named, and no value that may be secret."""
    found = convert("smtp", document)
    assert (found["connections"], list(notes(found, "refused"))) == ({}, [path])


@pytest.mark.parametrize("content", ["", "{", "[[" * 5000, b"\xff\xfe\x00", '{"a": NaN}'])
def test_what_is_no_document_is_an_error_of_the_command(content: Any) -> None:
    """Broken JSON, depth and bytes are refused as a whole, without a traceback."""
    for form in ("sendgrid", "mailgun", "postmark", "resend"):
        assert convert(form, content)["error"]["code"] == "invalid_invocation"


def test_lines_feed_invoke(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--lines`` prints the invocations alone, for ``jackfield invoke --lines``; differences go to
    stderr.
    """
    path = tmp_path / "body.json"
    path.write_text(json.dumps(SENDGRID))
    assert main(["convert", "sendgrid", str(path), "--lines"]) == 0
    answer = capsys.readouterr()
    assert [json.loads(line)["action"] for line in answer.out.splitlines()] == ["sendEmail"] * 2
    assert "jackfield: /asm is left out" in answer.err


def test_without_the_connector_there_is_nothing_to_convert_to(shell: Shell) -> None:
    """What would be refused is asked of the connector: where it is not installed, the command says
    so.
    """
    shell.write("body.json", json.dumps(SENDGRID))
    answer = shell.run("convert", "sendgrid", "body.json")
    assert answer.code == 2
    assert answer.json["error"]["message"].startswith("no connector 'aws-ses' is installed")


WORD = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
ADDRESS = st.sampled_from(
    ["ada@rcpt.test", "Bob <bob@rcpt.test>", "no address", "dörte@rcpt.test", "eve@straße.de"]
)
SCALAR = st.one_of(
    WORD, ADDRESS, st.integers(-(2**40), 2**40), st.booleans(), st.none(), st.just(PDF)
)
VALUE = st.recursive(
    SCALAR,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(WORD, inner, max_size=3)),
    max_leaves=5,
)
SOUND: dict[str, dict[str, Any]] = {
    "sendgrid": SENDGRID,
    "mailgun": MAILGUN,
    "postmark": POSTMARK,
    "resend": RESEND,
}


@pytest.mark.parametrize("form", list(SOUND))
@settings(
    max_examples=1_000 if os.environ.get("CAMPAIGN") else 15,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_every_converted_invocation_is_valid(form: str, data: st.DataObject) -> None:
    """Whatever the members of a request hold, an invocation passes a dry run or is refused with a
    place; nothing else happens.
    """
    sound: dict[str, Any] = SOUND[form]
    names = data.draw(
        st.lists(st.sampled_from([*sound, "recipient-variables", "unheard of"]), max_size=3)
    )
    found = convert(form, {**sound, **{name: data.draw(VALUE) for name in names}})
    assert [result.error for result in dry_run(found["invocations"])] == [None] * len(
        found["invocations"]
    )
    assert all(
        note["message"] and note["path"][:1] in ("", "/")
        for kind in ("differences", "refused")
        for note in found[kind]
    )


FLOWS = """
flows:
  - name: Order arrives
    steps:
      - {name: Hook, action: {component: {key: webhook-triggers}, key: webhook}, inputs: {}}
      - name: Confirm order
        action: {component: {key: aws-ses}, key: sendEmail}
        inputs:
          awsRegion: {type: value, value: us-east-1}
          connection: {type: configVar, value: Mail by key}
          sender: {type: value, value: shop@example.com}
          to: {type: reference, value: hook.results.body.data.email}
          subject: {type: value, value: Your order}
          text: Thank you
          cc: {type: value, value: ""}
      - name: Loop
        action: {component: {key: loop}, key: loopOverItems}
        steps:
          - {name: Domains, action: {component: {key: aws-ses}, key: listIdentities}, inputs: [{name: identityType, value: Domain}]}
          - {name: Raw, action: {component: {key: aws-ses}, key: rawRequest}}
      - name: Branch
        branches:
          - {name: then, steps: [{name: Deep, action: {component: {key: aws-ses}, key: listIdentities}, inputs: {}}]}
"""


def test_the_steps_of_a_prismatic_flow_become_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each step of Amazon SES is a file for ``jackfield invoke``; what only Prismatic resolves is
    named, and other actions are refused.
    """
    (tmp_path / "flow.yaml").write_text(FLOWS)
    out = tmp_path / "out"
    assert main(["convert", "prismatic", str(tmp_path / "flow.yaml"), "--out", str(out)]) == 2
    answer = json.loads(capsys.readouterr().out)
    assert [file.name for file in sorted(out.iterdir())] == [
        "01-order-arrives-confirm-order.json",
        "02-order-arrives-domains.json",
        "03-order-arrives-deep.json",
    ]
    assert json.loads((out / "01-order-arrives-confirm-order.json").read_text()) == {
        "connector": "aws-ses",
        "action": "sendEmail",
        "connection": "Mail-by-key",
        "inputs": {
            "awsRegion": "us-east-1",
            "sender": "shop@example.com",
            "subject": "Your order",
            "text": "Thank you",
        },
    }
    assert answer["invocations"][1]["inputs"] == {"identityType": "Domain"}
    assert [note["path"] for note in answer["differences"]] == [
        "/flows/0/steps/1/inputs/to",
        "/flows/0/steps/2/steps/0/inputs",
        "/flows/0/steps/3/branches/0/steps/0/inputs",
    ]
    assert [note["path"] for note in answer["refused"]] == ["/flows/0/steps/2/steps/1/action/key"]
    assert (
        main(
            [
                "convert",
                "prismatic",
                str(tmp_path / "flow.yaml"),
                "--connection",
                "k",
                "--region",
                "eu-west-1",
            ]
        )
        == 2
    )
    rows = json.loads(capsys.readouterr().out)["invocations"]
    assert {row["connection"] for row in rows} == {"k"}
    assert {row["inputs"]["awsRegion"] for row in rows} == {"eu-west-1"}


@pytest.mark.parametrize(
    ("text", "says"),
    [("name: x\n", "it has no 'flows'"), ("flows: [{name: x}]\n", "no step of the flows is")],
)
def test_an_integration_without_steps_of_ses_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str
) -> None:
    """A document without flows, or without a step of Amazon SES, says so."""
    (tmp_path / "flow.yaml").write_text(text)
    assert main(["convert", "prismatic", str(tmp_path / "flow.yaml")]) == 2
    assert says in json.loads(capsys.readouterr().out)["refused"][0]["message"]
