"""From the inputs of ``sendEmail`` to a message, with every fault that a schema cannot see."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from jackfield.connector import Detail
from jackfield_aws_ses.addresses import AddressError, Mailbox, parse_mailbox, parse_mailboxes, unique_recipients
from jackfield_aws_ses.attachments import Attachment, AttachmentError, parse_attachments
from jackfield_aws_ses.headers import HeaderError, check_header_name, check_header_value, list_unsubscribe_headers
from jackfield_aws_ses.mime import MAX_MESSAGE_SIZE, Message, MessageError, check_texts, encoded_size, may_exceed

if TYPE_CHECKING:
    from jackfield_aws_ses.inputs import Email

__all__ = ["MAX_RECIPIENTS", "MAX_TAGS", "Composed", "compose", "pairs"]

MAX_RECIPIENTS = 50
"""Recipients of one message over to, cc and bcc together (SES API v2, Destination)."""
MAX_TAGS = 50
"""Tags of one message (SES API v2, EmailTags)."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Composed:
    """A message and its envelope. ``bcc`` is never in the message."""

    message: Message
    bcc: tuple[Mailbox, ...]
    return_path: Mailbox | None
    tags: tuple[tuple[str, str], ...]


def pairs(value: Mapping[str, str] | Iterable[Mapping[str, str]] | None) -> tuple[tuple[str, str, str], ...]:
    """Pointer, name and value of each member of a map, or of a list of ``{"key", "value"}``."""
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return tuple((_pointer(name), name, item) for name, item in value.items())
    return tuple((f"/{index}/value", item["key"], item["value"]) for index, item in enumerate(value))


def compose(email: Email) -> tuple[Composed | None, tuple[Detail, ...]]:
    """The message that the inputs describe, or every fault in them."""
    faults = _Faults()
    none: tuple[Mailbox, ...] = ()
    to, cc, bcc = unique_recipients(
        faults.read("/to", parse_mailboxes, email.to or (), none),
        faults.read("/cc", parse_mailboxes, email.cc or (), none),
        faults.read("/bcc", parse_mailboxes, email.bcc or (), none),
    )
    faults.recipients(len(to) + len(cc) + len(bcc))
    nobody: Mailbox | None = None
    sender = faults.read("/sender", parse_mailbox, email.sender, nobody)
    reply_to = faults.read("/replyTo", parse_mailboxes, email.reply_to or (), none)
    return_path = faults.read("/returnPath", parse_mailbox, email.return_path, nobody) if email.return_path else None
    no_files: tuple[Attachment, ...] = ()
    attachments = faults.read("/attachments", parse_attachments, email.attachments or {}, no_files)
    headers = faults.headers(email)
    tags = tuple((name, value) for _, name, value in pairs(email.tags))
    if len(tags) > MAX_TAGS:
        faults.add("/tags", f"holds {len(tags)} tags; Amazon SES takes at most {MAX_TAGS}", "maxItems")
    if faults.found or sender is None:
        return None, tuple(faults.found)
    message = Message(sender, to, cc, reply_to, email.subject, email.text, email.html, headers, attachments)
    faults.size(message)
    return (None if faults.found else Composed(message, bcc, return_path, tags)), tuple(faults.found)


class _Faults:
    """Collects faults while the parts are read, so that all of them are told at once."""

    def __init__(self) -> None:
        self.found: list[Detail] = []

    def add(self, path: str, message: str, keyword: str | None = None) -> None:
        self.found.append(Detail(path, message, keyword))

    def read(self, path: str, parse: Callable[[Any], T], value: object, otherwise: T) -> T:
        try:
            return parse(value)
        except AddressError as error:
            self.add(path if error.index is None else f"{path}/{error.index}", f"'{_cut(error.given)}' {error.reason}", "format")
        except AttachmentError as error:
            self.add(f"{path}{error.pointer}", error.reason, "contentEncoding" if "base64" in error.reason else None)
        return otherwise

    def recipients(self, count: int) -> None:
        if self.found:
            return
        if count == 0:
            self.add("/to", "give at least one recipient in 'to', 'cc' or 'bcc'", "required")
        elif count > MAX_RECIPIENTS:
            self.add("/to", f"{count} recipients in 'to', 'cc' and 'bcc'; Amazon SES takes at most {MAX_RECIPIENTS}", "maxItems")

    def headers(self, email: Email) -> tuple[tuple[str, str], ...]:
        fields: list[tuple[str, str]] = []
        seen: set[str] = set()
        for pointer, name, value in pairs(email.headers):
            try:
                fields.append((check_header_name(name), check_header_value(name, value)))
            except HeaderError as error:
                self.add(f"/headers{pointer}", error.reason)
            if name.lower() in seen:
                self.add(f"/headers{pointer}", "occurs twice")
            seen.add(name.lower())
        if email.list_unsubscribe:
            try:
                fields.extend(list_unsubscribe_headers(email.list_unsubscribe))
            except HeaderError as error:
                self.add("/listUnsubscribe", error.reason)
            if "list-unsubscribe" in seen:
                self.add("/listUnsubscribe", "is given in 'headers' too")
        return tuple(fields)

    def size(self, message: Message) -> None:
        try:
            size = encoded_size(message) if may_exceed(message) else check_texts(message)
        except MessageError as error:
            self.add(f"/{error.field}", error.reason)
            return
        if size > MAX_MESSAGE_SIZE:
            where = "/attachments" if message.attachments else "/html" if message.html else "/text"
            reason = f"the encoded message would be {size:,} bytes; Amazon SES takes at most {MAX_MESSAGE_SIZE:,}"
            self.add(where, reason, "maxLength")


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"  # noqa: PLR2004 (as schema messages do)


def _pointer(name: str) -> str:
    return "/" + name.replace("~", "~0").replace("/", "~1")
