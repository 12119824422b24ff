"""A step of a form loses nothing of what was typed: it opens in the form's page, or in another
window.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Route
from tests.jackfield_service.shell.pages.console_client import Place, placed

from browsing import Visitor
from jackfield_service.shell.pages.app import _PAGES

pytest_plugins = ["browser"]
_QUERIES = {
    "/new-connection": ["?type=echo/token"],
    "/new-schedule": ["?connector=echo&action=say"],
    "/new-batch": ["?connector=echo&action=say"],
    "/new-subscription": [
        "?trigger=echo/posted",
        "?trigger=echo/notes&then=echo/post",
        "?trigger=http/webhook",
    ],
}
_NAMES = {"{key}": "echo", "{action}": "say", "{name}": "hall", "{server}": "x", "{w}": "default"}


class _Leaving(HTMLParser):
    """The links of forms that change something, which leave their page."""

    def __init__(self) -> None:
        super().__init__()
        self.in_form = False
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Look at an element."""
        given = dict(attrs)
        if tag == "form":
            self.in_form = given.get("method") == "post" or "hx-post" in given
        stays = (
            "hx-get" in given
            or given.get("target") == "_blank"
            or (given.get("href") or "#").startswith("#")
        )
        if tag == "a" and self.in_form and not stays:
            self.found.append(str(given.get("href")))

    def handle_endtag(self, tag: str) -> None:
        """Look at the end of an element."""
        if tag == "form":
            self.in_form = False


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with something on each of its pages."""
    with placed(tmp_path, queue_workers=0) as found:
        person = found.signed_in()
        hall = {
            "name": "hall",
            "type": "echo/token",
            "values": '{"token": "secret-4711"}',
            "how": "untested",
        }
        assert person.change("/connections", "/connections", **hall).status in (200, 303)
        call = '{"connection": "hall", "inputs": {"text": "x"}}'
        person.change(
            "/schedules",
            "/schedules",
            name="hall",
            runs="daily",
            connector="echo",
            action="say",
            invocation=call,
        )
        then = {"then": "echo/post", "thenConnection": "hall", "thenInputs": '{"text": "x"}'}
        person.change(
            "/",
            "/subscriptions",
            name="hall",
            trigger="echo/posted",
            connection="hall",
            inputs="{}",
            **then,
        )
        yield found


def test_no_link_of_a_form_leaves_its_page(place: Place) -> None:
    """Of all pages: a link in a form that changes something is loaded into the page, or opens
    another window.
    """
    person, seen = place.signed_in(), 0
    leaving: dict[str, list[str]] = {}
    for path in (page.path for page in _PAGES if page.method == "GET"):
        address = re.sub(r"\{[a-z]+\}", lambda found: _NAMES.get(found[0], "x"), path)
        for query in _QUERIES.get(path, [""]):
            answer = person.get(address + query)
            if answer.status != 200:
                continue
            seen += 1
            looked = _Leaving()
            looked.feed(answer.text)
            leaving |= {address + query: looked.found} if looked.found else {}
    assert leaving == {}
    assert seen >= 30


def test_a_trigger_keeps_what_was_typed(visitor: Visitor, thoroughly: bool) -> None:
    """Choosing the action that each event starts, another one, and a new connection for it keep the
    name and the inputs; the hint and the choice have places that the event has; a place that it
    lacks is refused with the nearest one, at its field.
    """
    page = visitor.page
    visitor.go("/new-subscription?trigger=http/webhook")
    visitor.field("Name").fill("orders")
    signature, secret = (
        page.get_by_label(re.compile("^Signature")).first,
        "None: only the URL is secret",
    )
    signature.select_option(label=secret)
    page.get_by_role("searchbox", name="Start an invocation with each event").fill("say")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Say", exact=True).wait_for()
    visitor.settle()
    assert visitor.judged(thoroughly=thoroughly) == []
    page.get_by_role("link", name="Say", exact=True).press("Enter")
    page.locator("#started").get_by_text("Each event starts").wait_for()
    visitor.settle()
    page.get_by_role("link", name="Choose another").click()
    page.get_by_role("searchbox", name="Search actions").fill("post a note")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Search", exact=True).click()
    page.get_by_role("link", name="Post a Note", exact=True).click()
    page.get_by_role("link", name="echo/post", exact=True).wait_for()
    page.locator("#started").get_by_role("button", name="New connection").click()
    page.get_by_role("dialog").get_by_role("link", name="Echo: Token").click()
    page.get_by_role("dialog").get_by_label("Name", exact=True).fill("hall")
    page.get_by_role("dialog").get_by_label(re.compile("^Token")).first.fill("sesame-0815")
    page.get_by_role("dialog").get_by_role("button", name="Save without testing").click()
    page.locator("#thenConnection option[value=hall]").wait_for(state="attached")
    page.get_by_role("dialog").wait_for(state="hidden")
    assert (
        visitor.field("Name").first.input_value(),
        visitor.field("Connection to Echo").input_value(),
    ) == ("orders", "hall")
    assert signature.evaluate("node => node.selectedOptions[0].textContent") == secret
    assert visitor.judged(thoroughly=thoroughly) == []
    page.get_by_label("Write them as JSON").check()
    assert "/data/payload/body/id" in page.locator("#thenInputs-hint").inner_text()
    visitor.field("Inputs as JSON").fill('{"text": {"$event": "/data/payload/id"}}')
    page.get_by_role("button", name="Add subscription").click()
    page.locator("#started .field-error").get_by_text(
        "did you mean '/data/payload/body/id'"
    ).wait_for()
    visitor.field("Inputs as JSON").fill('{"text": ""}')
    page.locator("#thenInputs").evaluate("area => area.setSelectionRange(10, 10)")
    page.get_by_role("button", name="/data/payload/body/id").click()
    page.get_by_role("button", name="Add subscription").click()
    page.wait_for_url("**/subscriptions/orders?done=added")
    assert '"$event": "/data/payload/body/id"' in page.locator("main").inner_text()
    visitor.check()


def test_a_dialog_shows_nothing_of_its_last_choice(visitor: Visitor) -> None:
    """Until its content has come, it has no search: what is typed into an old one would be lost.
    Its button searches as typing does.
    """
    page, before = visitor.page, list[int]()
    visitor.go("/new-subscription?trigger=http/webhook&then=echo/say")
    words = page.get_by_role("searchbox", name="Search actions")

    def look(route: Route) -> None:
        before.append(words.count())
        route.continue_()

    page.route(re.compile("inside=1$"), look)
    for _ in range(2):
        page.get_by_role("link", name="Choose another", exact=True).click()
        words.wait_for()
        words.evaluate("field => { field.value = 'post a note'; }")
        page.get_by_role("dialog").get_by_role("button", name="Search", exact=True).click()
        page.get_by_role("link", name="Post a Note", exact=True).wait_for()
        page.get_by_role("dialog").get_by_role("button", name="Close").click()
    assert before == [0, 0]
    visitor.check()
