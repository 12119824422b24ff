"""What a person does in the console, in a real browser: forms of every kind, doubts, queues,
tokens, settings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from browsing import Visitor
from console_rig import Console

pytest_plugins = ["browser"]

POST = {"connector": "echo", "action": "post", "connection": "hall", "inputs": {"text": "Hello"}}


@pytest.fixture(autouse=True)
def hall(console: Console) -> None:
    """A connection to the echo."""
    console.host.runtime("default").connections.add(
        "hall", "echo/token", {"token": "sesame", "greeting": "Good morning"}
    )


def doubtful(console: Console) -> str:
    """The id of an invocation of which nobody knows whether it took effect."""
    fault = {"kind": "reset"}
    result = console.host.runtime("default").invoke(
        {**POST, "inputs": {"text": "Hello", "fault": fault}, "idempotencyKey": "note-1"}
    )
    assert result.status == "in_doubt"
    return result.meta.invocation_id


def invocation(visitor: Visitor) -> dict[str, Any]:
    """The invocation that the form describes."""
    found: dict[str, Any] = json.loads(visitor.page.locator("#invocation").input_value())
    return found


def test_every_kind_of_field_becomes_json(visitor: Visitor, tmp_path: Path) -> None:
    """What is filled in becomes the JSON that the schema wants, what is left alone is not in it,
    and the code beside it keeps step.
    """
    page = visitor.page
    visitor.go("/connectors/echo/actions/say")
    assert invocation(visitor) == {"connection": "hall", "inputs": {}}
    assert "Good morning (from the connection)" in str(
        page.locator('[data-schemapath="inputs.text"] textarea').get_attribute("placeholder")
    )
    visitor.field("Text").fill("Hello\n'World'")
    visitor.field("Times").fill("2")
    visitor.field("Loud").check()
    visitor.field("Voice").select_option(label="bass")
    visitor.field("Words 1").fill("one")
    page.locator('[data-schemapath="inputs.words"]').get_by_role(
        "button", name="Add another"
    ).click()
    visitor.field("Words 2").fill("two")
    visitor.field("Names 1").fill("Ada")
    page.get_by_text("More fields").click()
    visitor.field("Data").fill('{"deep": [1, true]}')
    first, second = tmp_path / "one.txt", tmp_path / "two.txt"
    first.write_text("one", encoding="utf-8")
    second.write_text("two", encoding="utf-8")
    visitor.field("Files").set_input_files([str(first), str(second)])
    page.get_by_text("two.txt was uploaded.").wait_for()
    page.get_by_role("button", name="Remove one.txt").click()
    visitor.field("Picture").set_input_files(str(first))
    page.get_by_text("one.txt was uploaded.", exact=True).wait_for()
    page.get_by_text("Options", exact=True).click()
    visitor.field("Timeout in seconds").fill("12.5")
    found = invocation(visitor)
    files, picture = found["inputs"].pop("files"), found["inputs"].pop("picture")
    assert found == {
        "connection": "hall",
        "timeoutSeconds": 12.5,
        "inputs": {
            "text": "Hello\n'World'",
            "times": 2,
            "loud": True,
            "voice": "bass",
            "words": ["one", "two"],
            "names": ["Ada"],
            "data": {"deep": [1, True]},
        },
    }
    assert (list(files), list(files["two.txt"]), list(picture)) == (["two.txt"], ["file"], ["file"])
    page.get_by_role("tab", name="curl").click()
    code = page.get_by_role("region", name="The call with curl")
    code.get_by_text("12.5").wait_for()
    assert f"{visitor.console.origin}/v1/invocations" in code.inner_text()
    assert visitor.run() == "succeeded"
    assert "HELLO" in page.locator("#result").inner_text()
    visitor.go("/files")
    assert "two.txt" in page.locator("main").inner_text()  # an upload keeps its name


def test_rows_can_be_taken_away(visitor: Visitor) -> None:
    """A row that is removed is gone from the JSON, the rest is numbered anew, and the keyboard
    stays in the field.
    """
    page = visitor.page
    visitor.go("/connectors/echo/actions/say")
    place = page.locator('[data-schemapath="inputs.words"]')
    for number, word in enumerate(("one", "two", "three"), start=1):
        visitor.field(f"Words {number}").fill(word)
        place.get_by_role("button", name="Add another").click()
    page.get_by_role("button", name="Remove Words 2").click()
    assert invocation(visitor)["inputs"] == {"words": ["one", "three"]}
    assert visitor.field("Words 2").input_value() == "three"


def test_a_fault_without_a_field_is_told_all_the_same(visitor: Visitor) -> None:
    """What is not JSON is refused by the server in its words, at the field."""
    visitor.go("/connectors/echo/actions/say")
    visitor.page.get_by_text("More fields").click()
    visitor.field("Data").fill("{nonsense")
    assert visitor.run() == "failed"
    assert visitor.field("Data").get_attribute("aria-invalid") == "true"
    assert visitor.page.locator('[data-schemapath="inputs.data"] .field-error').inner_text()


def test_a_doubt_is_settled(visitor: Visitor, console: Console) -> None:
    """A doubt is on the overview, and a person who found out says what happened; the entry keeps
    who it was.
    """
    page = visitor.page
    identifier = doubtful(console)
    visitor.go("/")
    page.get_by_role("navigation").get_by_role("link", name="In doubt", exact=True).click()
    page.get_by_role("heading", name="In doubt").wait_for()
    page.locator("#sorted tbody a").first.click()
    assert not page.get_by_role("button", name="Mark as succeeded").is_visible()
    page.get_by_role("button", name="It took effect").click()
    page.get_by_label("How do you know?").locator("visible=true").fill("Its order is in their list")
    page.get_by_role("button", name="Mark as succeeded").click()
    page.get_by_text("Marked as resolved.").wait_for()
    journal = console.host.runtime("default").journal
    assert journal is not None
    entry = journal.find(identifier)
    assert (entry.status, entry.resolved_by, entry.key_held) == ("succeeded", "console", True)
    assert page.locator("h1 + .beside .badge").inner_text() == "succeeded"
    assert page.get_by_text("Its order is in their list").first.is_visible()


def test_it_did_not_take_effect(visitor: Visitor, console: Console) -> None:
    """Saying that it did not take effect frees the key, so that the same request can be sent
    again.
    """
    identifier = doubtful(console)
    visitor.go(f"/invocations/{identifier}")
    visitor.page.get_by_role("button", name="It did not take effect").click()
    visitor.page.get_by_role("button", name="Mark as failed").click()
    visitor.page.get_by_text("Marked as resolved.").wait_for()
    assert (
        console.host.runtime("default").invoke({**POST, "idempotencyKey": "note-1"}).status
        == "succeeded"
    )


def test_the_list_shows_what_comes_in(visitor: Visitor, console: Console) -> None:
    """The list of invocations shows new ones by itself, and its filters work without losing the
    place in the page.
    """
    page = visitor.page
    visitor.go("/invocations")
    assert "No invocations yet" in page.locator("#found").inner_text()
    console.host.runtime("default").invoke(POST)
    page.locator("#found tbody tr").wait_for()
    page.get_by_label("Status").select_option("failed")
    page.get_by_text("No invocation matches.").wait_for()
    assert "status=failed" in page.url
    page.reload()
    assert page.get_by_label("Status").input_value() == "failed"


def test_inputs_are_searched_when_somebody_asks(visitor: Visitor, console: Console) -> None:
    """Typing finds names at once; Enter searches in inputs and errors, too, and typing on shows
    what is found without them.
    """
    runtime, page = console.host.runtime("default"), visitor.page
    console.workspaces.set("default", {"keepInputs": True})
    runtime.invoke({**POST, "inputs": {"text": "To bob@customer.example"}})
    visitor.go("/invocations")
    page.get_by_text("To bob@customer.example").wait_for()
    page.get_by_label("Search").fill("bob@")
    page.get_by_role("link", name="Search inputs and errors, too").wait_for()
    assert "within" not in page.url
    page.get_by_label("Search").press("Enter")
    page.get_by_role("heading", name="In inputs and errors").wait_for()
    page.get_by_role("link", name="CSV").wait_for()
    assert visitor.judged("found-within", thoroughly=True) == []
    page.get_by_label("Search").press_sequentially("c")
    page.get_by_role("link", name="Search inputs and errors, too").wait_for()
    page.get_by_role("button", name="Filter").click()
    page.get_by_role("heading", name="In inputs and errors").wait_for()


def test_what_waits_can_be_cancelled(visitor: Visitor, console: Console) -> None:
    """A queued invocation is shown as such and cancelled by a click; nothing was sent."""
    runtime = console.host.runtime("default")
    journal = runtime.journal
    assert journal is not None
    identifier = runtime.enqueue(POST)
    assert isinstance(identifier, str)
    visitor.go(f"/invocations/{identifier}")
    visitor.page.get_by_role("button", name="Cancel").click()
    visitor.page.get_by_text("Cancelled. Nothing was sent.").wait_for()
    assert journal.find(identifier).error_code == "cancelled"


def test_it_is_run_again(visitor: Visitor, console: Console) -> None:
    """From an entry whose inputs were kept the form is filled in again; from another one it is
    empty and says why.
    """
    page = visitor.page
    runtime = console.host.runtime("default")
    runtime.access.workspaces.set("default", {"keepInputs": True})
    kept = runtime.invoke({**POST, "inputs": {"text": "Hello again", "words": ["one", "two"]}})
    runtime.access.workspaces.set("default", {"keepInputs": False})
    visitor.go(f"/invocations/{kept.meta.invocation_id}")
    page.get_by_role("link", name="Run again").click()
    visitor.settle()
    assert visitor.field("Text").input_value() == "Hello again"
    assert visitor.field("Words 2").input_value() == "two"
    assert visitor.run() == "succeeded"
    page.get_by_role("link", name="View invocation").click()
    page.get_by_role("link", name="Run again").click()
    visitor.settle()
    assert "were not recorded" in page.locator("main").inner_text()
    assert visitor.field("Text").input_value() == ""


def test_actions_are_found(visitor: Visitor) -> None:
    """Typing narrows connectors and actions at once; a search can be kept as an address."""
    page = visitor.page
    visitor.go("/connectors")
    page.get_by_label("Search connectors and actions").fill("note")
    page.get_by_role("link", name="Post a Note").wait_for()
    assert page.get_by_role("link", name="Send Email").count() == 0
    visitor.go("/connectors?q=email")
    # its name lacks the word; its action is the best match
    assert page.locator(".card").first.inner_text().startswith("Amazon SES")
    # services of AWS that send email follow
    page.get_by_role("link", name="Send Email").first.click()
    page.wait_for_url("**/connectors/aws-ses/actions/sendEmail")
    visitor.settle()


def test_a_token_is_shown_once(visitor: Visitor) -> None:
    """A new token is shown when it is made, with its row in the list, and never again; revoked, it
    opens nothing.
    """
    page = visitor.page
    visitor.go("/tokens")
    page.get_by_role("button", name="New token").click()
    visitor.field("Name").fill("The web shop")
    page.get_by_role("button", name="Create token").click()
    text = page.get_by_role("region", name="The new token").inner_text()
    assert text.startswith("jf_")
    assert page.get_by_label("Revoke The web shop…").count() == 1
    assert visitor.console.host.identities.find(text) is not None
    page.reload()
    assert text not in page.content()
    page.get_by_label("Revoke The web shop…").click()
    page.get_by_text("are refused at once").wait_for()
    page.get_by_role("button", name="Revoke The web shop").click()
    page.get_by_text("Token revoked.").wait_for()
    page.get_by_role("cell", name="revoked").wait_for()


def test_settings_are_changed_and_rules_explained(visitor: Visitor, console: Console) -> None:
    """The operator sets rules, which bind from then on, and the page says which rule decides; a
    pattern that is none is refused.
    """
    page = visitor.page
    visitor.go("/workspace")
    visitor.field("Block").fill("nonsense")
    page.get_by_role("button", name="Save").click()
    page.get_by_text("is not valid").first.wait_for()
    visitor.field("Block").fill("effect:change & connection:hall")
    visitor.field("Record inputs").check()
    page.get_by_role("button", name="Save").click()
    page.get_by_text("Settings saved.").wait_for()
    page.get_by_label("Action").fill("echo/post")
    visitor.field("Connection").select_option("hall")
    page.get_by_role("button", name="Check").click()
    page.locator("#verdict .badge").wait_for()
    assert "refused" in page.locator("#verdict").inner_text()
    assert "effect:change & connection:hall" in page.locator("#verdict").inner_text()
    visitor.go("/connectors/echo/actions/post")
    visitor.field("Text").fill("Hello")
    assert visitor.run() == "failed"
    assert "Not allowed" in page.locator("#result").inner_text()


def test_an_action_is_run_by_the_keyboard_alone(visitor: Visitor) -> None:
    """Its inputs are typed, and Run is pressed: the Result is there."""
    visitor.go("/connectors/echo/actions/say")
    visitor.reach("Text")
    visitor.page.keyboard.type("Hello")
    visitor.reach("Run")
    visitor.page.keyboard.press("Enter")
    result = visitor.page.locator("#result .result")
    result.wait_for()
    assert (result.get_attribute("data-status"), "Hello" in result.inner_text()) == (
        "succeeded",
        True,
    )


def test_a_doubt_is_resolved_by_the_keyboard_alone(visitor: Visitor, console: Console) -> None:
    """What is known is opened, its reason is typed, and the press on Enter resolves it."""
    visitor.go(f"/invocations/{doubtful(console)}")
    for label, typed in (
        ("It took effect", ""),
        ("How do you know?", "seen at the provider"),
        ("Mark as succeeded", ""),
    ):
        visitor.reach(label)
        visitor.page.keyboard.type(typed) if typed else visitor.page.keyboard.press("Enter")
    visitor.page.get_by_text("seen at the provider").first.wait_for()
    visitor.page.get_by_role("button", name="It took effect").wait_for(state="detached")


def test_a_connection_is_renamed_and_removed(visitor: Visitor, console: Console) -> None:
    """A connection gets another name and is removed, and the page says so; its list can be
    searched.
    """
    page = visitor.page
    visitor.go("/connections/hall")
    page.get_by_role("button", name="Rename this connection").click()
    page.locator("#new").fill("lobby")
    page.get_by_role("button", name="Rename", exact=True).click()
    page.get_by_text("Connection renamed.").wait_for()
    visitor.go("/connections")
    page.get_by_label("Search").fill("nothing like it")
    page.get_by_text("No connection matches.").wait_for()
    page.get_by_label("Search").fill("lob")
    page.get_by_role("link", name="lobby").click()
    page.wait_for_url("**/connections/lobby")
    page.get_by_role("button", name="Remove this connection").click()
    page.get_by_role("button", name="Remove lobby").click()
    page.get_by_text("Connection removed").wait_for()
    assert console.host.runtime("default").connections.list().items == ()


def test_a_session_that_ended_leads_to_the_sign_in(visitor: Visitor) -> None:
    """Whoever is signed out elsewhere is led to the sign-in by the next click, and back to the page
    afterwards.
    """
    page = visitor.page
    visitor.go("/tokens")
    page.context.clear_cookies()
    page.get_by_role("link", name="Settings", exact=True).click()
    page.get_by_role("heading", name="Sign in").wait_for()
    visitor.field("Token").fill(visitor.console.token("read"))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/workspace")
    assert "read" in page.locator(".who").inner_text()
    assert page.get_by_role("button", name="Save").is_disabled()
    page.get_by_role("button", name="Sign out").click()
    page.get_by_text("You are signed out.").wait_for()


def test_n10_all_times_are_in_the_readers_zone(browser: Browser, console: Console) -> None:
    """N10: a page does not show UTC where its charts show the reader's own time, and each time
    names its zone.
    """
    identifier = doubtful(console)
    visitor = Visitor(browser, console, zone="Asia/Tokyo")
    visitor.sign_in()
    visitor.go(f"/invocations/{identifier}")
    times = visitor.page.locator('time[data-moment="text"]').all_inner_texts()
    assert times
    assert all("GMT+9 (" in text for text in times)
    visitor.go("/invocations")
    assert "GMT+9" in str(
        visitor.page.locator('time[data-moment="title"]').first.get_attribute("title")
    )
    visitor.check()
    visitor.close()


def test_a_run_may_keep_what_was_sent(visitor: Visitor) -> None:
    """The box in the options makes it a member of the invocation; it is not ticked by itself."""
    page = visitor.page
    visitor.go("/connectors/echo/actions/say")
    page.locator("summary", has_text="Options").click()
    assert "trace" not in json.loads(page.locator("#invocation").input_value())
    page.get_by_label("Keep what is sent and answered").check()
    page.wait_for_function("JSON.parse(document.querySelector('#invocation').value).trace === true")
