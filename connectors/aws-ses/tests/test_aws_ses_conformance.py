"""The connector keeps what every connector owes its callers."""

from typing import ClassVar

import pytest

from jackfield.testing import Conformance


# the test of its grade judges it by the same rules, and by those of a catalogue
@pytest.mark.campaign
class TestAwsSes(Conformance):
    """Amazon SES passes the conformance suite."""

    key = "aws-ses"
    left_out: ClassVar = dict.fromkeys(
        ("mailEvents", "mailReceived"),
        "Amazon SNS signs its requests with a certificate of Amazon's",
    )
