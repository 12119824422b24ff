"""The connector keeps what every connector owes its callers, as far as that can be seen without an
HTTP provider.
"""

from jackfield.testing import Conformance


class TestImap(Conformance):
    """IMAP passes the conformance suite."""
