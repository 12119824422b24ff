"""Test support for connector authors: the conformance suite to inherit, its rules by name, a scripted server and a runtime for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.exports import exports

if TYPE_CHECKING:
    from jackfield.testing.conformance import Conformance
    from jackfield.testing.harness import open_project
    from jackfield.testing.loopback_provider import HANG, RESET, Answer, Provider, Request
    from jackfield.testing.rules import ALL_RULES, RULES, judged, not_applicable
    from jackfield.testing.subject import Rule, Subject

__all__ = [
    "ALL_RULES",
    "HANG",
    "RESET",
    "RULES",
    "Answer",
    "Conformance",
    "Provider",
    "Request",
    "Rule",
    "Subject",
    "judged",
    "not_applicable",
    "open_project",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        ".conformance": ("Conformance",),
        ".harness": ("open_project",),
        ".loopback_provider": ("HANG", "RESET", "Answer", "Provider", "Request"),
        ".rules": ("ALL_RULES", "RULES", "judged", "not_applicable"),
        ".subject": ("Rule", "Subject"),
    },
)
