"""A form whose session has ended stays as it is filled in: its sender signs in again in another
window, and it is sent once.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page
from tests.jackfield_service.shell.pages.console_client import Client, placed, token

from browsing import Visitor
from jackfield_store.access import Tokens

pytest_plugins = ["browser"]
SECRET = "sesame-0815-of-the-hall"


def signed_in(visitor: Visitor, text: str) -> None:
    """Sign in with a token."""
    visitor.page.goto(f"{visitor.console.origin}/login")
    visitor.field("Token").fill(text)
    visitor.page.get_by_role("button", name="Sign in", exact=True).click()
    visitor.page.wait_for_url(f"{visitor.console.origin}/")


def end(visitor: Visitor) -> None:
    """End the session, as an identity provider does after 15 minutes."""
    visitor.page.context.clear_cookies()


def again(visitor: Visitor, text: str) -> None:
    """Sign in again in the window that the page opens."""
    visitor.page.get_by_role("heading", name="Your session has ended").wait_for()
    with visitor.page.expect_popup() as opened:
        visitor.page.get_by_role("link", name="Sign in", exact=True).click()
    window: Page = opened.value
    window.get_by_label("Token", exact=True).fill(text)
    with window.expect_event("close"):
        window.get_by_role("button", name="Sign in", exact=True).click()


def _connection(visitor: Visitor) -> Callable[[], bool]:
    """A form by htmx, with a secret, made from a schema."""
    visitor.go("/new-connection?type=echo/token")
    visitor.field("Name").fill("hall")
    visitor.field("Token required").fill(SECRET)
    return lambda: (
        [one["name"] for one in visitor.console.host.runtime("default").connections.list().items]
        == ["hall"]
    )


def _run(visitor: Visitor) -> Callable[[], bool]:
    """The form of an action."""
    visitor.console.host.runtime("default").connections.add(
        "hall", "echo/token", {"token": SECRET, "greeting": "Good morning"}
    )
    visitor.go("/connectors/echo/actions/post")
    visitor.field("Text").fill("Hello")
    return lambda: (
        [
            entry.action
            for entry in visitor.console.host.runtime("default").journal_of().entries()[0]
        ]
        == ["post"]
    )


def _token(visitor: Visitor) -> Callable[[], bool]:
    """A form whose answer is shown in the page."""
    visitor.go("/tokens")
    visitor.page.get_by_role("button", name="New token").click()
    visitor.field("Name").fill("made after all")
    storage = visitor.console.host.storage
    tokens = Tokens(storage.database, storage.vault, "default", visitor.console.host.clock)
    return lambda: "made after all" in [one.name for one in tokens.list()[0]]


def _workspace(visitor: Visitor) -> Callable[[], bool]:
    """A form that leads to another page."""
    visitor.go("/workspace")
    visitor.field("Retention in days").fill("17")
    workspaces = visitor.console.host.runtime("default").access.workspaces
    return lambda: workspaces.settings("default").retention_days == 17


FORMS: dict[str, tuple[Callable[[Visitor], Callable[[], bool]], str, str]] = {
    "connection": (_connection, "Save without testing", "**/connections/hall?done=created"),
    "run": (_run, "Run", "#result .result"),
    "token": (_token, "Create token", "#made code"),
    "workspace": (_workspace, "Save", "**/workspace?done=changed"),
}
"""What fills in a form, its button, and the address or the part of the page that comes after it."""


@pytest.mark.parametrize("form", FORMS)
def test_a_form_is_sent_after_all(visitor: Visitor, form: str) -> None:
    """It stays as it was filled in, nothing is lost or sent twice, and no storage of the browser
    has its secret.
    """
    text = visitor.console.token("manage", name="Ada")
    signed_in(visitor, text)
    fill, button, after = FORMS[form]
    is_done = fill(visitor)
    end(visitor)
    dialog = visitor.page.get_by_role("dialog", name="Your session has ended")
    assert not dialog.is_visible()
    visitor.page.get_by_role("button", name=button, exact=True).first.click()
    dialog.wait_for()
    assert not is_done()
    again(visitor, text)
    visitor.page.wait_for_function("() => !document.querySelector('#session-ended')?.open")
    if after.startswith("**"):
        visitor.page.wait_for_url(after)
    else:
        visitor.page.locator(after).first.wait_for()
    assert is_done()
    kept = visitor.page.evaluate(
        "JSON.stringify([{...localStorage}, {...sessionStorage}, window.name, document.cookie, "
        "history.state])"
    )
    assert SECRET not in kept
    visitor.check()


def test_it_is_not_sent_as_somebody_else(visitor: Visitor) -> None:
    """Nor in another workspace: the page says so, and waits."""
    mine, other = (
        visitor.console.token("manage", name="Ada"),
        visitor.console.token("manage", name="Bob"),
    )
    signed_in(visitor, mine)
    is_done = _connection(visitor)
    end(visitor)
    visitor.page.get_by_role("button", name="Save without testing", exact=True).click()
    again(visitor, other)
    visitor.page.get_by_text("You are signed in as somebody else").wait_for()
    assert not is_done()
    with visitor.page.expect_popup() as opened:
        visitor.page.get_by_role("link", name="Sign in", exact=True).click()
    opened.value.get_by_label("Token", exact=True).fill(mine)
    with opened.value.expect_event("close"):
        opened.value.get_by_role("button", name="Sign in", exact=True).click()
    visitor.page.wait_for_url("**/connections/hall**")
    assert is_done()


def test_a_page_that_looks_for_news_keeps_a_form(visitor: Visitor) -> None:
    """A part that is loaded while somebody fills in a form does not take that away; without a form
    the page asks to sign in.
    """
    text = visitor.console.token("manage", name="Ada")
    signed_in(visitor, text)
    _run(visitor)
    end(visitor)
    visitor.field("Text").fill("Hello again")
    visitor.page.get_by_role("heading", name="Your session has ended").wait_for()
    assert visitor.field("Text").input_value() == "Hello again"
    again(visitor, text)
    visitor.page.wait_for_function("() => !document.querySelector('#session-ended').open")
    assert visitor.run() == "succeeded"


def test_the_session_is_told_to_its_own_pages_alone(tmp_path: Path) -> None:
    """Whose it is, and the token of its forms; another site, and nobody's browser, learn
    nothing.
    """
    with placed(tmp_path) as place:
        client: Client = place.signed_in(token(place, "manage"))
        page = client.get("/connectors/echo")
        told: dict[str, Any] = json.loads(
            client.get("/login/session", sec_fetch_site="same-origin").text
        )
        assert (told["csrf"], f'data-session="{told["session"]}"' in page.text) == (page.csrf, True)
        for site in ("cross-site", "same-site", "none"):
            answer = client.get("/login/session", sec_fetch_site=site)
            assert (answer.status, answer.text) == (403, "{}")
        assert place.client().get("/login/session").text == "{}"
