"""Storage that gives up on a locked database after a moment, so that tests need not wait as long as users may."""

from __future__ import annotations

import os

from jackfield.kernel.clock import SystemClock
from jackfield_store.database import Database, open_database
from jackfield_store.resources.storage import Storage


class ImpatientStorage(Storage):
    """Waits 0.3 seconds for locks."""

    def __init__(self, url: str) -> None:
        super().__init__(url, os.environ, SystemClock())

    def opened(self, *, migrate: bool | None, most: float = 0.0) -> Database:
        """The database, opened by somebody in a hurry."""
        return open_database(self.url, migrate=migrate, wait=0.3, most=most)
