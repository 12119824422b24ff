"""Port to the storage of a process, which access decisions read. It contains only types: no call
imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from jackfield_store.database import Database
from jackfield_store.keys.vault import Vault


class SealedStorage(Protocol):
    """Database and vault of a process; both may be used only if ``enabled``."""

    @property
    def enabled(self) -> bool:
        """True if there is a database."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Variables of the process."""

    @property
    def database(self) -> Database:
        """Database that stores the workspaces."""

    @property
    def vault(self) -> Vault:
        """Vault that uses the database."""

    @property
    def answers_locally(self) -> bool:
        """True if the database is a local file, so that reading the epoch and rows asks no
        server.
        """

    def epoch(self) -> int:
        """Return a reading of the database's epoch; without a database always the same reading."""

    def shared_setting(self, name: str) -> str:
        """Return a setting that all processes on the database share, or this process's own; empty
        if it is not set.
        """

    def lacks_policy(self) -> bool:
        """Return whether this database requires a policy for its calls, and this process has
        none.
        """

    async def fix_state(self) -> None:
        """Read the epoch for this task's block, without blocking the event loop."""
