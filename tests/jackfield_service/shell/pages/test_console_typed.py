"""A form of another state is shown anew with what was typed, beside how it is now, and without
secrets; it does nothing until it is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.jackfield_service.shell.pages.console_client import Place, placed
from tests.jackfield_service.shell.pages.test_console_moved import (
    ANEW,
    SAY,
    client_of,
    nightly,
    registered,
    schedules,
    subscriptions,
)

from console_rig import Console

pytest_plugins = ["browser"]
AGAIN = "What you had entered is filled in again, without secrets. Of this, it is now:"


@dataclass(frozen=True)
class Form:
    """A form at ``address`` of ``page``: ``make`` makes what it is about and returns its ID,
    ``move`` changes that, and ``read`` returns what the form changes. ``typed`` is seen again,
    ``secret`` is not, and what was moved is ``told``; ``after`` is what is read in the end. ``{}``
    in an address stands for the ID.
    """

    page: str
    address: str
    make: Callable[[Any], str]
    move: Callable[[Any, str], object]
    read: Callable[[Any, str], object]
    typed: dict[str, str]
    told: str
    after: object
    secret: dict[str, str] = field(default_factory=dict)


def watched(place: Place) -> str:
    """Make a subscription that starts a call."""
    given = {"name": "one", "trigger": "echo/notes", "connection": "hall", "then": SAY}
    return str(subscriptions(place).add(given)["name"])


def saying(text: str) -> dict[str, Any]:
    """The call that says it."""
    return {**SAY, "inputs": {"text": text}}


FORMS = {
    "OAuth client": Form(
        "/oauth-clients/crm",
        "/oauth-clients/crm",
        registered,
        lambda place, _: client_of(place, tokenUrl="https://login.crm.example.com/t2"),
        lambda place, _: [
            client_of(place).get(name) for name in ("clientId", "tokenUrl", "audience")
        ],
        {
            "clientId": "c-<0815>",
            "tokenUrl": "https://login.crm.example.com/t3",
            "scopes": "read\r\nwrite",
            "rest": '{"audience": "all"}',
        },
        "Token URL https://login.crm.example.com/t2",
        ["c-<0815>", "https://login.crm.example.com/t3", "all"],
        {"clientSecret": "sesame-4711", "rest": '{"audience": "all", "privateKey": "sesame-4712"}'},
    ),
    "workspace": Form(
        "/workspace",
        "/workspace",
        lambda _: "",
        lambda place, _: place.workspaces.set("default", {"rules": {"block": ["echo/post"]}}),
        lambda place, _: [
            getattr(place.workspaces.find("default").settings, name)
            for name in ("keep_inputs", "retention_days")
        ],
        {"keepInputs": "on", "retentionDays": "9", "block": "echo/put\r\necho/list"},
        "Block echo/post",
        [True, 9],
    ),
    "schedule": Form(
        "/schedules/{}/edit",
        "/schedules/{}/edit",
        nightly,
        lambda place, name: schedules(place).change(name, {"invocation": saying("Mallory")}),
        lambda place, name: [
            schedules(place).show(name).get(member) for member in ("cron", "invocation")
        ],
        {"runs": "daily", "time": "07:30", "as-json": "on", "document": json.dumps(saying("Ada"))},
        "Mallory",
        ["30 7 * * *", saying("Ada")],
    ),
    "subscription": Form(
        "/subscriptions/{}/edit",
        "/subscriptions/{}/edit",
        watched,
        lambda place, name: subscriptions(place).change(name, {"then": saying("Mallory")}),
        lambda place, name: [
            subscriptions(place).show(name)[member] for member in ("every", "then")
        ],
        {"every": "700", "as-json": "on", "thenInputs": '{"text": "Ada"}'},
        "Mallory",
        [700, saying("Ada")],
    ),
    "connection": Form(
        "/connections/hall",
        "/connections/hall/values",
        lambda _: "hall",
        lambda place, name: place.host.runtime("default").connections.replace(
            name, {"greeting": "Hi"}, test=False
        ),
        lambda place, name: place.host.runtime("default").connections.find(name).values["greeting"],
        {"values": '{"greeting": "Moin"}', "how": "untested"},
        "Greeting Hi",
        "Moin",
        {"values": '{"greeting": "Moin", "token": "sesame-4711"}'},
    ),
    "name of a connection": Form(
        "/connections/hall",
        "/connections/hall/name",
        lambda _: "hall",
        lambda place, name: place.host.runtime("default").connections.replace(
            name, {"greeting": "Hi"}, test=False
        ),
        lambda place, _: [
            row["name"] for row in place.host.runtime("default").connections.list().items
        ],
        {"new": "lobby"},
        "Name hall",
        ["lobby"],
    ),
    "tenant": Form(
        "/tenants/acme-1",
        "/tenants/acme-1/limits",
        lambda place: place.workspaces.create("acme-1") and "",
        lambda place, _: place.workspaces.set("acme-1", {"limits": {"queued": 5}}),
        lambda place, _: place.workspaces.find("acme-1").settings.limits,
        {"queued": "7", "connections": "3"},
        "Queued invocations 5",
        {"queued": 7, "connections": 3},
    ),
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A console with a connection, where nobody takes what is queued."""
    with placed(tmp_path, queue_workers=0) as found:
        found.host.runtime("default").connections.add(
            "hall", "echo/token", {"token": "sesame-0815"}
        )
        yield found


@pytest.mark.parametrize("name", FORMS)
def test_what_was_typed_is_there_again(place: Place, name: str) -> None:
    """Of a form that was drawn from another state nothing is done: it has what was typed, beside
    what it is now, and does it when it is sent as it is shown. No secret comes back.
    """
    form, person = FORMS[name], place.signed_in()
    identifier = form.make(place)
    page, address = form.page.format(identifier), form.address.format(identifier)
    before = person.get(page)
    form.move(place, identifier)
    was = form.read(place, identifier)
    answer = person.post(address, {**before.sent_of(address), **form.typed, **form.secret})
    assert (
        answer.status,
        ANEW in answer.words,
        AGAIN in answer.words,
        form.told in answer.words,
    ) == (409, True, True, True), answer.words
    assert ("sesame" in answer.text, form.read(place, identifier)) == (False, was)
    again = answer.sent_of(address)
    assert {
        key: again.get(key, "") for key in form.typed if key not in ("values", "how", "rest")
    } == {
        key: text.replace("\r\n", "\n")
        for key, text in form.typed.items()
        if key not in ("values", "how", "rest")
    }
    done = person.post(
        address,
        {**again, **{key: form.typed[key] for key in ("values", "how") if key in form.typed}},
    )
    assert (done.status, "anew=1" in done.headers["location"]) == (303, False), done.words
    assert form.read(place, identifier) == form.after


def test_what_confirms_is_asked_for_again(place: Place) -> None:
    """A box that says that somebody is sure, and a name that is entered for that, are empty on the
    page of another state.
    """
    person = place.signed_in()
    watched(place)
    address = "/subscriptions/one/reset"
    before = person.get("/subscriptions/one")
    subscriptions(place).change("one", {"then": saying("Mallory")})
    answer = person.post(address, {**before.sent_of(address), "since": "9d", "sure": "on"})
    assert (answer.status, answer.sent_of(address)["since"], "sure" in answer.sent_of(address)) == (
        409,
        "9d",
        False,
    )


def test_another_action_that_was_chosen_is_chosen_still(place: Place) -> None:
    """Of a schedule and of a subscription: the form anew is that of the action, with its inputs,
    beside what runs now.
    """
    person = place.signed_in()
    nightly(place)
    watched(place)
    chosen = {
        "/schedules/nightly/edit": {
            "connector": "echo",
            "action": "post",
            "invocation": '{"connection": "hall", "inputs": {"text": "Ada"}}',
        },
        "/subscriptions/one/edit": {"then": "echo/post", "thenFields": '{"text": "Ada"}'},
    }
    before = {address: person.get(address).sent_of(address) for address in chosen}
    schedules(place).change("nightly", {"invocation": saying("Mallory")})
    subscriptions(place).change("one", {"then": saying("Mallory")})
    for address, fields in chosen.items():
        answer = person.post(address, {**before[address], **fields})
        again = answer.sent_of(address)
        assert (answer.status, again.get("action", again.get("then", "")).rpartition("/")[2]) == (
            409,
            "post",
        )
        assert "{&quot;text&quot;: &quot;Ada&quot;}" in answer.text


@pytest.fixture(params=[False, True], ids=["without scripts", "with scripts"])
def page(request: pytest.FixtureRequest, browser: Browser, console: Console) -> Iterator[Page]:
    """A page of the operator's browser, with and without scripts."""
    context = browser.new_context(java_script_enabled=request.param, reduced_motion="reduce")
    context.set_default_timeout(60_000)
    found = context.new_page()
    found.goto(console.link())
    found.wait_for_url(f"{console.origin}/")
    console.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame-0815"})
    yield found
    context.close()


def test_a_browser_shows_what_was_typed(page: Page, console: Any) -> None:
    """A schedule's time and invocation, with and without scripts: the first press does nothing, the
    second one what is shown then.
    """
    nightly(console)
    page.goto(f"{console.origin}/schedules/nightly/edit")
    page.get_by_label("Write it as JSON").check()
    page.get_by_label("Every", exact=True).fill("7")
    page.get_by_label("Invocation", exact=True).fill(json.dumps(saying("Ada")))
    schedules(console).change("nightly", {"invocation": saying("Mallory")})
    page.get_by_role("button", name="Save schedule").click()
    page.get_by_text(AGAIN).wait_for()
    assert page.get_by_text(ANEW).is_visible()
    assert "Mallory" in page.locator("form .notice", has_text=AGAIN).inner_text()
    assert page.get_by_label("Every", exact=True).input_value() == "7"
    assert page.get_by_label("Invocation", exact=True).input_value() == json.dumps(saying("Ada"))
    assert (
        schedules(console).show("nightly")["every"],
        schedules(console).show("nightly")["invocation"],
    ) == ("3600s", saying("Mallory"))
    page.get_by_role("button", name="Save schedule").click()
    page.wait_for_url("**/schedules/nightly?done=saved")
    assert (
        schedules(console).show("nightly")["every"],
        schedules(console).show("nightly")["invocation"],
    ) == ("25200s", saying("Ada"))


@pytest.mark.parametrize("page", [True], indirect=True, ids=["with scripts"])
def test_the_fields_of_a_schema_are_filled_in_again(page: Page, console: Any) -> None:
    """The values of a connection, whose form needs scripts: the greeting is there, the token is
    not, and is kept when they are saved.
    """
    connections = console.host.runtime("default").connections
    page.goto(f"{console.origin}/connections/hall")
    page.get_by_text("Change values").click()
    page.get_by_label("Greeting").fill("Moin")
    page.get_by_label("Token").fill("sesame-4711")
    connections.replace("hall", {"greeting": "Hi"}, test=False)
    page.get_by_role("button", name="Save without testing").click()
    page.get_by_text(AGAIN).wait_for()
    assert page.locator("form .notice dd", has_text="Hi").is_visible()
    expect(page.get_by_label("Greeting")).to_have_value("Moin", timeout=60_000)
    assert (
        page.get_by_label("Token").input_value(),
        connections.find("hall").values["greeting"],
    ) == ("", "Hi")
    page.get_by_role("button", name="Save without testing").click()
    page.wait_for_url("**/connections/hall?done=changed")
    assert dict(connections.find("hall").values) == {"greeting": "Moin", "token": "sesame-0815"}
