"""The conformance suite: requirements on every connector, as tests to inherit. Each rule has a
stable name.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

from jackfield_market.testing.document_cures import cure_of
from jackfield_market.testing.harness import project_of
from jackfield_market.testing.recorded_examples import EXAMPLES, record
from jackfield_market.testing.rules import RULES, judged, reason_against
from jackfield_market.testing.stash import NOT_APPLICABLE, NOT_REACHED
from jackfield_market.testing.subject import TIERS, Rule, Subject, Tier

_SUBJECTS = pytest.StashKey[dict[type, Subject]]()


class Conformance:
    """Conformance suite. Inherit from it in a class that pytest collects.

    The connector under test is the one of the project that contains the test's file;
    ``tool.jackfield.check`` in its pyproject.toml configures runs of actions. With ``key``, the
    installed connector of that key is tested, and the other class attributes replace the table.

    Rules that run actions need a connection type with a required value of format ``uri``, which is
    set to the address of a loopback provider. They also need an example for each action, whose
    output that provider returns. ``answers`` overrides the responses by method and path; ``values``
    are values for the connection (``${url}`` stands for the address); ``safe_posts`` names actions
    that read through a POST. ``left_out`` names actions and triggers that a loopback provider
    cannot serve, with the reason. ``sample`` limits the actions that are run, for a connector with
    many that share their code; ``jackfield check`` runs all of them. ``grade`` is the highest grade
    whose rules are asserted (default: the highest one). A rule above it that fails is an expected
    failure, which pytest's summary lists as "not reached" with its first fault. Rules that do not
    apply to the connector produce no test: pytest's summary lists them with the reason.
    """

    key: ClassVar[str] = ""
    values: ClassVar[Mapping[str, Any]] = {}
    answers: ClassVar[Mapping[tuple[str, str], Any]] = {}
    safe_posts: ClassVar[tuple[str, ...]] = ()
    left_out: ClassVar[Mapping[str, str]] = {}
    sample: ClassVar[int] = 0
    grade: ClassVar[Tier] = TIERS[-1]

    @classmethod
    def _subject(cls, config: pytest.Config) -> Subject:
        """Return the connector under test. All rules share one object, and with it the attempts
        that several rules examine.
        """
        subjects = config.stash.setdefault(_SUBJECTS, {})
        if cls not in subjects:
            subjects[cls] = cls._load_subject()
        return subjects[cls]

    @classmethod
    def _load_subject(cls) -> Subject:
        if cls.key:
            about = {
                "values": cls.values,
                "answers": cls.answers,
                "safe_posts": cls.safe_posts,
                "left_out": cls.left_out,
                "sample": cls.sample,
            }
            return Subject.installed(cls.key, **about)
        project = project_of(str(sys.modules[cls.__module__].__file__))
        return Subject.of_project(
            project, answers={**project.check["answers"], **cls.answers}, sample=cls.sample
        )

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Create a test for each rule that applies. Other rules are listed at the end of the run,
        because a skip would hide them.
        """
        if "rule" not in metafunc.fixturenames:
            return
        subject = self._subject(metafunc.config)
        reasons = {name: reason_against(subject, rule) for name, rule in RULES.items()}
        if metafunc.config.getoption("--record") is not None:
            reasons[EXAMPLES] = None
        inapplicable = {name: reason for name, reason in reasons.items() if reason is not None}
        metafunc.config.stash.setdefault(NOT_APPLICABLE, {})[subject.manifest.key] = inapplicable
        rules = [rule for name, rule in RULES.items() if name not in inapplicable]
        metafunc.parametrize("rule", rules, ids=[rule.name for rule in rules])

    def test_rule(
        self,
        rule: Rule,
        pytestconfig: pytest.Config,
        record_property: Callable[[str, object], None],
    ) -> None:
        """Assert that the connector satisfies the rule. With ``--record``, record the examples
        again before they are judged.
        """
        connection = pytestconfig.getoption("--record")
        if rule.name == EXAMPLES and connection is not None:
            record(self._subject(pytestconfig), connection)
        faults = judged(self._subject(pytestconfig), rule)
        if faults and TIERS.index(rule.tier) > TIERS.index(self.grade):
            record_property(
                NOT_REACHED,
                [
                    self._subject(pytestconfig).manifest.key,
                    self.grade,
                    f"{rule.name} ({rule.tier}): {faults[0]}",
                ],
            )
            pytest.xfail(f"not reached: {rule.says} {'; '.join(faults)}")
        if faults:
            pytest.fail(
                f"{rule.says} {'; '.join(faults)}. "
                f"{cure_of(rule, self._subject(pytestconfig).manifest)}",
                pytrace=False,
            )
