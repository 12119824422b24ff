"""The formats that messages have words for, and the formats that jackfield validates instead of the
engine.

jackfield validates addresses because the contract accepts more (and explains more) than RFC 5321's
``email``, and ``byte`` because the engine lacks it. Addresses are validated by shape only, so that
no deliverable address is refused. A format that is not asserted at all (``password``, ``html``, …)
is a hint for display.

Sources: RFC 5321 §4.5.3.1 (lengths), RFC 5322 §3.4 (display names, quoted local parts, comments).
Amazon SES and most providers deliver to ASCII local parts only (no SMTPUTF8, RFC 6531), but a
domain may contain any letter (IDNA).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from jackfield.kernel.dataclass import dataclass
from jackfield.schema.wording import quote

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterator, Mapping

MAX_LOCAL = 64
"""Maximum characters before the ``@`` (RFC 5321 §4.5.3.1.1)."""
MAX_ADDRESS = 254
"""Maximum characters of an address: a path of 256 without its ``<`` and ``>`` (RFC 5321
§4.5.3.1.3).
"""

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
# ASCII letters and digits, and all that is neither ASCII nor blank
_LETTER = r"[^\x00-/:-@\[-\x60\x7b-\xa0\s]"
_INNER = r"[^\x00-,./:-@\[-\x60\x7b-\xa0\s]"  # _LETTER and the hyphen
# an atom's characters, and letters of any script
_FOREIGN_ATOM = r'[^\x00-\x20"(),.:;<>@\[\\\]\x7f-\xa0\s]+'
_QUICK = r"[\w+-]++(?:\.[\w+-]++)*@(?:[A-Za-z0-9]++(?:-++[A-Za-z0-9]++)*\.)+[A-Za-z]{2,}+"
_QUICK_MAILBOX = rf"(?:(?=[^,;<>]{{5,64}}(?:[,;]|\Z)){_QUICK}|[\w .]*+<(?=[^>]{{5,64}}>){_QUICK}>)"
PLAIN = re.compile(rf"(?=.{{5,64}}\Z){_QUICK}", re.ASCII)
"""Regular expression of most common addresses. An address that does not match needs the full
check.
"""
PLAIN_MAILBOX = re.compile(_QUICK_MAILBOX, re.ASCII)
"""Regular expression of a ``PLAIN`` address, with or without a display name of words."""
PLAIN_LIST = re.compile(rf"{_QUICK_MAILBOX}(?:[,;] ?{_QUICK_MAILBOX})*", re.ASCII)
"""Regular expression of one or more addresses that match ``PLAIN_MAILBOX``."""
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_MISPLACED_DOTS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_FOREIGN_DOT_ATOM = re.compile(rf"{_FOREIGN_ATOM}(?:\.{_FOREIGN_ATOM})*")
_QUOTED = re.compile(r'"(?:[ !#-\[\]-~]|\\[ -~])*"')
_DOMAIN_LABEL = re.compile(rf"{_LETTER}(?:{_INNER}{{0,61}}{_LETTER})?")
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_DROPPED = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u2060-\u2064\u206a-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
"""Regular expression of invisible characters that IDNA (UTS 46) drops. Domains that differ only in
such characters are equal, and look equal.
"""
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_RUN = re.compile(r'(?:[^,;\r\n"<(]++|"(?:[^"\\]++|\\.)*"|<[^<>]*+>|\([^()]*+\)|[<(])*', re.DOTALL)
_UNQUOTED_RUN = re.compile(r"(?:[^,;\r\n<(]++|<[^<>]*+>|\([^()]*+\)|[<(])*")

_ESCAPED = re.compile(r"\\.", re.DOTALL)
_APART = re.compile(r"[\s<>()\[\],;:|/]+")
_PAIR = 2
_BETWEEN = re.compile(r"[\s<>()\[\],;:]+")

_NOT = "is not an email address"
_TWO = "holds two addresses without a comma between them"
_SEVERAL = "holds several addresses, where one is expected"


def email_fault(text: str) -> str | None:
    """Return the fault of one bare address, ``local@domain.tld``; None if it is valid."""
    return _address_fault(text, foreign=False)


def idn_email_fault(text: str) -> str | None:
    """Return the fault of one bare address, with letters of any script before the ``@`` too; None
    if it is valid.
    """
    return _address_fault(text, foreign=True)


def mailbox_fault(text: str) -> str | None:
    """Return the fault of one address with an optional display name (everything before the last
    ``<``, quoted or not); None if it is valid.
    """
    text = text.strip()
    control = _CONTROL.search(text)
    if control:
        return f"contains the control character U+{ord(control[0]):04X}"
    if text.endswith(")") and text.rfind("(") > 0:
        text = text[: text.rfind("(")].rstrip()
    if text.endswith(">"):
        name, opened, text = text[:-1].rpartition("<")
        text = text if opened else ""
        if "@" in name and _names_another(name, text.strip()):
            return _SEVERAL if "," in name or ";" in name else _TWO
    fault = _address_fault(text.strip(), foreign=False)
    return _several(text) or fault if fault == _NOT else fault


def mailbox_list_fault(text: str) -> str | None:
    """Return the fault of one or more mailboxes, separated by commas, semicolons or line breaks
    outside quotes, ``<>`` and comments; None if they are valid.
    """
    found = False
    for parts in _mailboxes(text):
        fault = mailbox_fault(", ".join(parts)) and mailbox_fault(parts[0])
        if fault:
            return (
                fault if parts[0] == text.strip() else f"contains {quote(parts[0])}, which {fault}"
            )
        found = True
    return None if found else "contains no email address"


def split_mailboxes(text: str) -> Iterator[tuple[str, str]]:
    """Split a list at the commas, semicolons and line breaks outside quotes, ``<>`` and comments;
    yield each trimmed part and the separator after it.

    It takes linear time: if one quote is not closed, no later quote is either, so the search for a
    closing quote runs once. The scan from the first quote reads the same characters in the same
    state.
    """
    run, start, end = _RUN, 0, 0
    while end < len(text):
        match = run.match(text, end)
        end = match.end() if match else end
        if text[end : end + 1] == '"':
            run = _UNQUOTED_RUN
            continue
        yield text[start:end].strip(), text[end : end + 1]
        start = end = end + 1


def _mailboxes(text: str) -> Iterator[list[str]]:
    """Yield groups of a list's parts that belong together because an unquoted comma in a name split
    them (``Ada, Countess <a@x.io>``).
    """
    together: list[str] = []
    for part, separator in split_mailboxes(text):
        if part:
            together.append(part)
        if together and ("@" in part or separator != ","):
            yield together
            together = []
    if together:
        yield together


def _names_another(name: str, address: str) -> bool:
    """Return whether a display name contains another address outside quotes: that recipient would
    get nothing.
    """
    parts = _ESCAPED.sub("", name).split('"')
    unquoted = [*parts[::2], *parts[-1:]]  # a quote that is not closed quotes nothing
    words = [
        word.strip("'`.\u2018\u2019").partition("@")
        for part in unquoted
        for word in _BETWEEN.split(part)
    ]
    return any(
        before and after and not _same(before, after, *address.rpartition("@")[::2])
        for before, _, after in words
    )


def _several(text: str) -> str | None:
    """Return the fault of a text that has several addresses outside quotes in place of one; None if
    it has at most one.
    """
    unquoted = " ".join(_ESCAPED.sub("", text).split('"')[::2])
    if (
        sum(
            bool(before and after)
            for before, _, after in (word.partition("@") for word in _APART.split(unquoted))
        )
        < _PAIR
    ):
        return None
    return _SEVERAL if "," in unquoted or ";" in unquoted else _TWO


def _same(local: str, domain: str, its_local: str, its_domain: str) -> bool:
    foreign = not (domain + its_domain).isascii()  # such a domain may be written in two ways (IDNA)
    return local.casefold() == its_local.casefold() and (
        foreign or domain.casefold() == its_domain.casefold()
    )


def _address_fault(text: str, *, foreign: bool) -> str | None:
    local, _, domain = text.rpartition("@")
    if not local or not domain:
        return _NOT
    if len(text) > MAX_ADDRESS:
        return f"{_NOT} (more than {MAX_ADDRESS} characters)"
    if len(local) > MAX_LOCAL:
        return f"{_NOT} (more than {MAX_LOCAL} characters before the '@')"
    return _local_fault(local, foreign=foreign) or _domain_fault(domain)


def _local_fault(local: str, *, foreign: bool) -> str | None:
    if "?=" in local.partition("=?")[2]:
        return (
            "has an encoded word (RFC 2047) before the '@', which a mail server could read "
            "as another address"
        )
    if (_FOREIGN_DOT_ATOM if foreign else _DOT_ATOM).fullmatch(local) or _QUOTED.fullmatch(local):
        return None
    letter = next((letter for letter in local if not letter.isascii()), None)
    if _MISPLACED_DOTS.fullmatch(local):
        return (
            f"has a dot at an end of its local part, or two in a row: write '\"{local}\"' "
            "before the '@'"
        )
    if letter is None or foreign or not _FOREIGN_DOT_ATOM.fullmatch(local):
        return _NOT
    return (
        f"has {quote(letter)} before the '@': only ASCII local parts can be delivered (no SMTPUTF8)"
    )


def _domain_fault(domain: str) -> str | None:
    dropped = _DROPPED.search(domain)
    if dropped:
        return f"contains the invisible character U+{ord(dropped[0]):04X} in its domain"
    labels = _DOTS.sub(".", domain).split(".")
    if len(labels) == 1 and _DOMAIN_LABEL.fullmatch(domain):
        return f"{_NOT} (no dot in its domain)"
    if not all(map(_DOMAIN_LABEL.fullmatch, labels)) or labels[-1].isdecimal():
        return _NOT
    return None


_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


@dataclass(frozen=True, slots=True)
class StringFormat:
    """Format validated by jackfield. ``quick`` matches most valid strings.

    ``fault`` returns None for a valid string, otherwise the fault as a predicate ("is …") of the
    value. It may quote parts of the value; use the format's noun for secrets.
    """

    fault: Callable[[str], str | None]
    quick: re.Pattern[str] | None = None

    @property
    def holds(self) -> Callable[[str], bool]:
        """Predicate of a valid string, for the engine."""
        fault, quick = self.fault, self.quick
        if quick is None:
            return lambda text: fault(text) is None
        match = quick.fullmatch
        return lambda text: match(text) is not None or fault(text) is None


def _byte_fault(text: str) -> str | None:
    return None if _is_base64(text) else f"is not {FORMATS['byte']}"


def _is_base64(text: str) -> bool:
    """Return whether a text is padded Base64 (RFC 4648 §4), without decoding a copy: attachments
    can be several megabytes.
    """
    if len(text) % 4 or not text.isascii():
        return False
    padding = text.encode("ascii").translate(None, _BASE64)
    return padding in (b"", b"=", b"==") and text.endswith(padding.decode("ascii"))


JUDGED_HERE: Mapping[str, StringFormat] = {
    "email": StringFormat(email_fault, PLAIN),
    "mailbox": StringFormat(mailbox_fault, PLAIN_MAILBOX),
    "mailbox-list": StringFormat(mailbox_list_fault, PLAIN_LIST),
    "idn-email": StringFormat(idn_email_fault, PLAIN),
    "byte": StringFormat(_byte_fault),
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
