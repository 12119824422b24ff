"""A home where evidence settles doubts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from jackfield_store.database import open_database


@contextmanager
def settling_home(folder: Path) -> Iterator[dict[str, str]]:
    """Make the environment of a process of that home, with a database, and set it."""
    url = f"sqlite:///{folder / 'jackfield.db'}"
    open_database(url, migrate=True).close()
    found = {**os.environ, "JACKFIELD_HOME": str(folder), "JACKFIELD_DATABASE_URL": url, "JACKFIELD_SETTLE": "on"}
    with mock.patch.dict(os.environ, found, clear=True):
        yield found
