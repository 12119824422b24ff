"""A person is told when a call fails: by a ready choice, without typing types; and changes a
callback, whose secret stays.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browsing import Visitor
from jackfield_service.subjects.callbacks.pages.form import EXPLAINED
from jackfield_service.subjects.events.event import TYPES
from receiver import Receiver, receiving

pytest_plugins = ["browser"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver on loopback."""
    with receiving() as made:
        yield made


def test_every_type_is_explained() -> None:
    """The form offers each type of event, in the order of the types."""
    assert tuple(EXPLAINED) == TYPES


def test_a_call_that_fails_is_told(visitor: Visitor, receiver: Receiver, thoroughly: bool) -> None:
    """The ready choice tells of failed calls only, also of one that is run from a form, if it asks
    for that; the page says so.
    """
    page, runtime = visitor.page, visitor.console.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame-0815"})
    visitor.go("/callbacks")
    page.get_by_role("button", name="New callback").click()
    assert "context.notify" in page.locator("main").inner_text()
    assert visitor.judged(thoroughly=thoroughly) == []
    visitor.field("URL").fill(receiver.url)
    assert page.get_by_label("invocation.finished").is_hidden()
    page.get_by_role("button", name="Create callback").click()
    page.get_by_text("Copy the secret now").wait_for()
    page.get_by_role("link", name="To the callback").click()
    page.wait_for_url("**/callbacks/cb_*")
    assert all(
        word in page.locator("main").inner_text() for word in ("invocation.finished", "in_doubt")
    )
    for text, fault in (("fine", ""), ("bad", "refused")):
        visitor.go("/connectors/echo/actions/say")
        visitor.field("Text required").fill(text)
        page.locator("summary", has_text="Options").click()
        page.get_by_label("Tell callbacks how it ends").check()
        if fault:
            visitor.field("Times").fill("1000000")
        visitor.run()
    receiver.wait(1)
    assert '"status":"failed"' in receiver.got[0].body.decode().replace(" ", "")


def test_a_callback_is_changed_without_another_secret(visitor: Visitor, thoroughly: bool) -> None:
    """Its URL, its types and its filter are changed in a form; types are ticked; what is wrong is
    said.
    """
    page = visitor.page
    visitor.go("/callbacks")
    page.get_by_role("button", name="New callback").click()
    visitor.field("URL").fill("https://hooks.example.com/one")
    visitor.field("Tell about").select_option("Events that I choose")
    page.get_by_role("button", name="Create callback").click()
    page.get_by_text("tick an event").wait_for()
    page.get_by_label("connection.failing").check()
    page.get_by_role("button", name="Create callback").click()
    page.get_by_role("link", name="To the callback").click()
    page.wait_for_url("**/callbacks/cb_*")
    page.locator("summary", has_text="Change").click()
    assert page.get_by_label("connection.failing").is_checked()
    assert visitor.judged(thoroughly=thoroughly) == []
    visitor.field("URL").fill("https://hooks.example.com/two")
    page.get_by_label("quota.low").check()
    visitor.field("Filter").fill('{"conection": "hall"}')
    page.get_by_role("button", name="Save").click()
    page.get_by_text("is not one of").wait_for()
    visitor.field("Filter").fill('{"connection": "hall"}')
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**?done=changed")
    shown = page.locator("main").inner_text()
    for part in (
        "https://hooks.example.com/two",
        "connection.failing",
        "quota.low",
        '"connection": "hall"',
    ):
        assert part in shown
    visitor.check()
