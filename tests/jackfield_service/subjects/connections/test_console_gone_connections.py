"""A form that begins with something stored never moves it to another account: where its connection
is gone, or may not be seen, none is chosen, the form says which it was, and nothing is sent until
somebody has chosen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.jackfield_service.shell.pages.console_client import Answer, Client, Place, placed, token
from tests.jackfield_service.shell.pages.test_console_selection import sent

from browsing import Visitor
from jackfield.callers import LIBRARY, Rules
from jackfield.callers.actor import Actor
from jackfield_service.subjects.schedules.schedules import WorkspaceSchedules
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions
from jackfield_store.runtime import Jackfield

pytest_plugins = ["browser"]

SAY: dict[str, Any] = {
    "connector": "echo",
    "action": "say",
    "connection": "hall",
    "inputs": {"text": "Hello"},
}
CALL = json.dumps({"connection": "hall", "inputs": {"text": "Hello"}})
"""What the page's script sends of a form in which no connection is chosen for the one that is
gone.
"""
ACTION = "/connectors/echo/actions/say"
NOTE = "“hall” is not there any more, or cannot be used here. Choose the connection to use instead."
TIMES = {"runs": "every", "number": "24", "unit": "h", "missed": "latest", "overlap": "skip"}


def begun(runtime: Jackfield) -> str:
    """A schedule, a subscription and a call over a connection, and another connection; return the
    ID of the call.
    """
    runtime.access.workspaces.set("default", {"keepInputs": True})
    for name in ("hall", "yard"):
        runtime.connections.add(name, "echo/token", {"token": "sesame"})
    schedules(runtime).add({"name": "nightly", "every": "24h", "invocation": SAY})
    subscriptions(runtime).add(
        {
            "name": "orders",
            "trigger": "http/webhook",
            "inputs": {"signature": "secretPath"},
            "then": SAY,
        }
    )
    return runtime.invoke(SAY).meta.invocation_id


def schedules(runtime: Jackfield) -> WorkspaceSchedules:
    """The schedules of the workspace."""
    return WorkspaceSchedules(runtime, LIBRARY, Actor("library"))


def subscriptions(runtime: Jackfield) -> WorkspaceSubscriptions:
    """The subscriptions of the workspace."""
    return WorkspaceSubscriptions(runtime, LIBRARY, Actor("library"))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console where nobody takes what is queued."""
    with placed(tmp_path, queue_workers=0) as found:
        yield found


@pytest.fixture
def runtime(place: Place) -> Jackfield:
    """Its workspace."""
    return place.host.runtime("default")


def forms(client: Client, call: str) -> dict[str, Answer]:
    """Every form of the console that begins with a stored connection."""
    named = {"connector": "echo", "action": "say", "invocation": CALL}
    return {
        "schedule": client.get("/schedules/nightly/edit"),
        "subscription": client.get("/subscriptions/orders/edit"),
        "run again": client.get(f"{ACTION}?again={call}"),
        "schedule from a call": client.change(ACTION, "/new-schedule", **named),
        "schedule by its address": client.get(
            "/new-schedule?connector=echo&action=say&connection=hall"
        ),
        "rows of a file": client.change(ACTION, "/new-batch", **named),
    }


def chosen(page: Answer) -> tuple[str, ...]:
    """The connections that the choice of a page has selected."""
    picker = re.search(
        r'<select[^>]* name="(?:connection|thenConnection)".*?</select>', page.text, re.DOTALL
    )
    assert picker is not None, page.words
    selected = (
        option for option in re.findall(r"<option[^>]*>", picker[0]) if " selected" in option
    )
    return tuple(name for option in selected for name in re.findall(r'value="([^"]*)"', option))


def is_required(page: Answer) -> bool:
    """Whether a connection must be chosen."""
    return (
        re.search(r'<select[^>]* name="(?:connection|thenConnection)"[^>]* required', page.text)
        is not None
    )


def test_a_stored_connection_is_chosen_while_it_is_there(place: Place, runtime: Jackfield) -> None:
    """Among several, and with nothing said; a form that was never given one has the only one that
    fits.
    """
    client, call = place.signed_in(), begun(runtime)
    for name, page in forms(client, call).items():
        assert (chosen(page), "not there any more" in page.words, is_required(page)) == (
            ("hall",),
            False,
            False,
        ), name
    assert chosen(client.get(ACTION)) == ("",)
    runtime.connections.remove("hall")
    fresh = (
        ACTION,
        "/new-schedule?connector=echo&action=say",
        "/new-batch?connector=echo&action=say",
    )
    assert [chosen(client.get(address)) for address in fresh] == [("yard",)] * 3


def test_no_other_connection_is_chosen_for_one_that_is_gone(
    place: Place, runtime: Jackfield
) -> None:
    """Though exactly one would fit: none is chosen, one must be, and the note names the one that is
    gone.
    """
    client, call = place.signed_in(), begun(runtime)
    runtime.connections.remove("hall")
    for name, page in forms(client, call).items():
        assert (chosen(page), NOTE in page.words, is_required(page)) == (("",), True, True), name
    runtime.connections.remove("yard")
    for name, page in forms(client, call).items():
        assert (chosen(page), NOTE in page.words, "No connections yet" in page.words) == (
            ("",),
            True,
            True,
        ), name


def test_no_other_connection_is_chosen_for_one_that_may_not_be_seen(
    place: Place, runtime: Jackfield
) -> None:
    """A token whose rules hide the connection is shown no other in its place."""
    begun(runtime)
    bound = place.signed_in(token(place, "manage", rules=Rules(block=("connection:hall",))))
    page = bound.get("/new-schedule?connector=echo&action=say&connection=hall")
    assert (chosen(page), NOTE in page.words) == (("",), True)
    assert chosen(bound.get("/new-schedule?connector=echo&action=say")) == ("yard",)


def test_nothing_is_sent_until_a_connection_is_chosen(place: Place, runtime: Jackfield) -> None:
    """Each form is refused with the fault at the choice, and nothing has changed; with a choice, it
    is as chosen.
    """
    client = place.signed_in()
    begun(runtime)
    runtime.connections.remove("hall")
    journal = runtime.journal
    assert journal is not None
    before = len(journal.entries()[0])
    call = {"connector": "echo", "action": "say", "invocation": CALL, "connection": ""}
    asked: dict[str, dict[str, str]] = {
        "/schedules/nightly/edit": {**TIMES, **call},
        "/schedules": {"name": "other", **TIMES, **call},
        f"{ACTION}/run": {**call, "mode": "run"},
        f"{ACTION}/run?dry": {**call, "mode": "dry"},
        "/new-batch": {**call, "reference": "0123456789abcdef", "rows": "text\nHello\n"},
    }
    for address, fields in asked.items():
        drawn = client.get(address if address.endswith("/edit") else "/").csrf_of(address)
        answer = client.post(address, {"csrf": drawn, **fields}, hx_request="true")
        assert 'data-pointer="/call:connection"' in answer.text, (address, answer.words)
        assert "is missing: “hall” cannot be used any more" in answer.words
    then = {"then": "echo/say", "thenConnection": "", "thenFields": json.dumps(SAY["inputs"])}
    edit = "/subscriptions/orders/edit"
    assert "/subscription:then/connection is missing" in client.change(edit, edit, **then).words
    assert len(journal.entries()[0]) == before
    assert schedules(runtime).show("nightly")["invocation"] == SAY
    assert subscriptions(runtime).show("orders")["then"] == SAY
    assert [one["name"] for one in schedules(runtime).page(None, 10)[0]] == ["nightly"]
    moved = {**call, "invocation": CALL.replace("hall", "yard"), "connection": "yard"}
    client.change("/schedules/nightly/edit", "/schedules/nightly/edit", **TIMES, **moved)
    client.change(edit, edit, **{**then, "thenConnection": "yard"})
    assert schedules(runtime).show("nightly")["invocation"]["connection"] == "yard"
    assert subscriptions(runtime).show("orders")["then"]["connection"] == "yard"


@pytest.mark.parametrize(
    "step", ["removed", "replaced", "renamed and removed", "replaced by another that was renamed"]
)
def test_a_call_whose_connection_is_gone_is_not_run_again_from_the_list(
    place: Place, runtime: Jackfield, step: str
) -> None:
    """It says which connection it was, and leads to the form, where one is chosen, though another
    one has the name; nothing is queued.
    """
    client, call = place.signed_in(), begun(runtime)
    connections = runtime.connections
    if step == "renamed and removed":
        connections.rename("hall", "hall-eu")
        connections.remove("hall-eu")
    else:
        connections.remove("hall")
    if step == "replaced":
        connections.add("hall", "echo/token", {"token": "another"})
    elif step.endswith("renamed"):
        connections.rename("yard", "hall")
    page = sent(client, "/invocations", "again", call)
    assert "0 done, 1 not done" in page.words
    is_taken = step.startswith("replaced")
    reason = "another one is named 'hall' now" if is_taken else "no connection is named 'hall'"
    assert f"Its connection was removed ({reason}" in page.words
    assert f"{ACTION}?again={call}" in page.text
    journal = runtime.journal
    assert journal is not None
    assert journal.entries(status="queued")[0] == []
    form = client.get(f"{ACTION}?again={call}")
    name = "hall (removed; another connection has its name now)" if is_taken else "hall"
    assert (chosen(form), is_required(form), f"“{name}” is not there any more" in form.words) == (
        ("",),
        True,
        True,
    )
    carried = client.change(
        ACTION,
        "/new-schedule",
        connector="echo",
        action="say",
        invocation=json.dumps({**SAY, "connection": name}),
    )
    assert (chosen(carried), is_required(carried)) == (("",), True)
    for address in ("/invocations", f"/invocations/{call}"):
        listed = client.get(address)
        assert ("hall (removed)" in listed.words, "/connections/hall" in listed.text) == (
            True,
            False,
        )


def test_a_call_is_run_again_over_its_connection_by_its_new_name(
    place: Place, runtime: Jackfield
) -> None:
    """From the list and from the form, whatever has the old name by now; its page leads there. A
    token with rules reads the old name.
    """
    client, call = place.signed_in(), begun(runtime)
    runtime.connections.rename("hall", "foyer")
    runtime.connections.rename("foyer", "lobby")
    runtime.connections.add("hall", "echo/token", {"token": "another"})
    assert chosen(client.get(f"{ACTION}?again={call}")) == ("lobby",)
    assert "1 done" in sent(client, "/invocations", "again", call).words
    journal = runtime.journal
    assert journal is not None
    assert [entry.connection for entry in journal.entries(status="queued")[0]] == ["lobby"]
    for address in ("/invocations", f"/invocations/{call}"):
        assert 'hall, now <a href="/connections/lobby">lobby</a>' in client.get(address).text
    bound = place.signed_in(token(place, "invoke", rules=Rules(block=("connection:lobby",))))
    assert "lobby" not in bound.get(f"/invocations/{call}").text
    form = bound.get(f"{ACTION}?again={call}")
    assert (chosen(form), "lobby" in form.text) == (("",), False)


def test_a_call_that_found_no_connection_is_run_again_over_the_one_that_was_added(
    place: Place, runtime: Jackfield
) -> None:
    """It was refused for the lack of it."""
    client = place.signed_in()
    runtime.access.workspaces.set("default", {"keepInputs": True})
    call = runtime.invoke(SAY).meta.invocation_id
    for name in ("hall", "yard"):
        runtime.connections.add(name, "echo/token", {"token": "sesame"})
    assert chosen(client.get(f"{ACTION}?again={call}")) == ("hall",)


def test_a_call_with_a_connection_of_its_own_is_not_run_again_over_another(
    place: Place, runtime: Jackfield
) -> None:
    """Its record has no connection, and the only one of the workspace is not taken in its place."""
    client = place.signed_in()
    runtime.access.workspaces.set("default", {"keepInputs": True})
    runtime.connections.add("yard", "echo/token", {"token": "sesame"})
    call = runtime.invoke(
        {**SAY, "connection": {"type": "token", "values": {"token": "own"}}}
    ).meta.invocation_id
    page = sent(client, "/invocations", "again", call)
    assert "0 done, 1 not done" in page.words
    assert "No connection is recorded of it" in page.words


def test_a_person_chooses_the_connection_of_a_schedule_that_lost_its_own(
    visitor: Visitor, thoroughly: bool
) -> None:
    """Saving a new time is refused at the choice, and from "Run again" to "Schedule" the form goes
    on asking.
    """
    page, runtime = visitor.page, visitor.console.host.runtime("default")
    call = begun(runtime)
    runtime.connections.remove("hall")
    visitor.go("/schedules/nightly/edit")
    assert visitor.field("Connection").input_value() == ""
    assert NOTE in page.locator("main").inner_text()
    assert visitor.judged("gone-connection", thoroughly=thoroughly) == []
    visitor.field("Every").fill("30")
    page.get_by_role("button", name="Save schedule").click()
    page.locator(".field-error", has_text="“hall” cannot be used any more").wait_for()
    assert page.evaluate("document.activeElement.id") == "connection"
    assert schedules(runtime).show("nightly")["invocation"] == SAY
    visitor.field("Connection").select_option("yard")
    page.get_by_role("button", name="Save schedule").click()
    page.wait_for_url("**/schedules/nightly?done=saved")
    assert schedules(runtime).show("nightly")["connection"] == "yard"
    visitor.go(f"{ACTION}?again={call}")
    page.get_by_role("button", name="Run", exact=True).click()
    page.locator(".field-error", has_text="“hall” cannot be used any more").wait_for()
    page.get_by_role("button", name="Schedule", exact=True).click()
    page.wait_for_url("**/new-schedule")
    visitor.settle()
    assert (
        visitor.field("Connection").input_value(),
        NOTE in page.locator("main").inner_text(),
    ) == ("", True)
    visitor.field("Schedule name").fill("moved")
    page.get_by_role("button", name="Add schedule").click()
    page.locator(".field-error", has_text="“hall” cannot be used any more").wait_for()
    journal = runtime.journal
    assert journal is not None
    assert [entry.id for entry in journal.entries()[0]] == [call]
    visitor.check()
