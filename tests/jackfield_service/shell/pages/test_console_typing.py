"""What somebody types into the console's forms fits its field, is not changed silently, and is not
lost.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Locator, Page, expect
from tests.jackfield_service.shell.pages.test_console_made_fields import _MAKE

from browsing import Visitor
from console_rig import Console, served
from jackfield_service.shell.pages.layout.form_schema import form_schema
from plugboard import declare

pytest_plugins = ["browser"]

KEY = "-----BEGIN KEY-----\nc2VjcmV0\nLTA4MTU=\n-----END KEY-----\n"
LINES = "first\nsecond\n\nfourth"
_PASTE = """(field, text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text", text);
    const event = new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true });
    field.dispatchEvent(event);
    return event.defaultPrevented;
}"""


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console with connectors whose connections have keys of several lines, tokens and
    addresses.
    """
    declare(
        tmp_path / "site",
        "jackfield-sftp",
        "jackfield.connectors",
        {"sftp": "jackfield_sftp:connector"},
    )
    declare(
        tmp_path / "site",
        "jackfield-http",
        "jackfield.connectors",
        {"http": "jackfield_http.request:connector"},
    )
    with served(tmp_path, queue_workers=0) as found:
        yield found


def paste(field: Locator, text: str) -> bool:
    """Paste a text; return whether the page takes it itself."""
    field.focus()
    return bool(field.evaluate(_PASTE, text))


def made(page: Page, schema: dict[str, Any], value: Any) -> None:
    """Make a form of a schema, as the form of an action."""
    page.evaluate(_MAKE, [form_schema({"type": "object", "properties": schema}), value])


def sent(page: Page) -> Any:
    """What that form would send."""
    return json.loads(
        page.evaluate(
            "() => JSON.stringify(document.querySelector('#made > div').editor.getValue())"
        )
    )


def test_a_key_of_several_lines_arrives_as_it_is(visitor: Visitor) -> None:
    """A secret with lines is a masked text area, which keeps them; what it has is in no storage of
    the browser.
    """
    visitor.go("/new-connection?type=sftp/login")
    field = visitor.field("Private Key")
    assert field.evaluate(
        "field => [field.tagName, getComputedStyle(field).webkitTextSecurity]"
    ) == ["TEXTAREA", "disc"]
    for label, value in {
        "Name": "depot",
        "Host Name required": "127.0.0.1",
        "User Name required": "ada",
        "Host Key required": f"SHA256:{'a' * 43}",
    }.items():
        visitor.field(label).fill(value)
    field.fill(KEY)
    visitor.page.get_by_role("button", name="Save without testing").click()
    visitor.page.wait_for_url("**/connections/depot?done=created")
    assert (
        visitor.console.host.runtime("default").connections.find("depot").values["privateKey"]
        == KEY
    )
    assert "c2VjcmV0" not in str(visitor.page.evaluate("() => JSON.stringify(sessionStorage)"))


def test_what_was_pasted_can_be_seen(visitor: Visitor) -> None:
    """A secret of one line and one of several have a button that shows what is in them, and hides
    it again; it passes axe.
    """
    page = visitor.page
    visitor.go("/new-connection?type=sftp/login")
    for label, text in (("Password", "sesame-4711"), ("Private Key", KEY)):
        field = visitor.field(label)
        field.fill(text)
        looks = (
            "field => field.type === 'text' || getComputedStyle(field).webkitTextSecurity "
            "=== 'none' && field.type !== 'password'"
        )
        assert not field.evaluate(looks)
        page.get_by_role("button", name=re.compile(f"^Show ?: {label}")).click()
        assert (field.evaluate(looks), field.input_value()) == (True, text)
        page.get_by_role("button", name=re.compile(f"^Hide ?: {label}")).click()
        assert not field.evaluate(looks)
    assert visitor.axe() == []


def test_text_of_any_document_has_room(visitor: Visitor) -> None:
    """A long text, or one that is called so, is a text area. A field of one line becomes one when
    lines are pasted; where none can be, it says that they are left out.
    """
    visitor.go("/connectors/echo/actions/say")
    page = visitor.page
    schema = {
        "note": {"type": "string"},
        "issueBody": {"type": "string"},
        "summary": {"type": "string", "maxLength": 100_000},
        "title": {"type": "string", "maxLength": 200},
        "link": {"type": "string", "format": "uri", "maxLength": 2000},
        "count": {"type": "integer"},
        "key": {"type": "string", "format": "password", "writeOnly": True},
    }
    made(page, schema, {})
    tags = {
        name: page.locator(f"#made-{name}").evaluate("field => field.tagName") for name in schema
    }
    assert [name for name, tag in tags.items() if tag == "TEXTAREA"] == [
        "note",
        "issueBody",
        "summary",
    ]
    page.locator("#made-title").fill("before ")
    page.locator("#made-title").press("End")
    assert paste(page.locator("#made-title"), LINES)
    expect(page.locator("textarea#made-title")).to_be_focused()
    assert sent(page) == {"title": f"before {LINES}"}
    page.locator("#made-title").fill("and\nmore")
    assert sent(page) == {"title": "and\nmore"}
    for name in ("count", "key"):
        assert not paste(page.locator(f"#made-{name}"), LINES)
        page.locator(f"#made-{name}-fitted", has_text="takes one line").wait_for()
    assert not paste(page.locator("#made-link"), "https://example.com/\n")
    assert page.locator("#made-link-fitted").count() == 0


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_moments_are_chosen_in_the_zone_of_the_browser(
    browser: Browser, console: Console, zone: str
) -> None:
    """A moment has a picker that names the zone, and is sent with the offset of that day; a day has
    a picker. What nobody changes stays as it was, and what no picker can show is a text.
    """
    visitor = Visitor(browser, console, zone=zone)
    visitor.sign_in()
    visitor.go("/connectors/echo/actions/say")
    page = visitor.page
    schema = {
        name: {"type": "string", "format": form}
        for name, form in {
            "at": "date-time",
            "until": "date-time",
            "odd": "date-time",
            "day": "date",
        }.items()
    }
    made(page, schema, {"until": "2026-07-01T10:00:00.25+02:00", "odd": "soon"})
    assert sent(page) == {"until": "2026-07-01T10:00:00.25+02:00", "odd": "soon"}
    assert [page.locator(f"#made-{name}").get_attribute("type") for name in schema] == [
        "datetime-local",
        "datetime-local",
        "text",
        "date",
    ]
    local = {"Asia/Tokyo": "2026-07-01T17:00", "America/New_York": "2026-07-01T04:00"}
    assert page.locator("#made-until").input_value() == local[zone]
    page.get_by_text(f"In {zone}").first.wait_for()
    page.locator("#made-at").fill("2026-01-31T08:30")
    page.locator("#made-day").fill("2026-01-31")
    summer = {"Asia/Tokyo": "+09:00", "America/New_York": "-04:00"}
    winter = {"Asia/Tokyo": "+09:00", "America/New_York": "-05:00"}
    assert sent(page) | {"until": ""} == {
        "at": f"2026-01-31T08:30:00{winter[zone]}",
        "until": "",
        "odd": "soon",
        "day": "2026-01-31",
    }
    page.locator("#made-until").fill("2026-07-02T08:30:05")
    assert sent(page)["until"] == f"2026-07-02T08:30:05{summer[zone]}"
    visitor.check()
    visitor.close()


def test_a_token_and_an_address_are_made_to_fit(visitor: Visitor) -> None:
    """A pasted scheme or quotes are taken off a bearer token, and a host gets https://; both are
    said at the field. What fits stays.
    """
    visitor.go("/new-connection?type=http/bearer")
    token, server = visitor.field("Token required"), visitor.field("Server required")
    for given in ("Authorization: Bearer k-1", "bearer k-1", '"k-1"', "\u200b k-1\n"):
        token.fill(given)
        server.focus()
        assert token.input_value() == "k-1"
    token.fill("Bearer k-1")
    server.fill("host.example.com/v1 ")
    server.blur()
    assert server.input_value() == "https://host.example.com/v1"
    visitor.page.get_by_text("https:// was added").wait_for()
    visitor.page.get_by_text("Only the token was kept").wait_for()
    for given in ("http://127.0.0.1:9", "https://host.example.com", "not an address"):
        server.fill(given)
        server.blur()
        assert server.input_value() == given
    assert visitor.page.get_by_text("https:// was added").count() == 0


def test_a_number_with_a_comma_says_what_to_write(visitor: Visitor) -> None:
    """In the words of somebody who writes numbers as most of Europe does."""
    visitor.go("/workspace")
    console = visitor.console
    console.host.runtime("default").connections.add("hall", "echo/token", {"token": "sesame-0815"})
    visitor.go("/new-connection?type=sftp/login")
    visitor.field("Name").fill("depot")
    visitor.page.get_by_label("Port", exact=True).fill("2.222,0")
    visitor.page.get_by_role("button", name="Save without testing").click()
    visitor.page.get_by_text("must be a whole number, not '2.222,0': write 2222.0").first.wait_for()


@contextmanager
def asked(page: Page, answers: list[bool]) -> Iterator[list[str]]:
    """Answer the questions of a page, the first ones as given and others by yes; return their kinds
    as they come.
    """
    kinds: list[str] = []

    def answer(dialog: Dialog) -> None:
        kinds.append(dialog.type)
        if answers[len(kinds) - 1 :][:1] == [False]:
            dialog.dismiss()
        else:
            dialog.accept()

    page.on("dialog", answer)
    yield kinds
    page.remove_listener("dialog", answer)


def test_a_changed_form_asks_before_it_goes(visitor: Visitor) -> None:
    """A click in the menu asks, and the form stays as it is; who goes all the same finds it again
    by Back, without its secret, and by a reload. A form that was sent, and one that nobody has
    changed, ask nothing.
    """
    page = visitor.page
    visitor.go("/new-connection?type=echo/token")
    queue = page.get_by_role("link", name="Queue", exact=True)
    with asked(page, [False]) as kinds:
        visitor.field("Name").fill("hall")
        visitor.field("Token required").fill("sesame-0815")
        visitor.field("Greeting").fill("Good morning")
        queue.click()
        expect(visitor.field("Greeting")).to_have_value("Good morning")
        assert (kinds, page.url) == (
            ["beforeunload"],
            f"{visitor.console.origin}/new-connection?type=echo/token",
        )
        queue.click()
        page.wait_for_url("**/queue")
        assert "sesame" not in str(page.evaluate("() => JSON.stringify(sessionStorage)"))
        page.go_back()
        for _ in range(2):
            expect(visitor.field("Greeting")).to_have_value("Good morning")
            expect(visitor.field("Name")).to_have_value("hall")
            expect(visitor.field("Token required")).to_have_value("")
            page.reload()
        visitor.field("Token required").fill("sesame-0815")
        before = len(kinds)
        page.get_by_role("button", name="Save without testing").click()
        page.wait_for_url("**/connections/hall?done=created")
        queue.click()
        page.wait_for_url("**/queue")
        assert len(kinds) == before
    values = visitor.console.host.runtime("default").connections.find("hall").values
    assert values == {"token": "sesame-0815", "greeting": "Good morning"}


def test_what_others_have_changed_is_not_overwritten(visitor: Visitor) -> None:
    """A form that is drawn from another state by now begins with that, and not with what was typed
    before.
    """
    page = visitor.page
    visitor.go("/workspace")
    visitor.field("Retention in days").fill("17")
    page.goto(f"{visitor.console.origin}/queue")
    page.go_back()
    expect(visitor.field("Retention in days")).to_have_value("17")
    visitor.console.host.runtime("default").access.workspaces.set("default", {"retentionDays": 40})
    page.reload()
    expect(visitor.field("Retention in days")).to_have_value("40")


def test_a_form_in_a_panel_is_there_again(visitor: Visitor) -> None:
    """The panel opens again with what was typed; one that was closed before its answer came opens
    to show it.
    """
    page = visitor.page
    visitor.go("/tokens")
    name, button = (
        page.get_by_label("Name", exact=True),
        page.get_by_role("button", name="New token"),
    )
    button.click()
    name.fill("The web shop")
    page.goto(f"{visitor.console.origin}/queue")
    page.go_back()
    expect(name).to_have_value("The web shop")
    expect(name).to_be_visible()
    name.press("Escape")
    expect(name).to_be_hidden()
    page.evaluate("document.querySelector('#new-token form').requestSubmit()")
    expect(page.get_by_role("region", name="The new token")).to_be_visible()


def test_a_form_without_scripts_says_so(browser: Browser, console: Console) -> None:
    """Where the scripts do not run, or one of them is lost, a sentence stands where the fields
    would be; where they run, it is not seen.
    """
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{console.origin}/login")
    page.get_by_label("Token", exact=True).fill(console.token("manage"))
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{console.origin}/")
    for path in ("/new-connection?type=echo/token", "/connectors/echo/actions/say"):
        page.goto(f"{console.origin}{path}")
        expect(
            page.get_by_text("The fields are drawn by a script, which has not run")
        ).to_be_visible()
    context.close()
    visitor = Visitor(browser, console)
    visitor.sign_in()
    visitor.go("/connectors/echo/actions/say")
    assert visitor.page.get_by_text("The fields are drawn by a script").count() == 0
    for script in ("**/jsoneditor-*.js", "**/editors.js", "**/form.js"):
        visitor.page.route(script, lambda route: route.abort())
        visitor.page.goto(f"{console.origin}/new-connection?type=echo/token")
        expect(visitor.page.get_by_text("The fields are drawn by a script")).to_be_visible()
        visitor.page.unroute(script)
    visitor.close()


_UNCOVERED = """() => {
    const bar = document.querySelector(".bar");
    if (bar.contains(document.activeElement)) return true;
    const { top, bottom } = document.activeElement.getBoundingClientRect();
    return bottom <= bar.getBoundingClientRect().top && top >= 0;
}"""


def test_changed_fields_are_marked_and_their_button_is_in_reach(visitor: Visitor) -> None:
    """In a form longer than the window, Save is always seen and covers no field that the keyboard
    comes to; changed fields are marked and counted, until they are as stored again, also those that
    a script makes.
    """
    page = visitor.page
    visitor.go("/workspace")
    page.set_viewport_size({"width": 1280, "height": 400})
    save, told = page.get_by_role("button", name="Save"), page.locator("[data-changes]")
    visitor.field("Record inputs").focus()
    for _ in range(7):
        assert page.evaluate(
            "document.querySelector('.bar').getBoundingClientRect().bottom <= innerHeight"
        )
        assert page.evaluate(_UNCOVERED), page.evaluate("document.activeElement.id")
        page.keyboard.press("Tab")
    visitor.field("Retention in days").fill("90")
    visitor.field("Record inputs").check()
    expect(told).to_have_text("2 unsaved changes")
    assert page.locator(".field[data-changed]").count() == 2
    visitor.look("dark")
    assert visitor.axe() == []
    visitor.field("Record inputs").uncheck()
    expect(told).to_have_text("1 unsaved change")
    save.click()
    page.get_by_text("Settings saved.").wait_for()
    assert (told.inner_text(), page.locator("[data-changed]").count()) == ("", 0)
    visitor.console.host.runtime("default").connections.add(
        "hall", "echo/token", {"token": "sesame"}
    )
    visitor.go("/connections/hall")
    page.get_by_text("Change values").click()
    visitor.field("Greeting").fill("Good evening")
    expect(told).to_have_text("1 unsaved change")
    visitor.field("Greeting").fill("")
    expect(told).to_have_text("")
