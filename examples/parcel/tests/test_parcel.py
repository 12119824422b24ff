"""The parcel connector does what it declares."""

from jackfield.testing import Conformance


class TestConformance(Conformance):
    """Rules that every connector must follow."""
