"""The formats that messages have words for, and those that jackfield validates instead of the engine.

jackfield validates addresses because the contract accepts more (and explains more) than RFC 5321's ``email``, and ``byte`` because the
engine lacks it. A format that is not asserted at all (``password``, ``html``, …) is a hint for display.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.dataclass import dataclass
from jackfield.schema.mailboxes import PLAIN, PLAIN_LIST, PLAIN_MAILBOX, email_fault, idn_email_fault, mailbox_fault, mailbox_list_fault

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Mapping

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@dataclass(frozen=True, slots=True)
class Format:
    """Format validated by jackfield. ``quick`` matches most valid strings.

    ``fault`` returns None for a valid string, otherwise the fault as a predicate ("is …") of the value. It may quote parts of the value;
    use the format's noun for secrets.
    """

    fault: Callable[[str], str | None]
    quick: re.Pattern[str] | None = None

    @property
    def holds(self) -> Callable[[str], bool]:
        """Predicate for the engine."""
        fault, quick = self.fault, self.quick
        if quick is None:
            return lambda text: fault(text) is None
        match = quick.fullmatch
        return lambda text: match(text) is not None or fault(text) is None


def _byte_fault(text: str) -> str | None:
    return None if _is_base64(text) else f"is not {FORMATS['byte']}"


def _is_base64(text: str) -> bool:
    """Check for padded Base64 (RFC 4648 §4), without decoding a copy: attachments can be several megabytes."""
    if len(text) % 4 or not text.isascii():
        return False
    padding = text.encode("ascii").translate(None, _BASE64)
    return padding in (b"", b"=", b"==") and text.endswith(padding.decode("ascii"))


JUDGED_HERE: Mapping[str, Format] = {
    "email": Format(email_fault, PLAIN),
    "mailbox": Format(mailbox_fault, PLAIN_MAILBOX),
    "mailbox-list": Format(mailbox_list_fault, PLAIN_LIST),
    "idn-email": Format(idn_email_fault, PLAIN),
    "byte": Format(_byte_fault),
}
"""Formats registered with the engine as jackfield's own."""

FORMATS: Mapping[str, str] = {
    "email": "an email address",
    "mailbox": "an email address",
    "mailbox-list": "a list of email addresses",
    "idn-email": "an email address",
    "uri": "a URI such as https://example.com/path",
    "uri-reference": "a URI or a relative reference such as /path",
    "uri-template": "a URI template such as /users/{id}",
    "iri": "an IRI such as https://example.com/path",
    "iri-reference": "an IRI or a relative reference such as /path",
    "date-time": "a date and time such as 2026-01-31T08:30:00Z",
    "date": "a date such as 2026-01-31",
    "time": "a time such as 08:30:00Z",
    "duration": "a duration such as P1DT12H",
    "uuid": "a UUID",
    "hostname": "a host name",
    "idn-hostname": "a host name",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "regex": "a regular expression",
    "json-pointer": "a JSON Pointer such as /a/0",
    "relative-json-pointer": "a relative JSON Pointer such as 1/a",
    "byte": "base64 text",
}
"""Noun phrase for each asserted format; completes "is not …"."""
