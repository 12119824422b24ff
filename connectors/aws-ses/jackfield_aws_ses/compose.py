"""Conversion of the inputs of ``sendEmail`` to a message, with the checks that a schema cannot
express.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.connector import Detail, pointer
from jackfield.connector.evidence import MARKER_TEXT
from jackfield.kernel.dataclass import dataclass
from jackfield_aws_ses.addresses import (
    AddressError,
    Mailbox,
    parse_mailbox,
    parse_mailboxes,
    unique_recipients,
)
from jackfield_aws_ses.attachments import Attachment, AttachmentError, parse_attachments
from jackfield_aws_ses.calendars import Calendar, CalendarError, parse_calendar
from jackfield_aws_ses.headers import (
    HeaderError,
    check_header_name,
    check_header_value,
    list_unsubscribe_headers,
)
from jackfield_aws_ses.mime import (
    MAX_MESSAGE_SIZE,
    Message,
    MessageError,
    check_texts,
    encoded_size,
    may_exceed,
)

if TYPE_CHECKING:
    from jackfield_aws_ses.email_fields import EmailFields, Invitation

MAX_RECIPIENTS = 50
"""Maximum number of recipients of one message in to, cc and bcc together (SES API v2,
Destination).
"""
MAX_TAGS = 50
"""Maximum number of tags of one message (SES API v2, EmailTags)."""
MARKER_TAG = "jackfield"
"""Tag with the marker of the attempt that sent a message. SES's events repeat it, which resolves a
call in doubt.
"""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Composed:
    """Message and envelope. ``bcc`` is never in the message."""

    message: Message
    bcc: tuple[Mailbox, ...]
    return_path: Mailbox | None
    tags: tuple[tuple[str, str], ...]


def pairs(
    value: Mapping[str, str] | Iterable[Mapping[str, str]] | None,
) -> tuple[tuple[str, str, str], ...]:
    """Return pointer, name and value of each member of a map, or of a list of ``{"key",
    "value"}``.
    """
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return tuple((pointer(name), name, item) for name, item in value.items())
    return tuple(
        (f"/{index}/value", item["key"], item["value"]) for index, item in enumerate(value)
    )


def compose(email: EmailFields) -> tuple[Composed | None, tuple[Detail, ...]]:
    """Compose the message of the inputs, or return None and all faults."""
    faults = _Faults()
    to, cc, bcc = (
        faults.mailboxes("/to", email.to),
        faults.mailboxes("/cc", email.cc),
        faults.mailboxes("/bcc", email.bcc),
    )
    if len(to) + len(cc) + len(bcc) > 1:
        to, cc, bcc = unique_recipients(to, cc, bcc)
    faults.recipients(len(to) + len(cc) + len(bcc))
    nobody: Mailbox | None = None
    sender = faults.read("/sender", parse_mailbox, email.sender, nobody)
    reply_to = faults.mailboxes("/replyTo", email.reply_to)
    return_path = (
        faults.read("/returnPath", parse_mailbox, email.return_path, nobody)
        if email.return_path
        else None
    )
    no_files: tuple[Attachment, ...] = ()
    attachments = (
        faults.read("/attachments", parse_attachments, email.attachments, no_files)
        if email.attachments
        else no_files
    )
    calendar = faults.calendar(email.calendar) if email.calendar else None
    headers = faults.headers(email) if email.headers or email.list_unsubscribe else ()
    tags = faults.tags(email) if email.tags else ()
    if faults.found or sender is None:
        return None, tuple(faults.found)
    message = Message(
        sender,
        to,
        cc,
        reply_to,
        email.subject,
        email.text,
        email.html,
        headers,
        attachments,
        calendar,
    )
    faults.size(message)
    return (None if faults.found else Composed(message, bcc, return_path, tags)), tuple(
        faults.found
    )


class _Faults:
    """Collector of faults, to report all together."""

    def __init__(self) -> None:
        self.found: list[Detail] = []

    def add(self, path: str, message: str, keyword: str | None = None) -> None:
        self.found.append(Detail(path, message, keyword))

    def read(self, path: str, parse: Callable[[Any], T], value: object, otherwise: T) -> T:
        try:
            return parse(value)
        except AddressError as error:
            self.add(
                path if error.index is None else f"{path}/{error.index}",
                f"'{_cut(error.given)}' {error.reason}",
                "format",
            )
        except AttachmentError as error:
            self.add(
                f"{path}{error.pointer}",
                error.reason,
                "contentEncoding" if "base64" in error.reason else None,
            )
        return otherwise

    def mailboxes(self, path: str, value: str | Iterable[str] | None) -> tuple[Mailbox, ...]:
        none: tuple[Mailbox, ...] = ()
        return self.read(path, parse_mailboxes, value, none) if value else none

    def recipients(self, count: int) -> None:
        if self.found:
            return
        if count == 0:
            self.add("/to", "give at least one recipient in 'to', 'cc' or 'bcc'", "required")
        elif count > MAX_RECIPIENTS:
            self.add(
                "/to",
                f"{count} recipients in 'to', 'cc' and 'bcc'; Amazon SES accepts at most "
                f"{MAX_RECIPIENTS}",
                "maxItems",
            )

    def headers(self, email: EmailFields) -> tuple[tuple[str, str], ...]:
        fields: list[tuple[str, str]] = []
        seen: set[str] = set()
        for path, name, value in pairs(email.headers):
            try:
                fields.append((check_header_name(name), check_header_value(name, value)))
            except HeaderError as error:
                self.add(f"/headers{path}", error.reason)
            if name.lower() in seen:
                self.add(f"/headers{path}", "occurs twice")
            seen.add(name.lower())
        if email.list_unsubscribe:
            fields.extend(self.list_unsubscribe(email.list_unsubscribe, seen))
        return tuple(fields)

    def calendar(self, given: Invitation) -> Calendar | None:
        try:
            return parse_calendar(given.text, given.method)
        except CalendarError as error:
            self.add(f"/calendar{error.pointer}", error.reason)
            return None

    def list_unsubscribe(self, value: str, seen: set[str]) -> tuple[tuple[str, str], ...]:
        try:
            fields = list_unsubscribe_headers(value)
        except HeaderError as error:
            self.add("/listUnsubscribe", error.reason)
            return ()
        twice = next((name for name, _ in fields if name.lower() in seen), None)
        if twice is not None:
            self.add("/listUnsubscribe", f"writes '{twice}', which 'headers' also sets")
        return fields

    def tags(self, email: EmailFields) -> tuple[tuple[str, str], ...]:
        fields: list[tuple[str, str]] = []
        seen: set[str] = set()
        for path, name, value in pairs(email.tags):
            if name in seen:
                # only a list can repeat a name
                self.add(f"/tags{path.removesuffix('/value')}/key", "occurs twice")
            seen.add(name)
            fields.append((name, value))
            if name == MARKER_TAG and MARKER_TEXT.search(value):
                self.add(
                    f"/tags{path}",
                    "is a marker of jackfield, by which it finds out what became of another "
                    "call: leave it out",
                )
        if len(fields) > MAX_TAGS:
            self.add(
                "/tags",
                f"contains {len(fields)} tags; Amazon SES accepts at most {MAX_TAGS}",
                "maxItems",
            )
        return tuple(fields)

    def size(self, message: Message) -> None:
        try:
            size = encoded_size(message) if may_exceed(message) else check_texts(message)
        except MessageError as error:
            self.add(f"/{error.field}", error.reason)
            return
        if size > MAX_MESSAGE_SIZE:
            where = "/attachments" if message.attachments else "/html" if message.html else "/text"
            reason = (
                f"the encoded message would be {size:,} bytes; Amazon SES accepts at most "
                f"{MAX_MESSAGE_SIZE:,}"
            )
            self.add(where, reason, "maxLength")


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"
