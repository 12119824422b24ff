"""The databases that tests run on, and the Python that has its imports done."""

from postgres import database_url, no_tables, postgres_database, postgres_server, postgres_url
from warm import launchers, warm_python

__all__ = ["database_url", "launchers", "no_tables", "postgres_database", "postgres_server", "postgres_url", "warm_python"]
