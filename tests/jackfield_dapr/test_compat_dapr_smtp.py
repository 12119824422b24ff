"""Dapr's binding ``bindings.smtp`` against a real SMTP server with TLS and sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from tests.jackfield_dapr.sidecars import SidecarClient, asked, bindings_of, sidecar, written

from smtp_rig import HOST, authority
from smtp_server import PASSWORD, USER, SmtpServer, resolving

SERVER = {"host": HOST, "port": "587", "user": USER, "password": PASSWORD}
MAIL = {"emailFrom": "ops@sender.test", "emailTo": "desk@rcpt.test", "subject": "Nightly report"}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    """A server whose certificate is trusted."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority().bundle))
    with SmtpServer(authority().serving(HOST)) as running, resolving({HOST: running.port}):
        yield running


@pytest.fixture
def smtp(folder: Path, server: SmtpServer) -> Iterator[SidecarClient]:
    """A sidecar with a component that has everything."""
    written(folder, "bindings.smtp", **SERVER, **MAIL, emailCC="cc@rcpt.test")
    with sidecar(folder) as running:
        yield running


def sent(server: SmtpServer) -> tuple[EmailMessage, list[str]]:
    """The only mail, and its recipients."""
    (got,) = server.received
    return message_from_bytes(got.content, policy=policy.default), list(got.recipients)


def test_a_mail_of_configured_and_given_properties(smtp: SidecarClient, server: SmtpServer) -> None:
    """The request's properties count over the component's, lists have semicolons, and an empty
    property changes nothing, as in Dapr.
    """
    reply = asked(
        smtp,
        "create",
        "<p>late</p>",
        emailTo="a@rcpt.test; b@rcpt.test",
        subject="",
        EMAILBCC="x@rcpt.test",
    )
    assert (reply.status, reply.body) == (204, b"")
    mail, recipients = sent(server)
    assert (mail["from"], mail["to"], mail["cc"], mail["bcc"]) == (
        "ops@sender.test",
        "a@rcpt.test, b@rcpt.test",
        "cc@rcpt.test",
        None,
    )
    assert (mail["subject"], mail.get_body(("html",)).get_content().strip()) == (  # type: ignore[union-attr]
        "Nightly report",
        "<p>late</p>",
    )
    assert sorted(recipients) == ["a@rcpt.test", "b@rcpt.test", "cc@rcpt.test", "x@rcpt.test"]


def test_properties_of_one_request_do_not_stay_for_the_next(
    smtp: SidecarClient, server: SmtpServer
) -> None:
    """In Dapr's program they do: the second mail would go to the copies of the first."""
    asked(smtp, "create", "x", emailBCC="only-once@rcpt.test")
    asked(smtp, "create", "y")
    assert [sorted(got.recipients) for got in server.received][1] == [
        "cc@rcpt.test",
        "desk@rcpt.test",
    ]


def test_a_priority_is_a_header_field(smtp: SidecarClient, server: SmtpServer) -> None:
    """From 1 to 5; anything else is refused before anything is sent."""
    for priority in ("0", "6", "high"):
        assert (
            "priority value must be between 1"
            in asked(smtp, "create", "x", priority=priority).message
        )
    assert server.received == []
    assert asked(smtp, "create", "x", priority="1").status == 204
    assert sent(server)[0]["X-Priority"] == "1"


@pytest.mark.parametrize("name", ["emailFrom", "emailTo", "subject"])
def test_what_is_missing_is_named(folder: Path, server: SmtpServer, name: str) -> None:
    """In Dapr's words."""
    written(
        folder,
        "bindings.smtp",
        **SERVER,
        **{key: value for key, value in MAIL.items() if key != name},
    )
    with sidecar(folder) as running:
        says = (
            f"smtp binding error: {name} property not supplied in configuration- or "
            "request-metadata"
        )
        assert asked(running, "create", "x").message.endswith(says)
    assert server.received == []


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        (
            {"host": HOST, "port": "587", "user": "u"},
            "fields are required in metadata; missing: password",
        ),
        ({**SERVER, "skipTLSVerify": "true"}, "a certificate is always verified"),
    ],
)
def test_a_component_that_cannot_work_is_refused(
    folder: Path, metadata: dict[str, str], says: str
) -> None:
    """A sign-in needs both its parts, and certificates are verified."""
    written(folder, "bindings.smtp", **metadata)
    (found,) = bindings_of(folder).problems
    assert (says in found.text, found.fatal) == (True, True)


def test_a_refusal_of_the_server_is_told(folder: Path, server: SmtpServer) -> None:
    """A wrong password is the server's refusal, and does not show the password."""
    written(folder, "bindings.smtp", **{**SERVER, "password": "wrong-password-4711"}, **MAIL)
    with sidecar(folder) as running:
        message = asked(running, "create", "x").message
    assert "error from smtp binding, sending email failed" in message
    assert "wrong-password-4711" not in message
