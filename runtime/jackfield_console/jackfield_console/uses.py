"""Links to what runs by itself over connections: it follows a new name, and stops with a removal."""

from __future__ import annotations

from collections.abc import Sequence

from jackfield.kernel.markup import Node
from jackfield_console.layout.components import h
from jackfield_console.layout.page_request import PageRequest
from jackfield_platform.connection_uses import uses_of

_USES = {
    "schedule": ("schedules", "schedule", None), "subscription": ("subscriptions", "subscription", None),
    "start": ("subscriptions", "subscription", " (what its events start)"),
}  # fmt: skip
"""Section of what runs by itself over a connection, its name, and what uses it, by kind."""


def uses(request: PageRequest, names: Sequence[str]) -> dict[str, list[Node]]:
    """Return links to what runs by itself over each of the connections that anything runs over; nothing to a token with rules, which may
    not see all of it."""
    storage = request.server.storage
    if request.identity.rules or request.is_silent or not storage.enabled:
        return {}
    found = uses_of(storage.database, storage.vault, request.identity.workspace, names)
    return {name: [_link(one, first=one is own[0]) for one in own] for name, own in found.items() if own}


def _link(use: dict[str, str], *, first: bool) -> Node:
    kind, word, further = _USES[use["kind"]]
    return [None if first else ", ", f"{word} ", h.a(use["name"], href=f"/{kind}/{use['name']}", target="_blank"), further]
