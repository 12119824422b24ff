"""The clock of the repository's tests is the one that authors of connectors get."""

from jackfield.testing.fake_clock import FakeClock

__all__ = ["FakeClock"]
