"""The databases that tests run on, all migrated statement by statement."""

from postgres import database, database_url, postgres_database, postgres_server, postgres_url
from ready_database import migrated_for_real

__all__ = ["database", "database_url", "migrated_for_real", "postgres_database", "postgres_server", "postgres_url"]
