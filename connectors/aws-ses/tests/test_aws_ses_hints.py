"""Hints follow the text where the text decides: a table of (surface, code, text) to error and hint,
each row with its source.

Sources: PAGE, AWS's page "SMTP response codes returned by Amazon SES"; ERRORS, "Amazon SES email
sending errors"; V2, API reference v2, SendEmail; V1, API reference v1, SendEmail; PAUSE, "Pausing
email sending"; REVIEW, "Sending review process FAQs"; RFC, RFC 5321 and 4954; SEEN, replies and
errors that users have published. TENANTS: "updateTenantSending", whose exact texts AWS does not
document.
"""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from jackfield.connector import Sent
from jackfield_aws.virtual.errors import SERVICE_ERRORS
from jackfield_aws_ses.errors import explain
from jackfield_aws_ses.smtp.replies import Reply, refused, refused_login
from jackfield_aws_ses.smtp.server import Server

_INBOX = (
    "For more information, please check the inbox of the email address associated with your "
    "AWS account."
)
_SUSPENDED = f"Sending suspended for this account. {_INBOX}"
_SCOPED = "Credential should be scoped to a valid region, not 'us-west-2'."
_PAUSED = f"Sending paused for this account. {_INBOX}"
_REGION = "eu-west-1"

_UNVERIFIED = (
    "Email address is not verified. The following identities failed the check in region "
    "EU-WEST-1: {}@example.com"
)
_ROWS: list[tuple[str, str, str, str, str, str]] = [
    # surface, code, text, error, part of the hint, source
    ("api", "MessageRejected", _SUSPENDED, "forbidden", "AWS Support", "SEEN"),
    ("api", "BadRequestException", _SUSPENDED, "forbidden", "AWS Support", "SEEN"),
    ("api", "AccountSuspendedException", "Account is suspended", "forbidden", "AWS Support", "V2"),
    ("api", "MessageRejected", _PAUSED, "forbidden", "paused", "SEEN"),
    (
        "api",
        "MessageRejected",
        "Sending is paused for this account.",
        "forbidden",
        "paused",
        "PAUSE",
    ),
    (
        "api",
        "AccountSendingPausedException",
        "Email sending is disabled for your entire account",
        "forbidden",
        "paused",
        "V1",
    ),
    (
        "api",
        "SendingPausedException",
        "The account's sending is paused",
        "forbidden",
        "paused",
        "V2",
    ),
    (
        "api",
        "ConfigurationSetSendingPausedException",
        "Sending is disabled for configuration set <x>",
        "forbidden",
        "SetSending",
        "V1",
    ),
    (
        "api",
        "MessageRejected",
        "Sending paused for configuration set x.",
        "forbidden",
        "PutConfigurationSetSendingOptions",
        "PAUSE",
    ),
    (
        "api",
        "MessageRejected",
        "Sending is disabled for identity example.com",
        "forbidden",
        "Identities",
        "SEEN",
    ),
    (
        "api",
        "MessageRejected",
        "Sending paused for tenant acme.",
        "forbidden",
        "updateTenantSending",
        "TENANTS",
    ),
    (
        "api",
        "BadRequestException",
        "Tenant sending is disabled",
        "forbidden",
        "updateTenantSending",
        "TENANTS",
    ),
    (
        "api",
        "SendingPausedException",
        "Sending is paused for tenant acme",
        "forbidden",
        "updateTenantSending",
        "TENANTS",
    ),
    (
        "api",
        "MessageRejected",
        _UNVERIFIED.format("sending-suspended"),
        "rejected",
        "Verify",
        "ERRORS",
    ),
    (
        "api",
        "MessageRejected",
        _UNVERIFIED.format("sending paused for tenant"),
        "rejected",
        "Verify",
        "ERRORS",
    ),
    ("api", "MessageRejected", "Illegal content", "rejected", "own error message", "ERRORS"),
    (
        "api",
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match",
        "unauthenticated",
        "SMTP password",
        "SEEN",
    ),
    (
        "api",
        "InvalidSignatureException",
        "The request signature we calculated does not match",
        "unauthenticated",
        "SMTP password",
        "SEEN",
    ),
    (
        "api",
        "SignatureDoesNotMatch",
        "Signature expired: 2026 is now earlier than 2026",
        "unauthenticated",
        "clock",
        "SEEN",
    ),
    (
        "api",
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        "unauthenticated",
        "session token",
        "SEEN",
    ),
    (
        "api",
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
        "unauthenticated",
        "session",
        "SEEN",
    ),
    ("api", "SignatureDoesNotMatch", _SCOPED, "unauthenticated", "region", "SEEN"),
    (
        "api",
        "InvalidSignatureException",
        "Credential should be scoped to correct service: 'ses'.",
        "unauthenticated",
        "endpoint",
        "SEEN",
    ),
    ("aws", "MessageRejected", _SUSPENDED, "forbidden", "AWS Support", "SEEN"),
    ("aws", "MessageRejected", _PAUSED, "forbidden", "SES console", "SEEN"),
    (
        "aws",
        "MessageRejected",
        "Sending is disabled for identity example.com",
        "forbidden",
        "SES console",
        "SEEN",
    ),
    (
        "aws",
        "MessageRejected",
        _UNVERIFIED.format("sending-suspended"),
        "rejected",
        "Verify",
        "ERRORS",
    ),
    ("aws", "MessageRejected", "Illegal content", "rejected", "what its message names", "ERRORS"),
    ("aws", "AccountSuspendedException", "Account is suspended", "forbidden", "AWS Support", "V2"),
    (
        "aws",
        "TooManyRequestsException",
        "Daily message quota exceeded.",
        "quota_exceeded",
        "quota",
        "V2",
    ),
    (
        "aws",
        "TooManyRequestsException",
        "Maximum sending rate exceeded.",
        "rate_limited",
        "fewer requests",
        "V2",
    ),
    ("aws", "SignatureDoesNotMatch", _SCOPED, "unauthenticated", "region", "SEEN"),
    (
        "smtp",
        "421",
        "Too many concurrent SMTP connections",
        "unavailable",
        "fewer connections",
        "PAGE",
    ),
    (
        "smtp",
        "421",
        "Connection closed by server. Maximum message count per session reached",
        "unavailable",
        "new connection",
        "SEEN",
    ),
    ("smtp", "451", "Temporary service failure", "unavailable", "again later", "PAGE"),
    (
        "smtp",
        "451",
        "4.4.2 Timeout waiting for data from client.",
        "unavailable",
        "network",
        "PAGE",
    ),
    (
        "smtp",
        "454",
        "Throttling failure: Daily message quota exceeded",
        "quota_exceeded",
        "24 hours",
        "PAGE",
    ),
    (
        "smtp",
        "454",
        "Throttling failure: Maximum sending rate exceeded",
        "rate_limited",
        "sending rate",
        "PAGE",
    ),
    ("smtp", "454", "Temporary authentication failure", "unavailable", "TLS proxy", "PAGE"),
    ("smtp", "454", "Temporary service failure", "unavailable", "sent nothing", "PAGE"),
    (
        "smtp",
        "530",
        "Authentication required",
        "unauthenticated",
        "'username' and 'password'",
        "PAGE",
    ),
    (
        "smtp",
        "535",
        "Authentication Credentials Invalid",
        "unauthenticated",
        "is not the secret access key",
        "PAGE",
    ),
    ("smtp", "535", "Account not subscribed to SES", "unauthenticated", "Sign up", "PAGE"),
    ("smtp", "552", "Message is too long.", "rejected", "40 MB", "PAGE"),
    (
        "smtp",
        "554",
        "Access denied: User `x' is not authorized to perform `ses:SendRawEmail' on `y'",
        "forbidden",
        "ses:SendRaw",
        "PAGE",
    ),
    (
        "smtp",
        "554",
        f"Message rejected: {_UNVERIFIED.format('sending paused')}",
        "rejected",
        "Verify",
        "PAGE",
    ),
    ("smtp", "554", f"Message rejected: {_SUSPENDED}", "forbidden", "AWS Support", "SEEN"),
    ("smtp", "554", f"Message rejected: {_PAUSED}", "forbidden", "paused", "SEEN"),
    (
        "smtp",
        "554",
        "Message rejected: Sending is disabled for configuration set x.",
        "forbidden",
        "configuration set",
        "PAUSE",
    ),
    (
        "smtp",
        "554",
        "Message rejected: Sending paused for tenant acme",
        "forbidden",
        "updateTenantSending",
        "TENANTS",
    ),
    (
        "smtp",
        "554",
        "Transaction failed: Configuration set `x' does not exist.",
        "not_found",
        "Create the configuration set",
        "SEEN",
    ),
    (
        "smtp",
        "554",
        "Transaction failed: Duplicate header 'Message-ID'.",
        "rejected",
        "'headers'",
        "SEEN",
    ),
    ("smtp", "554", "Transaction failed: Missing final '@domain'", "rejected", "address", "SEEN"),
    (
        "smtp",
        "554",
        "Transaction failed: Address contains illegal characters in user name: '<x>'.",
        "rejected",
        "address",
        "SEEN",
    ),
    ("smtp", "554", "Transaction failed: Invalid domain name: 'x'.", "rejected", "address", "SEEN"),
    (
        "smtp",
        "554",
        "Transaction failed: Local address contains control or whitespace",
        "rejected",
        "address",
        "SEEN",
    ),
    (
        "smtp",
        "554",
        "Transaction failed: Recipient count exceeds 50.",
        "rejected",
        "50 recipients",
        "SEEN",
    ),
    (
        "smtp",
        "554",
        "Message rejected: MAIL FROM domain x.example.com is not verified",
        "rejected",
        "MX record",
        "ERRORS",
    ),
    ("smtp", "501", "Invalid MAIL FROM address provided", "rejected", "'sender'", "SEEN"),
    ("smtp", "501", "Invalid command or cannot parse from address", "rejected", "'sender'", "SEEN"),
    ("smtp", "501", "Invalid RCPT TO address provided", "rejected", "recipient", "SEEN"),
    ("smtp", "501", "Syntax error in parameters or arguments", "rejected", "value", "RFC"),
    ("smtp", "500", "Syntax error, command unrecognized", "rejected", "SMTP endpoint", "RFC"),
    ("smtp", "502", "Command not implemented", "rejected", "SMTP endpoint", "RFC"),
    ("smtp", "503", "Bad sequence of commands", "rejected", "proxy", "RFC"),
    ("smtp", "504", "Unrecognized authentication type", "unauthenticated", "SMTP endpoint", "RFC"),
    ("smtp", "530", "Must issue a STARTTLS command first", "unauthenticated", "STARTTLS", "RFC"),
    (
        "smtp",
        "538",
        "Encryption required for requested authentication mechanism",
        "unauthenticated",
        "STARTTLS",
        "RFC",
    ),
    ("smtp", "550", "5.1.1 No such user", "rejected", "address", "RFC"),
    ("smtp", "555", "MAIL FROM/RCPT TO parameters not recognized", "rejected", "value", "RFC"),
    (
        "login",
        "535",
        "Authentication Credentials Invalid",
        "unauthenticated",
        "is not the secret access key",
        "PAGE",
    ),
    ("login", "535", "Account not subscribed to SES", "unauthenticated", "Sign up", "PAGE"),
    ("login", "454", "Temporary authentication failure", "unavailable", "TLS proxy", "PAGE"),
    ("login", "554", _SUSPENDED, "forbidden", "AWS Support", "SEEN"),
    ("login", "501", "cannot decode response", "unauthenticated", "SMTP credentials", "RFC"),
]


def _error(surface: str, code: str, text: str) -> Any:
    if surface in ("api", "aws"):
        answer: Any = {
            "Error": {"Code": code, "Message": text},
            "ResponseMetadata": {"HTTPStatusCode": 400, "RequestId": "r-1"},
        }
        return (explain if surface == "api" else SERVICE_ERRORS)(
            ClientError(answer, "SendEmail"), None, None
        )
    server = Server("email-smtp.eu-west-1.amazonaws.com", 2587, tls=False, name="x", region=_REGION)
    reply = Reply(int(code), text)
    return (
        refused_login(reply, server, derived=False)
        if surface == "login"
        else refused(reply, server)
    )


@pytest.mark.parametrize(
    ("surface", "code", "text", "error", "hint", "source"), _ROWS, ids=lambda value: str(value)[:40]
)
def test_the_text_decides(
    surface: str, code: str, text: str, error: str, hint: str, source: str
) -> None:
    """Code and hint of each row; nothing is in doubt, and no template is left open."""
    found = _error(surface, code, text)
    assert source
    assert (found.code, found.sent is Sent.UNKNOWN) == (error, False)
    assert hint in found.hint
    assert not {"{", "}"} & set(found.message + found.hint)
    assert (found.provider.code, found.provider.message) == (code, text)


def test_each_cause_has_its_own_cure() -> None:
    """Suspension and pausing of the account, a set, a tenant and an identity are five hints, the
    same over the API and over SMTP.
    """
    texts = [
        _SUSPENDED,
        _PAUSED,
        *(
            f"Sending is paused for {kind} x"
            for kind in ("configuration set", "tenant", "identity")
        ),
    ]
    hints = [
        {
            _error("api", "MessageRejected", text).hint.replace("this region", _REGION),
            _error("smtp", "554", text).hint,
        }
        for text in texts
    ]
    assert [len(both) for both in hints] == [1] * len(texts)
    assert len({hint for both in hints for hint in both}) == len(texts)
