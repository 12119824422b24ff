"""What connector authors test with: the conformance suite that any connector inherits."""

from jackfield.testing.conformance import Conformance

__all__ = ["Conformance"]
