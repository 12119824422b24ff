"""Calls over a connection, for its page: queued calls, calls that wait for an approval, and the
last call.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlencode

from jackfield.kernel.markup import Node
from jackfield_service.shell.pages.layout.components import at, h
from jackfield_service.shell.pages.layout.entry_connection import CallConnections
from jackfield_service.shell.pages.layout.page_request import PageRequest

_MOST = 100
"""Maximum number of calls by one name that are counted."""
_FORMER = 5
"""Maximum number of a connection's former names by which its queued calls are searched."""


class Calls(NamedTuple):
    """Links to the calls over a connection that are ``queued``, to the calls ``waiting`` for an
    approval, and to the ``last`` call; each None without such calls.
    """

    queued: Node = None
    waiting: Node = None
    last: Node = None


def calls_over(request: PageRequest, name: str) -> Calls:
    """Return the calls over a connection that the visitor may see."""
    if request.runtime.journal is None or request.is_silent:
        return Calls()
    known = CallConnections(request)
    newest, _ = request.journal.entries(connection=name, limit=1)
    own = [entry for entry in newest if known.name(entry) == name]
    last = [
        [
            h.a(at(entry.created_at, request.now), href=f"/invocations/{entry.id}"),
            " · ",
            _list("All its calls", name),
        ]
        for entry in own
    ]
    queued = [
        (former, _count(request, known, name, former, "queued"))
        for former in (name, *known.former(name)[:_FORMER])
    ]
    waiting = [(name, _count(request, known, name, name, "waiting"))]
    return Calls(_links(queued, "queued"), _links(waiting, "waiting"), last[0] if last else None)


def _count(
    request: PageRequest, known: CallConnections, name: str, former: str, status: str
) -> int:
    found, _ = request.journal.entries(connection=former, status=status, limit=_MOST)
    return sum(known.name(entry) == name for entry in found)


def _links(counts: list[tuple[str, int]], status: str) -> Node:
    links = [node for name, number in counts if number for node in _link(name, number, status)]
    return links[1:] or None


def _link(name: str, number: int, status: str) -> Iterator[Node]:
    words = f"{number}{' or more' if number == _MOST else ''} {'call' if number == 1 else 'calls'}"
    yield ", "
    yield _list(
        f"{words} {'queued' if status == 'queued' else 'waiting for approval'}", name, status=status
    )


def _list(words: str, name: str, **filters: str) -> Node:
    return h.a(words, href=f"/invocations?{urlencode({'connection': name, **filters})}")
