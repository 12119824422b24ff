"""The connector keeps what every connector owes its callers."""

from typing import ClassVar

from jackfield.testing import Conformance


class TestAwsSes(Conformance):
    """Amazon SES passes the conformance suite."""

    key = "aws-ses"
    left_out: ClassVar = {"mailEvents": "Amazon SNS signs its requests with a certificate of Amazon's"}
