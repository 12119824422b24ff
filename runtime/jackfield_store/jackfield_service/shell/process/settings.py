"""Settings and limits of the HTTP server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from jackfield.invocation import MAX_BYTES
from jackfield_service.shell.identity.identity_providers import Jwt, Oidc

if TYPE_CHECKING:
    from jackfield_service.shell.process.installer import Installer

McpTools = Literal["discovery", "all"]
"""Tools that MCP clients see: tools for finding and running actions, or also one per action."""


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Settings of the server; limits are in bytes, seconds and counts.

    ``max_bodies`` covers the bodies of all running requests in one process; ``files_cap`` and
    ``files_count`` limit the files of one workspace. A request's head must arrive within
    ``head_within`` and have at most ``max_head`` bytes. Its body must arrive at ``slowest`` bytes a
    second at least, after ``body_within``; the client must read a response as fast, after
    ``unread_within``. ``guesses`` is the number of unknown tokens a second from one address.
    ``rate`` is the number of requests a second per token, ``hook_rate`` the number of a provider's
    requests per path; 0 for no limit. ``public_url`` is the server's address as browsers see it,
    for links and redirect URIs; without it, only a server on loopback has an address. Pages of
    ``origins`` may call from browsers. ``allowed_hosts`` are internal host names that connections'
    endpoints may use. ``mcp_tools`` selects the tools that MCP clients see. ``installer`` makes the
    installer of each process, None if the operator has named no catalogue.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    descriptors: tuple[int, ...] = ()
    """Descriptors of listening sockets that another program has opened, instead of ``host`` and
    ``port``.
    """
    workers: int = 1
    behind_proxy: bool = False
    root_path: str = ""
    public_url: str = ""
    certificate: str | None = None
    key: str | None = None
    origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    jwt: Jwt | None = None
    oidc: Oidc | None = None
    max_body: int = MAX_BYTES
    max_bodies: int = 512 * 1024**2
    max_file: int = 5 * 1024**3
    files_kept: float = 24 * 3600.0
    files_cap: int = 20 * 1024**3
    files_count: int = 10_000
    max_head: int = 64 * 1024
    max_connections: int = 5000
    head_within: float = 15.0
    body_within: float = 20.0
    slowest: int = 8 * 1024
    unread_within: float = 60.0
    concurrency: int = 1000
    rate: float = 0.0
    guesses: float = 50.0
    hook_rate: float = 500.0
    queue_workers: int | None = None
    """Number of queued invocations that the process runs at once; None: 16, or none if a broker
    hands them to workers.
    """
    stop_within: float = 30.0
    mcp_tools: McpTools = "discovery"
    installer: Callable[[], Installer] | None = None

    @property
    def local(self) -> bool:
        """True if only this machine can reach the server, without a proxy."""
        return (
            self.host in ("127.0.0.1", "::1", "localhost") or self.host.startswith("unix:")
        ) and not self.behind_proxy
