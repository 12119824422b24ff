"""The databases that tests of doubts run on, and processes on one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_store.doubts.doubt_stage import DoubtStage, doubt_stage

from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]


@pytest.fixture
def stage(tmp_path: Path, database_url: str) -> Iterator[DoubtStage]:
    """Processes on one database, SQLite and PostgreSQL in turn, where evidence settles doubts."""
    with doubt_stage(tmp_path, database_url) as opened:
        yield opened
