"""The action ``saveDraft``."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING, Any

from jackfield.connector import (
    Detail,
    Field,
    Inputs,
    InvalidInput,
    Look,
    Marker,
    Output,
    current_call,
)
from jackfield_imap.client import ImapClient
from jackfield_imap.connector import connector
from jackfield_imap.fields import TEXT, mailbox_field

if TYPE_CHECKING:
    from jackfield_imap.session import Server

_APPENDED = re.compile(r"\[APPENDUID ([0-9]+) ([0-9]+)\]")
_ID = "<jf1-{marker}@jackfield.invalid>"
"""Template of a draft's Message-ID. A program that sends the draft keeps or replaces it."""
_FOUND = {"$marker": {"text": "<{marker}@jackfield.invalid>"}}
_ADDRESSES: dict[str, Any] = {"maxItems": 100, "items": {"type": "string", **TEXT}}
_BODY = {"maxLength": 1_000_000}


class Draft(Inputs):
    """Message to save."""

    mailbox: str = mailbox_field(
        "The mailbox for drafts: the one whose 'use' is drafts.", default="Drafts"
    )
    to: tuple[str, ...] = Field(
        (),
        title="To",
        blank="absent",
        description="Recipients.",
        examples=[["Ada <ada@example.com>"]],
        schema=_ADDRESSES,
    )
    cc: tuple[str, ...] = Field(
        (), title="Cc", blank="absent", description="Who gets a copy.", schema=_ADDRESSES
    )
    subject: str | None = Field(
        None, title="Subject", blank="absent", description="The subject.", schema=TEXT
    )
    text: str = Field(
        title="Text",
        description="The plain text.",
        multiline=True,
        examples=["Dear Ada,"],
        schema=_BODY,
    )
    html: str | None = Field(
        None,
        title="HTML",
        blank="absent",
        description="The HTML text.",
        multiline=True,
        schema=_BODY,
    )


class Saved(Output):
    """Draft that was saved."""

    uid: int | None = Field(None, title="UID", description="Its UID, if the server tells it.")
    uid_validity: int | None = Field(
        None,
        title="UID Validity",
        description="UIDs name the same messages while this number stays.",
    )


@connector.action(
    "saveDraft",
    effect="write",
    marker=Marker(code="the draft's Message-ID"),
    evidence=[
        Look(
            "searchMessages",
            inputs={"mailbox": {"$input": "/mailbox"}, "messageId": _FOUND},
            each="/messages",
            match={"/messageId": _FOUND},
            id="/uid",
            page="https://www.rfc-editor.org/rfc/rfc9051#section-6.4.4, 2026-11-27",
        )
    ],
    examples=[
        (
            "A draft",
            {"to": ["Ada <ada@example.com>"], "subject": "Order 7", "text": "Dear Ada,"},
            {"uid": 12, "uidValidity": 1732000000},
        )
    ],
    keywords=("write mail", "append"),
)
def save_draft(draft: Draft, client: ImapClient) -> Saved:
    """Save a message as a draft, which a person can look at and send."""
    content = _message(draft)

    def save(server: Server) -> Saved:
        said = server.append(draft.mailbox, content, [b"\\Draft", b"\\Seen"])
        found = _APPENDED.search(
            said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
        )
        return Saved() if found is None else Saved(uid=int(found[2]), uid_validity=int(found[1]))

    return client.change("APPEND", save)


def _message(draft: Draft) -> bytes:
    message, call = EmailMessage(), current_call()
    if call is not None and call.marker is not None:
        message["Message-ID"] = _ID.replace("{marker}", call.marker)
    for name, values in (("To", draft.to), ("Cc", draft.cc)):
        if values:
            _set(message, name, ", ".join(values))
    if draft.subject:
        _set(message, "Subject", draft.subject)
    message.set_content(draft.text)
    if draft.html:
        message.add_alternative(draft.html, subtype="html")
    return message.as_bytes(policy=SMTP)


def _set(message: EmailMessage, name: str, value: str) -> None:
    try:
        message[name] = value
    except ValueError:
        detail = Detail(f"/{name.lower()}", "cannot be written as a header")
        raise InvalidInput(
            "the draft cannot be written", details=[detail], hint="Correct the value."
        ) from None
