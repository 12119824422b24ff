"""In a real browser, with and without scripts: what is connected or approved is what the page has
shown, in whichever tab or browser.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from console_rig import Console
from http_stand import Client
from jackfield_store.access.platform_tokens import PlatformTokens

pytest_plugins = ["browser"]

BASE = "/v1/workspaces/acme-1/connect-sessions"
POST = {"connector": "echo", "action": "post", "connection": "hall"}
ANEW = "perhaps in another tab"


def opened(browser: Browser, *, scripts: bool) -> Iterator[BrowserContext]:
    """Somebody's browser."""
    context = browser.new_context(java_script_enabled=scripts, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture(params=[False, True], ids=["without scripts", "with scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    """Whether a browser runs the pages' scripts."""
    return bool(request.param)


@pytest.fixture
def person(browser: Browser, scripts: bool) -> Iterator[BrowserContext]:
    """Somebody's browser, with and without scripts."""
    yield from opened(browser, scripts=scripts)


def entered(page: Page, token: str) -> None:
    """Enter a token, and go on to the question which account is connected."""
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Continue").click()
    page.get_by_text("Signed in as ").wait_for()


def looked(page: Page) -> None:
    """Let a page's script ask how its session is by now, as whenever a person comes back to its
    tab.
    """
    with page.expect_response("**/state") as asked:
        page.evaluate("window.dispatchEvent(new Event('focus'))")
    assert asked.value.ok


def test_a_tab_connects_what_it_has_shown(
    console: Console, person: BrowserContext, scripts: bool
) -> None:
    """Another tab has entered another key since: this one keeps its question, its Connect connects
    nothing, and shows the page of now, whose Connect does.
    """
    storage = console.host.storage
    made = PlatformTokens(storage.database, storage.vault, console.host.clock).create(
        "acme-*", "The Shop"
    )
    platform = Client(urlsplit(console.origin).port or 0, made.text)
    platform.call("PUT", "/v1/workspaces/acme-1", {})
    session = platform.post(
        BASE,
        {
            "user": "ada",
            "types": ["echo/token"],
            "verify": "link",
            "returnTo": f"{console.origin}/docs",
        },
    ).json
    first = person.new_page()
    first.goto(session["url"])
    if first.get_by_role("button", name="Begin").count():
        first.get_by_role("button", name="Begin").click()
    entered(first, "alice-4711")
    second = person.new_page()
    second.goto(first.url)
    second.get_by_role("button", name="Change the values").click()
    if scripts:
        looked(first)
        looked(first)  # the first look has changed nothing
    entered(second, "mallory-0815")
    first.get_by_role("button", name="Connect", exact=True).click()
    first.get_by_text(ANEW).wait_for()
    connections = console.host.runtime("acme-1").connections
    assert (platform.get(f"{BASE}/{session['id']}").json["status"], connections.list().items) == (
        "testing",
        (),
    )
    first.get_by_role("button", name="Connect", exact=True).click()
    first.wait_for_url(f"{console.origin}/docs**")
    assert [connections.find(row["name"]).values["token"] for row in connections.list().items] == [
        "mallory-0815"
    ]


def signed_in(console: Console, person: BrowserContext) -> Page:
    """A tab of somebody who may approve."""
    page = person.new_page()
    page.goto(f"{console.origin}/login")
    page.get_by_label("Token", exact=True).fill(console.token("approve"))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{console.origin}/")
    return page


@pytest.fixture
def waiting(console: Console) -> list[str]:
    """Two calls that wait."""
    runtime = console.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame-0815"})
    console.workspaces.set("default", {"rules": {"approve": ["echo/post"]}})
    return [
        runtime.invoke({**POST, "inputs": {"text": text}}).meta.invocation_id
        for text in ("to Ada", "to Mallory")
    ]


def test_each_tab_approves_its_own_call(
    console: Console, waiting: list[str], person: BrowserContext
) -> None:
    """Two tabs of one browser show two calls: the button of each decides on its call, and the other
    one still waits.
    """
    first = signed_in(console, person)
    second = person.new_page()
    for page, identifier in ((first, waiting[0]), (second, waiting[1])):
        page.goto(f"{console.origin}/approvals?decide={identifier}")
    approvals = console.host.runtime("default").approvals
    first.get_by_role("button", name="Approve").click()
    first.get_by_text("Approved. A worker makes the call.").wait_for()
    assert [approvals.show(one)["status"] for one in waiting] == ["approved", "waiting"]
    second.get_by_role("button", name="Decline").click()
    second.get_by_text("Declined. Nothing was sent.").wait_for()
    assert [approvals.show(one)["status"] for one in waiting] == ["approved", "declined"]


def test_three_browsers_decide_on_what_they_have_shown(
    browser: Browser, console: Console, waiting: list[str]
) -> None:
    """In each the call is open when its connection becomes another one: nobody approves or declines
    it from that page, and each is shown that it cannot be approved any more.
    """
    with ExitStack() as stack:
        people = [opened(browser, scripts=scripts) for scripts in (False, True, False)]
        pages = [signed_in(console, next(one)) for one in people]
        for one in people:
            stack.callback(next, one, None)
        for page in pages:
            page.goto(f"{console.origin}/invocations/{waiting[0]}")
            page.get_by_text("to Ada").first.wait_for()
        console.host.runtime("default").connections.rename("hall", "lobby")
        for page, name in zip(pages, ("Approve", "Approve", "Decline"), strict=True):
            page.get_by_role("button", name=name).click()
            page.get_by_text(ANEW).wait_for()
            page.get_by_text("It cannot be approved any more").wait_for()
            assert page.get_by_role("button", name="Approve").count() == 0
        assert console.host.runtime("default").approvals.show(waiting[0])["status"] == "waiting"
