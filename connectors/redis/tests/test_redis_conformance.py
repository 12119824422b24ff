"""The connector keeps what every connector owes its callers, as far as that can be seen without an
HTTP provider.
"""

from jackfield.testing import Conformance


class TestRedis(Conformance):
    """Redis passes the conformance suite."""
