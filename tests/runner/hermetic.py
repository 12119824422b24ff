"""What holds for every test of the repository, loaded by ``-p``: a home and log handlers of its
own, no journal unless asked for, no silent skips in CI; and a clock for those that ask for one.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

from clocks import FakeClock
from jackfield.catalog import Catalog
from jackfield.kernel.shares import TENANTS
from jackfield.redaction import redactor
from kept_failures import failures_of

_AUTHORITY = Path(__file__).with_name("no_authority.pem")
_DECLARED = {"jackfield.boundary.looks": "DECLARED", "jackfield.boundary.actions": "FUNCTIONS"}
"""Registries of the functions of this process."""

# a plugin that tests import, too: whichever comes first
pytest.register_assert_rewrite("operating")


def pytest_configure() -> None:
    """Time no property test, for the machine decides how long it takes, and let interrupts, quits
    and hang-ups reach the tests' programs.

    A property that names no number of examples is tried with 25, and in a campaign with 1,000. Only
    there hypothesis parses our modules for constants that it may draw: that takes longer than most
    properties, again after each import.

    TLS trusts an authority that signs nothing: to read the machine's takes 20 ms for each context,
    and no test is to depend on them.
    """
    os.environ["SSL_CERT_FILE"], os.environ["SSL_CERT_DIR"] = str(_AUTHORITY), os.devnull
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        # started in a background: children would inherit it
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(
                number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            )
    settings.register_profile(
        "untimed", deadline=None, max_examples=1_000 if os.environ.get("CAMPAIGN") else 25
    )
    settings.load_profile("untimed")
    if not os.environ.get("CAMPAIGN"):
        vars(providers)["_get_local_constants"] = lambda: providers._local_constants


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to campaigns what runs the SQL of other tests once more on PostgreSQL, where a test
    takes 0.2 s more than on SQLite: further cases of a test, and tests marked ``above_sql``. Those
    of the database itself all run on both.
    """
    seen = set()
    for item in items:
        if not isinstance(item, pytest.Function) or item.nodeid.startswith(
            "tests/jackfield_store/database/"
        ):
            continue
        if (
            getattr(item, "callspec", None) is None
            or item.callspec.params.get("database_url") != "postgresql"
        ):
            continue
        function = item.nodeid.partition("[")[0]
        if function in seen or item.get_closest_marker("above_sql"):
            item.add_marker("campaign")
        seen.add(function)


@pytest.fixture(scope="session", autouse=True)
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Copy the new SQLite databases of tests, and what catalogs are made of: to make them takes
    longer than most tests.
    """
    from ready_catalog import parts_kept
    from ready_database import databases_copied

    with (
        databases_copied(tmp_path_factory.mktemp("template")),
        parts_kept(tmp_path_factory.mktemp("indexes")),
    ):
        yield


@pytest.fixture(autouse=True)
def log_handlers() -> Iterator[None]:
    """Put jackfield's logging back: a command's handler writes to a captured stderr, which is
    closed when threads log after the test.

    No secret of an earlier test is masked in this one's log: its connections may be there still, as
    garbage, with a token ``one``.
    """
    redactor._IN_FORCE._recent.clear()
    logger = logging.getLogger("jackfield")
    handlers, propagate, level = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.fixture(autouse=True)
def first_test_of_its_process() -> Iterator[None]:
    """Forget what earlier tests left in the process: functions that a thread of theirs may still
    hold, whose looks would count and which later catalogs would list, and that several tenants were
    served, by which one tenant's share is smaller.
    """
    _forget()
    yield
    _forget()


def _forget() -> None:
    TENANTS._last, TENANTS._other = ("", 0.0), ("", 0.0)
    for module, name in _DECLARED.items():
        if module in sys.modules:
            vars(sys.modules[module])[name].clear()
    Catalog.own = ()


@pytest.fixture(scope="session")
def folders_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Name a folder for each test. pytest looks for a number, and makes a link, for each of 12,000
    folders: a fifth of an empty test.
    """
    base = tmp_path_factory.mktemp("tests")
    return (base / str(number) for number in itertools.count())


@pytest.fixture
def tmp_path(folders_of_tests: Iterator[Path]) -> Path:
    """An empty folder for this test."""
    place = next(folders_of_tests)
    place.mkdir()
    return place


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home, and none of the host's AWS or jackfield settings; nor the machine's identity
    of an earlier test, which is kept for the life of a process.
    """
    if sessions := sys.modules.get("jackfield_aws.sessions"):
        sessions._shared.forget_machines()
    for name in list(os.environ):
        if name.startswith(("AWS_", "JACKFIELD_", "BOTO_")):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    monkeypatch.setenv("JACKFIELD_HOME", str(folder))
    monkeypatch.setenv("JACKFIELD_DATABASE_URL", "none")
    # no test asks the machine's resolver
    monkeypatch.setenv("JACKFIELD_DNS_SERVERS", "127.0.0.1:9")
    # the servers of all tests together have more processes than there are cores
    monkeypatch.setenv("JACKFIELD_PIN", "0")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(folder / "aws-credentials"))
    return folder


@pytest.fixture
def clock() -> FakeClock:
    """A clock that tests move."""
    return FakeClock()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what was skipped, with the reasons, at the end."""
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped and os.environ.get("CI") == "true":
        terminalreporter.write_line(
            f"{len(skipped)} skipped; under CI=true a skip is a failure", red=True
        )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Under CI a skip is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and os.environ.get("CI") == "true" and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        failures_of(session.config).others.append("a test was skipped")
