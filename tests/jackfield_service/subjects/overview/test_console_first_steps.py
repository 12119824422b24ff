"""An empty installation leads to the first call that succeeds in three steps."""

from __future__ import annotations

from browsing import Visitor

pytest_plugins = ["browser"]


def test_three_steps_lead_to_the_first_result(visitor: Visitor, thoroughly: bool) -> None:
    """The start page names what is next: connect, choose an action that only reads, run it. Once
    something ran, the steps are gone.
    """
    page = visitor.page
    visitor.go("/")
    steps = page.locator("#first-steps")
    assert steps.get_by_role("listitem").count() == 3
    assert (
        steps.get_by_role("link", name="Connect an account").get_attribute("href")
        == "/new-connection"
    )
    assert visitor.judged(thoroughly=thoroughly) == []
    visitor.console.host.runtime("default").connections.add(
        "hall", "echo/token", {"token": "sesame", "greeting": "Good morning"}
    )
    visitor.go("/")
    assert "Done: hall" in steps.inner_text()
    steps.get_by_role("listitem").nth(1).locator(".button").click()
    visitor.settle()
    assert visitor.run() == "succeeded"
    visitor.go("/")
    assert steps.count() == 0
    visitor.check()
