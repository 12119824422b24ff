"""The trigger ``newMessages``: mail that arrives in a mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.connector import Inputs, Polled, Since, TriggerEvent
from jackfield_imap.client import ImapClient
from jackfield_imap.connector import connector
from jackfield_imap.fields import mailbox_field
from jackfield_imap.mailboxes import opened
from jackfield_imap.summaries import Summary, summaries

if TYPE_CHECKING:
    from jackfield_imap.session import Server

_PAGE = 100


class Watched(Inputs):
    """Mailbox to watch."""

    mailbox: str = mailbox_field()


@connector.poll("newMessages", inputs=Watched, event=Summary, every=60, types=("messageArrived",))
def new_messages(watched: Watched, client: ImapClient, since: Since) -> Polled:
    """Report messages as they arrive in a mailbox, or are moved there, oldest first. Messages that
    exist when the subscription is added, or when the server renumbers its messages, are not
    reported.
    """

    def poll(server: Server) -> Polled:
        validity = opened(server, watched.mailbox)
        if since.mark.get("validity") != validity:
            newest = server.search(["UID", "*"])
            return Polled([], {"validity": validity, "after": max(newest, default=0)})
        after = since.mark["after"]
        # '*' is the last one, however small
        uids = sorted(uid for uid in server.search(["UID", f"{after + 1}:*"]) if uid > after)
        events = [
            TriggerEvent(one, f"{validity}-{one.uid}") for one in summaries(server, uids[:_PAGE])
        ]
        last = uids[:_PAGE][-1] if uids else after
        return Polled(events, {"validity": validity, "after": last}, more=len(uids) > _PAGE)

    return client.read("SEARCH", poll)
