"""A connector for tests: it says back what it is told, and fails as it is told. Its manifest is
``connector.json``.
"""

from jackfield_echo import watching
from jackfield_echo.actions import connector

__all__ = ["connector", "watching"]
