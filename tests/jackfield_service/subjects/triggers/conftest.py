"""The databases that tests of triggers run on, and two servers on one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.subjects.triggers.trigger_stage import TriggerStage, trigger_stage

from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]


@pytest.fixture
def stage(tmp_path: Path, database_url: str) -> Iterator[TriggerStage]:
    """Two servers on one database: SQLite and PostgreSQL in turn."""
    with trigger_stage(tmp_path, database_url) as opened:
        yield opened
