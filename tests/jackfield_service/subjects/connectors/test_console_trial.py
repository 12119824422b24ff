"""A connector is tried from its page with sample data: nobody needs an account, and nothing is
stored.
"""

from __future__ import annotations

from browsing import Visitor

pytest_plugins = ["browser"]


def test_one_press_leads_to_a_first_read(visitor: Visitor, thoroughly: bool) -> None:
    """The button of a connector's page signs in at a fake, reads, and shows the call as code and
    the way to an own connection.
    """
    page = visitor.page
    visitor.go("/connectors/github")
    page.get_by_role("button", name="Try with sample data").click()
    page.locator("#trial-result").wait_for()
    assert page.locator("#trial-result").get_attribute("data-status") == "succeeded"
    assert "working as Ada Example" in page.locator("main").inner_text()
    assert "jackfield invoke github" in page.locator("#trial-calls-panel-3").inner_html()
    assert visitor.judged("trial", thoroughly=thoroughly) == []
    assert visitor.console.host.runtime("default").connections.list().items == ()
    page.get_by_role("link", name="Connect GitHub").click()
    page.wait_for_url("**/new-connection?type=github/accessToken")
    visitor.check()


def test_a_connector_with_code_has_no_button(visitor: Visitor) -> None:
    """No fake can be made of requests that are in code; who asks nevertheless is told so."""
    visitor.go("/connectors/aws-ses")
    assert visitor.page.get_by_role("button", name="Try with sample data").count() == 0
    visitor.check()
