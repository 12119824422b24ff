"""Names for the identities that the journal records: tokens by their name, the console's one-time link, subjects of JWTs as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.access import Tokens
from jackfield.errors import JackfieldError
from jackfield.surfaces.console.markup import Node, h

if TYPE_CHECKING:
    from jackfield.surfaces.console.page_request import Visit

__all__ = ["person"]


def person(visit: Visit, identifier: str) -> Node:
    """Show who did something: a token's name with its id beside it, where the workspace has that token."""
    if identifier == "console":
        return "the operator, signed in with a one-time link"
    if visit.identity.rules and identifier != visit.identity.id:
        return h.code(identifier)  # the names of other tokens are not shown to a token with rules
    try:
        token = Tokens(visit.host.storage.database, visit.identity.workspace, visit.host.clock).find(identifier)
    except JackfieldError:
        return h.code(identifier)
    if not token.name:
        return h.code(identifier)
    return [h.strong(token.name), " ", h.code(identifier, class_="small")]
