"""Cursors of the journal's list for callers who may see only a part of it: encrypted, since a page may end at a hidden entry."""

from __future__ import annotations

import base64
import json

from jackfield.database import Vault
from jackfield.database.faults import SealBroken
from jackfield.errors import InvalidInvocation
from jackfield.journal.pages import Place

_WIDTH = 100
"""Bytes of every cursor before encryption; fixed, so that the length reveals nothing."""
_PLACE = ("invocations", "cursor")


def sealed(vault: Vault, workspace: str, place: Place) -> str:
    """Encrypt a place in the list."""
    text = json.dumps([place.created_at, place.id]).encode()
    return base64.urlsafe_b64encode(vault.seal(workspace, _PLACE, text.ljust(_WIDTH))).decode().rstrip("=")


def opened(vault: Vault, workspace: str, cursor: str) -> Place:
    """Decrypt a cursor.

    :raises InvalidInvocation: if it is not one of this workspace.
    """
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, identifier = json.loads(vault.open(workspace, _PLACE, text))
    except (SealBroken, ValueError):
        raise InvalidInvocation("invalid cursor", hint="Start again without a cursor.") from None
    return Place(float(at), str(identifier))
