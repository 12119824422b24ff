"""The conformance suite: what every connector owes its callers, as tests to inherit. Each rule has a stable name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

from jackfield.testing.rules import RULES, judged
from jackfield.testing.subject import Rule, Subject

__all__ = ["Conformance"]


class Conformance:
    """The suite. Inherit it in a class whose name pytest collects, and set ``key`` to the connector's key.

    Rules that run actions need a connection type with a required value of the format ``uri``, to which they give the address of a provider
    on loopback, and an example for each action, whose output that provider answers. ``answers`` says what it answers instead, by method and
    path; ``values`` are values for the connection (``${url}`` stands for the address); ``safe_posts`` names actions that read by a POST.
    """

    key: ClassVar[str]
    values: ClassVar[Mapping[str, Any]] = {}
    answers: ClassVar[Mapping[tuple[str, str], Any]] = {}
    safe_posts: ClassVar[tuple[str, ...]] = ()

    @pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.name)
    def test_rule(self, rule: Rule) -> None:
        """The connector keeps the rule."""
        subject = Subject.installed(self.key, values=self.values, answers=self.answers, safe_posts=self.safe_posts)
        faults = judged(subject, rule)
        if faults is None:
            pytest.skip("no required value of a connection type is a URI: give 'values' with '${url}' to have actions run")
        assert not faults, f"{rule.says} " + "; ".join(faults)
