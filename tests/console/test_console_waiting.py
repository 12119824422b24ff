"""The page of a call that waits for a person: what would be sent, and the decision, in a browser."""

from __future__ import annotations

from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import Console
from http_stand import say
from jackfield_store.access import Workspaces

pytest_plugins = ["browser"]


def test_a_person_decides_on_an_accessible_page(browser: Browser, console: Console, thoroughly: bool) -> None:
    """It passes axe and is no wider than the window, before and after the decision, and in the list."""
    runtime = console.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame"})
    Workspaces(console.host.storage.database, console.host.storage.vault, console.host.clock).set(
        "default", {"rules": {"approve": ["echo/post"]}}
    )
    found = runtime.invoke(say("post", "hall", text="to be approved"))
    visitor = Visitor(browser, console)
    visitor.page.goto(f"{console.origin}/login")
    visitor.field("Token").fill(console.token("approve"))
    visitor.page.get_by_role("button", name="Sign in").click()
    visitor.page.wait_for_url(f"{console.origin}/")
    visitor.go("/invocations?status=waiting")
    assert visitor.judged("waiting-list", thoroughly=thoroughly) == []
    visitor.go(f"/invocations/{found.meta.invocation_id}")
    assert visitor.judged("waiting", thoroughly=thoroughly) == []
    visitor.page.get_by_label("Reason").fill("agreed")
    visitor.page.get_by_role("button", name="Approve").click()
    visitor.page.get_by_text("Approved. A worker makes the call.").wait_for()
    assert visitor.judged("approved", thoroughly=thoroughly) == []
    visitor.close()
