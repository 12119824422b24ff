"""Placeholders that other providers replace and Amazon SES does not: the kind and the treatment of
each (docs/tutorial/providers.md).

A remaining placeholder would arrive in the message unchanged. It is reported as a difference, and
refused in a link to unsubscribe, which would be dead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from jackfield.kernel.dataclass import dataclass

_SHOWN = 60
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Placeholder:
    """Placeholder found in a message. ``unsubscribes`` means that it is a link or an address to
    unsubscribe.
    """

    written: str
    unsubscribes: bool
    by: str

    def difference(self) -> str:
        """Return the difference, as the predicate of a note."""
        advice = ": put the address of your own page in its place" if self.unsubscribes else ""
        return (
            f"keeps '{self.written}' as it is written, which {self.by} fills in and "
            f"'sendEmail' does not{advice}"
        )

    def refusal(self) -> str:
        """Return the reason for refusing the message, and the remedy."""
        return (
            f"has '{self.written}', a link to unsubscribe that {self.by} fills in and 'sendEmail' "
            "does not: it would be dead. Put the "
            "address of your own page in its place, and give --list-unsubscribe, for the input "
            "'listUnsubscribe'. SES fills in its own "
            "{{amazonSESUnsubscribeUrl}} for contact lists only (ListManagementOptions of "
            "aws.sesv2/sendEmail)"
        )


_TAG = r"(?:<|&lt;)%(?!=)[^<>%]{0,300}%(?:>|&gt;)"
_BRACKETED = (
    "weblink|unsubscribe|unsubscribe_preferences|sender_(?:name|address|city|state|zip|country)"
)
_PATTERNS: Mapping[str, tuple[str, str]] = {
    "mailgun": (
        "Mailgun",
        r"%(?:recipient|mailing_?list|list|tag|unsubscribe)(?:_[a-z_]{1,40})?(?:\.[^%<>\"'\r\n]{1,100})?%",
    ),
    "sendgrid": (
        "SendGrid",
        rf"{_TAG}|\[%[^\[\]%]{{1,200}}%\]|\[(?:{_BRACKETED})\]|(?<![\w-])-[A-Za-z][\w.]{{0,60}}-(?![\w-])",
    ),
    "postmark": ("Postmark", r"\{\{\{?\s*pm:[^{}]{1,100}\}?\}\}"),
    "resend": ("Resend", r"\{\{\{\s*RESEND_[A-Z_]{1,60}\s*\}\}\}"),
}
"""Name of the provider and pattern of its own placeholders, by format (the tests name the
sources).
"""
_BRACES = r"\{\{\{?[^{}]{1,300}\}?\}\}"
"""Regular expression of Handlebars, Mustache and Mustachio: templates of all four providers."""
_UNSUBSCRIBES = re.compile(
    r"unsub|opt[-_]?out|preferences?[-_]?(?:url|link)|^(?:<|&lt;)%|pm:unsubscribe|asm_",
    re.IGNORECASE,
)
"""Regular expression of placeholders for unsubscribing. SendGrid makes any text between ``<%`` and
``%>`` such a link, if it tracks subscriptions.
"""
_OF_SES = "amazonses"


def find(form: str, text: str, own: Mapping[str, bool]) -> Iterator[Placeholder]:
    """Yield the placeholders of a text, each once, placeholders for unsubscribing first. ``own``
    are further placeholders, which the request declares; True marks one for unsubscribing.
    """
    by, pattern = _PATTERNS[form]
    found = {
        match[0]: bool(_UNSUBSCRIBES.search(match[0]))
        for match in re.finditer(f"{pattern}|{_BRACES}", text, re.IGNORECASE)
    }
    found |= {word: unsubscribes for word, unsubscribes in own.items() if word and word in text}
    for word, unsubscribes in sorted(found.items(), key=lambda item: not item[1])[:_LISTED]:
        yield Placeholder(
            word[:_SHOWN], unsubscribes, "a contact list of SES" if _OF_SES in word.lower() else by
        )


FOREIGN_FIELDS: Mapping[str, str] = {
    "x-mailgun-": "Mailgun",
    "x-pm-": "Postmark",
    "x-postmark-": "Postmark",
    "x-smtpapi": "SendGrid",
    "x-sg-": "SendGrid",
    "x-sendgrid-": "SendGrid",
    "x-resend-": "Resend",
    "x-mc-": "Mandrill",
    "x-mandrill-": "Mandrill",
    "x-msys-": "SparkPost",
    "x-mj-": "Mailjet",
    "x-mailjet-": "Mailjet",
    "x-sib-": "Brevo",
    "x-mailin-": "Brevo",
    "x-ses-": "Amazon SES over SMTP",
}
"""Prefixes of header fields that control mail at one provider. They have no meaning elsewhere, and
may reveal internals.
"""
_INSTEAD: Mapping[str, str] = {
    "x-mailgun-tag": "'tags'",
    "x-pm-tag": "'tags'",
    "x-ses-message-tags": "'tags'",
    "x-ses-configuration-set": "'configurationSetName'",
    "x-mailgun-deliver-by": "'notBefore'",
    "x-pm-message-stream": "'configurationSetName'",
    "x-smtpapi": "the inputs of the invocation",
}


def foreign_field(name: str) -> str | None:
    """Return the reason for leaving a header field out, if it has a meaning at one provider only;
    else None.
    """
    key = name.lower()
    by = next((by for start, by in FOREIGN_FIELDS.items() if key.startswith(start)), None)
    if by is None:
        return None
    instead = f"; give {_INSTEAD[key]}" if key in _INSTEAD else ""
    return f"is left out: it means something at {by} only{instead}"
