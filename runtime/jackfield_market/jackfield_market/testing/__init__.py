"""Test support: scripted and mocked servers and a clock for applications; the conformance suite and
recordings for connector authors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.kernel.exports import exports

if TYPE_CHECKING:
    from jackfield_market.testing.conformance import Conformance
    from jackfield_market.testing.fake_clock import FakeClock
    from jackfield_market.testing.harness import Harness, open_project
    from jackfield_market.testing.loopback_provider import (
        CLOSE,
        DRIP,
        HANG,
        RESET,
        Answer,
        Provider,
        Request,
        refused,
        throttled,
    )
    from jackfield_market.testing.mocking import mocked
    from jackfield_market.testing.recordings import RecordingMismatch
    from jackfield_market.testing.rules import ALL_RULES, RULES, judged, not_applicable
    from jackfield_market.testing.subject import Rule, Subject

__all__ = [
    "ALL_RULES",
    "CLOSE",
    "DRIP",
    "HANG",
    "RESET",
    "RULES",
    "Answer",
    "Conformance",
    "FakeClock",
    "Harness",
    "Provider",
    "RecordingMismatch",
    "Request",
    "Rule",
    "Subject",
    "judged",
    "mocked",
    "not_applicable",
    "open_project",
    "refused",
    "throttled",
]

if not TYPE_CHECKING:  # to type checkers, a name that is not there is a mistake
    __getattr__, __dir__ = exports(
        __name__,
        {
            ".conformance": "Conformance",
            ".fake_clock": "FakeClock",
            ".harness": "Harness open_project",
            ".loopback_provider": "CLOSE DRIP HANG RESET Answer Provider Request refused throttled",
            ".mocking": "mocked",
            ".recordings": "RecordingMismatch",
            ".rules": "ALL_RULES RULES judged not_applicable",
            ".subject": "Rule Subject",
        },
    )
