"""Port to the installer of connectors in jackfield-market."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Installer(Protocol):
    """Operations on the connectors in the server's data folder. Each may read the catalogues, so
    none may run in the event loop.
    """

    @property
    def sources(self) -> Sequence[str]:
        """Catalogues from which connectors may be installed."""

    def installed(self) -> list[dict[str, Any]]:
        """Return a row for each installed version: key, name, version, publisher, grade,
        permissions, source, and whether it is the default.
        """

    def available(self) -> list[dict[str, Any]]:
        """Return a row for each connector of the catalogues, with its highest version, its
        publisher and the installed version.
        """

    def outdated(self) -> list[dict[str, Any]]:
        """Return a row for each installed connector with a newer release, a revoked key, or a
        source that cannot be read.
        """

    def newer(self) -> list[dict[str, Any]]:
        """Return the rows of ``outdated`` for a page, cached for some minutes unless a connector
        was installed or removed since.
        """

    def revoked(self) -> list[dict[str, Any]]:
        """Check for revocations of installed connectors, log and return the new ones, and record
        them for the other processes.
        """

    def install(self, name: str, source: str | None, *, pin: bool = False) -> dict[str, Any]:
        """Install a connector; ``pin`` makes this version the default, even if it is installed
        already.
        """

    def upgrade(self, name: str, *, breaking: bool, dry_run: bool) -> dict[str, Any]:
        """Upgrade a connector, and return the changes."""

    def uninstall(self, name: str) -> list[dict[str, str]]:
        """Remove the matching versions of a connector."""
