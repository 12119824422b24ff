"""What tests make beside a server, with its database and clock, whatever serves: tokens, workspaces
and platforms.
"""

from __future__ import annotations

from jackfield.callers.actor import Actor
from jackfield_service.shell.process.server_context import ServerContext
from jackfield_store.access import Tokens, Workspaces
from jackfield_store.access.platform_tokens import PlatformTokens

_ADA = Actor("cli", "ada")


class Hosted:
    """Something with the ``host`` of a server."""

    host: ServerContext

    @property
    def workspaces(self) -> Workspaces:
        """The workspaces of its database."""
        return Workspaces(self.host.storage.database, self.host.storage.vault, self.host.clock)

    def tokens(self, workspace: str = "default") -> Tokens:
        """The tokens of a workspace."""
        return Tokens(
            self.host.storage.database, self.host.storage.vault, workspace, self.host.clock
        )

    def platform_token(self, pattern: str = "acme-*", name: str = "The Shop") -> str:
        """The text of a new token of a platform, which ada makes on the command line."""
        return (
            PlatformTokens(
                self.host.storage.database, self.host.storage.vault, self.host.clock, _ADA
            )
            .create(pattern, name)
            .text
        )
