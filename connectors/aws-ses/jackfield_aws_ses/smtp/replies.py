"""Meaning of an SMTP server's refusals, with a hint for each (AWS, "SMTP response codes returned by
Amazon SES"; RFC 5321 §4.2). What SES does not say is read by its enhanced status (RFC 3463), since
the server may be another relay.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from jackfield.connector import (
    Forbidden,
    JackfieldError,
    NotFound,
    Provider,
    QuotaExceeded,
    RateLimited,
    Rejected,
    Sent,
    Unauthenticated,
    Unavailable,
)
from jackfield.kernel.dataclass import dataclass
from jackfield_aws_ses.pausing import STOPS
from jackfield_aws_ses.smtp.server import Server

_SHOWN = 10  # refused recipients listed in a hint
_QUOTED = 1000  # characters of a reply quoted in an error


_ENHANCED = re.compile(r"[45]\.[0-9]{1,3}\.[0-9]{1,3}(?![0-9])")
"""Regular expression of an enhanced status at the beginning of a text (RFC 3463 §2)."""
_SIGNED_IN = 235
_LATER = frozenset({421, 454})
"""Codes of refused logins that the server did not check (RFC 4954, section 6, and RFC 5321, section
3.8): a retry is allowed.
"""


@dataclass(frozen=True, slots=True)
class Reply:
    """Reply of a server: its code, and its text including any enhanced status (RFC 3463)."""

    code: int
    text: str

    @property
    def good(self) -> bool:
        """True if the command succeeded."""
        return 200 <= self.code < 300

    @property
    def signed_in(self) -> bool:
        """True if the login was accepted."""
        return self.code == _SIGNED_IN

    @property
    def passing(self) -> bool:
        """True for a temporary refusal."""
        return 400 <= self.code < 500

    @property
    def final(self) -> bool:
        """True for a permanent refusal."""
        return 500 <= self.code < 600

    @property
    def enhanced(self) -> str:
        """Subject and detail of the enhanced status, such as ``7.1``; empty without one."""
        found = _ENHANCED.match(self.text)
        return found[0][2:] if found else ""

    @property
    def provider(self) -> Provider:
        """The reply as the ``provider`` of an error."""
        return Provider(
            code=str(self.code),
            message=self.text if len(self.text) <= _QUOTED else self.text[:_QUOTED] + "…",
        )


@dataclass(frozen=True, slots=True)
class _Row:
    """Meaning of a reply. ``hint`` and ``says`` are templates over ``{region}`` and ``{place}``."""

    kind: type[JackfieldError]
    says: str
    hint: str


_RATE = _Row(
    RateLimited,
    "Amazon SES throttles this account",
    "Send fewer messages per second, or ask AWS for a higher sending rate in {region}.",
)
_DAILY = _Row(
    QuotaExceeded,
    "The daily sending quota is used up",
    "The account's sending quota for 24 hours is used up: wait until it frees up, or ask AWS for "
    "a higher quota in {region}.",
)
_BUSY = _Row(
    Unavailable,
    "Amazon SES cannot accept the message now",
    "Try again later. If the problem persists, open fewer connections at a time and see the AWS "
    "Health Dashboard for {region}.",
)
_LOGIN = _Row(
    Unauthenticated,
    "Amazon SES refused the user name and password",
    "An SMTP password is not the secret access key: create SMTP credentials in the SES console of "
    "{region}, or give 'accessKeyId' and "
    "'secretAccessKey' and let the password be derived. Either holds for one region only, and "
    "for a user's own active key.",
)
_DERIVED = _Row(
    Unauthenticated,
    "Amazon SES refused the password that was derived from the secret access key",
    "Check 'accessKeyId' and 'secretAccessKey', and that {region} is the endpoint's region "
    "('awsRegion' overrides the host name). The key "
    "must be active and belong to a user, not a role.",
)
_NO_SERVICE = _Row(
    Unauthenticated,
    "The account is not signed up for Amazon SES",
    "Sign up the AWS account for Amazon SES in {region}.",
)
_DENIED = _Row(
    Forbidden,
    "The user is not allowed to send through Amazon SES",
    "Allow ses:SendRawEmail for the user of these SMTP credentials in IAM, and in the sending "
    "authorization policy of the identity.",
)
_TIMEOUT = _Row(
    Unavailable,
    "The server waited too long for the next command",
    "Send again. If it happens often, check the network, and proxies that hold back large "
    "messages.",
)
_SIGN_IN_LATER = _Row(
    Unavailable,
    "Amazon SES could not check the user name and password now",
    "Send again later. If it persists, check that nothing between this machine and {place} "
    "changes the connection, such as a TLS proxy.",
)
_NOT_RECEIVED = _Row(
    Unavailable,
    "Amazon SES did not receive the whole request",
    "Send it again later: SES has sent nothing.",
)
_FULL_SESSION = _Row(
    Unavailable,
    "The server takes no more messages over this connection",
    "Send again: a new connection is opened.",
)
_SIGN_IN_FIRST = _Row(
    Unauthenticated,
    "The server wants a sign-in first",
    "Give SMTP credentials ('username' and 'password', or 'accessKeyId' and 'secretAccessKey'). "
    "If they are given, a proxy may have "
    "removed the sign-in: is {place} an SMTP endpoint of Amazon SES?",
)
_TLS_FIRST = _Row(
    Unauthenticated,
    "The server wants TLS first",
    "Use port 587 or 2587, which start TLS with STARTTLS, or 465 or 2465 with 'security' tls.",
)
_NOT_OF_TENANT = _Row(
    Forbidden,
    "The tenant may not send with this identity or configuration set",
    "Associate those that Amazon SES names with the tenant in {region} "
    "('createTenantAssociation', over a connection to the API), or send "
    "with others.",
)
_UNVERIFIED = _Row(
    Rejected,
    "Amazon SES refused the message: an identity is not verified in {region}",
    "Verify the sender's address or its domain in Amazon SES in {region} (Identities > Create "
    "identity); each region verifies identities "
    "separately. While the account is in the sandbox, each recipient must be verified too.",
)
_NO_SET = _Row(
    NotFound,
    "Amazon SES does not know the configuration set",
    "Create the configuration set in {region}, or correct 'configurationSetName'; each region "
    "has its own sets.",
)
_TOO_LONG = _Row(
    Rejected,
    "The message is too long for the server",
    "Send a smaller message: Amazon SES accepts at most 40 MB after encoding.",
)
_FROM = _Row(
    Rejected,
    "The server refused the sender's address",
    "Correct 'sender', which the server's reply is about.",
)
_TO = _Row(
    Rejected,
    "The server refused a recipient's address",
    "Correct the recipient's address that the server's reply is about.",
)
_RECIPIENTS = _Row(
    Rejected,
    "The message has too many recipients",
    "Send to at most 50 recipients at once, over to, cc and bcc together.",
)
_MAIL_FROM = _Row(
    Rejected,
    "The MAIL FROM domain is not verified in {region}",
    "The custom MAIL FROM domain of the identity lacks its MX record: publish it in DNS, or let "
    "SES fall back to its own domain.",
)
_FIELD = _Row(
    Rejected,
    "Amazon SES refused a header field",
    "Correct or remove the field named in the server's reply ('headers').",
)
_ADDRESS = _Row(
    Rejected, "The server refused an address", "Correct the address named in the server's reply."
)
_SYNTAX = _Row(
    Rejected,
    "The server does not understand a value",
    "Correct the value that the server's reply is about.",
)
_ORDER = _Row(
    Rejected,
    "The server got commands in another order",
    "See the server's reply; a proxy between this machine and {place} may drop commands.",
)
_METHOD = _Row(
    Unauthenticated,
    "The server does not offer this way to sign in",
    "See the server's reply; is {place} an SMTP endpoint of Amazon SES?",
)
_COMMAND = _Row(
    Rejected,
    "The server does not support the command",
    "See the server's reply; is {place} an SMTP endpoint of Amazon SES?",
)
_CONTENT = _Row(
    Rejected,
    "Amazon SES refused the message",
    "Change the message as Amazon SES's own error message says.",
)
_LIMIT = _Row(
    QuotaExceeded,
    "The server's sending limit is used up",
    "See the server's reply: wait until the limit is renewed, or ask for a higher one.",
)
_RELAY = _Row(
    Forbidden,
    "The server does not relay mail of this client",
    "Let the server accept this client's address or user name, or sign in with another one.",
)
_POLICY = _Row(
    Rejected,
    "The server refused the message by its policy",
    "See the server's reply: it is about the content, the sender's domain (SPF, DKIM, DMARC) or "
    "this client.",
)
_MAILBOX = _Row(
    Rejected, "A recipient's mailbox takes no message", "See the server's reply; send it later."
)
_SIZE = _Row(
    Rejected,
    "The message is too long for the server",
    "Send a smaller message; the server's reply may name its limit.",
)
_SIGN_IN = _Row(
    Unauthenticated,
    "The server refused the sign-in",
    "See the server's reply: it may want another user name, a password for applications, or "
    "another way to sign in, or the account may not send over SMTP.",
)
_GREETING = _Row(
    Rejected,
    "The server refused the name by which the client introduces itself",
    "Give 'heloName' a host name that the server accepts, such as this machine's public name.",
)

_STOPPED_BY = {stop: _Row(Forbidden, stop.says, stop.hint) for _, stop in STOPS}
_STOPPED = frozenset(_STOPPED_BY.values())
_BY_TEXT: tuple[tuple[str, str, _Row], ...] = (
    ("4", "daily", _DAILY),
    ("4", "throttl", _RATE),
    ("4", "rate exceeded", _RATE),
    ("4", "timeout waiting", _TIMEOUT),
    ("4", "authentication failure", _SIGN_IN_LATER),
    ("454", "temporary service failure", _NOT_RECEIVED),
    ("421", "message count per session", _FULL_SESSION),
    ("4", "credits exceeded", _LIMIT),
    ("5", "relay access denied", _RELAY),
    ("5", "relaying denied", _RELAY),
    ("5", "unable to relay", _RELAY),
    ("55", "sending limit", _LIMIT),
    ("55", "submissionquota", _LIMIT),
    ("530", "starttls", _TLS_FIRST),
    ("538", "", _TLS_FIRST),
    ("5", "not subscribed", _NO_SERVICE),
    ("5", "tenant not associated with", _NOT_OF_TENANT),
    ("5", "access denied", _DENIED),
    ("5", "not authorized", _DENIED),
    ("5", "mail from domain", _MAIL_FROM),
    ("5", "not verified", _UNVERIFIED),
    ("5", "failed the check", _UNVERIFIED),
    *(("5", phrase, _STOPPED_BY[stop]) for phrase, stop in STOPS),
    ("5", "mail from address", _FROM),
    ("5", "parse from address", _FROM),
    ("5", "rcpt to address", _TO),
    ("5", "recipient count", _RECIPIENTS),
    ("5", "duplicate header", _FIELD),
    ("5", "invalid header", _FIELD),
    ("554", "missing final '@domain'", _ADDRESS),
    ("554", "illegal characters in", _ADDRESS),
    ("554", "invalid domain name", _ADDRESS),
    ("554", "local address contains", _ADDRESS),
    ("5", "configuration set", _NO_SET),
)
"""Meanings by the beginning of the code and a lower-case part of the text; the first match
decides.
"""
_BY_ENHANCED: dict[str, _Row] = {
    **dict.fromkeys(("1.0", "1.1", "1.2", "1.3", "1.4", "1.6", "1.10"), _TO),
    **dict.fromkeys(("1.7", "1.8"), _FROM),
    **dict.fromkeys(("2.1", "2.2"), _MAILBOX),
    **dict.fromkeys(("2.3", "3.4"), _SIZE),
    "4.5": _LIMIT,
    "5.3": _RECIPIENTS,
}
"""Meanings of permanent refusals by the subject and detail of the enhanced status (IANA, "SMTP
Enhanced Status Codes"). X.4.5 is what Google answers for the limit of a day.
"""
_NAMES = frozenset({501, 504, 550, 553})
_SIGN_INS, _MAIL = frozenset({534, 535}), frozenset({550, 551, 552, 553, 554})
_BY_CODE: dict[int, _Row] = {
    **dict.fromkeys((500, 502), _COMMAND),
    **dict.fromkeys((501, 555), _SYNTAX),
    503: _ORDER,
    **dict.fromkeys((504, 534), _METHOD),
    530: _SIGN_IN_FIRST,
    535: _LOGIN,
    **dict.fromkeys((550, 551, 553), _ADDRESS),
    552: _TOO_LONG,
}


def refused(
    reply: Reply, server: Server, *, sent: Sent | None = None, sender: str | None = None
) -> JackfieldError:
    """Return the error for a refusal. ``sent`` is the message's state; without it, nothing was
    accepted.

    After a reply that is neither a refusal nor the expected one, the outcome is unknown.
    """
    if not (reply.passing or reply.final):
        return Unavailable(
            f"{server.place} returned a response that is not SMTP",
            provider=reply.provider,
            sent=sent or Sent.NOTHING,
            hint="Is it an SMTP endpoint of Amazon SES?",
        )
    error = _error(_row(reply), reply, server, sent)
    if sender and error.message.startswith("Amazon SES refused the message: an identity"):
        error.hint = f"The sender is '{sender}'. {error.hint}"
    return error


def refused_greeting(reply: Reply, server: Server) -> JackfieldError:
    """Return the error for a refused EHLO: a server that does not take the client's name says so
    for good, or by 421.
    """
    if reply.code in _NAMES:
        return _error(_GREETING, reply, server, Sent.NOTHING)
    error = refused(reply, server)
    if reply.passing:
        error.hint = f"{error.hint} {_GREETING.hint}"
    return error


def refused_login(reply: Reply, server: Server, *, derived: bool) -> JackfieldError:
    """Return the error for a refused login: the credentials are wrong, unless the server could not
    check them.
    """
    if reply.final or reply.passing:
        row = _row(reply)
        if reply.final and row.kind is not Unauthenticated and row not in _STOPPED:
            row = _LOGIN
        error = _error(_DERIVED if derived and row is _LOGIN else row, reply, server, Sent.NOTHING)
    else:
        error = refused(reply, server)
    error.repeatable = reply.code in _LATER  # logins that are tried again may lock the user out
    return error


def refused_recipients(
    refusals: Sequence[tuple[str, Reply]], count: int, server: Server, sender: str
) -> JackfieldError:
    """Return the error for refused recipients; the message was not sent to the others either."""
    _, reply = next((refusal for refusal in refusals if refusal[1].final), refusals[0])
    error = refused(reply, server, sent=Sent.REFUSED, sender=sender)
    error.message = (
        f"{len(refusals)} of {count} recipients were refused, so nothing was sent: {error.message}"
    )
    names = ", ".join(address for address, _ in refusals[:_SHOWN]) + (
        " …" if len(refusals) > _SHOWN else ""
    )
    error.hint = f"{error.hint or ''} Refused: {names}.".lstrip()
    return error


def _row(reply: Reply) -> _Row:
    text, code = reply.text.lower(), str(reply.code)
    found = next(
        (row for start, part, row in _BY_TEXT if code.startswith(start) and part in text), None
    )
    return (
        found
        or _by_enhanced(reply)
        or _BY_CODE.get(reply.code)
        or (_BUSY if reply.passing else _CONTENT)
    )


def _by_enhanced(reply: Reply) -> _Row | None:
    """Return the meaning of a permanent refusal's enhanced status; None if it says no more than the
    code.
    """
    if not reply.final or not reply.enhanced:
        return None
    if reply.enhanced.startswith("7."):
        if reply.code in _SIGN_INS:
            return _SIGN_IN
        return _POLICY if reply.code in _MAIL else None
    return _BY_ENHANCED.get(reply.enhanced)


def _error(row: _Row, reply: Reply, server: Server, sent: Sent | None) -> JackfieldError:
    words = {"region": server.where, "place": server.place}
    # 421 closes the connection after any command: nothing was accepted yet, unless it is the reply
    # to the message itself.
    known = sent or (Sent.NOTHING if reply.code == 421 else Sent.REFUSED)
    return row.kind(
        f"{row.says.format(**words)} ({reply.code})",
        hint=row.hint.format(**words),
        provider=reply.provider,
        sent=known,
    )
