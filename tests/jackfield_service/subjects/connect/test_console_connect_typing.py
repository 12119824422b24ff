"""On the page of a connect session in a real browser: what somebody types is not lost, and no page
is a dead end.
"""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import BrowserContext, Dialog, Page, expect
from tests.jackfield_service.subjects.connect.connect_site import Place, in_modal, result_of

from jackfield_service.subjects.connect.operations import connecting

pytest_plugins = ["browser", "tests.jackfield_service.subjects.connect.connect_fixtures"]

KEY = "sesame-0815-of-the-hall"
PEM = "-----BEGIN KEY-----\nc2VjcmV0\n-----END KEY-----"


def opened(place: Place, person: BrowserContext, **body: object) -> tuple[str, Page]:
    """A session that somebody has begun on a page of its own."""
    session, link = place.begin(defaults={}, **body)
    page = person.new_page()
    page.goto(link)
    page.get_by_role("button", name="Begin").click()
    return session, page


def questions(page: Page, *answers: str) -> list[str]:
    """Answer the questions of a page in their order, and those after that with the last answer;
    what they were is noted.
    """
    asked: list[str] = []

    def answer(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.accept() if answers[
            min(len(asked), len(answers)) - 1
        ] == "accept" else dialog.dismiss()

    page.on("dialog", answer)
    return asked


@pytest.mark.parametrize("way", ["button", "key in the page", "key beside it"])
def test_a_modal_asks_once(place: Place, person: BrowserContext, way: str) -> None:
    """Who has typed a key is asked before the modal closes: after a no it is as it was, and the
    next try closes it without a word.
    """
    session, page = in_modal(
        place, person, types=["echo/token"], connection="modal-typed", defaults={}
    )
    field = page.frame_locator("iframe").get_by_label("Token")
    field.fill(KEY)
    asked = questions(page, "dismiss")
    for number in (1, 2):
        if way == "button":
            page.get_by_role("button", name="Close").click()
        else:
            (field if way == "key in the page" else page.get_by_role("button", name="Close")).press(
                "Escape"
            )
        if number == 1:
            expect(field).to_have_value(KEY)
    assert result_of(page) == {"status": "closed", "session": session}
    assert asked == ["Leave, and lose what you have typed?"]


def test_a_modal_asks_again_once_more_is_typed(place: Place, person: BrowserContext) -> None:
    """A no is not an answer for what is typed later; a yes closes."""
    session, page = in_modal(
        place, person, types=["echo/token"], connection="modal-again", defaults={}
    )
    field, close = (
        page.frame_locator("iframe").get_by_label("Token"),
        page.get_by_role("button", name="Close"),
    )
    asked = questions(page, "dismiss", "accept")
    for number in (1, 2):
        field.press_sequentially(str(number))
        close.click()
        assert len(asked) == number
    assert result_of(page) == {"status": "closed", "session": session}


def test_what_was_pasted_can_be_seen(place: Place, person: BrowserContext) -> None:
    """By a button beside the secret, with the keyboard alone; it is masked again once it is sent,
    kept nowhere, and no answer has it.
    """
    values = {"server": place.provider.url}
    session, link = place.begin(
        types=["http/apiKey"], connection="seen", defaults={"values": values}
    )
    page = person.new_page()
    page.goto(link)
    field = page.get_by_label("API Key", exact=True)
    field.fill(KEY)
    assert field.get_attribute("type") == "password"
    field.press("Tab")
    page.keyboard.press("Enter")
    hides = page.get_by_role("button", name=re.compile("^Hide ?: API Key"))
    expect(hides).to_be_focused()
    assert (field.get_attribute("type"), hides.get_attribute("aria-controls")) == (
        "text",
        field.get_attribute("id"),
    )
    page.keyboard.press("Enter")
    shows = page.get_by_role("button", name=re.compile("^Show ?: API Key"))
    assert (field.get_attribute("type"), field.input_value()) == ("password", KEY)
    shows.click()
    page.reload()
    assert KEY not in str(page.evaluate("() => JSON.stringify(sessionStorage)"))
    field.fill(KEY)
    shows.click()
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Connect", exact=True).wait_for()
    assert KEY not in page.content()
    assert connecting(place.stand.host, "acme-1").find(session).values["apiKey"] == KEY


def test_lines_that_were_pasted_can_be_seen(place: Place, person: BrowserContext) -> None:
    """A key of several lines is masked by the page's style alone."""
    _, page = opened(place, person, types=["sftp/login"], connection="seen-lines")
    field = page.get_by_label("Private Key")
    field.fill(PEM)
    security = "field => getComputedStyle(field).webkitTextSecurity"
    assert field.evaluate(security) == "disc"
    page.get_by_role("button", name=re.compile("^Show ?: Private Key")).click()
    assert (field.evaluate(security), field.input_value()) == ("none", PEM)
    page.reload()
    assert PEM not in str(page.evaluate("() => JSON.stringify(sessionStorage)"))


def test_what_was_typed_is_found_again(place: Place, person: BrowserContext) -> None:
    """By a reload, and by Back from wherever the person went, without the key; going asks. A step
    of the page does not.
    """
    session, page = opened(place, person, types=["echo/token"])
    kinds: list[str] = []

    def answer(dialog: Dialog) -> None:
        kinds.append(dialog.type)
        dialog.accept()

    page.on("dialog", answer)
    page.get_by_label("Token").fill(KEY)
    page.get_by_label("Greeting").fill("Good morning")
    page.goto(f"{place.origin}/docs")
    assert kinds == ["beforeunload"]
    page.go_back()
    for _ in range(2):
        expect(page.get_by_label("Greeting")).to_have_value("Good morning")
        expect(page.get_by_label("Token")).to_have_value("")
        assert KEY not in str(page.evaluate("() => JSON.stringify(sessionStorage)"))
        page.reload()
    before = len(kinds)
    page.get_by_label("Token").fill(KEY)
    page.get_by_role("button", name="Continue").click()
    page.get_by_role("button", name="Connect", exact=True).wait_for()
    assert len(kinds) == before
    assert connecting(place.stand.host, "acme-1").find(session).values == {
        "token": KEY,
        "greeting": "Good morning",
    }


def test_a_key_of_several_lines_is_asked_for_with_room(
    place: Place, person: BrowserContext
) -> None:
    """SFTP asks a person for the private key, masked, with its lines, which arrive."""
    session, page = opened(place, person, types=["sftp/login"])
    field = page.get_by_label("Private Key")
    assert field.evaluate(
        "field => [field.tagName, getComputedStyle(field).webkitTextSecurity]"
    ) == ["TEXTAREA", "disc"]
    values = {"Host Name": "127.0.0.1", "User Name": "ada", "Host Key": f"SHA256:{'a' * 43}"}
    for label, value in values.items():
        page.get_by_label(label).fill(value)
    field.fill(PEM)
    page.get_by_role("button", name="Continue").click()
    page.locator(".field-error, .card [role=alert]").first.wait_for()
    assert connecting(place.stand.host, "acme-1").find(session).values["privateKey"] == PEM
    assert "c2VjcmV0" not in page.content()


def test_a_browser_without_cookies_is_told(place: Place, person: BrowserContext) -> None:
    """Begin without the page's cookie says what is wrong, and leads back to the link, which works
    with cookies.
    """
    _, link = place.begin(types=["echo/token"], defaults={})
    page = person.new_page()
    page.goto(link)
    person.clear_cookies()
    page.get_by_role("button", name="Begin").click()
    page.get_by_text("Your browser keeps no cookies of this page").wait_for()
    page.get_by_role("link", name="Try again").click()
    page.get_by_role("button", name="Begin").click()
    page.get_by_label("Token").wait_for()


def test_an_answer_that_is_spent_leads_its_own_browser_on(
    place: Place, person: BrowserContext
) -> None:
    """Allow, Back, Allow: the browser comes to where its session is. Another one learns nothing."""
    place.authority.asks = True
    session, link = place.begin()
    page = person.new_page()
    page.goto(link)
    page.get_by_role("button", name="Continue to 127.0.0.1").click()
    allow = page.get_by_role("link", name="Allow")
    spent = allow.get_attribute("href") or ""
    allow.click()
    page.get_by_role("button", name="Connect", exact=True).wait_for()
    page.goto(spent)
    page.wait_for_url(f"{place.origin}/connect/session/{session}**")
    page.get_by_role("button", name="Connect", exact=True).wait_for()
    person.clear_cookies()
    page.goto(spent)
    page.get_by_text("This approval does not count any more").wait_for()
    assert session not in page.content()
