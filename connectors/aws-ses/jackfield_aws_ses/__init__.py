"""Amazon SES for jackfield."""

from jackfield_aws_ses.actions import connector

__all__ = ["connector"]
