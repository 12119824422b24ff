"""The connector keeps what every connector owes its callers."""

from jackfield.testing import Conformance


class TestSlack(Conformance):
    """Slack passes the conformance suite."""

    sample = 8
