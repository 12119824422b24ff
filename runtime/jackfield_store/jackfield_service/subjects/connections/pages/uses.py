"""Links to automatic users of connections or connectors: they follow a new name, and stop with a
removal.
"""

from __future__ import annotations

from collections.abc import Sequence

from jackfield.kernel.markup import Node
from jackfield_service.shell.pages.layout.components import h
from jackfield_service.shell.pages.layout.page_request import PageRequest
from jackfield_service.subjects.connections.uses import uses_of, uses_of_connector

_USES = {
    "schedule": ("schedules", "schedule", None),
    "subscription": ("subscriptions", "subscription", None),
    "start": ("subscriptions", "subscription", " (what its events start)"),
}
"""Section of an automatic user of a connection, its name, and its kind of use, by kind."""


def uses(request: PageRequest, names: Sequence[str]) -> dict[str, list[Node]]:
    """Return links to the automatic users of each connection that has any; an empty object for a
    token with rules, which may not see all of them.
    """
    storage = request.server.storage
    if not _sees_all(request):
        return {}
    found = uses_of(storage.database, storage.vault, request.identity.workspace, names)
    return {name: _links(own) for name, own in found.items() if own}


def connector_uses(request: PageRequest, connector: str) -> list[Node]:
    """Return links to the automatic users of a connector in the visitor's workspace, as ``uses``
    does.
    """
    storage = request.server.storage
    return (
        _links(
            uses_of_connector(
                storage.database, storage.vault, request.identity.workspace, connector
            )
        )
        if _sees_all(request)
        else []
    )


def _sees_all(request: PageRequest) -> bool:
    return not request.identity.rules and not request.is_silent and request.server.storage.enabled


def _links(found: Sequence[dict[str, str]]) -> list[Node]:
    links: list[Node] = []
    for use in found:
        kind, word, further = _USES[use["kind"]]
        name = h.a(use["name"], href=f"/{kind}/{use['name']}", target="_blank")
        links.append([", " if links else None, f"{word} ", name, further])
    return links
