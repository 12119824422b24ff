"""The fixtures ``browser``, ``console`` and ``visitor``, for test modules that say ``pytest_plugins
= ["browser"]``.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

from browsing import Visitor
from console_rig import Console, served

_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
"""Programs that do, the one without windows first: it takes a fifth less CPU time for all tests of
the console.
"""


def browser_path() -> str | None:
    """Return the path of the browser that this machine has; None if it has none."""
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


@contextmanager
def _apart(item: pytest.Item) -> Iterator[None]:
    """Hide the event loop that Playwright leaves running in this thread from tests that drive no
    browser: they may run one themselves.
    """
    loop = asyncio._get_running_loop()
    if loop is None or "playwright" in getattr(item, "fixturenames", ()):
        yield
        return
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, object, object]:
    """Make fixtures without the browser's loop."""
    with _apart(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Run a test without the browser's loop."""
    with _apart(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, object, object]:
    """Tear fixtures down without the browser's loop; the session's last ones need it."""
    if nextitem is None:
        return (yield)
    with _apart(item):
        return (yield)


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """What drives browsers."""
    # of its own it waits 5 s, which is less than a busy machine may take
    expect.set_options(timeout=60_000)
    with sync_playwright() as found:
        yield found


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium, as the system has it; ``.ci/apt`` installs it on Debian."""
    path = browser_path()
    if path is None:
        pytest.skip(
            f"there is no browser: none of {', '.join(_NAMES)} is installed ('.ci/apt' does it "
            "on Debian)"
        )
    launched = playwright.chromium.launch(
        executable_path=path, args=["--no-sandbox", "--in-process-gpu"]
    )
    yield launched
    launched.close()


@pytest.fixture(
    params=[False, pytest.param(True, marks=pytest.mark.campaign)], ids=["light", "thoroughly"]
)
def thoroughly(request: pytest.FixtureRequest) -> bool:
    """Whether axe judges pages in each way in which people look at them, which takes most of the
    time of the console's tests.
    """
    return bool(request.param)


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console on a database of its own, where nobody takes what is queued."""
    with served(tmp_path, queue_workers=0) as found:
        yield found


@pytest.fixture
def visitor(browser: Browser, console: Console) -> Iterator[Visitor]:
    """Somebody who is signed in."""
    found = Visitor(browser, console)
    found.sign_in()
    yield found
    found.check()
    found.close()
