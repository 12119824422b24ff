"""The connector keeps what every connector owes its callers."""

from jackfield.testing import Conformance


class TestGitHub(Conformance):
    """GitHub passes the conformance suite."""

    sample = 3
