"""The connector keeps what every connector owes its callers, as far as that can be seen without an
HTTP provider.
"""

from jackfield.testing import Conformance


class TestSftp(Conformance):
    """SFTP passes the conformance suite."""
