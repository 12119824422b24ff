"""The databases that tests run on."""

from postgres import database_url, no_tables, postgres_database, postgres_server, postgres_url

__all__ = ["database_url", "no_tables", "postgres_database", "postgres_server", "postgres_url"]
