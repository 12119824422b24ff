"""The formats that schemas may name, each judged by our own function: the two engines differ in which they know and how strictly.

A format that is not here (``password``, ``html``, …) says how a value is shown, and any string passes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jackfield.schema.mailboxes import PLAIN, PLAIN_LIST, PLAIN_MAILBOX, email_fault, idn_email_fault, mailbox_fault, mailbox_list_fault
from jackfield.schema.moments import is_date, is_date_time, is_duration, is_time
from jackfield.schema.networks import is_hostname, is_idn_hostname, is_ipv4, is_ipv6, is_uri, is_uri_reference
from jackfield.schema.patterns import compiled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["FORMATS", "Format"]

MAX_PATTERN = 10_000
"""The longest regular expression that is compiled to see if it is one."""

_UUID = re.compile("[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_BAD_TILDE = re.compile("~(?![01])")
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@dataclass(frozen=True, slots=True)
class Format:
    """``noun`` completes "is not …". ``fault`` gives None for a string that is fine, else what is wrong: a predicate after the value.

    ``fault`` may quote parts of the value; for secrets use ``noun``. ``quick`` matches most strings that are fine.
    """

    noun: str
    fault: Callable[[str], str | None]
    quick: re.Pattern[str] | None = None


def _yes_or_no(noun: str, holds: Callable[[str], bool]) -> Format:
    phrase = f"is not {noun}"
    return Format(noun, lambda text: None if holds(text) else phrase)


def _pattern_fault(text: str) -> str | None:
    if len(text) > MAX_PATTERN:
        return f"is longer than {MAX_PATTERN:,} characters"
    try:
        compiled(text)
    except ValueError:
        return "is not a regular expression"
    return None


def _is_pointer(text: str) -> bool:
    return text[:1] in ("", "/") and _BAD_TILDE.search(text) is None


def _is_base64(text: str) -> bool:
    """RFC 4648 §4, padded. No copy is decoded: an attachment has megabytes."""
    if len(text) % 4 or not text.isascii():
        return False
    padding = text.encode("ascii").translate(None, _BASE64)
    return padding in (b"", b"=", b"==") and text.endswith(padding.decode("ascii"))


FORMATS: Mapping[str, Format] = {
    "email": Format("an email address", email_fault, PLAIN),
    "mailbox": Format("an email address", mailbox_fault, PLAIN_MAILBOX),
    "mailbox-list": Format("a list of email addresses", mailbox_list_fault, PLAIN_LIST),
    "idn-email": Format("an email address", idn_email_fault, PLAIN),
    "uri": _yes_or_no("a URI such as https://example.com/path", is_uri),
    "uri-reference": _yes_or_no("a URI or a relative reference such as /path", is_uri_reference),
    "date-time": _yes_or_no("a date and time such as 2026-01-31T08:30:00Z", is_date_time),
    "date": _yes_or_no("a date such as 2026-01-31", is_date),
    "time": _yes_or_no("a time such as 08:30:00Z", is_time),
    "duration": _yes_or_no("a duration such as P1DT12H", is_duration),
    "uuid": _yes_or_no("a UUID", lambda text: _UUID.fullmatch(text) is not None),
    "hostname": _yes_or_no("a host name", is_hostname),
    "idn-hostname": _yes_or_no("a host name", is_idn_hostname),
    "ipv4": _yes_or_no("an IPv4 address", is_ipv4),
    "ipv6": _yes_or_no("an IPv6 address", is_ipv6),
    "regex": Format("a regular expression", _pattern_fault),
    "json-pointer": _yes_or_no("a JSON Pointer such as /a/0", _is_pointer),
    "byte": _yes_or_no("base64 text", _is_base64),
}
"""Every format that is asserted, by its name."""
