"""What each event starts is entered in the fields of its action: texts with values of the event,
choices, and JSON for the rest.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser
from tests.jackfield_service.shell.pages.console_client import placed

from browsing import Visitor
from console_rig import Console
from jackfield.callers import LIBRARY
from jackfield.callers.actor import Actor
from jackfield_service.subjects.triggers.subscriptions import WorkspaceSubscriptions

pytest_plugins = ["browser"]
HALL = {
    "name": "hall",
    "type": "echo/token",
    "values": '{"token": "secret-4711"}',
    "how": "untested",
}
ID, TEXT = {"$event": "/data/payload/id"}, {"$event": "/data/payload/text"}


def started(console: Console, name: str) -> dict[str, Any]:
    """What the events of a subscription start."""
    found = WorkspaceSubscriptions(
        console.host.runtime("default"), LIBRARY, Actor("cli", "ada")
    ).show(name)
    return dict(found["then"]["inputs"])


def test_inputs_are_fields_with_places_of_the_event(browser: Browser, console: Console) -> None:
    """A place is picked beside its field, also among choices; the form that edits it shows what was
    entered, and JSON, on request, has it, too. A fault is shown at its field.
    """
    console.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame"})
    visitor = Visitor(browser, console)
    page = visitor.page
    visitor.sign_in()
    visitor.go("/new-subscription?trigger=echo/posted&then=echo/say")
    page.locator("#subscription-name").fill("one")
    page.locator("#connection").select_option("hall")
    page.locator("#thenConnection").select_option("hall")
    text = page.get_by_label("Text", exact=False).and_(page.locator("textarea")).first
    text.fill("Note ")
    pick = page.get_by_label("Insert a value of the event into Text")
    pick.focus()
    assert "/data/payload/id: n-1" in pick.inner_text()
    pick.select_option("/data/payload/id")
    text.press_sequentially(" was posted")
    assert text.input_value() == "Note {{/data/payload/id}} was posted"
    page.get_by_label("Loud", exact=False).first.select_option("event:/data/payload/text")
    page.get_by_label("Names 1", exact=True).fill("{{ /data/payload/text }}")
    page.get_by_label("Times", exact=True).fill("{{/data/payload/nothing}}")
    assert visitor.judged("event-fields", thoroughly=True) == []
    page.get_by_role("button", name="Add subscription").click()
    page.locator('[data-schemapath$="inputs.times"] .field-error').wait_for()
    assert page.get_by_label("Times", exact=True).evaluate(
        "node => node === document.activeElement"
    )
    page.get_by_label("Times", exact=True).fill("3")
    page.get_by_role("button", name="Add subscription").click()
    page.wait_for_url(re.compile("/subscriptions/one"))
    wanted = {
        "text": {"$text": ["Note ", ID, " was posted"]},
        "times": 3,
        "loud": TEXT,
        "names": [TEXT],
    }
    assert started(console, "one") == wanted
    visitor.go("/subscriptions/one/edit")
    assert (
        page.locator(".by-fields textarea").first.input_value()
        == "Note {{/data/payload/id}} was posted"
    )
    assert page.get_by_label("Loud", exact=False).first.input_value() == "event:/data/payload/text"
    page.get_by_label("Write them as JSON").check()
    assert json.loads(page.locator("#thenInputs").input_value()) == wanted
    page.locator("#thenInputs").fill(json.dumps({**wanted, "data": {"note": ID}, "words": TEXT}))
    assert visitor.judged("event-json", thoroughly=True) == []
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved. It runs with your rights").wait_for()
    assert started(console, "one") == {**wanted, "data": {"note": ID}, "words": TEXT}
    visitor.go("/subscriptions/one/edit")
    # a whole list of the event has no field
    assert page.get_by_label("Write them as JSON").is_checked()
    page.locator("#thenInputs").fill(json.dumps({"text": "Bye"}))
    page.get_by_label("Write them as JSON").uncheck()
    assert page.locator(".by-fields textarea").first.input_value() == "Bye"
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Saved. It runs with your rights").wait_for()
    assert started(console, "one") == {"text": "Bye"}
    assert visitor.faults == []
    visitor.close()


def test_events_that_came_are_samples(tmp_path: Path) -> None:
    """The form offers the values of the newest events, for a new subscription those of another one
    of the trigger.
    """
    with placed(tmp_path, queue_workers=0) as place:
        person = place.signed_in()
        assert person.change("/connections", "/connections", **HALL).status in (200, 303)
        new, edit = (
            "/new-subscription?trigger=http/webhook&then=echo/post",
            "/subscriptions/one/edit?then=echo/post",
        )
        given = {
            "name": "one",
            "trigger": "http/webhook",
            "inputs": json.dumps({"signature": "secretPath"}),
        }
        assert "done=added" in person.change(new, "/subscriptions", **given).headers["location"]
        assert not any("body/order" in person.get(address).text for address in (new, edit))
        path = urlsplit(
            re.findall(r"http[^<\"]*/hooks/[^<\"]+", person.get("/subscriptions/one").text)[0]
        ).path
        body = json.dumps({"order": {"id": "o-77"}}).encode()
        assert (
            place.client().send("POST", path, body, {"content-type": "application/json"}).status
            == 200
        )
        for address in (new, edit):
            assert '["/data/payload/body/order/id", "o-77"]' in html.unescape(
                person.get(address).text
            ), address


def test_masked_secrets_of_a_form_stay_or_are_entered_again(tmp_path: Path) -> None:
    """What is sent back as it was shown stays, with its secrets; what was changed beside a mask is
    refused, and names it.
    """
    with placed(tmp_path, queue_workers=0) as place:
        person, edit = place.signed_in(), "/subscriptions/one/edit"
        inputs = {"signature": "token", "header": "X-Token", "signingSecret": "sixteen characters"}
        given = {"name": "one", "trigger": "http/webhook", "inputs": json.dumps(inputs)}
        assert (
            "done=added"
            in person.change(
                "/new-subscription?trigger=http/webhook", "/subscriptions", **given
            ).headers["location"]
        )
        path = urlsplit(
            re.findall(r"http[^<\"]*/hooks/[^<\"]+", person.get("/subscriptions/one").text)[0]
        ).path

        def takes(secret: str) -> bool:
            """Return whether a request with this token becomes an event."""
            answer = place.client().send(
                "POST", path, b"{}", {"content-type": "application/json", "x-token": secret}
            )
            return answer.status == 200

        masked = {**inputs, "signingSecret": "***"}
        assert (
            "done=changed"
            in person.change(edit, edit, inputs=json.dumps(masked)).headers["location"]
        )
        assert (takes("sixteen characters"), takes("***")) == (True, False)
        refused = person.change(edit, edit, inputs=json.dumps({**masked, "header": "X-Other"}))
        assert ("/signingSecret" in refused.words, "entered again" in refused.words) == (True, True)
        changed = {**inputs, "signingSecret": "another one of sixteen"}
        assert (
            "done=changed"
            in person.change(edit, edit, inputs=json.dumps(changed)).headers["location"]
        )
        assert (takes("sixteen characters"), takes("another one of sixteen")) == (False, True)
