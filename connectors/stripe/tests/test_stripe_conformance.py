"""The connector keeps what every connector owes its callers."""

from jackfield.testing import Conformance


class TestStripe(Conformance):
    """Stripe passes the conformance suite."""

    sample = 3
