"""Client of a server for generation, without a runtime, a connection or a journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from jackfield.connector import ANYWHERE, Call, Guard, InvalidInput, Minted, OpenContext
from jackfield.kernel.clock import Deadline, SystemClock
from jackfield_http.settings import ClientSettings
from jackfield_http.sign_in import ANONYMOUS, SignIn
from jackfield_http.urls import Url, UrlError, parse_url
from jackfield_mcp.client import McpClient
from jackfield_mcp.outcomes import MCP_ERRORS
from jackfield_mcp.peer import Peer
from jackfield_mcp.questions import is_answered

_SECONDS = 60.0
_STDIO = (
    "A server that speaks over stdio is a program that would run with all rights of this process. "
    "Run it as a service of its own, behind a "
    "bridge to Streamable HTTP, and give that service's URL."
)


def address(text: str) -> Url:
    """Return the URL of a server.

    :raises InvalidInput: if the string is no http URL; servers over stdio are not supported.
    """
    if not text.startswith(("http://", "https://")):
        raise InvalidInput(f"'{text[:200]}' is not the URL of an MCP server", hint=_STDIO)
    try:
        return parse_url(text)
    except UrlError as error:
        raise InvalidInput(
            f"the server's URL {error}", hint="Give a URL such as https://mcp.example.com/mcp."
        ) from None


@contextmanager
def client_for(
    url: Url,
    sign_in: SignIn = ANONYMOUS,
    *,
    key: str,
    seconds: float = _SECONDS,
    guard: Guard | None = None,
) -> Iterator[McpClient]:
    """Yield a client of a server for the connector ``key``, and close its connections at the end.

    A host with a public name is reached only at public addresses, whatever the name resolves to
    later.
    """
    clock = SystemClock()
    allowed = guard or (Guard() if Guard().permits(url.host) else ANYWHERE)
    call = Call(Deadline.after(seconds, clock))
    with closing(_NoLeases()) as made:
        context = OpenContext("default", None, key, {}, {}, call, clock, os.environ, made, allowed)
        yield McpClient(
            context,
            ClientSettings(url, MCP_ERRORS, guard=allowed),
            sign_in,
            Peer(),
            declares=is_answered(key),
        )


class _NoLeases:
    """Cache of one command: it caches no leases, and holds other objects until it is closed."""

    def __init__(self) -> None:
        self._made: dict[object, Any] = {}

    def lease(
        self, key: str, mint: Callable[[], Minted], deadline: Deadline, *, outlasts: bool = False
    ) -> Minted:
        """Return a new credential."""
        del key, deadline, outlasts
        return mint()

    def drop(self, key: str, used: Minted) -> None:
        """Do nothing: no credential is stored."""

    def cached(self, key: object, make: Callable[[], Any]) -> Any:
        """Return the object under ``key``, made on first use."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def close(self) -> None:
        """Close the client's connection pools."""
        for one in self._made.values():
            getattr(one, "close", tuple)()
        self._made.clear()
