"""Schedules are made and changed in the console: their times, and the invocation, whose secrets stay as they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from browsing import Visitor
from console_rig import Console
from jackfield.callers import Caller
from jackfield.callers.actor import Actor
from jackfield_platform.schedules.schedules import WorkspaceSchedules

pytest_plugins = ["browser"]

SAY = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hello"}}


@pytest.fixture(autouse=True)
def hall(console: Console) -> None:
    """A connection to the echo."""
    console.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame", "greeting": "Good morning"})


def stored(console: Console, name: str) -> Mapping[str, Any]:
    """A schedule as it is shown."""
    return WorkspaceSchedules(console.host.runtime("default"), Caller(), Actor("library")).show(name)


def test_a_schedule_is_made_and_changed(visitor: Visitor, thoroughly: bool) -> None:
    """A person adds a schedule by a form, is told what is wrong, changes its time, and finds both on its page."""
    page = visitor.page
    visitor.go("/schedules")
    page.get_by_role("link", name="New schedule").click()
    visitor.settle()
    assert visitor.judged(thoroughly=thoroughly) == []
    visitor.field("Name").fill("nightly")
    visitor.field("When").fill("every day")
    visitor.field("Invocation").fill(json.dumps(SAY))
    page.get_by_role("button", name="Add schedule").click()
    assert "/cron" in page.locator("#outcome").get_by_role("listitem").first.inner_text()
    visitor.field("When").fill("30 2 * * *")
    visitor.field("Time zone").fill("Europe/Berlin")
    page.get_by_role("button", name="Add schedule").click()
    page.wait_for_url("**/schedules/nightly?done=added")
    assert "30 2 * * * Europe/Berlin" in page.locator("main").inner_text()
    page.get_by_role("link", name="Change times or invocation").click()
    visitor.settle()
    assert visitor.judged(thoroughly=thoroughly) == []
    visitor.field("Runs").select_option("every")
    visitor.field("When").fill("10m")
    page.get_by_role("button", name="Save schedule").click()
    page.wait_for_url("**/schedules/nightly?done=saved")
    found = stored(visitor.console, "nightly")
    assert (found["every"], found["invocation"]["inputs"]) == ("600s", {"text": "Hello"})
    visitor.check()


def test_an_interval_keeps_its_anchor_and_an_invocation_its_secrets(visitor: Visitor) -> None:
    """Saving a form as it is changes neither the times nor what the inputs hold."""
    console, page = visitor.console, visitor.page
    schedules = WorkspaceSchedules(console.host.runtime("default"), Caller(), Actor("library"))
    before = schedules.add({"name": "often", "every": "1h", "invocation": SAY})
    visitor.go("/schedules/often/edit")
    visitor.field("Missed runs").select_option("skip")
    page.get_by_role("button", name="Save schedule").click()
    page.wait_for_url("**/schedules/often?done=saved")
    found = stored(console, "often")
    assert found["missed"] == "skip"
    assert found["anchor"] == before["anchor"]
    assert found["invocation"] == before["invocation"]
