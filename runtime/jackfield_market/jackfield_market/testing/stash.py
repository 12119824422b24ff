"""Keys of data that the conformance suite stores for the pytest plugin, which prints it at the end
of a run.
"""

from __future__ import annotations

import pytest

NOT_APPLICABLE = pytest.StashKey[dict[str, dict[str, str]]]()
"""Key of the rules that do not apply, with the reason, for each connector whose suite was
collected.
"""
NOT_REACHED = "jackfield_not_reached"
"""Name of a test's property with the connector, the grade of its suite, and the failed rule above
that grade.
"""
