"""Actions that find and read messages."""

from __future__ import annotations

from datetime import date
from email import message_from_bytes
from typing import TYPE_CHECKING, Any

from jackfield.connector import (
    Field,
    Inputs,
    NotFound,
    Output,
    OutputFile,
    Pagination,
    Rejected,
    Sent,
)
from jackfield_imap.bodies import attachments_of, texts_of
from jackfield_imap.client import ImapClient
from jackfield_imap.connector import connector
from jackfield_imap.fields import KEYWORD, TEXT, UID, flags_of, mailbox_field, validity_field
from jackfield_imap.headers import addresses_of, raw_of
from jackfield_imap.mailboxes import opened
from jackfield_imap.session import Value
from jackfield_imap.summaries import FACTS, Summary, members, summaries

if TYPE_CHECKING:
    from jackfield_imap.session import Server

_EXAMPLE = {
    "uid": 4711,
    "subject": "Order 7",
    "from": ["Ada <ada@example.com>"],
    "to": ["shop@example.com"],
    "date": "2026-11-27T09:30:00Z",
    "received": "2026-11-27T09:30:02Z",
    "messageId": "<7@example.com>",
    "size": 2048,
    "flags": ["seen"],
}
_MOST = 500
_LONGEST = 15 * 1024 * 1024
"""Maximum bytes of a message that is read. Providers accept 20 to 35 MB; encoding makes attachments
a third larger.
"""


def _text(title: str, description: str) -> Any:
    return Field(None, title=title, description=description, blank="absent", schema=TEXT)


def _day(title: str, description: str) -> Any:
    return Field(
        None,
        title=title,
        description=description,
        blank="absent",
        examples=["2026-11-01"],
        schema={"format": "date"},
    )


class Query(Inputs):
    """Search for messages that meet all conditions."""

    mailbox: str = mailbox_field()
    from_: str | None = Field(
        None,
        title="From",
        alias="from",
        description="Part of the sender's name or address.",
        blank="absent",
        schema=TEXT,
    )
    to: str | None = _text("To", "Part of a recipient's name or address.")
    subject: str | None = _text("Subject", "Part of the subject.")
    text: str | None = _text("Text", "Part of the head or the body.")
    message_id: str | None = _text("Message ID", "The message's own ID.")
    since: str | None = _day("Since", "Day from which on the server got it.")
    before: str | None = _day("Before", "Day before which the server got it.")
    flags: tuple[str, ...] = Field(
        (),
        title="Flags",
        blank="absent",
        description="Flags that it has: seen, answered, flagged, draft, or keywords.",
        examples=[["flagged"]],
        schema={"maxItems": 20, "items": KEYWORD},
    )
    without_flags: tuple[str, ...] = Field(
        (),
        title="Without Flags",
        blank="absent",
        description="Flags that it has not: 'seen' for mail that nobody has read.",
        examples=[["seen"]],
        schema={"maxItems": 20, "items": KEYWORD},
    )
    page_size: int = Field(
        50,
        title="Page Size",
        blank="absent",
        description="Messages of a page at most.",
        schema={"minimum": 1, "maximum": _MOST},
    )
    next_token: str | None = Field(
        None,
        title="Next Token",
        description="Token of the page to fetch.",
        blank="absent",
        schema={"pattern": "^[0-9]{1,10}-[0-9]{1,10}$"},
    )
    fetch_all: bool = Field(
        False, title="Fetch All", description="True to fetch every page.", blank="absent"
    )


class Found(Output):
    """Page of messages."""

    messages: tuple[Summary, ...] = Field(
        title="Messages", description="The messages, the one that came last first."
    )
    uid_validity: int = Field(
        title="UID Validity", description="UIDs name the same messages while this number stays."
    )
    next_token: str | None = Field(
        None, title="Next Token", description="Token of the next page, if there is one."
    )


class Wanted(Inputs):
    """Message to read."""

    mailbox: str = mailbox_field()
    uid: int = Field(title="UID", description="The message's UID.", examples=[4711], schema=UID)
    uid_validity: int | None = validity_field()
    include_attachments: bool = Field(
        False,
        title="Include Attachments",
        blank="absent",
        description="True to store the attachments as files, which needs a database.",
    )


class Attachment(Output):
    """Attachment of a message."""

    name: str = Field(
        title="Name", description="The file's name, as the message says; empty if it says none."
    )
    content_type: str = Field(
        title="Content Type", description="Its media type, as the message says."
    )
    size: int = Field(title="Size", description="Its size in bytes.")
    content_id: str | None = Field(
        None, title="Content ID", description="The ID by which the HTML text shows it."
    )
    file: OutputFile | None = Field(
        None, title="File", description="The stored file, if attachments are included."
    )


class Whole(Summary):
    """Message."""

    reply_to: tuple[str, ...] = Field((), title="Reply To", description="Where answers should go.")
    in_reply_to: str | None = Field(
        None, title="In Reply To", description="ID of the message that it answers."
    )
    text: str | None = Field(None, title="Text", description="The plain text, if it has one.")
    html: str | None = Field(
        None,
        title="HTML",
        description="The HTML text, if it has one, as it came: clean it before it is shown.",
    )
    attachments: tuple[Attachment, ...] = Field(
        (), title="Attachments", description="Its attachments."
    )


@connector.action(
    "searchMessages",
    effect="read",
    pagination=Pagination("nextToken", "nextToken", "messages", all_input="fetchAll"),
    examples=[
        (
            "Unread mail about orders",
            {"subject": "order", "withoutFlags": ["seen"]},
            {"messages": [_EXAMPLE], "uidValidity": 1732000000},
        )
    ],
    keywords=("find mail", "unread mail", "inbox"),
)
def search_messages(query: Query, client: ImapClient) -> Found:
    """Find messages in a mailbox, newest first. Reading their heads does not mark them as seen."""

    def search(server: Server) -> Found:
        known, below = (int(part) for part in (query.next_token or "0-0").split("-"))
        validity = opened(server, query.mailbox, validity=known or None)
        words = _criteria(query) + ([] if not below else ["UID", f"1:{below - 1}"])
        uids = (
            []
            if below == 1
            else sorted(server.search(words, "UTF-8" if _is_wide(query) else None), reverse=True)
        )
        page, more = uids[: query.page_size], len(uids) > query.page_size
        return Found(
            messages=summaries(server, page),
            uid_validity=validity,
            next_token=f"{validity}-{page[-1]}" if more else None,
        )

    return client.read("SEARCH", search)


def _criteria(query: Query) -> list[Any]:
    """Return the criteria of a SEARCH command (RFC 9051, section 6.4.4)."""
    words: list[Any] = ["NOT", "DELETED"]
    for key, value in (
        ("FROM", query.from_),
        ("TO", query.to),
        ("SUBJECT", query.subject),
        ("TEXT", query.text),
    ):
        words += [key, Value(value.encode())] if value else []
    words += ["HEADER", "MESSAGE-ID", Value(query.message_id.encode())] if query.message_id else []
    for key, day in (("SINCE", query.since), ("BEFORE", query.before)):
        words += [key, date.fromisoformat(day)] if day else []
    for prefix, flags in (("", query.flags), ("UN", query.without_flags)):
        for flag in flags_of(flags):
            words += (
                [prefix + flag[1:].decode().upper()]
                if flag.startswith(b"\\")
                else [f"{prefix}KEYWORD", flag.decode()]
            )
    return words


def _is_wide(query: Query) -> bool:
    return not all(
        value.isascii()
        for value in (query.from_, query.to, query.subject, query.text, query.message_id)
        if value
    )


@connector.action(
    "getMessage",
    effect="read",
    examples=[
        (
            "A message",
            {"uid": 4711},
            {
                **_EXAMPLE,
                "text": "Two lamps, please.\n",
                "attachments": [
                    {"name": "list.pdf", "contentType": "application/pdf", "size": 1024}
                ],
            },
        )
    ],
    keywords=("read mail", "attachments", "download"),
)
def get_message(wanted: Wanted, client: ImapClient) -> Whole:
    """Read a message: its texts, and its attachments as files. It is not marked as seen."""
    return client.read("FETCH", lambda server: _whole(wanted, _fetched(server, wanted)))


def _whole(wanted: Wanted, facts: Any) -> Whole:
    message = message_from_bytes(facts[b"BODY[]"] or b"")
    text, html = texts_of(message)
    files = attachments_of(message)
    return Whole(
        **members(message, wanted.uid, facts),
        reply_to=addresses_of(message, "Reply-To"),
        in_reply_to=raw_of(message, "In-Reply-To").strip() or None,
        text=text,
        html=html,
        attachments=tuple(
            Attachment(
                name=one.name,
                content_type=one.content_type,
                size=len(one.content),
                content_id=one.content_id,
                file=OutputFile(one.content, one.content_type, one.name or None)
                if wanted.include_attachments
                else None,
            )
            for one in files
        ),
    )


def _fetched(server: Server, wanted: Wanted) -> Any:
    opened(server, wanted.mailbox, validity=wanted.uid_validity)
    facts = server.fetch([wanted.uid], FACTS).get(wanted.uid)
    if facts is None:
        text = f"there is no message {wanted.uid} in '{wanted.mailbox}'"
        raise NotFound(
            text, sent=Sent.REFUSED, hint="It was moved or deleted: search for it again."
        )
    size = facts[b"RFC822.SIZE"]
    if size > _LONGEST:
        raise Rejected(
            f"the message has {size:,} bytes: it is too large to be read",
            sent=Sent.REFUSED,
            hint=f"Messages of up to {_LONGEST:,} bytes can be read.",
        )
    return {**facts, **server.fetch([wanted.uid], ["BODY.PEEK[]"])[wanted.uid]}
