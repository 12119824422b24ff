"""The databases that tests run on."""

from postgres import database, database_url, postgres_database, postgres_server, postgres_url

__all__ = ["database", "database_url", "postgres_database", "postgres_server", "postgres_url"]
