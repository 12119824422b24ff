"""The databases that tests of schedules run on, and two servers on one of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jackfield_service.subjects.schedules.schedule_stage import ScheduleStage, schedule_stage

from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]


@pytest.fixture
def stage(tmp_path: Path, database_url: str) -> Iterator[ScheduleStage]:
    """Two servers on one database: SQLite and PostgreSQL in turn."""
    with schedule_stage(tmp_path, database_url) as opened:
        yield opened
