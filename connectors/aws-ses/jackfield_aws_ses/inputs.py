"""Inputs of ``sendEmail``: checked beyond their schema and composed to a message."""

from collections.abc import Iterable
from functools import cached_property

from jackfield.connector import Detail
from jackfield.kernel.fork import at_fork
from jackfield_aws_ses.compose import Composed, compose
from jackfield_aws_ses.email_fields import EmailFields


class Email(EmailFields):
    """Message to send, and its recipients."""

    def rules(self) -> Iterable[Detail]:
        """Return the faults that a schema cannot express: undeliverable addresses, none or over
        fifty recipients, invalid names and files, more than 40 MB encoded.
        """
        return self._outcome[1]

    @property
    def composed(self) -> Composed:
        """The message as it will be sent; only for valid inputs."""
        found = self._outcome[0]
        if found is None:
            raise ValueError("the inputs are invalid")
        return found

    @cached_property
    def _outcome(self) -> tuple[Composed | None, tuple[Detail, ...]]:
        return compose(self)


# Python 3.11 holds one lock for all instances during the computation
at_fork(Email.__dict__["_outcome"])
