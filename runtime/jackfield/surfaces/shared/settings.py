"""What an operator can set of the HTTP server, and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from jackfield.invocation import MAX_BYTES

__all__ = ["Jwt", "McpTools", "Settings"]

McpTools = Literal["discovery", "all"]
"""Which tools MCP's clients see: those that find and run actions, or one for each action, too."""


@dataclass(frozen=True, slots=True)
class Jwt:
    """An identity provider whose tokens are taken beside ours; ``workspace_claim`` and ``scope_claim`` name the claims that count."""

    jwks_url: str
    issuer: str
    audience: str
    workspace_claim: str = "workspace"
    scope_claim: str = "scope"


@dataclass(frozen=True, slots=True)
class Settings:
    """Limits in bytes, seconds and counts. ``max_bodies`` is for the bodies of all requests under way in one
    process, ``files_cap`` for all files of one workspace, of which there are at most
    ``files_count``; a request's head must be there within
    ``head_within`` and have at most ``max_head``; its body must come at ``slowest`` bytes a second at least, after a start of
    ``body_within``; an answer must be read as fast, after ``unread_within``; ``guesses`` are unknown tokens a second from one
    address. ``rate`` is requests a second for each token, 0 for no limit; ``origins`` may call from browsers; ``allowed_hosts`` are
    host names that connections' endpoints may point to although they are internal; ``mcp_tools`` says which tools MCP's clients see."""

    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    behind_proxy: bool = False
    root_path: str = ""
    certificate: str | None = None
    key: str | None = None
    origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    jwt: Jwt | None = None
    max_body: int = MAX_BYTES
    max_bodies: int = 512 * 1024**2
    max_file: int = MAX_BYTES
    files_kept: float = 24 * 3600.0
    files_cap: int = 4 * 1024**3
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
    queue_workers: int = 16
    stop_within: float = 30.0
    mcp_tools: McpTools = "discovery"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host in ("127.0.0.1", "::1", "localhost")
