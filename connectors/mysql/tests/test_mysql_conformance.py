"""The connector keeps what every connector owes its callers, as far as that can be seen without an
HTTP provider.
"""

from jackfield.testing import Conformance


class TestMysql(Conformance):
    """MySQL passes the conformance suite."""
