"""The connector keeps what every connector owes its callers."""

from jackfield.testing import Conformance


class TestAwsSes(Conformance):
    """Amazon SES passes the conformance suite."""

    key = "aws-ses"
