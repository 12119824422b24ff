"""What the conformance suites of this repository's connectors leave to campaigns."""  # noqa: INP001

from __future__ import annotations

import pytest

_COMPILE_ALL = frozenset({"schemas-closed", "schemas-mean-the-same", "examples-valid"})
_GENERATED = ("connectors/github/", "connectors/stripe/")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the rules that compile each of hundreds of large schemas to campaigns, for GitHub and Stripe: Slack is made by the same
    generator, and judged by them at each commit, and another test shows that all three are what that makes of their documents."""
    for item in items:
        rule = item.callspec.params.get("rule") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
        if getattr(rule, "name", None) in _COMPILE_ALL and item.nodeid.startswith(_GENERATED):
            item.add_marker("campaign")
