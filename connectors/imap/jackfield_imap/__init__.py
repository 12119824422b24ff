"""IMAP for jackfield."""

from jackfield_imap.connector import connector

__all__ = ["connector"]
