"""The pytest plugin: it makes the conformance suite's assertions readable, and is otherwise silent."""

import pytest

__all__: list[str] = []

pytest.register_assert_rewrite("jackfield.testing.conformance")
