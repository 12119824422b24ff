"""A caller by its ID, for display on pages."""

from __future__ import annotations

from jackfield.kernel.errors import JackfieldError
from jackfield.kernel.markup import Node
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.shell.pages.layout.page_request import PageRequest


def person(request: PageRequest, identifier: str) -> Node:
    """Render a caller's ID, with the token's name if the workspace has that token."""
    if identifier == "console":
        return "the operator, signed in with a one-time link"
    if request.identity.rules and identifier != request.identity.id:
        return h.code(identifier)  # hide names of other tokens from a token with rules
    try:
        token = request.tokens.find(identifier)
    except JackfieldError:
        return h.code(identifier)
    return [h.strong(token.name), " ", h.code(identifier, class_="small")]
