"""Checks of a message's content for the preview: they find content that receivers treat as spam,
cut off or do not display. They never prevent sending.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from jackfield.kernel.dataclass import dataclass
from jackfield_aws_ses.compose import Composed
from jackfield_aws_ses.finding import Finding, Kind, filled
from jackfield_aws_ses.mime import MAX_MESSAGE_SIZE, Message

_GUIDE = "https://docs.aws.amazon.com/ses/latest/dg/"
_GMAIL = "https://support.google.com/a/answer/81126 (Gmail, guidelines for senders)"
_SPAM = "https://spamassassin.apache.org/ (rules of content)"

KINDS: Mapping[str, Kind] = {
    "text_missing": Kind(
        "warning",
        "The message has HTML only.",
        "Give the same content in 'text'.",
        f"{_SPAM}: MIME_HTML_ONLY",
    ),
    "unsubscribe_missing": Kind(
        "warning",
        "The message looks like bulk mail and has no List-Unsubscribe field.",
        "Give 'listUnsubscribe': an https address that unsubscribes with one click.",
        f"{_GMAIL}; RFC 8058",
    ),
    "unsubscribe_not_one_click": Kind(
        "warning",
        "Recipients cannot unsubscribe with one click.",
        "Give 'listUnsubscribe' an https address: Gmail and Yahoo require one of bulk senders.",
        f"{_GMAIL}; RFC 8058",
    ),
    "recipients_visible": Kind(
        "warning",
        "{count} recipients see each other's addresses.",
        "Send one message to each with 'sendBulkEmail', or use 'bcc'.",
        f"{_GUIDE}send-personalized-email-api.html",
    ),
    "link_shortened": Kind(
        "warning",
        "A link leads through {host}, a link shortener.",
        "Link to the target itself: filters distrust shorteners, whose targets are hidden.",
        "https://www.spamhaus.org/ (domains of redirectors)",
    ),
    "link_insecure": Kind(
        "warning", "A link uses http.", "Link with https: mail clients warn of http.", _GMAIL
    ),
    "link_numeric": Kind(
        "warning",
        "A link has an IP address in place of a host name.",
        "Link to a host name.",
        f"{_SPAM}: NUMERIC_HTTP_ADDR",
    ),
    "picture_without_alt": Kind(
        "warning",
        "{count} of the HTML's pictures have no alternative text.",
        "Give each img element an 'alt': most mail clients do not load pictures at once.",
        "https://www.w3.org/WAI/WCAG22/ (1.1.1 Non-text Content)",
    ),
    "picture_missing": Kind(
        "warning",
        "The HTML shows the picture 'cid:{content_id}', which no attachment is.",
        "Attach it with 'contentId', or correct the link.",
        "RFC 2392",
    ),
    "picture_unused": Kind(
        "warning",
        "The inline file {name} is not shown: no 'cid:{content_id}' in the HTML.",
        "Link it as cid:{content_id}, or omit 'contentId' to attach it.",
        "RFC 2392",
    ),
    "subject_capitals": Kind(
        "warning",
        "The subject is in capitals.",
        "Write it as a sentence.",
        f"{_SPAM}: SUBJ_ALL_CAPS",
    ),
    "subject_shouting": Kind(
        "warning",
        "The subject has words or signs of advertising.",
        "Say what the message is about.",
        f"{_SPAM}: SUBJECT rules",
    ),
    "subject_false_reply": Kind(
        "warning",
        "The subject looks like a reply or a forwarded message, and the message is neither.",
        "Omit the prefix, or give the header field In-Reply-To.",
        f"{_GMAIL}; {_SPAM}: FAKE_REPLY",
    ),
    "html_clipped": Kind(
        "warning",
        "The HTML has {size:,} bytes; Gmail shows the first 102,400 only.",
        "Shorten it: remove comments and unused styles.",
        "https://support.google.com/mail/ (message clipped)",
    ),
    "size_slow": Kind(
        "warning",
        "The message has {size:,} bytes; Amazon SES throttles messages above 10 MB.",
        "Link to large files instead.",
        f"{_GUIDE}quotas.html",
    ),
    "size_refused": Kind(
        "warning",
        "The message has {size:,} bytes; many receivers refuse more than 25 MB.",
        "Link to large files instead.",
        "https://support.google.com/a/answer/1366776",
    ),
    "size_near_limit": Kind(
        "warning",
        "The message has {size:,} bytes, of at most 41,943,040.",
        "Link to large files instead.",
        f"{_GUIDE}quotas.html",
    ),
    "sender_at_mailbox_provider": Kind(
        "warning",
        "The sender's domain {domain} is a mailbox provider's: Amazon SES cannot sign for it.",
        "Send from a domain of your own, and give the other address in 'replyTo'.",
        f"{_GUIDE}send-email-authentication-dmarc.html",
    ),
    "sender_not_of_identity": Kind(
        "warning",
        "The identity {identity} does not cover the sender {sender}.",
        "Give the ARN of the sender's address or domain.",
        f"{_GUIDE}sending-authorization-delegate-sender-tasks-email.html",
    ),
    "return_path_differs": Kind(
        "warning",
        "The return path is at {domain}, not at the sender's domain: over SMTP, SPF then does "
        "not count for DMARC.",
        "Use a return path at the sender's domain, or rely on DKIM.",
        f"{_GUIDE}send-email-authentication-dmarc.html; RFC 7489",
    ),
}
"""All findings by code. Codes are stable; docs/tutorial/rich-mail.md lists them."""

_EXAMINED = 1 << 20  # characters of a body
_SHOWN = 100
_MANY = 10  # recipients
_CAPITALS = 6  # letters; fewer are an abbreviation
_CLIPPED, _SLOW, _REFUSED, _NEAR = 102_400, 10 << 20, 25 << 20, MAX_MESSAGE_SIZE * 9 // 10
# compiled at the first preview, not on import: sending does not need them
_LINK_OF_HTML = r"(?i)\b(?:href|src)\s{0,9}=\s{0,9}[\"']?\s{0,9}((https?)://([^\s\"'<>/?#]{1,300}))"
_LINK_OF_TEXT = r"(?i)((https?)://([^\s\"'<>/?#()]{1,300}))"
_PICTURE = r"(?i)<img\b[^<>]{0,5000}>"
_ALTERNATIVE = r"(?i)\balt\s{0,9}="
_NUMERIC = r"(?i)(?:\d{1,3}\.){3}\d{1,3}|\[[0-9a-f:.]+\]"
_BULK = (
    r"(?i)unsubscribe|newsletter|abbestellen|abmelden|désabonner|désinscrire|darse de "
    r"baja|uitschrijven"
)
_SHOUTING = (
    r"(?i)!{2,}|\?{3,}|\${2,}|€{2,}|\b(?:100 ?% free|act now|buy now|cash bonus|click here|earn "
    r"money|free money|limited time|risk[- ]free|"
    r"you (?:have )?won|winner|viagra)\b"
)
_REPLY = r"(?i)(?:re|fwd?|aw|wg) ?:"
_SHORTENERS_TEXT = """
adf.ly amzn.to bit.ly bit.do bl.ink buff.ly cutt.ly dlvr.it fb.me goo.gl is.gd lnkd.in ow.ly qr.ae rb.gy rebrand.ly s.id short.io
shorturl.at shrtco.de t.co t.ly tiny.cc tinyurl.com trib.al v.gd wp.me x.co
"""
_SHORTENERS = frozenset(_SHORTENERS_TEXT.split())
_MAILBOX_PROVIDERS_TEXT = """
aol.com fastmail.com gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net googlemail.com hotmail.com icloud.com live.com mac.com mail.ru
me.com msn.com outlook.com proton.me protonmail.com qq.com t-online.de web.de yahoo.com yahoo.co.uk yahoo.de yahoo.fr
yandex.ru ymail.com
"""
_MAILBOX_PROVIDERS = frozenset(_MAILBOX_PROVIDERS_TEXT.split())


@dataclass(frozen=True, slots=True, repr=False)
class Examined:
    """Message under examination, with its encoded size and the sender's identity."""

    composed: Composed
    size: int
    identity_arn: str | None

    @property
    def message(self) -> Message:
        """Message without its envelope."""
        return self.composed.message


def check_content(composed: Composed, size: int, identity_arn: str | None) -> list[Finding]:
    """Return the possible faults of a message of ``size`` octets, each finding once."""
    about = Examined(composed, size, identity_arn)
    found: dict[tuple[str, str], Finding] = {}
    for check in _CHECKS:
        for code, evidence, values in check(about):
            found.setdefault((code, evidence), filled(KINDS, code, evidence[:_SHOWN], values))
    return list(found.values())


_Found = Iterator[tuple[str, str, Mapping[str, Any]]]


def _parts(about: Examined) -> _Found:
    message = about.message
    if message.html is not None and not (message.text or "").strip():
        yield "text_missing", "no text part", {}
    html = message.html or ""
    pictures = re.findall(_PICTURE, html[:_EXAMINED])
    if bare := [picture for picture in pictures if not re.search(_ALTERNATIVE, picture)]:
        yield "picture_without_alt", bare[0], {"count": len(bare)}
    for content_id in message.missing_pictures:
        yield "picture_missing", f"cid:{content_id}", {"content_id": content_id[:_SHOWN]}
    for item in message.unused_pictures:
        yield "picture_unused", item.name, {"name": item.name, "content_id": item.content_id}


def _unsubscribing(about: Examined) -> _Found:
    message = about.message
    fields = {name.lower(): value for name, value in message.headers}
    recipients = len(message.to) + len(message.cc)
    if recipients > _MANY:
        yield (
            "recipients_visible",
            f"{recipients} recipients in 'to' and 'cc'",
            {"count": recipients},
        )
    if "list-unsubscribe" in fields:
        if "list-unsubscribe-post" not in fields:
            yield "unsubscribe_not_one_click", fields["list-unsubscribe"], {}
        return
    word = re.search(_BULK, (message.html or "")[:_EXAMINED]) or re.search(
        _BULK, (message.text or "")[:_EXAMINED]
    )
    reason = (
        "a List-ID field"
        if "list-id" in fields
        else f"Precedence: {fields['precedence']}"
        if fields.get("precedence", "").lower() in {"bulk", "list"}
        else f"{recipients + len(about.composed.bcc)} recipients"
        if recipients + len(about.composed.bcc) > _MANY
        else f"the word '{word[0]}'"
        if word
        else None
    )
    if reason is not None:
        yield "unsubscribe_missing", reason, {}


def _links(about: Examined) -> _Found:
    message = about.message
    found = [
        *re.findall(_LINK_OF_HTML, (message.html or "")[:_EXAMINED]),
        *re.findall(_LINK_OF_TEXT, (message.text or "")[:_EXAMINED]),
    ]
    for link, scheme, authority in found:
        host = authority.rpartition("@")[2].lower()
        name = (
            host
            if host.startswith("[")
            else host.partition(":")[0].removeprefix("www.").rstrip(".")
        )
        if name in _SHORTENERS:
            yield "link_shortened", link, {"host": name}
        if re.match(_NUMERIC, name):
            yield "link_numeric", link, {}
        if scheme.lower() == "http":
            yield "link_insecure", link, {}


def _subject(about: Examined) -> _Found:
    subject = about.message.subject
    cased = [character for character in subject if character.lower() != character.upper()]
    if len(cased) >= _CAPITALS and sum(map(str.isupper, cased)) > len(cased) * 0.8:
        yield "subject_capitals", subject, {}
    if word := re.search(_SHOUTING, subject):
        yield "subject_shouting", word[0], {}
    if re.match(_REPLY, subject) and not {"in-reply-to", "references"} & {
        name.lower() for name, _ in about.message.headers
    }:
        yield "subject_false_reply", subject, {}


def _sizes(about: Examined) -> _Found:
    html = len((about.message.html or "").encode())
    if html > _CLIPPED:
        yield "html_clipped", f"{html:,} bytes of HTML", {"size": html}
    limits = (("size_near_limit", _NEAR), ("size_refused", _REFUSED), ("size_slow", _SLOW))
    code = next((code for code, least in limits if about.size > least), None)
    if code is not None:
        yield code, f"{about.size:,} bytes", {"size": about.size}


def _sender(about: Examined) -> _Found:
    sender, return_path = about.message.sender, about.composed.return_path
    domain = sender.domain.lower()
    if domain in _MAILBOX_PROVIDERS:
        yield "sender_at_mailbox_provider", sender.address, {"domain": domain}
    if about.identity_arn:
        identity = about.identity_arn.partition(":identity/")[2]
        covered = (
            sender.address.lower() == identity.lower()
            if "@" in identity
            else _is_within(domain, identity.lower())
        )
        if not covered:
            yield (
                "sender_not_of_identity",
                sender.address,
                {"identity": identity, "sender": sender.address},
            )
    if return_path is not None:
        other = return_path.domain.lower()
        if not (_is_within(domain, other) or _is_within(other, domain)):
            yield "return_path_differs", return_path.address, {"domain": other}


def _is_within(domain: str, parent: str) -> bool:
    return domain == parent or domain.endswith(f".{parent}")


_CHECKS: tuple[Callable[[Examined], _Found], ...] = (
    _parts,
    _unsubscribing,
    _links,
    _subject,
    _sizes,
    _sender,
)
