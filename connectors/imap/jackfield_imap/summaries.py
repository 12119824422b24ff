"""Summaries of messages, for lists and events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from email import message_from_bytes
from email.message import Message
from typing import TYPE_CHECKING, Any

from jackfield.connector import Field, Output
from jackfield_imap.fields import names_of
from jackfield_imap.headers import addresses_of, date_of, moment, raw_of, text_of

if TYPE_CHECKING:
    from jackfield_imap.session import Server

_HEADERS = "BODY.PEEK[HEADER.FIELDS (DATE FROM TO CC SUBJECT MESSAGE-ID)]"
FACTS = ["FLAGS", "INTERNALDATE", "RFC822.SIZE"]


class Summary(Output):
    """Head of a message."""

    uid: int = Field(title="UID", description="The message's number in its mailbox.")
    subject: str = Field(title="Subject", description="The subject; empty if there is none.")
    from_: tuple[str, ...] = Field(
        title="From", alias="from", description="Who it says it comes from. Anybody can write that."
    )
    to: tuple[str, ...] = Field(title="To", description="To whom it is addressed.")
    cc: tuple[str, ...] = Field((), title="Cc", description="Who got a copy.")
    date: str | None = Field(
        None, title="Date", description="When it was written, as it says (RFC 3339)."
    )
    received: str | None = Field(
        None, title="Received", description="When the server got it (RFC 3339)."
    )
    message_id: str | None = Field(
        None, title="Message ID", description="Its own ID, if it has one."
    )
    size: int = Field(title="Size", description="Its size in bytes.")
    flags: tuple[str, ...] = Field(
        title="Flags",
        description="Its flags: seen, answered, flagged, draft, deleted, and keywords.",
    )


def members(message: Message, uid: int, facts: Mapping[bytes, Any]) -> dict[str, Any]:
    """Return a message's summary as the members of ``Summary``. ``facts`` are the server's data
    about it.
    """
    received = facts.get(b"INTERNALDATE")
    return {
        "uid": uid,
        "subject": text_of(message, "Subject"),
        "from_": addresses_of(message, "From"),
        "to": addresses_of(message, "To"),
        "cc": addresses_of(message, "Cc"),
        "date": date_of(message),
        "received": None if received is None else moment(received),
        "message_id": raw_of(message, "Message-ID").strip() or None,
        "size": facts[b"RFC822.SIZE"],
        "flags": names_of(facts[b"FLAGS"]),
    }


def summaries(server: Server, uids: Sequence[int]) -> tuple[Summary, ...]:
    """Return the summaries of messages in the open mailbox, in the order of ``uids``. Messages
    deleted meanwhile are left out.
    """
    found = server.fetch(uids, [*FACTS, _HEADERS])
    return tuple(
        Summary(**members(_head(found[uid]), uid, found[uid])) for uid in uids if uid in found
    )


def _head(facts: Mapping[bytes, Any]) -> Message:
    return message_from_bytes(
        next((value for name, value in facts.items() if name.startswith(b"BODY[HEADER")), b"")
        or b""
    )
