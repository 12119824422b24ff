"""`sendEmail` over SMTP: what the server hears and gets, and how connections are shared."""

from __future__ import annotations

import email
import email.policy
import json
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from typing import Any
from unittest import mock

import pytest

from aws_opening import KEY_ID
from clocks import StillClock
from jackfield_aws_ses.smtp import session, smtp_password
from smtp_rig import HOST, VPCE, rig
from smtp_server import PASSWORD, USER, Received


def _message(received: Received) -> EmailMessage:
    found = email.message_from_bytes(received.content, policy=email.policy.SMTP)
    assert isinstance(found, EmailMessage)
    return found


def _fields(received: Received) -> list[str]:
    """The header lines, as they came."""
    return received.content.partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")


# The conversation


def test_a_text_goes_to_the_private_host() -> None:
    """EHLO, STARTTLS, verified, EHLO, AUTH, the message; the id is the one in SES's reply (S1)."""
    with rig(
        values={"hostname": VPCE, "sender": "ops@sender.test"},
        names=("*.email-smtp.eu-central-1.vpce.amazonaws.com",),
    ) as it:
        result = it.send(sender=None)
        assert result.output == {"MessageId": "0102018f6b1c2d3e-0001-000000"}
        assert result.meta.attempts == 1
        assert it.server.heard == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA"]
        (received,) = it.server.received
        assert (received.sender, received.recipients, received.user) == (
            "ops@sender.test",
            ("desk@rcpt.test",),
            USER,
        )
        assert received.encrypted
        assert _message(received)["Subject"] == "Late"


@pytest.mark.parametrize("port", [465, 2465])
def test_tls_from_the_first_byte(port: int) -> None:
    """Ports 465 and 2465 are encrypted at once, without STARTTLS (S5)."""
    with rig(values={"port": port}, tls=True) as it:
        assert it.send().status == "succeeded"
        assert it.server.heard == ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"]
        assert it.server.received[0].encrypted


@pytest.mark.parametrize("port", [25, "587", 2587, 1025])
def test_starttls_on_the_other_ports(port: int | str) -> None:
    """Ports 25, 587 and 2587, and those of other servers, are encrypted by STARTTLS before anybody
    signs in (S6).
    """
    with rig(values={"port": port}) as it:
        assert it.send().status == "succeeded"
        assert it.server.heard[:4] == ["EHLO", "STARTTLS", "EHLO", "AUTH"]


def test_an_access_key_signs_in_with_its_derived_password() -> None:
    """Key id as the user name, and the password of the host's region; neither secret is in the
    Result (S2).
    """
    secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    derived = smtp_password(secret, "eu-central-1")
    values = {"username": None, "password": None, "accessKeyId": KEY_ID, "secretAccessKey": secret}
    with rig(values=values, users={KEY_ID: derived}) as it:
        assert it.send().status == "succeeded"
        assert it.server.received[0].user == KEY_ID
    with rig(
        {"AUTH": [f"535 not {derived}"]},
        values={**values, "awsRegion": "us-east-1"},
        users={KEY_ID: derived},
    ) as it:
        result = it.send()
        assert result.error is not None
        assert result.error.code == "unauthenticated"
        assert "us-east-1" in str(result.error.hint)
    with rig({"AUTH": [f"535 not {derived}"]}, values=values) as it:
        text = json.dumps(it.send().to_json())
        assert derived not in text
        assert secret not in text


def test_login_where_plain_is_not_offered() -> None:
    """A server that offers only LOGIN is signed in to with LOGIN."""
    with rig(mechanisms=["LOGIN"]) as it:
        assert it.send().status == "succeeded"
        assert it.server.received[0].user == USER
    with rig(mechanisms=["LOGIN"], values={"password": "wrong"}) as it:
        result = it.send()
        assert result.error is not None
        assert result.error.code == "unauthenticated"


def test_the_first_id_of_the_reply_is_the_message_id() -> None:
    """SES's `250 Ok <id>`, in any case and with an enhanced status; of other servers' replies what
    there is.
    """
    replies = {
        "250 Ok 0100-1": "0100-1",
        "250 2.0.0 OK 0100-2": "0100-2",
        "250 2.0.0 Ok: queued as 3CB2B1": "3CB2B1",
        "250 ok:  id=7 x": "7",
        "250 Message accepted": "Message accepted",
        "250": "250",
    }
    with rig({".": list(replies)}) as it:
        assert [(it.send().output or {})["MessageId"] for _ in replies] == list(replies.values())


# The message


def test_the_whole_message() -> None:
    """HTML, text, an attachment, Cc and Bcc: the hidden recipient is in the envelope and nowhere
    else (S16).
    """
    with rig() as it:
        result = it.send(
            to='"Desk, Late" <desk@rcpt.test>',
            cc=["carbon@rcpt.test"],
            bcc="hidden@rcpt.test",
            html="<p>hi</p>",
            attachments={"a.bin": {"data": "AAEC"}},
            subject="Grüße 😀",
        )
        assert result.status == "succeeded"
        (received,) = it.server.received
        assert received.recipients == ("desk@rcpt.test", "carbon@rcpt.test", "hidden@rcpt.test")
        assert b"hidden" not in received.content
        message = _message(received)
        assert (message["To"], message["Cc"], message["Subject"]) == (
            '"Desk, Late" <desk@rcpt.test>',
            "carbon@rcpt.test",
            "Grüße 😀",
        )
        assert message["Bcc"] is None
        (attachment,) = message.iter_attachments()
        assert (attachment.get_filename(), attachment.get_content()) == ("a.bin", b"\x00\x01\x02")
        body = message.get_body(("plain",))
        assert body is not None
        assert body.get_content() == "hi"


def test_only_hidden_recipients() -> None:
    """A message to Bcc only is delivered, and names nobody."""
    with rig() as it:
        assert it.send(to=None, bcc=["a@rcpt.test", "b@rcpt.test"]).status == "succeeded"
        assert it.server.received[0].recipients == ("a@rcpt.test", "b@rcpt.test")
        assert _message(it.server.received[0])["To"] is None


@pytest.mark.parametrize(
    "text", [".", ".\r\n.\r\n", "a\r\n.b\r\n..\r\n.", "x\n.\nMAIL FROM:<a@b.test>\n"]
)
def test_lines_with_dots_arrive_as_they_are(text: str) -> None:
    """A line of a dot alone does not end the message, nor lose its dot."""
    with rig() as it:
        assert it.send(text=text).status == "succeeded"
        (received,) = it.server.received
        body = received.content.partition(b"\r\n\r\n")[2].decode("ascii")
        assert body.rstrip("\r\n").replace("\r\n", "\n") == text.replace("\r\n", "\n").rstrip("\n")


def test_what_steers_ses_goes_into_the_header() -> None:
    """Configuration set and tags are fields in front of the message, folded where they are long."""
    tags = {f"tag-{number}": "x" * 200 for number in range(10)}
    with rig() as it:
        assert it.send(configurationSetName="main", tags=tags).status == "succeeded"
        message = _message(it.server.received[0])
        assert message["X-SES-CONFIGURATION-SET"] == "main"
        assert str(message["X-SES-MESSAGE-TAGS"]) == ", ".join(
            f"{name}={value}" for name, value in tags.items()
        )
        assert max(len(line) for line in it.server.received[0].content.split(b"\r\n")) <= 998
        assert message["From"] == "ops@sender.test"


def test_callers_cannot_steer_ses_by_headers() -> None:
    """The input `headers` takes no X-SES field, over SMTP as over the API."""
    with rig() as it:
        result = it.send(headers={"X-SES-CONFIGURATION-SET": "other"})
        assert result.error is not None
        assert result.error.code == "invalid_input"
        assert it.server.connections == 0


def test_bounces_go_to_the_return_path() -> None:
    """Over SMTP, SES sends bounces to the address of MAIL FROM: a return path stands there."""
    with rig() as it:
        assert it.send(returnPath="Bounces <bounce@sender.test>").status == "succeeded"
        assert it.server.received[0].sender == "bounce@sender.test"
        assert _message(it.server.received[0])["From"] == "ops@sender.test"


@pytest.mark.parametrize(
    ("path", "fields"), [(None, 3), ("bounce@sender.test", 3), ("bounce@other.test", 1)]
)
def test_somebody_elses_identity_is_named(path: str | None, fields: int) -> None:
    """The ARN stands for From, and for the envelope's sender where that is of the same domain."""
    arn = "arn:aws:ses:eu-central-1:123456789012:identity/sender.test"
    with rig() as it:
        assert it.send(identityArn=arn, returnPath=path).status == "succeeded"
        found = [line for line in _fields(it.server.received[0]) if line.endswith(arn)]
        assert found[0] == f"X-SES-FROM-ARN: {arn}"
        assert len(found) == fields


def test_the_size_is_told_before() -> None:
    """Where the server wants to know the size it hears the right one, so that it can refuse before
    the upload.
    """
    with rig({"MAIL": ["552 5.3.4 Message size exceeds fixed limit"]}) as it:
        result = it.send(attachments={"big.bin": {"data": "AAAA" * 4_000_000}})
        assert result.error is not None
        assert (result.error.code, it.server.count["DATA"]) == ("rejected", 0)


def test_fifty_recipients_and_no_more() -> None:
    """SES takes fifty recipients a message; the fifty-first is refused before anything is
    opened.
    """
    with rig() as it:
        assert it.send(to=[f"r{number}@rcpt.test" for number in range(50)]).status == "succeeded"
        assert len(it.server.received[0].recipients) == 50
        result = it.send(to=[f"r{number}@rcpt.test" for number in range(51)])
        assert result.error is not None
        assert result.error.code == "invalid_input"


# The region, and what SMTP cannot do


@pytest.mark.parametrize("region", [None, "", "eu-west-1", " US-East-1 "])
def test_the_region_is_not_needed(region: str | None) -> None:
    """`awsRegion` may be left out over SMTP; given, it changes nothing."""
    with rig() as it:
        assert it.send(awsRegion=region).status == "succeeded"


def test_a_region_that_is_none_is_still_a_fault() -> None:
    """What is given is judged, needed or not."""
    with rig() as it:
        result = it.send(awsRegion="mars-1")
        assert result.error is not None
        assert [detail.path for detail in result.error.details] == ["/awsRegion"]


def test_identities_cannot_be_listed() -> None:
    """`listIdentities` is refused before anything is opened, with the reason (S15)."""
    with rig() as it:
        result = it.invoke("listIdentities", {"awsRegion": "eu-central-1"})
        assert result.error is not None
        assert result.error.code == "invalid_connection"
        assert "no access to the HTTPS API" in result.error.message
        assert "aws/awsAssumeRole" in str(result.error.hint)
        assert (it.server.connections, result.meta.attempts) == (0, 0)


def test_a_dry_run_opens_nothing() -> None:
    """A dry run judges everything and stays away from the server."""
    with rig() as it:
        result = it.send({"dryRun": True})
        assert (result.status, result.output, it.server.connections) == ("succeeded", None, 0)


# Recipients who are refused


def test_one_refused_recipient_stops_the_message() -> None:
    """Nobody gets a message that not everybody can get; the refusal counts and names those refused,
    and the connection lives on.
    """
    with rig({"RCPT": [None, "550 5.1.1 No such user", None]}) as it:
        result = it.send(to=["a@rcpt.test", "b@rcpt.test"], bcc=["c@rcpt.test"])
        assert result.error is not None
        assert result.error.code == "rejected"
        assert result.error.message.startswith(
            "1 of 3 recipients were refused, so nothing was sent"
        )
        assert "b@rcpt.test" in str(result.error.hint)
        assert it.server.received == []
        assert it.server.heard[-4:] == ["RCPT", "RCPT", "RCPT", "RSET"]
        assert it.send().status == "succeeded"
        assert it.server.connections == 1


def test_all_refused_for_now_is_tried_again() -> None:
    """Recipients who are refused for now only: the whole message is tried again."""
    with rig({"RCPT": ["450 4.2.1 busy", "450 4.2.1 busy"]}) as it:
        result = it.send(to=["a@rcpt.test", "b@rcpt.test"])
        assert (result.status, result.meta.attempts) == ("succeeded", 2)
        assert len(it.server.received) == 1


def test_refused_for_good_outweighs_refused_for_now() -> None:
    """One recipient who never will be taken makes another try pointless."""
    with rig({"RCPT": ["450 4.2.1 busy", "550 5.1.1 unknown"]}) as it:
        result = it.send(to=["a@rcpt.test", "b@rcpt.test"])
        assert result.error is not None
        assert (result.error.code, result.meta.attempts) == ("rejected", 1)
        assert result.error.message.startswith("2 of 2")


# Shared connections


def test_one_connection_serves_many_messages() -> None:
    """Messages one after the other sign in once."""
    with rig() as it:
        assert [it.send().status for _ in range(20)] == ["succeeded"] * 20
        assert it.server.connections == 1
        assert it.server.count["AUTH"] == 1
        assert it.server.count["NOOP"] == 0


def test_a_connection_has_its_fill() -> None:
    """After so many messages a connection is closed with QUIT, and the next message opens
    another.
    """
    with mock.patch("jackfield_aws_ses.smtp.session.MESSAGES", 3), rig() as it:
        assert [it.send().status for _ in range(7)] == ["succeeded"] * 7
        assert it.server.connections == 3
        assert it.server.count["QUIT"] == 2


def test_an_idle_connection_is_not_used_again() -> None:
    """After half a minute of rest a connection is closed rather than tried."""
    with mock.patch("smtp_rig.FakeClock", StillClock), rig() as it:
        it.send()
        it.clock.advance(29)
        it.send()
        assert it.server.connections == 1
        it.clock.advance(31)
        it.send()
        assert it.server.connections == 2


def test_threads_do_not_share_a_conversation() -> None:
    """Many threads at once: every message arrives once and whole, over no more connections than
    threads.
    """
    # a busy machine takes no connection for a dead one
    patient = mock.patch.object(session, "CONNECT_SECONDS", 120.0)
    with patient, rig() as it, ThreadPoolExecutor(8) as workers:
        results = list(workers.map(lambda number: it.send(subject=f"S{number}"), range(80)))
        assert {result.status for result in results} == {"succeeded"}
        assert sorted(str(_message(item)["Subject"]) for item in it.server.received) == sorted(
            f"S{number}" for number in range(80)
        )
        assert len({(result.output or {})["MessageId"] for result in results}) == 80
        assert it.server.connections <= 8


def test_connections_are_not_shared_with_other_values() -> None:
    """Other credentials for the same server sign in for themselves."""
    inline: dict[str, Any] = {
        "type": "smtp",
        "values": {"hostname": HOST, "username": "other", "password": "pass"},
    }
    with rig(users={USER: PASSWORD, "other": "pass"}) as it:
        it.send()
        assert it.send({"connection": inline}).status == "succeeded"
        assert [item.user for item in it.server.received] == [USER, "other"]


# Tenants and global endpoints


def test_the_tenant_of_the_connection_goes_with_each_message() -> None:
    """SES reads the tenant from a field; the connection's cannot be replaced, and the field cannot
    be written by a caller.
    """
    with rig(values={"tenant": "acme"}) as it:
        assert it.send().status == "succeeded"
        assert it.send(tenant="acme").status == "succeeded"
        assert [
            [line for line in _fields(one) if "TENANT" in line] for one in it.server.received
        ] == [["X-SES-TENANT: acme"]] * 2
        refused: dict[str, dict[str, Any]] = {
            "/tenant": {"tenant": "other"},
            "/headers/x-ses-tenant": {"headers": {"x-ses-tenant": "other"}},
        }
        for path, other in refused.items():
            error = it.send(**other).error
            assert error is not None
            assert (error.code, [detail.path for detail in error.details]) == (
                "invalid_input",
                [path],
            )
        assert len(it.server.received) == 2


def test_smtp_has_no_global_endpoints() -> None:
    """It is refused before anything is said to the server, with the way that there is."""
    with rig() as it:
        error = it.send(endpointId="abcdef12.g3h").error
        assert error is not None
        assert (error.code, [detail.path for detail in error.details]) == (
            "invalid_input",
            ["/endpointId"],
        )
        assert "over the API" in (error.hint or "")
        assert it.server.received == []
