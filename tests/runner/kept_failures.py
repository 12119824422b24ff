"""Which tests failed in a run, and how: ``--failures FILE`` writes it as JSON when the run ends.

``.ci/unsteady.py`` decides by this file whether the failed tests may be tried once more. It also
says why they may not: a run that was cut short, or that fails for more than failed tests.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest


@dataclass
class Failures:
    """Outcome of a run: failed tests with their first failure, and its other faults."""

    failed: dict[str, str] = field(default_factory=dict)
    passed: int = 0
    others: list[str] = field(default_factory=list)


_KEY = pytest.StashKey[Failures]()


def failures_of(config: pytest.Config) -> Failures:
    """Return the outcome of this run so far."""
    return config.stash.setdefault(_KEY, Failures())


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--failures``."""
    parser.addoption("--failures", metavar="FILE", help="write what failed to FILE, as JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Record the outcome where somebody asks for it."""
    if config.option.failures:
        path = config.rootpath / config.option.failures
        config.pluginmanager.register(_Record(failures_of(config), path), "kept-failures")


class _Record:
    """Writer of one run's outcome."""

    def __init__(self, found: Failures, path: Path) -> None:
        self._found, self._path, self._pid = found, path, os.getpid()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a test that passed; keep the first failure of one that failed, also in its setup or
        teardown.
        """
        if report.failed:
            self._found.failed.setdefault(report.nodeid, f"{report.when}: {report.longreprtext}")
        elif report.when == "call" and report.passed:
            self._found.passed += 1

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Note a run that was interrupted, or whose tests could not be collected."""
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            self._found.others.append(f"pytest did not run all tests (exit code {exitstatus:d})")

    def pytest_unconfigure(self) -> None:
        """Write the file, after all that may note a fault."""
        if os.getpid() == self._pid:
            self._path.parent.mkdir(exist_ok=True)
            self._path.write_text(json.dumps(asdict(self._found), indent=1), encoding="utf-8")
