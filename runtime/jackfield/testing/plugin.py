"""The pytest plugin: readable assertions for the conformance suite, and a list of the rules that do not apply to a connector."""

from __future__ import annotations

from typing import Any

import pytest

NOT_APPLICABLE = pytest.StashKey[dict[str, dict[str, str]]]()
"""Rules that do not apply, with the reason, for each connector whose suite was collected."""
_SENT = "jackfield_not_applicable"


pytest.register_assert_rewrite("jackfield.testing.conformance")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the list from a pytest-xdist worker to its controller."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT] = session.config.stash.get(NOT_APPLICABLE, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Merge the list of a worker; all workers collect identical tests."""
    node.config.stash.setdefault(NOT_APPLICABLE, {}).update(getattr(node, "workeroutput", {}).get(_SENT, {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """List the conformance rules that do not apply, and why."""
    for key, rules in config.stash.get(NOT_APPLICABLE, {}).items():
        for reason in dict.fromkeys(rules.values()):
            names = ", ".join(name for name, why in rules.items() if why == reason)
            terminalreporter.write_line(f"conformance of '{key}': not applicable: {reason}: {names}")
