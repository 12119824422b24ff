"""Amazon SES for jackfield."""

from jackfield_aws_ses.connector import connector

__all__ = ["connector"]
