"""The action ``listMailboxes``, and functions that open a mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jackfield.connector import Conflict, Field, Inputs, Output, Sent
from jackfield_imap.client import ImapClient
from jackfield_imap.connector import connector
from jackfield_imap.headers import whole

if TYPE_CHECKING:
    from jackfield_imap.session import Server

_USES = (b"\\All", b"\\Archive", b"\\Drafts", b"\\Flagged", b"\\Junk", b"\\Sent", b"\\Trash")
"""Special uses of mailboxes (RFC 6154)."""
_CLOSED = b"\\Noselect"


class Asked(Inputs):
    """No inputs: all mailboxes are listed."""


class Mailbox(Output):
    """Mailbox of the user."""

    name: str = Field(
        title="Name", description="The name, as inputs take it. Levels are parted by 'separator'."
    )
    separator: str | None = Field(
        None,
        title="Separator",
        description="What parts the levels of names; none if there are no levels.",
    )
    use: str | None = Field(
        None,
        title="Use",
        description=(
            "What it is for: all, archive, drafts, flagged, junk, sent or trash; none if the "
            "server does not say."
        ),
    )
    has_messages: bool = Field(
        title="Has Messages",
        description="False for a level of names that holds no messages itself.",
    )


class Mailboxes(Output):
    """Mailboxes of the user."""

    mailboxes: tuple[Mailbox, ...] = Field(title="Mailboxes", description="The mailboxes, by name.")


@connector.action(
    "listMailboxes",
    effect="read",
    examples=[
        (
            "All mailboxes",
            {},
            {"mailboxes": [{"name": "INBOX", "separator": "/", "hasMessages": True}]},
        )
    ],
    keywords=("folders", "labels"),
)
def list_mailboxes(_asked: Asked, client: ImapClient) -> Mailboxes:
    """List the mailboxes (folders) of the user."""
    found = client.read("LIST", lambda server: [_mailbox(*told) for told in server.list_folders()])
    return Mailboxes(mailboxes=tuple(sorted(found, key=lambda mailbox: mailbox.name)))


def _mailbox(flags: Any, parted: Any, name: Any) -> Mailbox:
    return Mailbox(
        name=whole(str(name)),
        separator=None if parted is None else parted.decode("ascii", "replace"),
        use=next((use[1:].decode().lower() for use in _USES if use in flags), None),
        has_messages=_CLOSED.lower() not in {flag.lower() for flag in flags},
    )


def opened(
    server: Server, mailbox: str, *, validity: int | None = None, changes: bool = False
) -> int:
    """Open a mailbox for the next commands, read-only unless ``changes``; return its UID validity.

    :raises NotFound: if no mailbox has this name.
    :raises Conflict: if the UID validity differs from ``validity``: the caller's UIDs are no longer
        valid.
    """
    found = int(server.opened(mailbox, changes=changes)[b"UIDVALIDITY"])
    if validity is not None and validity != found:
        raise Conflict(
            f"the server has numbered the messages of '{mailbox}' anew (uidValidity {found}, not "
            f"{validity}), and nothing was done",
            sent=Sent.REFUSED,
            hint="Search again for the messages, and use the UIDs that are found.",
        )
    return found


def present(server: Server, uids: tuple[int, ...]) -> tuple[int, ...]:
    """Return the UIDs among ``uids`` that the open mailbox holds."""
    found = set(server.search(["UID", ",".join(map(str, uids))]))
    return tuple(uid for uid in uids if uid in found)
