"""Forty everyday tasks in a browser: each ends in two steps, none on the command line.

A step is a page or dialog on which a person does something: the menu leads to the first one, and
what a form asks once more is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Error
from tests.jackfield_service.shell.pages.task_person import Person

from browsing import Visitor
from console_rig import Console, served
from dead_letters import give_up

pytest_plugins = ["browser"]
pytestmark = pytest.mark.campaign  # two minutes

_DEAD = """
INSERT INTO deliveries (workspace, callback, sequence, id, event, type, state, next_at, created_at)
VALUES ('default', 'cb_of_nobody', :number, :id, :id, 'quota.low', 'dead', 0, 0)
"""
SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}
POST: dict[str, Any] = {
    "connector": "echo",
    "action": "post",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console in whose workspace there is something of everything, and where nobody works the
    queue.
    """
    with served(tmp_path, queue_workers=0) as found:
        furnish(found)
        yield found


def furnish(console: Console) -> None:
    """Let there be calls in every state, a schedule, a subscription, a tenant."""
    runtime = console.host.runtime("default")
    for name in ("hall", "attic", "cellar"):
        runtime.connections.add(name, "echo/token", {"token": "sesame"})
    workspaces = console.workspaces
    workspaces.set("default", {"keepInputs": True})
    runtime.invoke(SAY)
    for number in range(3):
        runtime.invoke({**SAY, "inputs": {"text": "No", "fault": {"kind": "rejected"}}})
        runtime.invoke(
            {
                **POST,
                "inputs": {"text": "Doubt", "fault": {"kind": "reset"}},
                "idempotencyKey": f"doubt-{number}",
            }
        )
    for number in range(2):
        lost = runtime.enqueue({**SAY, "idempotencyKey": f"lost-{number}"})
        assert isinstance(lost, str)
        assert runtime.journal is not None
        give_up(runtime.journal, "default", lost)
    for number in range(4):
        runtime.enqueue({**SAY, "idempotencyKey": f"queued-{number}"})
    dead = [{"number": number, "id": f"dlv_{number}"} for number in range(3)]
    console.host.storage.database.record(lambda transaction: transaction.change_many(_DEAD, dead))


def call_of(person: Person, status: str) -> None:
    """Open the newest call of a status from the list."""
    person.begin("Invocations")
    person.filter(Status=status)
    person._here()
    person.page.locator("#found tbody a").first.click()
    person.visitor.settle()


def schedule(person: Person, name: str = "nightly") -> None:
    """Open a schedule."""
    person.begin("Schedules")
    person.follow(name)


INVOCATION = '{"connector": "echo", "action": "say", "connection": "hall", "inputs": {"text": "x"}}'
Task = Callable[[Person], None]
TASKS: dict[str, Task] = {}


def task(words: str) -> Callable[[Task], Task]:
    """Note a task, in the order in which they are done."""

    def noted(do: Task) -> Task:
        TASKS[words] = do
        return do

    return noted


@task("see what failed")
def _(person: Person) -> None:
    person.begin("Invocations")
    person.filter(Status="failed")
    person.sees("failed")


@task("see why a call failed")
def _(person: Person) -> None:
    call_of(person, "failed")
    person.sees("Attempts")


@task("see what was sent by a call that failed")
def _(person: Person) -> None:
    person.begin("Invocations")
    person.filter(Status="failed")
    person._here()
    person.page.locator("#found tbody th a").last.click()
    person.visitor.settle()
    person.sees("What was sent")


@task("search a call by a word")
def _(person: Person) -> None:
    person.begin("Invocations")
    person.filter(Search="doubt-1")
    person.sees("echo")


@task("save failed calls as a file")
def _(person: Person) -> None:
    person.begin("Invocations")
    person._here()
    with person.page.expect_download() as saved:
        person.page.locator("main").get_by_role("link", name=re.compile("CSV")).first.click()
    assert saved.value.suggested_filename


@task("run failed calls again")
def _(person: Person) -> None:
    person.begin("Invocations")
    person.filter(Status="failed")
    for number in (-1, -2):
        person.page.locator('main input[name^="pick-"]').nth(number).check()
    person.press("Run again…")
    person.press("Run again: 2")
    person.sees("Run again: 2 done")


@task("cancel a call that waits")
def _(person: Person) -> None:
    call_of(person, "queued")
    person.press("Cancel")
    person.sees("cancelled")


@task("cancel several calls")
def _(person: Person) -> None:
    person.begin("Invocations")
    person.filter(Status="queued")
    person.tick(2)
    person.press("Cancel…")
    person.press("Cancel: 2")
    person.sees("2 done")


@task("resolve a doubt: it was sent")
def _(person: Person) -> None:
    call_of(person, "in_doubt")
    person.press("It took effect")
    person.page.locator("#note-succeeded").fill("seen at the provider")
    person.press("Mark as succeeded")
    person.sees("seen at the provider")


@task("resolve a doubt: it was not sent")
def _(person: Person) -> None:
    call_of(person, "in_doubt")
    person.press("It did not take effect")
    person.page.locator("#note-failed").fill("not at the provider")
    person.press("Mark as failed")
    person.sees("not at the provider")


@task("redrive a dead letter")
def _(person: Person) -> None:
    person.begin("Queue")
    person.follow("Dead letters")
    person.press("Redrive Say", exact=False)
    person.sees("Queued again.")


@task("connect an account")
def _(person: Person) -> None:
    person.begin("Connections")
    person.press("New connection")
    person.look_for("Connect to…", "echo")
    person.page.locator('#offered a[href*="type=echo/token"]').first.click()
    person.visitor.settle()
    person.fill(Name="office", Token="sesame")
    person.press("Save and test")
    person.sees("Tested")


@task("test a connection")
def _(person: Person) -> None:
    person.begin("Connections")
    person.follow("hall")
    person.press("Test again")
    person.sees("Tested")


@task("change a value of a connection")
def _(person: Person) -> None:
    person.begin("Connections")
    person.follow("hall")
    person.open("Change values")
    person.fill(Greeting="Good evening")
    person.press("Save and test")
    person.sees("Saved")


@task("rename a connection")
def _(person: Person) -> None:
    person.begin("Connections")
    person.follow("attic")
    person.press("Rename this connection")
    person.page.locator("#new").fill("loft")
    person.press("Rename")
    person.sees("loft")


@task("remove a connection")
def _(person: Person) -> None:
    person.begin("Connections")
    person.follow("loft")
    person.press("Remove this connection")
    person.press("Remove loft")
    person.sees("removed")


@task("remove several connections")
def _(person: Person) -> None:
    person.begin("Connections")
    person.tick(1)
    person.press("Remove and revoke…")
    person.press("Remove and revoke: 1")
    person.sees("1 done")


@task("add a schedule")
def _(person: Person) -> None:
    person.begin("Schedules")
    person.look_for("Schedule an action…", "say")
    person.press("Say", "link")
    person.fill(
        Schedule_name="nightly",
        Runs="weekdays",
        Time="07:00",
        Connection="hall",
        Text="Good morning",
    )
    person.page.locator("main button.primary").click()
    person.sees("it is active")


@task("change a schedule")
def _(person: Person) -> None:
    person.begin("Schedules")
    person.follow("Edit nightly")
    person.fill(Time="08:00")
    person.page.locator("main button.primary").click()
    person.sees("Schedule saved")


def _step(words: str, button: str, told: str) -> None:
    @task(words)
    def _(person: Person) -> None:
        schedule(person)
        if button == "Remove the schedule":
            person.press("Remove this schedule")
        person.press(button)
        person.sees(told)


_step("pause a schedule", "Pause", "Paused")
_step("resume a schedule", "Resume", "Resumed")
_step("run a schedule now", "Run now", "Queued now")
_step("remove a schedule", "Remove the schedule", "Schedule removed")


@task("watch for events")
def _(person: Person) -> None:
    person.begin("Subscriptions")
    person.look_for("When this happens…", "notes")
    person.follow("Echo: Notes")
    person.fill(Name="notes", Connection="hall", Every="60")
    person.press("Add subscription")
    person.sees("Added")


@task("change what is watched")
def _(person: Person) -> None:
    person.begin("Subscriptions")
    person.follow("Edit notes")
    person.fill(Every="120")
    person.press("Save")
    person.sees("120 s")


@task("pause a subscription")
def _(person: Person) -> None:
    person.begin("Subscriptions")
    person.follow("notes")
    person.press("Pause")
    person.sees("Paused")


@task("let a webhook start an action")
def _(person: Person) -> None:
    person.begin("Subscriptions")
    person.look_for("When this happens…", "webhook")
    person.press("HTTP: Webhook", "link", exact=False)
    person.fill(Name="orders", Signature="None: only the URL is secret")
    person.look_for("Start an invocation with each event", "say")
    person.press("Say", "link")
    person.sees("Each event starts")
    person.fill(Connection_to_Echo="hall")
    person.page.locator("#started .editor").get_by_label("Text").first.fill("New")
    person.press("Add subscription")
    person.sees("Added")


@task("remove a subscription")
def _(person: Person) -> None:
    person.begin("Subscriptions")
    person.follow("notes")
    person.press("Remove this subscription")
    person.press("Remove the subscription")
    person.sees("removed")


@task("add a callback")
def _(person: Person) -> None:
    person.begin("Callbacks")
    person.press("New callback")
    person.fill(URL="https://93.184.215.14/hook", Tell_about="failed")
    person.press("Create callback")
    person.sees("whsec_")


@task("give a callback a new secret")
def _(person: Person) -> None:
    person.begin("Callbacks")
    person._here()
    person.page.locator("main tbody a").first.click()
    person.visitor.settle()
    person.press("Rotate", exact=False)
    person.sees("whsec_")


@task("remove a callback")
def _(person: Person) -> None:
    person.begin("Callbacks")
    person._here()
    person.page.locator("main tbody a").first.click()
    person.visitor.settle()
    person.press("Remove this callback")
    person.press("Remove the callback")
    person.sees("removed")


@task("create a token")
def _(person: Person) -> None:
    person.begin("Tokens")
    person.press("New token")
    person.fill(Name="billing", Scope="read")
    person.press("Create token")
    person.sees("Copy the token now")


@task("let writes of a program wait for a person")
def _(person: Person) -> None:
    person.begin("Tokens")
    person.press("New token")
    person.fill(Name="careful")
    person.open("Rules")
    person.fill(Approve="effect:change")
    person.press("Create token")
    person.sees("Copy the token now")


@task("revoke a token")
def _(person: Person) -> None:
    person.begin("Tokens")
    person.page.get_by_label("Revoke billing…").click()
    person.press("Revoke billing")
    person.sees("Token revoked")


@task("revoke several tokens")
def _(person: Person) -> None:
    person.begin("Tokens")
    person.tick(1)
    person.press("Revoke…")
    person.press("Revoke: 1")
    person.sees("1 done")


@task("keep calls for longer")
def _(person: Person) -> None:
    person.begin("Settings")
    person.fill(Retention_in_days="90")
    person.press("Save")
    person.sees("Settings saved")


@task("see whether a call is allowed")
def _(person: Person) -> None:
    person.begin("Settings")
    person.fill(Action="echo/say")
    person.press("Check")
    person.sees("allowed")


@task("see who changed something")
def _(person: Person) -> None:
    person.begin("Audit log")
    person.filter(Target="connection:hall")
    person.sees("connection.created")


@task("add a tenant")
def _(person: Person) -> None:
    person.begin("Tenants")
    person.press("New tenant")
    person._here()
    person.page.locator("main form[action='/tenants'] #name").fill("acme-1")
    person.press("Create tenant")
    person.sees("acme-1")


@task("suspend a tenant")
def _(person: Person) -> None:
    person.begin("Tenants")
    person.follow("acme-1")
    person.press("Suspend")
    person.sees("Suspended: every call is refused")


@task("resume a tenant")
def _(person: Person) -> None:
    person.begin("Tenants")
    person.follow("acme-1")
    person.press("Resume")
    person.sees("Resumed: calls are served again")


@task("send somebody a link to connect an account")
def _(person: Person) -> None:
    person.begin("Tenants")
    person.follow("Connect an account for acme-1")
    person.fill(System="echo/token")
    person.press("Create link")
    person.sees("Send this link to one person only")


@task("run an action")
def _(person: Person) -> None:
    person.begin("Connectors")
    person.page.locator("main #q").fill("say something")
    person._here()
    person.page.locator("main a", has_text=re.compile("^Say")).first.click()
    person.visitor.settle()
    person.page.locator("#connection").select_option("hall")
    person.fill(Text="Hello")
    person._here()
    assert person.visitor.run() == "succeeded"


@task("send all dead deliveries again")
def _(person: Person) -> None:
    person.begin("Callbacks")
    person.follow("Deliveries")
    person.open("Send 3 dead deliveries again…")
    person.press("Send 3 dead deliveries again")
    person.sees("are sent again now")


@task("run an action for each row of a file")
def _(person: Person) -> None:
    person.begin("Invocations")
    person.press("Run for each row of a file")
    person.look_for("Run this action…", "say")
    person.page.locator("#offered").get_by_role("link", name="Say", exact=True).click()
    person.visitor.settle()
    person.fill(Or_its_text="text,times\nAda,1\nGrace,2", Connection="hall")
    person.press("Check the rows")
    person.press("Queue 2 calls")
    person.sees("2 queued")


def test_each_task_ends_in_two_steps(browser: Browser, console: Console) -> None:
    """All of them are done, and the pages on which something was done are counted."""
    visitor = Visitor(browser, console)
    visitor.sign_in()
    faults = []
    for words, do in TASKS.items():
        try:
            do(person := Person(visitor))
        except (AssertionError, Error) as error:
            faults.append(f"{words}: {str(error).splitlines()[0]} at {person.page.url}")
        if len(person.places) > 2:
            faults.append(f"{words}: {' > '.join(person.places)}")
    assert faults == []
    assert len(TASKS) >= 40
    visitor.close()
