"""The connector ``imap``: its connection type, and the list of its actions' modules."""

from __future__ import annotations

from jackfield.connector import Connector
from jackfield_imap.connection_type import LoginType

_ICON = (
    "data:image/svg+xml;utf8,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'>"
    "<rect width='24' height='24' rx='4' fill='%23355c7d'/>"
    "<path d='M5 8h14v9H5zM5 8l7 5 7-5' fill='none' stroke='white' stroke-width='1.5'/></svg>"
)

connector = Connector(
    "imap",
    title="IMAP",
    version="0.1.0",
    description=(
        "Search, read, flag, move and delete the mail of a mailbox, save drafts, and learn "
        "of new mail."
    ),
    connections=[LoginType],
    icon=_ICON,
    categories=["email"],
    documentation_url="https://www.rfc-editor.org/rfc/rfc9051",
    license="Apache-2.0",
    modules={
        f"{__package__}.mailboxes": ("listMailboxes",),
        f"{__package__}.messages": ("searchMessages", "getMessage"),
        f"{__package__}.filing": ("flagMessages", "moveMessages", "deleteMessages"),
        f"{__package__}.drafts": ("saveDraft",),
    },
    trigger_modules={f"{__package__}.watching": ("newMessages",)},
)
