"""Tests that drive a browser leave the others of their process alone."""

from __future__ import annotations

import asyncio

import pytest
from playwright.sync_api import Browser

pytest_plugins = ["browser"]


@pytest.fixture
def begun() -> int:
    """Something that a fixture awaits."""
    return asyncio.run(asyncio.sleep(0, 1))


def test_a_browser_is_driven(browser: Browser) -> None:
    """Playwright's event loop runs in this thread from now on."""
    assert browser.is_connected()
    assert asyncio.get_running_loop().is_running()


def test_what_follows_runs_a_loop_of_its_own(begun: int) -> None:
    """A test that drives no browser, and its fixtures, run event loops as if there had been
    none.
    """
    assert begun == 1
    assert asyncio.run(asyncio.sleep(0, 2)) == 2


def test_the_browser_goes_on(browser: Browser) -> None:
    """Its loop is there again for those that drive it."""
    page = browser.new_page()
    page.set_content("<h1>here</h1>")
    assert page.text_content("h1") == "here"
    page.close()
