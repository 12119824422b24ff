"""Schedules are made and changed in the console: when one runs is chosen in words, what it calls by
the form of the action, and secrets of its inputs stay as they are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from browsing import Visitor
from console_rig import Console
from jackfield.callers import Caller
from jackfield.callers.actor import Actor
from jackfield_service.subjects.schedules import Timing
from jackfield_service.subjects.schedules.pages.times import Times
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules

pytest_plugins = ["browser"]

SAY = {"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "Hello"}}


@pytest.fixture(autouse=True)
def hall(console: Console) -> None:
    """A connection to the echo."""
    console.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame-0815"})


def schedules(console: Console) -> WorkspaceSchedules:
    """The schedules of the console's workspace."""
    return WorkspaceSchedules(console.host.runtime("default"), Caller(), Actor("library"))


def stored(console: Console, name: str) -> Mapping[str, Any]:
    """A schedule as it is shown."""
    return schedules(console).show(name)


def choose(page: Page, words: str, title: str, label: str = "Search actions") -> None:
    """Search an action and take it."""
    page.get_by_role("searchbox", name=label).fill(words)
    page.get_by_role("link", name=title, exact=True).click()


def upcoming(page: Page, *texts: str) -> None:
    """Wait until the next times have these texts."""
    for text in texts:
        page.locator("#next-times").get_by_text(text).first.wait_for()


def test_a_schedule_is_made_without_json_or_cron(visitor: Visitor, thoroughly: bool) -> None:
    """A person finds the action by search, fills its form in, chooses when it runs in words and
    sees the next times; faults are at their fields; choosing another action keeps the rest.
    """
    page = visitor.page
    visitor.go("/schedules")
    choose(page, "post a note", "Post a Note", "Schedule an action…")
    page.wait_for_url("**/new-schedule?connector=echo&action=post")
    visitor.settle()
    assert visitor.judged(thoroughly=thoroughly) == []
    visitor.field("Schedule name").fill("nightly")
    visitor.field("Runs").select_option("On weekdays, Monday to Friday")
    visitor.field("Time zone").fill("Europe/Berln")
    upcoming(page, "did you mean 'Europe/Berlin'")
    visitor.field("Time zone").fill("Europe/Berlin")
    visitor.field("Time").fill("07:30")
    upcoming(page, "07:30:00", "Europe/Berlin")
    page.get_by_role("link", name="Choose another action").click()
    choose(page, "say", "Say")
    page.get_by_role("link", name="echo/say", exact=True).wait_for()
    visitor.settle()
    assert [visitor.field(name).input_value() for name in ("Schedule name", "Time", "Runs")] == [
        "nightly",
        "07:30",
        "weekdays",
    ]
    visitor.field("Text required").fill("Hello")
    visitor.field("Times").fill("often")
    page.get_by_role("button", name="Add schedule").click()
    page.locator("#inputs .field-error").first.wait_for()
    visitor.field("Times").fill("")
    page.get_by_role("button", name="Add schedule").click()
    page.wait_for_url("**/schedules/nightly?done=added")
    found = stored(visitor.console, "nightly")
    assert (found["cron"], found["timezone"], found["invocation"]) == (
        "30 7 * * 1-5",
        "Europe/Berlin",
        SAY,
    )
    page.get_by_role("link", name="Edit", exact=True).click()
    visitor.settle()
    assert visitor.judged(thoroughly=thoroughly) == []
    assert [
        visitor.field(name).input_value()
        for name in ("Runs", "Time", "Text required", "Connection")
    ] == ["weekdays", "07:30", "Hello", "hall"]
    visitor.field("Runs").select_option("Every few minutes or hours")
    visitor.field("Every").fill("90")
    page.get_by_role("button", name="Save schedule").click()
    page.wait_for_url("**/schedules/nightly?done=saved")
    found = stored(visitor.console, "nightly")
    assert (found["every"], found["invocation"]["inputs"]) == ("5400s", {"text": "Hello"})
    visitor.check()


def test_a_schedule_without_a_connection_is_told_at_its_choice(visitor: Visitor) -> None:
    """Where several fit, in words of the form: no pointer into the document, and no members of one
    that nobody has written.
    """
    visitor.console.host.runtime("default").connections.add(
        "other", "echo/token", {"token": "sesame-0816"}
    )
    page = visitor.page
    visitor.go("/new-schedule?connector=echo&action=say")
    visitor.field("Schedule name").fill("nightly")
    visitor.field("Text required").fill("Hello")
    page.get_by_role("button", name="Add schedule").click()
    page.get_by_role("alert").get_by_role("link", name="Connection").wait_for()
    assert visitor.field("Connection").get_attribute("aria-invalid") == "true"
    assert "schedule:" not in page.get_by_role("alert").inner_text()
    visitor.field("Schedule name").fill("every night")
    visitor.field("Connection").select_option("other")
    page.get_by_role("button", name="Add schedule").click()
    page.get_by_role("alert").get_by_role("link", name="Schedule name").wait_for()
    assert "cron" not in page.get_by_role("alert").inner_text()
    visitor.field("Schedule name").fill("nightly")
    page.get_by_role("button", name="Add schedule").click()
    page.wait_for_url("**/schedules/nightly?done=added")


def test_a_schedule_begins_with_what_was_filled_in_for_a_call(
    browser: Browser, console: Console
) -> None:
    """The button "Schedule" beside "Run" takes connection and inputs along; the time zone is the
    reader's own.
    """
    visitor = Visitor(browser, console, zone="Asia/Tokyo")
    visitor.sign_in()
    page = visitor.page
    visitor.go("/connectors/echo/actions/say")
    visitor.field("Text required").fill("Good evening")
    page.get_by_role("button", name="Schedule", exact=True).click()
    page.wait_for_url("**/new-schedule")
    visitor.settle()
    upcoming(page, "Asia/Tokyo")
    assert visitor.field("Text required").input_value() == "Good evening"
    visitor.field("Schedule name").fill("evening")
    page.get_by_role("button", name="Add schedule").click()
    page.wait_for_url("**/schedules/evening?done=added")
    found = stored(console, "evening")
    assert (found["cron"], found["timezone"], found["invocation"]["inputs"]) == (
        "0 9 * * *",
        "Asia/Tokyo",
        {"text": "Good evening"},
    )
    visitor.check()
    visitor.close()


def test_experts_write_json_and_cron(visitor: Visitor) -> None:
    """The switch turns the fields into JSON and back; an invocation with more than the form shows
    opens as JSON; a fault of the cron expression is at its field.
    """
    console, page = visitor.console, visitor.page
    visitor.go("/new-schedule?connector=echo&action=say&connection=hall")
    visitor.field("Schedule name").fill("expert")
    visitor.field("Text required").fill("from the fields")
    visitor.field("Write it as JSON").check()
    written = json.loads(visitor.field("Invocation").input_value())
    assert written == {**SAY, "inputs": {"text": "from the fields"}}
    visitor.field("Invocation").fill(json.dumps({**written, "inputs": {"text": "from JSON"}}))
    visitor.field("Write it as JSON").uncheck()
    assert visitor.field("Text required").input_value() == "from JSON"
    visitor.field("Write it as JSON").check()
    visitor.field("Invocation").fill(
        json.dumps({**written, "timeoutSeconds": 5, "inputs": {"text": {"$slot": "%Y"}}})
    )
    visitor.field("Runs").select_option("By a cron expression")
    visitor.field("Cron expression").fill("every day")
    page.get_by_role("button", name="Add schedule").click()
    page.locator("#times .field-error").get_by_text("five fields").last.wait_for()
    visitor.field("Cron expression").fill("30 2 * * *")
    page.get_by_role("button", name="Add schedule").click()
    page.wait_for_url("**/schedules/expert?done=added")
    visitor.go("/schedules/expert/edit")
    assert (
        visitor.field("Write it as JSON").is_checked(),
        visitor.field("Runs").input_value(),
    ) == (True, "daily")
    visitor.field("Missed runs").select_option("skip")
    page.get_by_role("button", name="Save schedule").click()
    page.wait_for_url("**/schedules/expert?done=saved")
    assert stored(console, "expert")["invocation"]["inputs"] == {"text": {"$slot": "%Y"}}


def test_an_interval_keeps_its_anchor_and_an_invocation_its_secrets(visitor: Visitor) -> None:
    """Saving a form as it is changes neither the times nor what the inputs hold."""
    console, page = visitor.console, visitor.page
    before = schedules(console).add({"name": "often", "every": "1h", "invocation": SAY})
    visitor.go("/schedules/often/edit")
    visitor.field("Missed runs").select_option("skip")
    page.get_by_role("button", name="Save schedule").click()
    page.wait_for_url("**/schedules/often?done=saved")
    found = stored(console, "often")
    assert found["missed"] == "skip"
    assert found["anchor"] == before["anchor"]
    assert found["invocation"] == before["invocation"]


_CLOCK = st.builds(
    lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.integers(0, 59)
)
_TIMES = st.one_of(
    st.builds(Times, runs=st.sampled_from(["daily", "weekdays"]), time=_CLOCK),
    st.builds(Times, runs=st.just("weekly"), time=_CLOCK, weekday=st.integers(0, 6).map(str)),
    st.builds(
        Times,
        runs=st.just("monthly"),
        time=_CLOCK,
        day=st.one_of(st.integers(1, 31).map(str), st.just("L")),
    ),
    st.builds(
        Times,
        runs=st.just("every"),
        number=st.integers(1, 300).map(str),
        unit=st.sampled_from("smhd"),
    ),
)


def test_pages_say_when_a_schedule_runs_as_its_form_does(visitor: Visitor) -> None:
    """In words, with the cron expression beside them; the next times have days of the week."""
    console, page = visitor.console, visitor.page
    said = {
        "often": ({"every": "5400s"}, "Every 90 minutes"),
        "hourly": ({"every": "1h"}, "Every hour"),
        "nightly": (
            {"cron": "30 7 * * 1-5", "timezone": "Asia/Tokyo"},
            "On weekdays, Monday to Friday, at 07:30, Asia/Tokyo 30 7 * * 1-5",
        ),
        "weekly": ({"cron": "0 9 * * 1"}, "Weekly, on Monday, at 09:00, UTC 0 9 * * 1"),
        "monthly": ({"cron": "0 9 L * *"}, "Monthly, on the last day, at 09:00, UTC 0 9 L * *"),
        "once": ({"at": "2099-01-05T09:30:00Z"}, "Once, on 5 Jan 2099 at 09:30, UTC"),
        "odd": ({"cron": "*/7 * * * *"}, "By a cron expression, UTC */7 * * * *"),
    }
    for name, (times, _) in said.items():
        schedules(console).add({"name": name, **times, "invocation": SAY})
    visitor.go("/schedules")
    for name, (_, words) in said.items():
        row = page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))
        assert words in " ".join(row.inner_text().split()), name
    assert visitor.judged("schedules", thoroughly=True) == []
    visitor.go("/schedules/once")
    page.get_by_text("Mon 5 Jan 2099, 09:30:00").wait_for()
    assert "run the latest" in page.get_by_role("main").inner_text()
    assert visitor.judged("schedule", thoroughly=True) == []


@given(_TIMES)
def test_times_in_words_are_shown_as_they_were_chosen(times: Times) -> None:
    """Whatever is chosen is a valid time, and is read back from the schedule as the same time, in
    the same words but for the unit.
    """
    timing = Timing.parse(times.members(), 1_800_000_000.0)
    again = Times.of(timing.to_json())
    assert again.runs == times.runs
    assert (
        Timing.parse(
            {
                **again.members(),
                **({"anchor": timing.to_json()["anchor"]} if times.runs == "every" else {}),
            },
            1.8e9,
        )
        == timing
    )
