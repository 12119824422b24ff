"""MySQL and MariaDB for jackfield."""

from jackfield_mysql.connector import connector

__all__ = ["connector"]
