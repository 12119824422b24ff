"""The pytest plugin: fixtures ``jackfield_home``, ``jackfield_mock`` and ``harness``, option
``--record``, and a list of the conformance rules that do not apply or are not reached.

Every process of pytest loads it, so it imports the rest of jackfield only when a test uses the
plugin.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jackfield.kernel.fork import living
from jackfield_market import testing
from jackfield_market.testing.stash import NOT_APPLICABLE, NOT_REACHED

if TYPE_CHECKING:
    from jackfield_market.testing.harness import Harness
    from jackfield_market.testing.loopback_provider import Provider

_FAILED = pytest.StashKey[bool]()
_SENT = "jackfield_not_applicable"


pytest.register_assert_rewrite("jackfield_market.testing.conformance")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option ``--record``."""
    about = (
        "make the recordings of jackfield's harness anew over this connection (default: the "
        "only one that fits the connector)"
    )
    parser.getgroup("jackfield").addoption(
        "--record", metavar="CONNECTION", nargs="?", const="", default=None, help=about
    )


@pytest.fixture
def jackfield_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Provide an empty data folder for the runtimes that a test makes, with its own database, keys
    and files. No environment variable names another folder or database, or an endpoint of AWS.
    Runtimes of the folder that are still open after the test are closed: otherwise the application
    could answer the next test from this test's journal.
    """
    for name in [
        name for name in os.environ if name.startswith(("JACKFIELD_", "AWS_ENDPOINT_URL"))
    ]:
        monkeypatch.delenv(name)
    home = tmp_path / "jackfield"
    monkeypatch.setenv("JACKFIELD_HOME", str(home))
    yield home
    loaded = sys.modules.get("jackfield.runtime")
    for runtime in [] if loaded is None else living(loaded.Jackfield):
        if runtime.storage.enabled and home in Path(runtime.storage.file).parents:
            runtime.close()


@pytest.fixture
def jackfield_mock() -> Iterator[Callable[..., Provider]]:
    """Yield ``jackfield.testing.mocked`` for one test: call it with a server and its script; it
    returns the provider.
    """
    with ExitStack() as stack:
        yield lambda server, *script: stack.enter_context(testing.mocked(server, *script))


@pytest.fixture
def harness(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """Yield a runtime with the connector of the test's project; ``jackfield.testing.Harness``
    describes it.
    """
    with testing.Harness.of(str(request.path), request.config.getoption("--record")) as opened:
        yield opened
        if request.node.stash.get(_FAILED, True):
            opened.discard()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Record whether the test itself has failed; its harness then writes no recording."""
    report = yield
    if call.when == "call":
        item.stash[_FAILED] = report.failed
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send the list of inapplicable rules from a pytest-xdist worker to its controller."""
    output: dict[str, Any] | None = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_SENT] = session.config.stash.get(NOT_APPLICABLE, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Merge the list of inapplicable rules of a worker; all workers collect identical tests."""
    node.config.stash.setdefault(NOT_APPLICABLE, {}).update(
        getattr(node, "workeroutput", {}).get(_SENT, {})
    )


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """List the conformance rules that do not apply, with the reasons, and failed rules above the
    grade of their suite.
    """
    for key, rules in config.stash.get(NOT_APPLICABLE, {}).items():
        for reason in dict.fromkeys(rules.values()):
            names = ", ".join(name for name, why in rules.items() if why == reason)
            terminalreporter.write_line(
                f"conformance of '{key}': not applicable: {reason}: {names}"
            )
    for report in terminalreporter.stats.get("xfailed", ()):
        for name, found in report.user_properties:
            if name == NOT_REACHED:
                terminalreporter.write_line(
                    "conformance of '{}': above {}, not reached: {}".format(*found)
                )
