"""The databases that tests run on."""

from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]
