"""Actions that flag, move and delete messages. Each may be repeated, since a server never gives a
UID to a second message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.connector import Detail, Field, Inputs, InvalidInput, Output, Rejected, Sent
from jackfield_imap.client import ImapClient
from jackfield_imap.connector import connector
from jackfield_imap.fields import KEYWORD, flags_of, mailbox_field, uids_field, validity_field
from jackfield_imap.mailboxes import opened, present

if TYPE_CHECKING:
    from jackfield_imap.session import Server


class Filed(Output):
    """Messages that were changed."""

    uids: tuple[int, ...] = Field(title="UIDs", description="Messages that were there.")
    missing: tuple[int, ...] = Field(
        title="Missing",
        description="UIDs that were not there: moved or deleted before, perhaps by this call.",
    )


class Flagging(Inputs):
    """Messages, and their flags."""

    mailbox: str = mailbox_field()
    uids: tuple[int, ...] = uids_field("to flag")
    uid_validity: int | None = validity_field()
    add: tuple[str, ...] = Field(
        (),
        title="Add",
        blank="absent",
        description="Flags to set: seen, answered, flagged, draft, deleted, or keywords.",
        examples=[["seen"]],
        schema={"maxItems": 20, "items": KEYWORD},
    )
    remove: tuple[str, ...] = Field(
        (),
        title="Remove",
        blank="absent",
        description="Flags to take away.",
        schema={"maxItems": 20, "items": KEYWORD},
    )


class Moving(Inputs):
    """Messages to move, and their target mailbox."""

    mailbox: str = mailbox_field()
    uids: tuple[int, ...] = uids_field("to move")
    uid_validity: int | None = validity_field()
    to: str = mailbox_field("The mailbox to which they go.", default=...)


class Deleting(Inputs):
    """Messages to delete."""

    mailbox: str = mailbox_field()
    uids: tuple[int, ...] = uids_field("to delete")
    uid_validity: int | None = validity_field()


_DONE = {"uids": [4711], "missing": []}


@connector.action(
    "flagMessages",
    effect="idempotent",
    examples=[("Mark as read", {"uids": [4711], "add": ["seen"]}, _DONE)],
    keywords=("mark as read", "star", "label"),
)
def flag_messages(flagging: Flagging, client: ImapClient) -> Filed:
    """Set flags of messages, or take them away."""
    if not flagging.add and not flagging.remove:
        detail = Detail("/add", "is needed, or 'remove'")
        raise InvalidInput(
            "there are no flags to change", details=[detail], hint="Name at least one flag."
        )

    def flag(server: Server) -> Filed:
        opened(server, flagging.mailbox, validity=flagging.uid_validity, changes=True)
        found = present(server, flagging.uids)
        if found and flagging.add:
            server.add_flags(found, flags_of(flagging.add), silent=True)
        if found and flagging.remove:
            server.remove_flags(found, flags_of(flagging.remove), silent=True)
        return _filed(flagging.uids, found)

    return client.change("STORE", flag)


@connector.action(
    "moveMessages",
    effect="idempotent",
    examples=[("Archive", {"uids": [4711], "to": "Archive"}, _DONE)],
    keywords=("archive", "file"),
)
def move_messages(moving: Moving, client: ImapClient) -> Filed:
    """Move messages to another mailbox, where they get new UIDs. The server moves them in one step
    (RFC 6851), or refuses.
    """

    def move(server: Server) -> Filed:
        _require(server, "MOVE", "move messages at once, so none is moved")
        opened(server, moving.mailbox, validity=moving.uid_validity, changes=True)
        found = present(server, moving.uids)
        if found:
            server.move(found, moving.to)
        return _filed(moving.uids, found)

    return client.change("MOVE", move)


@connector.action(
    "deleteMessages",
    effect="idempotent",
    examples=[("Delete for good", {"uids": [4711]}, _DONE)],
)
def delete_messages(deleting: Deleting, client: ImapClient) -> Filed:
    """Delete messages for good. To put them into the trash instead, move them to the mailbox with
    'use': trash.
    """

    def delete(server: Server) -> Filed:
        _require(server, "UIDPLUS", "delete single messages, so none is deleted")
        opened(server, deleting.mailbox, validity=deleting.uid_validity, changes=True)
        found = present(server, deleting.uids)
        if found:
            server.add_flags(found, [b"\\Deleted"], silent=True)
            server.uid_expunge(found)
        return _filed(deleting.uids, found)

    return client.change("EXPUNGE", delete)


def _require(server: Server, capability: str, what: str) -> None:
    """Check that the server has a capability.

    :raises Rejected: if it does not.
    """
    if not server.has_capability(capability):
        raise Rejected(
            f"the server cannot {what}", sent=Sent.REFUSED, hint="Use a mail program for it."
        )


def _filed(asked: tuple[int, ...], found: tuple[int, ...]) -> Filed:
    return Filed(uids=found, missing=tuple(uid for uid in asked if uid not in set(found)))
