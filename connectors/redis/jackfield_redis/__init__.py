"""Redis for jackfield."""

from jackfield_redis.connector import connector

__all__ = ["connector"]
