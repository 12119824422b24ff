"""A test of a connection takes its time: the page says that it runs, and takes no second press; it
goes on by itself in every window.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, expect

from browsing import Visitor
from console_rig import Console
from http_stand import Client
from jackfield.testing import Answer, Provider, Request
from jackfield_store.access.platform_tokens import PlatformTokens

pytest_plugins = ["browser"]

PRESS_TWICE = """button => {
    const told = button.form.querySelector("[role=status]");
    const busy = () => [button.closest("main").ariaBusy, told.textContent, told.offsetHeight > 0];
    const look = () => button.disabled ? console.log(JSON.stringify(busy())) : setTimeout(look, 20);
    button.click();
    button.click();
    look();
}"""
"""Presses a button twice, and logs what the page shows once it is disabled: Playwright itself looks
at no page that waits for an answer.
"""
BASE = "/v1/workspaces/acme-1/connect-sessions"


class Gate:
    """A provider that lets requests wait until it is opened."""

    def __init__(self) -> None:
        self.asked, self.open = threading.Event(), threading.Event()
        self.count = 0

    def __call__(self, _number: int, _request: Request) -> Answer:
        """Answer a request, once it is open."""
        self.count += 1
        self.asked.set()
        assert self.open.wait(60)
        return Answer({"id": 7, "email": "ada@acme.example"})


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open at the end, whatever happens."""
    found = Gate()
    yield found
    found.open.set()


def test_a_press_is_answered_at_once_and_counts_once(
    browser: Browser, console: Console, gate: Gate, thoroughly: bool
) -> None:
    """The button is disabled, the page is busy and says so to screen readers; another window of the
    session says that the test runs, and both go on to the account. The provider is asked once.
    """
    storage = console.host.storage
    made = PlatformTokens(storage.database, storage.vault, console.host.clock).create(
        "acme-*", "The Shop"
    )
    platform = Client(urlsplit(console.origin).port or 0, made.text)
    assert platform.call("PUT", "/v1/workspaces/acme-1", {}).status == 201
    visitor = Visitor(browser, console)
    page = visitor.page
    with Provider(gate) as provider:
        values = {"server": provider.url, "testPath": "/me"}
        asked = {
            "verify": "link",
            "types": ["http/apiKey"],
            "defaults": {"values": values},
            "locale": "de",
            "theme": {"name": "Shop GmbH"},
        }
        answer = platform.post(BASE, asked)
        assert answer.status == 201, answer.body
        page.goto(answer.json["url"])
        page.get_by_label("API-Schlüssel").fill("k-4711")
        button = page.get_by_role("button", name="Weiter")
        with page.expect_console_message(lambda message: "[" in message.text) as shown:
            button.evaluate(PRESS_TWICE)
        assert json.loads(shown.value.text) == [
            "true",
            "Der Test läuft. Das kann eine halbe Minute dauern.",
            True,
        ]
        assert gate.asked.wait(60)
        second = page.context.new_page()
        second.goto(f"{console.origin}/connect/session/{answer.json['id']}")
        second.get_by_role("heading", name="Der Test läuft").wait_for()
        gate.open.set()
        for window in (page, second):
            window.get_by_text("Angemeldet als ada@acme.example.").wait_for()
        assert gate.count == 1
        assert visitor.judged("connect-busy-done", thoroughly=thoroughly) == []
        page.go_back()
        expect(page.get_by_role("button", name=re.compile("Weiter|Verbinden"))).to_be_enabled()
    visitor.close()
