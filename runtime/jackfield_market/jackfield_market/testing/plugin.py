"""The pytest plugin: fixture ``harness``, option ``--record``, and a list of the conformance rules that do not apply or are not reached.

Every process of pytest loads it, so it imports the rest of jackfield only when a test uses it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from jackfield_market.testing.harness import Harness

NOT_APPLICABLE = pytest.StashKey[dict[str, dict[str, str]]]()
"""Rules that do not apply, with the reason, for each connector whose suite was collected."""
NOT_REACHED = "jackfield_not_reached"
"""Property of a test: the connector, the grade of its suite, and the rule above that grade which failed."""
_FAILED = pytest.StashKey[bool]()
_SENT = "jackfield_not_applicable"


pytest.register_assert_rewrite("jackfield_market.testing.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--record``."""
    about = "make the recordings of jackfield's harness anew over this connection (default: the only one that fits the connector)"
    parser.getgroup("jackfield").addoption("--record", metavar="CONNECTION", nargs="?", const="", default=None, help=about)


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """Runtime with the connector of the test's project, for one test; ``jackfield.testing.Harness`` describes it."""
    from jackfield_market.testing.harness import Harness

    with Harness.of(str(request.path), request.config.getoption("--record")) as opened:
        yield opened
        if request.node.stash.get(_FAILED, True):
            opened.discard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether the test itself has failed: its harness then writes no recording."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


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
    """List the conformance rules that do not apply, and why, and those above the grade of their suite that failed."""
    for key, rules in config.stash.get(NOT_APPLICABLE, {}).items():
        for reason in dict.fromkeys(rules.values()):
            names = ", ".join(name for name, why in rules.items() if why == reason)
            terminalreporter.write_line(f"conformance of '{key}': not applicable: {reason}: {names}")
    for report in terminalreporter.stats.get("xfailed", ()):
        for name, found in report.user_properties:
            if name == NOT_REACHED:
                terminalreporter.write_line("conformance of '{}': above {}, not reached: {}".format(*found))
