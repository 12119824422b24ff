"""Test support for connector authors: the conformance suite to inherit, and its rules by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jackfield.exports import exports

if TYPE_CHECKING:
    from jackfield.testing.conformance import Conformance
    from jackfield.testing.rules import RULES, judged, not_applicable
    from jackfield.testing.subject import Rule, Subject

__all__ = ["RULES", "Conformance", "Rule", "Subject", "judged", "not_applicable"]

__getattr__, __dir__ = exports(
    __name__, {".conformance": ("Conformance",), ".rules": ("RULES", "judged", "not_applicable"), ".subject": ("Rule", "Subject")}
)
