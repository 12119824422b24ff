"""SFTP for jackfield."""

from jackfield_sftp.connector import connector

__all__ = ["connector"]
