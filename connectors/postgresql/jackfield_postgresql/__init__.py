"""PostgreSQL for jackfield."""

from jackfield_postgresql.connector import connector

__all__ = ["connector"]
