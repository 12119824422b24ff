"""The databases on which files are applied."""

from __future__ import annotations

from postgres import database_url, postgres_database, postgres_server, postgres_url

__all__ = ["database_url", "postgres_database", "postgres_server", "postgres_url"]
