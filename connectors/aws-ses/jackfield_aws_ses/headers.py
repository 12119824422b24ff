"""Header fields: names that a caller may add, allowed values, and encoding (RFC 5322, 2047,
8058).
"""

import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, urlsplit

from .addresses import AddressError, parse_mailbox, parse_mailboxes
from .encoded_words import encode_words, is_encoded

_MAX_NAME = 126  # SES API v2, MessageHeader.Name
_MAX_VALUE = 8000  # our own limit
_LINE = 76  # RFC 2047 §2, for lines with encoded words; RFC 5322 recommends 78
_MAX_LINE = 998  # RFC 5322 §2.1.1
_MAX_WORD = 870  # longest piece that fits in one line after any name

_NAME = re.compile(r"[!-9;-~]+")
_UNPRINTABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_PLAIN = re.compile(r"[!-~](?:[ -~]*[!-~])?")
_URI = re.compile(r"[!#-;=?-\[\]_a-zA-Z~]+")
_BRACKETED = re.compile(r"<[^<>]*>(?:\s*,\s*<[^<>]*>)*")

_ID_ALONE = re.compile(r"[!-;=?-~]+>")
_PHRASES, _ID, _MAILBOXES, _ASCII = "phrases", "id", "mailboxes", "ascii"
# Fields whose values are more than text, and where their syntax stands (IANA's registry of message
# header fields names it, where there is an RFC): an encoded word may replace a phrase of it, and
# nothing else.
_SYNTAX = {
    "list-id": (_ID, "RFC 2919"),
    "keywords": (_PHRASES, "RFC 5322"),
    **dict.fromkeys(("in-reply-to", "references"), (_ASCII, "RFC 5322")),
    **dict.fromkeys(
        (
            "list-archive",
            "list-help",
            "list-owner",
            "list-post",
            "list-subscribe",
            "list-unsubscribe",
        ),
        (_ASCII, "RFC 2369"),
    ),
    **dict.fromkeys(
        ("mail-followup-to", "mail-reply-to"), (_MAILBOXES, "cr.yp.to/proto/replyto.html, no RFC")
    ),
    "original-from": (_MAILBOXES, "RFC 5703"),
    **dict.fromkeys(
        (
            "expires",
            "expiry-date",
            "reply-by",
            "importance",
            "priority",
            "sensitivity",
            "supersedes",
        ),
        (_ASCII, "RFC 4021"),
    ),
    **dict.fromkeys(
        ("accept-language", "language", "autoforwarded", "autosubmitted", "conversion"),
        (_ASCII, "RFC 4021"),
    ),
    **dict.fromkeys(
        (
            "conversion-with-loss",
            "delivery-date",
            "message-context",
            "obsoletes",
            "x400-content-type",
        ),
        (_ASCII, "RFC 4021"),
    ),
    **dict.fromkeys(
        (
            "alternate-recipient",
            "deferred-delivery",
            "disclose-recipients",
            "encoding",
            "encrypted",
        ),
        (_ASCII, "RFC 4021"),
    ),
    **dict.fromkeys(
        ("generate-delivery-report", "incomplete-copy", "latest-delivery-time", "message-type"),
        (_ASCII, "RFC 4021"),
    ),
    **dict.fromkeys(
        (
            "originator-return-address",
            "pics-label",
            "prevent-nondelivery-report",
            "x400-mts-identifier",
        ),
        (_ASCII, "RFC 4021"),
    ),
    "solicitation": (_ASCII, "RFC 3865"),
    "jabber-id": (_ASCII, "RFC 7259"),
    **dict.fromkeys(("sio-label", "sio-label-history"), (_ASCII, "RFC 7444")),
    "list-unsubscribe-post": (_ASCII, "RFC 8058"),
    "auto-submitted": (_ASCII, "RFC 3834"),
    "archived-at": (_ASCII, "RFC 5064"),
    "require-recipient-valid-since": (_ASCII, "RFC 7293"),
    "vbr-info": (_ASCII, "RFC 5518"),
    "tls-required": (_ASCII, "RFC 8689"),
    "x-riferimento-message-id": (_ASCII, "RFC 6109"),
    "original-message-id": (_ASCII, "RFC 8098"),
    "autocrypt": (_ASCII, "Autocrypt level 1"),
    "feedback-id": (_ASCII, "Gmail's feedback loop"),
}

_BY_SES = "is written by Amazon SES"
_BY_PARTS = "is written from the inputs 'text', 'html' and 'attachments'"
_DENIED = {
    "from": "is written from the input 'sender': use 'sender'",
    "sender": "is written from the input 'sender': use 'sender'",
    "to": "is written from the input 'to': use 'to'",
    "cc": "is written from the input 'cc': use 'cc'",
    "bcc": "would reveal the hidden recipients to everybody: use 'bcc'",
    "reply-to": "is written from the input 'replyTo': use 'replyTo'",
    "subject": "is written from the input 'subject': use 'subject'",
    "message-id": _BY_SES,
    "date": _BY_SES,
    "return-path": "is written by the receiving server, from the envelope",
    "received": "is written by the servers that relay the message",
    "dkim-signature": f"{_BY_SES}, which signs for the sender's domain",
    "domainkey-signature": f"{_BY_SES}, which signs for the sender's domain",
    "authentication-results": "is written by the receiving server",
    "received-spf": "is written by the receiving server",
    "delivered-to": (
        "is written by the receiving server, which takes a message that has it for one that "
        "came back"
    ),
    "apparently-to": "names recipients: use 'to'",
    "x-ses-tenant": "chooses the tenant of Amazon SES: use 'tenant'",
    **dict.fromkeys(
        ("errors-to", "return-receipt-to"),
        "names a return path, which Amazon SES takes from the sender or its identity",
    ),
    **dict.fromkeys(
        ("disposition-notification-to", "x-confirm-reading-to"),
        "would send read receipts to an arbitrary address: use the configuration set's events "
        "instead",
    ),
}
_DENIED_PREFIXES = {
    "mime-": _BY_PARTS,
    "content-": _BY_PARTS,
    "resent-": "is for messages that are resent, and this is a new message",
    "arc-": "is written by the servers that relay the message",
    "x-ses-": "controls Amazon SES itself: use the action's own inputs",
}


class HeaderError(ValueError):
    """Error of a header field that cannot be sent. ``reason`` is a predicate about the field
    ``name``.
    """

    def __init__(self, reason: str, name: str) -> None:
        super().__init__(reason, name)
        self.reason = reason
        self.name = name

    def __str__(self) -> str:
        return f"{self.name[:_MAX_NAME]!r} {self.reason}"


def check_header_name(name: str) -> str:
    """Return ``name`` if a caller may add that field; else raise `HeaderError`. For a reserved
    field, the error names the alternative.
    """
    if not _NAME.fullmatch(name):
        raise HeaderError("is not a header name: printable ASCII without spaces or colons", name)
    if len(name) > _MAX_NAME:
        raise HeaderError(f"is a header name of more than {_MAX_NAME} characters", name)
    key = name.lower()
    reason = _DENIED.get(key)
    if reason is None:
        reason = next(
            (why for prefix, why in _DENIED_PREFIXES.items() if key.startswith(prefix)), None
        )
    if reason is not None:
        raise HeaderError(reason, name)
    return name


def check_header_value(name: str, value: str) -> str:
    """Return ``value`` if it is one line without control characters, in the field's syntax; else
    raise `HeaderError`.
    """
    field_words(name, _check_line(name, value))
    return value


def _check_line(name: str, value: str) -> str:
    if len(value) > _MAX_VALUE:
        raise HeaderError(f"has a value of more than {_MAX_VALUE} characters", name)
    unprintable = _UNPRINTABLE.search(value)
    if unprintable:
        raise HeaderError(
            f"has a value with the control character U+{ord(unprintable[0]):04X}", name
        )
    return value


def field_words(name: str, value: str) -> tuple[str, ...]:
    """Split a value into the words of the field ``name``, as `unstructured` does, but in the
    field's own syntax if it has one.

    :raises HeaderError: if that syntax forbids a character beyond ASCII or a part that is too long
        for a line.
    """
    syntax, source = _SYNTAX.get(name.lower(), ("", ""))
    if not syntax:
        return unstructured(value)
    if syntax == _MAILBOXES:
        return _mailbox_words(name, value)
    if syntax == _PHRASES:
        phrases = [_phrase(part.strip()) for part in value.split(",")]
        return tuple(_comma_separated(phrases))
    before, _, identifier = value.strip().rpartition("<")
    listed = syntax == _ID and _ID_ALONE.fullmatch(identifier) is not None and "<" in value
    phrase = _phrase(before.strip()) if listed else ()
    words = (*phrase, *(f"<{identifier}" if listed else value).split())
    if any(not word.isascii() or len(word) > _MAX_WORD for word in words):
        raise HeaderError(
            f"has a character beyond ASCII, or a part of more than {_MAX_WORD} characters, where "
            f"its syntax ({source}) has none",
            name,
        )
    return words


def _phrase(text: str) -> tuple[str, ...]:
    if _PLAIN.fullmatch(text) and ("=?" not in text or is_encoded(text)):
        return tuple(text.split())
    return encode_words(text)


def _mailbox_words(name: str, value: str) -> tuple[str, ...]:
    try:
        found = [mailbox.words for mailbox in parse_mailboxes(value)]
    except AddressError as error:
        raise HeaderError(f"holds addresses, and {error}", name) from None
    return tuple(_comma_separated(found))


def _comma_separated(items: list[tuple[str, ...]]) -> Iterator[str]:
    """Yield the words of a list's items; a comma follows each item but the last."""
    filled = [item for item in items if item]
    for number, item in enumerate(filled, 1):
        yield from item[:-1]
        yield item[-1] if number == len(filled) else f"{item[-1]},"


def unstructured(value: str) -> tuple[str, ...]:
    """Split free text into the words of a header field: plain if it is printable ASCII, else
    encoded words (RFC 2047).

    The field may be folded at the blanks between words; ``" ".join`` yields the unfolded ASCII
    value.
    """
    if not value:
        return ()
    short = len(value) <= _LINE - len("Subject: ")
    if _PLAIN.fullmatch(value) and "=?" not in value and (short or "  " not in value):
        words = tuple(value.split(" "))
        if max(map(len, words)) <= _MAX_WORD:
            return words
    return encode_words(value)


def fold(name: str, words: Iterable[str]) -> bytes:
    r"""Return one header field with its CRLF, folded between words to lines of 76 characters if
    possible.

    Removing the CRLFs yields ``name: word word`` again, so nothing is added or lost.
    """
    lines = []
    line = f"{name}:"
    empty = True
    for word in words:
        overlong = len(line) + 1 + len(word) > _LINE
        # A field that begins with an empty line is legal but discouraged: only if the RFCs leave no
        # choice.
        if (
            overlong
            and word
            and (not empty or word.startswith("=?") or len(line) + 1 + len(word) > _MAX_LINE)
        ):
            lines.append(line)
            line = ""
        line = f"{line} {word}"
        empty = False
    lines.append(line)
    return ("\r\n".join(lines) + "\r\n").encode("ascii")


def list_unsubscribe_headers(value: str | Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return ``List-Unsubscribe``, and with an https address ``List-Unsubscribe-Post`` (one click,
    RFC 8058).

    ``value`` is an https or mailto URI, a list of the two, or ``<…>, <…>`` in one string. Raises
    `HeaderError`.
    """
    uris = _uris(value)
    schemes = [uri.partition(":")[0].lower() for uri in uris]
    if not uris or len(set(schemes)) < len(schemes):
        raise HeaderError(
            "takes one https address, one mailto address, or one of each", "List-Unsubscribe"
        )
    for uri, scheme in zip(uris, schemes, strict=True):
        _check_uri(uri, scheme)
    pairs = [("List-Unsubscribe", ", ".join(f"<{uri}>" for uri in uris))]
    if "https" in schemes:
        pairs.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    return tuple(pairs)


def _uris(value: str | Iterable[str]) -> list[str]:
    texts = [value] if isinstance(value, str) else list(value)
    found: list[str] = []
    for text in texts:
        trimmed = _check_line("List-Unsubscribe", text.strip())
        if _BRACKETED.fullmatch(trimmed):
            found.extend(part.strip() for part in re.findall("<([^<>]*)>", trimmed))
        else:
            # A comma may be part of a URI: only one before the start of another URI separates.
            found.extend(re.split(r",\s+(?=https:)|,\s*(?=mailto:)", trimmed, flags=re.IGNORECASE))
    return found


def _check_uri(uri: str, scheme: str) -> None:
    header = "List-Unsubscribe"
    if scheme not in {"https", "mailto"}:
        raise HeaderError(f"contains {uri[:100]!r}; expected an https or mailto URI", header)
    if not _URI.fullmatch(uri) or len(uri) > _MAX_WORD - 3:
        raise HeaderError(
            f"contains {uri[:100]!r}; expected an ASCII URI of at most {_MAX_WORD - 3} characters",
            header,
        )
    try:
        if scheme == "mailto":
            parse_mailbox(unquote(urlsplit(uri).path))
        elif not urlsplit(uri).hostname:
            raise HeaderError(f"contains {uri[:100]!r}, which has no host", header)
    except AddressError as error:
        raise HeaderError(f"contains an invalid mailto address: {error}", header) from None
    except ValueError as error:
        if isinstance(error, HeaderError):
            raise
        raise HeaderError(f"contains {uri[:100]!r}, which is not a URI", header) from None
