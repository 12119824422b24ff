"""A server that wants a sign-in by discovery, with its provider and a runtime that has a connection
to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jackfield.catalog import Catalog
from jackfield_store.runtime import Jackfield
from mcp_provider import Provider, guarded
from mcp_rig import ToolServer, generate, serving
from plugboard import declare, plugged

REDIRECT = "https://jackfield.example.com/callback"


class Stage:
    """A server that wants a sign-in, its provider, and a runtime with a connection to it."""

    def __init__(self, server: ToolServer, provider: Provider, jackfield: Jackfield) -> None:
        self.server, self.provider, self.jackfield = server, provider, jackfield

    def begin(self, **values: Any) -> dict[str, Any]:
        """Begin an authorization."""
        self.jackfield.connections.add("main", "notes/oauth2Discovered", values, test=False)
        found: dict[str, Any] = self.jackfield.connections.authorizing().begin("main", REDIRECT)
        return found

    def complete(self, begun: dict[str, Any], **more: str | None) -> None:
        """Bring the provider's answer."""
        state = parse_qs(urlsplit(begun["url"]).query)["state"][0]
        answer = {"code": "c0de", "state": state, "iss": self.provider.url, **more}
        given = {name: value for name, value in answer.items() if value is not None}
        self.jackfield.connections.authorizing().complete(begun["id"], given)


@contextmanager
def stage(
    folder: Path,
    change: Callable[[ToolServer, Provider], object] = lambda _server, _provider: None,
    host: str = "127.0.0.1",
) -> Iterator[Stage]:
    """Run all of it; ``change`` changes what is said before anybody asks. ``host`` is the server's
    name.
    """
    server, provider = ToolServer(), Provider()
    server.host = host
    locked = guarded(server, provider)
    with provider.serving(), serving(server):
        generate(folder, server.url)
        locked[0] = True
        change(server, provider)
        declare(
            folder / "made",
            "jackfield-notes",
            "jackfield.connectors",
            {"notes": "jackfield_notes:mcp"},
        )
        home = {"JACKFIELD_HOME": str(folder)}
        with (
            plugged(folder / "made"),
            Jackfield(
                catalog=Catalog.installed(),
                database_url=f"sqlite:///{folder}/j.db",
                environment=home,
            ) as jackfield,
        ):
            yield Stage(server, provider, jackfield)


def asked(begun: dict[str, Any]) -> dict[str, str]:
    """What the person is asked for."""
    return {name: one[0] for name, one in parse_qs(urlsplit(begun["url"]).query).items()}
