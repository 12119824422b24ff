"""A connection's page names what runs by itself over it: that follows a new name, and stops with a
removal.
"""

from __future__ import annotations

import json

from browsing import Visitor
from jackfield.callers import Caller
from jackfield.callers.actor import Actor
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.runtime import Jackfield

pytest_plugins = ["browser"]
SAY = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hello"}}


def _parts(runtime: Jackfield) -> tuple[WorkspaceSchedules, WorkspaceSubscriptions]:
    caller, actor = Caller(), Actor("library")
    return WorkspaceSchedules(runtime, caller, actor), WorkspaceSubscriptions(
        runtime, caller, actor
    )


def test_what_uses_a_connection_follows_its_name_and_stops_with_it(
    visitor: Visitor, thoroughly: bool
) -> None:
    """A person reads what uses it before it is renamed or removed; the schedule and the
    subscriptions name it anew, and the schedule runs; removed, none of them is shown as active.
    """
    page = visitor.page
    runtime = visitor.console.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame-0815"})
    schedules, subscriptions = _parts(runtime)
    schedules.add({"name": "nightly", "every": "24h", "invocation": SAY})
    subscriptions.add({"name": "posted", "trigger": "echo/posted", "connection": "hall"})
    subscriptions.add(
        {
            "name": "orders",
            "trigger": "http/webhook",
            "inputs": {"signature": "secretPath"},
            "then": SAY,
        }
    )
    visitor.go("/connections/hall")
    used = page.get_by_text("Used by").locator("xpath=following-sibling::*[1]").inner_text()
    assert (
        used == "schedule nightly, subscription posted, subscription orders (what its events start)"
    )
    assert visitor.judged(thoroughly=thoroughly) == []
    page.get_by_role("button", name="Rename this connection").click()
    page.get_by_text("These follow the new name").wait_for()
    visitor.field("Name").fill("hall-eu")
    page.get_by_role("button", name="Rename", exact=True).click()
    page.wait_for_url("**/connections/hall-eu?done=renamed")
    assert (
        schedules.show("nightly")["connection"],
        schedules.show("nightly")["invocation"]["connection"],
    ) == ("hall-eu", "hall-eu")
    assert (
        subscriptions.show("posted")["connection"],
        subscriptions.show("orders")["then"]["connection"],
    ) == ("hall-eu", "hall-eu")
    visitor.go("/schedules/nightly")
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("Queued now").wait_for()
    visitor.go("/connections/hall-eu")
    page.get_by_role("button", name="Remove this connection").click()
    page.get_by_text("These stop").wait_for()
    page.get_by_role("button", name="Remove hall-eu").click()
    page.wait_for_url("**/connections?done=removed")
    assert schedules.show("nightly")["status"] == "stopped"
    assert {subscriptions.show(name)["status"] for name in ("posted", "orders")} <= {
        "disabling",
        "paused",
    }
    visitor.go("/schedules/nightly")
    assert "its connection 'hall-eu' was removed" in page.locator("main").inner_text()
    assert json.dumps(schedules.show("nightly")["invocation"]["inputs"]) == '{"text": "Hello"}'
    visitor.check()


def test_a_schedule_without_its_connection_is_not_shown_as_active(visitor: Visitor) -> None:
    """One whose connection went by other ways than a removal is broken, in the list and on its
    page, and the name is said.
    """
    runtime = visitor.console.host.runtime("default")
    runtime.connections.add("hall", "echo/token", {"token": "sesame-0815"})
    _parts(runtime)[0].add({"name": "nightly", "every": "24h", "invocation": SAY})
    visitor.go("/schedules")
    assert "active" in visitor.page.get_by_role("table").inner_text()
    with runtime.storage.database.write() as transaction:
        transaction.change("DELETE FROM connections WHERE name = 'hall'", {})
    for path in ("/schedules", "/schedules/nightly"):
        visitor.go(path)
        assert visitor.page.locator(".badge", has_text="broken").count() == 1
        assert "no connection is named “hall”" in visitor.page.locator("main").inner_text()
