"""Tabs, shortcuts and examples on the page of an action, in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import Console

pytest_plugins = ["browser"]

SAY = "/connectors/echo/actions/say"
_SETTLED = """() => {
    window.__settled = false;
    document.addEventListener("htmx:after:settle", () => { window.__settled = true; }, { once: true });
}"""


@pytest.fixture(autouse=True)
def hall(console: Console) -> None:
    """A connection to the echo."""
    console.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})


def shown(visitor: Visitor) -> list[str]:
    """The names of the code panels that can be seen."""
    runtimes = visitor.page.get_by_role("tabpanel")
    return [
        str(runtimes.nth(place).get_attribute("id"))
        for place in range(runtimes.count())
        if runtimes.nth(place).is_visible()
    ]


def typed(visitor: Visitor, text: str) -> None:
    """Type into the form, and wait until the code has it and htmx has settled, which puts the
    server's attributes back.
    """
    page = visitor.page
    page.evaluate(_SETTLED)
    visitor.field("Text required").fill(text)
    page.locator("#code").get_by_text(text).first.wait_for(state="attached")
    page.wait_for_function("window.__settled")


def test_h8_one_code_panel_is_shown_and_the_choice_survives_each_refresh(visitor: Visitor) -> None:
    """H8, B9: one panel at a time, also after htmx has put the server's attributes back; the chosen
    language stays, after a reload too.
    """
    page = visitor.page
    visitor.go(SAY)
    typed(visitor, "first")
    assert shown(visitor) == ["code-panel-0"]
    page.get_by_role("tab", name="Python").click()
    assert shown(visitor) == ["code-panel-2"]
    for text in ("second", "third"):
        typed(visitor, text)
        assert shown(visitor) == ["code-panel-2"]
        assert page.get_by_role("tab", selected=True).inner_text() == "Python"
    page.keyboard.press("Tab")
    visitor.run()
    assert shown(visitor) == ["code-panel-2"]
    page.reload()
    visitor.settle()
    assert shown(visitor) == ["code-panel-2"]


def test_h8_listeners_do_not_pile_up(browser: Browser, console: Console) -> None:
    """However often the code is refreshed, no element of it gets a listener of its own: an arrow
    key moves by one tab.
    """
    # a window of its own, since the script stays
    visitor = Visitor(browser, console, zone="Etc/UTC")
    visitor.sign_in()
    page = visitor.page
    page.add_init_script(
        """window.__added = 0; const add = EventTarget.prototype.addEventListener;
        EventTarget.prototype.addEventListener = function (...given) { if (this.classList?.contains("tabs")) window.__added += 1;
        return add.apply(this, given); };"""
    )
    visitor.go(SAY)
    for text in ("one", "two", "three"):
        typed(visitor, text)
    assert page.evaluate("window.__added") == 0
    page.get_by_role("tab", name="JSON").focus()
    page.keyboard.press("ArrowRight")
    assert shown(visitor) == ["code-panel-1"]
    visitor.check()
    visitor.close()


def test_b9_an_example_is_offered_only_where_there_is_one(visitor: Visitor) -> None:
    """The button fills the form in where the action has an example, keeps what is entered, and is
    not there where it has none.
    """
    page = visitor.page
    visitor.go("/connectors/aws-ses/actions/sendEmail")
    visitor.field("Text").fill("my own words")
    page.get_by_role("button", name="Fill in example values").click()
    visitor.settle()
    assert (
        bool(visitor.field("Subject required").input_value()),
        visitor.field("Text").input_value(),
    ) == (True, "my own words")
    visitor.go("/connectors/echo/actions/post")
    assert page.get_by_role("button", name="Fill in example values").count() == 0


def test_ctrl_enter_runs_and_slash_goes_to_the_search(visitor: Visitor) -> None:
    """Ctrl+Enter in any field runs the action; "/" focuses the search of a page, and is a character
    in a field.
    """
    page = visitor.page
    visitor.go(SAY)
    visitor.field("Text required").fill("Hello")
    page.keyboard.press("/")
    page.keyboard.press("Control+Enter")
    page.locator("#result .result").wait_for()
    assert "Hello/" in page.locator("#result").inner_text()
    visitor.go("/connectors")
    page.keyboard.press("/")
    page.keyboard.type("note")
    page.get_by_role("link", name="Post a Note").wait_for()


def test_the_next_page_is_one_click_away(visitor: Visitor) -> None:
    """The button runs the action again with the token of the next page in its field."""
    page = visitor.page
    visitor.go("/connectors/echo/actions/list")
    page.get_by_text("More fields").click()
    visitor.field("Total").fill("25")
    visitor.field("Page Size").fill("20")
    assert visitor.run() == "succeeded"
    page.get_by_role("button", name="Next page").click()
    page.locator("#result").get_by_text("item 24", exact=True).wait_for()
    assert "5 items" in page.locator("#result").inner_text()
    assert visitor.field("Next Token").input_value() == "20"
