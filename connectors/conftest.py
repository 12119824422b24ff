"""Rules of this repository's connector suites that only campaigns run, and the two ways of SES's
calls: direct, and by boto3's client. Some modules use both; ``make campaign ses-boto3`` makes all
use the latter.
"""  # noqa: INP001

from __future__ import annotations

import os

import pytest

_COMPILE_ALL = frozenset({"schemas-closed", "schemas-mean-the-same", "examples-valid"})
_GENERATED = ("connectors/github/", "connectors/stripe/")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the rules that compile each of hundreds of large schemas to campaigns, for GitHub and
    Stripe. Slack is made by the same generator and judged by these rules at each commit. Another
    test shows that all three equal the generator's output for their documents.
    """
    for item in items:
        rule = (
            item.callspec.params.get("rule")
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else None
        )
        if getattr(rule, "name", None) in _COMPILE_ALL and item.nodeid.startswith(_GENERATED):
            item.add_marker("campaign")


_SES = "connectors/aws-ses/"
_BOTH = frozenset(
    {"test_aws_ses_account_actions", "test_aws_ses_administration", "test_aws_ses_states"}
)
"""Modules of forty tests that call most operations, over moto and over the simulator."""
_WAY = "boto3" if os.environ.get("CAMPAIGN_WAY") == "boto3" else "direct"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of some modules in both ways."""
    if metafunc.definition.path.stem in _BOTH and _WAY == "direct":
        metafunc.parametrize("_way", ["direct", "boto3"], indirect=True)


@pytest.fixture(autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Choose the way of this test's calls."""
    if getattr(request, "param", _WAY) == "boto3" and request.node.nodeid.startswith(_SES):
        monkeypatch.setenv("JACKFIELD_AWS_DIRECT", "0")
