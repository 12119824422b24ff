"""The page of a call that waits for a person: what would be sent, and the decision, in a
browser.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import placed, token

from browsing import Visitor
from console_rig import Console
from http_stand import say

pytest_plugins = ["browser"]


def test_a_person_decides_on_an_accessible_page(
    browser: Browser, console: Console, thoroughly: bool
) -> None:
    """It passes axe and is no wider than the window, before and after the decision, and in the
    list.
    """
    runtime = console.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame"})
    console.workspaces.set("default", {"rules": {"approve": ["echo/post"]}})
    found = runtime.invoke(say("post", "hall", text="to be approved"))
    visitor = Visitor(browser, console)
    visitor.enter("approve")
    visitor.go("/invocations?status=waiting")
    assert visitor.judged("waiting-list", thoroughly=thoroughly) == []
    visitor.page.get_by_role("link", name="Approvals").click()
    visitor.page.get_by_role("heading", name="Approvals").wait_for()
    assert visitor.judged("approvals", thoroughly=thoroughly) == []
    visitor.page.get_by_role("link", name="Post a Note").click()
    visitor.page.wait_for_url(f"**/invocations/{found.meta.invocation_id}")
    assert visitor.judged("waiting", thoroughly=thoroughly) == []
    visitor.page.get_by_label("Reason").fill("agreed")
    visitor.page.get_by_role("button", name="Approve").click()
    visitor.page.get_by_text("Approved. A worker makes the call.").wait_for()
    assert visitor.judged("approved", thoroughly=thoroughly) == []
    visitor.go("/approvals")
    assert "No call waits for an approval." in visitor.page.locator("main").inner_text()
    assert visitor.page.get_by_role("link", name="Older").count() == 0
    visitor.field("Status").select_option("approved")
    visitor.page.get_by_role("button", name="Filter").click()
    visitor.page.wait_for_url("**status=approved**")
    assert visitor.page.get_by_role("link", name="Post a Note").count() == 1
    visitor.close()


def test_who_sees_the_approvals_and_who_sets_their_rules(tmp_path: Path) -> None:
    """Tokens of the scope approve see them. Saving the workspace's page keeps its approve patterns,
    and the forms set them.
    """
    with placed(tmp_path) as place:
        workspaces = place.workspaces
        workspaces.set("default", {"rules": {"approve": ["echo/post"]}})
        person = place.signed_in()
        assert "echo/post</textarea>" in person.get("/workspace").text
        person.change(
            "/workspace",
            "/workspace",
            keepInputs="on",
            retentionDays="30",
            approve="echo/post\necho/write*",
        )
        assert workspaces.settings("default").rules.approve == ("echo/post", "echo/write*")
        made = person.change(
            "/tokens",
            "/tokens",
            name="careful",
            scope="invoke approve",
            approve="effect:change",
            expires="30d",
        )
        assert (
            made.status,
            "leaves out" in made.text,
            "approve effect:change" in person.get("/tokens").words,
        ) == (200, False, True)
        for scope, status in (("read", 403), ("manage", 403), ("approve", 200)):
            someone = place.signed_in(token(place, scope))
            assert (
                someone.get("/approvals").status,
                'href="/approvals"' in someone.get("/").text,
            ) == (status, status == 200)
        assert place.signed_in(token(place, "approve")).get("/approvals?status=none").status == 400


@pytest.mark.parametrize(
    ("page", "given"),
    [
        (
            "/tokens",
            {"name": "careless", "scope": "invoke", "approve": "effect:write", "expires": "30d"},
        ),
        ("/workspace", {"keepInputs": "on", "retentionDays": "30", "block": "effect:write"}),
    ],
)
def test_a_form_says_what_a_rule_leaves_out(
    tmp_path: Path, page: str, given: dict[str, str]
) -> None:
    """It saves the rule all the same, and counts the changes that it lets pass; the hint of the
    field names all changes.
    """
    with placed(tmp_path) as place:
        person = place.signed_in()
        assert "effect:change" in person.get(page).text
        answer = person.change(page, page, **given)
        assert (answer.status, "leaves out" in answer.text) == (200, True)
        assert "covers all changes" in answer.text
        kept = person.get(page).text
        assert "effect:write" in kept
