"""What SMTP replies come to: a code of ours, the server's own words, and what to do next."""

from __future__ import annotations

import re

import pytest

from jackfield.connector import Sent
from jackfield_aws_ses.smtp.replies import Reply, refused, refused_login
from jackfield_aws_ses.smtp.server import Server
from smtp_rig import HOST, rig

SERVER = Server(HOST, 2587, tls=False, name=HOST, region="eu-central-1")

# SES's own texts are those of its page "SMTP response codes returned by Amazon SES".
REPLIES = [
    ("454 Throttling failure: Maximum sending rate exceeded.", "rate_limited", "sending rate"),
    ("454 4.7.0 Throttling failure: Daily message quota exceeded", "quota_exceeded", "24 hours"),
    ("421 Too many concurrent SMTP connections", "unavailable", "fewer connections"),
    ("451 Temporary service failure", "unavailable", "again later"),
    ("452 4.3.1 Insufficient system storage", "unavailable", "again later"),
    ("454 Temporary service failure", "unavailable", "again later"),
    ("450 4.7.1 Sending rate exceeded, slow down", "rate_limited", "fewer messages"),
    ("530 Authentication required", "unauthenticated", "SMTP credentials"),
    ("535 Authentication Credentials Invalid", "unauthenticated", "SMTP credentials"),
    ("535 Account not subscribed to SES", "unauthenticated", "Sign up the AWS account"),
    (
        (
            "554 Access denied: User `arn:aws:iam::1:user/x' is not authorized to perform "
            "`ses:SendRawEmail'"
        ),
        "forbidden",
        "ses:SendRawEmail",
    ),
    ("554 Message rejected: Sending paused for this account.", "forbidden", "paused"),
    (
        "554 Access denied: Tenant not associated with resources [arn:aws:ses:x].",
        "forbidden",
        "createTenantAssociation",
    ),
    (
        (
            "554 Message rejected: Email address is not verified. The following identities "
            "failed the check"
        ),
        "rejected",
        "eu-central-1",
    ),
    (
        "554 Transaction failed: Configuration set `x' does not exist.",
        "not_found",
        "configuration set",
    ),
    ("554 Transaction failed: Illegal content", "rejected", "Amazon SES's own error message"),
    ("550 5.1.1 No such user", "rejected", "address"),
    ("553 5.1.3 Invalid email address", "rejected", "address"),
    ("552 Message is too long.", "rejected", "40 MB"),
    # of other relays (RFC 3463)
    ("550 5.4.5 Daily user sending limit exceeded", "quota_exceeded", "limit is renewed"),
    ("550 5.4.5 Daily SMTP relay limit exceeded for user", "quota_exceeded", "limit is renewed"),
    (
        "554 5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException",
        "quota_exceeded",
        "limit is renewed",
    ),
    ("451 Authentication failed: Maximum credits exceeded", "quota_exceeded", "limit is renewed"),
    ("550 5.7.1 Our system has detected that this message is spam", "rejected", "content"),
    ("550 5.7.26 Unauthenticated email is not accepted (DMARC)", "rejected", "DMARC"),
    ("554 5.7.1 <a@b.example>: Relay access denied", "forbidden", "accept this client"),
    ("550 5.7.1 Unable to relay", "forbidden", "accept this client"),
    (
        "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled",
        "unauthenticated",
        "over SMTP",
    ),
    ("534 5.7.9 Application-specific password required", "unauthenticated", "for applications"),
    ("535 5.7.8 Username and Password not accepted", "unauthenticated", "another user name"),
    ("552 5.2.2 The mailbox is over its quota", "rejected", "later"),
    ("552 5.3.4 Message size exceeds fixed limit", "rejected", "Send a smaller message"),
    ("550 5.1.8 Sender address rejected", "rejected", "sender"),
    ("501 Invalid MAIL FROM address provided", "rejected", "reply"),
    ("502 Command not implemented", "rejected", f"{HOST}:2587"),
    ("599 What", "rejected", "Amazon SES's own error message"),
    ("220 Hello?", "unavailable", "SMTP endpoint"),
]


@pytest.mark.parametrize(
    ("text", "code", "hint"), REPLIES, ids=[text[:24] for text, _, _ in REPLIES]
)
def test_each_reply_has_a_code_and_a_next_step(text: str, code: str, hint: str) -> None:
    """Code, hint, and the server's own code and words."""
    reply = Reply(int(text[:3]), text[4:])
    error = refused(reply, SERVER)
    assert error.code == code
    assert error.hint is not None
    assert hint in error.hint
    assert error.provider is not None
    assert (error.provider.code, error.provider.message) == (text[:3], text[4:])
    assert error.sent is not Sent.UNKNOWN
    assert not re.search(r"[{}]", error.message + error.hint)


def test_only_what_may_pass_is_retryable() -> None:
    """4xx replies can be tried again, the daily quota aside; 5xx cannot."""
    for text, code, _ in REPLIES:
        error = refused(Reply(int(text[:3]), text[4:]), SERVER)
        assert error.retryable is (text[0] in "24" and code != "quota_exceeded"), text


def test_the_sender_is_named_where_it_may_be_unverified() -> None:
    """The hint of an unverified identity says who the sender is."""
    reply = Reply(554, "Message rejected: Email address is not verified.")
    assert str(refused(reply, SERVER, sender="ops@sender.test").hint).startswith(
        "The sender is 'ops@sender.test'."
    )


def test_long_replies_are_cut() -> None:
    """An error carries no more of a reply than people read."""
    provider = refused(Reply(554, "x" * 100_000), SERVER).provider
    assert provider is not None
    assert len(str(provider.message)) < 2000


def test_without_a_region_no_region_is_made_up() -> None:
    """Where the host's name says nothing, the text does without."""
    nowhere = Server("mail.example.com", 587, tls=False, name="mail.example.com", region=None)
    error = refused(Reply(554, "Email address is not verified"), nowhere)
    assert "in its region" in error.message


def test_a_refused_sign_in_is_about_the_credentials() -> None:
    """Any 5xx to AUTH is; with a derived password the hint is about the key it was derived from."""
    assert refused_login(Reply(554, "no"), SERVER, derived=False).code == "unauthenticated"
    assert "awsRegion" in str(refused_login(Reply(535, "no"), SERVER, derived=True).hint)
    assert (
        refused_login(Reply(454, "Temporary authentication failure"), SERVER, derived=True).code
        == "unavailable"
    )
    assert (
        "not signed up"
        in refused_login(Reply(535, "Account not subscribed to SES"), SERVER, derived=True).message
    )
    assert refused_login(Reply(334, ""), SERVER, derived=False).code == "unavailable"


def test_a_throttle_is_repeated() -> None:
    """A throttled MAIL is repeated until the server accepts it."""
    with rig({"MAIL": ["454 Throttling failure: Maximum sending rate exceeded."] * 2}) as it:
        result = it.send()
        assert (result.status, result.meta.attempts, len(it.server.received)) == ("succeeded", 3, 1)


@pytest.mark.parametrize(
    ("verb", "reply", "code", "tries"),
    [
        ("MAIL", "454 Throttling failure: Daily message quota exceeded", "quota_exceeded", 1),
        (".", "554 Message rejected: Email address is not verified.", "rejected", 1),
        ("DATA", "554 Transaction failed", "rejected", 1),
        (".", "552 Message is too long.", "rejected", 1),
        ("MAIL", "421 Too many concurrent SMTP connections", "unavailable", 6),
        ("AUTH", "535 Authentication Credentials Invalid", "unauthenticated", 1),
        ("GREETING", "554 Go away", "rejected", 1),
        ("EHLO", "502 What", "rejected", 1),
        ("EHLO", "501 5.5.2 Invalid domain name", "rejected", 1),
        ("MAIL", "550 5.4.5 Daily user sending limit exceeded", "quota_exceeded", 1),
        ("RCPT", "451 Maximum credits exceeded", "quota_exceeded", 1),
    ],
)
def test_refusals_reach_the_result(verb: str, reply: str, code: str, tries: int) -> None:
    """The Result carries code and provider; what may pass is tried to the end, the rest once;
    nothing is in doubt (S11).
    """
    with rig({verb: [reply] * 6}) as it:
        result = it.send()
        assert result.status == "failed"
        error = result.to_json()["error"]
        assert error["code"] == code
        assert error["provider"] == {"code": reply[:3], "message": reply[4:]}
        assert error["hint"]
        assert result.meta.attempts == tries
        assert it.server.received == []


@pytest.mark.parametrize("reply", ["501 Invalid name", "504 5.5.2 need a name", "421 Go away"])
def test_a_refused_name_is_told_and_can_be_given(reply: str) -> None:
    """A server that refuses the greeting is answered with the member that changes it."""
    with rig({"EHLO": [reply] * 6}) as it:
        assert "heloName" in str(it.send().to_json()["error"]["hint"])
    with rig({}, values={"heloName": "App.Example.com"}) as it:
        assert it.send().status == "succeeded"
        assert {*it.server.names} == {"app.example.com"}


def test_the_id_of_another_servers_reply() -> None:
    """Google's begins with a time; others name a queue, or have a text of their own."""
    for text, identifier in (
        ("2.0.0 OK 1700000000 abc123-def - gsmtp", "abc123-def"),
        ("2.0.0 Ok: queued as 4F1B2", "4F1B2"),
        ("Ok 0100018-0000", "0100018-0000"),
        ("OK 1700000000", "1700000000"),
    ):
        with rig({".": [f"250 {text}"]}) as it:
            assert it.send().unwrap()["MessageId"] == identifier
